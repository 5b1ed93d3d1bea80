"""MaxCombo: the largest of several weighted log-rank tests, judged by their joint law."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from extraction.records.errors import InputError
from simulation.analysis.arrays import BoolArray, FloatArray, IntArray, labels, stop
from simulation.analysis.estimate import Estimand, Estimate, ratio_from_log
from simulation.analysis.logrank import Weight, one_step, weighted_sums
from simulation.analysis.risk_sets import checked, codes

WEIGHTS = tuple(Weight(rho=rho, gamma=gamma) for rho, gamma in ((0, 0), (0, 1), (1, 1), (1, 0)))
"""The four tests of Lin et al. (2020), doi 10.1080/19466315.2019.1697738."""

MOST = 8
_CIRCLE, _BALL, _MORE = 512, 2048, 8192


@dataclass(frozen=True)
class MaxComboBatch:
    """MaxCombo over replicates.

    Attributes
    ----------
    tests
        z of each test (R, W).
    correlation
        Of the tests under the null hypothesis (R, W, W).
    z
        Normal quantile (R,) of the one-sided p-value towards the more extreme side, with the sign
        of that side; its tail holds the one-sided level. 0 without an event.
    p_value
        Two-sided (R,): of the largest |z|.
    chosen
        Number of the most extreme test (R,).
    log_ratio, se
        One-step average log hazard ratio by that test's weight (R,), as if it had been the only
        one: its interval is too narrow.
    events
        Events (R,).
    """

    tests: FloatArray
    correlation: FloatArray
    z: FloatArray
    p_value: FloatArray
    chosen: IntArray
    log_ratio: FloatArray
    se: FloatArray
    events: FloatArray


def max_combo_batch(time: FloatArray, event: FloatArray, treated: FloatArray | BoolArray,
                    strata: IntArray | None = None, *, weights: tuple[Weight, ...] = WEIGHTS,
                    included: BoolArray | None = None) -> MaxComboBatch:
    """Largest of several weighted log-rank tests in each replicate.

    Parameters are those of `logrank_batch`; `weights` are the tests' (one to eight).

    Notes
    -----
    Karrison (2016), doi 10.1177/1536867X1601600312. The joint law is normal; see `max_tail` for the
    error of its tail.
    """
    if not 1 <= len(weights) <= MOST:
        raise InputError(f"weights: {len(weights)} tests; 1 to {MOST} are allowed; drop some")
    score, slope, covariance, events = weighted_sums(time, event, treated, strata, weights,
                                                     included)
    spread = np.diagonal(covariance, axis1=1, axis2=2)
    tests, log_ratio, se = one_step(score, slope, spread)
    root = np.sqrt(np.where(spread > 0, spread, 1.0))
    correlation = covariance / (root[:, :, None] * root[:, None, :])
    chosen = np.abs(tests).argmax(axis=1)
    rows = np.arange(len(tests))
    extreme = tests[rows, chosen]
    one, two = max_tail(np.abs(extreme), correlation)
    # Below even odds both sides are as likely: there is no evidence, and no sign.
    z = np.sign(extreme) * np.maximum(-ndtri(np.clip(one, 1e-300, 1.0)), 0.0)
    return MaxComboBatch(tests, correlation, z, np.where(extreme == 0, 1.0, two), chosen,
                         log_ratio[rows, chosen], se[rows, chosen], events)


def max_tail(limit: FloatArray, correlation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Chance that the largest of K correlated normal variables exceeds a limit.

    Parameters
    ----------
    limit
        (R,), at least 0.
    correlation
        (R, K, K), singular or not.

    Returns
    -------
    tuple of arrays
        P(max Z > limit) and P(max |Z| > limit), each (R,).

    Notes
    -----
    A mean over directions on the sphere of the tail of the length, whose law is known. Against
    Genz's algorithm the error is below 1e-7 in rank 2, 2e-5 in rank 3 (that of the four usual
    weights), and 1e-4 beyond.
    """
    from simulation.kernels.maximum import tail_rows

    found: tuple[FloatArray, FloatArray] = tail_rows(
        np.ascontiguousarray(limit, dtype=np.float64), np.ascontiguousarray(correlation),
        _directions(2, _CIRCLE), _directions(3, _BALL),
        _directions(max(correlation.shape[1], 4), _MORE if correlation.shape[1] > 3 else 2))
    return found


@cache
def _directions(dimensions: int, number: int) -> FloatArray:
    from simulation.kernels.maximum import directions

    found: FloatArray = np.ascontiguousarray(directions(dimensions, number))
    found.setflags(write=False)
    return found


def max_combo(time: ArrayLike, event: ArrayLike, arm: ArrayLike, strata: ArrayLike | None = None, *,
              weights: tuple[Weight, ...] = WEIGHTS, level: float = 0.95,
              estimand: Estimand | None = None) -> Estimate:
    """MaxCombo test of one trial, the second arm in sorted order against the first.

    The estimate is the average hazard ratio by the weight of the most extreme test, with an
    interval as if that test had been the only one; `p_value` and `extra["z"]` are MaxCombo's own.

    Raises
    ------
    InputError
        For faulty times, missing labels or another number of arms than two.
    """
    times, events = checked(time, event)
    faults: list[str] = []
    array = labels("arm", arm, faults, times.size)
    stop(faults)
    levels, number = np.unique(array, return_inverse=True)
    if levels.size != 2:
        raise InputError(f"arm: {levels.size} arms; MaxCombo compares two; select them")
    found = max_combo_batch(times[None], events[None], number[None].astype(np.float64),
                            codes(strata, times.size), weights=weights)
    line = ratio_from_log("MaxCombo", float(found.log_ratio[0]), float(found.se[0]), times.size,
                          level=level, estimand=estimand)
    chosen = weights[int(found.chosen[0])].name
    extra = {**line.extra, "z": float(found.z[0]), "chosen": chosen, "events": int(events.sum()),
             "tests": {w.name: float(z) for w, z in zip(weights, found.tests[0], strict=True)},
             "caution": "the interval is that of the chosen test alone and too narrow"}
    return Estimate("MaxCombo", estimand, line.estimate, line.se, line.low, line.high,
                    float(found.p_value[0]), times.size, None, extra)
