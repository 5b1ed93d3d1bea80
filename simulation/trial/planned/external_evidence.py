"""What decides whether a plan's external controls are borrowed."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from extraction.records.errors import InputError
from generation.randomness import generator
from simulation.analysis.estimate import Estimate
from simulation.analysis.external.drift import strategy_rejections
from simulation.analysis.external.sensitivity import (
    TippingPoint,
    conflict_of_means,
    tipping_difference,
    tipping_ratio,
)
from simulation.analysis.external.time_to_event import weighted_survival
from simulation.analysis.external.weighted import weighted_difference
from simulation.trial.outcomes.base import Floats
from simulation.trial.planned.external import BAYESIAN, ExternalControls
from simulation.trial.planned.external_data import Pool
from simulation.trial.planned.external_methods import Summaries, control_law

REPLICATES = 10_000
COMMON = 0.15
"""Share of events above which a hazard ratio is turned into a risk ratio for the E-value."""


def conflict(held: Pool, found: Summaries | None) -> float | None:
    """Two-sided p that own and weighted external controls agree; None without own controls.

    Of means for every method, as the limits in docs/external-controls.md were chosen for: a prior
    with a vague part is in conflict with nothing.
    """
    if held.sizes[1] < 2:
        return None
    if found is None:
        return _hazard_conflict(held)
    return conflict_of_means(*found.own, *found.external)


def _hazard_conflict(held: Pool) -> float | None:
    """Own controls against external ones by a weighted Cox model."""
    rows = held.treated == 0
    try:
        line = weighted_survival(
            held.time[rows], held.event[rows], 1 - held.external[rows], held.x[rows], "cox", "att"
        )
    except InputError:
        return None
    return line.p_value


def negative_lines(held: Pool, values: dict[str, Floats]) -> dict[str, Estimate]:
    """Effects on what treatment cannot change: treated against all controls, weighted."""
    lines = {}
    for name, y in values.items():
        known = np.isfinite(y)
        try:
            lines[name] = weighted_difference(y[known], held.treated[known], held.x[known], "att")
        except InputError:  # counted as not looked at: the rule's least number then stops
            continue
    return lines


def tipping(found: Estimate, held: Pool, sd: float | None) -> TippingPoint:
    """Drift, or confounding, that removes the effect."""
    if "log" not in found.extra:
        return tipping_difference(found, sd)
    return tipping_ratio(found, "hazard", bool(held.event.mean() > COMMON))


def type_one(
    given: ExternalControls, held: Pool, found: Summaries | None, se: float, share: float,
    alpha: float,
) -> list[dict[str, float]]:  # fmt: skip
    """Type I error of the whole strategy over the plan's drifts, at this trial's precision.

    In each of 10,000 replicates nobody is treated in truth, the groups' means are normal with the
    standard errors found, and the external controls fare worse by a drift. The strategy borrows
    where the conflict p allows it, and uses the own controls alone elsewhere; without own controls
    every trial borrows. Frequentist methods are taken as their weighted mean of own and external
    controls. The baseline limits, which see no such drift, stop nobody.

    Returns
    -------
    list of dict
        ``drift``, ``type_one``, ``stopped`` (share) and the Monte Carlo ``se`` of the first.
    """
    spread, unit = _spread(held, found)
    rng = generator(given.seed, "planned external controls: drift")
    noise = rng.standard_normal((3, REPLICATES)) * np.array(spread)[:, None]
    critical = -ndtri(alpha / 2)
    alone = np.abs(noise[0] - noise[1]) > critical * np.hypot(spread[0], spread[1])
    out = []
    for drift in given.drifts:
        external = noise[2] - drift * unit
        borrowed, p = _strategy(
            given, found, noise[0], noise[1], external, spread, se, share, alpha
        )
        stopped = p < given.limits.min_conflict_p
        hits = strategy_rejections(stopped, borrowed, alone)
        rate = float(hits.mean())
        out.append({"drift": float(drift), "type_one": rate, "stopped": float(stopped.mean()),
                    "se": float(np.sqrt(rate * (1 - rate) / REPLICATES))})  # fmt: skip
    return out


def _spread(held: Pool, found: Summaries | None) -> tuple[tuple[float, float, float], float]:
    """Standard errors of treated, own and external means; what one unit of drift is."""
    if found is not None:
        own = found.own[1] if np.isfinite(found.own[1]) else 0.0
        return (found.treated[1], own, found.external[1]), found.sd
    groups = (held.treated == 1, held.own, held.external == 1)
    events = [max(float(held.event[rows].sum()), 1.0) for rows in groups]
    own = 0.0 if not held.sizes[1] else events[1] ** -0.5
    return (events[0] ** -0.5, own, events[2] ** -0.5), 1.0


def _strategy(
    given: ExternalControls, found: Summaries | None, treated: Floats, own: Floats,
    external: Floats, spread: tuple[float, float, float], se: float, share: float, alpha: float,
) -> tuple[Any, Floats]:  # fmt: skip
    """Rejections with borrowing, and the conflict p, each (R,)."""
    if spread[1] == 0:
        scale = np.hypot(spread[0], spread[2])
        return np.abs(treated - external) > -ndtri(alpha / 2) * max(se, scale), np.ones(own.shape)
    p = 2 * ndtr(-np.abs(own - external) / np.hypot(spread[1], spread[2]))
    if given.method not in BAYESIAN or found is None:
        mixed = (1 - share) * own + share * external
        exact = np.sqrt(spread[0] ** 2 + ((1 - share) * spread[1]) ** 2 + (share * spread[2]) ** 2)
        return np.abs(treated - mixed) > -ndtri(alpha / 2) * exact, p
    # `control_law` places the external studies around `external`; the zero is the trial's.
    law = control_law(given, found, own, external)
    below = law.difference_from(treated, np.full(own.shape, spread[0])).cdf(0.0)
    return 2 * np.minimum(below, 1 - below) < alpha, p
