"""External controls at a discount that their likeness to own controls sets."""

from typing import Literal, final

from pydantic import Field

from simulation.analysis.external.borrowed_mean import MixtureBatch, normalised_power_batch
from simulation.trial.analyses.borrowing import Borrowing, Mean
from simulation.trial.plan import Positive


@final
class NormalisedPowerPrior(Borrowing):
    """Power prior whose power has a beta prior (Duan, Ye and Smith 2006, doi 10.1002/env.752)."""

    kind: Literal["normalised_power_prior"] = "normalised_power_prior"
    prior: tuple[Positive, Positive] = Field(
        default=(1.0, 1.0), description="beta shapes of the power"
    )

    def posterior(self, own: Mean, outside: Mean) -> MixtureBatch:
        """Law of the control mean, after own and external controls."""
        return normalised_power_batch(
            own.value, own.se, outside.value, outside.se, shape=self.prior
        )
