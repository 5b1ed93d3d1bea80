"""Readers that turn trial and health-record data into a `Cohort`."""

from .registry import SOURCES, read_source, sources

__all__ = ["SOURCES", "read_source", "sources"]
