"""Border checks of censored times, and the order in which compiled loops read them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from simulation.analysis.arrays import FloatArray, IntArray, labels, numeric, stop


def sorted_rows(time: FloatArray, strata: IntArray | None = None) -> tuple[IntArray, IntArray]:
    """Order that sorts each row (R, N) by stratum, then time, and the strata of every row.

    Parameters
    ----------
    time
        (R, N).
    strata
        Codes of at least 0, (R, N) or (1, N); None for one stratum.
    """
    order = np.argsort(time, axis=1)
    if strata is None:
        return order, np.zeros(time.shape, dtype=np.int64)
    stratum = np.ascontiguousarray(np.broadcast_to(strata, time.shape), dtype=np.int64)
    # Small integers are sorted by counting, which keeps the order of time inside a stratum.
    small = stratum.astype(np.int16) if stratum.max(initial=0) < 2**15 else stratum
    inner = np.argsort(np.take_along_axis(small, order, axis=1), axis=1, kind="stable")
    return np.take_along_axis(order, inner, axis=1), stratum


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
