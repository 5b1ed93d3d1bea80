"""Family: what is about a relative; cue terms, logic and spaCy factory."""
