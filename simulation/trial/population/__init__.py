"""Populations: by formula (`parametric`), or twins drawn from a table (`twins`)."""

from typing import Any

from simulation.trial.population.base import Baseline, Place, Population
from simulation.trial.population.parametric import ParametricPopulation
from simulation.trial.population.twins import TwinPopulation

__all__ = ["Baseline", "ParametricPopulation", "Place", "Population", "TwinPopulation", "receive"]


def receive(facts: dict[str, Any], paths: dict[str, str]) -> Population:
    """Rebuild in a worker the population that `Population.send` described."""
    if facts["kind"] == "twins":
        return TwinPopulation.receive(facts, paths["population"])
    return ParametricPopulation(**facts)
