"""Chunks over Ray: stateless tasks, bounded in flight; actors are in `ray_actors`."""

import os
from collections.abc import Callable, Iterator
from typing import Any

from extraction.records.errors import TrialtwinError
from simulation.execution.tasks import Queue, Task, carry_out, cpus, keep_memory, one_thread

IN_FLIGHT_PER_WORKER = 2
RETRIES = 3
OBJECT_STORE_BYTES = 128 * 1024 * 1024


def start(workers: int) -> None:
    """Start Ray on this machine, or join the cluster named by RAY_ADDRESS; no-op if running."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if ray.is_initialized():
        return
    if os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False)
        return
    ray.init(
        address="local",
        num_cpus=workers,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=OBJECT_STORE_BYTES,
        _temp_dir=_short_folder(),
    )


def _short_folder() -> str:
    """Name Ray's folder; a Unix socket's path may have 107 bytes, so TMPDIR is not followed."""
    return f"/tmp/tt-ray-{os.getuid()}"


def available() -> int:
    """Number of CPUs of the cluster, which is this machine where Ray runs nowhere else."""
    start(cpus())
    import ray

    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return max(1, int(resources.get("CPU", 1)))


def stop() -> None:
    """Stop this process's Ray session, if there is one."""
    import ray

    ray.shutdown()


def work(task: Task) -> Any:
    """Carry out a task in a Ray worker."""
    one_thread()
    keep_memory()
    return carry_out(task)


def run(
    tasks: Iterator[Task], workers: int, room: Callable[[Task], bool]
) -> Iterator[tuple[Task, Any]]:
    """Each task with its result, as they finish; Ray itself retries the chunk of a lost worker.

    Raises
    ------
    TrialtwinError
        If a chunk's worker was lost more often than Ray may retry.
    """
    start(workers)
    import ray

    remote = ray.remote(num_cpus=1, max_retries=RETRIES, retry_exceptions=False)(work)
    waiting = Queue(tasks, room)
    flying: dict[Any, Task] = {}
    try:
        while flying or waiting.left():
            while len(flying) < IN_FLIGHT_PER_WORKER * workers and (task := waiting.first()):
                flying[remote.remote(task)] = task
                waiting.drop()
            done, _ = ray.wait(list(flying), num_returns=1)
            task = flying.pop(done[0])
            try:
                result = ray.get(done[0])
            except ray.exceptions.RayError as error:
                raise TrialtwinError(
                    f"{task}: its worker died {RETRIES + 1} times ({type(error).__name__}); "
                    "look for lack of memory, or run with execution 'serial' to see the fault"
                ) from None
            yield task, result
    finally:
        for reference in flying:
            ray.cancel(reference, force=True)
