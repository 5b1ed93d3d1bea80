"""Possibility: what a note suspects or considers; cue terms, logic and spaCy factory."""
