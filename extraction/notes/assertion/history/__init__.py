"""History: what is over; cue terms, logic and spaCy factory."""
