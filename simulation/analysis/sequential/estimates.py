"""Estimates, intervals and p-values of trials that could stop early.

Stagewise ordering: a trial that crossed the upper bound earlier is more extreme than one that did
later; at the same look, the higher Z is. It needs nothing that lies beyond the stop.

Sources: Fairbanks and Madsen (1982), doi 10.1093/biomet/69.1.69; Tsiatis, Rosner and Mehta (1984),
doi 10.2307/2530919; repeated confidence intervals: Jennison and Turnbull (1989),
doi 10.1111/j.2517-6161.1989.tb01433.x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, final

import numpy as np
import numpy.typing as npt
import scipy
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from simulation.analysis.sequential.families import Boundary
from simulation.analysis.sequential.plan import SequentialPlan
from simulation.analysis.sequential.quadrature import (
    PRECISE,
    QUICK,
    Floats,
    Journey,
    Precision,
    Walk,
)
from simulation.analysis.sequential.solving import efficacy_bounds

Indices = npt.NDArray[np.int64]
_STEPS: Final = 50
_CLOSE: Final = 1e-9
_CHUNK: Final = 128
_TABLE: Final = 120
_ANY_POWER: Final = 0.99  # asked for by a plan, not used


@final
@dataclass(frozen=True)
class AfterStopping:
    """Inference on the effect, corrected for stopping; each (R,).

    Attributes
    ----------
    estimate
        Median-unbiased estimate, in the unit of the effect.
    low, high
        Equal-tailed confidence interval.
    p_value
        One-sided p value of no effect or less; two-sided if asked for.
    """

    estimate: Floats
    low: Floats
    high: Floats
    p_value: Floats


def after_stopping(
    stage: ArrayLike,
    z: ArrayLike,
    information: ArrayLike,
    critical: ArrayLike,
    lower: ArrayLike | None = None,
    *,
    level: float = 0.95,
    sided: int = 1,
    precision: Precision = QUICK,
) -> AfterStopping:
    """Median-unbiased estimate, confidence interval and p value by stagewise ordering.

    Parameters
    ----------
    stage
        Look at which each trial stopped, from 0, (R,).
    z
        Statistic at that look, (R,).
    information
        1 / variance of the effect's estimate at each look, (K,) or (R, K); after the stop it is
        not looked at.
    critical
        Upper bounds of Z, (K,) or (R, K); before the stop only.
    lower
        Lower bounds that stopped trials, or none; leave out futility that does not bind.
    level
        Confidence level of the two-sided interval.
    sided
        2 doubles the smaller tail for the p value.
    precision
        `QUICK` gives estimates within 1e-6 standard errors.

    Returns
    -------
    AfterStopping

    Examples
    --------
    >>> found = after_stopping([1], [3.233078], [15.0, 35.0, 50.0], [3.667259, 2.400785, 2.008641])
    >>> [round(float(x[0]), 4) for x in (found.estimate, found.low, found.high)]
    [0.5452, 0.2122, 0.877]
    """
    stages = np.asarray(stage, dtype=np.int64)
    values = np.asarray(z, dtype=np.float64)
    times = np.atleast_2d(np.asarray(information, dtype=np.float64))
    upper = np.atleast_2d(np.asarray(critical, dtype=np.float64))
    below = np.full_like(upper, -np.inf) if lower is None else np.atleast_2d(
        np.asarray(lower, dtype=np.float64)
    )
    out = np.empty((4, len(stages)))
    for look in np.unique(stages):
        rows = np.flatnonzero(stages == look)
        shared = max(len(times), len(upper), len(below)) == 1
        size = len(rows) if shared else _CHUNK
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            rows_of = [x if len(x) == 1 else x[part] for x in (times, upper, below)]
            now, high, low = (x[:, : look + 1] for x in rows_of)
            out[:, part] = _of_one_look(values[part], now, high, low, level, sided, precision)
    return AfterStopping(*out)


def _of_one_look(
    z: Floats, times: Floats, upper: Floats, below: Floats, level: float, sided: int,
    precision: Precision,
) -> Floats:
    """Estimate, low, high and p value of trials that stopped at the last of these looks, (4, R)."""
    most = times[:, -1:]
    rates = times / most
    span = _span(z, rates, upper, below)
    order = _Order(z, Journey.through(upper, below, rates, span, precision))
    tail = (1 - level) / 2
    root, naive = np.sqrt(most[:, 0]), z  # at the last look the rate is 1
    solved = [
        _solve(order.probit, naive + shift, goal)
        for goal, shift in ((0.0, 0.0), (ndtri(tail), ndtri(tail)), (-ndtri(tail), -ndtri(tail)))
    ]
    p = ndtr(order.probit(np.zeros(len(z))))
    if sided == 2:
        p = 2 * np.minimum(p, 1 - p)
    return np.stack([*(theta / root for theta in solved), p])


def _span(z: Floats, rates: Floats, upper: Floats, below: Floats) -> tuple[float, float]:
    """Drifts between which every limit lies."""
    high = [z + 5]
    low = [z - 5]
    for k in range(rates.shape[1] - 1):
        root = np.sqrt(rates[:, k])
        low.append(np.where(np.isfinite(upper[:, k]), (upper[:, k] - 5) / root, 0.0))
        high.append(np.where(np.isfinite(below[:, k]), (below[:, k] + 5) / root, 0.0))
    return min(float(x.min()) for x in low), max(float(x.max()) for x in high)


@final
@dataclass(frozen=True)
class _Order:
    """Probability, under a drift, of what is as extreme upwards as what was seen."""

    z: Floats
    journey: Journey

    def probit(self, theta: Floats) -> Floats:
        """Normal quantile of that probability, rising in the drift; (R,)."""
        more, less = np.zeros(len(self.z)), np.zeros(len(self.z))
        walks: tuple[Walk, ...] = self.journey.walks
        for k, walk in enumerate(walks):
            rate, last = self.journey.rates[:, k], k == len(walks) - 1
            more = more + walk.above(self.z if last else self.journey.upper[:, k], rate, theta)
            less = less + walk.below(self.z if last else self.journey.lower[:, k], rate, theta)
        smaller = ndtri(np.clip(np.minimum(more, less), 1e-300, 0.5))
        return np.asarray(np.where(more < less, smaller, -smaller))


def _solve(probit: Callable[[Floats], Floats], start: Floats, goal: float) -> Floats:
    """Drift (R,) at which a rising function reaches the goal, by the secant method."""
    before, theta = start - 0.5, start
    seen = probit(before)
    for _ in range(_STEPS):
        now = probit(theta)
        moved = np.abs(theta - before) > 1e-13
        slope = np.where(moved, (now - seen) / np.where(moved, theta - before, 1.0), 1.0)
        change = np.clip((goal - now) / np.clip(slope, 0.05, 20.0), -2.0, 2.0)
        before, seen, theta = theta, now, theta + change
        if np.abs(change).max() < _CLOSE:
            break
    return theta


def repeated_intervals(
    z: ArrayLike, information: ArrayLike, critical: ArrayLike
) -> tuple[Floats, Floats]:
    """Confidence limits that hold at all looks together, whether the trial stops or not.

    Parameters
    ----------
    z, information, critical
        Statistic, information and critical value at each look; arrays that broadcast, as (R, K).

    Returns
    -------
    tuple
        Lower and upper limits, in the unit of the effect. The confidence is 1 - 2 alpha for a
        one-sided design at alpha, and 1 - alpha for a two-sided one.
    """
    root = np.sqrt(np.asarray(information, dtype=np.float64))
    values, bound = np.asarray(z, dtype=np.float64), np.asarray(critical, dtype=np.float64)
    return (values - bound) / root, (values + bound) / root


def stagewise_p_value(
    stage: int, z: float, rates: ArrayLike, critical: ArrayLike, lower: ArrayLike | None = None
) -> float:
    """One-sided p value of one trial by stagewise ordering, within 1e-12.

    Examples
    --------
    >>> round(stagewise_p_value(1, 3.233078, [0.3, 0.7, 1.0], [3.667259, 2.400785, 2.008641]), 7)
    0.0007115
    """
    found = after_stopping([stage], [z], rates, critical, lower, precision=PRECISE)
    return float(found.p_value[0])


def repeated_p_values(plan: SequentialPlan, look: int, z: ArrayLike) -> Floats:
    """Least one-sided level at which a design of this family rejects at a look, (R,).

    Futility is not counted. By a table of 120 levels, between which the normal quantile is a cubic
    spline in the critical value; within a relative 1e-6 of solving for each level.

    Parameters
    ----------
    plan
        The design; its own level does not matter.
    look
        From 0.
    z
        Statistic at that look, (R,).

    Returns
    -------
    array
        (R,), between 1e-12 and 0.49.

    Raises
    ------
    InputError
        For Haybittle-Peto designs, whose interim looks do not follow the level.
    """
    critical, quantiles = _levels(plan.boundary, plan.rates, look)
    curve = scipy.interpolate.CubicSpline(critical, quantiles)
    value = np.clip(np.asarray(z, dtype=np.float64), critical[0], critical[-1])
    return np.asarray(ndtr(-curve(value)))


@lru_cache(maxsize=64)
def _levels(boundary: Boundary, rates: tuple[float, ...], look: int) -> tuple[Floats, Floats]:
    """Critical value at a look for each level, rising, and the levels' quantiles."""
    quantiles = np.linspace(-float(ndtri(0.49)), -float(ndtri(1e-12)), _TABLE)
    critical = [
        efficacy_bounds(
            SequentialPlan(
                boundary=boundary, rates=rates, alpha=float(ndtr(-q)), power=_ANY_POWER
            )
        )[look]
        for q in quantiles
    ]
    return np.array(critical), quantiles
