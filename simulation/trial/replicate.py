"""One chunk of replicates: enrol, randomise, respond, leave, look, decide."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np

from extraction.records import conditions
from generation.randomness import Stream
from simulation.trial.analyses.base import Fit, LookData, no_fit
from simulation.trial.design import Enrolment, Scenario, Tested, TrialDesign
from simulation.trial.dropout import leaving
from simulation.trial.enrol import Enrolled, enrol
from simulation.trial.looks import event_times, look_at
from simulation.trial.narrow import narrow
from simulation.trial.outcomes import Applied, Latent, observe, respond
from simulation.trial.outcomes.base import Booleans, Floats, Indices, Observed, Response
from simulation.trial.population import Population, receive
from simulation.trial.randomise import randomise, randomise_by_weight
from simulation.trial.rules import ArmSummary, Evidence, State

Arrays = dict[str, np.ndarray[Any, Any]]
STREAM: Final = "simulation.trial"


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
        information.
    """
    design = TrialDesign.parse(payload["design"])
    population = receive(payload["population"], payload.get("paths", {}))
    numbers = np.arange(start, stop)
    stream = Stream(payload["seed"], STREAM)
    drawn: dict[str, Drawn] = {}
    runs = []
    for scenario in design.truths:
        enrolment = scenario.enrolment or design.enrolment
        key = enrolment.model_dump_json()
        if key not in drawn:
            drawn[key] = Drawn.draw(design, enrolment, population, stream, numbers)
        runs.append(Chunk(design, population, drawn[key], scenario).run())
    return {name: np.stack([run[name] for run in runs], axis=1) for name in runs[0]}


def strata_of(
    names: tuple[str, ...], population: Population, enrolled: Enrolled
) -> Indices | None:
    """Number of each patient's stratum (R, N), the product of categories; unknown is one."""
    if not names:
        return None
    total = np.zeros(enrolled.entry.shape, dtype=np.int64)
    for name in names:
        if name == "site" and enrolled.site is not None:
            levels, values = int(enrolled.site.max()) + 2, enrolled.site + 1
        else:
            levels = len(population.baseline_schema.variable(name).categories or ()) + 1
            values = np.nan_to_num(enrolled.baseline.values[name] + 1).astype(np.int64)
        total = total * levels + values
    return total


@final
@dataclass(frozen=True)
class Taken:
    """What is known of each hypothesis when a replicate stops, (R, H)."""

    estimate: Floats
    se: Floats
    information: Floats

    @classmethod
    def nothing(cls, replicates: int, hypotheses: int) -> "Taken":
        """Before the first look."""
        shape = (replicates, hypotheses)
        return cls(np.full(shape, np.nan), np.full(shape, np.inf), np.zeros(shape))

    def update(self, fits: tuple[Fit, ...], running: Booleans) -> None:
        """Keep the fits of replicates that are still running."""
        for h, fit in enumerate(fits):
            self.estimate[running, h] = fit.estimate[running]
            self.se[running, h] = fit.se[running]
            self.information[running, h] = fit.information[running]


@final
@dataclass(frozen=True)
class Drawn:
    """Patients of some replicates before anything is done to them; scenarios share them."""

    stream: Stream
    replicates: Indices
    n: int
    enrolled: Enrolled
    latents: dict[str, Latent]
    arm: Indices
    at_once: bool

    @classmethod
    def draw(
        cls,
        design: TrialDesign,
        enrolment: Enrolment,
        population: Population,
        stream: Stream,
        replicates: Indices,
    ) -> "Drawn":
        """Enrol, randomise, and draw the outcomes under control."""
        n = design.rule.largest(design.n)
        enrolled = enrol(design, enrolment, population, stream, replicates, n)
        return cls.of(design, enrolment, population, replicates, enrolled)

    @classmethod
    def of(
        cls,
        design: TrialDesign,
        enrolment: Enrolment,
        population: Population,
        replicates: Indices,
        enrolled: Enrolled,
    ) -> "Drawn":
        """Randomise those who have been enrolled, and draw their outcomes under control."""
        stream, n = enrolled.place.stream, enrolled.entry.shape[1]
        latents = {
            e.name: population.latent(e, enrolled.place, enrolled.baseline)
            for e in design.endpoints
        }
        ratio = tuple(arm.allocation for arm in design.arms)
        strata = strata_of(design.strata, population, enrolled)
        arm = randomise(stream, replicates, n, ratio, design.block, strata)
        return cls(stream, replicates, n, enrolled, latents, arm, enrolment.at_once)


@final
@dataclass(frozen=True)
class Seen:
    """What a look has seen, for whoever watches; arrays over (R, N).

    Attributes
    ----------
    look
        0-based.
    arm, leaves, cut, counted
        Arms so far, times of leaving, the look's time (R, 1), and who counts.
    responses, observed, fits
        Outcomes as they will be, as the look sees them, and its estimates.
    running
        Replicates (R,) that go on after it.
    """

    look: int
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
        self, design: TrialDesign, population: Population, drawn: Drawn, scenario: Scenario
    ) -> None:
        self.design = design
        self.population = population
        self.drawn = drawn
        self.scenario = scenario
        self._of_all: Booleans | None = None
        """Patients recruited while everybody could come; None: all."""

    def run(self, watch: Callable[[Seen], None] | None = None) -> Arrays:
        """Go through the looks until every replicate has stopped; `watch` is told of each."""
        design, rule = self.design, self.design.rule
        ratio = tuple(arm.allocation for arm in design.arms)
        state = State.fresh(len(self.drawn.replicates), len(design.tested), ratio, design.n)
        taken = Taken.nothing(len(self.drawn.replicates), len(design.tested))
        shares = tuple(tested.share for tested in design.tested)
        arms = tuple(tested.arm for tested in design.tested)
        ends: Arrays = {
            name: np.zeros(len(self.drawn.replicates))
            for name in ("n", "duration", "analysed", "screened")
        }
        arm = self.drawn.arm
        responses, leaves = self._follow(arm)
        events = self._events(responses, leaves)
        cut = np.zeros((len(self.drawn.replicates), 1))
        for look in range(rule.looks.count):
            if rule.adapts and look > 0:
                arm = self._next_arms(arm, state, look, cut)
                responses, leaves = self._follow(arm)
                events = self._events(responses, leaves)
            if state.narrowed is not None and state.narrowed.any():
                self._narrow(state.narrowed, look, cut)
                arm = self.drawn.arm
                responses, leaves = self._follow(arm)
                events = self._events(responses, leaves)
            changed = rule.adapts or rule.resizes
            sizes = state.size if changed and look == rule.looks.count - 1 else None
            cut, counted = look_at(design, look, self.drawn.enrolled, events, sizes)
            seen = self._seen(responses, leaves, cut, counted)
            fits = self._fits(arm, seen, state.among)
            taken.update(fits, state.running)
            self._note(ends, cut, counted, fits, state.running)
            summary = self._summary(seen, arm) if rule.every_arm else None
            evidence = Evidence(look, fits, arms, design.control_number, summary)
            rule.decide(evidence, state, shares)
            if watch is not None:
                running = state.running.copy()
                watch(Seen(look, arm, leaves, cut, counted, responses, seen, fits, running))
            if not state.running.any():
                break
        return {
            "stage": state.stage,
            "reason": state.reason,
            **ends,
            "rejected": state.rejected,
            "estimate": taken.estimate,
            "se": taken.se,
            "information": taken.information,
        }

    def _next_arms(self, arm: Indices, state: State, look: int, cut: Floats) -> Indices:
        """Draw anew the arms of patients who are randomised after the previous look's time."""
        start = self.design.sizes[look - 1]
        later = randomise_by_weight(
            self.drawn.stream, self.drawn.replicates, start, self.drawn.n, state.weights
        )
        if not self.drawn.at_once:
            waiting = self.drawn.enrolled.entry[:, start:] < cut
            later = np.where(waiting, arm[:, start:], later)
        return np.concatenate([arm[:, :start], later], axis=1)

    def _narrow(self, which: Booleans, look: int, cut: Floats) -> None:
        """Recruit the subgroup alone in some replicates, after the previous look's time."""
        entry, start = self.drawn.enrolled.entry, self.design.sizes[look - 1]
        first = np.broadcast_to(np.arange(entry.shape[1]) < start, entry.shape)
        subgroup = next(t.subgroup for t in self.design.tested if t.subgroup is not None)
        enrolment = self.scenario.enrolment or self.design.enrolment
        enrolled, self._of_all = narrow(
            self.design, enrolment, self.population, self.drawn.enrolled, which,
            first if self.drawn.at_once else first | (entry < cut), subgroup.where,
        )
        self.drawn = Drawn.of(
            self.design, enrolment, self.population, self.drawn.replicates, enrolled
        )

    def _follow(self, arm: Indices) -> tuple[dict[str, Response], Floats]:
        """Outcomes under the arms, and when patients leave."""
        responses = {
            e.name: respond(e.kind, self.drawn.latents[e.name], arm, self._applied(e.name))
            for e in self.design.endpoints
        }
        rule = self.scenario.dropout or self.design.dropout
        first = responses[self.design.endpoints[0].name]
        return responses, leaving(
            self.design, rule, self.population, self.drawn.enrolled, arm, first
        )

    def _applied(self, endpoint: str) -> Applied:
        held = []
        names = [arm.name for arm in self.design.arms]
        for effect in self.scenario.effects:
            if effect.endpoint == endpoint:
                fits = None if effect.where is None else self._meets(effect.where)
                held.append((effect, names.index(effect.arm), fits))
        return Applied(held)

    def _meets(self, where: dict[str, Any]) -> Booleans:
        condition = conditions.parse(where, self.population.baseline_schema)
        return self.population.meets(condition, self.drawn.enrolled.baseline)

    def _events(self, responses: dict[str, Response], leaves: Floats) -> Floats | None:
        if self.design.rule.looks.by != "events":
            return None
        return event_times(self.design, self.drawn.enrolled, responses, leaves)

    def _seen(
        self, responses: dict[str, Response], leaves: Floats, cut: Floats, counted: Booleans
    ) -> dict[str, Observed]:
        return {
            e.name: observe(e, responses[e.name], self.drawn.enrolled.entry, leaves, cut, counted)
            for e in self.design.endpoints
        }

    def _summary(self, seen: dict[str, Observed], arm: Indices) -> ArmSummary:
        endpoint = self.design.tested[0].endpoint
        data = LookData(seen[endpoint.name], arm, np.empty((0, *arm.shape)))
        return ArmSummary.of(data, len(self.design.arms), endpoint.kind, endpoint.sign)

    def _fits(
        self, arm: Indices, seen: dict[str, Observed], among: Booleans | None
    ) -> tuple[Fit, ...]:
        return tuple(
            self._fit(tested, seen[tested.endpoint.name], arm, among)
            for tested in self.design.tested
        )

    def _fit(self, tested: Tested, observed: Observed, arm: Indices, among: Booleans | None) -> Fit:
        if tested.arm == self.design.control_number:
            nobody = np.zeros(len(arm))
            return Fit(**no_fit(len(arm)), information=nobody, n=nobody)
        columns = [
            column
            for name in tested.analysis.covariates
            for column in self.population.columns(name, self.drawn.enrolled.baseline)
        ]
        covariates = np.stack(columns) if columns else np.empty((0, *arm.shape))
        strata = strata_of(tested.analysis.strata, self.population, self.drawn.enrolled)
        data = LookData(observed, arm, covariates, strata)
        group = self._of_all if tested.subgroup is None else self._meets(tested.subgroup.where)
        if group is not None:
            among = group if among is None else among & group
        fit = tested.analysis.fit(data, tested.arm, self.design.control_number, among)
        turned = fit.z * tested.endpoint.sign * tested.analysis.sign
        return Fit(fit.estimate, fit.se, turned, fit.information, fit.n)

    def _note(
        self,
        ends: Arrays,
        cut: Floats,
        counted: Booleans,
        fits: tuple[Fit, ...],
        running: Booleans,
    ) -> None:
        """Keep what the trial has used by this look, for the replicates still running."""
        there = counted if self.drawn.at_once else self.drawn.enrolled.entry < cut
        randomised = there.sum(axis=1).astype(np.float64)
        ends["n"][running] = randomised[running]
        ends["duration"][running] = cut[running, 0]
        ends["analysed"][running] = np.max([fit.n for fit in fits], axis=0)[running]
        ends["screened"][running] = self.drawn.enrolled.screened[running]
