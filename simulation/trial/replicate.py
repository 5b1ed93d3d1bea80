"""One chunk of replicates: enrol, randomise, respond, leave, look, decide."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, final

import numpy as np

from generation.randomness import Stream
from simulation.trial.analyses.base import External, Fit, LookData, no_fit
from simulation.trial.design import Scenario, Tested, TrialDesign
from simulation.trial.enrol import Enrolled
from simulation.trial.external import Outside
from simulation.trial.looks import event_times, look_at, short_of_events
from simulation.trial.narrow import narrow
from simulation.trial.outcomes.base import (
    Booleans,
    Floats,
    Indices,
    Observed,
    Response,
)
from simulation.trial.population import Population, receive
from simulation.trial.present import Drawn, Present, Truth, strata_of
from simulation.trial.randomise import randomise_by_weight
from simulation.trial.rules import Evidence, State
from simulation.trial.view import Arrays, Ended, View

STREAM: Final = "simulation.trial"
_WORTH: Final = 0.6
"""Share of running replicates below which it pays to leave the stopped ones behind."""


def replicate(payload: dict[str, Any], start: int, stop: int) -> Arrays:
    """Run the replicates start to stop - 1 of a design under each of its scenarios.

    Parameters
    ----------
    payload
        design, population, seed and paths.

    Returns
    -------
    dict of arrays
        Each (R, S) over scenarios: stage (0-based look of the stop), reason, n (randomised by
        then), analysed, screened, duration; and (R, S, H) over hypotheses: rejected, estimate, se,
        information; with external controls also refused (the verdict) and external_ess; with
        looks by events short, (R, S); where a time to event is tested events at the stop, (R, S);
        where arms adapt arm_n (R, S, A), patients randomised to each; what the rule decides beside
        stopping (`Rule.decisions`), such as dropped (R, S, H) or raised (R, S); of enrichment
        narrowed, and of that and of re-estimation first_estimate and first_se of the first look.
    """
    design = _parsed(json.dumps(payload["design"]))
    population = receive(payload["population"], payload.get("paths", {}))
    numbers = np.arange(start, stop)
    stream = Stream(payload["seed"], STREAM)
    drawn: dict[str, Drawn] = {}
    outside = Outside.draw(design, population, payload["seed"], numbers)
    runs = []
    for scenario in design.truths:
        enrolment = scenario.enrolment or design.enrolment
        key = enrolment.model_dump_json()
        if key not in drawn:
            drawn[key] = Drawn.draw(design, enrolment, population, stream, numbers)
        runs.append(Chunk(design, population, drawn[key], scenario, outside).run())
    return {name: np.stack([run[name] for run in runs], axis=1) for name in runs[0]}


@lru_cache(maxsize=16)
def _parsed(design: str) -> TrialDesign:
    """Read a design once for all chunks of it."""
    return TrialDesign.parse(json.loads(design))


@final
@dataclass(frozen=True)
class Seen:
    """What a look has seen, for whoever watches; arrays over (R, N), of replicates in work.

    Attributes
    ----------
    look
        0-based.
    enrolled, arm, leaves, cut, counted
        Patients, arms so far, times of leaving, the look's time (R, 1), and who counts.
    responses, observed, fits
        Outcomes as they will be, as the look sees them, and its estimates.
    running
        Replicates (R,) that go on after it.
    """

    look: int
    enrolled: Enrolled
    arm: Indices
    leaves: Floats
    cut: Floats
    counted: Booleans
    responses: dict[str, Response]
    observed: dict[str, Observed]
    fits: tuple[Fit, ...]
    running: Booleans


@final
class Chunk:
    """Some replicates of a design under one scenario."""

    def __init__(
        self,
        design: TrialDesign,
        population: Population,
        drawn: Drawn,
        scenario: Scenario,
        outside: Outside | None = None,
    ) -> None:
        self.design = design
        self.outside = outside
        self.refused: dict[str, Indices] = {}
        self.population = population
        self.drawn = drawn
        self.scenario = scenario
        self.truth = Truth(design, population, scenario)

    def run(self, watch: Callable[[Seen], None] | None = None) -> Arrays:
        """Go through the looks until every replicate has stopped; `watch` is told of each."""
        design, rule = self.design, self.design.rule
        ratio = tuple(arm.allocation for arm in design.arms)
        replicates = len(self.drawn.replicates)
        state = State.fresh(replicates, len(design.tested), ratio, design.n)
        ended = Ended(design, replicates)
        present = Present.begin(self.truth, self.drawn)
        cut = np.zeros((replicates, 1))
        for look in range(rule.looks.count):
            if state.running.mean() < _WORTH:
                on = state.running
                present, cut, state = present.rows(on), cut[on], state.rows(on)
            present = self._changed(present, state, look, cut)
            cut, counted = look_at(
                design, look, present.enrolled, present.events, self._sizes(look, state), cut
            )
            view = View(
                present, cut, counted, self._begun(look, present, cut, counted, state),
                short_of_events(design, look, present.events, self._sizes(look, state), cut),
            )
            # A rule over every arm decides by a summary: only those who stop need estimates.
            fits = () if rule.every_arm and watch is None else self._fits(view)
            if look == 0 and rule.remembers:
                ended.begin(fits)
            before = state.running.copy()
            self._decide(look, view, fits, state)
            stopped = before & ~state.running
            if stopped.any():
                theirs = tuple(fit.rows(stopped) for fit in fits) or self._fits(view.rows(stopped))
                ended.fill(stopped, view, theirs, state, self.drawn.at_once)
            if watch is not None:
                watch(self._seen(look, view, fits, state))
            if not state.running.any():
                break
        return ended.arrays

    def _sizes(self, look: int, state: State) -> Indices | None:
        """Patients or events (R,) that the last look waits for, where earlier data say so."""
        rule = self.design.rule
        if look < rule.looks.count - 1:
            return None
        if rule.looks.by == "events":
            return rule.events_due(state)
        return state.size if rule.adapts or rule.resizes else None

    def _begun(
        self, look: int, present: Present, cut: Floats, counted: Booleans, state: State
    ) -> Booleans:
        looks = self.design.rule.looks
        asked = any(tested.analysis.every_visit for tested in self.design.tested)
        last = look == looks.count - 1
        if not asked or looks.by != "patients" or self.drawn.at_once or last:
            return counted
        could = np.arange(counted.shape[1]) < state.size[:, None]
        return np.asarray(counted | ((present.enrolled.entry < cut) & could))

    def _decide(self, look: int, view: View, fits: tuple[Fit, ...], state: State) -> None:
        design, rule = self.design, self.design.rule
        arms = tuple(tested.arm for tested in design.tested)
        asked = rule.every_arm or rule.blinded
        summary = view.summary(design.tested[0], len(design.arms)) if asked else None
        timed = any(tested.endpoint.kind == "time_to_event" for tested in design.tested)
        evidence = Evidence(look, fits, arms, design.control_number, summary, by_variance=timed)
        rule.decide(evidence, state, tuple(tested.share for tested in design.tested))

    def _changed(self, present: Present, state: State, look: int, cut: Floats) -> Present:
        """Whatever the last look has changed for patients who come after it."""
        if look == 0:
            return present
        if self.design.rule.adapts:
            assert present.again is not None
            kept = self._randomised(present.enrolled, look, cut)
            arm = randomise_by_weight(present.again, state.weights, present.arm, kept)
            return present.with_arms(self.truth, arm)
        if state.narrowed is not None and state.narrowed.any():
            return self._narrowed(present, state.narrowed, look, cut)
        return present

    def _randomised(self, enrolled: Enrolled, look: int, cut: Floats) -> Indices:
        """How many patients (R,) have been randomised by the time of the previous look."""
        if self.design.rule.looks.by != "patients":
            return np.asarray((enrolled.entry < cut).sum(axis=1))
        start = self.design.sizes[look - 1]
        if self.drawn.at_once:
            return np.full(len(cut), start)
        return np.asarray(start + (enrolled.entry[:, start:] < cut).sum(axis=1))

    def _narrowed(self, present: Present, which: Booleans, look: int, cut: Floats) -> Present:
        """Recruit the subgroup alone in some replicates, after the previous look's time."""
        subgroup = next(t.subgroup for t in self.design.tested if t.subgroup is not None)
        enrolment = self.scenario.enrolment or self.design.enrolment
        randomised = self._randomised(present.enrolled, look, cut)
        enrolled, of_all = narrow(
            self.design, enrolment, self.population, present.enrolled, which,
            np.arange(present.arm.shape[1]) < randomised[:, None], subgroup.where,
        )
        replicates = self.drawn.replicates[present.at]
        drawn = Drawn.of(self.design, enrolment, self.population, replicates, enrolled)
        again = Present.begin(self.truth, drawn)
        events = again.events
        if events is not None and getattr(self.design.rule, "subgroup_events", None) is not None:
            inside = self.truth.meets(subgroup.where, enrolled)
            own = event_times(self.design, enrolled, again.responses, again.leaves, inside)
            events = np.where(which[:, None], own, events)
        return replace(again, at=present.at, of_all=of_all, events=events)

    def _seen(self, look: int, view: View, fits: tuple[Fit, ...], state: State) -> Seen:
        held = view.present
        observed = {e.name: view.observed(e) for e in self.design.endpoints}
        return Seen(
            look, held.enrolled, held.arm, held.leaves, view.cut, view.counted, held.responses,
            observed, fits, state.running.copy(),
        )

    def _fits(self, view: View) -> tuple[Fit, ...]:
        seen: dict[str, Observed] = {}
        return tuple(self._fit(tested, view, seen) for tested in self.design.tested)

    def _fit(self, tested: Tested, view: View, seen: dict[str, Observed]) -> Fit:
        """Estimate a hypothesis; `seen` keeps what hypotheses on one endpoint share."""
        arm, control = view.present.arm, self.design.control_number
        if tested.arm == control:
            nobody = np.zeros(len(arm))
            return Fit(**no_fit(len(arm)), information=nobody, n=nobody)
        among = view.present.of_all
        if tested.subgroup is not None:
            among = self.truth.meets(tested.subgroup.where, view.present.enrolled)
        held = view.followed(tested.endpoint, among)
        fit: Fit | None = None
        if held is not None:
            fit = tested.analysis.fit_cut(held, arm, tested.arm, control)
        if fit is None:
            name = tested.endpoint.name
            if name not in seen:
                seen[name] = view.observed(tested.endpoint)
            data = self._data(tested, view.unfinished(tested, seen[name]), view.present)
            fit = tested.analysis.fit(data, tested.arm, control, among)
            if data.external is not None:
                self.refused.setdefault(tested.name, fit.more["refused"].astype(np.int64))
        return replace(fit, z=fit.z * tested.endpoint.sign * tested.analysis.sign)

    def _data(self, tested: Tested, observed: Observed, present: Present) -> LookData:
        """What the analysis of a hypothesis may use."""
        enrolled = present.enrolled
        columns = [
            column
            for name in tested.analysis.covariates
            for column in self.population.columns(name, enrolled.baseline)
        ]
        covariates = np.stack(columns) if columns else np.empty((0, *present.arm.shape))
        strata = strata_of(tested.analysis.strata, self.population, enrolled)
        external = self._external(tested, present.at)
        return LookData(observed, present.arm, covariates, strata, external)

    def _external(self, tested: Tested, at: Indices) -> External | None:
        """External controls, with the verdict of the first look, at which all replicates are on."""
        if self.outside is None or not tested.analysis.external:
            return None
        verdicts = self.refused.get(tested.name)
        now = None if verdicts is None else verdicts[at]
        return self.outside.seen(tested, self.scenario, at, now)
