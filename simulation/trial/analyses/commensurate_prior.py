"""External controls with a spike and slab prior of how far they are from own ones."""

from typing import Literal, final

import numpy as np
from pydantic import Field

from simulation.analysis.external.borrowed_mean import MixtureBatch, commensurate_batch
from simulation.trial.analyses.borrowing import Borrowing, Mean


@final
class CommensuratePrior(Borrowing):
    """Own and external means are equal, or as far apart as single patients are.

    Hobbs, Sargent and Carlin 2012, doi 10.1214/12-BA722, with a spike and slab.
    """

    kind: Literal["commensurate_prior"] = "commensurate_prior"
    spike: float = Field(default=0.5, gt=0, lt=1, description="prior probability that they agree")

    def posterior(self, own: Mean, outside: Mean) -> MixtureBatch:
        """Law of the control mean, after own and external controls."""
        prior = commensurate_batch(
            outside.value, outside.se, slab_sd=np.sqrt(outside.of_one), spike=self.spike
        )
        return prior.update(own.value, own.se)
