"""Arrivals at sites that open and fill up, and who and what has come by a look."""

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
        for start in range(0, n, arms.size):
            block = drawn[r, start : start + arms.size]
            for i in range(min(arms.size, n - start)):
                place = 0
                for j in range(arms.size):
                    # Of two equal draws the earlier comes first.
                    place += (block[j] < block[i]) | ((block[j] == block[i]) & (j < i))
                given[r, start + i] = arms[place]
    return given


@njit(cache=True, error_model="numpy")
def used_rows(
    rows: Any, entry: Any, counted: Any, cut: Any, at_once: Any, size: Any, patients: Any
) -> tuple[Any, Any]:
    """Patients that some replicates have used by a look, and candidates screened for them, (K,).

    Parameters
    ----------
    rows
        Numbers of the replicates (K,).
    entry, counted
        Time of randomisation and whether the look counts the patient, (R, N).
    cut
        Time of the look (R, 1).
    at_once
        Whether only those count, for all were there at once; else all who came by the look.
    size
        Most patients (R,): nobody comes after them, however many could.
    patients
        Numbers of the candidates (1 or R, N).
    """
    n, screened = np.zeros(rows.size), np.zeros(rows.size)
    for k in range(rows.size):
        r = rows[k]
        own = r if patients.shape[0] > 1 else 0
        used, last = 0, -1
        for i in range(min(size[r], entry.shape[1])):
            there = counted[r, i] & (entry[r, i] < np.inf)
            there |= (entry[r, i] < cut[r, 0]) & (not at_once)
            used += there
            last = patients[own, i] if there & (patients[own, i] > last) else last
        n[k], screened[k] = used, last + 1.0
    return n, screened


@njit(cache=True, error_model="numpy")
def came_rows(rows: Any, events: Any, cut: Any) -> Any:
    """Events (K,) of some replicates by a look, of calendar times (R, N) that are sorted."""
    found = np.empty(rows.size)
    for k in range(rows.size):
        found[k] = np.searchsorted(events[rows[k]], cut[rows[k], 0], side="right")
    return found
