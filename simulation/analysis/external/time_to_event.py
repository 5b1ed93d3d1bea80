"""Weighted survival against external controls: Cox, log-rank, restricted mean survival time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from extraction.records.errors import InputError
from simulation.analysis.arrays import BoolArray, FloatArray, IntArray
from simulation.analysis.cox import cox_batch
from simulation.analysis.estimate import Estimand, Estimate, from_t, ratio_from_log
from simulation.analysis.external.propensity import patients
from simulation.analysis.external.weighted import bootstrap_se
from simulation.analysis.external.weights import TARGETS, Target, weights_batch
from simulation.analysis.risk_sets import checked


@dataclass(frozen=True)
class SurvivalBatch:
    """A weighted comparison in each replicate, treated less controls.

    Attributes
    ----------
    estimate, se, z, p_value
        (R,); robust for given weights. `estimate` is a log hazard ratio, a score, or days.
    converged
        (R,); False also where a group has no event.
    """

    estimate: FloatArray
    se: FloatArray
    z: FloatArray
    p_value: FloatArray
    converged: BoolArray


def _result(estimate: FloatArray, variance: FloatArray, converged: BoolArray) -> SurvivalBatch:
    se = np.sqrt(variance)
    z = np.divide(estimate, se, out=np.zeros_like(se), where=se > 0)
    return SurvivalBatch(estimate, se, z, 2 * ndtr(-np.abs(z)), converged)


def weighted_cox_batch(time: FloatArray, event: FloatArray, treated: FloatArray,
                       weights: FloatArray) -> SurvivalBatch:
    """Marginal log hazard ratio with Lin and Wei's robust variance; arrays (R, N).

    Breslow's handling of ties, as the weighted log-rank score uses. Weights of 0 leave patients
    out.
    """
    arm = np.asarray(treated, dtype=np.float64)
    found = cox_batch(time, event, arm[..., None], weights=weights, robust=True, ties="breslow")
    return _result(found.coefficients[:, 0], found.covariance[:, 0, 0],
                   found.converged & ~found.aliased[:, 0])


@dataclass(frozen=True)
class _Sorted:
    """Rows in rising order of time, and the first and last place of each group of tied times."""

    order: IntArray
    time: FloatArray
    first: IntArray
    last: IntArray


def _sort(time: FloatArray) -> _Sorted:
    order = np.argsort(time, axis=1, kind="stable")
    t = np.take_along_axis(time, order, axis=1)
    place = np.broadcast_to(np.arange(t.shape[1]), t.shape)
    starts = np.ones(t.shape, dtype=np.bool_)
    starts[:, 1:] = t[:, 1:] != t[:, :-1]
    ends = np.ones(t.shape, dtype=np.bool_)
    ends[:, :-1] = starts[:, 1:]
    first = np.maximum.accumulate(np.where(starts, place, 0), axis=1)
    far = np.where(ends, place, t.shape[1])
    last = np.minimum.accumulate(far[:, ::-1], axis=1)[:, ::-1]
    return _Sorted(order, t, first, last)


def _at_risk(weight: FloatArray, rows: _Sorted) -> FloatArray:
    """Weight still followed just before each patient's time (R, N)."""
    behind = weight[:, ::-1].cumsum(axis=1)[:, ::-1]
    return np.take_along_axis(behind, rows.first, axis=1)


def _upto(values: FloatArray, rows: _Sorted) -> FloatArray:
    """Sum of values at times up to and with each patient's time (R, N)."""
    return np.take_along_axis(values.cumsum(axis=1), rows.last, axis=1)


def weighted_logrank_batch(time: FloatArray, event: FloatArray, treated: FloatArray,
                           weights: FloatArray) -> SurvivalBatch:
    """Weighted log-rank score, observed less expected of the treated; arrays (R, N).

    Notes
    -----
    The robust variance is the sum of squares of the patients' weighted score residuals (Lin and
    Wei 1989, doi 10.1080/01621459.1989.10478874); z < 0 means fewer events among the treated.
    """
    rows = _sort(time)

    def sort(values: FloatArray) -> FloatArray:
        return np.take_along_axis(np.asarray(values, dtype=np.float64), rows.order, axis=1)

    w, d, arm = sort(weights), sort(event), sort(treated)
    followed = _at_risk(w, rows)
    share = np.divide(_at_risk(w * arm, rows), followed, out=np.zeros_like(w),
                      where=followed > 0)
    rate = np.divide(w * d, followed, out=np.zeros_like(w), where=followed > 0)
    hazard, expected = _upto(rate, rows), _upto(rate * share, rows)
    residual = w * (d * (arm - share) - (arm * hazard - expected))
    score = (w * d * (arm - share)).sum(axis=1)
    return _result(score, (residual**2).sum(axis=1), (w * d).sum(axis=1) > 0)


def weighted_mean_survival_batch(time: FloatArray, event: FloatArray, weights: FloatArray,
                                 horizon: float) -> tuple[FloatArray, FloatArray]:
    """Weighted restricted mean survival time of one group (R,) and its robust variance (R,).

    Arrays are (R, N); patients of the other group have weight 0. The variance is the sum of
    squared influences, Greenwood's where all weights are 1 (Xie and Liu 2005, doi
    10.1002/sim.2174, for weighted curves).
    """
    rows = _sort(np.minimum(time, horizon))

    def sort(values: FloatArray) -> FloatArray:
        return np.take_along_axis(np.asarray(values, dtype=np.float64), rows.order, axis=1)

    w = sort(weights)
    d = sort((event == 1) & (time < horizon))
    followed = _at_risk(w, rows)
    rate = np.divide(w * d, followed, out=np.zeros_like(w), where=followed > 1e-12)
    place = np.arange(w.shape[1])
    group = _upto(rate, rows) - np.where(rows.first > 0, np.take_along_axis(
        rate.cumsum(axis=1), np.maximum(rows.first - 1, 0), axis=1), 0.0)
    ends = rows.last == place
    left = np.where(ends, np.maximum(1 - group, 0.0), 1.0)
    curve = left.cumprod(axis=1)
    after = np.concatenate([rows.time[:, 1:], np.full((len(w), 1), horizon)], axis=1)
    pieces = curve * (after - rows.time)
    area = rows.time[:, 0] + pieces.sum(axis=1)
    remaining = np.take_along_axis(pieces[:, ::-1].cumsum(axis=1)[:, ::-1], rows.last, axis=1)
    still = np.maximum(1 - group, 0.0)
    pull = np.divide(remaining, followed * still, out=np.zeros_like(w),
                     where=(followed > 1e-12) & (still > 1e-12))
    influence = w * (d * pull - _upto(rate * pull, rows))
    return area, (influence**2).sum(axis=1)


def pseudo_values(time: FloatArray, event: FloatArray, horizon: float) -> FloatArray:
    """Jackknife pseudo-values (N,) of the restricted mean survival time of one group.

    Their mean is the group's restricted mean; with them a censored outcome passes through any
    analysis of means (Andersen, Hansen and Klein 2004, doi 10.1007/s10985-004-4771-0). Censoring
    must not depend on prognosis.
    """
    n = time.size
    areas = [
        weighted_mean_survival_batch(np.broadcast_to(time, left.shape),
                                     np.broadcast_to(event, left.shape), left, horizon)[0]
        for left in (1.0 - (np.arange(n) == rows[:, None])
                     for rows in np.array_split(np.arange(n), n // 500 + 1))
    ]  # blocks of rows: n leave-one-out weights at once would need n^2 numbers
    whole = weighted_mean_survival_batch(time[None], event[None], np.ones((1, n)), horizon)[0]
    value: FloatArray = n * whole - (n - 1) * np.concatenate(areas)
    return value


def weighted_mean_difference_batch(time: FloatArray, event: FloatArray, treated: FloatArray,
                                   weights: FloatArray, horizon: float) -> SurvivalBatch:
    """Difference in weighted restricted mean survival time, in days; arrays (R, N)."""
    one, spread_one = weighted_mean_survival_batch(time, event, weights * treated, horizon)
    zero, spread_zero = weighted_mean_survival_batch(time, event, weights * (1 - treated), horizon)
    longest = [np.where((weights > 0) & (treated == code), time, 0.0).max(axis=1)
               for code in (0, 1)]
    return _result(one - zero, spread_one + spread_zero,
                   (spread_one + spread_zero > 0) & (np.minimum(*longest) >= horizon))


_METHODS = ("cox", "rmst", "logrank")


def weighted_survival(time: ArrayLike, event: ArrayLike, treated: ArrayLike, x: ArrayLike,
                      method: str = "cox", target: Target = "att", *,
                      horizon: float | None = None, rng: np.random.Generator | None = None,
                      replicates: int = 500, estimand: Estimand | None = None) -> Estimate:
    """Weighted survival comparison of one trial with external controls.

    Parameters
    ----------
    time, event, treated, x
        Days, event and arm indicators (N,), covariates (N, P) of the weights.
    method
        "cox" (marginal hazard ratio), "rmst" (difference in days up to `horizon`), "logrank"
        (the score; for its test).
    target
        As in `weights.weights_batch`.
    rng
        With it the standard error is a bootstrap's that refits the weights; else the robust one,
        which takes the weights as known.

    Raises
    ------
    InputError
        For faulty arrays or options, groups that do not overlap, or too few events.
    """
    times, events = checked(time, event)
    arm, table, _ = patients(treated, x)
    faults = [f"{name}: {value!r}; allowed: {', '.join(allowed)}; name one of them"
              for name, value, allowed in (("method", method, _METHODS),
                                           ("target", target, TARGETS))
              if value not in allowed]
    if method == "rmst" and (horizon is None or horizon <= 0):
        faults.append("horizon: a restricted mean needs days above 0; choose them beforehand")
    if times.size != arm.size:
        faults.append(f"time: {times.size} patients; expected {arm.size} as in treated")
    if faults:
        raise InputError(faults)

    def run(count: FloatArray) -> SurvivalBatch:
        # Copies: compiled loops would be compiled anew for the read-only views.
        t, d, z = (np.array(np.broadcast_to(v, count.shape)) for v in (times, events, arm))
        found = weights_batch(z, table, target, count)
        w = found.weights * count
        if method == "cox":
            return weighted_cox_batch(t, d, z, w)
        if method == "logrank":
            return weighted_logrank_batch(t, d, z, w)
        return weighted_mean_difference_batch(t, d, z, w, float(horizon or 0.0))

    whole = np.ones((1, arm.size))
    line = run(whole)
    if not line.converged[0] or not weights_batch(arm[None], table, target).converged[0]:
        raise InputError("time, x: a group has too few events, too short a follow-up or no overlap "
                         "with the other; choose another horizon or other controls")
    value, se = float(line.estimate[0]), float(line.se[0])
    more = {"target": target, "variance": "robust, weights as known"}
    if rng is not None:
        se = bootstrap_se(lambda count: run(count).estimate, arm, rng=rng, replicates=replicates)
        more["variance"] = f"bootstrap of {replicates} refits"
    if method == "cox":
        return ratio_from_log("weighted Cox, marginal hazard ratio", value, se, arm.size,
                              estimand=estimand, extra=more)
    names = {"rmst": "weighted restricted mean survival time", "logrank": "weighted log-rank"}
    return from_t(names[method], value, se, arm.size, estimand=estimand, extra=more)
