"""Word lists of the codes."""
