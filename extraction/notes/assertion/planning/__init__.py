"""Planning: what is arranged or advised and still to come; cue terms, logic and spaCy factory."""
