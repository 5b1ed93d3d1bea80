"""stream: the chunks of one or many pieces of work through one pool, each in its turn."""

import hashlib
import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Final, final

from extraction.records.errors import InputError, RefusedError, TrialtwinError
from simulation.execution.manifest import Manifest, locked
from simulation.execution.results import Encoded, Result
from simulation.execution.tasks import Failure, Task, cpus, function_faults

Progress = Callable[[str, float], None]

BACKENDS: Final = {
    "serial": "simulation.execution.serial",
    "processes": "simulation.execution.processes",
    "ray": "simulation.execution.ray_backend",
}
AHEAD_PER_WORKER: Final = 8
"""Chunks, for each worker, that may be done before their turn: that many results are held."""


@final
@dataclass(frozen=True)
class Work:
    """One pure function over a fixed grid of chunks.

    Attributes
    ----------
    function, payload, n_items, chunk_size, folder, allow, paths
        As in `simulation.execution.map_chunks`.
    passing
        Whether the files of the chunks go when the last result was taken: whoever takes them
        keeps what they hold.
    """

    function: str
    payload: Mapping[str, Any]
    n_items: int
    chunk_size: int
    folder: Path | None = None
    allow: tuple[str, ...] = ()
    paths: Mapping[str, str] | None = None
    passing: bool = False

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return -(-self.n_items // self.chunk_size)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What the work is, whatever its paths: decides its bytes, and whether to resume."""
        return {
            "function": self.function,
            "payload_sha256": hashlib.sha256(_canonical(self.payload).encode()).hexdigest(),
            "n_items": self.n_items,
            "chunk_size": self.chunk_size,
        }

    def faults(self) -> list[str]:
        """Say what is wrong with it, before anything is run."""
        faults = function_faults(self.function, self.allow)
        if self.n_items < 0:
            faults.append(f"n_items: {self.n_items} came; it must be at least 0")
        if self.chunk_size < 1:
            faults.append(f"chunk_size: {self.chunk_size} came; it must be at least 1")
        try:
            _canonical(self.payload)
        except (TypeError, ValueError):
            faults.append(
                "payload: it holds more than plain JSON values; "
                "send names, configuration and paths, never live objects"
            )
        return faults

    def tasks(self, place: int) -> Iterator[Task]:
        """Make the tasks; the first has the given place in the pool."""
        paths = {} if self.paths is None else {"paths": dict(self.paths)}
        text = _canonical({**self.payload, **paths})
        for index in range(self.chunks):
            start = index * self.chunk_size
            stop = min(start + self.chunk_size, self.n_items)
            yield Task(place + index, index, self.function, text, start, stop, self.allow)


def _canonical(payload: Mapping[str, Any]) -> str:
    return json.dumps(payload, sort_keys=True, allow_nan=False, separators=(",", ":"))


def stream(
    works: Sequence[Work],
    execution: str = "serial",
    workers: int | None = None,
    progress: Progress | None = None,
) -> Generator[tuple[int, Result], None, None]:
    """Results of every chunk of every work, in order, from one pool of workers.

    The next work's first chunks run while the last ones of a work do, so no worker waits between
    works; a work's results come together, so that who sums them up holds one work's sums at a
    time. Memory does not grow with the number of chunks: tasks are made when they are due, and no
    chunk begins that would have to wait long for its turn.

    Parameters
    ----------
    works
        What to do, in order.
    execution, workers, progress
        As in `simulation.execution.map_chunks`; progress counts the chunks of all works.

    Yields
    ------
    Number of the work, and the result of its next chunk.

    Raises
    ------
    InputError, TrialtwinError
        As in `simulation.execution.map_chunks`; wrong arguments at once, the rest while running.
    """
    faults = [
        fault if len(works) == 1 else f"works[{k}].{fault}"
        for k, work in enumerate(works)
        for fault in work.faults()
    ]
    if workers is not None and workers < 1:
        faults.append(f"workers: {workers} came; it must be at least 1")
    if execution not in BACKENDS:
        faults.append(f"execution: {execution!r} came; allowed are {', '.join(BACKENDS)}")
    if faults:
        raise InputError(faults)
    return _Stream(works, execution, workers or _available(execution), progress).results()


def _available(execution: str) -> int:
    """Number of CPUs there are: of the whole cluster with Ray."""
    if execution != "ray":
        return cpus()
    from simulation.execution.ray_backend import available

    return available()


@final
class _Desk:
    """A work that is being done: its lock, and which of its chunks an earlier run has left."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.manifest: Manifest | None = None
        self.held: frozenset[int] = frozenset()
        self._stack = ExitStack()
        if work.folder is not None:
            self._stack.enter_context(locked(work.folder))
            try:
                self.manifest = Manifest(work.folder, work.identity)
            except BaseException:
                self._stack.close()
                raise
            self.held = frozenset(i for i in range(work.chunks) if self.manifest.holds(i))

    def load(self, index: int) -> Result:
        """Read a chunk that an earlier run has left."""
        found = None if self.manifest is None else self.manifest.load(index)
        if found is None:
            raise TrialtwinError(
                f"chunk {index}: its file was changed or removed while this ran; run again"
            )
        return found

    def keep(self, task: Task, outcome: Result | Encoded) -> Result:
        if not isinstance(outcome, Encoded):
            return outcome
        assert self.manifest is not None
        return self.manifest.store(task.index, outcome)

    def close(self, taken: bool) -> None:
        """Let go of the folder; with every result taken, passing chunks go."""
        if taken and self.work.passing and self.manifest is not None:
            self.manifest.forget()
        self._stack.close()


@final
class _Stream:
    """Chunks in flight, results that wait for their turn, and the turn."""

    def __init__(
        self, works: Sequence[Work], execution: str, workers: int, progress: Progress | None
    ) -> None:
        self.works = works
        self.execution = execution
        self.total = sum(work.chunks for work in works)
        self.workers = max(1, min(workers, self.total))
        self.progress = progress
        self.done = 0
        self.current = 0
        self.turn = 0
        self.early: dict[int, Result] = {}
        self.desks: dict[int, _Desk] = {}
        self.desk_of: dict[int, int] = {}

    def results(self) -> Generator[tuple[int, Result], None, None]:
        if not self.total:
            self.tell()
        backend = import_module(BACKENDS[self.execution])
        try:
            # Closed at once when a chunk fails, so that no worker outlives the call.
            with closing(backend.run(self.tasks(), self.workers, self.room)) as outcomes:
                for number, work in enumerate(self.works):
                    self.current, desk = number, self.desk(number)
                    for index in range(work.chunks):
                        yield number, self.result(desk, index, outcomes)
                    self.desks.pop(number).close(taken=True)
        finally:
            for desk in self.desks.values():
                desk.close(taken=False)

    def result(self, desk: _Desk, index: int, outcomes: Iterator[tuple[Task, Any]]) -> Result:
        """The result whose turn it is."""
        place, self.turn = self.turn, self.turn + 1
        if index in desk.held:
            return desk.load(index)
        while place not in self.early:
            task, outcome = next(outcomes)
            owner = self.desk(self.desk_of.pop(task.place))
            self.early[task.place] = owner.keep(task, _accept(task, outcome))
            self.done += 1
            self.tell()
        return self.early.pop(place)

    def desk(self, number: int) -> _Desk:
        """Open a work, if it is not open yet."""
        if number not in self.desks:
            self.desks[number] = desk = _Desk(self.works[number])
            self.done += len(desk.held)
            self.tell()
        return self.desks[number]

    def tasks(self) -> Iterator[Task]:
        """Every task that no earlier run has done."""
        place = 0
        for number, work in enumerate(self.works):
            if number >= self.current:  # else all of it was held, and its desk is closed
                for task in work.tasks(place):
                    desk = self.desk(number)
                    if task.index not in desk.held:
                        self.desk_of[task.place] = number
                        yield replace(task, encoded=desk.manifest is not None)
            place += work.chunks

    def room(self, task: Task) -> bool:
        """Whether a task's turn is near enough for it to begin."""
        return task.place < self.turn + AHEAD_PER_WORKER * self.workers

    def tell(self) -> None:
        if self.progress is not None:
            share = self.done / self.total if self.total else 1.0
            self.progress(f"{self.done} of {self.total} chunks", share)


def _accept(task: Task, outcome: Any) -> Result | Encoded:
    if isinstance(outcome, Failure):
        if outcome.faults:
            refused = outcome.kind == RefusedError.__name__
            raise (RefusedError if refused else InputError)(outcome.faults)
        raise TrialtwinError(f"{task}: {outcome.kind}: {outcome.place}")
    result: Result | Encoded = outcome
    return result
