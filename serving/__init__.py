"""How Trialtwin is asked, run, stored and shown: use cases, pipeline, command line, HTTP, pages."""
