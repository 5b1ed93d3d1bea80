"""Chunks over spawned processes of one thread each; a killed worker's chunks are tried again."""

import multiprocessing
import os
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import util
from multiprocessing.connection import wait as wait_for
from typing import Any, final

from extraction.records.errors import TrialtwinError
from simulation.execution.tasks import Failure, Queue, Task, carry_out, keep_memory, one_thread

ATTEMPTS = 4
IN_FLIGHT_PER_WORKER = 2


def prepare_worker() -> None:
    """Set up a fresh worker: one thread, memory kept, and an end with its driver's end."""
    one_thread()
    keep_memory()
    util.Finalize(None, _leave, exitpriority=-1000)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _leave() -> None:
    """End at once: Python would take a quarter of a second to take its modules down."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(0)


def _end_with(sentinel: int) -> None:
    """End with a driver killed outright: it cannot tell its workers, who would wait for ever."""
    wait_for([sentinel])
    os._exit(1)


def run(
    tasks: Iterator[Task], workers: int, room: Callable[[Task], bool]
) -> Iterator[tuple[Task, Any]]:
    """Each task with its result, as they finish; a task is begun when there is room for it.

    When a worker dies the pool is broken and nobody knows whose chunk did it: all chunks in
    flight are tried again one at a time, so that an innocent chunk counts at most one lost try.

    Raises
    ------
    TrialtwinError
        If a chunk has lost its worker four times.
    """
    crew = _Crew(Queue(tasks, room), workers)
    try:
        while crew.busy():
            yield from crew.step()
    finally:
        crew.stop()


def _received(future: Future[Any]) -> Any:
    """Take a chunk's result; what went wrong on its way is a failure of the chunk."""
    error = future.exception()
    return Failure(type(error).__name__, "on the way back") if error else future.result()


@final
class _Crew:
    """A pool, the tasks that wait for it, and the tasks in flight."""

    def __init__(self, waiting: Queue, workers: int) -> None:
        self.workers = workers
        self.waiting = waiting
        self.suspects: deque[Task] = deque()
        self.lost: Counter[int] = Counter()
        self.flying: dict[Future[Any], Task] = {}
        self.pool = self._pool()

    def _pool(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.workers, mp_context=context, initializer=prepare_worker)

    def busy(self) -> bool:
        return bool(self.suspects or self.flying or self.waiting.left())

    def step(self) -> list[tuple[Task, Any]]:
        """Fill the pool, wait for the next chunk and return what is done."""
        try:
            self._fill()
            ended, _ = wait(self.flying, return_when=FIRST_COMPLETED)
            done = [f for f in self.flying if f in ended]  # of several, the first chunk first
            lost = [f for f in done if isinstance(f.exception(), BrokenProcessPool)]
            results = [(self.flying.pop(f), _received(f)) for f in done if f not in lost]
            broken = bool(lost)
        except BrokenProcessPool:
            results, broken = [], True
        if broken:
            self._recover()
        return results

    def _fill(self) -> None:
        if self.suspects:
            if not self.flying:
                self._submit(self.suspects[0])
                self.suspects.popleft()
            return
        while len(self.flying) < IN_FLIGHT_PER_WORKER * self.workers:
            task = self.waiting.first()
            if task is None:
                return
            self._submit(task)
            self.waiting.drop()

    def _submit(self, task: Task) -> None:
        self.flying[self.pool.submit(carry_out, task)] = task

    def _recover(self) -> None:
        """Start a new pool; every chunk that was in flight is a suspect."""
        lost = sorted(self.flying.values(), key=lambda task: task.place)
        self.flying.clear()
        self.stop()
        for task in lost:
            self.lost[task.place] += 1
            if self.lost[task.place] >= ATTEMPTS:
                raise TrialtwinError(
                    f"{task}: its worker died {ATTEMPTS} times; look for lack of memory, or run "
                    "with execution 'serial' to see the fault"
                )
        self.suspects.extend(lost)
        self.pool = self._pool()

    def stop(self) -> None:
        self.pool.shutdown(wait=True, cancel_futures=True)
