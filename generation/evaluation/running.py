"""How an evaluation runs: on one thread, telling how far it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from generation.engine import Progress


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold the numerical libraries to one thread; also a decorator.

    An evaluation is thousands of small problems: handing each to several threads costs many
    times what it gains. The limits of before come back at the end.
    """
    # Only libraries that are loaded are limited, and this one would come in the middle.
    import sklearn.ensemble  # noqa: F401
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=1):
        yield


def part(progress: Progress | None, start: float, stop: float) -> Progress | None:
    """Progress of a part that begins at `start` and ends at `stop` of the whole."""
    if progress is None:
        return None
    return lambda what, fraction: progress(what, start + (stop - start) * fraction)
