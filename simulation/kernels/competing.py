"""Competing risks in each replicate, on rows sorted by time: cause 1 is the one of interest."""

from typing import Any

import numpy as np
from numba import njit

_ARM = 4
"""Columns of an arm in the table of event times: at risk, events of cause 1, of another, gone."""


@njit(cache=True, error_model="numpy")
def _tabulate(
    time: Any, cause: Any, arm: Any, included: Any, order: Any, moments: Any, table: Any
) -> Any:
    """Distinct event times of a row in rising order: their number.

    `table` (N, 2, 4) takes by arm the patients at risk and the events of cause 1 and of another.
    """
    at_risk = np.zeros(2)
    for k in range(time.size):
        if included[k]:
            at_risk[arm[k]] += 1.0
    count = 0
    i = 0
    while i < time.size:
        now = time[order[i]]
        table[count] = 0.0
        table[count, 0, 0] = at_risk[0]
        table[count, 1, 0] = at_risk[1]
        events = 0
        while i < time.size and time[order[i]] == now:
            k = order[i]
            i += 1
            if not included[k]:
                continue
            at_risk[arm[k]] -= 1.0
            if cause[k] > 0:
                events += 1
                table[count, arm[k], 1 if cause[k] == 1 else 2] += 1.0
        if events > 0:
            moments[count] = now
            count += 1
    return count


@njit(cache=True, error_model="numpy")
def _incidence(table: Any, moments: Any, count: Any, arm: Any, horizon: Any, path: Any) -> Any:
    """Aalen-Johansen's estimate in one arm at a horizon: the event times used, and the estimate.

    `path` (N, 2) gets survival before and incidence after each event time.
    """
    survival = 1.0
    incidence = 0.0
    used = 0
    for j in range(count):
        if moments[j] > horizon:
            break
        used += 1
        path[j, 0] = survival
        at_risk = table[j, arm, 0]
        if at_risk > 0.0:
            incidence += survival * table[j, arm, 1] / at_risk
            survival *= 1.0 - (table[j, arm, 1] + table[j, arm, 2]) / at_risk
        path[j, 1] = incidence
    return used, incidence


@njit(cache=True, error_model="numpy")
def _jackknife(table: Any, arm: Any, used: Any, final: Any, path: Any) -> Any:
    """Sum of squares of the patients' influences on the incidence (infinitesimal jackknife)."""
    forward = 0.0
    backward = 0.0
    total = 0.0
    for j in range(used):
        at_risk = table[j, arm, 0]
        first, events = table[j, arm, 1], table[j, arm, 1] + table[j, arm, 2]
        if at_risk == 0.0:
            continue
        direct = path[j, 0] / at_risk
        later = 0.0
        if at_risk > events:
            later = (final - path[j, 1]) / (at_risk - events)
        forward += direct * first / at_risk
        backward += later * events / at_risk
        base = backward - forward
        total += first * (direct - later + base) ** 2 + (events - first) * (later - base) ** 2
        following = table[j + 1, arm, 0] if j + 1 < used else 0.0
        total += (at_risk - events - following) * base**2
    return total


@njit(cache=True, error_model="numpy")
def incidence_rows(
    time: Any, cause: Any, arm: Any, included: Any, order: Any, horizons: Any
) -> tuple[Any, Any, Any]:
    """Cumulative incidence of cause 1 in two arms.

    Parameters
    ----------
    time, included
        (R, N); `order` sorts the rows.
    cause
        0 censored, 1 of interest, 2 another, (R, N).
    arm
        0 or 1, (R, N).
    horizons
        Times (T,).

    Returns
    -------
    tuple of arrays
        Incidence and its variance (R, 2, T), longest follow-up (R, 2).
    """
    replicates, patients = time.shape
    value = np.zeros((replicates, 2, horizons.size))
    variance = np.zeros((replicates, 2, horizons.size))
    longest = np.zeros((replicates, 2))
    moments = np.empty(patients)
    table = np.empty((patients + 1, 2, _ARM))
    path = np.empty((patients, 2))
    for r in range(replicates):
        for i in range(patients):
            if included[r, i]:
                longest[r, arm[r, i]] = max(longest[r, arm[r, i]], time[r, i])
        count = _tabulate(time[r], cause[r], arm[r], included[r], order[r], moments, table)
        for side in range(2):
            for t in range(horizons.size):
                used, final = _incidence(table, moments, count, side, horizons[t], path)
                value[r, side, t] = final
                variance[r, side, t] = _jackknife(table, side, used, final, path)
    return value, variance, longest


@njit(cache=True, error_model="numpy")
def _gray_path(table: Any, count: Any, path: Any) -> tuple[Any, Any]:
    """First pass of Gray's test: the score of arm 1 and the integral that its variance needs.

    `path` (T, 7) gets: survival before of both arms and after of both arms, one less the pooled
    incidence, h, and the integral up to and with each time.
    """
    survival = np.ones(2)
    incidence = np.zeros(2)
    pooled = 0.0
    integral = 0.0
    score = 0.0
    for j in range(count):
        h0 = table[j, 0, 0] / survival[0] if table[j, 0, 0] > 0.0 else 0.0
        h1 = table[j, 1, 0] / survival[1] if table[j, 1, 0] > 0.0 else 0.0
        h = h0 + h1
        first = table[j, 0, 1] + table[j, 1, 1]
        free0, free1 = h0 * (1.0 - incidence[0]), h1 * (1.0 - incidence[1])
        score += table[j, 1, 1] - first * free1 / (free0 + free1)
        integral += h0 * h1 / h * first / h / (1.0 - pooled)
        pooled += first / h
        for k in range(2):
            path[j, k] = survival[k]
            if table[j, k, 0] > 0.0:
                incidence[k] += survival[k] * table[j, k, 1] / table[j, k, 0]
                gone = table[j, k, 1] + table[j, k, 2]
                survival[k] *= 1.0 - gone / table[j, k, 0]
            path[j, 2 + k] = survival[k]
        path[j, 4] = 1.0 - pooled
        path[j, 5] = h
        path[j, 6] = integral
    return score, integral


@njit(cache=True, error_model="numpy")
def _gray_variance(table: Any, count: Any, path: Any, whole: Any) -> Any:
    """Second pass: squares of what each event's martingale adds to the score, by arm and cause."""
    variance = 0.0
    for j in range(count):
        h = path[j, 5]
        first = table[j, 0, 1] + table[j, 1, 1]
        rest = whole - path[j, 6]
        for k in range(2):
            at_risk = table[j, k, 0]
            if at_risk == 0.0:
                continue
            before, after = path[j, k], path[j, 2 + k]
            left = path[j, 4] / after if after > 0.0 else 0.0
            if first > 0.0:
                tied = 1.0 - (first - 1.0) / (h * before - 1.0) if first > 1.0 else 1.0
                own = at_risk / before * (1.0 - at_risk / before / h)
                weight = tied * before * first / (h * at_risk)
                variance += weight * (own + (1.0 - left) * rest) ** 2
            other = table[j, k, 2]
            if other > 0.0 and after > 0.0:
                tied = 1.0 - (other - 1.0) / (at_risk - 1.0) if other > 1.0 else 1.0
                variance += tied * other * (before / at_risk * left * rest) ** 2
    return variance


@njit(cache=True, error_model="numpy")
def gray_rows(
    time: Any, cause: Any, arm: Any, included: Any, order: Any
) -> tuple[Any, Any, Any]:
    """Gray's score of arm 1 against arm 0, its variance, and events of cause 1, each (R,).

    Parameters are those of `incidence_rows`.
    """
    replicates, patients = time.shape
    score = np.zeros(replicates)
    variance = np.zeros(replicates)
    events = np.zeros(replicates)
    moments = np.empty(patients)
    table = np.empty((patients + 1, 2, _ARM))
    path = np.empty((patients, 7))
    for r in range(replicates):
        count = _tabulate(time[r], cause[r], arm[r], included[r], order[r], moments, table)
        score[r], whole = _gray_path(table, count, path)
        variance[r] = _gray_variance(table, count, path, whole)
        for j in range(count):
            events[r] += table[j, 0, 1] + table[j, 1, 1]
    return score, variance, events
