"""How alike two groups are, before and after weighting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from simulation.analysis.arrays import FloatArray
from simulation.analysis.external.propensity import columns_batch, patients
from simulation.analysis.external.weights import effective_size_batch


@dataclass(frozen=True)
class Balance:
    """Standardised mean differences by column, treated less controls, and effective sizes."""

    before: dict[str, float]
    after: dict[str, float]
    variance_ratio: dict[str, float]
    ess_treated: float
    ess_controls: float

    @property
    def worst(self) -> float:
        """Greatest absolute difference after weighting."""
        return max((abs(value) for value in self.after.values()), default=0.0)


def difference_batch(treated: FloatArray, x: FloatArray, weights: FloatArray | None = None,
                     included: ArrayLike | None = None, *, scale_by_treated: bool = False
                     ) -> FloatArray:
    """Standardised mean differences (R, P), treated less controls.

    The denominator is that of the unweighted groups, so that weights cannot hide a difference by
    widening it: the root mean of both variances (Austin 2009, doi 10.1002/sim.3697), or the
    treated group's standard deviation with `scale_by_treated` (as MatchIt prints for the ATT).
    """
    arm = np.asarray(treated, dtype=np.float64)
    table = columns_batch(np.asarray(x, dtype=np.float64), len(arm))
    count = np.ones(arm.shape) if included is None else np.asarray(included, dtype=np.float64)
    given = np.ones(arm.shape) if weights is None else weights
    means, spreads = [], []
    for side in (arm, 1 - arm):
        means.append(_mean(table, count * given * side))
        spreads.append(_variance(table, count * side))
    scale = np.sqrt(spreads[0] if scale_by_treated else (spreads[0] + spreads[1]) / 2)
    gap: FloatArray = np.divide(means[0] - means[1], scale, out=np.zeros_like(scale),
                                where=scale > 0)
    return gap


def _mean(table: FloatArray, weight: FloatArray) -> FloatArray:
    total = np.maximum(weight.sum(axis=1), 1e-300)[:, None]
    mean: FloatArray = np.einsum("rn,rnp->rp", weight, table) / total
    return mean


def _variance(table: FloatArray, count: FloatArray) -> FloatArray:
    away = table - _mean(table, count)[:, None]
    total = np.maximum(count.sum(axis=1) - 1, 1.0)[:, None]
    variance: FloatArray = np.einsum("rn,rnp->rp", count, away**2) / total
    return variance


def balance(treated: ArrayLike, x: ArrayLike, weights: ArrayLike, names: Sequence[str]) -> Balance:
    """Balance table of one comparison.

    Parameters
    ----------
    treated, x, weights
        Arms (N,), columns (N, P) and weights (N,), for instance of `weights.weigh`.
    names
        One per column.

    Returns
    -------
    Balance
        `variance_ratio` is the treated's variance over the weighted controls' (1 is alike; 0 where
        the controls do not vary).

    Raises
    ------
    InputError
        For faulty arrays.
    """
    arm, table, more = patients(treated, x, weights=weights)
    w = more["weights"]
    before = difference_batch(arm[None], table)[0]
    after = difference_batch(arm[None], table, w[None])[0]
    one, zero = arm == 1, arm == 0
    middle = np.average(table[zero], axis=0, weights=w[zero])
    spread = np.average((table[zero] - middle) ** 2, axis=0, weights=w[zero])
    ratio = np.divide(table[one].var(axis=0), spread, out=np.zeros_like(spread), where=spread > 0)
    size = effective_size_batch(w[None], arm[None])[0]

    def named(values: FloatArray) -> dict[str, float]:
        return dict(zip(names, values.tolist(), strict=True))

    return Balance(named(before), named(after), named(ratio), float(size[1]), float(size[0]))
