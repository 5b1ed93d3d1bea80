"""Arrivals at sites that open and fill up."""

from typing import Any

import numpy as np
from numba import njit


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
    replicates, candidates = gaps.shape
    time = np.full((replicates, candidates), np.inf)
    site = np.full((replicates, candidates), -1, dtype=np.int64)
    for r in range(replicates):
        left = caps.copy()
        now = 0.0
        for k in range(candidates):
            need = gaps[r, k]
            rate = 0.0
            while True:
                rate = 0.0
                following = np.inf
                for s in range(opens.size):
                    if opens[s] <= now:
                        if left[s] != 0:
                            rate += rates[s]
                    elif opens[s] < following:
                        following = opens[s]
                if rate > 0.0 and need <= rate * (following - now):
                    now += need / rate
                    break
                if following == np.inf:
                    now = np.inf
                    break
                if rate > 0.0:
                    need -= rate * (following - now)
                now = following
            if now == np.inf:
                break
            target = pick[r, k] * rate
            chosen = -1
            for s in range(opens.size):
                if opens[s] <= now and left[s] != 0:
                    chosen = s
                    target -= rates[s]
                    if target < 0.0:
                        break
            left[chosen] -= 1
            time[r, k] = now
            site[r, k] = chosen
    return time, site
