"""Competing risks: cumulative incidence, Gray's test, cause-specific and subdistribution hazards.

Causes are numbers: 0 censored, 1 and up the events. Every function takes the one of interest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike

from extraction.records.errors import InputError
from simulation.analysis.arrays import (
    BoolArray,
    Columns,
    FloatArray,
    IntArray,
    block,
    labels,
    numeric,
    stop,
)
from simulation.analysis.cox import ITERATIONS, CoxBatch, CoxFit, cox
from simulation.analysis.risk_sets import checked, sorted_rows
from simulation.analysis.rmst import DifferenceBatch


@dataclass(frozen=True)
class CumulativeIncidence:
    """Aalen-Johansen estimate at the distinct times of any event; every array has shape (T,).

    `se` is the infinitesimal jackknife's, as in R's `survfit`; `low` and `high` are on the
    log(-log) scale.
    """

    time: FloatArray
    incidence: FloatArray
    se: FloatArray
    low: FloatArray
    high: FloatArray
    n: int

    def at(self, days: ArrayLike) -> FloatArray:
        """Incidence at given days, in the shape of `days`."""
        steps = np.concatenate([[0.0], self.incidence])
        return np.asarray(steps[np.searchsorted(self.time, np.asarray(days), side="right")])


@dataclass(frozen=True)
class GrayTest:
    """Gray's test of one trial, or of one per replicate.

    `difference` is the treated arm's events of interest less those expected, `variance` its
    variance; `z` is negative when the treated have fewer.
    """

    difference: FloatArray
    variance: FloatArray
    z: FloatArray
    chi2: FloatArray
    p_value: FloatArray
    events: FloatArray


def cumulative_incidence(time: ArrayLike, cause: ArrayLike, interest: int = 1, *,
                         level: float = 0.95) -> CumulativeIncidence:
    """Cumulative incidence of one cause in the presence of others.

    Parameters
    ----------
    time
        Days to event or censoring (N,), at least 0.
    cause
        0 censored, 1 and up the events (N,).
    interest
        The cause.

    Raises
    ------
    InputError
        For faulty times, causes that are not whole numbers of at least 0, or no event.

    Notes
    -----
    Aalen and Johansen (1978).
    """
    from simulation.kernels.competing import incidence_rows

    times, causes = _checked(time, cause, interest)
    moments = np.unique(times[causes > 0])
    value, variance, _ = incidence_rows(
        times[None], _coded(causes, interest)[None], np.zeros((1, times.size), dtype=np.int64),
        np.ones((1, times.size), dtype=np.bool_), sorted_rows(times[None])[0], moments)
    incidence, se = value[0, 0], np.sqrt(variance[0, 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        width = scipy.stats.norm.ppf(0.5 + level / 2) * se / (incidence * np.abs(np.log(incidence)))
        low, high = incidence ** np.exp(width), incidence ** np.exp(-width)
    inside = (incidence > 0) & (incidence < 1)
    return CumulativeIncidence(moments, incidence, se, np.where(inside, low, incidence),
                               np.where(inside, high, incidence), times.size)


def incidence_difference_batch(time: FloatArray, cause: IntArray, treated: FloatArray,
                               horizon: float, interest: int = 1, *,
                               included: BoolArray | None = None) -> DifferenceBatch:
    """Difference in cumulative incidence at a horizon, treated minus control.

    Parameters
    ----------
    time, cause, treated
        Days, causes and arm indicators, each (R, N).
    horizon
        Days, above 0.
    included
        Who counts (R, N); everyone by default.

    Returns
    -------
    DifferenceBatch
        Unknown where an arm has nobody followed to the horizon while some are still free of events.
    """
    from simulation.kernels.competing import incidence_rows

    there = np.ones(time.shape, dtype=np.bool_) if included is None else included
    value, variance, longest = incidence_rows(
        time, _coded(cause, interest), np.ascontiguousarray(treated, dtype=np.int64), there,
        sorted_rows(time)[0], np.array([horizon], dtype=np.float64))
    spread = variance[:, :, 0].sum(axis=1)
    sound = (longest >= horizon).all(axis=1) & (spread > 0)
    estimate = np.where(sound, value[:, 1, 0] - value[:, 0, 0], np.nan)
    se = np.where(sound, np.sqrt(spread), np.inf)
    return DifferenceBatch(estimate, se, np.where(sound, estimate / se, 0.0))


def gray_batch(time: FloatArray, cause: IntArray, treated: FloatArray, interest: int = 1, *,
               included: BoolArray | None = None) -> GrayTest:
    """Gray's test (rho = 0) of equal cumulative incidence in two arms, in each replicate.

    Parameters are those of `incidence_difference_batch`. Gray (1988), doi 10.1214/aos/1176350951.
    """
    from simulation.kernels.competing import gray_rows

    there = np.ones(time.shape, dtype=np.bool_) if included is None else included
    score, variance, events = gray_rows(
        time, _coded(cause, interest), np.ascontiguousarray(treated, dtype=np.int64), there,
        sorted_rows(time)[0])
    sound = variance > 0
    z = np.where(sound, score / np.sqrt(np.where(sound, variance, 1.0)), 0.0)
    return GrayTest(score, variance, z, z**2, 2 * scipy.stats.norm.sf(np.abs(z)), events)


def gray(time: ArrayLike, cause: ArrayLike, arm: ArrayLike, strata: ArrayLike | None = None,
         interest: int = 1) -> GrayTest:
    """Gray's test of one trial, the second arm in sorted order against the first.

    Scores and variances are added over strata (N,) if there are any.

    Raises
    ------
    InputError
        For faulty times or causes, missing labels, or another number of arms than two.
    """
    times, causes = _checked(time, cause, interest)
    faults: list[str] = []
    array = labels("arm", arm, faults, times.size)
    groups = (np.zeros(times.size) if strata is None
              else labels("strata", strata, faults, times.size))
    stop(faults)
    levels, number = np.unique(array, return_inverse=True)
    if levels.size != 2:
        raise InputError(f"arm: {levels.size} arms; Gray's test here compares two; select them")
    inside = groups[None, :] == np.unique(groups)[:, None]
    shape = inside.shape
    parts = gray_batch(np.broadcast_to(times, shape), np.broadcast_to(causes, shape),
                       np.broadcast_to(number, shape), interest, included=inside)
    score, variance = parts.difference.sum(), parts.variance.sum()
    z = score / np.sqrt(variance) if variance > 0 else np.zeros(())
    p_value = 2 * scipy.stats.norm.sf(np.abs(z))
    return GrayTest(score, variance, z, z**2, p_value, parts.events.sum())


def cause_specific_cox(time: ArrayLike, cause: ArrayLike, columns: Columns,
                       strata: ArrayLike | None = None, interest: int = 1, *,
                       factors: Columns | None = None) -> CoxFit:
    """Cox's model of the hazard of one cause; the others end the time like censoring.

    Parameters are those of `cox`, with causes (N,) for events. A cause-specific hazard ratio does
    not say which arm has more events of that cause; cumulative incidence does.
    """
    times, causes = _checked(time, cause, interest)
    return cox(times, causes == interest, columns, strata, factors=factors)


def fine_gray_batch(time: FloatArray, cause: IntArray, columns: FloatArray, interest: int = 1, *,
                    included: BoolArray | None = None, known_weights: bool = False) -> CoxBatch:
    """Fine and Gray's model of the subdistribution hazard, in each replicate.

    Patients stay at risk after another event with the weight that censoring has left (one curve of
    censoring for both arms); ties by Breslow. The variance is the sandwich's, and counts that the
    weights are estimated, as cmprsk's `crr`. Fine and Gray (1999), doi
    10.1080/01621459.1999.10474144.

    Parameters
    ----------
    time, cause
        (R, N).
    columns
        Covariates (R, N, P).
    included
        Who counts (R, N); everyone by default.
    known_weights
        Take the weights as known, as R's `coxph` does on `finegray` data.
    """
    from simulation.kernels.cox import cox_rows

    coded = _coded(cause, interest)
    order, stratum = sorted_rows(time)
    nothing = np.empty((time.shape[0], 0))
    there = np.ones(time.shape, dtype=np.bool_) if included is None else included
    beta, naive, sandwich, values, found, aliased, events = cox_rows(
        time, (coded == 1).astype(np.float64), np.ascontiguousarray(columns, dtype=np.float64),
        there, order, stratum, nothing, nothing, (coded == 2).astype(np.float64),
        np.array([0.0, 1.0 if known_weights else 2.0, 0.0, ITERATIONS]))
    return CoxBatch(np.where(aliased, np.nan, beta), sandwich, naive, values[:, 0], values[:, 1],
                    values[:, 2], found, aliased, events)


def fine_gray(time: ArrayLike, cause: ArrayLike, columns: Columns, interest: int = 1, *,
              factors: Columns | None = None) -> CoxFit:
    """Fine and Gray's model of one trial, with named covariates; see `fine_gray_batch`.

    Raises
    ------
    InputError
        For faulty inputs, collinear columns, or when no finite maximum exists.
    """
    times, causes = _checked(time, cause, interest)
    table, names = block(columns, factors, times.size, [])
    fitted = fine_gray_batch(times[None], causes[None], table[None], interest)
    if not fitted.converged[0] or fitted.aliased[0].any():
        raise InputError("columns: no finite subdistribution hazard ratio exists for all of them "
                         "(no spread, collinear, or all events on one side); drop columns")
    se = np.sqrt(np.diag(fitted.covariance[0]))
    z = fitted.coefficients[0] / se
    return CoxFit(tuple(names), fitted.coefficients[0], fitted.covariance[0], z,
                  2 * scipy.stats.norm.sf(np.abs(z)), float(fitted.log_likelihood[0]),
                  float(fitted.null_log_likelihood[0]), float(fitted.score_chi2[0]), times.size,
                  int(fitted.events[0]), "breslow", False, True)


def _coded(cause: IntArray, interest: int) -> IntArray:
    """0 censored, 1 the cause of interest, 2 another."""
    found: IntArray = np.where(cause == 0, 0, np.where(cause == interest, 1, 2)).astype(np.int64)
    return found


def _checked(time: ArrayLike, cause: ArrayLike, interest: int) -> tuple[FloatArray, IntArray]:
    faults: list[str] = []
    causes = numeric("cause", cause, faults)
    if not faults and ((causes < 0) | (causes != np.floor(causes))).any():
        faults.append("cause: other values than 0, 1, 2, ...; code 0 censored; recode causes")
    if interest < 1:
        faults.append(f"interest: {interest}; causes are numbered from 1; choose one")
    stop(faults)
    times, _ = checked(time, (causes == interest).astype(np.float64))
    return times, causes.astype(np.int64)
