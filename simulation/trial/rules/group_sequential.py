"""Fixed and group-sequential designs, with futility, both sides, and graphs of hypotheses."""

from functools import lru_cache
from typing import Literal, final

import numpy as np
from pydantic import Field

from extraction.records.errors import InputError
from simulation.analysis.multiplicity import Graph
from simulation.analysis.sequential import (
    Boundary,
    Futility,
    GroupSequential,
    OBrienFleming,
    SequentialPlan,
    rate_faults,
    solved,
)
from simulation.analysis.sequential.observed import observed_bounds
from simulation.trial.outcomes.base import Booleans, Floats
from simulation.trial.plan import Positive
from simulation.trial.rules.base import EFFICACY, END, Evidence, Rule, State

_NORMAL = OBrienFleming()


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
        return one_sided(_NORMAL, (1.0,), alpha).critical

    def decide(self, evidence: Evidence, state: State, shares: tuple[float, ...]) -> None:
        """Test once."""
        critical = [self.critical(self.alpha * share)[0] for share in shares]
        reject(evidence.z >= np.array(critical), state)
        finish(state, evidence.look, last=True)


@final
class GroupSequentialRule(Rule):
    """Stop at the look at which every hypothesis is rejected; at the last look in any case.

    Each hypothesis has its own boundary at its share of alpha, or at the weight that a graph gives
    it. The trial stops where every hypothesis not yet rejected is at or below its futility bound;
    with two sides, where it is at or below the negative of its critical value. That is futility
    where none is rejected, and success where one is.
    """

    kind: Literal["group_sequential"] = "group_sequential"
    boundary: Boundary = OBrienFleming()
    futility: Futility | None = None
    power: float = Field(
        default=0.9,
        gt=0,
        lt=1,
        description="at the drift that beta spending and conditional power futility refer to",
    )
    sided: Literal[1, 2] = Field(
        default=1, description="2: also stop at the mirrored bound; alpha is that of one side"
    )
    information: Literal["planned", "observed"] = Field(
        default="planned", description="observed: bounds are found anew at what came"
    )
    maximum_information: Positive | None = Field(
        default=None,
        description="planned at the last look, in the analysis's unit (patients, "
        "events, 1 / variance); none: the figure of the last look by patients or events",
    )
    graph: Graph | None = Field(
        default=None, description="weights of the hypotheses, in place of their shares of alpha"
    )

    def faults(self, n: int, arms: int, hypotheses: int) -> list[str]:
        """Bounds must exist, and what is known must suffice for them."""
        faults = rate_faults(self.looks.rates, "rule.looks: information rates")
        if self.graph is not None and len(self.graph.weights) != hypotheses:
            faults.append(
                f"rule.graph: {len(self.graph.weights)} weights came for {hypotheses} hypotheses"
            )
        if self.information == "observed":
            if self.graph is not None:
                faults.append("rule.information: graphs go with planned information")
            if self.maximum(n) is None:
                faults.append(
                    "rule.maximum_information: looks by time need it; give what is "
                    "planned at the last look"
                )
        if not faults:
            try:
                self.design(self.alpha)
            except InputError as error:
                faults += [f"rule: {fault}" for fault in error.faults]
        return faults

    def maximum(self, n: int) -> float | None:
        """Planned information of the last look."""
        if self.maximum_information is not None or self.looks.by == "time":
            return self.maximum_information
        return self.looks.at[-1] if self.looks.at is not None else float(n)

    def design(self, alpha: float) -> GroupSequential:
        """Bounds at a one-sided level."""
        return one_sided(
            self.boundary, self.looks.rates, alpha, self.futility, self.power, self.sided
        )

    def critical(self, alpha: float) -> tuple[float, ...]:
        """Critical values of Z."""
        return self.design(alpha).critical

    def lower(self, alpha: float) -> tuple[float, ...]:
        """Bounds of Z at or below which the trial stops; -infinity where there is none."""
        return tuple(float(z) for z in self.design(alpha).lower)

    def decide(self, evidence: Evidence, state: State, shares: tuple[float, ...]) -> None:
        """Test every hypothesis against its boundary."""
        look, z = evidence.look, evidence.z
        if self.graph is not None:
            self._test_by_graph(z, look, state)
            below = np.array([self.lower(self.alpha)[look]] * z.shape[1])
        else:
            upper, below = self._bounds(evidence, state, shares)
            reject(z >= upper, state)
        last = look == self.looks.count - 1
        if not last:
            over = (state.rejected | (z <= below)).all(axis=1) & ~state.rejected.all(axis=1)
            state.give_up(np.asarray(over), look)
        finish(state, look, last)

    def _bounds(
        self, evidence: Evidence, state: State, shares: tuple[float, ...]
    ) -> tuple[Floats, Floats]:
        """Bounds at this look, (H,) or (R, H)."""
        if self.information == "observed":
            return self._bounds_observed(evidence, state, shares)
        levels = [self.alpha * share for share in shares]
        upper = np.array([self.critical(level)[evidence.look] for level in levels])
        return upper, np.array([self.lower(level)[evidence.look] for level in levels])

    def _bounds_observed(
        self, evidence: Evidence, state: State, shares: tuple[float, ...]
    ) -> tuple[Floats, Floats]:
        look, shape = evidence.look, evidence.z.shape
        now = np.stack([fit.information for fit in evidence.fits], axis=1)
        maximum = self.maximum(int(state.size.max()))
        assert maximum is not None
        rates = np.nan_to_num(now / maximum)
        if look == 0:
            state.kept["rates"] = np.zeros((*shape, self.looks.count))
        before = state.kept["rates"][:, :, look - 1] if look else np.full(shape, 1e-3)
        state.kept["rates"][:, :, look] = np.maximum(rates, before)
        upper, below = np.full(shape, np.inf), np.full(shape, -np.inf)
        rows = state.running
        for h, share in enumerate(shares):
            design = self.design(self.alpha * share)
            found = observed_bounds(design, state.kept["rates"][rows, h, : look + 1])
            upper[rows, h] = found.critical[:, -1]
            lower = -found.critical if self.sided == 2 else found.futility
            below[rows, h] = lower[:, -1]
        return upper, below

    def _test_by_graph(self, z: Floats, look: int, state: State) -> None:
        """Reject what the graph allows, until nothing more is rejected at this look."""
        assert self.graph is not None
        table = np.array(
            [[self._critical_of_weight(weight, look) for weight in row] for row in self.graph.table]
        )
        bits = 1 << np.arange(z.shape[1])
        for _ in range(z.shape[1]):
            crossed = z >= table[state.rejected @ bits]
            if not (crossed & ~state.rejected & state.running[:, None]).any():
                break
            reject(crossed, state)

    def _critical_of_weight(self, weight: float, look: int) -> float:
        return self.critical(self.alpha * weight)[look] if weight > 0 else np.inf


def one_sided(
    boundary: Boundary,
    rates: tuple[float, ...],
    alpha: float,
    futility: Futility | None = None,
    power: float = 0.9,
    sided: Literal[1, 2] = 1,
) -> GroupSequential:
    """Bounds at a one-sided level, solved once a process."""
    return _solved(boundary, rates, round(alpha, 12), futility, max(power, 1.001 * alpha), sided)


@lru_cache(maxsize=512)
def _solved(
    boundary: Boundary,
    rates: tuple[float, ...],
    alpha: float,
    futility: Futility | None,
    power: float,
    sided: Literal[1, 2],
) -> GroupSequential:
    return solved(
        SequentialPlan.parse(
            {
                "boundary": boundary,
                "rates": rates,
                "alpha": alpha * sided,
                "futility": futility,
                "power": power,
                "sided": sided,
            }
        )
    )


def reject(crossed: Booleans, state: State) -> None:
    """Reject hypotheses of replicates that are running."""
    state.rejected |= crossed & state.running[:, None]


def finish(state: State, look: int, last: bool) -> None:
    """Stop where all is rejected; at the last look everywhere."""
    state.stop(np.asarray(state.rejected.all(axis=1)), look, EFFICACY)
    if last:
        state.stop(np.asarray(state.rejected.any(axis=1)), look, EFFICACY)
        state.stop(state.running.copy(), look, END)
