"""Notes shared out to processes: notes and plain facts travel, never spaCy's documents.

`nlp.pipe(n_process=2)` sends whole documents. To write one and to read it again takes about as long
as to find its facts, and the reading is done by one process for all.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from .batches import batches, facts_of, zone
from .facts import Fact
from .note import Note

if TYPE_CHECKING:
    from spacy.language import Language

_WAITING = 3  # batches a process, so that none runs dry and memory stays bounded
_Pairs = list[tuple[Note, tuple[Fact, ...]]]


def read_in_processes(
    nlp: Language, notes: Iterable[Note], processes: int
) -> Iterator[tuple[Note, tuple[Fact, ...]]]:
    """Yield every note with its facts, in the order given.

    Parameters
    ----------
    nlp
        Of `load_pipeline`; where the system can fork, its memory is shared.
    notes
        Any number; they are read as they are needed.
    processes
        That read; the calling one only hands out and takes back.
    """
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if "fork" in methods else None)
    pool = ProcessPoolExecutor(processes, context, _Reader.begin, (nlp,))
    waiting = deque[tuple[list[Note], Future[list[tuple[Fact, ...]]]]]()
    try:
        for batch in batches(notes):
            waiting.append((batch, pool.submit(_Reader.read, batch)))
            if len(waiting) > _WAITING * processes:
                yield from _first(waiting)
        while waiting:
            yield from _first(waiting)
    finally:
        pool.shutdown(cancel_futures=True)


def _first(waiting: deque[tuple[list[Note], Future[list[tuple[Fact, ...]]]]]) -> _Pairs:
    batch, future = waiting.popleft()
    return list(zip(batch, future.result(), strict=True))


class _Reader:
    """What a process that reads holds."""

    nlp: Language

    @classmethod
    def begin(cls, nlp: Language) -> None:
        cls.nlp = nlp
        if "torch" in sys.modules:  # a fork has none of the threads that its first would wait for
            sys.modules["torch"].set_num_threads(1)
        parent = multiprocessing.parent_process()
        if parent is not None:
            threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()

    @classmethod
    def read(cls, notes: list[Note]) -> list[tuple[Fact, ...]]:
        with zone(cls.nlp):
            return facts_of(cls.nlp, notes)


def _end_with(sentinel: int) -> None:
    """End with a caller that was killed: it cannot tell its processes, who would wait for ever."""
    wait([sentinel])
    os._exit(1)
