"""Looks: when a replicate stops, and what it has by then."""

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr
from scipy.stats import t

from simulation.trial.analyse import Fits
from simulation.trial.population import Booleans, Floats, Indices


def critical_t(critical: Sequence[float], df: Floats) -> Floats:
    """Critical values of the t statistic at each look, (R, K).

    Each look keeps the one-sided significance level of its critical z (Jennison and Turnbull
    2000, section 4.4).
    """
    out = np.empty(df.shape)
    for k, z in enumerate(critical):
        held, place = np.unique(np.maximum(df[:, k], 1.0), return_inverse=True)
        out[:, k] = t.isf(ndtr(-z), held)[place.reshape(-1)]
    return out


def crossings(
    fits: Fits, critical: Sequence[float], effects: Sequence[float], direction: float
) -> Booleans:
    """Say whether each effect's statistic is beyond its critical value, (R, effects, K).

    A constant shift of all treated outcomes moves the estimate by just that shift and leaves the
    standard error alone, so one fit serves every effect.
    """
    bounds = critical_t(critical, fits.df)
    shifts = np.asarray(effects)[None, :, None]
    statistic = direction * (fits.estimate[:, None, :] + shifts) / fits.se[:, None, :]
    return np.asarray(np.where(np.isnan(statistic), -np.inf, statistic) >= bounds[:, None, :])


def stop(crossed: Booleans) -> tuple[Indices, Booleans]:
    """Look of the stop (0-based; the last if nothing is crossed) and whether the null is rejected.

    Parameters
    ----------
    crossed
        (R, effects, K).
    """
    rejected = np.asarray(crossed.any(axis=-1))
    first = np.where(rejected, crossed.argmax(axis=-1), crossed.shape[-1] - 1)
    return first.astype(np.int64), rejected
