"""Robust meta-analytic-predictive prior from the external controls."""

from typing import Literal, final

import numpy as np
from pydantic import Field

from simulation.analysis.external.borrowed_mean import MixtureBatch, map_batch
from simulation.trial.analyses.borrowing import Borrowing, Mean
from simulation.trial.plan import Positive


@final
class RobustMap(Borrowing):
    """Trials differ by a normal law whose SD has a half-normal prior; a part knows nothing.

    Schmidli et al. 2014, doi 10.1111/biom.12242. The vague part counts as one patient.
    """

    kind: Literal["robust_map"] = "robust_map"
    tau_scale: Positive = Field(
        default=0.25, description="scale of the prior between trials, in SDs of one patient"
    )
    vague_weight: float = Field(
        default=0.2, ge=0, lt=1, description="prior weight of the vague part; 0: plain MAP"
    )

    def posterior(self, own: Mean, outside: Mean) -> MixtureBatch:
        """Law of the control mean, after own and external controls."""
        sd = np.sqrt(outside.of_one)
        prior = map_batch(outside.value[:, None], outside.se[:, None], self.tau_scale * sd)
        if self.vague_weight:
            prior = prior.robust(self.vague_weight, outside.value, sd)
        return prior.update(own.value, own.se)
