"""Bayesian response-adaptive randomisation: later patients go where the outcome looks best.

Independent posteriors of all arms, no arm is special: a hypothesis is "this arm is superior to
all others". Definitions of dropping, stopping and of restricted allocation follow the R package
adaptr: Granholm et al. (2022), doi 10.21105/joss.04284. Its posterior draws are replaced by
quadrature (`simulation.analysis.best_arm`).
"""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self, final

import numpy as np
from pydantic import Field, model_validator

from simulation.analysis.best_arm import (
    BetaPosteriors,
    NormalPosteriors,
    Posteriors,
    probabilities_batch,
)
from simulation.trial.outcomes.base import Booleans, Floats
from simulation.trial.plan import Positive
from simulation.trial.rules.base import (
    EFFICACY,
    END,
    FUTILITY,
    ArmSummary,
    Evidence,
    Rule,
    State,
)


@final
class ResponseAdaptiveRule(Rule):
    """Allocate by the probability of being best; drop inferior arms; stop when one is superior.

    At a look arms whose probability of being best is below `inferiority` are dropped, again until
    none is; the arm above `superiority` is superior and the trial stops for efficacy; where all
    arms left are equivalent it stops for futility. Binary outcomes have beta posteriors,
    continuous ones (the last visit) normal posteriors of a flat prior with the arm's own variance.

    The level is not controlled by `alpha`: it is what simulation under no effect shows, and
    `superiority` is calibrated to it. The design's control arm is only what effects and estimates
    refer to.
    """

    decisions: ClassVar[Mapping[str, str]] = {"dropped": "drops {}"}
    kind: Literal["response_adaptive"] = "response_adaptive"
    superiority: float = Field(default=0.99, gt=0.5, lt=1, description="probability of being best")
    inferiority: float | None = Field(
        default=None,
        ge=0,
        lt=0.5,
        description="probability of being best; none: 1 - superiority; 0: none is dropped",
    )
    equivalence: float | None = Field(
        default=None, gt=0.5, lt=1, description="probability that all arms left are equivalent"
    )
    difference: Positive | None = Field(
        default=None, description="within which arms are equivalent, in the outcome's unit"
    )
    minimum: float = Field(default=0.0, ge=0, lt=1, description="allocation of each arm left")
    softening: float = Field(
        default=1.0, ge=0, le=1, description="power of the probabilities; 0: equal allocation"
    )
    prior: tuple[float, float] = Field(
        default=(1.0, 1.0), description="beta shapes of the outcome's probability, 1 or more"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.equivalence is None) != (self.difference is None):
            raise ValueError("equivalence and difference: give both or neither")
        if not all(1 <= shape < np.inf for shape in self.prior):
            raise ValueError("prior: both shapes must be 1 or more, so that densities are bounded")
        return self

    @property
    def adapts(self) -> bool:
        """Later patients' arms depend on earlier data."""
        return True

    @property
    def every_arm(self) -> bool:
        """Every arm may turn out superior."""
        return True

    @property
    def inferior(self) -> float:
        """Probability of being best below which an arm is dropped."""
        return 1 - self.superiority if self.inferiority is None else self.inferiority

    def faults(self, n: int, arms: int, hypotheses: int) -> list[str]:
        """One endpoint, looks by patients, limits that leave room."""
        faults = []
        if hypotheses != arms:
            faults.append(
                f"rule: {hypotheses} hypotheses came for {arms} arms; name one endpoint, no arm"
            )
        if self.looks.by != "patients":
            faults.append("rule.looks: allocation is changed at looks by patients")
        if self.minimum * arms > 1 + 1e-9:
            faults.append(f"rule.minimum: {self.minimum} times {arms} arms is above 1; lower it")
        if self.inferior * arms >= 1:
            faults.append(
                f"rule.inferiority: {self.inferior:.3g} would drop all of {arms} arms; lower it"
            )
        return faults

    def critical(self, alpha: float) -> tuple[float, ...]:
        """NaN: probabilities decide, not Z."""
        return (float("nan"),) * self.looks.count

    def decide(self, evidence: Evidence, state: State, shares: tuple[float, ...]) -> None:
        """Drop, stop, or allocate anew, in the replicates that are running."""
        look, rows = evidence.look, state.running.copy()
        assert evidence.summary is not None
        held = self.posteriors(evidence.summary.rows(rows))
        best, near, active = self.dropped(held, np.asarray(state.weights[rows] > 0))
        superior = best > self.superiority
        state.rejected[rows] |= superior[:, list(evidence.arms)]
        alike = np.zeros(len(best), dtype=bool)
        if self.equivalence is not None:
            alike = (near > self.equivalence) & ~superior.any(axis=1)
        state.weights[rows] = self.allocation(best, active)
        state.keep_dropped(list(evidence.arms))
        for found, reason in ((superior.any(axis=1), EFFICACY), (alike, FUTILITY)):
            which = np.zeros_like(state.running)
            which[rows] = found
            state.stop(which, look, reason)
        if look == self.looks.count - 1:
            state.stop(state.running.copy(), look, END)

    def posteriors(self, seen: ArmSummary) -> Posteriors:
        """Posteriors of all arms, turned so that the lowest is the best."""
        if seen.kind == "binary":
            hits, prior = seen.n * seen.mean, self.prior
            a, b = prior[0] + hits, prior[1] + seen.n - hits
            return BetaPosteriors(b, a) if seen.sign > 0 else BetaPosteriors(a, b)
        # An arm too small to have a variance takes the mean of the others'.
        sound = (seen.n > 1) & (seen.variance > 0)
        pooled = np.where(sound, seen.variance, 0.0).sum(axis=1) / np.maximum(sound.sum(axis=1), 1)
        variance = np.where(sound, seen.variance, np.maximum(pooled, 1e-12)[:, None])
        return NormalPosteriors(
            -seen.sign * seen.mean, np.sqrt(variance / np.maximum(seen.n, 1.0))
        )

    def dropped(self, held: Posteriors, active: Booleans) -> tuple[Floats, Floats, Booleans]:
        """Drop inferior arms.

        Returns
        -------
        Probabilities of being best (R, A) and of equivalence (R,) of who is left, and who is left.
        """
        active = active.copy()
        best, near = probabilities_batch(held, active, self.difference)
        while True:
            inferior = active & (best < self.inferior)
            again = np.asarray(inferior.any(axis=1))
            if not again.any():
                return best, near, active
            active &= ~inferior
            best[again], near[again] = probabilities_batch(
                held.rows(again), active[again], self.difference
            )

    def allocation(self, best: Floats, active: Booleans) -> Floats:
        """Allocation (R, A): softened probabilities, each arm left at least at the minimum.

        Arms below the minimum are set to it and the rest is shared out anew, until none is below.
        """
        softened = np.where(active, np.maximum(best, 1e-300) ** self.softening, 0.0)
        fixed = np.zeros_like(active)
        share = softened / softened.sum(axis=1, keepdims=True)
        for _ in range(active.shape[1]):
            fixed |= active & (share < self.minimum)
            free = np.where(fixed, 0.0, softened)
            rest = 1.0 - self.minimum * fixed.sum(axis=1, keepdims=True)
            total = free.sum(axis=1, keepdims=True)
            share = np.where(fixed, self.minimum, rest * free / np.where(total > 0, total, 1.0))
        return np.asarray(share / share.sum(axis=1, keepdims=True))
