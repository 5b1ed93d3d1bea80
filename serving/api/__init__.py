"""HTTP under /v1: the same use cases as the command line, for programs."""
