"""Arrivals at sites that open and fill up."""

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True)
def _open(now: Any, opens: Any, rates: Any, left: Any) -> tuple[Any, Any]:
    """Total rate of the sites that are open and not full, and when the next one opens."""
    rate = 0.0
    following = np.inf
    for s in range(opens.size):
        if opens[s] > now:
            following = min(following, opens[s])
        elif left[s] != 0:
            rate += rates[s]
    return rate, following


@njit(cache=True)
def _next(now: Any, need: Any, opens: Any, rates: Any, left: Any) -> tuple[Any, Any]:
    """Time at which the open sites have screened `need` more, and their rate then."""
    while True:
        rate, following = _open(now, opens, rates, left)
        if rate > 0.0 and need <= rate * (following - now):
            return now + need / rate, rate
        if following == np.inf:
            return np.inf, 0.0
        need -= rate * (following - now)
        now = following


@njit(cache=True)
def _chosen(now: Any, target: Any, opens: Any, rates: Any, left: Any) -> Any:
    """Site in which a cumulated rate falls."""
    chosen = -1
    for s in range(opens.size):
        if opens[s] <= now and left[s] != 0:
            chosen = s
            target -= rates[s]
            if target < 0.0:
                break
    return chosen


@njit(cache=True)
def site_arrivals(gaps: Any, pick: Any, opens: Any, rates: Any, caps: Any) -> tuple[Any, Any]:
    """Arrival times and sites (R, M) of a Poisson process whose rate is that of the open sites.

    Parameters
    ----------
    gaps, pick
        Unit exponentials and uniforms (R, M).
    opens, rates, caps
        By site; a cap below 0 is none.
    """
    time = np.full(gaps.shape, np.inf)
    site = np.full(gaps.shape, -1, dtype=np.int64)
    for r in range(gaps.shape[0]):
        left = caps.copy()
        now = 0.0
        for k in range(gaps.shape[1]):
            now, rate = _next(now, gaps[r, k], opens, rates, left)
            if now == np.inf:
                break
            chosen = _chosen(now, pick[r, k] * rate, opens, rates, left)
            left[chosen] -= 1
            time[r, k] = now
            site[r, k] = chosen
    return time, site


@njit(cache=True)
def permuted_blocks(drawn: Any, arms: Any, n: Any) -> Any:
    """Arms (R, n) in blocks: each block's arms go to its places in the order of their draws.

    Parameters
    ----------
    drawn
        Uniforms (R, M) of whole blocks, M at least n.
    arms
        Arms of one block, (L,).
    """
    given = np.empty((drawn.shape[0], n), dtype=np.int64)
    for r in range(drawn.shape[0]):
        for i in range(n):
            start = i // arms.size * arms.size
            place = 0
            for j in range(start, start + arms.size):
                before = drawn[r, j] < drawn[r, i] or (drawn[r, j] == drawn[r, i] and j < i)
                place += 1 if before else 0
            given[r, i] = arms[place]
    return given
