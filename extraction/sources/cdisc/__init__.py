"""SDTM and ADaM, read domain by domain."""
