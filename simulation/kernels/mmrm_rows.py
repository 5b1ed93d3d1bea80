"""Repeated measurements over replicates: fits with fallbacks, small-sample standard errors."""

from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from simulation.kernels.dense import cholesky, inner, invert, sandwich, times
from simulation.kernels.mmrm import (
    Climb,
    Model,
    climb,
    likelihood,
    make_work,
    residuals,
    spread,
    traced,
)
from simulation.kernels.mmrm_patterns import Patterns, group, make_patterns


class Found(NamedTuple):
    """Results over replicates; see `mmrm_rows`."""

    beta: Any
    phi: Any
    sigma: Any
    centre: Any
    effects: Any
    family: Any
    steps: Any
    value: Any
    people: Any


@njit(cache=True, error_model="numpy")
def _pairs(data: Any, model: Any, work: Any, sources: Any, sigma: Any) -> None:
    """Mean products of residuals by pairs of visits."""
    visits = sigma.shape[0]
    crossed, squares = np.empty((visits, sources)), np.empty((visits, visits))
    counts = np.zeros((visits, visits))
    sigma[:] = 0.0
    for g in range(data.count.size):
        residuals(data, g, model, work.beta, crossed, squares)
        seen = np.flatnonzero(data.there[g])
        for s in seen:
            for t in seen:
                sigma[s, t] += squares[s, t]
                counts[s, t] += data.count[g]
    for i in range(visits):
        for j in range(visits):
            sigma[i, j] /= max(counts[i, j], 1.0)


@njit(cache=True, error_model="numpy")
def _first_covariance(data: Any, model: Any, work: Any, sources: Any, sigma: Any) -> Any:
    """Covariance by pairs of visits around least squares; its part that is positive definite."""
    visits = sigma.shape[0]
    sigma[:] = 0.0
    for t in range(visits):
        sigma[t, t] = 1.0
    if not np.isfinite(likelihood(sigma, data, model, work)):
        return False
    _pairs(data, model, work, sources, sigma)
    for _ in range(30):
        if np.isfinite(likelihood(sigma, data, model, work)):
            return True
        for s in range(visits):
            for t in range(s):
                sigma[s, t] = sigma[t, s] = 0.7 * sigma[s, t]
    return False


@njit(cache=True, error_model="numpy")
def _entry_covariance(end: Any, size: Any, observed: Any, out: Any) -> Any:
    """Covariance (Q, Q) of the covariance's entries: inverse information of the family."""
    factor, inverse = np.zeros((size, size)), np.zeros((size, size))
    held = observed and cholesky(end.observed[:size, :size], factor)
    if not held and not cholesky(end.expected[:size, :size], factor):
        return False
    invert(factor, inverse)
    sandwich(end.jacobian[:, :size], inverse, out)
    return True


@njit(cache=True, error_model="numpy")
def _bias(
    data: Any, model: Any, work: Any, moved: Any, pushed: Any, entries: Any
) -> Any:
    """Kenward and Roger's sum of W_ij g'(Q_ij - P_i phi P_j) g for g = phi times a contrast."""
    visits = data.yy.shape[1]
    outer = np.outer(moved, moved)
    inside, known = np.empty((visits, visits)), np.empty((visits, visits))
    total = 0.0
    for g in range(data.count.size):
        weight = work.weight[g, :visits, :visits]
        spread(outer, data.zz[g], model, inside)
        sandwich(weight, inside, known)
        for i in range(model.row.size):
            for j in range(model.row.size):
                total += entries[i, j] * traced(model, i, j, weight, known)
    fitted = np.empty(moved.size)
    for i in range(model.row.size):
        times(work.phi, pushed[i], fitted)
        for j in range(model.row.size):
            total -= entries[i, j] * inner(fitted, pushed[j])
    return total


@njit(cache=True, error_model="numpy")
def _effect(contrast: Any, data: Any, model: Any, work: Any, entries: Any, out: Any) -> None:
    """Estimate, standard error, its adjusted form and degrees of freedom of a contrast."""
    moved = np.empty(contrast.size)
    times(work.phi, contrast, moved)
    variance = inner(moved, contrast)
    pushed = np.empty((model.row.size, moved.size))
    slope = np.empty(model.row.size)
    for i in range(model.row.size):
        times(work.first[i], moved, pushed[i])
        slope[i] = inner(pushed[i], moved)
    carried = np.empty(slope.size)
    times(entries, slope, carried)
    wobble = inner(slope, carried) / variance**2
    adjusted = variance + 2.0 * _bias(data, model, work, moved, pushed, entries)
    out[0] = inner(contrast, work.beta)
    out[1] = sqrt(variance)
    out[2] = sqrt(adjusted) if adjusted > 0.0 else np.nan
    out[3] = 2.0 / wobble if wobble > 0.0 else np.inf


@njit(cache=True, error_model="numpy")
def _fit_families(
    families: Any, first: Any, data: Any, model: Any, work: Any, limit: Any, end: Any
) -> tuple[Any, Any, Any]:
    """Try the families in order: which one converged (-1: none), steps, log likelihood."""
    steps = 0
    value = np.nan
    for family in families:
        done, taken, value = climb(family, first, data, model, work, limit, end)
        steps += taken
        if done:
            return family, steps, value
    return -1, steps, value


@njit(cache=True, error_model="numpy")
def mmrm_rows(
    values: Any, columns: Any, weight: Any, source: Any, visit: Any, contrasts: Any,
    families: Any, limit: Any, observed: Any,
) -> Any:
    """Fit each replicate.

    Parameters
    ----------
    values
        (R, N, V), NaN where missing.
    columns
        Patients' figures (R, N, M); source 0 is 1, source m is column m - 1 less its mean.
    weight
        (R, N); 0 leaves a patient out.
    source, visit
        Each column of the design (P,): its figure, and its visit (V: all).
    contrasts
        Of the coefficients, (L, P).
    families
        To try in order, (F,).
    limit, observed
        Most steps of a fit; whether small-sample figures take the observed information.

    Returns
    -------
    Found
        Coefficients (R, P), their covariance (R, P, P), covariance over visits (R, V, V), means
        taken off columns and values (R, M + 1), contrasts' estimate, standard error, adjusted
        standard error and degrees of freedom (R, L, 4), family used (R,; -1: none), steps (R,),
        log likelihood (R,) and patients (R,).
    """
    replicates, patients, visits = values.shape
    size, sources = source.size, columns.shape[2] + 1
    entries = visits * (visits + 1) // 2
    row, column = np.empty(entries, dtype=np.int64), np.empty(entries, dtype=np.int64)
    place = 0
    for i in range(visits):
        for j in range(i + 1):
            row[place], column[place] = i, j
            place += 1
    model = Model(source, visit, row, column)
    most = min(patients, 2**visits)
    room = make_patterns(most, visits, sources)
    work = make_work(most, visits, size)
    slots = np.empty(2**visits, dtype=np.int64)
    found = Found(
        np.full((replicates, size), np.nan), np.full((replicates, size, size), np.nan),
        np.full((replicates, visits, visits), np.nan), np.zeros((replicates, sources)),
        np.full((replicates, contrasts.shape[0], 4), np.nan),
        np.full(replicates, -1, dtype=np.int64), np.zeros(replicates, dtype=np.int64),
        np.full(replicates, np.nan), np.zeros(replicates),
    )
    parameters = max(entries, visits + 1)
    end = Climb(
        np.zeros(parameters), np.zeros((visits, visits)), np.zeros((entries, parameters)),
        np.zeros((parameters, parameters)), np.zeros((parameters, parameters)),
    )
    first = np.zeros((visits, visits))
    spread_of_entries = np.zeros((entries, entries))
    own = np.empty(patients)
    for r in range(replicates):
        own[:] = weight[r]
        groups, found.people[r] = group(
            values[r], columns[r], own, slots, room, found.centre[r]
        )
        data = Patterns(
            room.count[:groups], room.there[:groups], room.zz[:groups], room.zy[:groups],
            room.yy[:groups],
        )
        if groups == 0 or not _first_covariance(data, model, work, sources, first):
            continue
        family, found.steps[r], found.value[r] = _fit_families(
            families, first, data, model, work, limit, end
        )
        parameters = entries if family == 0 else visits + 1
        if family < 0 or not _entry_covariance(end, parameters, observed, spread_of_entries):
            continue
        found.family[r] = family
        found.beta[r], found.phi[r], found.sigma[r] = work.beta, work.phi, end.sigma
        for k in range(contrasts.shape[0]):
            _effect(contrasts[k], data, model, work, spread_of_entries, found.effects[r, k])
    return found
