"""map_chunks: one pure function over a fixed grid of chunks."""

import hashlib
import json
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, closing
from importlib import import_module
from pathlib import Path
from typing import Any

from extraction.records.errors import InputError, RefusedError, TrialtwinError
from simulation.execution.manifest import Manifest, locked
from simulation.execution.results import Result
from simulation.execution.tasks import Failure, Task, function_faults

Progress = Callable[[str, float], None]

BACKENDS = {
    "serial": "simulation.execution.serial",
    "processes": "simulation.execution.processes",
    "ray": "simulation.execution.ray_backend",
}


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
    identity = _check(function, payload, n_items, chunk_size, execution, workers, allow)
    text = identity if paths is None else _canonical({**payload, "paths": dict(paths)})
    tasks = [
        Task(i, function, text, start, min(start + chunk_size, n_items), allow)
        for i, start in enumerate(range(0, n_items, chunk_size))
    ]
    with ExitStack() as stack:
        manifest = None
        if folder is not None:
            stack.enter_context(locked(Path(folder)))
            manifest = Manifest(Path(folder), _work(function, identity, n_items, chunk_size))
        return _collect(tasks, execution, workers or _cpus(), manifest, progress)


def _collect(
    tasks: Sequence[Task],
    execution: str,
    workers: int,
    manifest: Manifest | None,
    progress: Progress | None,
) -> list[Result]:
    held: dict[int, Result] = {}
    if manifest is not None:
        for task in tasks:
            kept = manifest.load(task.index)
            if kept is not None:
                held[task.index] = kept
    left = [task for task in tasks if task.index not in held]
    _tell(progress, len(held), len(tasks))
    # Closed at once when a chunk fails, so that no worker outlives the call.
    with closing(_run(execution, left, workers)) as outcomes:
        for task, outcome in outcomes:
            result = _accept(task, outcome)
            held[task.index] = result if manifest is None else manifest.store(task.index, result)
            _tell(progress, len(held), len(tasks))
    return [held[task.index] for task in tasks]


def _run(
    execution: str, tasks: list[Task], workers: int
) -> Generator[tuple[Task, Any], None, None]:
    if tasks:
        yield from import_module(BACKENDS[execution]).run(tasks, workers)


def _accept(task: Task, outcome: Any) -> Result:
    if isinstance(outcome, Failure):
        if outcome.faults:
            refused = outcome.kind == RefusedError.__name__
            raise (RefusedError if refused else InputError)(outcome.faults)
        raise TrialtwinError(f"{task}: {outcome.kind}: {outcome.place}")
    result: Result = outcome
    return result


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(f"{done} of {total} chunks", done / total if total else 1.0)


def _cpus() -> int:
    return len(os.sched_getaffinity(0))


def _work(function: str, text: str, n_items: int, chunk_size: int) -> dict[str, Any]:
    return {
        "function": function,
        "payload_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "n_items": n_items,
        "chunk_size": chunk_size,
    }


def _canonical(payload: Mapping[str, Any]) -> str:
    return json.dumps(payload, sort_keys=True, allow_nan=False, separators=(",", ":"))


def _check(
    function: str,
    payload: dict[str, Any],
    n_items: int,
    chunk_size: int,
    execution: str,
    workers: int | None,
    allow: tuple[str, ...],
) -> str:
    """Refuse wrong arguments, all faults at once; the payload as canonical JSON."""
    faults = function_faults(function, allow)
    if n_items < 0:
        faults.append(f"n_items: {n_items} came; it must be at least 0")
    if chunk_size < 1:
        faults.append(f"chunk_size: {chunk_size} came; it must be at least 1")
    if workers is not None and workers < 1:
        faults.append(f"workers: {workers} came; it must be at least 1")
    if execution not in BACKENDS:
        faults.append(f"execution: {execution!r} came; allowed are {', '.join(BACKENDS)}")
    text = ""
    try:
        text = _canonical(payload)
    except (TypeError, ValueError):
        faults.append(
            "payload: it holds more than plain JSON values; "
            "send names, configuration and paths, never live objects"
        )
    if faults:
        raise InputError(faults)
    return text
