"""Whether forecasts mean what they say: coverage, CRPS, Brier score and D-calibration.

Forecasts are of patients whom the model has not seen. Endpoints are forecast from baseline, values
from one visit to the next. Rules for coverage are those of docs/evaluation.md: "worse" only if the
95 % interval, clustered by patient, excludes nominal by more than 4 points, "not shown" below 400
patients.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import chi2

from generation.evaluation.forecasts import Forecasts, SurvivalForecasts, ValueForecasts
from generation.evaluation.metric import (
    INSUFFICIENT,
    NOT_SHOWN,
    WITHIN,
    WORSE,
    Control,
    Metric,
    Verdict,
)
from generation.evaluation.scores import (
    Coverage,
    brier_curve,
    calibration_slope,
    concordance,
    coverage,
    d_calibration,
)
from generation.evaluation.tables import Floats

LEVELS = (0.5, 0.8, 0.95)
MARGIN = 0.04
ENOUGH_PATIENTS = 400
ENOUGH_EVENTS = 100
_PIT_BINS = 10


def calibration(forecasts: Forecasts) -> list[Metric]:
    """Metrics of every endpoint and every variable that was forecast."""
    metrics: list[Metric] = []
    for name, folds in forecasts.folds.items():
        metrics += [_brier(name, folds), _bins(name, folds), _slope(name, folds)]
    for name, values in forecasts.values.items():
        metrics += [_coverage(name, values), _skill(name, values)]
    return metrics


def _coverage(name: str, values: ValueForecasts) -> Metric:
    """Coverage of the 80 % interval; 50 and 95 % stand in the details and in the verdict."""
    found = [coverage(values.pit, values.patient, level) for level in LEVELS]
    narrow = coverage(values.pit_narrow, values.patient, 0.8)
    patients = len(np.unique(values.patient))
    off = [c for c in found if _off(c)]
    seen = _off(narrow)
    verdict: Verdict = WORSE if off else (WITHIN if patients >= ENOUGH_PATIENTS else NOT_SHOWN)
    if verdict == WITHIN and not seen:
        verdict = NOT_SHOWN
    told = ", ".join(f"{c.level:.0%} hold {c.share:.1%}" for c in found)
    middle = found[1]
    ends = {
        WORSE: f", as {len(off)} of {len(found)} lie more than 4 points off",
        NOT_SHOWN: f", with {patients} patients; {ENOUGH_PATIENTS} are needed",
    }
    return Metric(
        f"coverage:{name}", "calibration", f"coverage of intervals for {name} at the next visit",
        middle.share, middle.se, "chance",
        {
            "real": Control(0.8, 0.8 - MARGIN, 0.8 + MARGIN),
            "planted": Control.around(narrow.share, narrow.se),
        },
        verdict,
        f"Of the intervals for {name} at the next visit, {told} of what came (equal is best; "
        f"intervals of half the width hold {narrow.share:.1%} in place of 80%): "
        f"{verdict}{ends.get(verdict, '')}.",
        {
            "levels": [vars(c) for c in found],
            "pit": np.histogram(values.pit, np.linspace(0, 1, _PIT_BINS + 1))[0] / len(values.pit),
            "patients": patients,
            "forecasts": len(values.pit),
        },
    )


def _off(found: Coverage) -> bool:
    low, high = found.share - 1.96 * found.se, found.share + 1.96 * found.se
    return low > found.level + MARGIN or high < found.level - MARGIN


def _skill(name: str, values: ValueForecasts) -> Metric:
    """CRPS relative to the last value carried forward as a point forecast."""
    value, se = _ratio(values.crps, values.crps_carried, values.patient)
    known = _ratio(values.crps_marginal, values.crps_carried, values.patient)
    low, high = value - 1.96 * se, value + 1.96 * se
    verdict: Verdict = WITHIN if high < 1 else (WORSE if low > 1 else NOT_SHOWN)
    return Metric(
        f"crps:{name}", "calibration", f"CRPS of {name} at the next visit, relative to no change",
        value, se, "lower",
        {"independent": Control.around(*known), "real": Control(1.0)},
        verdict,
        f"Forecasts of {name} at the next visit score {value:.3f} [{low:.3f}, {high:.3f}] times "
        f"the error of carrying the last value forward (below 1 is better than that; everybody's "
        f"values as the forecast score {known[0]:.3f}): {verdict}.",
        {"crps": float(values.crps.mean()), "carried": float(values.crps_carried.mean())},
    )


def _ratio(ours: Floats, theirs: Floats, patient: np.ndarray) -> tuple[float, float]:
    """Ratio of two mean scores and its delta-method error, clustered by patient."""
    base = max(float(theirs.mean()), 1e-12)
    value = float(ours.mean()) / base
    _, cluster = np.unique(patient, return_inverse=True)
    parts = np.bincount(cluster, weights=(ours - value * theirs) / base)
    return value, float(np.sqrt((parts**2).sum())) / len(ours)


def _brier(name: str, folds: Sequence[SurvivalForecasts]) -> Metric:
    """Integrated Brier score beside that of the Kaplan-Meier curve, paired by patient."""
    ours, marginal = (
        np.concatenate([
            brier_curve(
                getattr(f, which), f.grid, f.time, f.event, f.draws if which == "survival" else 0
            ).mean(axis=1)
            for f in folds
        ])
        for which in ("survival", "marginal")
    )
    value, base = float(ours.mean()), float(marginal.mean())
    difference = ours - marginal
    se = float(difference.std(ddof=1) / np.sqrt(len(difference)))
    low, high = (value - base - 1.96 * se, value - base + 1.96 * se)
    verdict: Verdict = WITHIN if high < 0 else (WORSE if low > 0 else NOT_SHOWN)
    risk, time, event = _stacked(folds)
    return Metric(
        f"integrated_brier:{name}", "calibration", f"integrated Brier score of {name}",
        value, float(ours.std(ddof=1) / np.sqrt(len(ours))), "lower",
        {"independent": Control(base)},
        verdict,
        f"Forecasts of {name} from baseline have an integrated Brier score of {value:.4f}, "
        f"{abs(value - base):.4f} {'below' if value < base else 'above'} that of one Kaplan-Meier "
        f"curve for everybody [{low:+.4f}, {high:+.4f}] (lower is better): {verdict}.",
        {"difference": value - base, "difference_low": low, "difference_high": high,
         "c_index": concordance(risk, time, event)},
    )


def _bins(name: str, folds: Sequence[SurvivalForecasts]) -> Metric:
    """D-calibration: the largest departure of a tenth of the forecasts from one tenth."""
    event = np.concatenate([f.event for f in folds])
    own = np.concatenate([f.at_own for f in folds])
    share = d_calibration(own, event)
    planted = d_calibration(own**2, event)
    n, bins = len(own), len(share)
    p, seen = (_p_value(s, n, bins) for s in (share, planted))
    verdict: Verdict = WORSE if p < 0.05 else (WITHIN if seen < 0.05 else NOT_SHOWN)
    value = float(np.abs(share - 1 / bins).max())
    return Metric(
        f"d_calibration:{name}", "calibration", f"D-calibration of {name}",
        value, float(np.sqrt(0.09 / n)), "lower",
        {"real": Control(0.0), "planted": Control(float(np.abs(planted - 1 / bins).max()))},
        verdict,
        f"Tenths of the forecast survival of {name} hold {share.min():.1%} to {share.max():.1%} of "
        f"the patients (each 10% when calibrated; p {p:.3f}; with doubled hazards p {seen:.3f}): "
        f"{verdict}.",
        {"shares": share, "p_value": p, "patients": n},
    )


def _p_value(share: Floats, n: int, bins: int) -> float:
    """Pearson's test against equal tenths (conservative where patients are censored)."""
    return float(chi2.sf(n * bins * ((share - 1 / bins) ** 2).sum(), bins - 1))


def _slope(name: str, folds: Sequence[SurvivalForecasts]) -> Metric:
    risk, time, event = _stacked(folds)
    value, se = calibration_slope(risk, time, event)
    low, high = value - 1.96 * se, value + 1.96 * se
    events = int(event.sum())
    verdict: Verdict = WITHIN if low <= 1 <= high else WORSE
    if not np.isfinite(value):
        verdict = NOT_SHOWN
    elif verdict == WITHIN and events < ENOUGH_EVENTS:
        verdict = INSUFFICIENT
    return Metric(
        f"calibration_slope:{name}", "calibration", f"calibration slope of {name}",
        value, se, "chance", {"real": Control(1.0)}, verdict,
        f"The calibration slope of {name} is {value:.2f} [{low:.2f}, {high:.2f}] over {events} "
        f"events (1 is best, below 1 is too extreme; about {ENOUGH_EVENTS} events are needed): "
        f"{verdict}.",
        {"events": events},
    )


def _stacked(folds: Sequence[SurvivalForecasts]) -> tuple[Floats, Floats, np.ndarray]:
    """Log cumulative hazard at the middle of each fold's grid, and what came."""
    risks = []
    for f in folds:
        least = 0.5 / f.draws if f.draws else 1e-4  # no event among few draws is not never
        middle = np.clip(f.survival[:, len(f.grid) // 2 :].mean(axis=1), least, 1 - least)
        risks.append(np.log(-np.log(middle)))
    time, event = (np.concatenate([getattr(f, k) for f in folds]) for k in ("time", "event"))
    return np.concatenate(risks), time, event
