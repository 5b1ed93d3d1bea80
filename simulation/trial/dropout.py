"""Dropout: when each patient leaves the trial."""

from typing import Any

import numpy as np

from extraction.records.errors import InputError
from generation.randomness import Stream, decision_id
from simulation.trial.design import Enrolment, TrialDesign
from simulation.trial.design.dropout import Dropout, HazardDropout, ShareDropout
from simulation.trial.enrol import Enrolled, screen
from simulation.trial.outcomes import Applied, respond
from simulation.trial.outcomes.base import NEVER, Floats, Indices, Response
from simulation.trial.population import Population

_DROPS = decision_id("trial.drops")
_DRAWN = 2_000
"""Eligible patients by whom an outcome is centred."""


def leaving(
    design: TrialDesign,
    rule: Dropout,
    population: Population,
    enrolled: Enrolled,
    arm: Indices,
    response: Response,
) -> Floats:
    """Times (R, N) since randomisation at which patients leave; infinite for those who stay.

    `response` is that of the first endpoint, on which missing not at random depends. The same
    patients leave first under every share or rate.
    """
    shape = enrolled.entry.shape
    if rule.kind == "none":
        return np.full(shape, NEVER)
    if rule.kind == "as_learnt":
        left = population.leaves(enrolled.place, enrolled.baseline)
        return np.full(shape, NEVER) if left is None else np.broadcast_to(left, shape)
    return times(design, rule, population, enrolled, arm, response, _DROPS)


def times(
    design: TrialDesign,
    rule: ShareDropout | HazardDropout,
    population: Population,
    enrolled: Enrolled,
    arm: Indices,
    response: Response,
    decision: int,
) -> Floats:
    """Times (R, N) by a law, of a decision's own draws; infinite where it never comes."""
    drawn = enrolled.place.uniform(decision)
    if isinstance(rule, ShareDropout):
        share = _by_arm(design, rule.share, rule.arms, arm)
        until = rule.by if rule.by is not None else last_time(design)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(drawn < share, until * drawn / share, NEVER)
    rate = _by_arm(design, rule.rate, rule.arms, arm) * np.exp(
        _linear(rule, population, enrolled) + _unseen(design, rule, population, response)
    )
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log(drawn) / rate)


def last_time(design: TrialDesign) -> float:
    """Last time at which any endpoint is taken, since randomisation.

    Raises
    ------
    InputError
        If no endpoint ends.
    """
    ends = [getattr(e, "follow_up", None) or e.delay for e in design.endpoints]
    if max(ends) <= 0:
        raise InputError("design.dropout.by: the endpoints have no end; say by when they leave")
    return float(max(ends))


def _by_arm(design: TrialDesign, usual: float, given: dict[str, float], arm: Indices) -> Floats:
    return np.array([given.get(a.name, usual) for a in design.arms])[arm]


def _linear(rule: HazardDropout, population: Population, enrolled: Enrolled) -> Any:
    total: Any = 0.0
    for term, coefficient in rule.log_hazard_ratios.items():
        name, _, level = term.partition("=")
        values = enrolled.baseline.values[name]
        if level:
            categories = population.baseline_schema.variable(name).categories or ()
            values = (values == categories.index(level)).astype(np.float64)
        total = total + coefficient * values
    return total


def _unseen(
    design: TrialDesign, rule: HazardDropout, population: Population, response: Response
) -> Any:
    """Log hazard ratio of the patient's own outcome, in standard deviations from the mean."""
    if rule.log_hazard_ratio_of_outcome == 0 or response.values is None:
        return 0.0
    centre, spread = _law(design, population)
    scaled = (response.values[-1] - centre) / (spread if spread > 0 else 1.0)
    return rule.log_hazard_ratio_of_outcome * np.nan_to_num(scaled)


def _law(design: TrialDesign, population: Population) -> tuple[float, float]:
    """Mean and standard deviation of the first endpoint among the eligible under control.

    They are of the design: its own draws, which no trial shares, so that who leaves when depends
    on nobody else in the trial, and narrowing or adapting moves nobody.
    """
    endpoint = design.endpoints[0]
    one, stream = np.zeros(1, dtype=np.int64), Stream(0, "simulation.trial.dropout")
    found = screen(design, Enrolment(), population, stream, one, _DRAWN)
    latent = population.latent(endpoint, found.place, found.baseline)
    held = respond(endpoint.kind, latent, np.zeros((1, 1), dtype=np.int64), Applied([]))
    assert held.values is not None
    values = held.values[-1][np.isfinite(found.entry)]
    return float(np.nanmean(values)), float(np.nanstd(values))
