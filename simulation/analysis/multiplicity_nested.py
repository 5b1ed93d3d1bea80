"""A population and a subgroup of it: tests of the hypothesis that there is no effect in either.

Z of the whole population and of the subgroup correlate by the root of the subgroup's share of the
information, whatever the effect. Sources: Spiessens and Debois (2010), doi
10.1016/j.cct.2010.08.011; enrichment at an interim look: Brannath et al. (2009), doi
10.1002/sim.3559; Wassmer and Brannath (2016), ch. 11, doi 10.1007/978-3-319-32562-0.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from simulation.analysis.multiplicity import Booleans, Floats, simes

Intersection = Literal["dunnett", "simes", "bonferroni"]
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_HALVINGS: Final = 30
_BOTH: Final = 2
"""Row of the intersection among the sets {whole}, {subgroup}, {both}."""


def nested_p_value(highest: ArrayLike, correlation: ArrayLike) -> Floats:
    """Chance that the higher of two correlated z is this high without any effect.

    Parameters
    ----------
    highest
        Higher of the two z, any shape (R,).
    correlation
        In [0, 1]: the root of the subgroup's share of the information, (R,) or a number.

    Returns
    -------
    array
        One-sided p values (R,) within 1e-12, by quadrature over the correlation.

    Examples
    --------
    >>> [round(float(nested_p_value(1.959964, r)), 5) for r in (0.0, 0.5 ** 0.5, 1.0)]
    [0.04937, 0.04156, 0.025]
    """
    z = np.asarray(highest, dtype=np.float64)
    top = np.arcsin(np.clip(np.asarray(correlation, dtype=np.float64), 0.0, 1.0))
    # d P(both below) / d arcsin(r) = exp(-z^2 / (1 + sin)) / (2 pi): smooth up to r = 1.
    angle = (top / 2)[..., None] * (_NODES + 1)
    density = np.exp(-(z[..., None] ** 2) / (1 + np.sin(angle))) / (2 * np.pi)
    together = density @ _WEIGHTS * top / 2
    above = ndtr(-z)
    return np.asarray(np.clip(above * (2 - above) - together, above, 1.0))


def nested_intersections(
    z: ArrayLike, active: ArrayLike, correlation: ArrayLike, method: Intersection = "dunnett"
) -> Floats:
    """P values of "no effect in all patients", "in the subgroup" and "in either", (R, 3).

    Parameters
    ----------
    z
        Statistics of the whole population and of the subgroup from a stage's patients, (R, 2).
    active
        Whether each is still tested, (R, 2). One that is not has p value 1, and the intersection
        is tested by the other alone.
    correlation
        As in `nested_p_value`, for "dunnett".
    method
        "dunnett" (exact, after Spiessens and Debois), "simes" or "bonferroni".
    """
    values, here = np.asarray(z, dtype=np.float64), np.asarray(active, dtype=bool)
    single = np.where(here, ndtr(-values), 1.0)
    if method == "dunnett":
        both = nested_p_value(values.max(axis=1), correlation)
    elif method == "simes":
        both = simes(single)[:, _BOTH]
    else:
        both = np.minimum(_BOTH * single.min(axis=1), 1.0)
    either = np.where(here.all(axis=1), both, single.min(axis=1))
    return np.column_stack([single, either])


def highest_nested(level: float, correlation: ArrayLike, method: Intersection) -> Floats:
    """Highest of two z from which "no effect in either" is rejected at a one-sided level.

    By Simes' test it is also rejected where both z are beyond the level's own bound.
    """
    shape = np.shape(correlation)
    if method != "dunnett" or level == 0:
        return np.full(shape, ndtri(1 - level / _BOTH))
    low, high = np.full(shape, ndtri(1 - level)), np.full(shape, ndtri(1 - level / _BOTH))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        over = nested_p_value(middle, correlation) > level
        low, high = np.where(over, middle, low), np.where(over, high, middle)
    return np.asarray((low + high) / 2)


def rejected_nested(of_sets: Booleans) -> Booleans:
    """Hypotheses (R, 2) whose every intersection among (R, 3) is rejected: the closed test."""
    return np.asarray(of_sets[:, :_BOTH] & of_sets[:, [_BOTH]])
