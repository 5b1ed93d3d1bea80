"""Sums over risk sets of each replicate, on rows sorted by time."""

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True)
def logrank_rows(
    time: Any, event: Any, treated: Any, included: Any, order: Any
) -> tuple[Any, Any, Any]:
    """Observed minus expected events of the treated, its variance, and events, each (R,).

    Parameters
    ----------
    time, event, treated
        (R, N); `order` sorts each row of time (patients not included may stand anywhere).
    included
        (R, N) of bool.
    """
    replicates, patients = time.shape
    difference = np.zeros(replicates)
    variance = np.zeros(replicates)
    events = np.zeros(replicates)
    for r in range(replicates):
        at_risk = 0.0
        treated_at_risk = 0.0
        for i in range(patients):
            if included[r, i]:
                at_risk += 1.0
                treated_at_risk += treated[r, i]
        i = 0
        while i < patients:
            now = time[r, order[r, i]]
            deaths = 0.0
            treated_deaths = 0.0
            gone = 0.0
            treated_gone = 0.0
            while i < patients and time[r, order[r, i]] == now:
                k = order[r, i]
                i += 1
                if not included[r, k]:
                    continue
                deaths += event[r, k]
                treated_deaths += event[r, k] * treated[r, k]
                gone += 1.0
                treated_gone += treated[r, k]
            if deaths > 0.0:
                share = treated_at_risk / at_risk
                difference[r] += treated_deaths - deaths * share
                if at_risk > 1.0:
                    spread = share * (1.0 - share) * (at_risk - deaths) / (at_risk - 1.0)
                    variance[r] += deaths * spread
                events[r] += deaths
            at_risk -= gone
            treated_at_risk -= treated_gone
    return difference, variance, events
