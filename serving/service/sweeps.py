"""Sweeps: designs by assumptions, from one YAML file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from extraction.records import InputError

from .trial_options import patients_of, worker_faults

if TYPE_CHECKING:
    from simulation.operating_characteristics.sweeps import Sweep, SweepPlan


def simulate_sweep(
    plan: Path,
    folder: Path | None = None,
    *,
    seed: int | None = None,
    execution: str = "serial",
    workers: int | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> tuple[SweepPlan, Sweep]:
    """Simulate every design of a sweep at every combination of its parameters.

    Parameters
    ----------
    plan
        YAML file of a `SweepPlan`.
    folder
        Keeps finished chunks, then each trial's replicates, and at last `summary.csv`.
    seed
        In place of the file's.
    execution, workers
        Where chunks run; never changes a result.
    progress
        Called as progress(what, fraction).

    Raises
    ------
    InputError
        With every fault of the file and of its designs.
    """
    from simulation.operating_characteristics.sweeps import SweepPlan, sweep
    from simulation.trial import TrialDesign

    faults = worker_faults(execution, workers)
    try:
        asked = SweepPlan.read(plan)
    except InputError as error:
        raise InputError([*faults, *error.faults]) from None
    number = asked.seed if seed is None else seed
    designs: dict[str, TrialDesign] = {}
    for path in asked.designs:
        try:
            design = TrialDesign.read(plan.parent / path)
        except InputError as error:
            faults += error.faults
            continue
        if design.name in designs:
            faults.append(
                f"{path}: another design is called {design.name!r} too; names must differ"
            )
        designs[design.name] = design
    if faults:
        raise InputError(faults)
    people = {
        name: patients_of(design, asked.population, number)[0] for name, design in designs.items()
    }
    return asked, sweep(
        designs,
        people,
        over=asked.over,
        replicates=asked.replicates,
        seed=number,
        folder=folder,
        progress=progress,
        execution=execution,
        workers=workers,
    )
