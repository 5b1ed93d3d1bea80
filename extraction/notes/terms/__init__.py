"""Term lists of the notes pipeline, as package data."""
