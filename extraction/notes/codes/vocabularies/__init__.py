"""The vocabularies: one module each, which yields codes with their names."""
