"""map_chunks: one pure function over a fixed grid of chunks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulation.execution.results import Result
from simulation.execution.streaming import Progress, Work, stream


def map_chunks(
    function: str,
    payload: dict[str, Any],
    n_items: int,
    chunk_size: int,
    execution: str = "serial",
    workers: int | None = None,
    folder: str | Path | None = None,
    progress: Progress | None = None,
    allow: tuple[str, ...] = (),
    paths: Mapping[str, str] | None = None,
) -> list[Result]:
    """Call function(payload, start, stop) on every chunk of items and return results in order.

    Parameters
    ----------
    function
        "module:callable" of a trusted package (extraction, generation, simulation, serving). It
        must be pure and return a DataFrame or a dict of arrays.
    payload
        Names, configuration and paths as plain JSON values; live objects are refused.
    n_items, chunk_size
        The grid: chunk i holds the items i * chunk_size to (i + 1) * chunk_size - 1.
    execution
        "serial", "processes" (spawned, one thread each) or "ray" (started if it is not running,
        and left running for the next call).
    workers
        Number of workers, default the number of CPUs this process may use. It never changes a
        result.
    folder
        Where finished chunks are kept. A second call with the same work skips the chunks whose
        files still have their hash.
    progress
        Called as progress(what, fraction from 0 to 1).
    allow
        Further top-level packages from which a function may come.
    paths
        Where files lie that the function reads; it finds them under payload["paths"]. They are
        not part of the work's identity, so a folder may move between runs: the payload names
        each file's hash and the function checks it.

    Returns
    -------
    list
        One result per chunk.

    Raises
    ------
    InputError
        If arguments are wrong (all faults at once), the folder belongs to different work, or the
        function itself raised one.
    TrialtwinError
        If the function failed, returned what cannot be stored, or kept losing its worker.
    """
    where = None if folder is None else Path(folder)
    work = Work(function, payload, n_items, chunk_size, where, allow, paths)
    return [result for _, result in stream([work], execution, workers, progress)]
