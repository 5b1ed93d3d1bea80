"""Proper scores and calibration statistics of forecasts given as draws or survival curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generation.evaluation.survival import concordant_pairs, cox_ridge, kaplan_meier
from generation.evaluation.tables import Floats

Flags = npt.NDArray[np.bool_]

_LEAST_AT_RISK = 0.05


def crps(draws: Floats, truth: Floats) -> Floats:
    """Continuous ranked probability score of each forecast, shape (n,); smaller is better.

    The estimate from finite draws that does not depend on their number (fair CRPS, Ferro 2014,
    doi 10.1002/qj.2270): mean |X - y| - mean over pairs |X - X'| / 2.

    Parameters
    ----------
    draws
        Draws of each forecast, NaN where a draw has no value, shape (n, draws).
    truth
        What came, shape (n,).
    """
    ordered = np.sort(draws, axis=1)
    count = np.sum(~np.isnan(ordered), axis=1)
    away = np.nanmean(np.abs(ordered - truth[:, None]), axis=1)
    place = np.arange(ordered.shape[1])
    weight = 2 * place[None, :] - count[:, None] + 1
    pairs = np.nansum(weight * np.where(np.isnan(ordered), 0.0, ordered), axis=1)
    return np.asarray(away - pairs / np.maximum(count * (count - 1), 1))


def pit(draws: Floats, truth: Floats, place: Floats) -> Floats:
    """Probability integral transform, ties spread by `place` in (0, 1), shape (n,).

    Uniform when the forecasts are calibrated (Czado, Gneiting and Held 2009, doi
    10.1111/j.1541-0420.2009.01191.x).
    """
    count = np.maximum(np.sum(~np.isnan(draws), axis=1), 1)
    below = np.sum(draws < truth[:, None], axis=1)
    equal = np.sum(draws == truth[:, None], axis=1)
    # The truth is one more member of the ensemble, which keeps the ends of the scale reachable.
    return np.asarray((below + place * (equal + 1)) / (count + 1))


@dataclass(frozen=True)
class Coverage:
    """Share of truths inside central intervals.

    ``share`` and ``se`` (clustered by patient), for each level.
    """

    level: float
    share: float
    se: float


def coverage(transform: Floats, patient: npt.NDArray[np.int64], level: float) -> Coverage:
    """Coverage of the central interval of a level, its error clustered by patient."""
    inside = np.abs(transform - 0.5) <= level / 2
    share = float(inside.mean())
    _, cluster = np.unique(patient, return_inverse=True)
    sums = np.bincount(cluster, weights=inside - share)
    return Coverage(level, share, float(np.sqrt((sums**2).sum())) / len(inside))


def brier_curve(
    survival: Floats, grid: Floats, time: Floats, event: Flags, draws: int = 0
) -> Floats:
    """Each patient's part of the Brier score at each day of a grid, shape (n, g).

    Weighted by the inverse probability of not being censored, taken from the same patients
    (Graf, Schmoor, Sauerbrei and Schumacher 1999, doi
    10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529::AID-SIM274>3.0.CO;2-5).

    Parameters
    ----------
    survival
        Forecast probability of no event by each day, shape (n, g).
    draws
        How many draws the probabilities are shares of, 0 where they are exact. Shares of few draws
        scatter, which adds S (1 - S) / draws to their squared error; as in `crps`, that is taken
        off (Ferro 2014).
    """
    before = np.nextafter(time, 0.0)
    at_event = np.maximum(kaplan_meier(time, ~event, before), _LEAST_AT_RISK)
    at_grid = np.maximum(kaplan_meier(time, ~event, grid), _LEAST_AT_RISK)
    died = (time[:, None] <= grid) & event[:, None]
    alive = time[:, None] > grid
    scatter = survival * (1 - survival) / (draws - 1) if draws > 1 else 0.0
    return np.asarray(
        died * (survival**2 - scatter) / at_event[:, None]
        + alive * ((1 - survival) ** 2 - scatter) / at_grid
    )


def d_calibration(at_own: Floats, event: Flags, bins: int = 10) -> Floats:
    """Share of patients by forecast survival probability at their own time, shape (bins,).

    Even when calibrated; a censored patient is spread over the bins below its own (Haider, Hoehn,
    Davis and Greiner 2020, JMLR 21(85)).

    Parameters
    ----------
    at_own
        Forecast probability of no event by each patient's own time, shape (n,).
    """
    edges = np.linspace(0.0, 1.0, bins + 1)
    own = np.clip(at_own, 1e-6, 1.0)
    bin_ = np.clip(np.ceil(own * bins).astype(np.int64) - 1, 0, bins - 1)
    share = np.zeros((len(own), bins))
    share[np.arange(len(own)), bin_] = event
    for k in range(bins):
        whole = (edges[k + 1] - edges[k]) / own
        part = (own - edges[k]) / own
        spread = np.where(k < bin_, whole, np.where(k == bin_, part, 0.0))
        share[:, k] += np.where(event, 0.0, spread)
    return np.asarray(share.mean(axis=0))


def calibration_slope(risk: Floats, time: Floats, event: Flags) -> tuple[float, float]:
    """Slope of the true on the forecast log cumulative hazard and its standard error.

    A Cox model with the forecast as the only covariate; 1 when calibrated, below 1 when forecasts
    are too extreme (van Houwelingen 2000, doi 10.1002/1097-0258(20001230)19:24<3401::AID-SIM554>
    3.0.CO;2-2).

    Parameters
    ----------
    risk
        Log of minus log of forecast survival at a fixed day, shape (n,).
    """
    centred = risk - risk.mean()
    spread = float(centred.std())
    if spread < 1e-9 or event.sum() < 2:
        return float("nan"), float("nan")
    scaled = (centred / spread)[:, None]
    slope = float(cox_ridge(scaled, time, event, 1e-6)[0])
    information = _information(scaled[:, 0], slope, time, event)
    return slope / spread, float(1 / np.sqrt(max(information, 1e-12))) / spread


def concordance(risk: Floats, time: Floats, event: Flags) -> float:
    """Harrell's C: how often the patient with the higher risk has the event first."""
    concordant, comparable = concordant_pairs(risk, time, event)
    return float(concordant.sum() / max(comparable.sum(), 1.0))


def _information(x: Floats, slope: float, time: Floats, event: Flags) -> float:
    """Second derivative of a one-covariate log partial likelihood, sign turned."""
    order = np.argsort(-time, kind="stable")
    x, time, event = x[order], time[order], event[order]
    last = np.searchsorted(-time, -time, side="right") - 1
    weight = np.exp(x * slope - (x * slope).max())
    total, first, second = (np.cumsum(weight * x**k)[last] for k in range(3))
    return float((second / total - (first / total) ** 2)[event].sum())
