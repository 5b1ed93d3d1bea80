"""Multi-arm multi-stage designs: treated arms are dropped, closed Dunnett tests keep the level.

Sources: Bretz et al. (2006), doi 10.1002/bimj.200510232; Posch et al. (2005),
doi 10.1002/sim.2389.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from pydantic import Field

from simulation.analysis.multiplicity import MOST, closed_rejections
from simulation.analysis.multiplicity_dunnett import add_stage
from simulation.analysis.sequential import Boundary, OBrienFleming, rate_faults
from simulation.analysis.sequential.combination import stage_weights
from simulation.trial.outcomes.base import Booleans, Floats
from simulation.trial.plan import Finite, NotNegative, Plan
from simulation.trial.rules.base import EFFICACY, Evidence, Rule, State
from simulation.trial.rules.group_sequential import finish, one_sided


@final
class Best(Plan):
    """Go on with the arms of the highest statistics."""

    kind: Literal["best"] = "best"
    number: int = Field(default=1, ge=1, le=MOST)

    def kept(self, z: Floats) -> Booleans:
        """Arms (R, H) that go on; `z` is -infinity for those already dropped."""
        order = np.argsort(-z, axis=1, kind="stable")
        place = np.argsort(order, axis=1, kind="stable")
        return np.asarray((place < self.number) & np.isfinite(z))


@final
class Within(Plan):
    """Go on with the arms whose statistic is within a distance of the highest."""

    kind: Literal["within"] = "within"
    distance: NotNegative

    def kept(self, z: Floats) -> Booleans:
        """Arms (R, H) that go on."""
        return np.asarray((z >= z.max(axis=1, keepdims=True) - self.distance) & np.isfinite(z))


@final
class All(Plan):
    """Go on with all arms that are not futile."""

    kind: Literal["all"] = "all"

    def kept(self, z: Floats) -> Booleans:
        """Arms (R, H) that go on."""
        return np.isfinite(z)


Selection = Annotated[Best | Within | All, Field(discriminator="kind")]


@final
class MultiArmRule(Rule):
    """Treated arms against one control, looked at in stages; whoever is dropped stays dropped.

    Arms whose hypothesis is rejected have shown their effect and get no more patients. Later
    patients go to the arms that are left, by the ratio of the design; a trial stops when none is.
    """

    decisions: ClassVar[Mapping[str, str]] = {"dropped": "drops {}"}
    kind: Literal["multi_arm"] = "multi_arm"
    boundary: Boundary = OBrienFleming()
    selection: Selection = Best()
    futility: tuple[Finite, ...] | None = Field(
        default=None, description="drop arms whose z is at or below, one for each interim look"
    )

    @property
    def adapts(self) -> bool:
        """Later patients' arms depend on earlier data."""
        return True

    def faults(self, n: int, arms: int, hypotheses: int) -> list[str]:
        """One endpoint, each treated arm once, looks by patients."""
        faults = rate_faults(self.looks.rates, "rule.looks: information rates")
        if hypotheses != arms - 1:
            faults.append(
                f"rule: {hypotheses} hypotheses came for {arms - 1} treated arms; test each arm "
                "on one endpoint"
            )
        if hypotheses > MOST:
            faults.append(f"rule: {hypotheses} treated arms came; closed tests take up to {MOST}")
        if self.looks.by != "patients":
            faults.append("rule.looks: arms are dropped at looks by patients")
        if self.futility is not None and len(self.futility) != self.looks.count - 1:
            faults.append("rule.futility: give one bound for each interim look")
        return faults

    def critical(self, alpha: float) -> tuple[float, ...]:
        """Critical values of each intersection's combined statistic."""
        return one_sided(self.boundary, self.looks.rates, alpha).critical

    def decide(self, evidence: Evidence, state: State, shares: tuple[float, ...]) -> None:
        """Test all intersections, then choose the arms that go on."""
        look, arms = evidence.look, list(evidence.arms)
        if look == 0:
            state.kept["ratios"] = state.weights[:, arms] / state.weights[:, [evidence.control]]
            state.kept["sets"] = np.zeros((len(state.running), (1 << len(arms)) - 1))
            state.kept["rejected sets"] = np.zeros_like(state.kept["sets"])
        active = state.weights[:, arms] > 0
        weights = stage_weights(self.looks.rates)
        state.kept["sets"] = add_stage(
            state.kept["sets"], evidence.stage_z(state), active, float(weights[look]),
            state.kept["ratios"][0],
        )
        bound = self.critical(self.alpha)[look] * np.sqrt((weights[: look + 1] ** 2).sum())
        done = (state.kept["rejected sets"] > 0) | (state.kept["sets"] >= bound)
        state.kept["rejected sets"] = done.astype(np.float64)
        state.rejected |= closed_rejections(done) & active & state.running[:, None]
        state.stop(np.asarray((state.rejected | ~active).all(axis=1)), look, EFFICACY)
        last = look == self.looks.count - 1
        if not last:
            self._select(evidence, state, active)
        state.keep_dropped(arms)
        finish(state, look, last)

    def _select(self, evidence: Evidence, state: State, active: Booleans) -> None:
        """Give later patients to the arms that go on."""
        goes = active & ~state.rejected & np.isfinite(evidence.z)
        z = np.where(goes, evidence.z, -np.inf)
        kept = self.selection.kept(z)
        if self.futility is not None:
            kept &= z > self.futility[evidence.look]
        state.give_up(np.asarray(~kept.any(axis=1)), evidence.look)
        arms = list(evidence.arms)
        state.weights[:, arms] = np.where(kept, state.weights[:, arms], 0.0)
