"""Log-rank tests with the one-step log hazard ratio: plain, stratified, weighted."""

from typing import ClassVar, Literal, Self, final

from pydantic import Field, model_validator

from simulation.analysis.logrank import PLAIN, Weight, logrank_batch, logrank_looks
from simulation.analysis.logrank import LogRank as Tests
from simulation.trial.analyses.base import Analysis, Fit, LookData, survival_data
from simulation.trial.outcomes.base import Booleans, Floats, Followed, Indices
from simulation.trial.plan import NotNegative, Plan, Positive


@final
class Weighting(Plan):
    """How an event weighs by its time; see `simulation.analysis.logrank.Weight`."""

    kind: Literal["fleming_harrington", "gehan", "tarone_ware", "modest"]
    rho: NotNegative = Field(default=0.0, description="Fleming-Harrington: weight of early events")
    gamma: NotNegative = Field(default=0.0, description="Fleming-Harrington: of late events")
    until: Positive | None = Field(default=None, description="modest: time of the largest weight")
    cap: float | None = Field(default=None, ge=1, description="modest: the largest weight allowed")

    @model_validator(mode="after")
    def _figures_of_its_kind(self) -> Self:
        if self.kind != "fleming_harrington" and (self.rho or self.gamma):
            raise ValueError("rho, gamma: go with fleming_harrington only")
        modest = self.until is not None or self.cap is not None
        if modest != (self.kind == "modest"):
            raise ValueError("until or cap: modest needs one, and only modest takes them")
        return self

    @property
    def weight(self) -> Weight:
        """As the analysis takes it."""
        return Weight(
            self.kind, self.rho, self.gamma, self.until or float("inf"), self.cap or float("inf")
        )


@final
class LogRank(Analysis):
    """Log-rank test of two arms, stratified and weighted if asked for.

    The estimate is the one-step log hazard ratio (O - E) / V, with standard error 1 / sqrt(V);
    information is counted in events (Peto et al. 1977, doi 10.1038/bjc.1977.1). It errs away from
    no effect where arms are unequal or the effect is large (`benchmarks.trial_hazard_ratios`): take
    `cox` for the estimate, whose test is the same to first order. A weighted test estimates an
    average over time by its weight.
    """

    uses: ClassVar[tuple[str, ...]] = ("strata",)
    takes: ClassVar[tuple[str, ...]] = ("time_to_event",)
    ratio: ClassVar[bool] = True
    kind: Literal["log_rank"] = "log_rank"
    weighting: Weighting | None = None

    @property
    def summary(self) -> str:
        """For the estimand."""
        average = "" if self.weighting is None else "weighted average of the "
        return f"{average}{'conditional' if self.strata else 'marginal'} hazard ratio"

    def fit(self, data: LookData, treated: int, control: int, among: Booleans | None = None) -> Fit:
        """Compare two arms in every replicate."""
        time, event, included, arm = survival_data(data, treated, control, among)
        weight = PLAIN if self.weighting is None else self.weighting.weight
        found = logrank_batch(time, event, arm, data.strata, weight=weight, included=included)
        return _fit(found, included.sum(axis=1).astype(float))

    def fit_cut(
        self, followed: Followed, arm: Indices, treated: int, control: int
    ) -> Fit | None:
        """Compare two arms in every replicate at a look, by the plain test."""
        if self.weighting is not None or self.strata:
            return None
        held = followed
        return _fit(
            *logrank_looks(
                held.time, held.entry, held.leaves, held.cut, held.randomised, held.longest,
                arm, treated, control,
            )
        )


def _fit(found: Tests, n: Floats) -> Fit:
    return Fit(found.log_ratio, found.se, found.z, found.events, n)
