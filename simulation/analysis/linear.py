"""Least squares with the standard errors of R's `lm`, one fit or one per replicate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy

from extraction.records.errors import InputError
from simulation.analysis.arrays import FloatArray

Variance = Literal["classical", "hc2", "hc3"]


@dataclass(frozen=True)
class LinearFit:
    """Ordinary least squares of y on the named columns."""

    names: tuple[str, ...]
    coefficients: FloatArray
    covariance: FloatArray
    residuals: FloatArray
    df: int
    sigma: float


def require_full_rank(design: FloatArray, names: list[str]) -> tuple[FloatArray, FloatArray]:
    """QR factors of a design (N, P) whose columns are independent.

    Raises
    ------
    InputError
        When there are too few patients, or naming the columns that depend on those before them.
    """
    n, p = design.shape
    if n <= p:
        raise InputError(f"design: {p} columns for {n} patients; fewer columns than patients are "
                         "needed; drop covariates or pool factor levels")
    q, r = np.linalg.qr(design)
    weak = np.abs(np.diag(r)) <= 1e-9 * np.maximum(np.linalg.norm(design, axis=0), 1e-300)
    if weak.any():
        raise InputError([f"design column {name}: a combination of the columns before it; columns "
                          "must be linearly independent; drop it"
                          for name, bad in zip(names, weak, strict=True) if bad])
    return q, r


def fit(y: FloatArray, design: FloatArray, names: list[str], variance: Variance = "classical"
        ) -> LinearFit:
    """Fit by QR; classical covariance as in R's `lm`, or HC2/HC3 (MacKinnon and White 1985).

    Parameters
    ----------
    y
        Outcomes (N,).
    design
        Columns (N, P), the intercept included.
    names
        One per column.
    variance
        "classical", or heteroscedasticity-consistent "hc2" or "hc3"
        (doi 10.1016/0304-4076(85)90158-7).

    Raises
    ------
    InputError
        When there are too few patients or the columns are collinear.
    """
    n, p = design.shape
    q, r = require_full_rank(design, names)
    inverse = np.linalg.inv(r)
    coefficients = inverse @ (q.T @ y)
    residuals = y - design @ coefficients
    df = n - p
    sigma2 = float(residuals @ residuals) / df
    if variance == "classical":
        covariance = sigma2 * inverse @ inverse.T
    else:
        slack = 1 - np.einsum("np,np->n", q, q)
        power = 1 if variance == "hc2" else 2
        spread = q * (residuals / slack ** (power / 2))[:, None]
        covariance = inverse @ (spread.T @ spread) @ inverse.T
    return LinearFit(tuple(names), coefficients, covariance, residuals, df, float(np.sqrt(sigma2)))


@dataclass(frozen=True)
class BatchFit:
    """One fit per replicate: the columns of interest only, the others partialled out.

    `effect`, `se`, `statistic` and `p_value` have shape (R, E); `df` is shared.
    """

    effect: FloatArray
    se: FloatArray
    statistic: FloatArray
    p_value: FloatArray
    df: int


def fit_batch(y: FloatArray, interest: FloatArray, shared: FloatArray) -> BatchFit:
    """OLS of y on `interest` and `shared`, one fit per replicate (Frisch and Waugh 1933).

    Parameters
    ----------
    y
        Outcomes (R, N), or (N,) when all replicates share them.
    interest
        Columns that change with the replicate (R, N, E), such as re-randomised arms or a score.
    shared
        Columns that all replicates share (N, P), the intercept included.

    Returns
    -------
    BatchFit
        Columns of `interest` in their order.
    """
    q, _ = np.linalg.qr(shared)
    rows = np.atleast_2d(y)
    outcome = rows - (rows @ q) @ q.T
    columns = interest - np.einsum("np,rpe->rne", q, np.einsum("np,rne->rpe", q, interest))
    gram = np.einsum("rne,rnf->ref", columns, columns)
    outcome = np.broadcast_to(outcome, columns.shape[:2])
    moment = np.einsum("rne,rn->re", columns, outcome)
    inverse = np.linalg.inv(gram)
    effect = np.einsum("ref,rf->re", inverse, moment)
    df = shared.shape[0] - q.shape[1] - interest.shape[2]
    rss = np.einsum("rn,rn->r", outcome, outcome) - np.einsum("re,re->r", effect, moment)
    se = np.sqrt(rss[:, None] / df * np.einsum("ree->re", inverse))
    statistic = effect / se
    return BatchFit(effect, se, statistic, 2 * scipy.stats.t.sf(np.abs(statistic), df), df)


def predict_masked(features: FloatArray, y: FloatArray, train: FloatArray) -> FloatArray:
    """Least-squares predictions of all patients, each replicate learnt on its own subset.

    Parameters
    ----------
    features
        Columns without intercept (R, N, P).
    y
        Outcomes (R, N); those outside the subset are not used.
    train
        1 where the patient is in the training subset (R, N).

    Returns
    -------
    FloatArray
        Predictions (R, N).
    """
    design = np.concatenate([np.ones((*features.shape[:2], 1)), features], axis=2)
    weighted = np.swapaxes(design * train[..., None], 1, 2)
    slopes = np.linalg.solve(weighted @ design, weighted @ y[..., None])
    predicted: FloatArray = (design @ slopes)[..., 0]
    return predicted
