"""The single-arm trial against external controls as they are: twins, or patients."""

from typing import ClassVar, Literal, final

import numpy as np

from simulation.analysis.continuous import welch_df
from simulation.trial.analyses.base import Fit, LookData
from simulation.trial.analyses.borrowing import Joined
from simulation.trial.analyses.single_arm import SingleArm, compared
from simulation.trial.outcomes.base import Booleans, Floats


@final
class ExternalDifference(SingleArm):
    """Difference of means or proportions; each group has a variance of its own.

    Its power is that of `simulation.analysis.planning.SingleArmPlan`: the controls' variance is
    s0^2 (1 / n_train + 1 / n) + tau^2 where they are twins, s0^2 / n + tau^2 where they are
    patients; Satterthwaite's degrees of freedom on n_train, or n, of them.
    """

    uses: ClassVar[tuple[str, ...]] = ()
    kind: Literal["external_difference"] = "external_difference"

    def effect(self, joined: Joined, data: LookData) -> tuple[Fit, dict[str, Booleans]]:
        """The difference in each replicate."""
        assert data.external is not None
        mean, spread, n = zip(*(_group(joined, side) for side in (1.0, 0.0)), strict=True)
        binary, trained = data.external.kind == "binary", data.external.n_train
        made = 1 / np.maximum(n[1], 1.0) + (0.0 if trained is None else 1 / trained)
        own, other = spread[0] / np.maximum(n[0], 1.0), spread[1] * made + self.tau**2
        behind = n[1] if trained is None else np.full(n[1].shape, float(trained))
        known = (n[0] >= 2) & (n[1] >= 2) & (own + other > 0)
        df = np.full(known.shape, np.inf)
        if not binary:
            df[known] = welch_df(own[known], n[0][known], other[known], behind[known])
        variance = np.where(known, own + other, np.inf)
        return compared(mean[0] - mean[1], variance, df, n[0], 1 / made), {}


def _group(joined: Joined, side: float) -> tuple[Floats, Floats, Floats]:
    """Mean, variance of one and number of a group, (R,)."""
    count = joined.count * (joined.inside == side)
    n = count.sum(axis=1)
    mean = (count * joined.y).sum(axis=1) / np.maximum(n, 1.0)
    squares = (count * (joined.y - mean[:, None]) ** 2).sum(axis=1)
    return mean, squares / np.maximum(n - 1, 1.0), n
