"""What must hold in every row: order, sums, derived values, combinations, nothing after death.

Constraints are declared in `CohortSchema.constraints`; every engine meets them (computed columns
and what follows a terminal endpoint by construction, the others by drawing again).
"""

from .coherence import computed_in_turn, constraint_faults
from .determined import Grade, Grouping
from .discovery import find_computed, find_determined
from .kinds import (
    ColumnRule,
    Combinations,
    ComputedRule,
    Derived,
    NoneAfter,
    NumberRule,
    Order,
    Rows,
    Rule,
    Sum,
    VisitOrder,
    rows_of,
)
from .report import all_met, violations
from .union import Constraint

__all__ = [
    "ColumnRule",
    "Combinations",
    "ComputedRule",
    "Constraint",
    "Derived",
    "Grade",
    "Grouping",
    "NoneAfter",
    "NumberRule",
    "Order",
    "Rows",
    "Rule",
    "Sum",
    "VisitOrder",
    "all_met",
    "computed_in_turn",
    "constraint_faults",
    "find_computed",
    "find_determined",
    "rows_of",
    "violations",
]
