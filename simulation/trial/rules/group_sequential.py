"""Fixed and group-sequential designs."""

from functools import lru_cache
from typing import Literal, final

import numpy as np

from simulation.trial.boundaries import Family, group_sequential, rate_faults
from simulation.trial.boundaries import GroupSequential as Plan_
from simulation.trial.rules.base import EFFICACY, END, Evidence, Rule, State


@final
class Fixed(Rule):
    """One look, at the end."""

    kind: Literal["fixed"] = "fixed"

    def faults(self, n: int, arms: int, hypotheses: int) -> list[str]:
        """A fixed design has one look."""
        if self.looks.count == 1:
            return []
        return ["rule.looks: a fixed design has one look; choose kind: group_sequential"]

    def critical(self, alpha: float) -> tuple[float, ...]:
        """The normal quantile."""
        return boundary("obrien_fleming", (1.0,), alpha).critical

    def decide(self, evidence: Evidence, state: State, shares: tuple[float, ...]) -> None:
        """Test once."""
        _cross(self, evidence, state, shares)


@final
class GroupSequentialRule(Rule):
    """Stop at the look at which every hypothesis is rejected; at the last look in any case.

    Each hypothesis has its own boundary at its share of alpha.
    """

    kind: Literal["group_sequential"] = "group_sequential"
    boundary: Family = "obrien_fleming"

    def faults(self, n: int, arms: int, hypotheses: int) -> list[str]:
        """Rates must be far enough apart for the boundary."""
        return rate_faults(self.looks.rates, "rule.looks: information rates")

    def critical(self, alpha: float) -> tuple[float, ...]:
        """Critical values of Z."""
        return boundary(self.boundary, self.looks.rates, alpha).critical

    def decide(self, evidence: Evidence, state: State, shares: tuple[float, ...]) -> None:
        """Test every hypothesis against its boundary."""
        _cross(self, evidence, state, shares)


@lru_cache(maxsize=256)
def boundary(family: Family, rates: tuple[float, ...], alpha: float) -> Plan_:
    """Critical values of a design, computed once a process."""
    return group_sequential(family, rates, alpha)


def _cross(rule: Rule, evidence: Evidence, state: State, shares: tuple[float, ...]) -> None:
    critical = np.array([rule.critical(rule.alpha * share)[evidence.look] for share in shares])
    crossed = evidence.z >= critical
    state.rejected |= crossed & state.running[:, None]
    state.stop(np.asarray(state.rejected.all(axis=1)), evidence.look, EFFICACY)
    if evidence.look == rule.looks.count - 1:
        state.stop(np.asarray(state.rejected.any(axis=1)), evidence.look, EFFICACY)
        state.stop(state.running.copy(), evidence.look, END)
