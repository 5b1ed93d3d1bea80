"""The single-arm trial against external controls weighted to its patients."""

from typing import Literal, final

import numpy as np

from simulation.analysis.external.weighted import weighted_with
from simulation.trial.analyses.base import Fit, LookData
from simulation.trial.analyses.borrowing import Joined
from simulation.trial.analyses.single_arm import SingleArm, compared
from simulation.trial.outcomes.base import Booleans


@final
class ExternalWeights(SingleArm):
    """Weighted difference of means or proportions, by M-estimation with the weights estimated.

    `entropy` and `att` weigh the controls to the treated, `overlap` both groups to those who
    could be in either (`simulation.analysis.external.weighted`).
    """

    kind: Literal["external_weights"] = "external_weights"
    target: Literal["entropy", "att", "overlap"] = "entropy"

    def misfits(self, n_train: int | None) -> list[str]:
        """Weights need covariates."""
        return [] if self.covariates else [f"{self.kind} weighs by covariates; name some"]

    def effect(self, joined: Joined, data: LookData) -> tuple[Fit, dict[str, Booleans]]:
        """The weighted difference in each replicate; twins' part of the variance is widened."""
        assert data.external is not None
        weights = joined.weights(self.target)
        found = weighted_with(joined.y, joined.inside, joined.x, weights, self.target, joined.count)
        squared = joined.count * found.influence**2
        outside = (squared * (joined.inside == 0)).sum(axis=1)
        wider = np.ones(len(outside))
        if data.external.n_train is not None:
            known = (joined.count * (joined.inside == 0)).sum(axis=1)
            wider = 1 + known / data.external.n_train
        variance = squared.sum(axis=1) + outside * (wider - 1) + self.tau**2
        df = np.full(len(variance), np.inf)
        n = (joined.count * joined.inside).sum(axis=1)
        fit = compared(found.effect, variance, df, n, found.ess[:, 0] / wider)
        return fit, {"weights": ~found.converged}
