"""Risk sets of censored times, for one trial or for one per replicate, without a patient loop.

Patients are sorted by stratum and time. A risk set is then a run of positions, and a sum over it is
a difference of two running sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from simulation.analysis.arrays import FloatArray, IntArray, labels, numeric, stop


@dataclass(frozen=True)
class RiskSets:
    """Positions in the sorted order; every array has shape (R, N).

    Parameters
    ----------
    order
        Sorted position -> patient index.
    event
        1.0 for an event, 0.0 for censoring, sorted.
    first
        First position of the patient's risk set (the start of the group of tied times).
    tie_end, stratum_start, stratum_end
        One past the tied times; first and one past the last position of the stratum.
    deaths
        Events among the tied times.
    """

    order: IntArray
    event: FloatArray
    first: IntArray
    tie_end: IntArray
    stratum_start: IntArray
    stratum_end: IntArray
    deaths: FloatArray

    def sort(self, values: FloatArray) -> FloatArray:
        """Bring values per patient (R, N) or (R, N, P) into sorted order."""
        order = self.order if values.ndim == 2 else self.order[..., None]
        return np.take_along_axis(values, np.broadcast_to(order, values.shape), axis=1)

    def at_risk_sum(self, values: FloatArray) -> FloatArray:
        """Sum of sorted values over each position's risk set."""
        total = running(values)
        return take(total, self.stratum_end) - take(total, self.first)

    def tied_event_sum(self, values: FloatArray) -> FloatArray:
        """Sum of sorted values over the events tied with each position."""
        event = self.event if values.ndim == 2 else self.event[..., None]
        total = running(values * event)
        return take(total, self.tie_end) - take(total, self.first)

    def past_sum(self, values: FloatArray) -> FloatArray:
        """Sum of sorted values from the stratum's first time up to each position's own time."""
        total = running(values)
        return take(total, self.tie_end) - take(total, self.stratum_start)


def running(values: FloatArray) -> FloatArray:
    """Running sum along axis 1 with a leading zero."""
    shape = (values.shape[0], 1, *values.shape[2:])
    return np.concatenate([np.zeros(shape), np.cumsum(values, axis=1)], axis=1)


def take(values: FloatArray, positions: IntArray) -> FloatArray:
    """Values at positions along axis 1, for two- and three-dimensional values."""
    index = positions if values.ndim == 2 else positions[..., None]
    return np.take_along_axis(values, np.broadcast_to(index, (*positions.shape, *values.shape[2:])),
                              axis=1)


def risk_sets(time: FloatArray, event: FloatArray, strata: IntArray | None = None) -> RiskSets:
    """Sort times (R, N) inside strata (R, N) or (1, N) and find every risk set."""
    order = np.argsort(time, axis=1, kind="stable")
    n = time.shape[1]
    change = np.zeros(time.shape, dtype=bool)
    if strata is not None:
        groups = np.broadcast_to(strata, time.shape)
        inner = np.argsort(np.take_along_axis(groups, order, axis=1), axis=1, kind="stable")
        order = np.take_along_axis(order, inner, axis=1)
        sorted_groups = np.take_along_axis(groups, order, axis=1)
        change[:, 1:] = sorted_groups[:, 1:] != sorted_groups[:, :-1]
    change[:, 0] = True
    times = np.take_along_axis(time, order, axis=1)
    events = np.take_along_axis(event, order, axis=1)
    new_time = change.copy()
    new_time[:, 1:] |= times[:, 1:] != times[:, :-1]
    first, tie_end = _runs(new_time, n)
    stratum_start, stratum_end = _runs(change, n)
    total = running(events)
    return RiskSets(order, events, first, tie_end, stratum_start, stratum_end,
                    take(total, tie_end) - take(total, first))


def _runs(starts: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], n: int
          ) -> tuple[IntArray, IntArray]:
    """Start and one past the end of the run that each position belongs to."""
    position = np.arange(n)[None, :]
    begin = np.maximum.accumulate(np.where(starts, position, 0), axis=1)
    last = np.ones_like(starts)
    last[:, :-1] = starts[:, 1:]
    ends = np.where(last, position + 1, n)
    end = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
    return begin.astype(np.int64), end.astype(np.int64)


def checked(time: ArrayLike, event: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Check one trial's times (N,) and event indicators (N,); both come back as floats.

    Raises
    ------
    InputError
        For missing or negative times, indicators other than 0 and 1, or no event at all.
    """
    faults: list[str] = []
    times = numeric("time", time, faults)
    events = numeric("event", event, faults, times.shape)
    if times.ndim != 1:
        faults.append(f"time: {times.ndim} dimensions; expected one value per patient; flatten it")
    if (times < 0).any():
        faults.append(f"time: {int((times < 0).sum())} negative values; times are days from index, "
                      "at least 0; check the index date")
    if not np.isin(events, (0.0, 1.0)).all():
        faults.append("event: other values than 0 and 1; code 1 event, 0 censored; recode causes")
    elif events.sum() == 0:
        faults.append("event: no event; nothing can be estimated but an upper bound; lengthen "
                      "follow-up or report 3/n")
    stop(faults)
    return times, events


def codes(strata: ArrayLike | None, n: int) -> IntArray | None:
    """Integer codes (1, N) of stratum labels (N,).

    Raises
    ------
    InputError
        For missing labels or another number of them.
    """
    if strata is None:
        return None
    faults: list[str] = []
    array = labels("strata", strata, faults, n)
    stop(faults)
    return np.unique(array, return_inverse=True)[1].reshape(1, n).astype(np.int64)
