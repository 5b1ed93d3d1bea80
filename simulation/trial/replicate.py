"""One chunk of replicates: draw, randomise, follow, look, stop."""

from typing import Any

import numpy as np

from generation.randomness import Stream
from simulation.trial.analyse import Fits, analyse
from simulation.trial.design import TrialDesign
from simulation.trial.dropout import completes
from simulation.trial.looks import crossings, stop
from simulation.trial.population import ParametricPopulation, Population
from simulation.trial.randomise import randomise
from simulation.trial.twin_population import TwinPopulation

Arrays = dict[str, np.ndarray[Any, Any]]
STREAM = "simulation.trial"


def replicate(payload: dict[str, Any], start: int, stop_: int) -> Arrays:
    """Run the replicates start to stop_ - 1 of a design.

    Parameters
    ----------
    payload
        design, population, seed, critical (values of z that are used) and paths.

    Returns
    -------
    dict of arrays
        Each (R, effects): stage (0-based look of the stop), rejected, estimate and se at the
        stop, n randomised, completers, information, and full_information (at the last look, had
        the trial gone on).
    """
    design = TrialDesign.parse(payload["design"])
    population = receive(payload["population"], payload.get("paths", {}))
    fits = follow(design, population, Stream(payload["seed"], STREAM), np.arange(start, stop_))
    direction = float(np.sign(design.effect))
    stage, rejected = stop(crossings(fits, payload["critical"], design.effects, direction))
    shifts = np.asarray(design.effects)[None, :]
    return {
        "stage": stage,
        "rejected": rejected,
        "estimate": np.take_along_axis(fits.estimate, stage, axis=1) + shifts,
        "se": np.take_along_axis(fits.se, stage, axis=1),
        "n": np.asarray(design.sizes)[stage],
        "completers": np.take_along_axis(fits.completers, stage, axis=1),
        "information": np.take_along_axis(fits.information, stage, axis=1),
        "full_information": np.repeat(fits.information[:, -1:], len(design.effects), axis=1),
    }


def follow(
    design: TrialDesign,
    population: Population,
    stream: Stream,
    replicates: np.ndarray[Any, np.dtype[np.int64]],
) -> Fits:
    """Draw, randomise and follow the patients of each replicate, and fit every look under 0."""
    patients = np.arange(design.n)
    known_only = design.dropout != "as_learnt"
    drawn = population.draw(stream, replicates, patients, design.covariates, known_only)
    ratio = (design.treated.allocation, design.control.allocation)
    treated = randomise(stream, replicates, design.n, *ratio, design.block_repeats)
    complete = completes(stream, replicates, patients, drawn, design.dropout)
    outcome = drawn.outcome - population.centre
    return analyse(outcome, treated, drawn.covariates, complete, design.sizes)


def receive(facts: dict[str, Any], paths: dict[str, str]) -> Population:
    """Rebuild in a worker the population that `Population.send` described."""
    if facts["kind"] == "twins":
        return TwinPopulation.receive(facts, paths["population"])
    return ParametricPopulation(**{k: v for k, v in facts.items() if k != "kind"})
