"""Hypothesis: what may come or may be done; cue terms, logic and spaCy factory."""
