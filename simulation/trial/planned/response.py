"""A response: a change that reaches a threshold at a visit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, final

import numpy as np
from pydantic import Field, model_validator

from extraction.records.errors import nearest
from simulation.trial.outcomes.base import Floats
from simulation.trial.plan import Finite, Name, Plan
from simulation.trial.population.tables import visit_values

if TYPE_CHECKING:
    from extraction.records import Cohort, CohortSchema

SLACK = 1e-9
"""What rounding may take from a change: 12.3 - 10.2 is a change of 2.1."""


@final
class Response(Plan):
    """Whether a measurement has changed by so much, in its unit or in percent."""

    variable: Name = Field(description="measured at visits")
    visit: Name
    change_from: Name = Field(description="visit, or baseline variable")
    at_least: Finite | None = Field(default=None, description="least change of a response")
    at_most: Finite | None = Field(default=None, description="or the greatest, as -4 for a fall")
    percent: bool = Field(default=False, description="of the value changed from; unknown if <= 0")

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give either at_least or at_most")
        return self

    @property
    def words(self) -> str:
        """The variable in words."""
        change = "percent change" if self.percent else "change"
        limit = f"at least {self.at_least:g}" if self.at_least is not None else (
            f"at most {self.at_most:g}"
        )  # fmt: skip
        return f"whether {self.variable} at {self.visit}, {change} from {self.change_from}, is " + (
            limit
        )

    def faults(self, schema: CohortSchema) -> list[str]:
        """Say what the cohort lacks."""
        measured = {v.name for v in schema.longitudinal if v.numeric}
        visits = {v.name for v in schema.visits}
        static = {v.name for v in schema.static if v.numeric}
        wanted = (
            ("variable", self.variable, measured, "number at visits"),
            ("visit", self.visit, visits, "visit"),
            ("change_from", self.change_from, visits | static, "visit or number"),
        )
        faults = [
            f"response.{field}: {name!r} is no {what} of the cohort{nearest(name, known)}"
            for field, name, known, what in wanted
            if name not in known
        ]
        days = {v.name: v.day for v in schema.visits}
        if {self.visit, self.change_from} <= set(days) and (
            days[self.change_from] >= days[self.visit]
        ):
            faults.append("response.change_from: it must come before the visit")
        return faults

    def met(self, cohort: Cohort) -> Floats:
        """1 response, 0 none, NaN unknown (N,)."""
        (value,) = visit_values(cohort, self.variable, [self.visit], None)
        (change,) = visit_values(cohort, self.variable, [self.visit], self.change_from)
        if self.percent:
            base = value - change
            change = np.divide(100 * change, base, out=np.full(base.shape, np.nan), where=base > 0)
        if self.at_least is not None:
            reached = change >= self.at_least - SLACK * max(abs(self.at_least), 1.0)
        else:
            assert self.at_most is not None
            reached = change <= self.at_most + SLACK * max(abs(self.at_most), 1.0)
        return np.where(np.isfinite(change), reached.astype(np.float64), np.nan)
