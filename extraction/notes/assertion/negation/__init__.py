"""Negation: what a note denies; cue terms, logic and spaCy factory."""
