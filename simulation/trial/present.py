"""Replicates in work, row by row: who the patients are, their arms, and what becomes of them."""

from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from extraction.records import conditions
from generation.randomness import Stream
from simulation.trial.design import Enrolment, Scenario, TrialDesign
from simulation.trial.design.discontinuation import EVENT
from simulation.trial.design.dropout import AsLearnt, NoDropout
from simulation.trial.dropout import leaving
from simulation.trial.enrol import Enrolled, enrol
from simulation.trial.intercurrent import Stopping, as_defined
from simulation.trial.looks import event_times
from simulation.trial.outcomes import Applied, Latent, respond
from simulation.trial.outcomes.base import Booleans, Floats, Indices, Response, rows_of
from simulation.trial.population import Population
from simulation.trial.randomise import adaptive_draws, randomise


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
class Drawn:
    """Patients of some replicates before anything is done to them; scenarios share them.

    Attributes
    ----------
    arm, again
        First arms, and the uniforms by which arms are drawn anew where they adapt, (R, N).
    """

    stream: Stream
    replicates: Indices
    n: int
    enrolled: Enrolled
    latents: dict[str, Latent]
    arm: Indices
    again: Floats | None
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
        again = adaptive_draws(stream, replicates, n) if design.rule.adapts else None
        return cls(stream, replicates, n, enrolled, latents, arm, again, enrolment.at_once)


@final
class Truth:
    """What happens to patients of a design in one scenario."""

    def __init__(self, design: TrialDesign, population: Population, scenario: Scenario) -> None:
        self.design = design
        self.population = population
        self.scenario = scenario

    def responses(self, drawn: Drawn, arm: Indices) -> dict[str, Response]:
        """Outcomes as they are under arms (R, N), or (1, 1) for one."""
        design, latents = self.design, drawn.latents
        applied = {e.name: self._applied(e.name, drawn) for e in design.endpoints}
        found = {
            e.name: respond(e.kind, latents[e.name], arm, applied[e.name])
            for e in design.endpoints
        }
        first = found[design.endpoints[0].name]
        stopping = Stopping.draw(
            design, self.scenario, self.population, drawn.enrolled, arm, first
        )
        if stopping is not None:
            stops = np.broadcast_to(stopping.time, drawn.arm.shape)
            found = {
                e.name: replace(
                    stopping.respond(e, latents[e.name], arm, applied[e.name]), stops=stops
                )
                for e in design.endpoints
            }
        for endpoint in design.endpoints:
            cause = getattr(endpoint, "competing", None)
            if cause is not None:
                other = found[cause].time
                found[endpoint.name] = replace(found[endpoint.name], other=other)
        return found

    def defined(self, responses: dict[str, Response], leaves: Floats) -> dict[str, Response]:
        """Outcomes as the endpoints define them, where patients stop treatment."""
        found = {}
        for endpoint in self.design.endpoints:
            held = responses[endpoint.name]
            if held.stops is not None:
                strategy = self.design.strategies(endpoint)[EVENT]
                held = as_defined(endpoint, strategy, held, leaves, held.stops)
            found[endpoint.name] = held
        return found

    def responses_by_arm(self, drawn: Drawn) -> dict[str, Response]:
        """Outcomes under every arm."""
        arms = [self.responses(drawn, np.full((1, 1), k)) for k in range(len(self.design.arms))]
        return {
            e.name: Response.by_arm([responses[e.name] for responses in arms])
            for e in self.design.endpoints
        }

    def meets(self, where: dict[str, Any], enrolled: Enrolled) -> Booleans:
        """Whether patients (R, N) meet a condition on the baseline."""
        condition = conditions.parse(where, self.population.baseline_schema)
        return self.population.meets(condition, enrolled.baseline)

    def leaves(
        self, enrolled: Enrolled, arm: Indices, responses: dict[str, Response]
    ) -> Floats:
        """When patients leave, (R, N)."""
        first = responses[self.design.endpoints[0].name]
        return leaving(self.design, self._dropout, self.population, enrolled, arm, first)

    @property
    def leaves_by_arm(self) -> bool:
        """Whether leaving depends on arms or outcomes."""
        return not isinstance(self._dropout, AsLearnt | NoDropout)

    @property
    def _dropout(self) -> Any:
        return self.scenario.dropout or self.design.dropout

    def _applied(self, endpoint: str, drawn: Drawn) -> Applied:
        held = []
        names = [arm.name for arm in self.design.arms]
        for effect in self.scenario.effects:
            if effect.endpoint == endpoint:
                fits = None if effect.where is None else self.meets(effect.where, drawn.enrolled)
                held.append((effect, names.index(effect.arm), fits))
        return Applied(held)


@final
@dataclass(frozen=True)
class Present:
    """Replicates that are in work, (R, N) over them and their patients.

    Attributes
    ----------
    at
        Their places among the chunk's replicates, (R,).
    enrolled, arm
        Patients, and their arms so far.
    responses, leaves, events
        Outcomes as defined, and leaving, under these arms; event times for looks by events.
    by_arm, again
        Where arms adapt: outcomes as they are under every arm, and the uniforms that choose.
    of_all
        Patients recruited while everybody could come; None: all.
    """

    at: Indices
    enrolled: Enrolled
    arm: Indices
    responses: dict[str, Response]
    leaves: Floats
    events: Floats | None
    by_arm: dict[str, Response]
    again: Floats | None
    of_all: Booleans | None = None

    @classmethod
    def begin(cls, truth: Truth, drawn: Drawn) -> "Present":
        """All replicates of a chunk, with their first arms."""
        design, enrolled, arm = truth.design, drawn.enrolled, drawn.arm
        by_arm = truth.responses_by_arm(drawn) if design.rule.adapts else {}
        responses = (
            {name: held.under(arm) for name, held in by_arm.items()}
            if design.rule.adapts
            else truth.responses(drawn, arm)
        )
        leaves = truth.leaves(enrolled, arm, responses)
        responses = truth.defined(responses, leaves)
        events = None
        if design.rule.looks.by == "events":
            events = event_times(design, enrolled, responses, leaves)
        at = np.arange(len(arm))
        return cls(at, enrolled, arm, responses, leaves, events, by_arm, drawn.again)

    def with_arms(self, truth: Truth, arm: Indices) -> "Present":
        """The same patients under other arms."""
        responses = {name: held.under(arm) for name, held in self.by_arm.items()}
        leaves = self.leaves
        if truth.leaves_by_arm:
            leaves = truth.leaves(self.enrolled, arm, responses)
        responses = truth.defined(responses, leaves)
        return replace(self, arm=arm, responses=responses, leaves=leaves)

    def rows(self, which: Booleans) -> "Present":
        """Some of the replicates."""

        def taken(held: dict[str, Response]) -> dict[str, Response]:
            return {name: response.rows(which) for name, response in held.items()}

        return Present(
            self.at[which],
            self.enrolled.rows(which),
            rows_of(self.arm, which),
            taken(self.responses),
            rows_of(self.leaves, which),
            rows_of(self.events, which),
            taken(self.by_arm),
            rows_of(self.again, which),
            rows_of(self.of_all, which),
        )
