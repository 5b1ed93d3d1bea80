"""Trials in the computer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from extraction.records import Cohort, InputError

from .models import find_model


def simulate_trial(
    design: Path,
    population: str,
    replicates: int = 10_000,
    seed: int = 0,
    *,
    execution: str = "serial",
    workers: int | None = None,
    folder: Path | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> dict[str, Any]:
    """Operating characteristics of a design.

    Parameters
    ----------
    design
        YAML file of a `TrialDesign`.
    population
        Where patients come from: "normal" (a normal endpoint with standard deviation 1), a model
        (folder or run's name: twins under control) or a cohort's folder (its control patients).
    replicates
        Trials to run.
    execution, workers
        Where chunks run; never changes a result.
    folder
        Keeps finished chunks, so that a killed simulation goes on.

    Returns
    -------
    dict
        Power, type I error and expected size with Monte Carlo standard errors, and a digest.
    """
    from simulation.trial import ParametricPopulation, TrialDesign, simulate

    plan = TrialDesign.read(design)
    source: Any
    if population == "normal":
        source = ParametricPopulation(correlations=dict.fromkeys(plan.covariates, 0.3))
    elif (Path(population) / "cohort.json").is_file():
        source = Cohort.read(population)
    else:
        from generation import load_model

        source = load_model(find_model(population))
    if replicates < 1:
        raise InputError(f"replicates: {replicates} came; it must be at least 1")
    found = simulate(
        plan,
        source,
        replicates,
        seed,
        execution=execution,
        workers=workers,
        folder=folder,
        progress=progress,
    )
    return found.to_dict()
