"""MaxCombo: the largest of several weighted log-rank tests."""

from typing import ClassVar, Literal, final

from pydantic import Field

from simulation.analysis.maxcombo import MOST, max_combo_batch
from simulation.trial.analyses.base import Analysis, Fit, LookData, survival_data
from simulation.trial.analyses.log_rank import Weighting
from simulation.trial.outcomes.base import Booleans


def _usual() -> tuple[Weighting, ...]:
    pairs = ((0, 0), (0, 1), (1, 1), (1, 0))
    return tuple(Weighting(kind="fleming_harrington", rho=r, gamma=g) for r, g in pairs)


@final
class MaxCombo(Analysis):
    """Largest of weighted log-rank tests, for hazards that may not be proportional.

    z is the normal quantile of the one-sided p-value towards the more extreme side, by the tests'
    joint normal law; a group-sequential rule then treats it like any z, which keeps the level at
    each look but leaves its correlation between looks to that of a score statistic. The estimate
    is the average log hazard ratio by the most extreme test's weight, with that test's standard
    error; information is counted in events. Karrison (2016), doi 10.1177/1536867X1601600312.
    """

    uses: ClassVar[tuple[str, ...]] = ("strata",)
    takes: ClassVar[tuple[str, ...]] = ("time_to_event",)
    ratio: ClassVar[bool] = True
    kind: Literal["max_combo"] = "max_combo"
    tests: tuple[Weighting, ...] = Field(default_factory=_usual, min_length=1, max_length=MOST)

    @property
    def summary(self) -> str:
        """For the estimand."""
        return "weighted average of the hazard ratio, by the most extreme test"

    def fit(self, data: LookData, treated: int, control: int, among: Booleans | None = None) -> Fit:
        """Compare two arms in every replicate."""
        time, event, included, arm = survival_data(data, treated, control, among)
        weights = tuple(test.weight for test in self.tests)
        found = max_combo_batch(time, event, arm, data.strata, weights=weights, included=included)
        n = included.sum(axis=1).astype(float)
        more = {"chosen": found.chosen.astype(float)}
        return Fit(found.log_ratio, found.se, found.z, found.events, n, more)
