"""Endpoints that say that, and why, observation ended: their days, told by the visits.

A patient who stops treatment may be seen once more, visits later, before observation ends. The
stop then lies by the last visit before that absence, not by the last one of all.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from generation.assembly import TrialArrays
from generation.tokenizer import MINIMUM_CELL, FloatArray
from generation.tokenizer_fitting import smooth_quantiles

_KNOTS = 9


def standing(
    arrays: TrialArrays, until: FloatArray
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Day by which a patient's stop is told, and who came back after an absence, each (n,).

    Parameters
    ----------
    until
        End of observation, the day itself where no visits are planned.

    Returns
    -------
    The last visit's day; the day of the one before if planned visits in between were missed.
    """
    days = arrays.visit_day
    if not _planned(arrays):
        return until, np.zeros(len(until), dtype=bool)
    came = np.isfinite(days)
    number = np.where(came, np.arange(days.shape[1]), -1)
    last = number.max(axis=1)
    before = np.where(number < last[:, None], number, -1).max(axis=1)
    back = (before >= 0) & (last - before > 1)
    place = np.where(back, before, np.maximum(last, 0))
    day = np.where(came.any(axis=1), days[np.arange(len(days)), place], 0.0)
    return np.minimum(np.maximum(day, 0.0), until), back


def _planned(arrays: TrialArrays) -> bool:
    """Whether visits are planned."""
    return bool(arrays.visit_day.shape[1]) and arrays.visits[0] is not None


def missed_end(arrays: TrialArrays) -> npt.NDArray[np.bool_]:
    """Who missed the last planned visit, or came to it only after an absence, shape (n,)."""
    if not arrays.visit_day.shape[1]:
        return np.zeros(len(arrays), dtype=bool)
    _, back = standing(arrays, np.full(len(arrays), np.inf))
    return np.asarray(back | ~np.isfinite(arrays.visit_day[:, -1]))


def fit_offsets(
    arrays: TrialArrays, until: FloatArray, day: FloatArray, rows: npt.NDArray[np.bool_]
) -> FloatArray:
    """Quantiles of days from `standing` to the stop, after none and after an absence, (2, 9).

    Without planned visits, of the share of observation that had passed when treatment stopped.
    """
    anchor, back = standing(arrays, until)
    if not _planned(arrays):
        passed = day[rows] / np.maximum(until[rows], 1e-6)
        both = smooth_quantiles(np.clip(passed, 0.0, 1.0), _KNOTS)
        return np.stack([both, both])
    told = rows & (until > anchor)
    parts = [day[told & side] - anchor[told & side] for side in (~back, back)]
    every = day[told] - anchor[told]
    if len(every) < MINIMUM_CELL:
        return np.zeros((2, _KNOTS))
    return np.stack([
        smooth_quantiles(part if len(part) >= MINIMUM_CELL else every, _KNOTS) for part in parts
    ])


def stop_day(
    arrays: TrialArrays, until: FloatArray, offsets: FloatArray, place: FloatArray
) -> FloatArray:
    """Day of each patient's stop, no later than the end of observation, shape (n,)."""
    anchor, back = standing(arrays, until)
    grid = np.linspace(0, 1, offsets.shape[1])
    if not _planned(arrays):
        return np.asarray(until * np.interp(place, grid, offsets[0]))
    plain, away = (np.interp(place, grid, row) for row in offsets)
    return np.asarray(np.minimum(anchor + np.where(back, away, plain), until))
