"""Spread pure functions over chunks of work: serially, over processes or over Ray.

The chunk grid is fixed by configuration and results come back in chunk order, so the same bytes
come out whatever the backend, the number of workers or the workers lost on the way.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulation.execution.mapping import map_chunks
    from simulation.execution.results import concatenate, digest

__all__ = ["concatenate", "digest", "map_chunks"]

_HOMES = {
    "map_chunks": "simulation.execution.mapping",
    "concatenate": "simulation.execution.results",
    "digest": "simulation.execution.results",
}


def __getattr__(name: str) -> Any:
    """Import on first use: a fresh worker sets its threads before NumPy is loaded."""
    if name not in _HOMES:
        raise AttributeError(f"module 'simulation.execution' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
