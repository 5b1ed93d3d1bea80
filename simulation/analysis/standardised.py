"""Marginal effects on a binary outcome by g-computation (standardisation).

A logistic regression predicts every patient's risk under both arms; the two mean risks are
compared. With randomisation the effect is unbiased in large trials whether or not the model is
right (FDA, Adjusting for Covariates in Randomized Clinical Trials, May 2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, ndtr, ndtri

from extraction.records.errors import InputError
from simulation.analysis.arrays import BoolArray, Columns, FloatArray, block, numeric, stop
from simulation.analysis.binary import Measure
from simulation.analysis.estimate import Estimand, Estimate
from simulation.analysis.regression import RegressionBatch, regression_batch

Variance = Literal["robust", "delta"]


@dataclass(frozen=True)
class StandardisedBatch:
    """Marginal effects over replicates, each (R,).

    Attributes
    ----------
    estimate, se
        Difference of mean risks, or the log of their ratio or odds ratio; NaN and infinite where
        there is none.
    z, p_value
        Wald's test of no effect; 0 and 1 where there is none.
    risk_treated, risk_control
        Mean risks had everyone been treated, or nobody.
    converged
        Whether the regression has a finite maximum.
    n
        Patients with an outcome.
    """

    estimate: FloatArray
    se: FloatArray
    z: FloatArray
    p_value: FloatArray
    risk_treated: FloatArray
    risk_control: FloatArray
    converged: BoolArray
    n: FloatArray


def _mean_risks(fit: RegressionBatch, weight: FloatArray, variance: Variance
                ) -> tuple[FloatArray, FloatArray]:
    """Mean risks (R, 2), control first, and their covariance (R, 2, 2)."""
    total = np.maximum(weight.sum(axis=1), 1.0)
    beta = np.where(fit.converged[:, None], fit.coefficients, 0.0)
    bread = np.where(fit.converged[:, None, None], fit.naive, 0.0)
    linear = np.einsum("rnp,rp->rn", fit.columns, beta)
    linear = linear - fit.columns[..., 1] * beta[:, 1, None]
    means, slopes, own = [], [], []
    for side in (0.0, 1.0):
        risk = expit(linear + side * beta[:, 1, None])
        mean = np.einsum("rn,rn->r", weight, risk) / total
        bend = weight * risk * (1 - risk) / total[:, None]
        slope = np.einsum("rn,rnp->rp", bend, fit.columns)
        slope[:, 1] = side * bend.sum(axis=1)
        means.append(mean)
        slopes.append(slope)
        own.append(weight * (risk - mean[:, None]) / total[:, None])
    if variance == "delta":
        stacked = np.stack(slopes, axis=1)
        return np.stack(means, axis=1), stacked @ bread @ np.swapaxes(stacked, 1, 2)
    parts = [
        each + np.einsum("rnp,rp->rn", fit.scores, np.einsum("rpq,rq->rp", bread, slope))
        for each, slope in zip(own, slopes, strict=True)
    ]
    influence = np.stack(parts, axis=2)
    return np.stack(means, axis=1), np.einsum("rna,rnb->rab", influence, influence)


def _gradient(measure: Measure, risk: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Effect (R,) of mean risks (R, 2), and its derivatives (R, 2)."""
    if measure == "difference":
        return risk[:, 1] - risk[:, 0], np.tile([-1.0, 1.0], (len(risk), 1))
    if measure == "ratio":
        return np.log(risk[:, 1] / risk[:, 0]), np.stack([-1 / risk[:, 0], 1 / risk[:, 1]], axis=1)
    odds = np.log(risk) - np.log1p(-risk)
    spread = risk * (1 - risk)
    return odds[:, 1] - odds[:, 0], np.stack([-1 / spread[:, 0], 1 / spread[:, 1]], axis=1)


def standardised_batch(y: ArrayLike, treated: ArrayLike, covariates: ArrayLike | None = None, *,
                       included: BoolArray | None = None, measure: Measure = "difference",
                       variance: Variance = "robust") -> StandardisedBatch:
    """Marginal effect by g-computation in each replicate.

    Parameters
    ----------
    y
        Outcomes 0 or 1 (R, N), NaN where missing (at random given arm and covariates).
    treated
        1 for treated, 0 for control, (R, N).
    covariates
        Baseline columns (R, N, K), complete among those included.
    included
        Who is standardised over (R, N), also without an outcome; everyone by default.
    measure
        "difference", or "ratio" and "odds_ratio" on the log scale; all are marginal.
    variance
        "robust": sandwich of the stacked estimating equations of regression and mean risks, which
        holds for a wrong model and for covariates that are themselves sampled (as Ye, Bannick,
        Yi and Shao 2023, doi 10.1080/24754269.2023.2205802, in large trials); "delta": for the
        covariates at hand and a right model (Ge et al. 2011, doi 10.1177/009286151104500409).

    Raises
    ------
    InputError
        For shapes that do not fit.
    """
    fit = regression_batch("logistic", y, treated, covariates, included=included)
    weight = np.ones(fit.columns.shape[:2]) if included is None else included.astype(np.float64)
    risk, spread = _mean_risks(fit, weight, variance)
    effect, gradient = _gradient(measure, risk)
    se = np.sqrt(np.einsum("ra,rab,rb->r", gradient, spread, gradient))
    sound = fit.converged & (se > 0)
    z = np.divide(effect, se, out=np.zeros(se.shape), where=sound)
    return StandardisedBatch(np.where(sound, effect, np.nan), np.where(sound, se, np.inf), z,
                             2 * ndtr(-np.abs(z)), risk[:, 1], risk[:, 0], sound, fit.n)


def standardised(y: ArrayLike, treated: ArrayLike, covariates: Columns | None = None,
                 factors: Columns | None = None, *, measure: Measure = "difference",
                 variance: Variance = "robust", level: float = 0.95,
                 estimand: Estimand | None = None) -> Estimate:
    """Marginal effect on a binary outcome of one trial; see `standardised_batch`.

    `y` holds 0 or 1, `treated` 1 or 0, each (N,); covariates and factors are columns by name.

    Raises
    ------
    InputError
        For faulty inputs, or when the regression has no finite maximum.
    """
    faults: list[str] = []
    outcome = numeric("y", y, faults)
    arm = numeric("treated", treated, faults, outcome.shape)
    if not np.isin(outcome, (0.0, 1.0)).all():
        faults.append("y: values other than 0 and 1; pass an indicator of the event")
    table, names = block(covariates, factors, outcome.size, faults)
    stop(faults)
    found = standardised_batch(outcome[None], arm[None], table[None], measure=measure,
                               variance=variance)
    if not found.converged[0]:
        raise InputError("y: the regression has no finite maximum (events all on one side, or "
                         "collinear columns); drop a column")
    effect, se = float(found.estimate[0]), float(found.se[0])
    width = float(ndtri(0.5 + level / 2)) * se
    ends = [effect, effect - width, effect + width]
    extra = {"measure": measure, "effect": "marginal", "variance": variance, "level": level,
             "adjusted_for": names, "statistic": float(found.z[0]),
             "risk": {"treated": float(found.risk_treated[0]),
                      "control": float(found.risk_control[0])}}
    if measure != "difference":
        extra |= {"scale": "ratio; se is that of the logarithm", "log": effect}
        ends = [float(np.exp(end)) for end in ends]
    return Estimate("logistic g-computation", estimand, ends[0], se, ends[1], ends[2],
                    float(found.p_value[0]), outcome.size, None, extra)
