"""A trial's planned analysis with a synthetic control arm: naive, corrected, or over refits.

An estimate's variance has a part of the treated patients and a part of the control rows. Where the
controls are k synthetic rows from a model of n_train patients, the second part is that of k
independent patients only if the model's own error is left out; with it, it grows by 1 + k/n_train
(Raab, Nowok and Dibben, 2016; `simulation.analysis.combining`), whatever the analysis: for a mean
this is sigma^2 (1/n_train + 1/k). The parts are those of the analysis's own variance, so that the
same correction serves a mean, an ANCOVA, a hazard ratio and a restricted mean survival time.

It stands on a generator that is as efficient as the sample and unbiased. Neither is known of a
generator beforehand: `simulation.audit` measures both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from extraction.records.errors import InputError
from simulation.analysis.arrays import FloatArray, numeric, stop
from simulation.analysis.combining import MINIMUM_REFITS, combine_batch
from simulation.analysis.continuous import welch_df
from simulation.analysis.cox import cox_batch
from simulation.analysis.estimate import Estimand, Estimate, from_t
from simulation.analysis.linear import require_full_rank
from simulation.analysis.risk_sets import checked
from simulation.analysis.survival import restricted_mean

INVALID = (
    "invalid: synthetic rows are counted as patients; see the model's inference audit "
    "(simulation.audit) and benchmarks/type_one_error.py"
)


@dataclass(frozen=True)
class Parts:
    """An effect, treated less control, and the two parts of its variance.

    Attributes
    ----------
    method
        The planned analysis.
    estimate
        On the scale on which it is normal: log hazard ratios, not hazard ratios.
    treated_variance, control_variance
        Both as if every row were a patient.
    n_treated, n_control
        Rows.
    small_sample
        Whether Student's law is used (means); the normal law otherwise.
    """

    method: str
    estimate: float
    treated_variance: float
    control_variance: float
    n_treated: int
    n_control: int
    small_sample: bool


def mean_parts(treated: ArrayLike, control: ArrayLike) -> Parts:
    """Difference of means of outcomes (n1,) and (n0,).

    Raises
    ------
    InputError
        For missing outcomes or fewer than two rows.
    """
    faults: list[str] = []
    y1, y0 = numeric("treated", treated, faults), numeric("control", control, faults)
    if min(y1.size, y0.size) < 2:
        faults.append(f"treated, control: {y1.size}, {y0.size} rows; at least 2 each")
    stop(faults)
    return Parts("difference of means", float(y1.mean() - y0.mean()),
                 float(y1.var(ddof=1) / y1.size), float(y0.var(ddof=1) / y0.size),
                 y1.size, y0.size, small_sample=True)


def ancova_parts(treated: ArrayLike, control: ArrayLike, x_treated: FloatArray,
                 x_control: FloatArray) -> Parts:
    """Adjusted difference of outcomes (n1,) and (n0,) given covariates (n1, P) and (n0, P).

    Each arm has a residual variance of its own.

    Raises
    ------
    InputError
        For missing outcomes, too few rows or collinear covariates.
    """
    faults: list[str] = []
    y1, y0 = numeric("treated", treated, faults), numeric("control", control, faults)
    stop(faults)
    x = np.vstack([x_treated, x_control])
    arm = np.r_[np.ones(y1.size), np.zeros(y0.size)]
    design = np.column_stack([np.ones(arm.size), arm, x])
    names = ["intercept", "arm", *(f"covariate {j + 1}" for j in range(x.shape[1]))]
    q, r = require_full_rank(design, names)
    y = np.concatenate([y1, y0])
    weights = q @ np.linalg.inv(r).T[:, 1]  # the effect is their product with the outcomes
    residuals = y - q @ (q.T @ y)
    slack = 1 - np.einsum("np,np->n", q, q)
    one = arm == 1
    spread = [(residuals[side] ** 2).sum() / slack[side].sum() for side in (one, ~one)]
    return Parts("ANCOVA", float(weights @ y), float(spread[0] * (weights[one] ** 2).sum()),
                 float(spread[1] * (weights[~one] ** 2).sum()), y1.size, y0.size,
                 small_sample=True)


def hazard_ratio_parts(time: ArrayLike, event: ArrayLike, treated: ArrayLike) -> Parts:
    """Log hazard ratio of Cox's model on the arm alone; days, indicators and arm each (N,).

    At each event day of d events and a risk-weighted share e of treated among those at risk, the
    score varies by d e (1 - e), of which d e (1 - e)^2 comes from treated patients' events and
    d e^2 (1 - e) from controls' (the martingales' predictable variation); the inverse information
    is shared out so. In small arms this is steadier than squared residuals.

    Raises
    ------
    InputError
        For faulty times, or where one arm has no event.
    """
    times, events = checked(time, event)
    arm = np.asarray(treated, dtype=np.float64)
    if not (events[arm == 1].any() and events[arm == 0].any()):
        raise InputError("event: an arm without an event has no finite hazard ratio; report the "
                         "difference in restricted mean survival time")
    fitted = cox_batch(times[None], events[None], arm[None, :, None])
    beta, variance = float(fitted.coefficients[0, 0]), float(fitted.covariance[0, 0, 0])
    share = _treated_share(times, events, arm, beta)
    return Parts("Cox, log hazard ratio", beta, variance * share, variance * (1 - share),
                 int(arm.sum()), int((1 - arm).sum()), small_sample=False)


def _treated_share(time: FloatArray, event: FloatArray, arm: FloatArray, beta: float) -> float:
    """Share of the score's variation that comes from the treated, in (0, 1)."""
    order = np.argsort(time, kind="stable")
    t, d, x = time[order], event[order], arm[order]
    weight = np.exp(beta * x)
    first = np.searchsorted(t, t, side="left")
    mean = ((weight * x)[::-1].cumsum()[::-1] / weight[::-1].cumsum()[::-1])[first]
    spread = d * mean * (1 - mean)
    return float((spread * (1 - mean)).sum() / spread.sum())


def restricted_mean_parts(time: ArrayLike, event: ArrayLike, treated: ArrayLike, horizon: float
                          ) -> Parts:
    """Difference in restricted mean survival time up to `horizon` days; each array (N,).

    Raises
    ------
    InputError
        For faulty times, or without an event before the horizon in either arm.
    """
    times, events = checked(time, event)
    arm = np.asarray(treated).astype(bool)
    one, se_one = restricted_mean(times[arm], events[arm], horizon)
    zero, se_zero = restricted_mean(times[~arm], events[~arm], horizon)
    if not (se_one and se_zero):
        raise InputError(f"horizon: no event before {horizon:g} days in an arm, so that its "
                         "variance cannot be told; choose a later horizon")
    return Parts("restricted mean survival time", one - zero, se_one**2, se_zero**2,
                 int(arm.sum()), int((~arm).sum()), small_sample=False)


def naive(parts: Parts, *, level: float = 0.95) -> Estimate:
    """The analysis that counts every row as a patient; for real controls, or labelled invalid."""
    own, other = parts.treated_variance, parts.control_variance
    df = float(welch_df(own, parts.n_treated, other, parts.n_control))
    return from_t(f"{parts.method}, rows as patients", parts.estimate, float(np.sqrt(own + other)),
                  parts.n_treated + parts.n_control, df if parts.small_sample else None,
                  level=level, extra={"valid": False, "why": INVALID})


def corrected(parts: Parts | Sequence[Parts], n_train: int, *, tau2: float = 0.0,
              level: float = 0.95, estimand: Estimand | None = None) -> Estimate:
    """The analysis with the variance of n_train patients behind the synthetic controls.

    Parameters
    ----------
    parts
        The analysis with one synthesis, or with each of m from the same fit; their mean counts.
    n_train
        Real controls behind the model.
    tau2
        Variance between trials, on the estimate's scale, for controls of another trial.

    Returns
    -------
    Estimate
        Control part v (k/n_train + 1/m) + tau2 with v the mean of m control variances; a mean has
        Satterthwaite's degrees of freedom on n_treated and n_train patients.

    Raises
    ------
    InputError
        For fewer than two training patients or a negative tau2.
    """
    each = [parts] if isinstance(parts, Parts) else list(parts)
    faults = [] if n_train >= 2 else [f"n_train: {n_train}; it must be at least 2"]
    if tau2 < 0:
        faults.append(f"tau2: {tau2:g}; a variance is at least 0")
    if not each:
        faults.append("parts: none came; at least one synthesis is needed")
    stop(faults)
    first = each[0]
    rows = first.n_control
    own = float(np.mean([p.treated_variance for p in each]))
    behind = float(np.mean([p.control_variance for p in each]))
    other = behind * (rows / n_train + 1 / len(each)) + tau2
    df = float(welch_df(own, first.n_treated, other, n_train)) if first.small_sample else None
    return from_t(f"{first.method}, corrected for n_train",
                  float(np.mean([p.estimate for p in each])), float(np.sqrt(own + other)),
                  first.n_treated + n_train, df, level=level, estimand=estimand,
                  extra={"n_train": n_train, "n_synthetic": rows * len(each), "tau2": tau2,
                         "treated_variance": own, "control_variance": other, "valid": True})


def over_refits(parts: Sequence[Parts], n_train: int, *, tau2: float = 0.0, level: float = 0.95,
                estimand: Estimand | None = None) -> Estimate:
    """The analysis over m bootstrap refits of the generator (`generation.synthesis`).

    The control part is the variance between refits and so measures the generator's own error
    instead of assuming it: rule `bootstrap_refits` of `simulation.analysis.combining`.

    Raises
    ------
    InputError
        For fewer refits than the rule needs.
    """
    if len(parts) < MINIMUM_REFITS:
        raise InputError(f"parts: {len(parts)} refits; at least {MINIMUM_REFITS} are needed for a "
                         "variance")
    first = parts[0]
    q = np.array([[p.estimate for p in parts]])
    v = np.array([[p.control_variance for p in parts]])
    whole = combine_batch(q, v, "bootstrap_refits", n_train, first.n_control)
    own = float(np.mean([p.treated_variance for p in parts]))
    joint = whole.with_fixed(own + tau2, first.n_treated - 1 if first.small_sample else np.inf)
    df = float(joint.df[0])
    return from_t(f"{first.method}, over {len(parts)} refits", float(joint.estimate[0]),
                  float(np.sqrt(joint.variance[0])), first.n_treated + n_train,
                  df if np.isfinite(df) else None, level=level, estimand=estimand,
                  extra={"n_train": n_train, "n_synthetic": first.n_control, "tau2": tau2,
                         "treated_variance": own, "control_variance": float(whole.variance[0]),
                         "rule": "bootstrap_refits", "valid": True})
