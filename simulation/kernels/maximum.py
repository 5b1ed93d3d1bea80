"""Tail of the largest of several correlated normal variables, by directions on a sphere.

With Z = L g, g standard normal in d dimensions, the direction of g is independent of its length,
whose tail is known: P(max Z > c) is the mean over directions u of P(length > c / max(L u)). The
integrand is bounded and continuous, also where the correlation is singular (d is its rank), as it
is for the four usual Fleming-Harrington weights, of which one is the sum of two others.
"""

from math import erfc, exp, gamma, pi, sqrt
from typing import Any

import numpy as np
from numba import njit

_FLAT = 1e-9
"""Squared part of a variable beyond which it counts as a sum of the others."""


@njit(cache=True, error_model="numpy")
def _chi_tail(length: Any, dimensions: Any) -> Any:
    """Probability that a standard normal vector is longer than `length`."""
    if length > 8.0:
        return 0.0  # below 1e-12 in up to 8 dimensions
    bell = exp(-0.5 * length * length)
    if dimensions % 2 == 1:
        total = erfc(length / sqrt(2.0))
        power = 1
    else:
        total = bell
        power = 2
    while power + 2 <= dimensions:
        power += 2
        half = 0.5 * power
        total += bell * length ** (power - 2) / (2.0 ** (half - 1.0) * gamma(half))
    return total


@njit(cache=True, error_model="numpy")
def _factor(correlation: Any, left: Any, factor: Any) -> Any:
    """Cholesky factor with the largest remaining variance first; its rank."""
    size = correlation.shape[0]
    factor[:] = 0.0
    for a in range(size):
        left[a] = correlation[a, a]
    for rank in range(size):
        chosen = 0
        for a in range(size):
            # Rounding must not choose: the same trial with its arms swapped has the same tail.
            if left[a] > left[chosen] + _FLAT:
                chosen = a
        if left[chosen] <= _FLAT:
            return rank
        root = sqrt(left[chosen])
        for a in range(size):
            inner = correlation[a, chosen]
            for b in range(rank):
                inner -= factor[a, b] * factor[chosen, b]
            factor[a, rank] = inner / root if left[a] > _FLAT or a == chosen else 0.0
        for a in range(size):
            left[a] -= factor[a, rank] ** 2
    return size


@njit(cache=True, error_model="numpy")
def tail_rows(limit: Any, correlation: Any, circle: Any, ball: Any, more: Any) -> tuple[Any, Any]:
    """Chance that the largest, and the largest in absolute value, exceed a limit.

    Parameters
    ----------
    limit
        (R,), at least 0.
    correlation
        (R, K, K).
    circle, ball, more
        Directions (M, 2), (M, 3) and, for a rank of 4 and more, (M, K).

    Returns
    -------
    tuple of arrays
        One-sided and two-sided, each (R,).
    """
    replicates, size = correlation.shape[0], correlation.shape[1]
    one = np.empty(replicates)
    two = np.empty(replicates)
    factor = np.empty((size, size))
    left = np.empty(size)
    for r in range(replicates):
        rank = _factor(correlation[r], left, factor)
        if rank <= 1:
            two[r] = erfc(limit[r] / sqrt(2.0))
            one[r] = two[r] / 2.0
        elif rank == 2:
            one[r], two[r] = _mean_tail(limit[r], factor, 2, circle)
        elif rank == 3:
            one[r], two[r] = _mean_tail(limit[r], factor, 3, ball)
        else:
            one[r], two[r] = _mean_tail(limit[r], factor, rank, more)
    return one, two


@njit(cache=True, error_model="numpy")
def _mean_tail(limit: Any, factor: Any, rank: Any, directions: Any) -> tuple[Any, Any]:
    """Mean of the length's tail over directions, one-sided and two-sided.

    The directions come without their opposites: each stands for both.
    """
    one = 0.0
    two = 0.0
    for m in range(directions.shape[0]):
        high = -1e300
        low = 1e300
        # In more dimensions than the rank the rest of a direction is cut off and rescaled.
        length = 0.0
        for b in range(rank):
            length += directions[m, b] ** 2
        length = sqrt(length)
        for a in range(factor.shape[0]):
            inner = 0.0
            for b in range(rank):
                inner += factor[a, b] * directions[m, b]
            high = max(high, inner / length)
            low = min(low, inner / length)
        up = _chi_tail(limit / high, rank) if high > 0.0 else 0.0
        down = _chi_tail(-limit / low, rank) if low < 0.0 else 0.0
        one += 0.5 * (up + down)
        two += max(up, down)
    return one / directions.shape[0], two / directions.shape[0]


def directions(dimensions: int, number: int) -> Any:
    """Evenly spread directions (number, dimensions), one of each opposite pair.

    In two dimensions equal angles, in three Fibonacci's spiral over a half sphere (Gonzalez 2010,
    doi 10.1007/s11004-009-9257-x), beyond that normal quantiles of a Sobol sequence, whose number
    must be a power of 2.
    """
    if dimensions == 2:
        turn = (np.arange(number) + 0.5) * pi / number
        return np.stack([np.cos(turn), np.sin(turn)], axis=1)
    if dimensions == 3:
        height = (np.arange(number) + 0.5) / number
        angle = np.arange(number) * pi * (3.0 - sqrt(5.0))
        ring = np.sqrt(1.0 - height**2)
        return np.stack([ring * np.cos(angle), ring * np.sin(angle), height], axis=1)
    from scipy.special import ndtri
    from scipy.stats.qmc import Sobol

    uniform = Sobol(dimensions, scramble=False).random(number)
    return np.ascontiguousarray(ndtri(uniform + 0.5 / number))
