"""Restricted mean survival time and survival at a landmark, over replicates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulation.analysis.arrays import BoolArray, FloatArray
from simulation.analysis.risk_sets import sorted_rows


@dataclass(frozen=True)
class CurveBatch:
    """Two arms' Kaplan-Meier curves at one horizon in each replicate.

    Arrays are (R, 2), control first.

    Attributes
    ----------
    survival, survival_variance
        At the horizon, with Greenwood's variance.
    mean, mean_variance
        Restricted mean up to the horizon, with its Greenwood-type variance.
    reached
        Whether somebody of the arm was followed to the horizon, or the curve had come to 0.
    """

    survival: FloatArray
    survival_variance: FloatArray
    mean: FloatArray
    mean_variance: FloatArray
    reached: BoolArray


@dataclass(frozen=True)
class DifferenceBatch:
    """Treated minus control in each replicate, (R,); NaN, infinite and 0 where it is unknown."""

    estimate: FloatArray
    se: FloatArray
    z: FloatArray


def curves_batch(time: FloatArray, event: FloatArray, treated: FloatArray | BoolArray,
                 horizon: float, *, included: BoolArray | None = None) -> CurveBatch:
    """Kaplan-Meier curves of two arms at a horizon.

    Parameters
    ----------
    time, event, treated
        Days, event and arm indicators, each (R, N).
    horizon
        Days, above 0.
    included
        Who counts (R, N); everyone by default.
    """
    from simulation.kernels.curves import curve_rows

    order, _ = sorted_rows(time)
    arm = np.ascontiguousarray(np.broadcast_to(treated, time.shape), dtype=np.float64)
    there = np.ones(time.shape, dtype=np.bool_) if included is None else included
    survival, spread, area, area_spread, longest = curve_rows(
        time, event, arm, there, order, np.array([horizon], dtype=np.float64))
    value = survival[:, :, 0]
    return CurveBatch(value, spread[:, :, 0], area[:, :, 0], area_spread[:, :, 0],
                      (longest >= horizon) | (value <= 0))


def restricted_mean_difference_batch(
    time: FloatArray, event: FloatArray, treated: FloatArray | BoolArray, horizon: float, *,
    included: BoolArray | None = None
) -> DifferenceBatch:
    """Difference in restricted mean survival time, treated minus control, in days.

    Unknown where an arm was not followed to the horizon. Royston and Parmar (2013), doi
    10.1186/1471-2288-13-152. Parameters are those of `curves_batch`.
    """
    curves = curves_batch(time, event, treated, horizon, included=included)
    return _difference(curves.mean, curves.mean_variance, curves.reached)


def landmark_difference_batch(
    time: FloatArray, event: FloatArray, treated: FloatArray | BoolArray, horizon: float, *,
    included: BoolArray | None = None
) -> DifferenceBatch:
    """Difference in Kaplan-Meier survival at a horizon, treated minus control.

    Unknown where an arm was not followed to the horizon. Greenwood's variance (Klein et al. 2007,
    doi 10.1002/sim.2864, compare it with transformed ones). Parameters are those of
    `curves_batch`.
    """
    curves = curves_batch(time, event, treated, horizon, included=included)
    return _difference(curves.survival, curves.survival_variance, curves.reached)


def _difference(value: FloatArray, variance: FloatArray, reached: BoolArray) -> DifferenceBatch:
    spread = variance.sum(axis=1)
    sound = reached.all(axis=1) & (spread > 0)
    estimate = np.where(sound, value[:, 1] - value[:, 0], np.nan)
    se = np.where(sound, np.sqrt(spread), np.inf)
    return DifferenceBatch(estimate, se, np.where(sound, estimate / se, 0.0))
