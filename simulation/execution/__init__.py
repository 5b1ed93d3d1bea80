"""Spread pure functions over chunks of work: serially, over processes or over Ray.

The chunk grid is fixed by configuration and results come back in chunk order, so the same bytes
come out whatever the backend, the number of workers or the workers lost on the way.
"""

from typing import TYPE_CHECKING

from extraction.lazy import lazy

if TYPE_CHECKING:
    from simulation.execution.mapping import map_chunks
    from simulation.execution.results import Digest, concatenate, digest
    from simulation.execution.streaming import Work, stream

__all__ = ["Digest", "Work", "concatenate", "digest", "map_chunks", "stream"]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "map_chunks": "mapping",
        "concatenate": "results",
        "digest": "results",
        "Digest": "results",
        "Work": "streaming",
        "stream": "streaming",
    },
)
