"""Repeated measurements of a continuous outcome.

Rooms: `batch` (MMRM in each replicate), `trial` (MMRM of one trial), `design` (columns of the
model, shared by both).
"""
