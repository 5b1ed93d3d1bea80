"""Readers that turn trial and health-record data into a `Cohort`."""

from typing import TYPE_CHECKING

from extraction.lazy import lazy

if TYPE_CHECKING:
    from .public import public_trial, public_trials
    from .registry import SOURCES, read_source, sources

__all__ = ["SOURCES", "public_trial", "public_trials", "read_source", "sources"]

__getattr__, __dir__ = lazy(__name__, {
    "SOURCES": "registry",
    "public_trial": "public",
    "public_trials": "public",
    "read_source": "registry",
    "sources": "registry",
})
