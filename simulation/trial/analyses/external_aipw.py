"""The single-arm trial against predictions from external controls, corrected by weights."""

from typing import Literal, final

import numpy as np

from simulation.analysis.external.doubly_robust import aipw_batch
from simulation.trial.analyses.base import Fit, LookData
from simulation.trial.analyses.borrowing import Joined
from simulation.trial.analyses.single_arm import SingleArm, compared
from simulation.trial.outcomes.base import Booleans


@final
class ExternalAipw(SingleArm):
    """Augmented inverse probability weighting for the treated, cross-fitted in five folds.

    Mean over the treated of Y - m0(X), less the odds-weighted mean over external controls of their
    out-of-fold Y - m0(X), with both terms in the variance (`external.doubly_robust`).
    """

    kind: Literal["external_aipw"] = "external_aipw"

    def misfits(self, n_train: int | None) -> list[str]:
        """It needs covariates, and real controls."""
        faults = [] if self.covariates else [f"{self.kind} predicts by covariates; name some"]
        if n_train is not None:
            faults.append(
                f"{self.kind} counts external controls as patients, and twins are none; choose "
                "external_difference or external_weights"
            )
        return faults

    def effect(self, joined: Joined, data: LookData) -> tuple[Fit, dict[str, Booleans]]:
        """The corrected difference in each replicate."""
        assert data.external is not None
        found = aipw_batch(
            joined.y, joined.inside, joined.x, "att", tau2=self.tau**2, included=joined.count,
            family="binomial" if data.external.kind == "binary" else "gaussian",
        )  # fmt: skip
        variance = np.where(np.isfinite(found.se), found.se**2, np.inf)
        n = (joined.count * joined.inside).sum(axis=1)
        return compared(found.effect, variance, found.df, n, found.ess), {
            "weights": ~found.converged
        }
