"""Sweep: many trials through one pool of workers, each resumable and kept on its own."""

import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from extraction.records import InputError
from simulation.trial.characteristics import OperatingCharacteristics
from simulation.trial.conduct import as_population
from simulation.trial.design import TrialDesign
from simulation.trial.design.lacking import population_faults
from simulation.trial.pool import Job, conducted


def simulate_many(
    trials: Mapping[str, tuple[TrialDesign, Any]],
    replicates: int = 10_000,
    seed: int = 0,
    execution: str = "serial",
    workers: int | None = None,
    chunk_size: int = 250,
    folder: str | Path | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Iterator[tuple[str, OperatingCharacteristics]]:
    """Simulate many trials in one pool of workers.

    A worker that has no chunk of one trial left begins with the next trial's, so none waits at the
    end of a trial. Trials are handed out in order as each is done; whoever takes them decides what
    to keep, and memory does not grow with replicates.

    Parameters
    ----------
    trials
        By name: the design, and its population as in `simulate`.
    replicates, seed, execution, workers, chunk_size, progress
        As in `simulate`, for each trial.
    folder
        Where each trial has a folder of its own, named by its design and the hash of its work. A
        killed sweep goes on, and one to which trials are added does only those.

    Yields
    ------
    Name and operating characteristics, the same as of `simulate` alone.

    Raises
    ------
    InputError
        If trials cannot be simulated: all faults of all trials, before any is run.
    """
    faults = [] if trials else ["trials: none came; give at least one"]
    if replicates < 1:
        faults.append(f"replicates: {replicates} came; it must be at least 1")
    checked = {}
    for name, (design, given) in trials.items():
        try:
            population = as_population(design, given, seed)
        except InputError as error:
            faults += [f"{name}: {fault}" for fault in error.faults]
            continue
        faults += [f"{name}: {fault}" for fault in population_faults(design, population)]
        checked[name] = (design, population)
    if faults:
        raise InputError(faults)
    return _run(checked, replicates, seed, execution, workers, chunk_size, folder, progress)


def _run(
    trials: Mapping[str, tuple[TrialDesign, Any]],
    replicates: int,
    seed: int,
    execution: str,
    workers: int | None,
    chunk_size: int,
    folder: str | Path | None,
    progress: Callable[[str, float], None] | None,
) -> Iterator[tuple[str, OperatingCharacteristics]]:
    with ExitStack() as stack:
        place = Path(folder or stack.enter_context(tempfile.TemporaryDirectory(prefix="trials-")))
        jobs = []
        for design, population in trials.values():
            job = Job.of(design, population, replicates, seed, chunk_size, place / "populations")
            if folder is not None:
                home = place / folder_name(job)
                job = replace(job, work=replace(job.work, folder=home))
            jobs.append(job)
        _check_folders(list(trials), jobs)
        yield from zip(trials, conducted(jobs, execution, workers, progress), strict=True)


def _check_folders(names: list[str], jobs: list[Job]) -> None:
    """Refuse two trials that are one: they would write to one folder."""
    first: dict[Path, str] = {}
    faults = []
    for name, job in zip(names, jobs, strict=True):
        where = job.work.folder
        if where is not None and first.setdefault(where, name) != name:
            faults.append(f"{name}: it is the same trial as {first[where]!r}; leave one out")
    if faults:
        raise InputError(faults)


def folder_name(job: Job) -> str:
    """Name a trial's folder: its design's name, and the hash that tells it from other work."""
    text = re.sub(r"[^A-Za-z0-9.]+", "-", job.design.name).strip("-.")[:60]
    told = json.dumps(job.work.identity, sort_keys=True).encode()
    return f"{text}-{hashlib.sha256(told).hexdigest()[:12]}"
