"""Dates and durations of a note, as days before or after it."""
