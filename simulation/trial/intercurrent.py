"""Intercurrent events: who stops treatment, what follows, and what an endpoint makes of it.

Strategies are those of ICH E9(R1) (2019). Stopping is apart from leaving the trial: who stops is
still seen, unless the strategy asks for what would have been had he not.
"""

from dataclasses import dataclass, replace
from math import exp
from typing import Any, final

import numpy as np

from generation.randomness import decision_id
from simulation.trial.design import Scenario, Tested, TrialDesign
from simulation.trial.design.discontinuation import (
    COMPOSITE,
    EVENT,
    HYPOTHETICAL,
    ON_TREATMENT,
    POLICY,
    Discontinuation,
)
from simulation.trial.design.dropout import ShareDropout
from simulation.trial.dropout import last_time, times
from simulation.trial.enrol import Enrolled
from simulation.trial.outcomes import Applied, Latent, Response, respond_until
from simulation.trial.outcomes.base import NEVER, Floats, Indices
from simulation.trial.population import Population

_STOPS = decision_id("trial.stops")


@final
@dataclass(frozen=True)
class Stopping:
    """Who stops treatment.

    Attributes
    ----------
    time
        Since randomisation (R, N), infinite for who does not.
    left
        Share of the effect that is left afterwards, (R, N).
    """

    time: Floats
    left: Floats

    @classmethod
    def draw(
        cls,
        design: TrialDesign,
        truth: Scenario,
        population: Population,
        enrolled: Enrolled,
        arm: Indices,
        response: Response,
    ) -> "Stopping | None":
        """Draw the times; None where the design has nobody stop.

        `response` is that of the first endpoint had nobody stopped.
        """
        law = truth.discontinuation or design.discontinuation
        if law is None:
            return None
        time = times(design, law.when, population, enrolled, arm, response, _STOPS)
        left = np.array([law.left(a.name) for a in design.arms])[arm]
        return cls(time, left)

    def respond(self, endpoint: Any, latent: Latent, arm: Indices, applied: Applied) -> Response:
        """Outcome of every patient, with what is left of the effects after he stops."""
        after = applied.scaled(self.left)
        return respond_until(endpoint, latent, arm, applied, self.time, after)


def as_defined(
    endpoint: Any, strategy: str, response: Response, leaves: Floats, stops: Floats
) -> Response:
    """Return an outcome as the endpoint defines it under the strategy for stopping.

    Treatment policy: as it is. Hypothetical: lost from the stop on. Composite: a failure from the
    stop on. While on treatment: the last value before the stop, or followed until the stop.

    Parameters
    ----------
    response
        As it is.
    leaves, stops
        When patients leave the trial and stop treatment, (R, N).
    """
    if strategy == POLICY:
        return replace(response, stops=stops)
    if strategy == COMPOSITE:
        return _composite(endpoint, response, leaves, stops)
    if strategy == ON_TREATMENT and endpoint.kind == "continuous":
        return _last_on_treatment(endpoint, response, leaves, stops)
    return replace(response, leaves=np.minimum(leaves, stops), stops=stops)


def _composite(endpoint: Any, response: Response, leaves: Floats, stops: Floats) -> Response:
    if response.time is not None and not endpoint.good:
        return replace(response, time=np.minimum(response.time, stops), stops=stops)
    # What is settled by the stop stays known to those who leave later.
    if response.time is not None:
        failed = (stops < response.time) & (stops <= leaves)
        time = np.where(failed, NEVER, response.time)
        return replace(
            response, time=time, leaves=np.where(failed, NEVER, leaves), stops=stops
        )
    assert response.values is not None
    failed = (stops < endpoint.visit) & (stops <= leaves)
    values = np.where(failed, 1.0 - float(endpoint.higher_is_better), response.values)
    return Response(values=values, leaves=np.where(failed, NEVER, leaves), stops=stops)


def _last_on_treatment(
    endpoint: Any, response: Response, leaves: Floats, stops: Floats
) -> Response:
    assert response.values is not None
    values = np.array(response.values)
    before: Any = np.nan
    for held, due in zip(values, endpoint.visits, strict=True):
        held[...] = np.where(stops < due, before, held)
        before = held
    settled = (stops < endpoint.delay) & (stops <= leaves)
    return Response(values=values, leaves=np.where(settled, NEVER, leaves), stops=stops)


def truth_of(design: TrialDesign, truth: Scenario, tested: Tested, stated: float) -> float | None:
    """Effect that a hypothesis is about, of an effect stated for who takes the treatment.

    Treatment policy mixes those on treatment and those off it; where that has a closed form
    (continuous outcomes that stop at random) it is given, elsewhere None.
    """
    law = truth.discontinuation or design.discontinuation
    if law is None:
        return stated
    strategy = design.strategies(tested.endpoint)[EVENT]
    kind, arm = tested.endpoint.kind, design.arms[tested.arm].name
    if strategy == HYPOTHETICAL or (strategy == ON_TREATMENT and kind != "continuous"):
        return stated
    if truth.null:
        unequal = strategy != POLICY and law.law(arm) != law.law(design.control.name)
        return None if unequal else 0.0
    if strategy == POLICY and kind == "continuous":
        on = _on_treatment(design, law, arm, tested.endpoint.delay)
        return None if on is None else stated * (on + law.left(arm) * (1 - on))
    return stated if strategy == POLICY and law.left(arm) == 1 else None


def _on_treatment(
    design: TrialDesign, law: Discontinuation, arm: str, when: float
) -> float | None:
    """Probability of being on treatment at a time; None where it depends on the patient."""
    if isinstance(law.when, ShareDropout):
        until = law.when.by if law.when.by is not None else last_time(design)
        return 1 - law.law(arm) * min(when / until, 1.0)
    if law.when.log_hazard_ratios or law.when.log_hazard_ratio_of_outcome:
        return None
    return exp(-law.law(arm) * when)


def stops_unequally(design: TrialDesign, truth: Scenario, tested: Tested) -> bool:
    """Whether arms differ without any effect, by how many stop treatment."""
    strategy = design.strategies(tested.endpoint).get(EVENT)
    law = truth.discontinuation or design.discontinuation
    if law is None or strategy not in (COMPOSITE, ON_TREATMENT):
        return False
    if strategy == ON_TREATMENT and tested.endpoint.kind != "continuous":
        return False
    return law.law(design.arms[tested.arm].name) != law.law(design.control.name)


def unequal_nulls(design: TrialDesign) -> list[str]:
    """Say where arms without effect differ all the same, by how many stop treatment."""
    return [
        f"{tested.name}: under {truth.name} the arms stop treatment at different rates, which a "
        f"{design.strategies(tested.endpoint)[EVENT]} strategy counts; rejections there are no "
        "type I errors"
        for tested in design.tested
        for truth in design.truths
        if truth.null and stops_unequally(design, truth, tested)
    ]
