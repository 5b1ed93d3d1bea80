"""Ratio of event rates by regression with covariates."""

from typing import ClassVar, Literal, final

import numpy as np
from pydantic import Field

from simulation.analysis.count import rate_ratio_batch
from simulation.trial.analyses.base import Analysis, Fit, LookData
from simulation.trial.outcomes.base import Booleans


@final
class CountRegression(Analysis):
    """Poisson or negative binomial regression on arm and covariates, log exposure as offset.

    The variance is the sandwich's. Information is 1 / variance.
    """

    takes: ClassVar[tuple[str, ...]] = ("count",)
    ratio: ClassVar[bool] = True
    kind: Literal["count_regression"] = "count_regression"
    law: Literal["poisson", "negative_binomial"] = Field(
        default="negative_binomial", description="law whose likelihood weighs the patients"
    )

    @property
    def summary(self) -> str:
        """For the estimand."""
        return "ratio of event rates"

    def fit(self, data: LookData, treated: int, control: int, among: Booleans | None = None) -> Fit:
        """Compare two arms in every replicate."""
        there, arm = data.pair(treated, control, among)
        values, exposure = data.observed.values, data.observed.exposure
        assert values is not None and exposure is not None
        found = rate_ratio_batch(
            values[-1],
            arm,
            np.moveaxis(data.covariates, 0, -1),
            exposure=np.where(there, exposure, 0.0),
            law=self.law,
            included=there,
        )
        variance = found.robust[:, 1, 1]
        sound = found.converged & (variance > 0)
        se = np.sqrt(np.where(sound, variance, np.inf))
        z = np.divide(found.coefficients[:, 1], se, out=np.zeros(se.shape), where=sound)
        estimate = np.where(sound, found.coefficients[:, 1], np.nan)
        return Fit(estimate, se, z, 1 / se**2, found.n)
