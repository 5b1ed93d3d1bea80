"""Cox's proportional hazards model with covariates and strata."""

from typing import ClassVar, Literal, final

import numpy as np

from simulation.analysis.cox import cox_batch
from simulation.analysis.logrank import logrank_batch
from simulation.trial.analyses.base import Analysis, Fit, LookData, survival_data
from simulation.trial.outcomes.base import Booleans


@final
class Cox(Analysis):
    """Log hazard ratio of the arm, given covariates, by Cox's model with Efron's ties.

    z is Wald's; information is counted in events. Covariates that do not vary or that others
    explain are left out, as in R. Where no finite maximum exists (all events in one arm, or a
    covariate that parts events from the rest), estimate and z are those of the log-rank test in the
    same strata. With covariates or strata the hazard ratio is conditional on them.
    """

    takes: ClassVar[tuple[str, ...]] = ("time_to_event",)
    ratio: ClassVar[bool] = True
    kind: Literal["cox"] = "cox"
    covariates: tuple[str, ...] = ()
    ties: Literal["efron", "breslow"] = "efron"
    robust: bool = False

    @property
    def summary(self) -> str:
        """For the estimand."""
        return f"{'conditional' if self.covariates or self.strata else 'marginal'} hazard ratio"

    def fit(self, data: LookData, treated: int, control: int, among: Booleans | None = None) -> Fit:
        """Compare two arms in every replicate."""
        time, event, included, arm = survival_data(data, treated, control, among)
        columns = np.stack([arm, *data.covariates], axis=2)
        found = cox_batch(
            time,
            event,
            columns,
            data.strata,
            ties=self.ties,
            included=included,
            robust=self.robust,
        )
        spread = found.covariance[:, 0, 0]
        sound = found.converged & (spread > 0) & ~found.aliased[:, 0]
        estimate = found.coefficients[:, 0].copy()
        se = np.sqrt(np.where(sound, spread, 1.0))
        z = np.where(sound, estimate / se, 0.0)
        lost = np.flatnonzero(~sound)
        if lost.size:
            plain = logrank_batch(
                time[lost],
                event[lost],
                arm[lost],
                None if data.strata is None else data.strata[lost],
                included=included[lost],
            )
            estimate[lost], se[lost], z[lost] = plain.log_ratio, plain.se, plain.z
        n = included.sum(axis=1).astype(float)
        return Fit(estimate, se, z, found.events, n, {"log_rank": (~sound).astype(float)})
