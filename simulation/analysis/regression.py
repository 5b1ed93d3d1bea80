"""Logistic, Poisson and negative binomial regression in each replicate, with robust variance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from extraction.records.errors import InputError
from simulation.analysis.arrays import BoolArray, FloatArray

Law = Literal["logistic", "poisson", "negative_binomial"]
LAWS: tuple[Law, ...] = ("logistic", "poisson", "negative_binomial")
"""In the kernel's numbering."""


@dataclass(frozen=True)
class RegressionBatch:
    """Fits over R replicates of N patients and P columns: constant, treated, covariates.

    Attributes
    ----------
    coefficients
        (R, P); NaN where there is no fit.
    naive, robust
        Inverse information and sandwich (R, P, P); for a negative binomial the dispersion counts
        as known, which is right to first order: the two are orthogonal.
    dispersion
        alpha (R,) of a negative binomial, variance = mean + alpha mean^2; 0 is Poisson's.
    converged
        False (R,) where the likelihood has no finite maximum or columns are collinear.
    n
        Patients with an outcome (R,).
    scores
        Each patient's score (R, N, P) at the estimate, 0 for those without an outcome.
    columns
        The design (R, N, P), covariates centred at the means of those included.
    """

    coefficients: FloatArray
    naive: FloatArray
    robust: FloatArray
    dispersion: FloatArray
    converged: BoolArray
    n: FloatArray
    scores: FloatArray
    columns: FloatArray


def design(treated: FloatArray, covariates: ArrayLike | None, included: BoolArray) -> FloatArray:
    """Columns (R, N, P): constant, treated, covariates less their means over those included."""
    parts = [np.ones((*treated.shape, 1)), treated[..., None]]
    if covariates is not None:
        table = np.asarray(covariates, dtype=np.float64)
        if table.ndim != 3 or table.shape[:2] != treated.shape:
            raise InputError(f"covariates: shape {table.shape}; expected {(*treated.shape, 'K')}")
        weight = included.astype(np.float64)
        # One row a sum: a chunk's size cannot change a bit of it.
        total = np.einsum("rn,rnk->rk", weight, np.where(included[..., None], table, 0.0))
        centre = total / np.maximum(weight.sum(axis=1), 1.0)[:, None]
        parts.append(np.where(included[..., None], table - centre[:, None, :], 0.0))
    return np.concatenate(parts, axis=2)


def regression_batch(law: Law, y: ArrayLike, treated: ArrayLike,
                     covariates: ArrayLike | None = None, *, offset: ArrayLike | None = None,
                     included: BoolArray | None = None) -> RegressionBatch:
    """Fit a regression by maximum likelihood in each replicate.

    Parameters
    ----------
    law
        "logistic" (logit link), "poisson" or "negative_binomial" (log links).
    y
        Outcomes (R, N), NaN where missing: 0 or 1, or counts.
    treated
        1 for treated, 0 for control, (R, N).
    covariates
        Columns (R, N, K), complete among those included.
    offset
        Known part of the linear predictor (R, N), such as log exposure.
    included
        Who counts (R, N); everyone by default. Those without an outcome count in the covariates'
        means only.

    Raises
    ------
    InputError
        For shapes that do not fit.
    """
    from simulation.kernels.regression import regression_rows

    outcome = np.asarray(y, dtype=np.float64)
    arm = np.asarray(treated, dtype=np.float64)
    if outcome.ndim != 2 or arm.shape != outcome.shape:
        raise InputError(f"y, treated: shapes {outcome.shape}, {arm.shape}; both must be (R, N)")
    mask = np.ones(outcome.shape, dtype=bool) if included is None else included
    columns = design(arm, covariates, mask)
    known = mask & np.isfinite(outcome)
    shift = np.zeros(outcome.shape) if offset is None else np.asarray(offset, dtype=np.float64)
    beta, naive, scores, size, done = regression_rows(
        LAWS.index(law), np.where(known, outcome, 0.0), columns, np.where(known, shift, 0.0),
        known.astype(np.float64))
    meat = np.einsum("rnp,rnq->rpq", scores, scores)
    return RegressionBatch(beta, naive, naive @ meat @ naive, 1 / size, done,
                           known.sum(axis=1).astype(np.float64), scores, columns)
