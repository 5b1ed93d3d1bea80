"""Actors of Ray that keep something loaded: begun by the driver, asked by tasks, by name."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from simulation.execution import ray_backend
from simulation.execution.tasks import cpus

RETRIES = 3


def resources(workers: int | None) -> dict[str, float]:
    """What the cluster has, by name ("CPU", "GPU"); starts Ray if it is not running."""
    ray_backend.start(workers or cpus())
    import ray

    held: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return held


def begin(kind: type, count: int, gpus: float, *arguments: Any) -> dict[str, Any]:
    """Start actors, each with a share of a GPU; by the names that tasks of this driver know.

    One that dies is started again, three times at most, and what it was asked is asked again.
    """
    import ray

    remote: Any = ray.remote(kind)
    # A task that waits lends its CPU out; an actor that took one for good would block the tasks.
    options = {
        "num_cpus": 0,
        "num_gpus": gpus,
        "max_restarts": RETRIES,
        "max_task_retries": RETRIES,
    }
    names = [f"resident-{uuid4().hex}" for _ in range(count)]
    return {name: remote.options(name=name, **options).remote(*arguments) for name in names}


def named(names: Sequence[str]) -> list[Any]:
    """Find actors, in a task or in the driver."""
    import ray

    return [ray.get_actor(name) for name in names]


def answer(reference: Any) -> Any:
    """Wait for an actor's answer; an error in it comes as it was raised there."""
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None  # an InputError keeps its faults


def end(actors: Sequence[Any]) -> None:
    """End actors."""
    import ray

    for actor in actors:
        ray.kill(actor)
