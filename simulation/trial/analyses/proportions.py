"""Binary outcomes: difference, ratio or odds ratio of two proportions."""

from typing import ClassVar, Literal, final

import numpy as np

from simulation.trial.analyses.base import Analysis, Fit, LookData
from simulation.trial.outcomes.base import Booleans


@final
class Proportions(Analysis):
    """Two proportions among those with an outcome.

    The estimate has Wald's standard error; the test is the score test with the pooled variance
    for the difference (Pearson's chi-squared), and Wald's for logs of ratios.
    """

    takes: ClassVar[tuple[str, ...]] = ("binary",)
    kind: Literal["proportions"] = "proportions"
    measure: Literal["difference", "ratio", "odds_ratio"] = "difference"

    @property
    def ratio(self) -> bool:
        """Whether estimates are logs of ratios."""
        return self.measure != "difference"

    @property
    def stated(self) -> bool:
        """Scenarios state odds ratios; a ratio of risks follows from the risk under control."""
        return self.measure == "odds_ratio"

    @property
    def summary(self) -> str:
        """For the estimand."""
        return {
            "difference": "difference in proportions",
            "ratio": "ratio of proportions",
            "odds_ratio": "marginal odds ratio",
        }[self.measure]

    def fit(self, data: LookData, treated: int, control: int, among: Booleans | None = None) -> Fit:
        """Compare two arms in every replicate."""
        n, total, _ = data.moments(max(treated, control) + 1, among)
        (n1, n0), (x1, x0) = n[:, [treated, control]].T, total[:, [treated, control]].T
        some = (n1 > 0) & (n0 > 0)
        p1, p0 = x1 / np.maximum(n1, 1), x0 / np.maximum(n0, 1)
        pooled = (x1 + x0) / np.maximum(n1 + n0, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.measure == "difference":
                estimate = p1 - p0
                variance = p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0
                z = estimate / np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n0))
            elif self.measure == "ratio":
                estimate = np.log(p1 / p0)
                variance = 1 / x1 - 1 / n1 + 1 / x0 - 1 / n0
                z = estimate / np.sqrt(variance)
            else:
                estimate = np.log(x1 / (n1 - x1) / (x0 / (n0 - x0)))
                variance = 1 / x1 + 1 / (n1 - x1) + 1 / x0 + 1 / (n0 - x0)
                z = estimate / np.sqrt(variance)
        sound = some & np.isfinite(estimate) & (variance > 0) & np.isfinite(variance)
        return Fit(
            estimate=np.where(sound, estimate, np.nan),
            se=np.sqrt(np.where(sound, variance, np.inf)),
            z=np.where(some & np.isfinite(z), z, 0.0),
            information=n1 + n0,
            n=n1 + n0,
        )
