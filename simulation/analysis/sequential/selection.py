"""Estimates and intervals after a first look has chosen who goes on, given that choice.

The first stage's estimate is known to lie where the choice fell, and only there. Given that, the
second stage's mean over all that could have been seen is unbiased and has the smallest variance of
all that are (Kimani, Todd and Stallard 2015, doi 10.1002/sim.6506; for times to events Kimani et
al. 2020, doi 10.1002/sim.8557). The estimate at the end, given the choice and the difference of the
parts, has a law in one parameter: its 2.5th and 97.5th percentiles give an interval that holds its
level given the choice, which is what the choice leaves of the usual one (Fithian, Sun and Taylor
2014, arXiv 1410.2597). Without a choice both are the ordinary estimate and interval.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr, logsumexp

from simulation.analysis.sequential.estimates import AfterStopping

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Bounds = Callable[[Floats], tuple[Floats, Floats]]
"""Takes first estimates (R, K) of the rest; lower and upper bounds (R, K) of the subgroup's."""

_LEVELS: Final = (0.975, 0.025)
_FURTHEST: Final = 60.0
"""Standard errors from the estimate within which limits are looked for."""
_HALVINGS: Final = 34
_CHUNK: Final = 256
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_REST_NODES, _REST_WEIGHTS = np.polynomial.legendre.leggauss(24)
_EDGES: Final = np.array([-9.0, -2.0, 0.0, 2.0, 9.0])
_HALF: Final = np.diff(_EDGES)[:, None] / 2
_TAU: Final = (_EDGES[:-1, None] + _HALF * (_NODES + 1)).ravel()
"""Standard errors from the estimate."""
_LOG_WEIGHTS: Final = np.log((_HALF * _WEIGHTS).ravel())
_REACH: Final = 6.0


def after_bounds(
    estimate: Floats, information: Floats, first: Floats, low: Floats, high: Floats
) -> AfterStopping:
    """Estimate an effect whose first-stage estimate had to lie between bounds.

    Parameters
    ----------
    estimate, information
        Of both stages together, (R,); information is 1 / variance.
    first
        Information of the first stage alone, (R,).
    low, high
        Bounds of the first stage's estimate, (R,); infinite where there is none.

    Returns
    -------
    AfterStopping
        Uniformly minimum variance conditionally unbiased estimate, equal-tailed conditional 95 %
        interval, and the one-sided conditional p value of no effect or less. NaN where the second
        stage has brought no information.

    Examples
    --------
    >>> one = np.ones(1)
    >>> free = after_bounds(one, 4 * one, 2 * one, -np.inf * one, np.inf * one)
    >>> [round(float(v[0]), 3) for v in (free.estimate, free.low, free.high)]
    [1.0, 0.02, 1.98]
    >>> float(after_bounds(one, 4 * one, 2 * one, one, np.inf * one).estimate[0]).__round__(3)
    0.601
    """
    sound = _sound(estimate, information, first) & (low < high)
    found = np.full((4, len(estimate)), np.nan)
    for rows in _chunks(sound):
        z, total, begun = estimate[rows], information[rows], first[rows]
        later = total - begun
        spread = np.sqrt(later / (begun * total))[:, None]
        least, most = low[rows, None], high[rows, None]
        mean = _mean_between(z[:, None], spread, least, most)[:, 0]
        found[0, rows] = z + begun / later * (z - mean)
        at = _points(z, total)
        found[1:, rows] = _limits(
            z, total, _log_between((least - at) / spread, (most - at) / spread)
        )
    return AfterStopping(*found)


def after_both(
    estimate: Floats,
    information: Floats,
    first: Floats,
    bounds: Callable[[Indices], Bounds],
    edge: float = -np.inf,
) -> AfterStopping:
    """Estimate the effect in two parts together, where their first estimates lay in a region.

    Parameters
    ----------
    estimate, information
        Of both stages, in the subgroup and in the rest, (R, 2).
    first
        Information of the first stage, (R, 2).
    bounds
        Takes positions (r,) of replicates; gives the function from the rest's first z (r, K) to
        bounds (r, K) of the subgroup's first z.
    edge
        The rest's first z was at least this.

    Returns
    -------
    AfterStopping
        As of `after_bounds`, of the parts' mean by their information.
    """
    sound = np.asarray(_sound(estimate, information, first).all(axis=1))
    found = np.full((4, len(estimate)), np.nan)
    for rows in _chunks(sound):
        found[:, rows] = _together(
            estimate[rows], information[rows], first[rows], bounds(rows), edge
        )
    return AfterStopping(*found)


def _together(z: Floats, total: Floats, first: Floats, bounds: Bounds, edge: float) -> Floats:
    """Estimate, limits and p value, (4, R), of the parts' mean."""
    later, whole = total - first, total.sum(axis=1)
    share = total / whole[:, None]
    spread = np.sqrt(later / (first * total))
    mean = (share * z).sum(axis=1)
    apart = z[:, 0] - z[:, 1]
    root = np.sqrt(first)

    def parts(t: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Rest's first estimate at nodes, its log weights, and bounds, (R, T, K), at means t."""
        centre = (t - share[:, :1] * apart[:, None])[..., None]
        wide = spread[:, 1, None, None]
        start = np.maximum(centre - _REACH * wide, edge / root[:, 1, None, None])
        stop = np.maximum(centre + _REACH * wide, start + _REACH * wide)
        at = start + (stop - start) * (_REST_NODES + 1) / 2
        weights = np.log(_REST_WEIGHTS * (stop - start)) - ((at - centre) / wide) ** 2 / 2
        flat = (at * root[:, 1, None, None]).reshape(len(at), -1)
        low, high = (
            bound.reshape(at.shape) / root[:, 0, None, None] for bound in bounds(flat)
        )
        return at, weights, low, high

    def ends(t: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        centre = (t + share[:, 1:] * apart[:, None])[..., None]
        wide = spread[:, 0, None, None]
        return (low - centre) / wide, (high - centre) / wide

    def weight(t: Floats) -> Floats:
        _, held, low, high = parts(t)
        return np.asarray(logsumexp(held + _log_between(*ends(t, low, high)), axis=2)) - np.log(
            spread[:, 1:]
        )

    at, held, low, high = parts(mean[:, None])
    held = (held + _log_between(*ends(mean[:, None], low, high)))[:, 0]
    # Where the choice could not have fallen as it did, the region is not this trial's: no estimate.
    could = np.isfinite(held).any(axis=1)
    held[~could] = 0.0
    chance = np.exp(held - logsumexp(held, axis=1, keepdims=True))
    inside = _mean_between(z[:, :1], spread[:, :1], low[:, 0], high[:, 0])
    seen = np.stack(
        [(chance * np.where(chance > 0, inside, 0.0)).sum(axis=1), (chance * at[:, 0]).sum(axis=1)],
        axis=1,
    )
    better = (share * (z + first / later * (z - seen))).sum(axis=1)
    found = np.full((4, len(z)), np.nan)
    found[0, could] = better[could]
    if could.any():
        found[1:, could] = _limits(mean, whole, weight(_points(mean, whole)))[:, could]
    return found


def _points(z: Floats, information: Floats) -> Floats:
    """Estimates (R, T) at which their law is summed, in panels below and above z."""
    return np.asarray(z[:, None] + _TAU / np.sqrt(information)[:, None])


def _limits(z: Floats, information: Floats, weight: Floats) -> Floats:
    """Limits and p value (3, R), where estimates are seen with chances in proportion to weights.

    Their logs are given at `_points`, (R, T).
    """
    logs = weight + _LOG_WEIGHTS - _TAU**2 / 2
    logs[~np.isfinite(logs).any(axis=1)] = 0.0
    below = _TAU < 0

    def chance_below(shift: Floats) -> Floats:
        held = logs + _TAU * shift[:, None]
        held = np.exp(held - held.max(axis=1, keepdims=True))
        return np.asarray(held[:, below].sum(axis=1) / held.sum(axis=1))

    found = []
    for level in _LEVELS:
        low, high = np.full(len(z), -_FURTHEST), np.full(len(z), _FURTHEST)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            # The higher the effect, the less lies below what was seen.
            over = chance_below(middle) > level
            low, high = np.where(over, middle, low), np.where(over, high, middle)
        found.append(z + (low + high) / 2 / np.sqrt(information))
    return np.stack([*found, 1 - chance_below(-z * np.sqrt(information))])


def _log_between(low: Floats, high: Floats) -> Floats:
    """Log of the chance that a standard normal lies between; without loss in the tails."""
    turned = low > 0
    lower, upper = np.where(turned, -high, low), np.where(turned, -low, high)
    empty = lower >= upper
    top = log_ndtr(np.where(empty, 0.0, upper))
    gap = log_ndtr(np.where(empty, -np.inf, lower)) - top
    return np.where(empty, -np.inf, top + np.log1p(-np.exp(np.minimum(gap, -1e-300))))


def _mean_between(centre: Floats, spread: Floats, low: Floats, high: Floats) -> Floats:
    """Mean of a normal variable between bounds."""
    lower, upper = (low - centre) / spread, (high - centre) / spread
    logs = _log_between(lower, upper)
    known = np.isfinite(logs)
    scale = np.where(known, logs, 0.0) + np.log(2 * np.pi) / 2
    hazard = np.exp(-(lower**2) / 2 - scale) - np.exp(-(upper**2) / 2 - scale)
    return np.where(known, centre + spread * hazard, np.nan)


def _sound(estimate: Floats, information: Floats, first: Floats) -> npt.NDArray[np.bool_]:
    known = np.isfinite(estimate) & np.isfinite(information) & np.isfinite(first)
    return np.asarray(known & (first > 0) & (information > first * (1 + 1e-9)))


def _chunks(which: npt.NDArray[np.bool_]) -> list[Indices]:
    rows = np.flatnonzero(which)
    return [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]
