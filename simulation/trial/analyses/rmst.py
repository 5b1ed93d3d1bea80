"""Restricted mean survival time up to a horizon."""

from typing import ClassVar, Literal, final

from pydantic import Field

from simulation.analysis.rmst import DifferenceBatch, restricted_mean_difference_batch
from simulation.trial.analyses.base import Analysis, Fit, LookData, survival_data
from simulation.trial.outcomes.base import Booleans
from simulation.trial.plan import Positive


def information_fit(found: DifferenceBatch, included: Booleans) -> Fit:
    """Fit whose information is 1 / variance."""
    n = included.sum(axis=1).astype(float)
    return Fit(found.estimate, found.se, found.z, 1 / found.se**2, n)


@final
class RestrictedMean(Analysis):
    """Difference in restricted mean survival time, treated minus control.

    Information is 1 / variance. A look before both arms were followed to the horizon says nothing.
    """

    uses: ClassVar[tuple[str, ...]] = ()
    takes: ClassVar[tuple[str, ...]] = ("time_to_event",)
    ratio: ClassVar[bool] = False
    sign: ClassVar[float] = -1.0
    kind: Literal["rmst"] = "rmst"
    horizon: Positive = Field(description="in the design's unit of time")

    @property
    def summary(self) -> str:
        """For the estimand."""
        return f"difference in restricted mean survival time up to {self.horizon:g}"

    def fit(self, data: LookData, treated: int, control: int, among: Booleans | None = None) -> Fit:
        """Compare two arms in every replicate."""
        time, event, included, arm = survival_data(data, treated, control, among)
        found = restricted_mean_difference_batch(time, event, arm, self.horizon, included=included)
        return information_fit(found, included)
