"""One chunk of work: what is sent to a worker, and how a worker carries it out.

Only names, numbers and text travel to a worker, never live objects. This module imports nothing
heavy, because every fresh worker loads it before the thread limits are set.
"""

import ctypes
import os
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from json import loads
from typing import Any, final

from extraction.records.errors import InputError

TRUSTED = ("extraction", "generation", "simulation", "serving")
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_... of glibc's malloc.h
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@final
@dataclass(frozen=True)
class Task:
    """A chunk as a worker gets it.

    Attributes
    ----------
    place
        Number of the chunk among all that a pool carries out.
    index
        Number of the chunk in its own work's grid.
    function
        "module:callable" that is called as function(payload, start, stop).
    payload
        Configuration as canonical JSON text.
    start, stop
        Half-open range of items.
    allow
        Further trusted top-level packages.
    encoded
        Whether the result is to be kept in a file, and comes as its bytes too.
    """

    place: int
    index: int
    function: str
    payload: str
    start: int
    stop: int
    allow: tuple[str, ...] = ()
    encoded: bool = False

    def __str__(self) -> str:
        return f"chunk {self.index} (items {self.start} to {self.stop - 1}) of {self.function}"


@final
@dataclass(frozen=True)
class Failure:
    """Why a chunk failed: the kind of fault and the place, never the text of a stray exception.

    An InputError's faults are written to be shown and travel along; the text of any other
    exception may hold a patient's value and stays behind.
    """

    kind: str
    place: str
    faults: tuple[str, ...] = ()


@final
class Queue:
    """Tasks that wait, made one at a time, so that a long grid is never held as a whole.

    Parameters
    ----------
    tasks
        In order of their places.
    room
        Whether a task may begin: results that wait for their turn are held in memory, so no chunk
        runs far ahead of the one whose turn it is.
    """

    def __init__(self, tasks: Iterator[Task], room: Callable[[Task], bool]) -> None:
        self._tasks = tasks
        self._room = room
        self._first: Task | None = None

    def left(self) -> bool:
        """Whether a task waits, with or without room for it."""
        if self._first is None:
            self._first = next(self._tasks, None)
        return self._first is not None

    def first(self) -> Task | None:
        """Return the task to begin next; None if there is none or no room for it."""
        return self._first if self.left() and self._first and self._room(self._first) else None

    def drop(self) -> None:
        """Forget the first task: it has begun."""
        self._first = None


def function_faults(name: str, allow: tuple[str, ...] = ()) -> list[str]:
    """Say what is wrong with a function's name, before anything is imported."""
    module, colon, attribute = name.partition(":")
    trusted = (*TRUSTED, *allow)
    if not colon or not module or not attribute.isidentifier() or attribute.startswith("_"):
        return [f"function: {name!r} is not of the form module:callable; name a public function"]
    if module.split(".")[0] not in trusted:
        return [
            f"function: {module!r} lies outside the trusted packages; allowed are "
            f"{', '.join(trusted)}; move the function there"
        ]
    return []


def resolve(name: str, allow: tuple[str, ...] = ()) -> Callable[[dict[str, Any], int, int], Any]:
    """Find the function of a given name from a trusted package.

    Raises
    ------
    InputError
        If the name is malformed, not trusted or not found.
    """
    faults = function_faults(name, allow)
    if faults:
        raise InputError(faults)
    module, _, attribute = name.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(f"function: {name!r} does not exist; check module and name") from error
    if not callable(found):
        raise InputError(f"function: {name!r} is not callable; name a function")
    return found  # type: ignore[no-any-return]


def carry_out(task: Task) -> Any:
    """Return the result of a chunk, or a Failure that is safe to send, log and show.

    The result is checked here, before it is sent: what cannot be stored may not travel either.
    """
    from simulation.execution.results import Encoded, result_faults

    try:
        result = resolve(task.function, task.allow)(loads(task.payload), task.start, task.stop)
        faults = result_faults(result)
        if faults:
            return Failure("wrong result", "; ".join(faults))
        return Encoded.of(result) if task.encoded else result
    except InputError as error:
        return Failure(type(error).__name__, _place(error), tuple(error.faults))
    except Exception as error:  # noqa: BLE001
        return Failure(type(error).__name__, _place(error))


def _place(error: Exception) -> str:
    """File and line of the innermost frame."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1]
    return f"{os.path.basename(last.filename)}:{last.lineno}"


def one_thread() -> None:
    """Hold this worker's numerical libraries to one thread.

    More threads than cores slow small problems down, and the order of a threaded sum would
    change the last bits.
    """
    for variable in THREAD_VARIABLES:
        os.environ[variable] = "1"
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    threadpool_limits(limits=1)


def keep_memory() -> None:
    """Have the C library keep freed memory for the next chunk, whose arrays are as large.

    Pages that are given back and asked for again cost a quarter of the time of a chunk of 1,000
    trials of 490 patients. Single arrays above 32 MiB come and go as before, and a C library
    without `mallopt` (macOS) is left as it is.
    """
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    if tune is not None:
        tune(_TRIM_THRESHOLD, 256 * 2**20)
        tune(_MMAP_THRESHOLD, 32 * 2**20)


def cpus() -> int:
    """Number of CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS
