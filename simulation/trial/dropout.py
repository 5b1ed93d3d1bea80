"""Dropout: when each patient leaves the trial."""

from typing import Any

import numpy as np

from extraction.records.errors import InputError
from generation.randomness import decision_id
from simulation.trial.design import TrialDesign
from simulation.trial.design.dropout import Dropout, HazardDropout, ShareDropout
from simulation.trial.enrol import Enrolled
from simulation.trial.outcomes.base import NEVER, Floats, Indices, Response
from simulation.trial.population import Population

_DROPS = decision_id("trial.drops")


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
        _linear(rule, population, enrolled) + _unseen(rule, response)
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


def _unseen(rule: HazardDropout, response: Response) -> Any:
    """Log hazard ratio of the patient's own outcome, in standard deviations from its mean."""
    if rule.log_hazard_ratio_of_outcome == 0 or response.values is None:
        return 0.0
    values = response.values[-1]
    centre = np.nanmean(values, axis=1, keepdims=True)
    spread = np.nanstd(values, axis=1, keepdims=True)
    scaled = (values - centre) / np.where(spread > 0, spread, 1.0)
    return rule.log_hazard_ratio_of_outcome * np.nan_to_num(scaled)
