"""Trials in the computer: design, population, replicates, operating characteristics.

`design` is the protocol as data; `population` says who the patients are, `outcomes` what they
have under an arm. One verb a file, in the order of a protocol: `enrol`, `randomise`, `dropout`,
`looks`; `analyses` compare arms, `rules` decide; `replicate` puts them together, `conduct` repeats
and sums up.
"""

from typing import TYPE_CHECKING

from extraction.lazy import lazy

if TYPE_CHECKING:
    from simulation.trial.characteristics import OperatingCharacteristics
    from simulation.trial.conduct import simulate
    from simulation.trial.design import TrialDesign
    from simulation.trial.population import FreshTwins, ParametricPopulation, TwinPopulation
    from simulation.trial.sweep import simulate_many

__all__ = [
    "FreshTwins",
    "OperatingCharacteristics",
    "ParametricPopulation",
    "TrialDesign",
    "TwinPopulation",
    "simulate",
    "simulate_many",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "FreshTwins": "population",
        "OperatingCharacteristics": "characteristics",
        "ParametricPopulation": "population",
        "TrialDesign": "design",
        "TwinPopulation": "population",
        "simulate": "conduct",
        "simulate_many": "sweep",
    },
)
