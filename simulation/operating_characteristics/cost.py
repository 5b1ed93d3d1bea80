"""Cost: what a simulation will take, from a short pilot."""

import tracemalloc
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, Unpack, final

from extraction.records.errors import InputError
from simulation.execution.tasks import cpus
from simulation.operating_characteristics.batches import (
    CHUNK,
    Running,
    batches,
    later_replicates,
    number_faults,
)
from simulation.trial.design import TrialDesign

_WARM: Final = 2
"""Replicates that are run first, so that compiling and loading are not counted."""
_REPEATS: Final = 3
"""Times that the pilot is timed; other programs only ever slow it down, so the least counts."""
_ENOUGH: Final = 2.0
"""Seconds after which it is not timed once more: the share of other programs is small then."""


@final
@dataclass(frozen=True)
class Cost:
    """Expected cost of a simulation on this machine.

    Attributes
    ----------
    seconds_per_replicate
        Of one worker, all scenarios together.
    replicates, workers
        What the total is for.
    expected_seconds
        Total; starting the workers and compiling come on top.
    pilot
        Replicates that were timed.
    bytes_per_worker
        Most memory that one chunk takes, on top of the program with its libraries.
    expected_bytes
        Of all workers together. Replicates are written down as they come and add nothing.
    """

    seconds_per_replicate: float
    replicates: int
    workers: int
    expected_seconds: float
    pilot: int
    bytes_per_worker: int
    expected_bytes: int


def estimate_cost(
    design: TrialDesign,
    population: Any = None,
    replicates: int = 10_000,
    seed: int = 0,
    pilot: int = 50,
    **running: Unpack[Running],
) -> Cost:
    """Time a short pilot, the least of a few runs, and say what the whole will take.

    Parameters
    ----------
    design, population, replicates, seed
        As in `simulation.trial.simulate`.
    pilot
        Replicates to time, at most one chunk; fewer than a chunk overstate the cost of small
        trials, whose overhead a whole chunk shares.
    running
        execution, workers, chunk_size as in `simulate`.

    Returns
    -------
    Cost

    Raises
    ------
    InputError
        If a number is below 1, or the population lacks what the design asks for.
    """
    faults = number_faults(replicates=replicates, pilot=pilot)
    if faults:
        raise InputError(faults)
    chunk = running.get("chunk_size", CHUNK)
    timed = min(pilot, chunk, replicates)
    with batches(design, population, seed, running) as held:
        payload = {
            "design": design.model_dump(mode="json", exclude={"population"}),
            "population": held.facts,
            "seed": seed,
            "first": 0,
            "paths": held.paths,
        }
        later_replicates(payload, 0, _WARM)
        each = _seconds(payload, timed) / timed
        peak = _peak(payload, timed) * min(chunk, replicates) // timed
    workers = 1
    if running.get("execution", "serial") != "serial":
        workers = running.get("workers") or cpus()
    whole = each * replicates / workers
    return Cost(each, replicates, workers, whole, timed, peak, peak * workers)


def _seconds(payload: dict[str, Any], replicates: int) -> float:
    """Least time of a few runs of some replicates."""
    least, spent = float("inf"), 0.0
    for _ in range(_REPEATS):
        begun = perf_counter()
        later_replicates(payload, 0, replicates)
        took = perf_counter() - begun
        least, spent = min(least, took), spent + took
        if spent > _ENOUGH:
            break
    return least


def _peak(payload: dict[str, Any], replicates: int) -> int:
    """Most bytes that Python and numpy hold at once while some replicates run."""
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    later_replicates(payload, 0, replicates)
    _, peak = tracemalloc.get_traced_memory()
    if not tracing:
        tracemalloc.stop()
    return max(peak - before, 0)
