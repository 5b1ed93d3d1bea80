"""Integrated Brier score of a survival model on held-out patients."""

from __future__ import annotations

import numpy as np

from generation.evaluation.survival import Flags, kaplan_meier
from generation.evaluation.tables import Floats

_GRID = 40
_SMALLEST_WEIGHT = 0.1
_EARLY, _LATE = 0.1, 0.9


def brier_grid(time: Floats, event: Flags) -> Floats:
    """Days over which the score is integrated: from the tenth to the ninetieth percentile.

    Of the event times of the judged patients, 40 steps; empty without two different ones.
    """
    if not event.any():
        return np.empty(0)
    low, high = np.quantile(time[event], [_EARLY, _LATE])
    return np.linspace(low, high, _GRID) if high > low else np.empty(0)


def breslow(score: Floats, time: Floats, event: Flags, grid: Floats) -> Floats:
    """Cumulative baseline hazard at the grid's days, given log hazards.

    Breslow (1974), doi 10.2307/2529620.
    """
    moments, where = np.unique(time, return_inverse=True)
    died = np.bincount(where, weights=event.astype(np.float64))
    risk = np.bincount(where, weights=np.exp(score))
    at_risk = np.cumsum(risk[::-1])[::-1]
    hazard = np.concatenate([[0.0], np.cumsum(died / np.maximum(at_risk, 1e-12))])
    return np.asarray(hazard[np.searchsorted(moments, grid, side="right")])


def brier_by_patient(survival: Floats, time: Floats, event: Flags, grid: Floats) -> Floats:
    """Weighted squared error of predicted survival, averaged over the grid, shape (n,).

    Parameters
    ----------
    survival
        Predicted probability of no event by each day, shape (n, grid).
    time, event
        Days and whether the event was seen, shape (n,).

    Notes
    -----
    Inverse probability of censoring weights by Kaplan-Meier, no larger than 10 (Graf et al.
    1999, doi 10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529::AID-SIM274>3.0.CO;2-5).
    """
    before = np.nextafter(time, -np.inf)
    at_event = np.maximum(kaplan_meier(time, ~event, before), _SMALLEST_WEIGHT)
    at_grid = np.maximum(kaplan_meier(time, ~event, grid), _SMALLEST_WEIGHT)
    died = (time[:, None] <= grid) & event[:, None]
    alive = time[:, None] > grid
    error = died * survival**2 / at_event[:, None] + alive * (1 - survival) ** 2 / at_grid
    return np.asarray(error.mean(axis=1))
