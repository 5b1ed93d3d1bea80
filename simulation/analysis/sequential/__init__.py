"""Group-sequential mathematics: boundaries, inference after stopping, adaptive tests.

`families` and `plan` are what a YAML design holds; `design` solves it; `observed` recomputes bounds
at the information that came; `estimates` corrects estimates for stopping; `combination`,
`conditional` and `reestimation` serve designs that change on the way. `quadrature` is the
integration under all of them.
"""

from simulation.analysis.sequential.design import (
    GroupSequential,
    equal_rates,
    group_sequential,
    solved,
)
from simulation.analysis.sequential.families import BOUNDARIES, Boundary, Futility, OBrienFleming
from simulation.analysis.sequential.plan import SequentialPlan, rate_faults

__all__ = [
    "BOUNDARIES",
    "Boundary",
    "Futility",
    "GroupSequential",
    "OBrienFleming",
    "SequentialPlan",
    "equal_rates",
    "group_sequential",
    "rate_faults",
    "solved",
]
