"""Cumulative incidence of a cause at a horizon, in the presence of others."""

from typing import ClassVar, Literal, final

import numpy as np
from pydantic import Field

from simulation.analysis.competing import incidence_difference_batch
from simulation.trial.analyses.base import Analysis, Fit, LookData, causes_of, survival_data
from simulation.trial.analyses.rmst import information_fit
from simulation.trial.outcomes.base import Booleans
from simulation.trial.plan import Positive


@final
class IncidenceDifference(Analysis):
    """Difference in cumulative incidence (Aalen and Johansen's), treated minus control.

    Information is 1 / variance. A look before both arms were followed to the horizon says nothing.
    """

    uses: ClassVar[tuple[str, ...]] = ()
    competing: ClassVar[bool] = True
    takes: ClassVar[tuple[str, ...]] = ("time_to_event",)
    ratio: ClassVar[bool] = False
    kind: Literal["cumulative_incidence"] = "cumulative_incidence"
    horizon: Positive = Field(description="in the design's unit of time")

    @property
    def summary(self) -> str:
        """For the estimand."""
        return f"difference in cumulative incidence at {self.horizon:g}"

    def fit(self, data: LookData, treated: int, control: int, among: Booleans | None = None) -> Fit:
        """Compare two arms in every replicate."""
        time, _, included, arm = survival_data(data, treated, control, among)
        found = incidence_difference_batch(
            time, causes_of(data.observed), arm.astype(np.float64), self.horizon, included=included
        )
        return information_fit(found, included)
