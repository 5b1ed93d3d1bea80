"""Populations: by formula (`parametric`), twins from a table (`twins`), or each drawn anew."""

from typing import Any

from simulation.trial.population.base import Baseline, Place, Population
from simulation.trial.population.external import WithExternal
from simulation.trial.population.fresh import FreshTwins
from simulation.trial.population.parametric import ParametricPopulation
from simulation.trial.population.twins import TwinPopulation

__all__ = [
    "Baseline",
    "FreshTwins",
    "ParametricPopulation",
    "Place",
    "Population",
    "TwinPopulation",
    "WithExternal",
    "receive",
]


def receive(facts: dict[str, Any], paths: dict[str, str]) -> Population:
    """Rebuild in a worker the population that `Population.send` described."""
    if facts["kind"] == "with_external":
        before = "external "
        theirs = {n.removeprefix(before): p for n, p in paths.items() if n.startswith(before)}
        return WithExternal(receive(facts["own"], paths), receive(facts["external"], theirs))
    if facts["kind"] == "twins":
        return TwinPopulation.receive(facts, paths["population"])
    if facts["kind"] == "fresh":
        return FreshTwins.receive(facts, paths)
    return ParametricPopulation(**facts)
