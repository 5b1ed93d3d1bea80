"""Outcome models against external controls: augmented weighting and g-computation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from extraction.records.errors import InputError
from simulation.analysis.arrays import BoolArray, FloatArray, IntArray, numeric
from simulation.analysis.continuous import EffectBatch, t_test_batch
from simulation.analysis.estimate import Estimand, Estimate, from_t
from simulation.analysis.external.propensity import (
    columns_batch,
    logistic_batch,
    patients,
    with_intercept,
)
from simulation.analysis.external.weighted import bootstrap_se
from simulation.analysis.external.weights import weights_batch
from simulation.analysis.external_control import FEW_CONTROLS, POOR_OVERLAP, effect_batch

Family = Literal["gaussian", "binomial"]
Effect = Literal["att", "ate"]


@dataclass(frozen=True)
class RobustBatch:
    """Augmented weighting over replicates.

    Attributes
    ----------
    effect, se, p_value, df
        (R,); two-sided, by Student's law on `df` (infinite for the normal law).
    ess
        Effective sample size of the weighted controls (R,).
    converged
        (R,), of the propensity and of binomial outcome models.
    """

    effect: FloatArray
    se: FloatArray
    p_value: FloatArray
    df: FloatArray
    ess: FloatArray
    converged: BoolArray


def deal_folds(treated: FloatArray, folds: int = 5) -> IntArray:
    """Fold of each patient (R, N): every group's patients are dealt out in turn.

    The order of the patients must say nothing about their outcomes; shuffle sorted data first.
    """
    one, zero = treated == 1, treated == 0
    turn = np.where(one, np.cumsum(one, axis=-1), np.cumsum(zero, axis=-1)) - 1
    dealt: IntArray = np.maximum(turn, 0).astype(np.int64) % folds
    return dealt


def outcome_batch(y: FloatArray, x: FloatArray, learn: FloatArray, family: Family = "gaussian"
                  ) -> tuple[FloatArray, BoolArray]:
    """Predicted means (R, N) of everyone, each replicate learnt on the counts `learn` (R, N).

    Least squares or logistic regression with an intercept on x, (R, N, P) or (N, P).
    """
    table = columns_batch(np.asarray(x, dtype=np.float64), len(y))
    if family == "binomial":
        fitted = logistic_batch(y, table, learn)
        return fitted.fitted, fitted.converged
    total = np.maximum(learn.sum(axis=1), 1.0)[:, None]
    centred = table - (np.einsum("rn,rnp->rp", learn, table) / total)[:, None]
    scale = np.sqrt(np.einsum("rn,rnp->rp", learn, centred**2) / total)
    design = with_intercept(centred / np.where(scale > 0, scale, 1.0)[:, None])
    held = np.swapaxes(design * learn[..., None], 1, 2)
    slopes = np.linalg.pinv(held @ design, hermitian=True) @ (held @ y[..., None])
    predicted: FloatArray = (design @ slopes)[..., 0]
    return predicted, np.ones(len(y), dtype=np.bool_)


def cross_fitted_batch(y: FloatArray, x: FloatArray, learn: FloatArray, folds: IntArray,
                       family: Family = "gaussian") -> tuple[FloatArray, BoolArray]:
    """Predicted means (R, N), every patient's from a model that has not seen the patient.

    `learn` (R, N) counts the group that the model describes; `folds` (R, N) holds fold numbers.
    """
    predicted = np.zeros(y.shape)
    converged = np.ones(len(y), dtype=np.bool_)
    for fold in range(int(folds.max()) + 1):
        out = folds == fold
        made, found = outcome_batch(y, x, np.where(out, 0.0, learn), family)
        predicted = np.where(out, made, predicted)
        converged &= found
    return predicted, converged


def aipw_batch(y: FloatArray, treated: FloatArray, x: FloatArray, target: Effect = "att", *,
               family: Family = "gaussian", folds: IntArray | None = None,
               cross_fit: bool = True, penalty: float = 0.0, tau2: float = 0.0,
               included: ArrayLike | None = None) -> RobustBatch:
    """Doubly robust effect in each replicate.

    Parameters
    ----------
    y, treated, x
        Outcomes and arms (R, N), covariates (R, N, P) or (N, P).
    target
        "att": mean over the treated of Y - m0(X), less the odds-weighted mean over the real
        controls of their out-of-fold Y - m0(X). "ate": the same for everyone, both ways.
    family
        Outcome model: least squares, or logistic regression for a 0/1 outcome.
    folds
        Fold numbers (R, N); five are dealt (`deal_folds`) by default.
    cross_fit
        False lets the outcome model see whom it predicts; for comparison with other software.
    penalty
        Ridge penalty of the propensity.
    tau2
        Variance between trials, for controls of another trial.
    included
        0/1, who counts (R, N).

    Notes
    -----
    "att" has the variance of `external_control.effect_batch` (both groups' terms, safe where few
    controls carry the weight); "ate" that of the efficient influence function (Robins, Rotnitzky
    and Zhao 1994; cross-fitting as in Chernozhukov et al. 2018, doi 10.1111/ectj.12097).
    """
    arm = np.asarray(treated, dtype=np.float64)
    count = np.ones(arm.shape) if included is None else np.asarray(included, dtype=np.float64)
    home = deal_folds(np.where(count > 0, arm, -1.0)) if folds is None else folds
    if not cross_fit:
        home = np.full(arm.shape, -1, dtype=np.int64)
    found = weights_batch(arm, x, "att", count, penalty=penalty)
    m0, good = _predictions(y, x, count * (1 - arm), home, family, cross_fit)
    zero = np.where(arm == 0, found.weights, 0.0)
    ess = zero.sum(axis=1) ** 2 / np.maximum((zero**2).sum(axis=1), 1e-300)
    if target == "att":
        whole = _masked_effect(y - m0, arm, count, zero, tau2)
        return RobustBatch(whole.effect, whole.se, whole.p_value, whole.df, ess,
                           found.converged & good)
    m1, also = _predictions(y, x, count * arm, home, family, cross_fit)
    e = np.clip(found.propensity, 1e-6, 1 - 1e-6)
    part = m1 - m0 + arm * (y - m1) / e - (1 - arm) * (y - m0) / (1 - e)
    n = count.sum(axis=1)
    mean = (count * part).sum(axis=1) / n
    variance = (count * (part - mean[:, None]) ** 2).sum(axis=1) / (n * (n - 1)) + tau2
    whole = t_test_batch(mean, variance, np.full(len(y), np.inf))
    return RobustBatch(mean, whole.se, whole.p_value, whole.df, ess,
                       found.converged & good & also)


def _predictions(y: FloatArray, x: FloatArray, learn: FloatArray, home: IntArray, family: Family,
                 cross_fit: bool) -> tuple[FloatArray, BoolArray]:
    if cross_fit:
        return cross_fitted_batch(y, x, learn, home, family)
    return outcome_batch(y, x, learn, family)


def _masked_effect(residual: FloatArray, arm: FloatArray, count: FloatArray, weights: FloatArray,
                   tau2: float) -> EffectBatch:
    """`effect_batch` by group sizes: replicates with equal sizes are handled together."""
    one, zero = (count > 0) & (arm == 1), (count > 0) & (arm == 0)
    sizes = np.column_stack([one.sum(axis=1), zero.sum(axis=1)])
    effect, variance, df = (np.full(len(arm), np.nan) for _ in range(3))
    for n1, n0 in np.unique(sizes, axis=0):
        if min(n1, n0) < 2:
            continue
        rows = (sizes == (n1, n0)).all(axis=1)
        side1, side0 = one[rows], zero[rows]
        part: EffectBatch = effect_batch(residual[rows][side1].reshape(-1, n1),
                                         residual[rows][side0].reshape(-1, n0),
                                         weights[rows][side0].reshape(-1, n0), tau2)
        effect[rows], variance[rows], df[rows] = part.effect, part.se**2, part.df
    return t_test_batch(effect, variance, df)


def aipw(y: ArrayLike, treated: ArrayLike, x: ArrayLike, target: Effect = "att", *,
         family: Family = "gaussian", folds: ArrayLike | None = None, cross_fit: bool = True,
         tau2: float = 0.0, level: float = 0.95, estimand: Estimand | None = None) -> Estimate:
    """Doubly robust effect of one comparison; arguments as in `aipw_batch`, without R.

    Raises
    ------
    InputError
        For faulty arrays, groups that do not overlap, or an effective number of controls below 2.
    """
    arm, table, more = patients(treated, x, y=y)
    faults: list[str] = []
    home = None if folds is None else numeric("folds", folds, faults, arm.shape).astype(np.int64)
    if family == "binomial" and not np.isin(more["y"], (0.0, 1.0)).all():
        faults.append("y: other values than 0 and 1; a binomial outcome is 0 or 1")
    if tau2 < 0:
        faults.append(f"tau2: {tau2:g}; a variance is at least 0")
    if faults:
        raise InputError(faults)
    found = aipw_batch(more["y"][None], arm[None], table, target, family=family,
                       folds=None if home is None else home[None], cross_fit=cross_fit, tau2=tau2)
    if not found.converged[0] or found.ess[0] < 2:
        raise InputError("x: the groups do not overlap, or an outcome model has no finite fit; "
                         "compare other controls, trim (weights.trim) or drop columns")
    caution = {} if found.ess[0] >= FEW_CONTROLS else {"caution": POOR_OVERLAP}
    df = float(found.df[0]) if np.isfinite(found.df[0]) else None
    return from_t(f"augmented weighting, {target}", float(found.effect[0]), float(found.se[0]),
                  arm.size, df, level=level, estimand=estimand,
                  extra={"target": target, "ess_controls": float(found.ess[0]), "tau2": tau2,
                         "cross_fitted": cross_fit, **caution})


def standardised_batch(y: FloatArray, treated: FloatArray, x: FloatArray, target: Effect = "att", *,
                       family: Family = "gaussian", included: ArrayLike | None = None
                       ) -> tuple[FloatArray, FloatArray]:
    """Means under treatment and under control (R,), (R,) by g-computation.

    One outcome model per group, predicted for the treated ("att") or for everyone ("ate"). With
    "att" the mean under treatment is the treated's own.
    """
    arm = np.asarray(treated, dtype=np.float64)
    count = np.ones(arm.shape) if included is None else np.asarray(included, dtype=np.float64)
    m0, found = outcome_batch(y, x, count * (1 - arm), family)
    if target == "att":
        over, m1 = count * arm, y
    else:
        over = count
        m1, also = outcome_batch(y, x, count * arm, family)
        found = found & also
    size = over.sum(axis=1)
    lost = np.where(found, 1.0, np.nan)
    return (over * m1).sum(axis=1) / size * lost, (over * m0).sum(axis=1) / size * lost


def g_computation(y: ArrayLike, treated: ArrayLike, x: ArrayLike, target: Effect = "att", *,
                  rng: np.random.Generator, family: Family = "gaussian", replicates: int = 500,
                  level: float = 0.95, estimand: Estimand | None = None) -> Estimate:
    """Difference of standardised means with a bootstrap that refits the models.

    Parameters
    ----------
    y, treated, x
        Outcomes (N,), arms (N,) and covariates (N, P).
    rng
        For the resamples (`generation.randomness.generator`).

    Raises
    ------
    InputError
        For faulty arrays or models without a finite fit.
    """
    arm, table, more = patients(treated, x, y=y)
    outcome = more["y"]

    def statistic(count: FloatArray) -> FloatArray:
        shape = count.shape
        one, zero = standardised_batch(np.broadcast_to(outcome, shape),
                                       np.broadcast_to(arm, shape), table, target, family=family,
                                       included=count)
        return one - zero

    value = float(statistic(np.ones((1, arm.size)))[0])
    if not np.isfinite(value):
        raise InputError("x: an outcome model has no finite fit; drop columns that explain the "
                         "outcome fully")
    se = bootstrap_se(statistic, arm, rng=rng, replicates=replicates)
    return from_t(f"g-computation, {target}", value, se, arm.size, level=level, estimand=estimand,
                  extra={"target": target, "replicates": replicates, "family": family})
