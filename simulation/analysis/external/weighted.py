"""Weighted differences of means whose variance knows that the weights were estimated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from extraction.records.errors import InputError
from simulation.analysis.arrays import BoolArray, FloatArray
from simulation.analysis.estimate import Estimand, Estimate, from_t
from simulation.analysis.external.propensity import columns_batch, patients, with_intercept
from simulation.analysis.external.weights import (
    TARGETS,
    Target,
    WeightsBatch,
    effective_size_batch,
    weights_batch,
)

Batched = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class WeightedBatch:
    """Weighted difference of means, treated less controls, in each replicate.

    Attributes
    ----------
    effect, se
        (R,); the standard error is that of M-estimation with the weights estimated.
    se_fixed
        (R,), as if the weights had been known.
    ess
        Effective sample sizes (R, 2), controls first.
    converged
        (R,), of the weights.
    influence
        Each patient's influence on the effect (R, N); their squares sum to se^2.
    """

    effect: FloatArray
    se: FloatArray
    se_fixed: FloatArray
    ess: FloatArray
    converged: BoolArray
    influence: FloatArray


def weighted_batch(y: FloatArray, treated: FloatArray, x: FloatArray, target: Target = "att",
                   included: ArrayLike | None = None, *, penalty: float = 0.0) -> WeightedBatch:
    """Hajek's weighted difference in each replicate.

    Parameters
    ----------
    y, treated
        Outcomes and arms (R, N).
    x, target, included, penalty
        As in `weights.weights_batch`.

    Notes
    -----
    The influence function stacks the estimating equations of the weights and of both means
    (Lunceford and Davidian 2004, doi 10.1002/sim.1903; Stefanski and Boos 2002, doi
    10.1198/000313002753631330). With whole counts in `included` each patient's terms count so
    often.
    """
    found = weights_batch(treated, x, target, included, penalty=penalty)
    return weighted_with(y, treated, x, found, target, included)


def weighted_with(y: FloatArray, treated: FloatArray, x: FloatArray, found: WeightsBatch,
                  target: Target, included: ArrayLike | None = None) -> WeightedBatch:
    """`weighted_batch` with weights found before by `weights.weights_batch` on the same rows."""
    arm = np.asarray(treated, dtype=np.float64)
    count = np.ones(arm.shape) if included is None else np.asarray(included, dtype=np.float64)
    share, residual, means = [], [], []
    for side in (1 - arm, arm):
        weight = found.weights * side
        part = weight / np.maximum((count * weight).sum(axis=1), 1e-300)[:, None]
        middle = (count * part * y).sum(axis=1)
        share.append(part)
        residual.append(y - middle[:, None])
        means.append(middle)
    own = share[1] * residual[1] - share[0] * residual[0]
    table = columns_batch(np.asarray(x, dtype=np.float64), len(arm))
    if target == "entropy":
        full = own + _calibration(table, arm, count, share, residual)
    else:
        full = own + _score(with_intercept(table), arm, count, found, share, residual, target)
    return WeightedBatch(means[1] - means[0], np.sqrt((count * full**2).sum(axis=1)),
                         np.sqrt((count * own**2).sum(axis=1)),
                         effective_size_batch(found.weights, arm, count), found.converged, full)


def _score(design: FloatArray, arm: FloatArray, count: FloatArray, found: WeightsBatch,
           share: list[FloatArray], residual: list[FloatArray], target: Target) -> FloatArray:
    """Influence (R, N) through the propensity's coefficients."""
    e = found.propensity
    one, zero = {"ate": (-(1 - e), e), "att": (np.zeros_like(e), np.ones_like(e)),
                 "overlap": (-e, 1 - e)}[target]  # slopes of the logarithms of both weights
    slope = count * (share[1] * residual[1] * one - share[0] * residual[0] * zero)
    gradient = np.einsum("rn,rnp->rp", slope, design)
    weighted = design * (count * e * (1 - e))[..., None]
    curvature = np.swapaxes(weighted, 1, 2) @ design
    direction = np.linalg.pinv(curvature) @ gradient[..., None]
    passed: FloatArray = (design @ direction)[..., 0] * (arm - e)
    return passed


def _calibration(table: FloatArray, arm: FloatArray, count: FloatArray, share: list[FloatArray],
                 residual: list[FloatArray]) -> FloatArray:
    """Influence (R, N) through the balancing weights of the controls and the treated's means."""
    aim = np.einsum("rn,rnp->rp", count * share[1], table)
    z = table - aim[:, None]
    held = count * share[0]
    curvature = np.swapaxes(z * held[..., None], 1, 2) @ z
    moment = np.einsum("rn,rnp->rp", held * residual[0], z)
    slopes = np.linalg.pinv(curvature) @ moment[..., None]
    passed: FloatArray = (z @ slopes)[..., 0] * (share[0] - share[1])
    return passed


def weighted_difference(y: ArrayLike, treated: ArrayLike, x: ArrayLike, target: Target = "att", *,
                        penalty: float = 0.0, level: float = 0.95,
                        estimand: Estimand | None = None) -> Estimate:
    """Weighted difference of means of one comparison; the normal law on the sandwich variance.

    Parameters
    ----------
    y, treated, x
        Outcomes (N,), arms (N,) and covariates (N, P).
    target
        "att", "ate", "overlap" or "entropy": see `weights.weights_batch`.

    Raises
    ------
    InputError
        For faulty arrays, an unknown target, or groups that do not overlap.
    """
    if target not in TARGETS:
        raise InputError(f"target: {target!r}; allowed: {', '.join(TARGETS)}; name one of them")
    arm, table, more = patients(treated, x, y=y)
    found = weighted_batch(more["y"][None], arm[None], table, target, penalty=penalty)
    if not found.converged[0]:
        raise InputError(f"x: no weights for target {target!r} exist: the groups do not overlap; "
                         "compare other controls or trim (weights.trim)")
    return from_t(f"weighted difference, {target}", float(found.effect[0]), float(found.se[0]),
                  arm.size, level=level, estimand=estimand,
                  extra={"target": target, "ess_controls": float(found.ess[0, 0]),
                         "ess_treated": float(found.ess[0, 1]),
                         "se_weights_known": float(found.se_fixed[0])})


def resamples(treated: FloatArray, replicates: int, rng: np.random.Generator) -> FloatArray:
    """Bootstrap counts (replicates, N), each group drawn with replacement from itself.

    Raises
    ------
    InputError
        With fewer than 20 replicates.
    """
    if replicates < 20:
        raise InputError(f"replicates: {replicates}; at least 20 refits are needed for a variance")
    counts = np.zeros((replicates, treated.size))
    for code in (0.0, 1.0):
        members = np.flatnonzero(treated == code)
        even = np.full(members.size, 1 / members.size)
        counts[:, members] = rng.multinomial(members.size, even, size=replicates)
    return counts


def bootstrap_se(statistic: Batched, treated: FloatArray, *, rng: np.random.Generator,
                 replicates: int = 500) -> float:
    """Standard error of a statistic that refits everything on rows of counts.

    Parameters
    ----------
    statistic
        (B, N) counts -> (B,) effects, for instance `lambda c: weighted_batch(y, t, x, "att",
        c).effect` with y and t as (B, N).
    treated
        Arms (N,).

    Raises
    ------
    InputError
        With fewer than 20 replicates, or where a tenth of the refits or more has no result.
    """
    values = statistic(resamples(treated, replicates, rng))
    known = np.isfinite(values)
    if known.mean() <= 0.9:
        raise InputError(f"bootstrap: {int((~known).sum())} of {replicates} refits have no result; "
                         "the groups overlap too little for a variance")
    return float(values[known].std(ddof=1))
