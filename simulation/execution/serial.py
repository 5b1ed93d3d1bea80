"""Chunks one after another in this process."""

from collections.abc import Iterator, Sequence
from typing import Any

from simulation.execution.tasks import Task, carry_out


def run(tasks: Sequence[Task], workers: int) -> Iterator[tuple[Task, Any]]:
    """Each task with its result, in order; `workers` has no meaning here."""
    del workers
    for task in tasks:
        yield task, carry_out(task)
