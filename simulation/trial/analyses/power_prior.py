"""External controls at a fixed discount: the power prior; pooled at power 1."""

from typing import Literal, final

from pydantic import Field

from simulation.analysis.external.borrowed_mean import MixtureBatch, power_prior_batch
from simulation.trial.analyses.borrowing import Borrowing, Mean


@final
class PowerPrior(Borrowing):
    """Each external control counts as a part of a patient.

    Ibrahim and Chen 2000, doi 10.1214/ss/1009212673.
    """

    kind: Literal["power_prior"] = "power_prior"
    power: float = Field(default=0.5, gt=0, le=1, description="part that each counts; 1: pooled")

    def posterior(self, own: Mean, outside: Mean) -> MixtureBatch:
        """Law of the control mean, after own and external controls."""
        prior = power_prior_batch(outside.value, outside.se, self.power)
        return prior.update(own.value, own.se)
