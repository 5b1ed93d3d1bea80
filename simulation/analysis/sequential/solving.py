"""Bounds and drift of a plan, by root finding over the quadrature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import ndtri

from extraction.records.errors import InputError
from simulation.analysis.sequential.families import (
    BetaSpending,
    ConditionalPowerFutility,
    GivenFutility,
    HaybittlePeto,
    Shape,
    Spending,
)
from simulation.analysis.sequential.plan import SequentialPlan
from simulation.analysis.sequential.quadrature import (
    PRECISE,
    Floats,
    Journey,
    Precision,
    Walk,
    crossing,
)

_TINY: Final = 1e-12
_ZERO: Final = np.zeros(1)
_HIGHEST: Final = 60.0
_STEPS: Final = 60
_CLOSE: Final = 1e-12
_TOLERABLE: Final = 1e-9
_FLATTEST: Final = 0.1


def solve(plan: SequentialPlan) -> tuple[Floats, Floats, float]:
    """Critical values (K,), futility bounds (K,) and the drift that has the plan's power.

    The futility bound of the last look is -infinity: what does not reject there is not rejected.
    """
    lower = np.full(plan.looks, -np.inf)
    futility = plan.futility
    if isinstance(futility, BetaSpending) and plan.looks > 1:
        return _with_beta_spending(plan, futility)
    if isinstance(futility, GivenFutility):
        lower[:-1] = futility.bounds
        critical = efficacy_bounds(plan, lower if futility.binding else None)
        drift = power_drift(critical, lower, plan.rates, plan.power)
        return critical, np.minimum(lower, critical), drift
    critical = efficacy_bounds(plan)
    if isinstance(futility, ConditionalPowerFutility):
        return _with_conditional_power(plan, critical, futility)
    below = -critical if plan.sided == 2 else lower
    return critical, lower, power_drift(critical, below, plan.rates, plan.power)


def efficacy_bounds(plan: SequentialPlan, lower: Floats | None = None) -> Floats:
    """Critical values (K,), given binding futility bounds (K,) or none."""
    rates = np.asarray(plan.rates)
    if isinstance(plan.boundary, Spending):
        spent = plan.resolved(plan.boundary).spent(rates, plan.alpha, plan.sided)
        upper, _ = spend(rates[None], spent[None] / plan.sided, plan.sided, lower)
        return np.asarray(upper[0])
    if isinstance(plan.boundary, HaybittlePeto):
        return _haybittle_peto(plan, rates, plan.boundary.interim, lower)
    assert isinstance(plan.boundary, Shape)
    shape = plan.boundary.shape(rates)
    below = np.full(plan.looks, -np.inf) if lower is None else lower

    level = plan.alpha / plan.sided

    def kept(c: float) -> float:
        up, _ = crossing(c * shape, -c * shape if plan.sided == 2 else below, rates, 0.0)
        return -_probit(float(up.sum()))

    last = float(-ndtri(level)) / float(shape[-1])  # with the last look alone
    found = _secant(kept, float(-ndtri(level)), last, last + 0.1)
    if found is None:
        raise InputError("boundary: no critical values keep the level; let futility bind less")
    return np.asarray(found * shape)


def _probit(probability: float) -> float:
    return float(ndtri(min(max(probability, 1e-300), 1 - 1e-16)))


def _secant(
    function: Callable[[float], float], goal: float, first: float, second: float
) -> float | None:
    """Where a rising function that is close to a line reaches a goal; None if it does not."""
    before, seen, x = first, function(first), second
    now = function(x)
    for _ in range(_STEPS):
        if abs(now - goal) < _CLOSE or x == before:
            break
        slope = max((now - seen) / (x - before), _FLATTEST)
        x, before, seen = x + (goal - now) / slope, x, now
        if abs(x) > _HIGHEST:
            return None
        now = function(x)
    return x if abs(now - goal) < _TOLERABLE else None


def spend(
    rates: Floats,
    spent: Floats,
    sided: int = 1,
    lower: Floats | None = None,
    walk: Walk | None = None,
) -> tuple[Floats, list[Walk]]:
    """Critical values that use up the error of one side by each look.

    Parameters
    ----------
    rates
        Information, (B, K).
    spent
        Cumulative error of one side by each look, (B, K).
    sided
        2 stops at the negative of the critical values too.
    lower
        Futility bounds that bind, (K,) or (B, K).
    walk
        Where to start; its precision holds.

    Returns
    -------
    tuple
        Critical values (B, K), and the trials running before each look.
    """
    walk = walk or Walk.start(len(rates))
    steps = np.diff(spent, axis=1, prepend=0.0)
    upper, walks = np.empty_like(spent), [walk]
    for k in range(rates.shape[1]):
        upper[:, k] = walk.upper_bound(np.maximum(steps[:, k], 0.0), rates[:, k], _ZERO)
        if k < rates.shape[1] - 1:
            below = -upper[:, k] if sided == 2 else _column(lower, k, len(rates))
            walk = walk.advance(rates[:, k], below, upper[:, k], rates[:, k + 1])
            walks.append(walk)
    return upper, walks


def _column(bounds: Floats | None, k: int, trials: int) -> Floats:
    return np.broadcast_to(-np.inf if bounds is None else bounds[..., k], (trials,))


def _haybittle_peto(
    plan: SequentialPlan, rates: Floats, interim: float, lower: Floats | None
) -> Floats:
    upper = np.full(plan.looks, interim)
    below = np.full(plan.looks, -np.inf) if lower is None else lower
    down = -upper if plan.sided == 2 else below
    journey = Journey.through(upper, down, rates)
    used = float(journey.stages(_ZERO)[0][0, :-1].sum())
    left = plan.alpha / plan.sided - used
    if left <= 0:
        raise InputError(
            f"boundary.interim: {interim} came; interim looks alone use up the level; raise it"
        )
    upper[-1] = journey.walks[-1].upper_bound(np.array([left]), rates[-1:], _ZERO)[0]
    return upper


def power_drift(
    critical: ArrayLike, lower: ArrayLike, rates: ArrayLike, power: float
) -> float:
    """Drift at which the upper bounds are crossed with the wanted power.

    Raises
    ------
    InputError
        If the lower bounds leave no way to it.
    """
    upper = np.asarray(critical, dtype=np.float64)
    highest = float(abs(upper[-1]) + abs(ndtri(power))) + _TINY
    while float(crossing(upper, lower, rates, highest)[0].sum()) < power:
        highest *= 1.3
        if highest > _HIGHEST:
            raise InputError(f"futility: the bounds leave no way to a power of {power}; lower them")
    journey = Journey.through(upper, lower, rates, (0.0, highest))

    def excess(theta: float) -> float:
        return float(journey.stages(np.array([theta]))[0].sum()) - power

    return float(brentq(excess, 0.0, highest, xtol=1e-11))


def _root(plan: SequentialPlan, power_at: Callable[[float], float]) -> float:
    """Drift of the wanted power where the bounds change with the drift."""
    fixed = float(ndtri(1 - plan.alpha) + ndtri(plan.power))
    drift = _secant(
        lambda theta: _probit(power_at(theta)), float(ndtri(plan.power)), fixed, 1.03 * fixed
    )
    if drift is None:
        raise InputError("futility: no drift reaches the power; let futility stop less, or later")
    return drift


def _with_beta_spending(
    plan: SequentialPlan, futility: BetaSpending
) -> tuple[Floats, Floats, float]:
    rates = np.asarray(plan.rates)[None]
    beta = plan.resolved(futility.spending).spent(rates, 1 - plan.power)
    beta[:, -1] = beta[:, -2]  # what is left falls to the last look, which has no bound
    alpha = None
    if futility.binding:
        assert isinstance(plan.boundary, Spending)
        alpha = plan.resolved(plan.boundary).spent(rates, plan.alpha)
    fixed = None if futility.binding else efficacy_bounds(plan)[None]

    def power_at(theta: float) -> float:
        return float(both_bounds(rates, alpha, fixed, beta, theta)[2][0])

    drift = _root(plan, power_at)
    upper, lower, _ = both_bounds(rates, alpha, fixed, beta, drift)
    return upper[0], lower[0], drift


def both_bounds(
    rates: Floats,
    alpha: Floats | None,
    fixed: Floats | None,
    beta: Floats,
    theta: float,
    precision: Precision = PRECISE,
) -> tuple[Floats, Floats, Floats]:
    """Futility bounds that spend beta at a drift, with critical values given or spending alpha.

    Parameters
    ----------
    rates
        Information, (B, K).
    alpha
        Cumulative alpha by each look, (B, K), for bounds that bind; or none.
    fixed
        Critical values, (B, K), where futility does not bind; or none.
    beta
        Cumulative beta by each look, (B, K); a look that spends nothing has no bound.
    theta
        Drift under which beta is spent.

    Returns
    -------
    tuple
        Critical values (B, K), futility bounds (B, K), and the power (B,).
    """
    trials, looks = rates.shape
    walk, drift = Walk.start(trials, precision), np.array([theta])
    upper, lower, power = np.empty_like(rates), np.full_like(rates, -np.inf), np.zeros(trials)
    alphas = np.diff(alpha, axis=1, prepend=0.0) if alpha is not None else None
    betas = np.maximum(np.diff(beta, axis=1, prepend=0.0), 0.0)
    for k in range(looks):
        rate = rates[:, k]
        if fixed is not None:
            upper[:, k] = fixed[:, k]
        elif alphas is not None:
            upper[:, k] = walk.upper_bound(np.maximum(alphas[:, k], 0.0), rate, _ZERO)
        power += walk.above(upper[:, k], rate, drift)
        lower[:, k] = np.minimum(walk.lower_bound(betas[:, k], rate, drift), upper[:, k])
        if k < looks - 1:
            walk = walk.advance(rate, lower[:, k], upper[:, k], rates[:, k + 1], (0.0, theta))
    return upper, lower, power


def _with_conditional_power(
    plan: SequentialPlan, critical: Floats, futility: ConditionalPowerFutility
) -> tuple[Floats, Floats, float]:
    rates = np.asarray(plan.rates)

    def bounds(theta: float) -> Floats:
        low = [
            _z_of_conditional_power(critical, rates, k, theta, wanted)
            for k, wanted in enumerate(futility.bounds)
        ]
        return np.asarray(np.minimum(np.array([*low, -np.inf]), critical))

    def power_at(theta: float) -> float:
        return float(crossing(critical, bounds(theta), rates, theta)[0].sum())

    drift = _root(plan, power_at)
    return critical, bounds(drift), drift


def remaining(
    critical: Floats, rates: Floats, look: int, z: Floats
) -> tuple[Floats, Floats]:
    """Bounds (B, K - look) of the process after a look at which Z was z (B,), and their rates."""
    later, now = rates[look + 1 :], rates[look]
    steps = np.sqrt(later - now)
    moved: Floats = np.asarray(critical)[look + 1 :] * np.sqrt(later) - (z * np.sqrt(now))[:, None]
    return np.asarray(moved / steps), np.asarray(later - now)


def conditional_rejection(
    critical: Floats, rates: Floats, look: int, z: Floats, theta: Floats
) -> Floats:
    """Probability (B,) of crossing at a later look given Z = z (B,), under drifts (B,)."""
    upper, later = remaining(critical, rates, look, z)
    up, _ = crossing(upper, np.full(len(later), -np.inf), later, theta)
    total: Floats = up.sum(axis=1)
    return total


def _z_of_conditional_power(
    critical: Floats, rates: Floats, look: int, theta: float, wanted: float
) -> float:
    drift = np.array([theta])

    def excess(z: float) -> float:
        reached = conditional_rejection(critical, rates, look, np.array([z]), drift)
        return float(reached[0]) - wanted

    return float(brentq(excess, -15.0, 15.0, xtol=1e-10))
