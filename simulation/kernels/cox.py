"""Newton's method for Cox's and for Fine and Gray's model in each replicate.

Patients of a replicate are sorted by stratum and time; a backward pass then meets every risk set.
"""

from math import exp, log, sqrt
from typing import Any, NamedTuple

import numpy as np
from numba import njit

_STEP_LIMIT = 20.0
"""|log hazard ratio| per standard deviation beyond which a coefficient is lost."""

_STEP_LEFT = 1e-3
"""Where the likelihood rises for ever, it comes to stand still while Newton's step stays near 1."""

_ALIASED = 1e-11
"""Share of a column's information left beside the others below which it says nothing of its own."""


class People(NamedTuple):
    """Patients (n,) of one replicate in sorted order.

    `x` (n, P) is standardised. `starts` is 2 where a stratum begins, 1 where a time begins, 0 in a
    tie. `late` (n,) or (0,) marks those who stay at risk after another event, with the weight that
    `free`, the curve of censoring just before each time, has left.
    """

    x: Any
    event: Any
    weight: Any
    offset: Any
    starts: Any
    late: Any
    free: Any


class Rule(NamedTuple):
    """How to fit: Efron's ties or Breslow's, ridge penalty, iterations."""

    efron: Any
    penalty: Any
    iterations: Any


class Work(NamedTuple):
    """Scratch, and what a fit leaves.

    `total` (3,) and `sums` (3, P + 1, P) are over the risk set, its tied events and the late: of
    risks, and of risks times columns (row 0) and their products.
    """

    beta: Any
    gradient: Any
    step: Any
    trial: Any
    information: Any
    inverse: Any
    factor: Any
    aliased: Any
    eta: Any
    total: Any
    sums: Any


@njit(cache=True, error_model="numpy")
def make_work(patients: Any, size: Any) -> Any:
    """Scratch for some patients and columns."""
    return Work(
        np.zeros(size), np.zeros(size), np.zeros(size), np.zeros(size), np.zeros((size, size)),
        np.zeros((size, size)), np.zeros((size, size)), np.zeros(size, dtype=np.bool_),
        np.zeros(patients), np.zeros(3), np.zeros((3, size + 1, size)),
    )


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
def _risks(people: Any, beta: Any, eta: Any) -> None:
    """Linear predictors less their largest."""
    top = -1e300
    for i in range(people.event.size):
        total = people.offset[i]
        for p in range(beta.size):
            total += people.x[i, p] * beta[p]
        eta[i] = total
        top = max(top, total)
    for i in range(people.event.size):
        eta[i] -= top


@njit(cache=True, error_model="numpy")
def _add(risk: Any, x: Any, i: Any, total: Any, sums: Any, which: Any) -> None:
    """Add a patient's risk to one of the sums."""
    total[which] += risk
    for p in range(x.shape[1]):
        part = risk * x[i, p]
        sums[which, 0, p] += part
        for q in range(p + 1):
            sums[which, p + 1, q] += part * x[i, q]


@njit(cache=True, error_model="numpy")
def _spend(deaths: Any, dead_weight: Any, free: Any, efron: Any, work: Any) -> Any:
    """Take an event time's risk set means off the gradient; sum of the logs of its risks."""
    total, sums = work.total, work.sums
    steps = deaths if efron else 1
    weight = dead_weight / steps
    spent = 0.0
    for step in range(steps):
        part = step / deaths if efron else 0.0
        whole = total[0] - part * total[1] + free * total[2]
        spent += weight * log(whole)
        for p in range(work.gradient.size):
            # Until the information is done, `step` holds the means.
            mean = (sums[0, 0, p] - part * sums[1, 0, p] + free * sums[2, 0, p]) / whole
            work.step[p] = mean
            work.gradient[p] -= weight * mean
            for q in range(p + 1):
                inner = sums[0, p + 1, q] - part * sums[1, p + 1, q] + free * sums[2, p + 1, q]
                work.information[p, q] += weight * (inner / whole - mean * work.step[q])
    return spent


@njit(cache=True, error_model="numpy")
def _begin(people: Any, beta: Any, work: Any) -> None:
    """Empty the sums, and fill that of those who stay at risk after another event."""
    _risks(people, beta, work.eta)
    work.total[:] = 0.0
    work.sums[:] = 0.0
    work.gradient[:] = 0.0
    work.information[:] = 0.0
    for i in range(people.late.size):
        if people.late[i] > 0.0:
            risk = people.weight[i] * exp(work.eta[i]) / people.free[i]
            _add(risk, people.x, i, work.total, work.sums, 2)


@njit(cache=True, error_model="numpy")
def _penalise(beta: Any, penalty: Any, work: Any) -> Any:
    """Complete gradient and information; what the penalty takes."""
    taken = 0.0
    for p in range(beta.size):
        taken += 0.5 * penalty * beta[p] ** 2
        work.gradient[p] -= penalty * beta[p]
        work.information[p, p] += penalty
        for q in range(p):
            work.information[q, p] = work.information[p, q]
    return taken


@njit(cache=True, error_model="numpy")
def _evaluate(people: Any, beta: Any, rule: Any, work: Any) -> Any:
    """Penalised log partial likelihood; gradient and information are filled."""
    _begin(people, beta, work)
    x, total, sums = people.x, work.total, work.sums
    deaths = 0
    dead_weight = 0.0
    value = 0.0
    for i in range(people.event.size - 1, -1, -1):
        weight = people.weight[i]
        risk = weight * exp(work.eta[i])
        _add(risk, x, i, total, sums, 0)
        if people.late.size > 0 and people.late[i] > 0.0:
            _add(-risk / people.free[i], x, i, total, sums, 2)
        if people.event[i] > 0.0:
            deaths += 1
            dead_weight += weight
            value += weight * work.eta[i]
            for p in range(beta.size):
                work.gradient[p] += weight * x[i, p]
            if rule.efron:
                _add(risk, x, i, total, sums, 1)
        if people.starts[i] > 0:
            if deaths > 0:
                free = people.free[i] if people.late.size > 0 else 0.0
                value -= _spend(deaths, dead_weight, free, rule.efron, work)
                deaths = 0
                dead_weight = 0.0
                total[1] = 0.0
                sums[1] = 0.0
            if people.starts[i] == 2:
                total[0] = 0.0
                sums[0] = 0.0
    return value - _penalise(beta, rule.penalty, work)


@njit(cache=True, error_model="numpy")
def _decompose(work: Any) -> None:
    """Cholesky factor of the information, leaving out columns that those before them explain."""
    information, factor, size = work.information, work.factor, work.beta.size
    factor[:] = 0.0
    for p in range(size):
        pivot = information[p, p]
        for k in range(p):
            pivot -= factor[p, k] ** 2
        work.aliased[p] = not pivot > _ALIASED * information[p, p]
        if work.aliased[p]:
            factor[p, :] = 0.0
            continue
        factor[p, p] = sqrt(pivot)
        for q in range(p + 1, size):
            inner = information[q, p]
            for k in range(p):
                inner -= factor[q, k] * factor[p, k]
            factor[q, p] = inner / factor[p, p]


@njit(cache=True, error_model="numpy")
def _invert(work: Any) -> None:
    """Inverse information; rows and columns of aliased columns are 0."""
    _decompose(work)
    factor, inverse, size = work.factor, work.inverse, work.beta.size
    inverse[:] = 0.0
    for c in range(size):
        if work.aliased[c]:
            continue
        for p in range(c, size):
            inner = 1.0 if p == c else 0.0
            for k in range(c, p):
                inner -= factor[p, k] * inverse[k, c]
            inverse[p, c] = 0.0 if work.aliased[p] else inner / factor[p, p]
        for p in range(size - 1, c - 1, -1):
            inner = inverse[p, c]
            for k in range(p + 1, size):
                inner -= factor[k, p] * inverse[k, c]
            inverse[p, c] = 0.0 if work.aliased[p] else inner / factor[p, p]
        for p in range(c):
            inverse[p, c] = inverse[c, p]


@njit(cache=True, error_model="numpy")
def _newton(work: Any) -> Any:
    """Newton's step into `step`; its largest entry."""
    largest = 0.0
    for p in range(work.beta.size):
        total = 0.0
        for q in range(work.beta.size):
            total += work.inverse[p, q] * work.gradient[q]
        work.step[p] = total
        largest = max(largest, abs(total))
    return largest


@njit(cache=True, error_model="numpy")
def _stride(people: Any, rule: Any, work: Any, value: Any) -> Any:
    """Go along the step, halved until the likelihood does not fall; the new likelihood."""
    length = 1.0
    limit = 2.0 * _STEP_LIMIT
    new = value
    # `_spend` writes over the step, so the trial is kept from it.
    start = work.beta.copy()
    step = work.step.copy()
    for _ in range(12):
        for p in range(work.beta.size):
            work.trial[p] = min(max(start[p] + length * step[p], -limit), limit)
        new = _evaluate(people, work.trial, rule, work)
        if not new < value - 1e-9 * (1.0 + abs(value)):
            break
        length *= 0.5
    work.beta[:] = work.trial
    return new


@njit(cache=True, error_model="numpy")
def climb(people: Any, rule: Any, work: Any, values: Any) -> Any:
    """Newton's method from 0; whether it found a finite maximum.

    `values` gets the log likelihood without its penalty, that at 0, and the score statistic.
    """
    work.beta[:] = 0.0
    value = _evaluate(people, work.beta, rule, work)
    values[1] = value
    _invert(work)
    left = _newton(work)
    values[2] = 0.0
    for p in range(work.beta.size):
        values[2] += work.gradient[p] * work.step[p]
    done = left == 0.0
    for _ in range(rule.iterations):
        if done:
            break
        new = _stride(people, rule, work, value)
        done = abs(new - value) <= 1e-11 * (1.0 + abs(new))
        value = new
        _invert(work)
        left = _newton(work)
    found = done and left < _STEP_LEFT
    values[0] = value
    for p in range(work.beta.size):
        found = found and abs(work.beta[p]) < _STEP_LIMIT
        values[0] += 0.5 * rule.penalty * work.beta[p] ** 2
    return found


@njit(cache=True, error_model="numpy")
def _hazard_steps(people: Any, rule: Any, work: Any, score: Any, hazard: Any) -> None:
    """Hazard's step (column P) and that times the mean, at each event time's first position.

    The events' own part goes to `score`. Under Efron's rule the events of a time leave its risk
    set one by one.
    """
    size = work.beta.size
    _begin(people, work.beta, work)
    total, sums = work.total, work.sums
    stop = people.event.size
    deaths = 0
    dead_weight = 0.0
    for i in range(stop - 1, -1, -1):
        risk = people.weight[i] * exp(work.eta[i])
        _add(risk, people.x, i, total, sums, 0)
        if people.late.size > 0 and people.late[i] > 0.0:
            _add(-risk / people.free[i], people.x, i, total, sums, 2)
        if people.event[i] > 0.0:
            _add(risk, people.x, i, total, sums, 1)
            deaths += 1
            dead_weight += people.weight[i]
        hazard[i] = 0.0
        score[i] = 0.0
        if people.starts[i] > 0:
            steps = deaths if rule.efron else min(deaths, 1)
            free = people.free[i] if people.late.size > 0 else 0.0
            for step in range(steps):
                part = step / deaths if rule.efron else 0.0
                whole = total[0] - part * total[1] + free * total[2]
                rate = dead_weight / steps / whole
                hazard[i, size] += rate
                for p in range(size):
                    mean = sums[0, 0, p] - part * sums[1, 0, p] + free * sums[2, 0, p]
                    mean /= whole
                    hazard[i, p] += rate * mean
                    _own(people, work.eta, i, stop, p, mean, steps, rate * part, score)
            total[1] = 0.0
            sums[1] = 0.0
            deaths = 0
            dead_weight = 0.0
            stop = i
            if people.starts[i] == 2:
                total[0] = 0.0
                sums[0] = 0.0


@njit(cache=True, error_model="numpy")
def _own(
    people: Any, eta: Any, start: Any, stop: Any, p: Any, mean: Any, steps: Any, rate: Any,
    score: Any,
) -> None:
    """Residuals of the events of one time in one column, by one of Efron's steps."""
    for k in range(start, stop):
        if people.event[k] > 0.0:
            score[k, p] += (people.x[k, p] - mean) * (1.0 / steps + exp(eta[k]) * rate)


@njit(cache=True, error_model="numpy")
def _meet(people: Any, eta: Any, hazard: Any, score: Any) -> None:
    """Take off each patient's score what he was expected to meet up to his time."""
    size = score.shape[1]
    total = np.zeros(size + 1)
    i = 0
    while i < people.event.size:
        if people.starts[i] == 2:
            total[:] = 0.0
        for p in range(size + 1):
            total[p] += hazard[i, p]
        stop = i + 1
        while stop < people.event.size and people.starts[stop] == 0:
            stop += 1
        for k in range(i, stop):
            for p in range(size):
                score[k, p] -= exp(eta[k]) * (people.x[k, p] * total[size] - total[p])
        i = stop


@njit(cache=True, error_model="numpy")
def _meet_late(people: Any, eta: Any, hazard: Any, score: Any) -> None:
    """Take off what patients were expected to meet after another event."""
    size = score.shape[1]
    total = np.zeros(size + 1)
    stop = people.late.size
    for i in range(people.late.size - 1, -1, -1):
        if people.starts[i] == 0:
            continue
        for k in range(i, stop):
            if people.late[k] > 0.0:
                risk = exp(eta[k]) / people.free[k]
                for p in range(size):
                    score[k, p] -= risk * (people.x[k, p] * total[size] - total[p])
        for p in range(size + 1):
            total[p] += hazard[i, p] * people.free[i]
        stop = i


@njit(cache=True, error_model="numpy")
def _censor(people: Any, eta: Any, hazard: Any, score: Any) -> None:
    """Add what each patient's censoring did to the score by way of the late ones' weights.

    Fine and Gray (1999), psi: a step q / n at each censoring, less its expectation while at risk.
    """
    size = score.shape[1]
    n = people.late.size
    rest = np.zeros(size + 1)
    for i in range(n):
        for p in range(size + 1):
            rest[p] += hazard[i, p] * people.free[i]
    stay = np.zeros(size + 1)
    spent = np.zeros(size)
    i = 0
    while i < n:
        stop = i
        events = 0.0
        while stop < n and (stop == i or people.starts[stop] == 0):
            events += people.event[stop] + people.late[stop]
            stop += 1
        at_risk = n - i - events
        censored = stop - i - events
        # Events of this time count before its censorings.
        for p in range(size + 1):
            rest[p] -= hazard[i, p] * people.free[i]
        _stay(people, eta, i, stop, stay)
        for p in range(size):
            own = 0.0
            expected = 0.0
            if censored > 0.0:
                own = (stay[p] * rest[size] - stay[size] * rest[p]) / at_risk
                expected = own * censored / at_risk
            _share_out(people, i, stop, p, own, expected, spent[p], score)
            spent[p] += expected
        i = stop


@njit(cache=True, error_model="numpy")
def _share_out(
    people: Any, start: Any, stop: Any, p: Any, own: Any, expected: Any, spent: Any, score: Any
) -> None:
    """Give the patients of one time their own censoring, less what was expected of them so far."""
    for k in range(start, stop):
        score[k, p] -= spent
        if people.event[k] == 0.0 and people.late[k] == 0.0:
            score[k, p] += own - expected


@njit(cache=True, error_model="numpy")
def _stay(people: Any, eta: Any, start: Any, stop: Any, stay: Any) -> None:
    """Add those of one time who stay at risk after another event: weights, and times columns."""
    size = stay.size - 1
    for k in range(start, stop):
        if people.late[k] > 0.0:
            risk = exp(eta[k]) / people.free[k]
            stay[size] += risk
            for p in range(size):
                stay[p] += risk * people.x[k, p]


@njit(cache=True, error_model="numpy")
def sandwich(
    people: Any, rule: Any, work: Any, score: Any, hazard: Any, known: Any, out: Any
) -> None:
    """Robust variance (Lin and Wei 1989): squares of score residuals between two inverses."""
    size = work.beta.size
    _hazard_steps(people, rule, work, score, hazard)
    _meet(people, work.eta, hazard, score)
    _meet_late(people, work.eta, hazard, score)
    if not known:
        _censor(people, work.eta, hazard, score)
    out[:] = 0.0
    for k in range(people.event.size):
        for p in range(size):
            total = 0.0
            for q in range(size):
                total += work.inverse[p, q] * score[k, q]
            work.trial[p] = total * people.weight[k]
        for p in range(size):
            for q in range(size):
                out[p, q] += work.trial[p] * work.trial[q]


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
