"""Chunks one after another in this process."""

from collections.abc import Callable, Iterator
from typing import Any

from simulation.execution.tasks import Task, carry_out, keep_memory


def run(
    tasks: Iterator[Task], workers: int, room: Callable[[Task], bool]
) -> Iterator[tuple[Task, Any]]:
    """Each task with its result, in order; `workers` and `room` have no meaning here."""
    del workers, room
    keep_memory()
    for task in tasks:
        yield task, carry_out(task)
