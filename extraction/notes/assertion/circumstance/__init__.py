"""Circumstance: what comes only then, as on exertion; cue terms, logic and spaCy factory."""
