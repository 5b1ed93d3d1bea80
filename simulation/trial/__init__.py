"""Trials in the computer: design, population, replicates, operating characteristics.

One verb a file, in the order of a protocol: `population` (who), `randomise`, `dropout`, `looks`,
`analyse`; `replicate` puts them together, `conduct` repeats and sums up.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulation.trial.characteristics import OperatingCharacteristics
    from simulation.trial.conduct import simulate
    from simulation.trial.design import TrialDesign
    from simulation.trial.population import ParametricPopulation
    from simulation.trial.twin_population import TwinPopulation

__all__ = [
    "OperatingCharacteristics",
    "ParametricPopulation",
    "TrialDesign",
    "TwinPopulation",
    "simulate",
]

_HOMES = {
    "OperatingCharacteristics": "characteristics",
    "ParametricPopulation": "population",
    "TrialDesign": "design",
    "TwinPopulation": "twin_population",
    "simulate": "conduct",
}


def __getattr__(name: str) -> Any:
    """Import a part when one of its names is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'simulation.trial' has no attribute {name!r}")
    return getattr(import_module(f"simulation.trial.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
