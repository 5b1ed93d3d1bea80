"""Compiled inner loops (numba) over replicates and patients; nothing here is a public face."""
