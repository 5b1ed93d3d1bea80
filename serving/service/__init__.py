"""Use cases: one function each, under the command line, HTTP, the page and jobs alike."""
