"""Other generators, each in an environment of its own, as scripts that read and write tables."""
