"""Readers that turn trial and health-record data into a `Cohort`."""

from typing import TYPE_CHECKING, Any

from .registry import SOURCES, read_source, sources

if TYPE_CHECKING:
    from .public import public_trial, public_trials

_PUBLIC = ("public_trial", "public_trials")

__all__ = ["SOURCES", "public_trial", "public_trials", "read_source", "sources"]


def __getattr__(name: str) -> Any:
    """Import the public trials when one of their names is first asked for."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import public

    return getattr(public, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
