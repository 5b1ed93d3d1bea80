"""Families of covariance matrices over visits: parameters, matrix and derivatives."""

from math import exp, log, sqrt
from typing import Any

import numpy as np
from numba import njit

UNSTRUCTURED = 0
AUTOREGRESSIVE = 1
SYMMETRIC = 2
"""Entries; log standard deviations and a correlation to the power of the distance in visits, or
the same for all pairs."""


@njit(cache=True, error_model="numpy")
def start(family: Any, sigma: Any, theta: Any) -> Any:
    """Parameters to start from; how many there are."""
    visits = sigma.shape[0]
    if family == UNSTRUCTURED:
        place = 0
        for i in range(visits):
            for j in range(i + 1):
                theta[place] = sigma[i, j]
                place += 1
        return place
    for i in range(visits):
        theta[i] = 0.5 * log(sigma[i, i])
    total = 0.0
    for i in range(1, visits):
        total += sigma[i, i - 1] / sqrt(sigma[i, i] * sigma[i - 1, i - 1])
    theta[visits] = min(max(total / max(visits - 1, 1), 0.0), 0.8)
    return visits + 1


@njit(cache=True, error_model="numpy")
def build(family: Any, theta: Any, sigma: Any) -> None:
    """Covariance of the parameters; an impossible correlation gives NaN."""
    visits = sigma.shape[0]
    place = 0
    for i in range(visits):
        for j in range(i + 1):
            if family == UNSTRUCTURED:
                entry = theta[place]
            else:
                power = i - j if family == AUTOREGRESSIVE else min(i - j, 1)
                entry = exp(theta[i] + theta[j]) * theta[visits] ** power
                if abs(theta[visits]) >= 1.0:
                    entry = np.nan
            sigma[i, j] = sigma[j, i] = entry
            place += 1


@njit(cache=True, error_model="numpy")
def _slopes(family: Any, theta: Any, sigma: Any, row: Any, column: Any, jacobian: Any) -> None:
    """Derivatives of entries (Q,) by parameters."""
    visits = sigma.shape[0]
    jacobian[:] = 0.0
    for e in range(row.size):
        i, j = row[e], column[e]
        if family == UNSTRUCTURED:
            jacobian[e, e] = 1.0
            continue
        jacobian[e, i] += sigma[i, j]
        jacobian[e, j] += sigma[i, j]
        if i != j:
            power = i - j if family == AUTOREGRESSIVE else 1
            scale = exp(theta[i] + theta[j])
            jacobian[e, visits] = scale * power * theta[visits] ** (power - 1)


@njit(cache=True, error_model="numpy")
def _bend(family: Any, theta: Any, sigma: Any, i: Any, j: Any, p: Any, q: Any) -> Any:
    """Second derivative of entry (i, j), i >= j, by two parameters of a structured family."""
    visits = sigma.shape[0]
    power = 0 if i == j else (i - j if family == AUTOREGRESSIVE else 1)
    rho = theta[visits]
    scale = exp(theta[i] + theta[j])
    with_p = (1 if i == p else 0) + (1 if j == p else 0)
    with_q = (1 if i == q else 0) + (1 if j == q else 0)
    if p < visits and q < visits:
        return with_p * with_q * sigma[i, j]
    if power == 0:
        return 0.0
    if p < visits or q < visits:
        return (with_p if p < visits else with_q) * scale * power * rho ** (power - 1)
    return 0.0 if power == 1 else scale * power * (power - 1) * rho ** (power - 2)


@njit(cache=True, error_model="numpy")
def derivatives(
    family: Any, theta: Any, sigma: Any, row: Any, column: Any, work: Any, end: Any
) -> Any:
    """Bring score and information from entries to parameters; the score by parameters."""
    size = theta.size
    jacobian = end.jacobian[:, :size]
    _slopes(family, theta, sigma, row, column, end.jacobian)
    slope = np.zeros(size)
    for p in range(size):
        for e in range(row.size):
            slope[p] += jacobian[e, p] * work.score[e]
    half = np.empty((2, row.size))
    for p in range(size):
        half[:] = 0.0
        for e in range(row.size):
            if jacobian[e, p] != 0.0:
                for f in range(row.size):
                    half[0, f] += jacobian[e, p] * work.expected[e, f]
                    half[1, f] += jacobian[e, p] * work.observed[e, f]
        for q in range(p + 1):
            expected = observed = 0.0
            for f in range(row.size):
                expected += half[0, f] * jacobian[f, q]
                observed += half[1, f] * jacobian[f, q]
                if family != UNSTRUCTURED:
                    bend = _bend(family, theta, sigma, row[f], column[f], p, q)
                    observed -= work.score[f] * bend
            end.expected[p, q] = end.expected[q, p] = expected
            end.observed[p, q] = end.observed[q, p] = observed
    return slope
