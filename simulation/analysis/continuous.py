"""Continuous endpoints: ANCOVA, the two-sample t test and dose response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike

from extraction.records.errors import InputError
from simulation.analysis import linear
from simulation.analysis.arrays import (
    Columns,
    FloatArray,
    block,
    dummies,
    labels,
    numeric,
    stop,
)
from simulation.analysis.estimate import Estimand, Estimate, from_t


@dataclass(frozen=True)
class Ancova:
    """Several active arms against one control in one model.

    `effects` holds one `Estimate` per active arm, the difference of adjusted means from control;
    `fit` the linear model behind them.
    """

    effects: Mapping[str, Estimate]
    fit: linear.LinearFit
    arms: tuple[str, ...]
    control: str
    n: int

    def contrast(self, weights: Mapping[str, float], *, level: float = 0.95,
                 estimand: Estimand | None = None) -> Estimate:
        """Linear contrast of the arms' adjusted means; weights sum to zero.

        Raises
        ------
        InputError
            When an arm is unknown or the weights do not sum to zero.
        """
        known = (self.control, *self.arms)
        faults = [f"contrast[{arm}]: unknown arm; allowed: {', '.join(known)}"
                  for arm in weights if arm not in known]
        if abs(sum(weights.values())) > 1e-9:
            faults.append(f"contrast: weights sum to {sum(weights.values()):g}; they must sum to 0")
        stop(faults)
        vector = np.zeros(len(self.fit.coefficients))
        for arm, weight in weights.items():
            if arm != self.control:
                vector[1 + self.arms.index(arm)] = weight
        value = float(vector @ self.fit.coefficients)
        se = float(np.sqrt(vector @ self.fit.covariance @ vector))
        return from_t("linear contrast of ANCOVA", value, se, self.n, self.fit.df, level=level,
                      estimand=estimand, extra={"weights": dict(weights)})


def _arms(arm: ArrayLike, control: Any, n: int, faults: list[str]
          ) -> tuple[FloatArray, list[Any]]:
    array = labels("arm", arm, faults, n)
    stop(faults)
    levels = np.unique(array).tolist()
    if control not in levels:
        faults.append(f"control: {control!r} is not among the arms; allowed: {levels}")
    if len(levels) < 2:
        faults.append(f"arm: only {levels}; at least two arms are needed")
    stop(faults)
    return dummies(array, control)


def ancova(y: ArrayLike, arm: ArrayLike, covariates: Columns | None = None,
           factors: Columns | None = None, *, control: Any,
           variance: linear.Variance = "classical", level: float = 0.95,
           estimand: Estimand | None = None) -> Ancova:
    """Analysis of covariance: outcome on arms, covariates and factor blocks such as site.

    Parameters
    ----------
    y
        Outcomes (N,), complete.
    arm
        Arm labels (N,).
    covariates
        Numeric columns by name, each (N,), such as the baseline value.
    factors
        Label columns by name, each (N,), such as pooled site; entered as dummies.
    control
        The reference arm's label.
    variance
        "classical" as R's `lm`; "hc2" or "hc3" when arms differ in spread.
    level
        Confidence level in (0, 1).

    Returns
    -------
    Ancova
        Effects of each active arm against control with t intervals on N - P degrees of freedom.

    Raises
    ------
    InputError
        For missing values, wrong shapes, unknown control or collinear columns, all at once.
    """
    faults: list[str] = []
    outcome = numeric("y", y, faults)
    n = outcome.shape[0]
    treated, active = _arms(arm, control, n, faults)
    table, names = block(covariates, factors, n, faults)
    design = np.hstack([np.ones((n, 1)), treated, table])
    fitted = linear.fit(outcome, design, ["intercept", *map(str, active), *names], variance)
    counts = {str(a): int(treated[:, i].sum()) for i, a in enumerate(active)}
    counts[str(control)] = n - sum(counts.values())
    method = "ANCOVA" if names else "analysis of variance"
    effects = {
        str(a): from_t(method, float(fitted.coefficients[1 + i]),
                       float(np.sqrt(fitted.covariance[1 + i, 1 + i])), n, fitted.df, level=level,
                       estimand=estimand,
                       extra={"arm": str(a), "control": str(control), "n_by_arm": counts,
                              "variance": variance, "adjusted_for": sorted({*(covariates or {}),
                                                                            *(factors or {})}),
                              "residual_sd": fitted.sigma})
        for i, a in enumerate(active)}
    return Ancova(effects, fitted, tuple(map(str, active)), str(control), n)


def dose_response(y: ArrayLike, dose: ArrayLike, covariates: Columns | None = None,
                  factors: Columns | None = None, *, variance: linear.Variance = "classical",
                  level: float = 0.95, estimand: Estimand | None = None) -> Estimate:
    """Linear trend over dose: the slope of the outcome per unit of dose in an ANCOVA.

    `dose` (N,) is the planned dose of each patient, control at 0, in the unit of the slope.

    Raises
    ------
    InputError
        For missing values, wrong shapes, a constant dose or collinear columns.
    """
    faults: list[str] = []
    outcome = numeric("y", y, faults)
    n = outcome.shape[0]
    doses = numeric("dose", dose, faults, (n,))
    if not faults and np.ptp(doses) == 0:
        faults.append("dose: the same for every patient; at least two doses are needed")
    table, names = block(covariates, factors, n, faults)
    design = np.hstack([np.ones((n, 1)), doses[:, None], table])
    fitted = linear.fit(outcome, design, ["intercept", "dose", *names], variance)
    return from_t("ANCOVA, dose as a line", float(fitted.coefficients[1]),
                  float(np.sqrt(fitted.covariance[1, 1])), n, fitted.df, level=level,
                  estimand=estimand, extra={"doses": sorted(set(doses.tolist()))})


def two_sample_t(treated: ArrayLike, control: ArrayLike, *, pooled: bool = False,
                 level: float = 0.95, estimand: Estimand | None = None) -> Estimate:
    """Difference of two means: Welch's test, or Student's with `pooled` variance.

    Raises
    ------
    InputError
        When a group has fewer than two patients or missing values.
    """
    faults: list[str] = []
    a = numeric("treated", treated, faults)
    b = numeric("control", control, faults)
    faults += [f"{name}: {x.size} patients; at least 2 are needed"
               for name, x in (("treated", a), ("control", b)) if x.size < 2]
    stop(faults)
    va, vb = a.var(ddof=1) / a.size, b.var(ddof=1) / b.size
    if va + vb <= 0:
        raise InputError("treated, control: no spread in either group; a test needs some")
    df, variance = welch_df(va, a.size, vb, b.size), va + vb
    if pooled:
        df = float(a.size + b.size - 2)
        spread = (va * a.size * (a.size - 1) + vb * b.size * (b.size - 1)) / df
        variance = spread * (1 / a.size + 1 / b.size)
    return from_t("Student's t" if pooled else "Welch's t", float(a.mean() - b.mean()),
                  float(np.sqrt(variance)), a.size + b.size, df, level=level, estimand=estimand,
                  extra={"n_treated": a.size, "n_control": b.size})


def welch_df(va: Any, na: Any, vb: Any, nb: Any) -> Any:
    """Satterthwaite's degrees of freedom of va + vb, variances of means on na and nb patients."""
    return (va + vb) ** 2 / (va**2 / (na - 1) + vb**2 / (nb - 1))


@dataclass(frozen=True)
class EffectBatch:
    """Effects of one analysis over replicates, each array (R,); `df` is shared or (R,)."""

    effect: FloatArray
    se: FloatArray
    statistic: FloatArray
    p_value: FloatArray
    df: Any

    def rejection_rate(self, alpha: float = 0.05) -> tuple[float, float]:
        """Share of replicates with p <= alpha and its Monte Carlo standard error."""
        rate = float((self.p_value <= alpha).mean())
        return rate, float(np.sqrt(rate * (1 - rate) / self.p_value.size))


def ancova_batch(y: ArrayLike, treated: ArrayLike, covariates: ArrayLike | None = None,
                 scores: ArrayLike | None = None) -> EffectBatch:
    """ANCOVA of two arms in each of R replicates at once.

    Parameters
    ----------
    y
        Outcomes (R, N), or (N,) when shared (re-randomised labels).
    treated
        1 for treated, 0 for control, (R, N) or (N,).
    covariates
        Columns without intercept: (N, P) shared by all replicates.
    scores
        Covariates that change with the replicate: (R, N) or (R, N, E).

    Returns
    -------
    EffectBatch
        Treated minus control, equal to `ancova` in each replicate.
    """
    outcome = np.atleast_2d(np.asarray(y, dtype=np.float64))
    arm = np.atleast_2d(np.asarray(treated, dtype=np.float64))
    replicates, n = max(outcome.shape[0], arm.shape[0]), outcome.shape[1]
    parts = [np.broadcast_to(arm, (replicates, n))[..., None]]
    if scores is not None:
        more = np.asarray(scores, dtype=np.float64)
        parts.append(more[..., None] if more.ndim == 2 else more)
    shared = np.ones((n, 1))
    if covariates is not None:
        shared = np.hstack([shared, np.asarray(covariates, dtype=np.float64)])
    result = linear.fit_batch(outcome, np.concatenate(parts, axis=2), shared)
    return EffectBatch(result.effect[:, 0], result.se[:, 0], result.statistic[:, 0],
                       result.p_value[:, 0], result.df)


def t_test_batch(mean_difference: FloatArray, variance: FloatArray, df: FloatArray) -> EffectBatch:
    """Wald t tests over replicates out of differences (R,), their variances (R,) and df (R,)."""
    se = np.sqrt(variance)
    statistic = mean_difference / se
    p_value = 2 * scipy.stats.t.sf(np.abs(statistic), df)
    return EffectBatch(mean_difference, se, statistic, p_value, df)
