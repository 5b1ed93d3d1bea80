"""Score residuals of Cox's and of Fine and Gray's model, and the robust variance of them."""

from math import exp
from typing import Any

import numpy as np
from numba import njit

from simulation.kernels.cox_likelihood import add, begin


@njit(cache=True, error_model="numpy")
def _hazard_steps(people: Any, rule: Any, work: Any, score: Any, hazard: Any) -> None:
    """Hazard's step (column P) and that times the mean, at each event time's first position.

    The events' own part goes to `score`. Under Efron's rule the events of a time leave its risk
    set one by one.
    """
    size = work.beta.size
    begin(people, work.beta, work)
    total, sums = work.total, work.sums
    stop = people.event.size
    deaths = 0
    dead_weight = 0.0
    for i in range(stop - 1, -1, -1):
        risk = people.weight[i] * exp(work.eta[i])
        add(risk, people.x, i, total, sums, 0)
        if people.late.size > 0 and people.late[i] > 0.0:
            add(-risk / people.free[i], people.x, i, total, sums, 2)
        if people.event[i] > 0.0:
            add(risk, people.x, i, total, sums, 1)
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
