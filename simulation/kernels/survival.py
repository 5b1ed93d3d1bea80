"""Sums over risk sets of each replicate, on rows sorted by stratum and time.

One backward pass brings a row to a table of its distinct event times; tests and curves are read
from that table. Its columns: time, patients at risk, treated at risk, events, events of the
treated, number of the stratum; it stands in falling order of stratum and time. The plain log-rank
test, by far the most used, has a shorter way, by packed keys.
"""

from math import sqrt
from typing import Any

import numpy as np
from numba import njit

TIME, AT_RISK, TREATED, EVENTS, TREATED_EVENTS, STRATUM = range(6)
FLEMING_HARRINGTON, GEHAN, TARONE_WARE, MODEST = range(4)
_LAST = int(np.float64(np.inf).view(np.int64))


@njit(cache=True, error_model="numpy")
def tabulate(
    time: Any, event: Any, treated: Any, included: Any, order: Any, stratum: Any, table: Any
) -> Any:
    """Fill the table of one row; how many distinct event times it has."""
    count = 0
    at_risk = 0.0
    treated_at_risk = 0.0
    current = -1
    i = time.size - 1
    while i >= 0:
        k = order[i]
        now = time[k]
        if stratum[k] != current:
            current = stratum[k]
            at_risk = 0.0
            treated_at_risk = 0.0
        events = 0.0
        treated_events = 0.0
        while i >= 0:
            k = order[i]
            if time[k] != now or stratum[k] != current:
                break
            i -= 1
            if included[k]:
                at_risk += 1.0
                treated_at_risk += treated[k]
                events += event[k]
                treated_events += event[k] * treated[k]
        if events > 0.0:
            table[count, TIME] = now
            table[count, AT_RISK] = at_risk
            table[count, TREATED] = treated_at_risk
            table[count, EVENTS] = events
            table[count, TREATED_EVENTS] = treated_events
            table[count, STRATUM] = current
            count += 1
    return count


@njit(cache=True, error_model="numpy")
def _power(base: Any, exponent: Any) -> Any:
    """Power with the usual exponents made cheap; 0 to the power of 0 is 1."""
    if exponent == 0.0:
        return 1.0
    if exponent == 1.0:
        return base
    if exponent == 0.5:
        return sqrt(base)
    return base**exponent


@njit(cache=True, error_model="numpy")
def _weigh(kind: Any, first: Any, second: Any, survival: Any, held: Any, at_risk: Any) -> Any:
    """Weight of an event time.

    `survival` is the pooled curve just before it; `held` that curve, but not beyond `first`.
    """
    if kind == FLEMING_HARRINGTON:
        return _power(survival, first) * _power(1.0 - survival, second)
    if kind == GEHAN:
        return at_risk
    if kind == TARONE_WARE:
        return sqrt(at_risk)
    return min(1.0 / held, second) if held > 0.0 else second


@njit(cache=True, error_model="numpy")
def _add(
    table: Any, count: Any, weights: Any, held: Any, score: Any, slope: Any, variance: Any
) -> Any:
    """Add up one row's weighted sums; its number of events."""
    tests = weights.shape[0]
    weight = np.empty(tests)
    survival = 1.0
    stratum = -1.0
    total = 0.0
    for j in range(count - 1, -1, -1):
        now = table[j, TIME]
        at_risk = table[j, AT_RISK]
        events = table[j, EVENTS]
        if table[j, STRATUM] != stratum:
            stratum = table[j, STRATUM]
            survival = 1.0
            held[:] = 1.0
        share = table[j, TREATED] / at_risk
        spread = 0.0
        if at_risk > 1.0:
            spread = events * share * (1.0 - share) * (at_risk - events) / (at_risk - 1.0)
        after = survival * (1.0 - events / at_risk)
        excess = table[j, TREATED_EVENTS] - events * share
        for a in range(tests):
            w = _weigh(
                weights[a, 0], weights[a, 1], weights[a, 2], survival, held[a], at_risk
            )
            weight[a] = w
            score[a] += w * excess
            slope[a] += w * spread
            for b in range(a + 1):
                variance[a, b] += w * weight[b] * spread
            if now <= weights[a, 1]:
                held[a] = after
        survival = after
        total += events
    for a in range(tests):
        for b in range(a):
            variance[b, a] = variance[a, b]
    return total


@njit(cache=True, error_model="numpy")
def _pack(bits: Any, event: Any, treated: Any, included: Any, keys: Any) -> None:
    """Fill the keys of one row from the bits of its times."""
    for i in range(bits.size):
        facts = (2 if event[i] else 0) | (1 if treated[i] else 0)
        key = (min(max(bits[i], 0), _LAST - 1) & -4) | facts
        keys[i] = key if included[i] else _LAST


@njit(cache=True, error_model="numpy")
def pack_rows(time: Any, event: Any, treated: Any, included: Any) -> Any:
    """Keys (R, N) of int64 that sort like the times and end in the event's and the arm's bit.

    They sort the same as float64, which NumPy sorts faster: none is the bits of not-a-number.
    Times apart by less than four units in the last place may become ties (R's survival ties
    those within 1e-8 of themselves). Patients not included get the largest key.
    """
    keys = np.empty(time.shape, dtype=np.int64)
    bits = time.view(np.int64)
    for r in range(time.shape[0]):
        _pack(bits[r], event[r], treated[r], included[r], keys[r])
    return keys


@njit(cache=True, error_model="numpy")
def packed_rows(keys: Any) -> tuple[Any, Any, Any]:
    """Log-rank sums of sorted keys: observed less expected, variance, events, each (R,)."""
    replicates, patients = keys.shape
    score = np.zeros(replicates)
    variance = np.zeros(replicates)
    events = np.zeros(replicates)
    for r in range(replicates):
        i = patients - 1
        while i >= 0 and keys[r, i] == _LAST:
            i -= 1
        at_risk = 0
        treated_at_risk = 0
        # Sums of their own: those in arrays would be stored and read again at every time.
        excess, spreads, total = 0.0, 0.0, 0
        while i >= 0:
            now = keys[r, i] & -4
            deaths = 0
            treated_deaths = 0
            while i >= 0 and keys[r, i] & -4 == now:
                arm = keys[r, i] & 1
                dead = (keys[r, i] >> 1) & 1
                at_risk += 1
                treated_at_risk += arm
                deaths += dead
                treated_deaths += dead & arm
                i -= 1
            # Where nobody died this adds zeros, which is faster than to ask.
            share = treated_at_risk / at_risk
            spread = deaths * share * (1.0 - share)
            if deaths > 1:
                spread *= (at_risk - deaths) / (at_risk - 1.0)
            excess += treated_deaths - deaths * share
            spreads += spread
            total += deaths
        score[r], variance[r], events[r] = excess, spreads, total
    return score, variance, events


@njit(cache=True, error_model="numpy")
def weighted_rows(
    time: Any, event: Any, treated: Any, included: Any, order: Any, stratum: Any, weights: Any
) -> tuple[Any, Any, Any, Any]:
    """Weighted log-rank sums of W tests at once.

    Parameters
    ----------
    time, event, treated
        (R, N) of float64.
    included
        (R, N) of bool.
    order
        Sorts each row by stratum, then by time (patients not included may stand anywhere).
    stratum
        Numbers of strata (R, N), at least 0.
    weights
        (W, 3): kind, and its two figures.

    Returns
    -------
    tuple of arrays
        Weighted observed minus expected events of the treated (R, W); its slope in the log hazard
        ratio (R, W); covariance of the tests (R, W, W); events (R,).
    """
    replicates, patients = time.shape
    tests = weights.shape[0]
    score = np.zeros((replicates, tests))
    slope = np.zeros((replicates, tests))
    variance = np.zeros((replicates, tests, tests))
    events = np.zeros(replicates)
    table = np.empty((patients, 6))
    held = np.empty(tests)
    for r in range(replicates):
        count = tabulate(
            time[r], event[r], treated[r], included[r], order[r], stratum[r], table
        )
        events[r] = _add(table, count, weights, held, score[r], slope[r], variance[r])
    return score, slope, variance, events


@njit(cache=True, error_model="numpy")
def _pair(included: Any, arm: Any, treated: Any, control: Any, there: Any, side: Any) -> None:
    for i in range(arm.size):
        side[i] = arm[i] == treated
        there[i] = included[i] & (side[i] | (arm[i] == control))


@njit(cache=True, error_model="numpy")
def pair_rows(included: Any, arm: Any, treated: Any, control: Any) -> tuple[Any, Any]:
    """Who counts in a comparison of two arms, and who of all is treated, (R, N)."""
    there = np.empty(arm.shape, dtype=np.bool_)
    side = np.empty(arm.shape, dtype=np.bool_)
    for r in range(arm.shape[0]):
        _pair(included[r], arm[r], treated, control, there[r], side[r])
    return there, side


@njit(cache=True, error_model="numpy")
def _cut(
    time: Any, entry: Any, leaves: Any, now: Any, randomised: Any, longest: Any,
    seen: Any, event: Any, included: Any,
) -> None:
    """Cut one row; one array at a time and no branches do several patients at once."""
    for i in range(time.size):
        # The event that a look waits for is at entry + time: cut - entry may round below time.
        came = entry[i] + time[i] <= now
        event[i] = 1.0 if came & (time[i] <= leaves[i]) & (time[i] <= longest) else 0.0
    for i in range(time.size):
        included[i] = randomised[i] & (now > entry[i])
    for i in range(time.size):
        follow = now - entry[i]
        follow = follow if follow < longest else longest
        follow = follow if follow < leaves[i] else leaves[i]
        seen[i] = time[i] if (event[i] > 0.0) | (time[i] < follow) else follow


@njit(cache=True, error_model="numpy")
def cut_rows(
    time: Any, entry: Any, leaves: Any, cut: Any, randomised: Any, longest: Any
) -> tuple[Any, Any, Any]:
    """Cut event times at a look.

    Parameters
    ----------
    time, leaves
        Since randomisation, (R, N).
    entry, randomised
        Time of randomisation and whether the look counts the patient, (R, N).
    cut
        Time of the look (R, 1).
    longest
        Longest follow-up.

    Returns
    -------
    tuple of arrays
        Follow-up, 1.0 where it ended with the event, and who was followed, (R, N).
    """
    seen = np.empty(time.shape)
    event = np.empty(time.shape)
    included = np.empty(time.shape, dtype=np.bool_)
    for r in range(time.shape[0]):
        _cut(
            time[r], entry[r], leaves[r], cut[r, 0], randomised[r], longest,
            seen[r], event[r], included[r],
        )
    return seen, event, included


@njit(cache=True, error_model="numpy")
def event_rows(
    rows: Any, time: Any, other: Any, entry: Any, leaves: Any, cut: Any, randomised: Any,
    longest: Any,
) -> Any:
    """Events (K,) of some replicates at a look, as `cut_rows` sees them.

    Parameters
    ----------
    rows
        Numbers of the replicates (K,).
    other
        Time (R, N) of a competing event, which precludes a later one; `time` itself: none does.
    """
    found = np.zeros(rows.size)
    for k in range(rows.size):
        r = rows[k]
        now, count = cut[r, 0], 0
        own, before, start, end = time[r], other[r], entry[r], leaves[r]
        for i in range(own.size):
            happens = (start[i] + own[i] <= now) & (own[i] <= end[i]) & (own[i] <= longest)
            count += happens & (own[i] <= before[i]) & randomised[r, i] & (now > start[i])
        found[k] = count
    return found


@njit(cache=True, error_model="numpy")
def cut_keys(
    time: Any, entry: Any, leaves: Any, cut: Any, randomised: Any, longest: Any,
    arm: Any, treated: Any, control: Any,
) -> tuple[Any, Any]:
    """Keys of `pack_rows` (R, N) after `cut_rows` and `pair_rows`, and how many count, (R,).

    What lies between is held for one row at a time, in the processor's nearest cache.
    """
    replicates, patients = time.shape
    keys = np.empty((replicates, patients), dtype=np.int64)
    n = np.zeros(replicates)
    seen, event = np.empty(patients), np.empty(patients)
    included = np.empty(patients, dtype=np.bool_)
    there, side = np.empty(patients, dtype=np.bool_), np.empty(patients, dtype=np.bool_)
    bits = seen.view(np.int64)
    for r in range(replicates):
        _cut(
            time[r], entry[r], leaves[r], cut[r, 0], randomised[r], longest, seen, event, included
        )
        _pair(included, arm[r], treated, control, there, side)
        _pack(bits, event, side, there, keys[r])
        count = 0
        for i in range(patients):
            count += there[i]
        n[r] = count
    return keys, n


@njit(cache=True, error_model="numpy")
def arms_table(time: Any, event: Any, arm: Any, order: Any, stratum: Any, arms: Any) -> Any:
    """Distinct event times of one trial over several arms.

    Parameters
    ----------
    time, event, stratum
        (N,); `order` sorts them by stratum, then time.
    arm
        Number of the arm (N,), 0 to arms - 1.

    Returns
    -------
    tuple of arrays
        Events (T, A) and patients at risk (T, A) by arm, in falling order of stratum and time.
    """
    patients = time.size
    events = np.zeros((patients, arms))
    at_risk = np.zeros((patients, arms))
    running = np.zeros(arms)
    count = 0
    current = -1
    i = patients - 1
    while i >= 0:
        k = order[i]
        now = time[k]
        if stratum[k] != current:
            current = stratum[k]
            running[:] = 0.0
        seen = 0.0
        while i >= 0 and time[order[i]] == now and stratum[order[i]] == current:
            k = order[i]
            i -= 1
            running[arm[k]] += 1.0
            events[count, arm[k]] += event[k]
            seen += event[k]
        if seen > 0.0:
            at_risk[count] = running
            count += 1
    return events[:count], at_risk[:count]
