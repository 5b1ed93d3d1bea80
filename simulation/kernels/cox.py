"""Cox's and Fine and Gray's model in each replicate."""

from math import sqrt
from typing import Any

import numpy as np
from numba import njit

from simulation.kernels.cox_likelihood import People, Rule, climb, make_work
from simulation.kernels.cox_residuals import sandwich


@njit(cache=True, error_model="numpy")
def standardise(x: Any, spread: Any, keep_scale: Any) -> None:
    """Centre columns (n, P) in place and divide them by their standard deviation (kept)."""
    for p in range(x.shape[1]):
        total = 0.0
        for i in range(x.shape[0]):
            total += x[i, p]
        centre = total / max(x.shape[0], 1)
        squares = 0.0
        for i in range(x.shape[0]):
            x[i, p] -= centre
            squares += x[i, p] ** 2
        spread[p] = sqrt(squares / max(x.shape[0], 1))
        # What a column without spread keeps are rounding errors.
        flat = spread[p] <= 1e-12 * abs(centre) or spread[p] == 0.0
        if flat or keep_scale:
            spread[p] = 1.0
        for i in range(x.shape[0]):
            x[i, p] = 0.0 if flat else x[i, p] / spread[p]


@njit(cache=True, error_model="numpy")
def mark_starts(time: Any, stratum: Any, kept: Any, starts: Any) -> None:
    """Mark where strata (2) and times (1) begin among the kept patients."""
    for i in range(kept.size):
        if i == 0 or stratum[kept[i]] != stratum[kept[i - 1]]:
            starts[i] = 2
        elif time[kept[i]] != time[kept[i - 1]]:
            starts[i] = 1
        else:
            starts[i] = 0


@njit(cache=True, error_model="numpy")
def _censoring_curve(event: Any, late: Any, starts: Any, free: Any) -> None:
    """Kaplan-Meier curve of censoring just before each time; events come before it."""
    survival = 1.0
    i = 0
    while i < event.size:
        stop = i
        events = 0.0
        while stop < event.size and (stop == i or starts[stop] == 0):
            free[stop] = survival
            events += event[stop] + late[stop]
            stop += 1
        at_risk = event.size - i - events
        if stop - i > events:
            survival *= 1.0 - (stop - i - events) / at_risk
        i = stop


@njit(cache=True, error_model="numpy")
def cox_rows(
    time: Any, event: Any, columns: Any, included: Any, order: Any, stratum: Any, weight: Any,
    offset: Any, late: Any, settings: Any,
) -> tuple[Any, Any, Any, Any, Any, Any, Any]:
    """Fit one model per replicate.

    Parameters
    ----------
    time, event, included, stratum
        (R, N); `order` sorts each row by stratum, then time.
    columns
        (R, N, P).
    weight, offset
        (R, N), or (R, 0) for none.
    late
        1.0 where another event ended the time, (R, N): Fine and Gray's model, without strata.
        (R, 0) for Cox's.
    settings
        Efron's ties (1, else Breslow's), robust variance (0 none, 1 with the weights of the late
        as known, 2 with them as estimated), ridge penalty, iterations.

    Returns
    -------
    tuple of arrays
        Coefficients (R, P), inverse information and robust variance (R, P, P; robust 0 where not
        asked for), log likelihoods at the estimate and at 0 with the score statistic (R, 3),
        convergence (R,), aliased columns (R, P), events (R,).
    """
    replicates, patients, size = columns.shape
    robust = settings[1] > 0.0
    rule = Rule(settings[0] > 0.0, settings[2], int(settings[3]))
    beta = np.zeros((replicates, size))
    naive = np.zeros((replicates, size, size))
    robusts = np.zeros((replicates, size, size))
    values = np.zeros((replicates, 3))
    converged = np.zeros(replicates, dtype=np.bool_)
    aliased = np.zeros((replicates, size), dtype=np.bool_)
    events = np.zeros(replicates)
    x = np.empty((patients, size))
    plain = np.zeros((5, patients))
    plain[1] = 1.0
    kept = np.empty(patients, dtype=np.int64)
    starts = np.empty(patients, dtype=np.int64)
    spread = np.empty(size)
    score = np.empty((patients, size))
    hazard = np.empty((patients, size + 1))
    work = make_work(patients, size)
    for r in range(replicates):
        n = 0
        for i in range(patients):
            k = order[r, i]
            if included[r, k]:
                kept[n] = k
                x[n] = columns[r, k]
                plain[0, n] = event[r, k]
                events[r] += event[r, k]
                n += 1
        _gather(r, kept[:n], weight, offset, late, plain)
        standardise(x[:n], spread, rule.penalty > 0.0)
        mark_starts(time[r], stratum[r], kept[:n], starts)
        staying = n if late.shape[1] > 0 else 0
        people = People(
            x[:n], plain[0, :n], plain[1, :n], plain[2, :n], starts[:n], plain[3, :staying],
            plain[4, :staying],
        )
        if staying > 0:
            _censoring_curve(people.event, people.late, people.starts, people.free)
        converged[r] = climb(people, rule, work, values[r]) and events[r] > 0.0
        aliased[r] = work.aliased
        if robust:
            sandwich(people, rule, work, score, hazard, settings[1] == 1.0, robusts[r])
        for p in range(size):
            beta[r, p] = work.beta[p] / spread[p]
            for q in range(size):
                naive[r, p, q] = work.inverse[p, q] / (spread[p] * spread[q])
                robusts[r, p, q] /= spread[p] * spread[q]
    return beta, naive, robusts, values, converged, aliased, events


@njit(cache=True, error_model="numpy")
def _gather(r: Any, kept: Any, weight: Any, offset: Any, late: Any, plain: Any) -> None:
    """Bring weights, offsets and other events of a row into sorted order."""
    for i in range(kept.size):
        if weight.shape[1] > 0:
            plain[1, i] = weight[r, kept[i]]
        if offset.shape[1] > 0:
            plain[2, i] = offset[r, kept[i]]
        if late.shape[1] > 0:
            plain[3, i] = late[r, kept[i]]
