"""Trials in the computer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extraction.records import Cohort

from .models import find_model

if TYPE_CHECKING:
    from simulation.trial import TrialDesign


def simulate_trial(
    design: Path,
    population: str | None = None,
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
        Where patients come from in place of the design's own: a model (folder or run's name:
        twins under control) or a cohort's folder (its control patients).
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
    from simulation.trial import TrialDesign, simulate

    plan = TrialDesign.read(design)
    found = simulate(
        plan,
        _patients(plan, population, seed),
        replicates,
        seed,
        execution=execution,
        workers=workers,
        folder=folder,
        progress=progress,
    )
    return found.to_dict()


def _patients(plan: TrialDesign, named: str | None, seed: int) -> Any:
    """Open the model or cohort that is named, or that the design names."""
    from simulation.trial import TwinPopulation
    from simulation.trial.design.sources import CohortSource, ModelSource

    source = plan.population
    if named is not None:
        is_cohort = (Path(named) / "cohort.json").is_file()
        source = CohortSource(where=named) if is_cohort else ModelSource(model=named)
    if isinstance(source, CohortSource):
        return Cohort.read(source.where)
    if isinstance(source, ModelSource):
        from generation import load_model

        model = load_model(find_model(source.model))
        return TwinPopulation.from_model(model, plan, source.twins, source.given, seed)
    return None
