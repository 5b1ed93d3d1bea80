"""Distances of what follows in time: censoring, restricted mean, incidence by cause."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from generation.evaluation.survival import Flags, kaplan_meier, times_events
from generation.evaluation.tables import EndpointColumns, Floats, Table
from generation.evaluation.trajectories import arms_of

_AT_RISK = 10
_GRID = 200
_SOONER = 0.25
_OTHER_CAUSE = 0.25


def common_horizon(pool: Table, endpoint: EndpointColumns) -> float:
    """Last day at which 10 real patients (or a tenth) of every arm are still at risk."""
    ends = []
    for arm in arms_of(pool):
        time, _, known = times_events(pool, endpoint)
        time = np.sort(time[known & arm])
        if len(time):
            ends.append(float(time[-max(1, min(_AT_RISK, len(time) // 10))]))
    return min(ends) if ends else float("nan")


def censoring_distance(
    synthetic: Table, real: Table, endpoint: EndpointColumns, horizon: float
) -> float:
    """Mean absolute difference of the censoring distributions, by arm, in [0, 1].

    Kaplan-Meier curves of the time to censoring, events ending the observation of it.
    """
    grid = np.linspace(0.0, horizon, _GRID)

    def curve(time: Floats, event: Flags) -> Floats:
        return kaplan_meier(time, ~event, grid)

    return _by_arm(synthetic, real, endpoint, lambda a, b: _gap(curve, a, b))


def restricted_means(table: Table, endpoint: EndpointColumns, horizon: float) -> Floats:
    """Mean days without the event up to the horizon, by arm, shape (arms,); NaN without anyone."""
    grid = np.linspace(0.0, horizon, _GRID)
    time, event, known = times_events(table, endpoint)
    means = []
    for arm in arms_of(table):
        rows = known & arm
        curve = kaplan_meier(time[rows], event[rows], grid)
        means.append(float(np.trapezoid(curve, grid)) if rows.any() else float("nan"))
    return np.array(means)


def restricted_mean_distance(
    synthetic: Table, real: Table, endpoint: EndpointColumns, horizon: float
) -> float:
    """Mean over arms of the absolute difference of restricted mean survival times, in days."""
    grid = np.linspace(0.0, horizon, _GRID)

    def mean(time: Floats, event: Flags) -> Floats:
        return np.array([np.trapezoid(kaplan_meier(time, event, grid), grid)])

    return _by_arm(synthetic, real, endpoint, lambda a, b: _gap(mean, a, b, horizon))


def restricted_mean_details(
    synthetic: Table, real: Table, endpoint: EndpointColumns, horizon: float
) -> dict[str, Any]:
    """Restricted means by arm, and the difference between arms where there are two."""
    ours = restricted_means(synthetic, endpoint, horizon)
    theirs = restricted_means(real, endpoint, horizon)
    arm = real.layout.arm
    names = ("all",) if arm is None else real.layout.levels[arm]
    found: dict[str, Any] = {
        "horizon_days": horizon,
        "arms": {
            name: {"synthetic": a, "real": b}
            for name, a, b in zip(names, ours, theirs, strict=True)
            if np.isfinite(b)
        },
    }
    if len(names) == 2:
        found["difference_between_arms"] = {
            "synthetic": float(ours[1] - ours[0]),
            "real": float(theirs[1] - theirs[0]),
        }
    return found


def cumulative_incidence(time: Floats, cause: Floats, causes: int, grid: Floats) -> Floats:
    """Aalen-Johansen estimate of the probability of each cause by each day of the grid.

    Parameters
    ----------
    time
        Days to event or censoring, shape (n,).
    cause
        0 = censored, otherwise 1 to `causes`, shape (n,).

    Returns
    -------
    array of shape (causes, grid)

    Notes
    -----
    Aalen and Johansen (1978), Scandinavian Journal of Statistics 5, 141-150.

    Examples
    --------
    >>> cumulative_incidence(np.array([1.0, 2.0]), np.array([1.0, 2.0]), 2, np.array([1.5, 2.5]))
    array([[0.5, 0.5],
           [0. , 0.5]])
    """
    if not len(time):
        return np.zeros((causes, len(grid)))
    moments, where = np.unique(time, return_inverse=True)
    leaving = np.bincount(where)
    at_risk = len(time) - np.concatenate([[0], np.cumsum(leaving)[:-1]])
    died = np.array([np.bincount(where, weights=cause == k + 1) for k in range(causes)])
    survival = np.concatenate([[1.0], np.cumprod(1 - died.sum(axis=0) / at_risk)])
    risen = np.cumsum(survival[:-1] * died / at_risk, axis=1)
    curves = np.concatenate([np.zeros((causes, 1)), risen], axis=1)
    return np.asarray(curves[:, np.searchsorted(moments, grid, side="right")])


def causes_of(table: Table, endpoint: EndpointColumns) -> Floats:
    """0 = censored, 1 and up the causes in the order of their levels, shape (n,)."""
    if endpoint.cause is None:
        return table.codes[:, endpoint.event].astype(np.float64)
    event = table.codes[:, endpoint.event] > 0
    return np.where(event, np.maximum(table.codes[:, endpoint.cause], 0) + 1.0, 0.0)


def incidence_distance(
    synthetic: Table, real: Table, endpoint: EndpointColumns, horizon: float
) -> float:
    """Mean absolute difference of cumulative incidences over causes, arms and days, in [0, 1]."""
    grid = np.linspace(0.0, horizon, _GRID)
    number = 1 if endpoint.cause is None else len(real.layout.levels[endpoint.cause])
    gaps, sizes = [], []
    for ours, theirs in zip(arms_of(synthetic), arms_of(real), strict=True):
        sides = [_curves(t, endpoint, rows, number, grid) for t, rows in
                 ((synthetic, ours), (real, theirs))]  # fmt: skip
        sizes.append(int(theirs.sum()))
        gaps.append(float(np.abs(sides[0] - sides[1]).mean()) if ours.any() else 1.0)
    return float(np.average(gaps, weights=sizes)) if sum(sizes) else float("nan")


def _curves(
    table: Table, endpoint: EndpointColumns, arm: Flags, number: int, grid: Floats
) -> Floats:
    time, _, known = times_events(table, endpoint)
    rows = known & arm
    return cumulative_incidence(time[rows], causes_of(table, endpoint)[rows], number, grid)


def _by_arm(
    synthetic: Table,
    real: Table,
    endpoint: EndpointColumns,
    distance: Callable[[tuple[Floats, Flags], tuple[Floats, Flags]], float],
) -> float:
    """Mean over arms of a distance, weighted by the real arms' sizes."""
    gaps, sizes = [], []
    for ours, theirs in zip(arms_of(synthetic), arms_of(real), strict=True):
        sides = []
        for table, arm in ((synthetic, ours), (real, theirs)):
            time, event, known = times_events(table, endpoint)
            sides.append((time[known & arm], event[known & arm]))
        if len(sides[1][0]):
            gaps.append(distance(sides[0], sides[1]))
            sizes.append(len(sides[1][0]))
    return float(np.average(gaps, weights=sizes)) if gaps else float("nan")


def _gap(
    curve: Callable[[Floats, Flags], Floats],
    ours: tuple[Floats, Flags],
    theirs: tuple[Floats, Flags],
    furthest: float = 1.0,
) -> float:
    """Mean absolute difference; a sample without the arm is as far off as can be."""
    if not len(ours[0]):
        return furthest
    return float(np.abs(curve(*ours) - curve(*theirs)).mean())


def more_events(table: Table, rng: np.random.Generator, endpoint: EndpointColumns) -> Table:
    """Planted error: patients with the event are drawn half as often again."""
    event = table.codes[:, endpoint.event] > 0
    weight = np.where(event, 1.5, 1.0)
    return table.take(rng.choice(len(table), size=len(table), p=weight / weight.sum()))


def sooner_censored(table: Table, rng: np.random.Generator, endpoint: EndpointColumns) -> Table:
    """Planted error: a quarter of the patients are censored at a random earlier time."""
    numbers, codes = table.numbers.copy(), table.codes.copy()
    hit = rng.random(len(table)) < _SOONER
    numbers[hit, endpoint.time] *= rng.random(int(hit.sum()))
    known = hit & (codes[:, endpoint.event] >= 0)
    codes[known, endpoint.event] = 0
    if endpoint.cause is not None:
        codes[known, endpoint.cause] = -1
    return Table(table.layout, numbers, codes)


def other_causes(table: Table, rng: np.random.Generator, endpoint: EndpointColumns) -> Table:
    """Planted error: a quarter of the events get the next cause."""
    assert endpoint.cause is not None
    codes = table.codes.copy()
    hit = (rng.random(len(table)) < _OTHER_CAUSE) & (codes[:, endpoint.cause] >= 0)
    levels = len(table.layout.levels[endpoint.cause])
    codes[hit, endpoint.cause] = (codes[hit, endpoint.cause] + 1) % levels
    return Table(table.layout, table.numbers, codes)
