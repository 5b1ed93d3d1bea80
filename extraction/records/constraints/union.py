"""Every kind of constraint that a schema can declare, told apart by ``kind``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .determined import Grade, Grouping
from .kinds import Combinations, Derived, NoneAfter, Order, Sum, VisitOrder

Constraint = Annotated[
    Order | Sum | Derived | Grade | Grouping | Combinations | VisitOrder | NoneAfter,
    Field(discriminator="kind"),
]
