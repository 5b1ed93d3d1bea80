"""Conduct: repeat a design on patients of a population and sum up."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extraction.records import Cohort, InputError
from simulation.execution.mapping import map_chunks
from simulation.execution.results import concatenate
from simulation.trial.characteristics import OperatingCharacteristics, summarise
from simulation.trial.design import TrialDesign
from simulation.trial.population import Population
from simulation.trial.twin_population import TwinPopulation

if TYPE_CHECKING:
    from generation.engine import Model

FUNCTION = "simulation.trial.replicate:replicate"


def simulate(
    design: TrialDesign,
    population: "Population | Cohort | Model",
    replicates: int,
    seed: int = 0,
    execution: str = "serial",
    workers: int | None = None,
    chunk_size: int = 250,
    folder: str | Path | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> OperatingCharacteristics:
    """Operating characteristics of a design, under no effect and under each assumed effect.

    Draws are keyed by (replicate, patient, decision): all effects, and all designs with the same
    seed and population, share their patients.

    Parameters
    ----------
    design
        The trial.
    population
        Where patients come from: a Population, a generative model (2,000 twins under control are
        sampled) or a cohort (its control patients).
    replicates
        Trials to run; the Monte Carlo standard error of a rejection rate p is
        sqrt(p (1 - p) / replicates).
    seed
        Seed of all draws.
    execution, workers, chunk_size, folder, progress
        As in `simulation.execution.map_chunks`; none of them changes a result.

    Returns
    -------
    OperatingCharacteristics

    Raises
    ------
    InputError
        If the population lacks a covariate or an argument is out of range.
    """
    drawn_from = as_population(design, population, seed)
    faults = drawn_from.covariate_faults(design.covariates)
    if replicates < 1:
        faults.append(f"replicates: {replicates} came; it must be at least 1")
    if faults:
        raise InputError(faults)
    with ExitStack() as stack:
        place = folder or stack.enter_context(tempfile.TemporaryDirectory(prefix="trial-"))
        facts, paths = drawn_from.send(Path(place))
        results = map_chunks(
            FUNCTION,
            _payload(design, facts, seed),
            replicates,
            chunk_size,
            execution,
            workers,
            folder,
            progress,
            paths=paths,
        )
    table = concatenate(results)
    if not isinstance(table, dict):
        raise TypeError("replicates came as a frame; arrays are needed")
    return summarise(design, drawn_from.describe(), seed, table)


def _payload(design: TrialDesign, population: dict[str, Any], seed: int) -> dict[str, Any]:
    return {
        "design": design.model_dump(mode="json"),
        "population": population,
        "seed": seed,
        "critical": list(design.sequential.critical),
    }


def as_population(
    design: TrialDesign, population: "Population | Cohort | Model", seed: int
) -> Population:
    """Take a population as it is, or build one of twins from a model or a cohort.

    Raises
    ------
    InputError
        If it is none of the three.
    """
    if isinstance(population, Population):
        return population
    if isinstance(population, Cohort):
        return TwinPopulation.from_cohort(population, design)
    if hasattr(population, "sample"):
        return TwinPopulation.from_model(population, design, seed=seed)
    raise InputError(
        f"population: a {type(population).__name__} came; give a population, a model or a cohort"
    )
