"""Regressions for binary outcomes and counts in each replicate, by Newton's method."""

from math import exp, log
from typing import Any

import numpy as np
from numba import njit

from simulation.kernels.dense import cholesky, inner, invert, solve

LOGISTIC = 0
POISSON = 1
NEGATIVE_BINOMIAL = 2

_LIMIT = 30.0
"""|linear predictor| beyond which a fit runs away."""

_POISSON_SIZE = 1e7
"""Size of a negative binomial from which it is a Poisson law."""


@njit(cache=True, error_model="numpy")
def _moments(family: Any, linear: Any, offset: Any, size: Any) -> tuple[Any, Any]:
    """Mean at a linear predictor, and what a residual weighs in the score."""
    eta = min(max(linear, -_LIMIT), _LIMIT) + offset
    if family == LOGISTIC:
        return 1.0 / (1.0 + exp(-eta)), 1.0
    mean = exp(eta)
    return mean, 1.0 / (1.0 + mean / size)


@njit(cache=True, error_model="numpy")
def _gather(
    family: Any, y: Any, x: Any, offset: Any, weight: Any, size: Any, beta: Any, gram: Any,
    score: Any,
) -> Any:
    """Score and information (lower triangle); False where a fit runs away."""
    gram[:] = 0.0
    score[:] = 0.0
    for i in range(y.size):
        if weight[i] == 0.0:
            continue
        linear = inner(x[i], beta)
        if not abs(linear) < _LIMIT:
            return False
        mean, worth = _moments(family, linear, offset[i], size)
        spread = mean * (1.0 - mean) if family == LOGISTIC else mean * worth
        for p in range(beta.size):
            score[p] += weight[i] * worth * (y[i] - mean) * x[i, p]
            for q in range(p + 1):
                gram[p, q] += weight[i] * spread * x[i, p] * x[i, q]
    return True


@njit(cache=True, error_model="numpy")
def _newton(
    family: Any, y: Any, x: Any, offset: Any, weight: Any, size: Any, beta: Any, gram: Any,
    inverse: Any,
) -> Any:
    """Climb to the coefficients for one size; whether they converged."""
    count = beta.size
    factor, score, step = np.zeros((count, count)), np.empty(count), np.empty(count)
    for _ in range(50):
        if not _gather(family, y, x, offset, weight, size, beta, gram, score):
            return False
        if not cholesky(gram, factor):
            return False
        solve(factor, score, step)
        gain = inner(score, step)
        # Far from the answer a full step may overshoot.
        length = 1.0 if gain < 4.0 * count else 0.5
        for p in range(count):
            beta[p] += length * step[p]
        if gain < 1e-18:
            invert(factor, inverse)
            return True
    return False


@njit(cache=True, error_model="numpy")
def _next_size(y: Any, x: Any, offset: Any, weight: Any, beta: Any, size: Any) -> Any:
    """One safeguarded Newton step of the log size of a negative binomial at given means."""
    slope = bend = 0.0
    for i in range(y.size):
        if weight[i] == 0.0:
            continue
        linear = inner(x[i], beta)
        mean = exp(min(max(linear, -_LIMIT), _LIMIT) + offset[i])
        first, second = 0.0, 0.0
        for k in range(int(y[i])):
            first += 1.0 / (size + k)
            second -= 1.0 / (size + k) ** 2
        share = (y[i] + size) / (size + mean)
        first += log(size / (size + mean)) + 1.0 - share
        second += 1.0 / size - 2.0 / (size + mean) + share / (size + mean)
        slope += weight[i] * first
        bend += weight[i] * second
    slope, bend = slope * size, slope * size + bend * size * size
    step = -slope / bend if bend < 0.0 else (1.0 if slope > 0.0 else -1.0)
    return size * exp(min(max(step, -2.0), 2.0))


@njit(cache=True, error_model="numpy")
def _start(family: Any, y: Any, offset: Any, weight: Any, beta: Any) -> Any:
    """Coefficients of a model with a constant only; False where outcomes do not vary enough."""
    total = events = exposure = 0.0
    for i in range(y.size):
        if weight[i] > 0.0:
            total += weight[i]
            events += weight[i] * y[i]
            exposure += weight[i] * exp(offset[i])
    beta[:] = 0.0
    if total == 0.0 or events <= 0.0 or (family == LOGISTIC and events >= total):
        return False
    beta[0] = log(events / (total - events)) if family == LOGISTIC else log(events / exposure)
    return True


@njit(cache=True, error_model="numpy")
def _fit(
    family: Any, y: Any, x: Any, offset: Any, weight: Any, beta: Any, gram: Any, inverse: Any
) -> tuple[Any, Any]:
    """Coefficients, and size, of one replicate: whether they converged, and the size."""
    if not _start(family, y, offset, weight, beta):
        return False, np.inf
    if family != NEGATIVE_BINOMIAL:
        return _newton(family, y, x, offset, weight, np.inf, beta, gram, inverse), np.inf
    size = 1.0
    for _ in range(200):
        if not _newton(family, y, x, offset, weight, size, beta, gram, inverse):
            return False, size
        after = _next_size(y, x, offset, weight, beta, size)
        if after > _POISSON_SIZE:
            done = _newton(family, y, x, offset, weight, np.inf, beta, gram, inverse)
            return done, np.inf
        if abs(log(after / size)) < 1e-9:
            return True, after
        size = after
    return False, size


@njit(cache=True, error_model="numpy")
def regression_rows(
    family: Any, y: Any, x: Any, offset: Any, weight: Any
) -> tuple[Any, Any, Any, Any, Any]:
    """Fit one regression per replicate.

    Parameters
    ----------
    family
        LOGISTIC, POISSON or NEGATIVE_BINOMIAL (log links).
    y, offset, weight
        (R, N); patients without weight are left out, their other figures must be finite.
    x
        Columns (R, N, P), the first a constant.

    Returns
    -------
    tuple of arrays
        Coefficients (R, P), inverse information (R, P, P), scores (R, N, P) at the estimate,
        size of the negative binomial (R,; infinite: Poisson) and convergence (R,).
    """
    replicates, patients, count = x.shape
    betas = np.full((replicates, count), np.nan)
    inverses = np.full((replicates, count, count), np.nan)
    scores = np.zeros((replicates, patients, count))
    sizes = np.full(replicates, np.inf)
    converged = np.zeros(replicates, dtype=np.bool_)
    beta, gram, inverse = np.empty(count), np.empty((count, count)), np.empty((count, count))
    for r in range(replicates):
        done, sizes[r] = _fit(family, y[r], x[r], offset[r], weight[r], beta, gram, inverse)
        converged[r] = done
        if not done:
            continue
        betas[r] = beta
        inverses[r] = inverse
        for i in range(patients):
            if weight[r, i] == 0.0:
                continue
            linear = inner(x[r, i], beta)
            mean, worth = _moments(family, linear, offset[r, i], sizes[r])
            for p in range(count):
                scores[r, i, p] = weight[r, i] * worth * (y[r, i] - mean) * x[r, i, p]
    return betas, inverses, scores, sizes, converged
