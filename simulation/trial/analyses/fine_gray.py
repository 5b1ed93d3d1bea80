"""Fine and Gray's model of the subdistribution hazard, or Gray's test."""

from typing import ClassVar, Literal, final

import numpy as np

from simulation.analysis.competing import fine_gray_batch, gray_batch
from simulation.trial.analyses.base import Analysis, Fit, LookData, causes_of, survival_data
from simulation.trial.outcomes.base import Booleans


@final
class FineGray(Analysis):
    """Log subdistribution hazard ratio of the arm, given covariates.

    Unlike a cause-specific hazard ratio it says which arm has more events of the cause. z is
    Wald's or, without covariates, that of Gray's test; where no finite maximum exists there is no
    estimate, and z is Gray's. Information is counted in events of the cause.
    """

    uses: ClassVar[tuple[str, ...]] = ("covariates",)
    competing: ClassVar[bool] = True
    takes: ClassVar[tuple[str, ...]] = ("time_to_event",)
    ratio: ClassVar[bool] = True
    kind: Literal["fine_gray"] = "fine_gray"
    covariates: tuple[str, ...] = ()
    test: Literal["wald", "gray"] = "wald"

    @property
    def summary(self) -> str:
        """For the estimand."""
        return f"{'conditional' if self.covariates else 'marginal'} subdistribution hazard ratio"

    def fit(self, data: LookData, treated: int, control: int, among: Booleans | None = None) -> Fit:
        """Compare two arms in every replicate."""
        time, _, included, arm = survival_data(data, treated, control, among)
        cause = causes_of(data.observed)
        columns = np.stack([arm, *data.covariates], axis=2).astype(np.float64)
        found = fine_gray_batch(time, cause, columns, included=included)
        spread = found.covariance[:, 0, 0]
        sound = found.converged & (spread > 0) & ~found.aliased[:, 0]
        estimate = np.where(sound, found.coefficients[:, 0], np.nan)
        se = np.where(sound, np.sqrt(np.where(sound, spread, 1.0)), np.inf)
        z = np.where(sound, estimate / se, 0.0)
        others = np.ones(len(z), dtype=bool) if self.test == "gray" else ~sound
        rows = np.flatnonzero(others)
        if rows.size:
            z[rows] = gray_batch(
                time[rows], cause[rows], arm[rows].astype(np.float64), included=included[rows]
            ).z
        return Fit(estimate, se, z, found.events, included.sum(axis=1).astype(float))
