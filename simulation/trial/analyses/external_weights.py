"""The single-arm trial against external controls weighted to its patients."""

from typing import Literal, final

import numpy as np

from simulation.analysis.external.weighted import weighted_with
from simulation.trial.analyses.base import Fit, LookData
from simulation.trial.analyses.borrowing import Joined
from simulation.trial.analyses.single_arm import SingleArm, compared
from simulation.trial.outcomes.base import Booleans, Floats


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
        """The weighted difference in each replicate.

        Twins add their model's error: their outcome's variance, of which weights by covariates take
        nothing off, by the patients behind them.
        """
        assert data.external is not None
        weights = joined.weights(self.target)
        found = weighted_with(joined.y, joined.inside, joined.x, weights, self.target, joined.count)
        variance = (joined.count * found.influence**2).sum(axis=1) + self.tau**2
        wider = np.ones(len(variance))
        if data.external.n_train is not None:
            twins = joined.count * (joined.inside == 0)
            wider = 1 + twins.sum(axis=1) / data.external.n_train
            one = _variance(joined.y, twins * weights.weights)
            variance = variance + one / data.external.n_train
        df = np.full(len(variance), np.inf)
        n = (joined.count * joined.inside).sum(axis=1)
        fit = compared(found.effect, variance, df, n, found.ess[:, 0] / wider)
        return fit, {"weights": ~found.converged}


def _variance(y: Floats, weights: Floats) -> Floats:
    """Weighted variance of one value, (R,)."""
    share = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
    mean = (share * y).sum(axis=1, keepdims=True)
    return np.asarray((share * (y - mean) ** 2).sum(axis=1))
