"""Kaplan-Meier curves and the areas under them, in each replicate."""

from typing import Any

import numpy as np
from numba import njit

from simulation.kernels.survival import (
    AT_RISK,
    EVENTS,
    TIME,
    TREATED,
    TREATED_EVENTS,
    tabulate,
)


@njit(cache=True, error_model="numpy")
def _curve(table: Any, count: Any, side: Any, horizon: Any, until: Any) -> tuple[Any, Any, Any]:
    """Kaplan-Meier of one arm up to a horizon: events times used, survival, Greenwood's sum.

    `until` (N,) is filled with the area under the curve up to each event time.
    """
    survival = 1.0
    greenwood = 0.0
    area = 0.0
    before = 0.0
    used = 0
    for j in range(count - 1, -1, -1):
        now = table[j, TIME]
        if now > horizon:
            break
        used += 1
        area += survival * (now - before)
        before = now
        until[j] = area
        at_risk = table[j, TREATED] if side == 1 else table[j, AT_RISK] - table[j, TREATED]
        events = (
            table[j, TREATED_EVENTS] if side == 1 else table[j, EVENTS] - table[j, TREATED_EVENTS]
        )
        if events > 0.0:
            if at_risk > events:
                greenwood += events / (at_risk * (at_risk - events))
            survival *= 1.0 - events / at_risk
    return used, survival, greenwood


@njit(cache=True, error_model="numpy")
def _areas(
    table: Any, count: Any, side: Any, horizon: Any, until: Any, used: Any, survival: Any
) -> tuple[Any, Any]:
    """Area under the curve of one arm up to a horizon, and its variance."""
    last = 0.0
    total = 0.0
    if used > 0:
        last = table[count - used, TIME]
        total = until[count - used]
    total += survival * (horizon - last)
    variance = 0.0
    for j in range(count - 1, count - 1 - used, -1):
        at_risk = table[j, TREATED] if side == 1 else table[j, AT_RISK] - table[j, TREATED]
        events = (
            table[j, TREATED_EVENTS] if side == 1 else table[j, EVENTS] - table[j, TREATED_EVENTS]
        )
        if events > 0.0 and at_risk > events:
            variance += (total - until[j]) ** 2 * events / (at_risk * (at_risk - events))
    return total, variance


@njit(cache=True, error_model="numpy")
def curve_rows(
    time: Any, event: Any, treated: Any, included: Any, order: Any, horizons: Any
) -> tuple[Any, Any, Any, Any, Any]:
    """Kaplan-Meier curves of the two arms at T horizons.

    Parameters
    ----------
    time, event, treated, included, order
        (R, N), as in `weighted_rows` without strata.
    horizons
        Times (T,).

    Returns
    -------
    tuple of arrays
        Survival and its Greenwood variance, area under the curve and its variance, each
        (R, 2, T) with control first; longest follow-up (R, 2).
    """
    replicates, patients = time.shape
    shape = (replicates, 2, horizons.size)
    survival = np.empty(shape)
    spread = np.empty(shape)
    area = np.empty(shape)
    area_spread = np.empty(shape)
    longest = np.zeros((replicates, 2))
    table = np.empty((patients, 6))
    until = np.empty(patients)
    none = np.zeros(patients, dtype=np.int64)
    for r in range(replicates):
        for i in range(patients):
            if included[r, i]:
                side = 1 if treated[r, i] > 0.0 else 0
                longest[r, side] = max(longest[r, side], time[r, i])
        count = tabulate(time[r], event[r], treated[r], included[r], order[r], none, table)
        for side in range(2):
            for t in range(horizons.size):
                used, left, greenwood = _curve(table, count, side, horizons[t], until)
                survival[r, side, t] = left
                spread[r, side, t] = left * left * greenwood
                area[r, side, t], area_spread[r, side, t] = _areas(
                    table, count, side, horizons[t], until, used, left
                )
    return survival, spread, area, area_spread, longest
