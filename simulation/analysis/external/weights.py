"""Weights that make groups alike: inverse propensity, overlap, entropy balancing; trimming."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from extraction.records.errors import InputError
from simulation.analysis.arrays import BoolArray, FloatArray
from simulation.analysis.external.propensity import columns_batch, logistic_batch, patients

Target = Literal["ate", "att", "overlap", "entropy"]
TARGETS: tuple[str, ...] = get_args(Target)
TOLERANCE = 1e-6
_FLOOR = 1e-12


@dataclass(frozen=True)
class WeightsBatch:
    """Weights over replicates.

    Attributes
    ----------
    weights
        (R, N), at least 0; each group's mean weight is 1; 0 for patients that do not count.
    propensity
        (R, N); NaN for entropy balancing, which needs none.
    converged
        False (R,) where the groups are separated, or no weights balance the columns.
    """

    weights: FloatArray
    propensity: FloatArray
    converged: BoolArray


def weights_batch(treated: FloatArray, x: FloatArray, target: Target = "att",
                  included: ArrayLike | None = None, *, penalty: float = 0.0) -> WeightsBatch:
    """Weights of treated and controls in each replicate.

    Parameters
    ----------
    treated, x
        Arms (R, N) and covariates (R, N, P) or (N, P).
    target
        Whose effect: "att" (the treated: controls weigh e/(1 - e)), "ate" (everyone: 1/e and
        1/(1 - e)), "overlap" (those who could be in either group: 1 - e and e; Li, Morgan and
        Zaslavsky 2018, doi 10.1080/01621459.2016.1260466), "entropy" (the treated, controls
        weighted to have exactly the treated's means; Hainmueller 2012, doi 10.1093/pan/mpr025).
    included
        Who counts, or how often (R, N).
    penalty
        Ridge penalty of the propensity model.
    """
    arm = np.asarray(treated, dtype=np.float64)
    count = np.ones(arm.shape) if included is None else np.asarray(included, dtype=np.float64)
    if target == "entropy":
        table = columns_batch(np.asarray(x, dtype=np.float64), len(arm))
        raw, converged = _entropy(arm, table, count)
        score = np.full(arm.shape, np.nan)
    else:
        fitted = logistic_batch(arm, x, count, penalty=penalty)
        raw, score, converged = _raw(arm, fitted.fitted, target), fitted.fitted, fitted.converged
    return WeightsBatch(_normalise(raw, arm, count), score, converged)


def _raw(arm: FloatArray, score: FloatArray, target: Target) -> FloatArray:
    e = np.clip(score, _FLOOR, 1 - _FLOOR)
    one, zero = {"ate": (1 / e, 1 / (1 - e)), "att": (np.ones_like(e), e / (1 - e)),
                 "overlap": (1 - e, e)}[target]
    return np.where(arm == 1, one, zero)


def _normalise(raw: FloatArray, arm: FloatArray, count: FloatArray) -> FloatArray:
    weights = np.where(count > 0, raw, 0.0)
    for side in (arm == 1, arm == 0):
        mine = count * side
        mean = (mine * weights).sum(axis=1) / np.maximum(mine.sum(axis=1), 1.0)
        weights = np.where(side, weights / np.where(mean > 0, mean, 1.0)[:, None], weights)
    return weights


def _entropy(arm: FloatArray, table: FloatArray, count: FloatArray
             ) -> tuple[FloatArray, BoolArray]:
    """Exponential tilt of the controls with the treated's means, by damped Newton on the dual."""
    one, zero = count * arm, count * (1 - arm)
    aim = np.einsum("rn,rnp->rp", one, table) / np.maximum(one.sum(axis=1), 1.0)[:, None]
    away = table - aim[:, None]
    spread = np.sqrt(np.einsum("rn,rnp->rp", count, away**2) / count.sum(axis=1)[:, None])
    z = away / np.where(spread > 0, spread, 1.0)[:, None]
    tilt = np.zeros((len(arm), z.shape[2]))
    value, share = _dual(z, zero, tilt)
    gap = np.einsum("rn,rnp->rp", share, z)
    moving = np.ones(len(arm), dtype=np.bool_)
    for _ in range(200):
        curvature = np.einsum("rnp,rnq->rpq", z * share[..., None], z)
        curvature -= gap[:, :, None] * gap[:, None, :] - 1e-10 * np.eye(z.shape[2])
        step = np.linalg.solve(curvature, gap[..., None])[..., 0]
        length = np.ones(len(arm))
        for _ in range(25):
            new, moved = _dual(z, zero, tilt - length[:, None] * step)
            worse = ~(new <= value + 1e-13)
            if not worse.any():
                break
            length = np.where(worse, length / 2, length)
        # A balanced replicate rests, so that none hangs on the others it is weighted with.
        keep = ((new <= value + 1e-13) & moving)[:, None]
        tilt = np.where(keep, tilt - length[:, None] * step, tilt)
        value, share = np.where(keep[:, 0], new, value), np.where(keep, moved, share)
        gap = np.einsum("rn,rnp->rp", share, z)
        moving = keep[:, 0] & (np.abs(gap).max(axis=1, initial=0.0) >= 1e-12)
        if not moving.any():
            break
    weights = np.where(zero > 0, share / np.maximum(zero, 1e-300), 0.0)
    balanced = np.abs(gap).max(axis=1, initial=0.0) < TOLERANCE
    return np.where(arm == 1, 1.0, weights), balanced


def _dual(z: FloatArray, zero: FloatArray, tilt: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Log of the controls' summed tilts (R,), and each patient's share of them (R, N)."""
    exponent = np.where(zero > 0, np.einsum("rnp,rp->rn", z, tilt), -np.inf)
    top = exponent.max(axis=1, keepdims=True)
    raised = zero * np.exp(exponent - top)
    total = raised.sum(axis=1, keepdims=True)
    return (top + np.log(total))[:, 0], raised / total


def weigh(treated: ArrayLike, x: ArrayLike, target: Target = "att", *, penalty: float = 0.0
          ) -> FloatArray:
    """Weights (N,) of one comparison, each group's mean weight 1; arguments as `weights_batch`.

    Raises
    ------
    InputError
        For faulty arrays or an unknown target, and where no weights exist: separated groups, or
        treated means that no weighting of the controls reaches.
    """
    if target not in TARGETS:
        raise InputError(f"target: {target!r}; allowed: {', '.join(TARGETS)}; name one of them")
    arm, table, _ = patients(treated, x)
    found = weights_batch(arm[None], table, target, penalty=penalty)
    if not found.converged[0]:
        raise InputError(f"x: no weights for target {target!r} exist: the groups do not overlap; "
                         "compare other controls or trim (weights.trim)")
    weights: FloatArray = found.weights[0]
    return weights


def effective_size_batch(weights: FloatArray, treated: FloatArray,
                         included: ArrayLike | None = None) -> FloatArray:
    """Kish's effective sample sizes (R, 2), controls first: (sum w)^2 / sum w^2."""
    count = 1.0 if included is None else np.asarray(included, dtype=np.float64)
    sizes = []
    for code in (0.0, 1.0):
        mine = np.where(treated == code, count, 0.0)
        square = (mine * weights**2).sum(axis=1)
        total = (mine * weights).sum(axis=1) ** 2
        sizes.append(np.divide(total, square, out=np.zeros_like(total), where=square > 0))
    return np.stack(sizes, axis=1)


def trim(score: ArrayLike, treated: ArrayLike, *, low: float = 0.1, high: float = 0.9,
         common_range: bool = False) -> BoolArray:
    """Patients (N,) or (R, N) kept by their propensity score; refit the weights on those.

    Parameters
    ----------
    score, treated
        Propensity scores and arms, (N,) or (R, N).
    low, high
        Scores kept (Crump et al. 2009, doi 10.1093/biomet/asn055). Trimming changes whose effect
        is estimated: name it in the estimand.
    common_range
        Keep the range that both groups share instead.

    Raises
    ------
    InputError
        For limits outside 0 <= low < high <= 1.
    """
    if not 0 <= low < high <= 1:
        raise InputError(f"low, high: {low:g}, {high:g}; allowed: 0 <= low < high <= 1; mend them")
    e, arm = np.asarray(score, dtype=np.float64), np.asarray(treated, dtype=np.float64)
    if not common_range:
        kept: BoolArray = (e >= low) & (e <= high)
        return kept
    one, zero = arm == 1, arm == 0
    floor = np.maximum(np.where(one, e, np.inf).min(axis=-1, keepdims=True),
                       np.where(zero, e, np.inf).min(axis=-1, keepdims=True))
    roof = np.minimum(np.where(one, e, -np.inf).max(axis=-1, keepdims=True),
                      np.where(zero, e, -np.inf).max(axis=-1, keepdims=True))
    shared: BoolArray = (e >= floor) & (e <= roof)
    return shared
