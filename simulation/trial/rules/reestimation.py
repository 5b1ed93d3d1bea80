"""Designs whose size is set anew at the look before the last.

Sources: inverse normal: Lehmacher and Wassmer (1999), doi 10.1111/j.0006-341X.1999.01286.x;
promising zone: Mehta and Pocock (2011), doi 10.1002/sim.4102; information: Mehta and Tsiatis
(2001), doi 10.1177/009286150103500407.
"""

from functools import cached_property
from typing import Annotated, Literal, final

import numpy as np
from pydantic import Field

from extraction.records.errors import InputError
from simulation.analysis.sequential import Boundary, GroupSequential, OBrienFleming, rate_faults
from simulation.analysis.sequential.combination import stage_weights
from simulation.analysis.sequential.reestimation import (
    PromisingZone,
    promising_zone,
    unblinded_size,
)
from simulation.trial.analyses.base import Fit
from simulation.trial.outcomes.base import Floats
from simulation.trial.plan import Finite, Plan, Positive
from simulation.trial.rules.base import Evidence, Rule, State
from simulation.trial.rules.group_sequential import finish, one_sided, reject

Power = Annotated[float, Field(gt=0.5, lt=1)]


@final
class ByConditionalPower(Plan):
    """So many patients that the conditional power is reached; inverse normal test.

    The effect believed in is that of the plan, by the mean of Z it gives the planned size (such as
    effect / standard deviation * sqrt(n) / 2 for two equal arms), or the one seen.
    """

    kind: Literal["conditional_power"] = "conditional_power"
    power: Power = 0.9
    planned_z: Positive | None = Field(
        default=None, description="mean of Z at the planned size; none: believe what is seen"
    )


@final
class ByPromisingZone(Plan):
    """More patients in the promising zone only; the usual test, no stop for efficacy before."""

    kind: Literal["promising_zone"] = "promising_zone"
    power: Power = 0.9
    lowest: float | None = Field(
        default=None, gt=0, lt=1,
        description="conditional power from which the zone begins; none: the lowest allowed",
    )


@final
class ByVariance(Plan):
    """So many patients that the information is what the planned effect needs; the usual test.

    Only the standard error is looked at, never the effect. It takes the arms apart, unless the
    look is blinded: then the variance is that about a common mean (of ANCOVA without the arm),
    which the effect adds to (Kieser and Friede 2003, doi 10.1002/sim.1585).
    """

    kind: Literal["variance"] = "variance"
    power: Power = 0.9
    effect: Finite = Field(description="planned, in the unit of the analysis's estimate; not 0")
    blinded: bool = Field(default=False, description="the look does not know the arms; for ancova")


SizeRule = Annotated[
    ByConditionalPower | ByPromisingZone | ByVariance, Field(discriminator="kind")
]


@final
class ReestimationRule(Rule):
    """One hypothesis; the final size is set at the look before the last, within limits."""

    kind: Literal["reestimation"] = "reestimation"
    boundary: Boundary = OBrienFleming()
    size: SizeRule = ByConditionalPower()
    minimum: int | None = Field(default=None, ge=1, description="patients in all; none: planned")
    maximum: int = Field(ge=1, le=1_000_000, description="patients in all")

    @property
    def resizes(self) -> bool:
        """Whether the number of patients depends on earlier data."""
        return True

    def largest(self, n: int) -> int:
        """Most patients that a replicate can need."""
        return max(n, self.maximum)

    def faults(self, n: int, arms: int, hypotheses: int) -> list[str]:
        """Looks by patients, two or more, one hypothesis, and limits around the plan."""
        faults = rate_faults(self.looks.rates, "rule.looks: information rates")
        if self.looks.by != "patients" or self.looks.count < 2:
            faults.append("rule.looks: sizes are set at looks by patients, two or more")
        if hypotheses != 1:
            faults.append(f"rule: {hypotheses} hypotheses came; a size is set for one")
        if self.maximum < max(n, self.minimum or 0):
            faults.append(f"rule.maximum: {self.maximum} is below the {n} patients planned")
        if isinstance(self.size, ByVariance) and self.size.effect == 0:
            faults.append("rule.size.effect: 0 came; give the planned effect")
        if isinstance(self.size, ByPromisingZone) and not faults:
            if self.looks.count != 2:
                faults.append("rule.looks: the promising zone has two looks")
            else:
                try:
                    self.zone(n)
                except InputError as error:
                    faults += [f"rule.size: {fault}" for fault in error.faults]
        return faults

    @cached_property
    def _design(self) -> GroupSequential:
        return one_sided(self.boundary, self.looks.rates, self.alpha)

    def zone(self, n: int) -> PromisingZone:
        """Promising zone of a planned size."""
        assert isinstance(self.size, ByPromisingZone)
        return promising_zone(
            self.looks.rates[0], 1.0, self.maximum / n, alpha=self.alpha, power=self.size.power,
            lowest=self.size.lowest,
        )

    def critical(self, alpha: float) -> tuple[float, ...]:
        """Critical values of the combined (or usual) Z."""
        if isinstance(self.size, ByPromisingZone):
            return (float("nan"), *one_sided(OBrienFleming(), (1.0,), alpha).critical)
        return one_sided(self.boundary, self.looks.rates, alpha).critical

    def decide(self, evidence: Evidence, state: State, shares: tuple[float, ...]) -> None:
        """Test, and set the size at the look before the last."""
        look, planned = evidence.look, state.size
        z = self._tested(evidence, state)
        reject((z >= self.critical(self.alpha * shares[0])[look])[:, None], state)
        finish(state, look, last=look == self.looks.count - 1)
        if look == self.looks.count - 2:
            wanted = self._wanted(evidence, z, float(planned.max()))
            at = self.looks.at
            seen = self.looks.rates[-2] * planned.max() if at is None else at[-2]
            low = max(planned.max() if self.minimum is None else self.minimum, seen)
            size = np.ceil(np.clip(np.nan_to_num(wanted, nan=low), low, self.maximum) - 1e-9)
            state.size = np.where(state.running, size, planned).astype(np.int64)

    def _tested(self, evidence: Evidence, state: State) -> Floats:
        """The statistic that is tested, (R,)."""
        if not isinstance(self.size, ByConditionalPower):
            return np.asarray(evidence.z[:, 0])
        weights = stage_weights(self.looks.rates)
        weight = weights[evidence.look]
        total = state.kept.get("combined", np.zeros(len(state.running)))
        state.kept["combined"] = total + weight * evidence.stage_z(state)[:, 0]
        return np.asarray(
            state.kept["combined"] / np.sqrt((weights[: evidence.look + 1] ** 2).sum())
        )

    def _wanted(self, evidence: Evidence, z: Floats, planned: float) -> Floats:
        """Patients in all that the rule asks for, (R,)."""
        share = self.looks.rates[-2]
        if isinstance(self.size, ByPromisingZone):
            return self.zone(int(planned)).size(evidence.z[:, 0]) * planned
        if isinstance(self.size, ByVariance):
            needed = (self._design.drift_for(self.size.power) / self.size.effect) ** 2
            squared = evidence.fits[0].se ** 2
            if self.size.blinded:
                squared = blinded_square(evidence.fits[0])
            return np.asarray(share * planned * needed * squared)
        believed = self.size.planned_z
        seen = evidence.z[:, 0] / np.sqrt(share)
        rest = unblinded_size(
            z,
            seen if believed is None else believed,
            planned=(share, 1 - share),
            critical=self._design.critical[-1],
            power=self.size.power,
            per_patient=1.0,
            limits=(0.0, np.inf),
        )
        return np.asarray((share + rest) * planned)


def blinded_square(fit: Fit) -> Floats:
    """Squared standard error (R,) of a least-squares effect if the variance were the blinded one.

    Without the arm the residual sum of squares grows by estimate^2 / unit, where se^2 = s^2 unit,
    and one degree of freedom comes back.
    """
    df = fit.more["df"]
    return np.asarray((df * fit.se**2 + fit.estimate**2) / (df + 1))
