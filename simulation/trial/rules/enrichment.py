"""Adaptive enrichment: at the interim look go on with all patients, with a subgroup, or stop.

Sources: Brannath et al. (2009), doi 10.1002/sim.3559; Wassmer and Brannath (2016), ch. 11, doi
10.1007/978-3-319-32562-0.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from pydantic import Field
from scipy.special import ndtr, ndtri

from simulation.analysis.multiplicity_nested import (
    Intersection,
    highest_nested,
    nested_intersections,
    rejected_nested,
)
from simulation.analysis.sequential import Boundary, OBrienFleming, rate_faults
from simulation.analysis.sequential.combination import stage_weights
from simulation.trial.outcomes.base import Booleans, Floats, Indices
from simulation.trial.plan import Finite, NotNegative, Plan, Positive
from simulation.trial.rules.base import EFFICACY, FUTILITY, Evidence, Rule, State
from simulation.trial.rules.group_sequential import finish, one_sided

_ALL, _SUBGROUP = 0, 1
Pair = tuple[Floats, Floats]


def at_whole(z: float | Floats, rest: Floats, share: Floats) -> Floats:
    """Z of the subgroup at which all patients' z is a given one, at a z of the rest.

    `share` is the subgroup's of the information.
    """
    return np.asarray((z - np.sqrt(1 - share) * rest) / np.sqrt(share))


@final
class Higher(Plan):
    """Go on with the population of the higher z, or stop where neither is promising."""

    kind: Literal["higher"] = "higher"
    margin: NotNegative = Field(default=0.0, description="by which the subgroup must be ahead")
    futility: Finite | None = Field(
        default=None, description="stop where the chosen population's z is below; none: go on"
    )

    def chosen(self, z: Floats, rest: Floats) -> tuple[Booleans, Booleans]:
        """Replicates (R,) that go on with all patients, and with the subgroup alone."""
        ahead = z[:, _SUBGROUP] > z[:, _ALL] + self.margin
        least = -np.inf if self.futility is None else self.futility
        return ~ahead & (z[:, _ALL] >= least), ahead & (z[:, _SUBGROUP] >= least)

    def bounds(self, rest: Floats, share: Floats) -> tuple[Pair, Pair]:
        """Between which z of the subgroup all go on, and it alone; see `EnrichmentRule.bounds`."""
        least = -np.inf if self.futility is None else self.futility
        ahead = (np.sqrt(1 - share) * rest + self.margin) / np.maximum(1 - np.sqrt(share), 1e-12)
        return (at_whole(least, rest, share), ahead), (
            np.maximum(ahead, least), np.full_like(ahead, np.inf)
        )


@final
class Thresholds(Plan):
    """All patients where they and the rest are promising; else the subgroup where it is; else stop.

    The rest are the patients outside the subgroup: a good result of all may be the subgroup's.
    """

    kind: Literal["thresholds"] = "thresholds"
    all: Finite = Field(default=0.0, description="least z of all patients")
    rest: Finite | None = Field(default=None, description="least z of the rest; none: not asked")
    subgroup: Finite = Field(default=0.0, description="least z of the subgroup")

    def chosen(self, z: Floats, rest: Floats) -> tuple[Booleans, Booleans]:
        """Replicates (R,) that go on with all patients, and with the subgroup alone."""
        whole = z[:, _ALL] >= self.all
        if self.rest is not None:
            whole &= rest >= self.rest
        return whole, ~whole & (z[:, _SUBGROUP] >= self.subgroup)

    def bounds(self, rest: Floats, share: Floats) -> tuple[Pair, Pair]:
        """Between which z of the subgroup all go on, and it alone; see `EnrichmentRule.bounds`."""
        enough = at_whole(self.all, rest, share)
        if self.rest is not None:
            enough = np.where(rest >= self.rest, enough, np.inf)
        return (enough, np.full_like(enough, np.inf)), (
            np.full_like(enough, self.subgroup), enough
        )


Selection = Annotated[Higher | Thresholds, Field(discriminator="kind")]


@final
class EnrichmentRule(Rule):
    """Two looks; at the first the population of all later patients is chosen by a stated rule.

    Two hypotheses are tested: in all patients, and in a subgroup. Where the subgroup is chosen
    only its members are recruited from then on. Each set of hypotheses has stage-wise p values,
    which the inverse normal method combines with weights fixed beforehand; closed testing holds
    the familywise level whatever is chosen and why. Looks are by patients, events or time; stages
    are told apart by independent increments, of times to events by those of the log-rank score, so
    the choice may rest on the tested endpoint alone (Magirr et al. 2014, arXiv 1405.1569).

    `test: naive` is invalid: it tests the population that was chosen as if it had been planned. It
    is there to show by simulation what that costs.
    """

    decisions: ClassVar[Mapping[str, str]] = {"narrowed": "goes on with the subgroup alone"}
    kind: Literal["enrichment"] = "enrichment"
    boundary: Boundary = OBrienFleming()
    intersection: Intersection = "dunnett"
    selection: Selection = Thresholds()
    keep_subgroup: bool = Field(
        default=True, description="whether the subgroup is still tested where all go on"
    )
    subgroup_events: Positive | None = Field(
        default=None,
        description="events in the subgroup for which the last look waits where only it goes on; "
        "none: as many events as of all",
    )
    test: Literal["closed", "naive"] = "closed"

    @property
    def narrows(self) -> bool:
        """Later patients may come from the subgroup alone."""
        return True

    def faults(self, n: int, arms: int, hypotheses: int) -> list[str]:
        """Two looks, one treated arm, two hypotheses."""
        faults = rate_faults(self.looks.rates, "rule.looks: information rates")
        if self.looks.count != 2:
            faults.append(f"rule.looks: {self.looks.count} looks came; enrichment has two")
        if self.subgroup_events is not None and self.looks.by != "events":
            faults.append("rule.subgroup_events: it goes with looks by events")
        if arms != 2 or hypotheses != 2:
            faults.append(
                f"rule: {arms} arms and {hypotheses} hypotheses came; enrichment has two arms and "
                "two hypotheses, of all patients and of a subgroup"
            )
        return faults

    def events_due(self, state: State) -> Indices | None:
        """Events (R,) for which the last look waits: of the subgroup where it alone goes on."""
        if self.subgroup_events is None or state.narrowed is None or self.looks.at is None:
            return None
        due = np.where(state.narrowed, self.subgroup_events, self.looks.at[-1])
        return np.ceil(due - 1e-9).astype(np.int64)

    def critical(self, alpha: float) -> tuple[float, ...]:
        """Critical values of each set's combined statistic."""
        return one_sided(self.boundary, self.looks.rates, alpha).critical

    def bounds(self, narrowed: bool, rest: Floats, share: Floats) -> Pair:
        """Between which z of the subgroup a trial goes on from the first look, and with whom.

        Parameters
        ----------
        narrowed
            With the subgroup alone; else with all.
        rest
            z of the rest at the first look, (R, K).
        share
            The subgroup's of the information at that look, (R, 1).

        Returns
        -------
        Lower and upper bounds (R, K); nothing lies between where the upper is not higher.
        """
        low, high = self.selection.bounds(rest, share)[narrowed]
        return low, np.minimum(high, self._until_stop(narrowed, rest, share))

    def _until_stop(self, narrowed: bool, rest: Floats, share: Floats) -> Floats:
        """Z of the subgroup (R, K) from which the first look stops a trial for efficacy."""
        bound = self.critical(self.alpha)[0]
        whole = at_whole(bound, rest, share)
        if self.test == "naive":
            return np.full_like(whole, bound) if narrowed else whole
        both = highest_nested(float(ndtr(-bound)), np.sqrt(share), self.intersection)
        either = np.minimum(both, at_whole(both, rest, share))
        if self.intersection == "simes":
            either = np.minimum(either, np.maximum(whole, bound))
        of_all = np.maximum(whole, either)
        # The subgroup goes on alone only where its own hypothesis has not been rejected either.
        return np.minimum(of_all, np.maximum(bound, either)) if narrowed else of_all

    def decide(self, evidence: Evidence, state: State, shares: tuple[float, ...]) -> None:
        """Test; at the first look choose the population."""
        if evidence.look == 0:
            state.kept["active"] = np.ones((len(state.running), 2))
            state.kept["sets"] = np.zeros((len(state.running), 3))
            state.kept["rejected sets"] = np.zeros((len(state.running), 3))
        chosen = self._chosen(evidence) if evidence.look == 0 else None
        if self.test == "naive":
            self._test_naively(evidence, state, chosen)
        else:
            self._test_closed(evidence, state)
        won = state.rejected[:, _ALL] | (state.rejected | (state.kept["active"] == 0)).all(axis=1)
        state.stop(np.asarray(won), evidence.look, EFFICACY)
        if chosen is not None:
            self._go_on(state, *chosen)
        finish(state, evidence.look, last=evidence.look == self.looks.count - 1)

    def _chosen(self, evidence: Evidence) -> tuple[Booleans, Booleans]:
        """Who goes on with all patients, and with the subgroup."""
        z, information = np.nan_to_num(evidence.z), evidence.weight
        score = z * np.sqrt(information)
        rest = information[:, _ALL] - information[:, _SUBGROUP]
        beyond = (score[:, _ALL] - score[:, _SUBGROUP]) / np.sqrt(np.where(rest > 0, rest, 1.0))
        return self.selection.chosen(z, np.where(rest > 0, beyond, 0.0))

    def _test_closed(self, evidence: Evidence, state: State) -> None:
        """Combine the stages of each set, and reject what every set agrees on."""
        active = np.asarray(state.kept["active"] > 0)
        before = state.kept.get("information", np.zeros_like(evidence.z))
        z = evidence.stage_z(state)
        step = np.maximum(state.kept["information"] - before, 0.0)
        share = step[:, _SUBGROUP] / np.where(step[:, _ALL] > 0, step[:, _ALL], 1.0)
        p = nested_intersections(z, active, np.sqrt(np.minimum(share, 1.0)), self.intersection)
        weights = stage_weights(self.looks.rates)
        weight, used = weights[evidence.look], weights[: evidence.look + 1]
        state.kept["sets"] = state.kept["sets"] - weight * ndtri(np.clip(p, 1e-300, 1.0))
        bound = self.critical(self.alpha)[evidence.look] * np.sqrt((used**2).sum())
        done = (state.kept["rejected sets"] > 0) | (state.kept["sets"] >= bound)
        state.kept["rejected sets"] = done.astype(np.float64)
        state.rejected |= rejected_nested(done) & active & state.running[:, None]

    def _test_naively(
        self, evidence: Evidence, state: State, chosen: tuple[Booleans, Booleans] | None
    ) -> None:
        """Test the population that is chosen as if nothing had been."""
        if chosen is not None:
            state.kept["active"] = np.column_stack(chosen).astype(np.float64)
        crossed = evidence.z >= self.critical(self.alpha)[evidence.look]
        state.rejected |= crossed & (state.kept["active"] > 0) & state.running[:, None]

    def _go_on(self, state: State, whole: Booleans, subgroup: Booleans) -> None:
        """Keep the hypotheses of the chosen population; stop where neither is chosen."""
        further = subgroup & ~state.rejected[:, _SUBGROUP]
        stops = ~whole & ~further
        state.stop(np.asarray(stops & state.rejected.any(axis=1)), 0, EFFICACY)
        state.stop(np.asarray(stops), 0, FUTILITY)
        both = whole & (self.test == "closed") & self.keep_subgroup
        state.kept["active"] = np.column_stack([whole, further | both]).astype(np.float64)
        state.narrowed = np.asarray(further & state.running)
