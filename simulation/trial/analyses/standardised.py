"""Marginal effect on a binary outcome, adjusted for covariates by g-computation."""

from typing import ClassVar, Literal, final

import numpy as np

from simulation.analysis.standardised import standardised_batch
from simulation.trial.analyses.base import Analysis, Fit, LookData
from simulation.trial.outcomes.base import Booleans


@final
class Standardised(Analysis):
    """Difference, ratio or odds ratio of mean risks standardised over all patients of both arms.

    Logistic regression with the design's covariates, robust variance, Wald's test. Information is
    1 / variance.
    """

    takes: ClassVar[tuple[str, ...]] = ("binary",)
    kind: Literal["standardised"] = "standardised"
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
        named = {"difference": "difference in", "ratio": "ratio of", "odds_ratio": "odds ratio of"}
        return f"marginal {named[self.measure]} standardised proportions"

    def fit(self, data: LookData, treated: int, control: int, among: Booleans | None = None) -> Fit:
        """Compare two arms in every replicate."""
        there, arm = data.pair(treated, control, among)
        assert data.observed.values is not None
        columns = np.moveaxis(data.covariates, 0, -1)
        found = standardised_batch(
            data.observed.values[-1], arm, columns, included=there, measure=self.measure
        )
        return Fit(found.estimate, found.se, found.z, 1 / found.se**2, found.n)
