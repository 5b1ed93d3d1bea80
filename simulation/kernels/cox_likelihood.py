"""Log partial likelihood of Cox's and of Fine and Gray's model, and Newton's method on it.

A backward pass over patients sorted by stratum and time meets every risk set.
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
def add(risk: Any, x: Any, i: Any, total: Any, sums: Any, which: Any) -> None:
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
def begin(people: Any, beta: Any, work: Any) -> None:
    """Empty the sums, and fill that of those who stay at risk after another event."""
    _risks(people, beta, work.eta)
    work.total[:] = 0.0
    work.sums[:] = 0.0
    work.gradient[:] = 0.0
    work.information[:] = 0.0
    for i in range(people.late.size):
        if people.late[i] > 0.0:
            risk = people.weight[i] * exp(work.eta[i]) / people.free[i]
            add(risk, people.x, i, work.total, work.sums, 2)


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
    begin(people, beta, work)
    x, total, sums = people.x, work.total, work.sums
    deaths = 0
    dead_weight = 0.0
    value = 0.0
    for i in range(people.event.size - 1, -1, -1):
        weight = people.weight[i]
        risk = weight * exp(work.eta[i])
        add(risk, x, i, total, sums, 0)
        if people.late.size > 0 and people.late[i] > 0.0:
            add(-risk / people.free[i], x, i, total, sums, 2)
        if people.event[i] > 0.0:
            deaths += 1
            dead_weight += weight
            value += weight * work.eta[i]
            for p in range(beta.size):
                work.gradient[p] += weight * x[i, p]
            if rule.efron:
                add(risk, x, i, total, sums, 1)
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
