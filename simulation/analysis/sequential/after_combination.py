"""Estimates after two stages of which the second's size was chosen by the first's data.

Under every effect the stages' own statistics are independent standard normals whatever size was
chosen, so that their combination by weights fixed beforehand keeps its law. Stagewise ordering of
it gives median-unbiased estimates and exact intervals that agree with the inverse normal test.

Source: Brannath, Posch and Bauer (2002), doi 10.1198/016214502753479374.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from simulation.analysis.sequential.estimates import AfterStopping
from simulation.analysis.sequential.quadrature import Floats

_NODES, _SHARES = np.polynomial.legendre.leggauss(32)
_FAR: Final = 8.0
"""Standard deviations beyond which a normal law is left out."""
_SPAN: Final = 12.0
"""Standard errors about the estimate without an interim stop in which the answers are sought."""
_HALVINGS: Final = 30


def after_combination(
    first: ArrayLike,
    first_se: ArrayLike,
    second: ArrayLike,
    second_se: ArrayLike,
    weights: tuple[float, float],
    critical: float = np.inf,
    *,
    level: float = 0.95,
) -> AfterStopping:
    """Median-unbiased estimate, interval and p value of trials that went on to the second stage.

    Parameters
    ----------
    first, first_se
        Estimate and standard error of the first stage's patients, (R,).
    second, second_se
        Of the second stage's own patients, (R,).
    weights
        Of the two stages, fixed beforehand; their squares sum to 1.
    critical
        Z at which the first stage stopped trials for efficacy; infinite: it tested nothing.
    level
        Confidence level of the two-sided interval.

    Returns
    -------
    AfterStopping
        In the estimates' unit, positive being a benefit; the p value is one-sided.

    Examples
    --------
    >>> found = after_combination([0.3], [0.2], [0.2], [0.1], (0.6, 0.8), 2.8)
    >>> [round(float(x[0]), 4) for x in (found.estimate, found.low, found.high)]
    [0.2265, 0.0439, 0.4053]
    """
    centre = np.stack([np.asarray(x, dtype=np.float64) for x in (first, second)])
    error = np.stack([np.asarray(x, dtype=np.float64) for x in (first_se, second_se)])
    slopes = np.array(weights)[:, None] / error
    # Without a stop on the way the combination is normal about the effect.
    flat, spread = (slopes * centre).sum(axis=0) / slopes.sum(axis=0), 1 / slopes.sum(axis=0)
    tails = ((1 - level) / 2, 0.5, (1 + level) / 2)
    low, middle, high = (
        _where(tail, centre, error, weights, critical, flat, spread) for tail in tails
    )
    p = _more_extreme(np.zeros_like(flat), centre, error, weights, critical)
    return AfterStopping(middle, low, high, p)


def _where(
    tail: float, centre: Floats, error: Floats, weights: tuple[float, float], critical: float,
    flat: Floats, spread: Floats,
) -> Floats:
    """Effects (R,) at which what is more extreme has a probability; it rises with the effect."""
    low, high = flat - _SPAN * spread, flat + _SPAN * spread
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = _more_extreme(middle, centre, error, weights, critical) < tail
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray((low + high) / 2)


def _more_extreme(
    effect: Floats, centre: Floats, error: Floats, weights: tuple[float, float], critical: float
) -> Floats:
    """Probability (R,) under effects of a stop at the first stage, or of a higher combination."""
    z = (centre - effect) / error
    combined = weights[0] * z[0] + weights[1] * z[1]
    if np.isinf(critical):
        return np.asarray(ndtr(-combined))
    edge = critical - effect / error[0]
    top = np.clip(edge, -_FAR, _FAR)
    half = (top + _FAR) / 2
    x = (half * (_NODES[:, None] + 1)) - _FAR
    density = np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)
    later = density * ndtr((weights[0] * x - combined) / weights[1])
    return np.asarray(ndtr(-edge) + half * (_SHARES[:, None] * later).sum(axis=0))
