"""Designs whose size is set anew at the look before the last.

Sources: inverse normal: Lehmacher and Wassmer (1999), doi 10.1111/j.0006-341X.1999.01286.x;
promising zone: Mehta and Pocock (2011), doi 10.1002/sim.4102; information: Mehta and Tsiatis
(2001), doi 10.1177/009286150103500407; blinded: Gould and Shih (1992), doi
10.1080/03610929208830947, Kieser and Friede (2003), doi 10.1002/sim.1585.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from pydantic import Field

from extraction.records.errors import InputError
from simulation.analysis.sequential import Boundary, GroupSequential, OBrienFleming, rate_faults
from simulation.analysis.sequential.combination import stage_weights
from simulation.analysis.sequential.reestimation import (
    PromisingZone,
    blinded_size_means,
    blinded_size_rates,
    promising_zone,
    unblinded_size,
)
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

    Only the standard error is looked at, never the effect.
    """

    kind: Literal["variance"] = "variance"
    power: Power = 0.9
    effect: Finite = Field(description="planned, in the unit of the analysis's estimate; not 0")


@final
class Blinded(Plan):
    """So many patients as the planned effect needs at what all patients together show.

    That is the one-sample variance of the values (what covariates explain is in it, so that an
    adjusted analysis gets more than it needs), or of a binary outcome the rate: arms are not told
    apart, and nothing is tested before the end.
    """

    kind: Literal["blinded"] = "blinded"
    power: Power = 0.9
    effect: Finite = Field(description="planned difference of means or rates; not 0")
    adjusted: bool = Field(
        default=False, description="take off what the planned effect adds to the variance of means"
    )


SizeRule = Annotated[
    Blinded | ByConditionalPower | ByPromisingZone | ByVariance, Field(discriminator="kind")
]


@final
class ReestimationRule(Rule):
    """One hypothesis; the final size is set at the look before the last, within limits."""

    decisions: ClassVar[Mapping[str, str]] = {"raised": "raises the size"}
    kind: Literal["reestimation"] = "reestimation"
    boundary: Boundary = OBrienFleming()
    size: SizeRule = ByConditionalPower()
    minimum: int | None = Field(default=None, ge=1, description="patients in all; none: planned")
    maximum: int = Field(ge=1, le=1_000_000, description="patients in all")

    @property
    def resizes(self) -> bool:
        """Whether the number of patients depends on earlier data."""
        return True

    @property
    def remembers(self) -> bool:
        """Whether the first look's estimates are kept."""
        return self.looks.count == 2

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
        if isinstance(self.size, Blinded | ByVariance) and self.size.effect == 0:
            faults.append("rule.size.effect: 0 came; give the planned effect")
        if self.tested_once and self.looks.count != 2:
            faults.append(f"rule.looks: sizes of kind {self.size.kind} have two looks")
        elif isinstance(self.size, ByPromisingZone) and not faults:
            try:
                self.zone(n)
            except InputError as error:
                faults += [f"rule.size: {fault}" for fault in error.faults]
        return faults

    @property
    def tested_once(self) -> bool:
        """Whether only the last look tests."""
        return isinstance(self.size, Blinded | ByPromisingZone)

    @property
    def blinded(self) -> bool:
        """Whether the size rests on all patients together."""
        return isinstance(self.size, Blinded)

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
        if self.tested_once:
            return (float("nan"), *one_sided(OBrienFleming(), (1.0,), alpha).critical)
        return one_sided(self.boundary, self.looks.rates, alpha).critical

    def decide(self, evidence: Evidence, state: State, shares: tuple[float, ...]) -> None:
        """Test, and set the size at the look before the last."""
        look, planned = evidence.look, state.size
        state.kept.setdefault("raised", np.zeros(len(planned)))
        z = self._tested(evidence, state)
        reject((z >= self.critical(self.alpha * shares[0])[look])[:, None], state)
        finish(state, look, last=look == self.looks.count - 1)
        if look == self.looks.count - 2:
            wanted = self._wanted(evidence, state, z)
            at = self.looks.at
            seen = self.looks.rates[-2] * planned.max() if at is None else at[-2]
            low = max(planned.max() if self.minimum is None else self.minimum, seen)
            size = np.ceil(np.clip(np.nan_to_num(wanted, nan=low), low, self.maximum) - 1e-9)
            state.size = np.where(state.running, size, planned).astype(np.int64)
            state.kept["raised"] = (state.size > planned).astype(np.float64)

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

    def _wanted(self, evidence: Evidence, state: State, z: Floats) -> Floats:
        """Patients in all that the rule asks for, (R,)."""
        share, planned = self.looks.rates[-2], float(state.size.max())
        if isinstance(self.size, ByPromisingZone):
            return self.zone(int(planned)).size(evidence.z[:, 0]) * planned
        if isinstance(self.size, Blinded):
            return self._blinded(evidence, state, self.size)
        if isinstance(self.size, ByVariance):
            needed = (self._design.drift_for(self.size.power) / self.size.effect) ** 2
            return np.asarray(share * planned * needed * evidence.fits[0].se ** 2)
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

    def _blinded(self, evidence: Evidence, state: State, size: Blinded) -> Floats:
        """Patients in all for the planned effect, by what all patients together show, (R,)."""
        assert evidence.summary is not None
        mean, variance = evidence.summary.together()
        if evidence.summary.kind == "binary":
            return blinded_size_rates(mean, size.effect, alpha=self.alpha, power=size.power)
        treated, control = state.weights[0, [evidence.arms[0], evidence.control]]
        return blinded_size_means(
            variance, size.effect, alpha=self.alpha, power=size.power,
            allocation=float(treated / (treated + control)), adjusted=size.adjusted,
        )
