"""Clinical notes: what a note and a fact are, and how facts are found in the words."""

from __future__ import annotations

from .cohort import to_cohort
from .facts import Fact
from .note import Note
from .pipeline import extract, load_pipeline
from .reader import read_notes

__all__ = ["Fact", "Note", "extract", "load_pipeline", "read_notes", "to_cohort"]
