"""Several arms against one control: Dunnett tests, closed, and stage by stage.

Sources: Dunnett (1955), doi 10.1080/01621459.1955.10501294; many stages with selection: Bretz,
Schmidli, Koenig, Racine and Maurer (2006), doi 10.1002/bimj.200510232; Posch et al. (2005),
doi 10.1002/sim.2389. Statistics are z, (R, H), positive for a benefit; the control is shared, so
that those of arms i and j correlate by sqrt(q_i q_j) with q = n_i / (n_i + n_control).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtri

from extraction.records.errors import Faults
from simulation.analysis.multiplicity import Booleans, Floats, closed_rejections, intersections

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(80)
_REACH: Final = 8.0
_X: Final = _REACH * _NODES
_MASS: Final = _REACH * _WEIGHTS * np.exp(-0.5 * _X**2) / np.sqrt(2 * np.pi)


def dunnett_p_value(highest: ArrayLike, ratios: ArrayLike) -> Floats:
    """Chance that the highest of several z against one control is this high without any effect.

    Parameters
    ----------
    highest
        Highest z, any shape (R,); -infinity has p value 1.
    ratios
        Patients of each arm over those of control, (H,).

    Returns
    -------
    array
        One-sided p values within 1e-12, (R,), exact by quadrature over the control's mean.

    Examples
    --------
    >>> round(float(dunnett_p_value(2.0621, [1.0, 1.0, 1.0])), 4)
    0.05
    """
    z = np.asarray(highest, dtype=np.float64)
    q = np.asarray(ratios, dtype=np.float64)
    q = q / (1 + q)
    kinds, counts = np.unique(q, return_counts=True)
    below = np.zeros((*z.shape, len(_X)))
    for share, count in zip(kinds, counts, strict=True):
        below += count * log_ndtr((z[..., None] + np.sqrt(share) * _X) / np.sqrt(1 - share))
    return np.asarray(np.clip(-np.expm1(below) @ _MASS, 0.0, 1.0))


def dunnett_critical(alpha: float, ratios: ArrayLike) -> float:
    """Critical value of the highest z, one-sided.

    Examples
    --------
    >>> round(dunnett_critical(0.025, [1.0, 1.0, 1.0]), 4)
    2.349
    """
    arms = np.size(ratios)
    low, high = float(ndtri(1 - alpha)) - 1e-9, float(ndtri(1 - alpha / arms)) + 1e-9
    return float(
        brentq(lambda z: float(dunnett_p_value(z, ratios)) - alpha, low, high, xtol=1e-12)
    )


def dunnett_intersections(
    z: ArrayLike, ratios: ArrayLike | None = None, active: ArrayLike | None = None
) -> Floats:
    """P values of all intersections by Dunnett tests of their arms, (R, 2^H - 1).

    Parameters
    ----------
    z
        Statistic of each arm against control, (R, H).
    ratios
        Patients of each arm over those of control, (H,); none: equal arms.
    active
        Arms that have data, (R, H); none: all. An intersection is tested by its arms with data; one
        without any has p value 1.
    """
    values = np.atleast_2d(np.asarray(z, dtype=np.float64))
    arms = values.shape[1]
    share = np.ones(arms) if ratios is None else np.asarray(ratios, dtype=np.float64)
    here = np.ones(values.shape, bool) if active is None else np.asarray(active, dtype=bool)
    out = np.ones((len(values), (1 << arms) - 1))
    bits = 1 << np.arange(arms)
    for s, members in enumerate(intersections(arms)):
        present = here & members
        pattern = present @ bits
        highest = np.where(present, values, -np.inf).max(axis=1)
        for number in np.unique(pattern[pattern > 0]):
            rows = pattern == number
            out[rows, s] = dunnett_p_value(highest[rows], share[(number & bits) > 0])
    return out


def stagewise_closed_dunnett(
    z: ArrayLike,
    active: ArrayLike,
    weights: ArrayLike,
    critical: ArrayLike,
    ratios: ArrayLike | None = None,
) -> Booleans:
    """Reject arms over stages, whatever arms were dropped and why.

    Each intersection's stage-wise Dunnett p values are combined by the inverse normal method and
    compared with group-sequential critical values; closed testing does the rest.

    Parameters
    ----------
    z
        Statistic of each arm from each stage's own patients, (R, S, H).
    active
        Arms that had patients in the stage, (R, S, H).
    weights
        Of the stages, fixed beforehand, (S,).
    critical
        Group-sequential critical values at the matching rates, (S,).
    ratios
        Patients of each arm over those of control, (H,); none: equal arms.

    Returns
    -------
    array
        Rejected by each stage, (R, S, H). An arm without patients in a stage is not newly rejected
        there.

    Raises
    ------
    InputError
        If shapes do not fit.
    """
    values, here = np.asarray(z, dtype=np.float64), np.asarray(active, dtype=bool)
    w, bounds = np.asarray(weights, dtype=np.float64), np.asarray(critical, dtype=np.float64)
    _check(values, here, w, bounds)
    arms = values.shape[2]
    total = np.zeros((len(values), (1 << arms) - 1))
    of_sets, out = np.zeros(total.shape, bool), np.zeros(values.shape, bool)
    for s in range(values.shape[1]):
        total = add_stage(total, values[:, s], here[:, s], float(w[s]), ratios)
        of_sets |= total >= bounds[s] * np.sqrt((w[: s + 1] ** 2).sum())
        earlier = out[:, s - 1] if s else np.zeros((len(values), arms), bool)
        out[:, s] = earlier | (closed_rejections(of_sets) & here[:, s])
    return out


def add_stage(
    total: Floats, z: Floats, active: Booleans, weight: float, ratios: ArrayLike | None = None
) -> Floats:
    """Weighted sums of the intersections' normal scores after one more stage, (R, 2^H - 1).

    Parameters
    ----------
    total
        Sums so far.
    z, active
        Statistic of each arm from the stage's own patients, and whether it had any, (R, H).
    weight
        Of the stage.
    ratios
        Patients of each arm over those of control, (H,).
    """
    p = dunnett_intersections(z, ratios, active)
    return np.asarray(total + weight * -ndtri(np.clip(p, 1e-300, 1.0)))


def _check(z: Floats, active: Booleans, weights: Floats, critical: Floats) -> None:
    faults = Faults("stagewise_closed_dunnett")
    if z.ndim != 3 or active.shape != z.shape:
        faults.add(f"z, active: shapes {z.shape}, {active.shape} came; both are (R, S, H)")
    elif not (weights.shape == critical.shape == (z.shape[1],)):
        faults.add(
            f"weights, critical: shapes {weights.shape}, {critical.shape} came; give one for each "
            f"of {z.shape[1]} stages"
        )
    if not np.all(weights > 0):
        faults.add("weights: they must be above 0")
    faults.raise_if_any()
