"""Readers of the vocabularies that a user has a licence for; each streams its file once."""
