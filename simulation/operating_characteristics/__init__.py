"""What designs do over many trials: precision, comparisons, grids, assurance, searches, criteria.

All of it rests on `simulation.trial`: designs with the same seed and population share patients, so
that differences between them are paired.
"""

from typing import TYPE_CHECKING

from extraction.lazy import lazy

if TYPE_CHECKING:
    from simulation.operating_characteristics.assurance import (
        Assurance,
        EffectPrior,
        simulate_assurance,
    )
    from simulation.operating_characteristics.boundaries import Boundaries, compare_boundaries
    from simulation.operating_characteristics.comparison import Comparison, compare
    from simulation.operating_characteristics.cost import Cost, estimate_cost
    from simulation.operating_characteristics.criteria import CriteriaEffect, effect_of_criteria
    from simulation.operating_characteristics.goals import Effort, Goal
    from simulation.operating_characteristics.grid import NullGrid, null_grid, surface, surfaces
    from simulation.operating_characteristics.precision import Precise, simulate_to_precision
    from simulation.operating_characteristics.search import Found, search_design
    from simulation.operating_characteristics.sweeps import Sweep, SweepPlan, sweep

__all__ = [
    "Assurance",
    "Boundaries",
    "Comparison",
    "Cost",
    "CriteriaEffect",
    "EffectPrior",
    "Effort",
    "Found",
    "Goal",
    "NullGrid",
    "Precise",
    "Sweep",
    "SweepPlan",
    "compare",
    "compare_boundaries",
    "effect_of_criteria",
    "estimate_cost",
    "null_grid",
    "search_design",
    "simulate_assurance",
    "simulate_to_precision",
    "surface",
    "surfaces",
    "sweep",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Assurance": "assurance",
        "EffectPrior": "assurance",
        "simulate_assurance": "assurance",
        "Boundaries": "boundaries",
        "compare_boundaries": "boundaries",
        "Comparison": "comparison",
        "Cost": "cost",
        "CriteriaEffect": "criteria",
        "effect_of_criteria": "criteria",
        "Effort": "goals",
        "Found": "search",
        "Goal": "goals",
        "search_design": "search",
        "NullGrid": "grid",
        "Precise": "precision",
        "compare": "comparison",
        "estimate_cost": "cost",
        "null_grid": "grid",
        "simulate_to_precision": "precision",
        "surface": "grid",
        "surfaces": "grid",
        "Sweep": "sweeps",
        "SweepPlan": "sweeps",
        "sweep": "sweeps",
    },
)
