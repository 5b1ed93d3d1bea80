"""The stages, one a file: each a function from a `Job` to the figures of its result.json."""
