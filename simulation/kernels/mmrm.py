"""REML of normal repeated measurements by Newton's method in each replicate.

Patients are grouped by the visits that they have: likelihood, score and information need only
the groups' cross-products. A column of the design is a patient's figure (`source`) at one visit
(`visit`), or at all of them (`visit` = V): weight matrices carry their row sums as visit V.
Derivatives are taken by the entries of the covariance matrix, then brought to the parameters of
its family.
"""

from math import log
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from simulation.kernels.dense import cholesky, inner, invert, multiply, sandwich, solve, times
from simulation.kernels.mmrm_families import build, derivatives, start


class Model(NamedTuple):
    """Columns of the design (P,) by source and visit; entries (Q,) of the covariance by place."""

    source: Any
    visit: Any
    row: Any
    column: Any


class Work(NamedTuple):
    """Scratch, and what a fit leaves.

    `weight` (G, V + 1, V + 1) are inverse covariances of the groups with row sums; by entry:
    `score` (Q,), `expected` and `observed` information (Q, Q), `first` (Q, P, P) with
    X'W S W X for S the derivative by the entry.
    """

    weight: Any
    gram: Any
    factor: Any
    phi: Any
    moment: Any
    beta: Any
    score: Any
    expected: Any
    observed: Any
    first: Any
    pull: Any


@njit(cache=True, error_model="numpy")
def make_work(groups: Any, visits: Any, size: Any) -> Any:
    """Scratch for some groups, visits and columns."""
    entries = visits * (visits + 1) // 2
    return Work(
        np.zeros((groups, visits + 1, visits + 1)), np.zeros((size, size)),
        np.zeros((size, size)), np.zeros((size, size)), np.zeros(size), np.zeros(size),
        np.zeros(entries), np.zeros((entries, entries)), np.zeros((entries, entries)),
        np.zeros((entries, size, size)), np.zeros((entries, size)),
    )


@njit(cache=True, error_model="numpy")
def _weigh(sigma: Any, there: Any, weight: Any) -> Any:
    """Inverse of the part of sigma that is there, 0 elsewhere, with sums; its log determinant."""
    visits = sigma.shape[0]
    seen = np.flatnonzero(there)
    part = np.empty((seen.size, seen.size))
    factor = np.zeros((seen.size, seen.size))
    for i in range(seen.size):
        for j in range(seen.size):
            part[i, j] = sigma[seen[i], seen[j]]
    if not cholesky(part, factor):
        return np.nan
    invert(factor, part)
    weight[:] = 0.0
    spent = 0.0
    for i in range(seen.size):
        spent += 2.0 * log(factor[i, i])
        for j in range(seen.size):
            entry = part[i, j]
            weight[seen[i], seen[j]] = entry
            weight[seen[i], visits] += entry
            weight[visits, seen[j]] += entry
            weight[visits, visits] += entry
    return spent


@njit(cache=True, error_model="numpy")
def likelihood(sigma: Any, data: Any, model: Any, work: Any) -> Any:
    """REML log likelihood but for the constant; -inf where a matrix is not positive definite.

    Leaves the groups' weights, the factor of the coefficients' information and the coefficients.
    """
    visits, size = sigma.shape[0], model.source.size
    work.gram[:] = 0.0
    work.moment[:] = 0.0
    total = 0.0
    for g in range(data.count.size):
        weight = work.weight[g]
        spent = _weigh(sigma, data.there[g], weight)
        if not np.isfinite(spent):
            return -np.inf
        total += data.count[g] * spent
        for s in range(visits):
            for t in range(visits):
                total += weight[s, t] * data.yy[g, s, t]
        for j in range(size):
            m, s = model.source[j], model.visit[j]
            for k in range(j + 1):
                work.gram[j, k] += weight[s, model.visit[k]] * data.zz[g, m, model.source[k]]
            for t in range(visits):
                work.moment[j] += weight[s, t] * data.zy[g, m, t]
    if not cholesky(work.gram, work.factor):
        return -np.inf
    solve(work.factor, work.moment, work.beta)
    for j in range(size):
        total += 2.0 * log(work.factor[j, j]) - work.moment[j] * work.beta[j]
    return -0.5 * total


@njit(cache=True, error_model="numpy")
def _by_source(model: Any, beta: Any, mean: Any) -> None:
    """Coefficients at each visit of each source, (V, M)."""
    visits = mean.shape[0]
    mean[:] = 0.0
    for j in range(beta.size):
        only = model.visit[j]
        for t in range(0 if only == visits else only, visits if only == visits else only + 1):
            mean[t, model.source[j]] += beta[j]


@njit(cache=True, error_model="numpy")
def residuals(data: Any, g: Any, model: Any, beta: Any, crossed: Any, squares: Any) -> None:
    """Residuals of a group times sources (V, M), and their products (V, V)."""
    visits, sources = crossed.shape
    mean = np.empty((visits, sources))
    _by_source(model, beta, mean)
    crossed[:] = 0.0
    squares[:] = 0.0
    seen = np.flatnonzero(data.there[g])
    for t in seen:
        for m in range(sources):
            crossed[t, m] = data.zy[g, m, t] - inner(mean[t], data.zz[g, m])
    for s in seen:
        for t in seen:
            fitted = inner(mean[t], crossed[s])
            for m in range(sources):
                fitted += mean[s, m] * data.zy[g, m, t]
            squares[s, t] = data.yy[g, s, t] - fitted


@njit(cache=True, error_model="numpy")
def spread(middle: Any, zz: Any, model: Any, out: Any) -> None:
    """Sum over a group's patients of X middle X', (V, V)."""
    visits = out.shape[0]
    out[:] = 0.0
    for j in range(middle.shape[0]):
        s = model.visit[j]
        for k in range(middle.shape[0]):
            t = model.visit[k]
            part = middle[j, k] * zz[model.source[j], model.source[k]]
            for a in range(0 if s == visits else s, visits if s == visits else s + 1):
                for b in range(0 if t == visits else t, visits if t == visits else t + 1):
                    out[a, b] += part


@njit(cache=True, error_model="numpy")
def traced(model: Any, i: Any, j: Any, left: Any, right: Any) -> Any:
    """tr(S_i left S_j right), S the derivative of the covariance by an entry."""
    a, b, c, d = model.row[i], model.column[i], model.row[j], model.column[j]
    total = left[b, c] * right[d, a]
    if a != b:
        total += left[a, c] * right[d, b]
    if c != d:
        total += left[b, d] * right[c, a]
        if a != b:
            total += left[a, d] * right[c, b]
    return total


@njit(cache=True, error_model="numpy")
def _add_first(data: Any, g: Any, model: Any, work: Any, crossed: Any) -> None:
    """Add a group to X'W S W X and to X'W S W r, by entry; `crossed` is r z' (V, M)."""
    weight, zz = work.weight[g], data.zz[g]
    visits = crossed.shape[0]
    pushed = np.empty(crossed.shape)
    multiply(weight[:visits, :visits], crossed, pushed)
    for i in range(model.row.size):
        a, b = model.row[i], model.column[i]
        if not (data.there[g, a] and data.there[g, b]):
            continue
        for j in range(model.source.size):
            m = model.source[j]
            at_a, at_b = weight[model.visit[j], a], weight[model.visit[j], b]
            if a == b:
                at_b = 0.0
            work.pull[i, j] += at_a * pushed[b, m] + at_b * pushed[a, m]
            for k in range(j + 1):
                t = model.visit[k]
                work.first[i, j, k] += (at_a * weight[b, t] + at_b * weight[a, t]) * zz[
                    m, model.source[k]
                ]


@njit(cache=True, error_model="numpy")
def _add_group(data: Any, g: Any, model: Any, work: Any, inside: Any, squares: Any) -> None:
    """Add a group to score and information; `inside` = sum X phi X', `squares` = sum r r'."""
    visits = squares.shape[0]
    weight = work.weight[g, :visits, :visits]
    known = np.empty((visits, visits))
    seen = np.empty((visits, visits))
    sandwich(weight, inside, known)
    sandwich(weight, squares, seen)
    count = data.count[g]
    for i in range(model.row.size):
        a, b = model.row[i], model.column[i]
        if not (data.there[g, a] and data.there[g, b]):
            continue
        times = 0.5 if a == b else 1.0
        work.score[i] += times * (seen[a, b] + known[a, b] - count * weight[a, b])
        for j in range(i + 1):
            plain = 0.5 * count * traced(model, i, j, weight, weight)
            fitted = traced(model, i, j, weight, known)
            work.expected[i, j] += plain - fitted
            work.observed[i, j] += traced(model, i, j, weight, seen)


@njit(cache=True, error_model="numpy")
def differentiate(data: Any, model: Any, work: Any) -> None:
    """Score and information by entries of the covariance, after `likelihood`."""
    visits, sources, size = data.yy.shape[1], data.zz.shape[1], model.source.size
    entries = model.row.size
    invert(work.factor, work.phi)
    work.score[:] = 0.0
    work.expected[:] = 0.0
    work.observed[:] = 0.0
    work.first[:] = 0.0
    work.pull[:] = 0.0
    crossed = np.empty((visits, sources))
    squares = np.empty((visits, visits))
    inside = np.empty((visits, visits))
    for g in range(data.count.size):
        residuals(data, g, model, work.beta, crossed, squares)
        spread(work.phi, data.zz[g], model, inside)
        _add_group(data, g, model, work, inside, squares)
        _add_first(data, g, model, work, crossed)
    fitted = np.empty((entries, size, size))
    for i in range(entries):
        for j in range(size):
            for k in range(j):
                work.first[i, k, j] = work.first[i, j, k]
        multiply(work.phi, work.first[i], fitted[i])
    moved = np.empty(size)
    for i in range(entries):
        times(work.phi, work.pull[i], moved)
        for j in range(i + 1):
            total = 0.0
            for k in range(size):
                for m in range(size):
                    total += fitted[i, k, m] * fitted[j, m, k]
            work.expected[i, j] += 0.5 * total
            work.observed[i, j] -= work.expected[i, j] + inner(moved, work.pull[j])
            work.expected[j, i] = work.expected[i, j]
            work.observed[j, i] = work.observed[i, j]


class Climb(NamedTuple):
    """Where a fit ended: parameters, and information by them (expected, observed)."""

    theta: Any
    sigma: Any
    jacobian: Any
    expected: Any
    observed: Any


@njit(cache=True, error_model="numpy")
def climb(
    family: Any, first: Any, data: Any, model: Any, work: Any, limit: Any, end: Any
) -> tuple[Any, Any, Any]:
    """Newton's method from a first covariance: whether it converged, steps, log likelihood.

    Steps go by the observed information where it is positive definite, else by the expected one,
    and are halved until the likelihood does not fall.
    """
    size = start(family, first, end.theta)
    theta = end.theta[:size]
    direction = np.empty(size)
    factor = np.zeros((size, size))
    trial = np.empty(size)
    build(family, theta, end.sigma)
    value = likelihood(end.sigma, data, model, work)
    for step in range(limit):
        if not np.isfinite(value):
            return False, step, value
        differentiate(data, model, work)
        slope = derivatives(family, theta, end.sigma, model.row, model.column, work, end)
        if not cholesky(end.observed[:size, :size], factor) and not cholesky(
            end.expected[:size, :size], factor
        ):
            return False, step, value
        solve(factor, slope, direction)
        gain = inner(slope, direction)
        if gain < 1e-13:
            return True, step, value
        length = 1.0
        better = -np.inf
        while length > 1e-6:
            for k in range(size):
                trial[k] = theta[k] + length * direction[k]
            build(family, trial, end.sigma)
            better = likelihood(end.sigma, data, model, work)
            if better >= value - 1e-12 * abs(value):
                break
            length *= 0.5
        if length <= 1e-6:
            return False, step, value
        theta[:] = trial
        value = better
    return False, limit, value
