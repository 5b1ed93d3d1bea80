"""Time-to-event endpoints of one trial: Kaplan-Meier, restricted mean and concordance.

Tests are in `logrank` and `maxcombo`, the proportional hazards model in `cox`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike

from extraction.records.errors import InputError
from simulation.analysis.arrays import FloatArray, IntArray, numeric, stop
from simulation.analysis.estimate import Estimand, Estimate, from_t
from simulation.analysis.risk_sets import checked, codes


@dataclass(frozen=True)
class SurvivalCurve:
    """Kaplan-Meier curve at its distinct event times; every array has shape (T,).

    `se` is Greenwood's, on the survival scale; `low` and `high` bound the survival probability.
    """

    time: FloatArray
    at_risk: FloatArray
    events: FloatArray
    survival: FloatArray
    se: FloatArray
    low: FloatArray
    high: FloatArray
    n: int

    def at(self, days: ArrayLike) -> FloatArray:
        """Survival probability at given days, in the shape of `days`."""
        steps = np.concatenate([[1.0], self.survival])
        return np.asarray(steps[np.searchsorted(self.time, np.asarray(days), side="right")])

    def median(self) -> float:
        """First day at which survival is at most one half; infinite when it never is."""
        reached = np.flatnonzero(self.survival <= 0.5 + 1e-12)
        return float(self.time[reached[0]]) if reached.size else float("inf")


def kaplan_meier(time: ArrayLike, event: ArrayLike, *, level: float = 0.95) -> SurvivalCurve:
    """Kaplan-Meier estimate with Greenwood's variance and log(-log) intervals.

    Parameters
    ----------
    time
        Days to event or censoring (N,), at least 0.
    event
        1 event, 0 censored (N,).

    Raises
    ------
    InputError
        For missing or negative times, other indicators than 0 and 1, or no event.

    Notes
    -----
    Kaplan and Meier (1958), doi 10.1080/01621459.1958.10501452.
    """
    times, events = checked(time, event)
    moments, deaths = np.unique(times[events == 1], return_counts=True)
    at_risk = times.size - np.searchsorted(np.sort(times), moments, side="left")
    survival: FloatArray = np.cumprod(1 - deaths / at_risk).astype(np.float64)
    left = at_risk - deaths
    with np.errstate(divide="ignore", invalid="ignore"):
        log_variance = np.cumsum(deaths / (at_risk * left))
        se = np.where(survival > 0, survival * np.sqrt(log_variance), 0.0)
        z = scipy.stats.norm.ppf(0.5 + level / 2)
        width = z * np.sqrt(log_variance) / np.abs(np.log(survival))
        low, high = survival ** np.exp(width), survival ** np.exp(-width)
    gone = survival <= 0
    low, high = np.where(gone, 0.0, low), np.where(gone, 0.0, high)
    return SurvivalCurve(moments, at_risk.astype(float), deaths.astype(float), survival, se, low,
                         high, times.size)


def restricted_mean(time: ArrayLike, event: ArrayLike, horizon: float) -> tuple[float, float]:
    """Restricted mean survival time up to `horizon` days and its standard error.

    Royston and Parmar (2013), doi 10.1186/1471-2288-13-152; Greenwood-type variance.
    """
    return _area(*checked(time, event), horizon)


def _area(times: FloatArray, events: FloatArray, horizon: float) -> tuple[float, float]:
    """Area under the Kaplan-Meier curve up to the horizon; the horizon itself without events."""
    moments, deaths = np.unique(times[(events == 1) & (times < horizon)], return_counts=True)
    at_risk = times.size - np.searchsorted(np.sort(times), moments, side="left")
    edges = np.concatenate([[0.0], moments, [horizon]])
    pieces = np.concatenate([[1.0], np.cumprod(1 - deaths / at_risk)]) * np.diff(edges)
    after = pieces[::-1].cumsum()[::-1][1:]
    left = at_risk - deaths
    rate = np.divide(deaths, at_risk * left, out=np.zeros(moments.size), where=left > 0)
    return float(pieces.sum()), float(np.sqrt((after**2 * rate).sum()))


def restricted_mean_difference(time: ArrayLike, event: ArrayLike, treated: ArrayLike,
                               horizon: float, *, level: float = 0.95,
                               estimand: Estimand | None = None) -> Estimate:
    """Difference in restricted mean survival time, treated minus control, in days.

    An arm without an event before the horizon counts with the whole horizon. Greenwood's
    variance is 0 there, so that the standard error is the other arm's alone and too small;
    `extra["caution"]` says so.

    Raises
    ------
    InputError
        When the horizon lies beyond the shorter arm's follow-up, when neither arm has an event
        before it, or for faulty times.
    """
    times, events = checked(time, event)
    arm = np.asarray(treated).astype(bool)
    shortest = min(times[arm].max(initial=0), times[~arm].max(initial=0))
    if not 0 < horizon <= shortest:
        raise InputError(f"horizon: {horizon:g} days; allowed: above 0 and at most {shortest:g}, "
                         "the follow-up of the shorter arm; choose an earlier horizon")
    early = (events == 1) & (times < horizon)
    seen = {"treated": int(early[arm].sum()), "control": int(early[~arm].sum())}
    empty = [name for name, count in seen.items() if not count]
    if len(empty) == 2:
        raise InputError(f"horizon: no event before {horizon:g} days in either arm; nothing can "
                         "be compared; choose a later horizon")
    one, se_one = _area(times[arm], events[arm], horizon)
    zero, se_zero = _area(times[~arm], events[~arm], horizon)
    caution = {"caution": f"no event in the {empty[0]} arm before the horizon: the standard error "
                          "leaves that arm out and is too small"} if empty else {}
    return from_t("restricted mean survival time", one - zero, float(np.hypot(se_one, se_zero)),
                  times.size, level=level, estimand=estimand,
                  extra={"horizon_days": horizon, "treated": one, "control": zero,
                         "events_before_horizon": seen, **caution})


def concordance(score: ArrayLike, time: ArrayLike, event: ArrayLike, *, level: float = 0.95,
                strata: ArrayLike | None = None, estimand: Estimand | None = None) -> Estimate:
    """Harrell's C: the chance that of two patients the one with the higher risk fails first.

    Parameters
    ----------
    score
        Risk score (N,); higher means earlier events. Tied scores count one half.
    time, event
        Days and indicator, each (N,).
    strata
        Labels (N,); pairs are then formed inside strata only.

    Returns
    -------
    Estimate
        C in [0, 1] with the infinitesimal-jackknife standard error of R's
        `survival::concordance`; `p_value` is of C = 1/2.

    Raises
    ------
    InputError
        For faulty inputs or when no pair can be compared.
    """
    times, events = checked(time, event)
    faults: list[str] = []
    risk = numeric("score", score, faults, times.shape)
    stop(faults)
    groups = codes(strata, times.size)
    group = np.zeros(times.size, np.int64) if groups is None else groups[0]
    pairs, wins = _pairs(risk, times, events, group)
    total = pairs.sum() / 2
    if total == 0:
        raise InputError("time, event: no pair of patients can be compared; more events are needed")
    value = float(wins.sum() / 2 / total)
    influence = (wins - value * pairs) / total
    line = from_t("Harrell's C", value - 0.5, float(np.sqrt((influence**2).sum())), times.size,
                  level=level)
    return Estimate("Harrell's C", estimand, value, line.se, max(0.0, line.low + 0.5),
                    min(1.0, line.high + 0.5), line.p_value, times.size, None,
                    {"pairs": float(total), "events": int(events.sum()), "level": level})


def _pairs(risk: FloatArray, time: FloatArray, event: FloatArray, group: IntArray
           ) -> tuple[FloatArray, FloatArray]:
    """Per patient: comparable pairs and concordant pairs (ties one half) it takes part in."""
    failed = np.flatnonzero(event == 1)
    pairs, wins = np.zeros(time.size), np.zeros(time.size)
    for rows in _blocks(failed, time.size):
        later = (time[None, :] > time[rows, None]) | (
            (time[None, :] == time[rows, None]) & (event[None, :] == 0))
        later &= group[None, :] == group[rows, None]
        win = later * (0.5 + 0.5 * np.sign(risk[rows, None] - risk[None, :]))
        pairs[rows] += later.sum(axis=1)
        wins[rows] += win.sum(axis=1)
        pairs += later.sum(axis=0)
        wins += win.sum(axis=0)
    return pairs, wins


def _blocks(rows: IntArray, n: int) -> Sequence[IntArray]:
    """Cut rows so that a block times n stays near four million cells."""
    return np.array_split(rows, max(1, -(-rows.size * n // 4_000_000)))
