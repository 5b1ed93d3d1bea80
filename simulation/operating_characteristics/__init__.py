"""What designs do over many trials: precision, comparisons, grids, assurance, searches, criteria.

All of it rests on `simulation.trial`: designs with the same seed and population share patients, so
that differences between them are paired.
"""

from typing import TYPE_CHECKING

from extraction.lazy import lazy

if TYPE_CHECKING:
    from simulation.operating_characteristics.cost import Cost, estimate_cost
    from simulation.operating_characteristics.precision import Precise, simulate_to_precision

__all__ = ["Cost", "Precise", "estimate_cost", "simulate_to_precision"]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Cost": "cost",
        "Precise": "precision",
        "estimate_cost": "cost",
        "simulate_to_precision": "precision",
    },
)
