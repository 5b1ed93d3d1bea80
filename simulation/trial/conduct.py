"""Conduct: repeat a design on patients of a population and sum up."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extraction.records import Cohort, InputError
from simulation.trial.characteristics import OperatingCharacteristics
from simulation.trial.design import TrialDesign
from simulation.trial.design.lacking import population_faults
from simulation.trial.external import population_of
from simulation.trial.pool import Job, conducted
from simulation.trial.population import Population, TwinPopulation, WithExternal

if TYPE_CHECKING:
    from generation.engine import Model


def simulate(
    design: TrialDesign,
    population: "Population | Cohort | Model | None" = None,
    replicates: int = 10_000,
    seed: int = 0,
    execution: str = "serial",
    workers: int | None = None,
    chunk_size: int = 250,
    folder: str | Path | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> OperatingCharacteristics:
    """Operating characteristics of a design, under no effect and under each of its scenarios.

    Draws are keyed by (replicate, patient, decision): all scenarios, and all designs with the same
    seed and population, share their patients.

    Parameters
    ----------
    design
        The trial.
    population
        Where patients come from: a Population, a generative model (2,000 twins under control are
        sampled), a cohort (its control patients), or None for the design's own.
    replicates
        Trials to run; the Monte Carlo standard error of a rejection rate p is
        sqrt(p (1 - p) / replicates).
    seed
        Seed of all draws.
    execution, workers, chunk_size, progress
        As in `simulation.execution.map_chunks`; none of them changes a result.
    folder
        Where finished chunks are kept, so that the same call goes on after any end, and where the
        replicates lie at last as `replicates.parquet` (`simulation.trial.storage`). Memory does not
        grow with the number of replicates, with a folder or without.

    Returns
    -------
    OperatingCharacteristics

    Raises
    ------
    InputError
        If the population lacks what the design asks for, all faults at once, or nobody in it is
        eligible.
    """
    drawn_from = as_population(design, population, seed)
    faults = population_faults(design, drawn_from)
    if replicates < 1:
        faults.append(f"replicates: {replicates} came; it must be at least 1")
    if faults:
        raise InputError(faults)
    with ExitStack() as stack:
        place = Path(folder or stack.enter_context(tempfile.TemporaryDirectory(prefix="trial-")))
        job = Job.of(design, drawn_from, replicates, seed, chunk_size, place)
        if folder is not None:
            job = replace(job, work=replace(job.work, folder=place))
        (found,) = conducted([job], execution, workers, progress)
    return found


def as_population(
    design: TrialDesign, population: "Population | Cohort | Model | None", seed: int
) -> Population:
    """Take a population as it is, or build one of twins from a model or a cohort.

    Raises
    ------
    InputError
        If it is none of the three, or none is given and the design has none by formula; or if
        external controls come from a model or a cohort that is not beside it (`with_external`).
    """
    if population is None:
        population = design.population if isinstance(design.population, Population) else None
    if population is None:
        raise InputError(
            "population: none came, and the design has none by formula; give a population, a "
            "model or a cohort"
        )
    found = opened(design, population, seed)
    if population_of(design, found) is None:
        raise InputError(
            "external_controls.population: it names a model or a cohort that is not opened; give "
            "both populations, by simulation.trial.conduct.with_external"
        )
    return found


def opened(design: TrialDesign, population: "Population | Cohort | Model", seed: int) -> Population:
    """Build a population of twins from a model or a cohort; others stay as they are."""
    if isinstance(population, Population):
        return population
    if isinstance(population, Cohort):
        return TwinPopulation.from_cohort(population, design)
    if hasattr(population, "sample"):
        return TwinPopulation.from_model(population, design, seed=seed)
    raise InputError(
        f"population: a {type(population).__name__} came; give a population, a model or a cohort"
    )


def with_external(
    design: TrialDesign,
    own: "Population | Cohort | Model | None",
    external: "Population | Cohort | Model",
    seed: int = 0,
) -> Population:
    """The trial's population, beside that of external controls from a model or a cohort.

    Parameters
    ----------
    design, own, seed
        As `population` of `simulate`.
    external
        Where external controls come from; of a model or a cohort, those under the control arm.
    """
    mine: Any = design.population if own is None else own
    if mine is None:
        raise InputError("population: none came, and the design has none by formula; give one")
    return WithExternal(opened(design, mine, seed), opened(design, external, seed))
