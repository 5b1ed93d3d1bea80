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


def standing(arrays: TrialArrays, until: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
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

    Without planned visits see `_passed`.
    """
    anchor, back = standing(arrays, until)
    if not _planned(arrays):
        return _passed(until[rows], day[rows])
    told = rows & (until > anchor)
    parts = [day[told & side] - anchor[told & side] for side in (~back, back)]
    every = day[told] - anchor[told]
    if len(every) < MINIMUM_CELL:
        return np.zeros((2, _KNOTS))
    return np.stack(
        [smooth_quantiles(part if len(part) >= MINIMUM_CELL else every, _KNOTS) for part in parts]
    )


def _passed(until: FloatArray, day: FloatArray) -> FloatArray:
    """Share of observation that had passed at the stop: by thirds of its length, (3, 1 + 9).

    The first column is the third's mean length, the others are quantiles. Who is followed for
    longest after a stop has stopped earliest, so the share falls with the length.
    """
    share = np.clip(day / np.maximum(until, 1e-6), 0.0, 1.0)
    order = np.argsort(until, kind="stable")
    thirds = np.array_split(order, 3 if len(order) >= 3 * MINIMUM_CELL else 1)
    return np.stack(
        [np.append(until[third].mean(), smooth_quantiles(share[third], _KNOTS)) for third in thirds]
    )


def _stop_within(until: FloatArray, passed: FloatArray, place: FloatArray) -> FloatArray:
    """Day of the stop at a place (0 to 1) among the shares of patients followed as long."""
    grid = np.linspace(0, 1, passed.shape[1] - 1)
    shares = np.stack([np.interp(place, grid, row[1:]) for row in passed])
    position = np.interp(until, passed[:, 0], np.arange(len(passed)))
    low = np.minimum(position.astype(np.int64), len(passed) - 1)
    high, weight = np.minimum(low + 1, len(passed) - 1), position - low
    each = np.arange(len(until))
    return np.asarray(until * ((1 - weight) * shares[low, each] + weight * shares[high, each]))


def stop_day(
    arrays: TrialArrays, until: FloatArray, offsets: FloatArray, place: FloatArray
) -> FloatArray:
    """Day of each patient's stop, no later than the end of observation, shape (n,)."""
    anchor, back = standing(arrays, until)
    grid = np.linspace(0, 1, offsets.shape[1])
    if not _planned(arrays):
        return _stop_within(until, offsets, place)
    plain, away = (np.interp(place, grid, row) for row in offsets)
    return np.asarray(np.minimum(anchor + np.where(back, away, plain), until))
