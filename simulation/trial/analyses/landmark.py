"""Survival at a landmark time."""

from typing import ClassVar, Literal, final

from pydantic import Field

from simulation.analysis.rmst import landmark_difference_batch
from simulation.trial.analyses.base import Analysis, Fit, LookData, survival_data
from simulation.trial.analyses.rmst import information_fit
from simulation.trial.outcomes.base import Booleans
from simulation.trial.plan import Positive


@final
class Landmark(Analysis):
    """Difference in Kaplan-Meier survival at a time, treated minus control (Greenwood's variance).

    Information is 1 / variance. A look before both arms were followed to that time says nothing.
    """

    uses: ClassVar[tuple[str, ...]] = ()
    takes: ClassVar[tuple[str, ...]] = ("time_to_event",)
    ratio: ClassVar[bool] = False
    sign: ClassVar[float] = -1.0
    kind: Literal["landmark"] = "landmark"
    at: Positive = Field(description="in the design's unit of time")

    @property
    def summary(self) -> str:
        """For the estimand."""
        return f"difference in survival at {self.at:g}"

    def fit(self, data: LookData, treated: int, control: int, among: Booleans | None = None) -> Fit:
        """Compare two arms in every replicate."""
        time, event, included, arm = survival_data(data, treated, control, among)
        found = landmark_difference_batch(time, event, arm, self.at, included=included)
        return information_fit(found, included)
