"""Twins judged on patients they have not seen, beside models made for one task each.

Endpoints from baseline: integrated Brier score, D-calibration, slope, and Harrell's C beside a
tuned ridge Cox model and a tuned random survival forest. Values at the next visit: coverage, and
CRPS beside quantile gradient boosting. Pooled cross-validation on the development three quarters
of every data set; differences are paired by patient, with bootstrap intervals.

    python -m benchmarks.twins --data gbsg2 pbcseq --folds 5 --json figures.json
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.datasets import DATASETS
from benchmarks.lockbox import development
from benchmarks.twins_peers import baseline_matrix, cox_risk, forest_risk, next_visit_quantiles
from extraction.records import Cohort
from generation import fit
from generation.evaluation.calibration import calibration
from generation.evaluation.forecasts import Forecasts, NextVisit, forecast, next_visits
from generation.evaluation.survival import concordant_pairs
from generation.randomness import generator, integer_seed

LEVELS = np.arange(1, 20) / 20
_RESAMPLES = 2000
_FOREST_ROWS = 2500


def pinball(quantiles: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Twice the mean quantile loss over the levels: CRPS as seen by these quantiles, (n,)."""
    gap = truth[:, None] - quantiles
    return 2 * np.mean(np.maximum(LEVELS * gap, (LEVELS - 1) * gap), axis=1)


def paired(first: np.ndarray, second: np.ndarray, patient: np.ndarray, seed: int) -> list[float]:
    """Difference of two sums of patients' parts with its 95 % bootstrap interval."""
    _, cluster = np.unique(patient, return_inverse=True)
    parts = np.bincount(cluster, weights=first - second)
    n = len(parts)
    counts = generator(seed, "twins bootstrap").multinomial(n, np.full(n, 1 / n), _RESAMPLES)
    # Parts are influences plus the value's share, so that a resample's sum is its value.
    low, high = np.quantile(counts @ parts, [0.025, 0.975])
    return [float(parts.sum()), float(low), float(high)]


def c_parts(risk: np.ndarray, time_: np.ndarray, event: np.ndarray) -> np.ndarray:
    """Each patient's part of Harrell's C: its share of the value plus its influence."""
    concordant, comparable = concordant_pairs(risk, time_, event)
    total = max(comparable.sum(), 1.0)
    c = concordant.sum() / total
    return c / len(risk) + (concordant - c * comparable) / (total / 2)


def survival_peers(
    train: Cohort, test: Cohort, endpoint: str, found: Any, seed: int
) -> dict[str, np.ndarray]:
    """Parts of C by forecaster for one fold's endpoint."""
    x, x_test = baseline_matrix(train, test)
    outcome, kept = observed(train, endpoint)
    tested, kept_test = observed(test, endpoint)
    time_, event = tested
    risks = {
        "twin": 1 - found.survival.mean(axis=1),
        "cox": cox_risk(x[kept], *outcome, x_test[kept_test], seed),
    }
    if len(train) <= _FOREST_ROWS:
        risks["forest"] = forest_risk(x[kept], *outcome, x_test[kept_test], seed)
    return {name: c_parts(risk, time_, event) for name, risk in risks.items()}


def observed(cohort: Cohort, endpoint: str) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Days and events of the patients with a record after day 0, and which they are."""
    frame = cohort.endpoint(endpoint)
    day = frame["day"].to_numpy(dtype=np.float64)
    kept = np.isfinite(day) & (day > 0)
    return (day[kept], frame["observed"].to_numpy(dtype=bool)[kept]), kept


def visit_scores(
    train: Cohort, test: Cohort, visits: list[NextVisit], seed: int
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """By variable: patient, twin's and boosting's quantile scores."""
    found: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}
    boosted = next_visit_quantiles(train, test, visits, LEVELS, seed)
    for visit, theirs in zip(visits, boosted, strict=True):
        ours = np.nanquantile(visit.futures, LEVELS, axis=1).T
        found.setdefault(visit.variable, []).append(
            (visit.patient, pinball(ours, visit.truth), pinball(theirs, visit.truth))
        )
    return {
        name: tuple(np.concatenate(parts) for parts in zip(*several, strict=True))  # type: ignore[misc]
        for name, several in found.items()
    }


def run(name: str, folds: int, draws: int, seed: int) -> dict[str, Any]:
    """Cross-validate one data set and print it."""
    cohort = development(DATASETS[name]())
    fold = cohort.folds(folds, seed)
    parts: list[Forecasts] = []
    survival: dict[str, dict[str, list[np.ndarray]]] = {}
    values: dict[str, list[tuple[np.ndarray, ...]]] = {}
    seconds = {"fit": 0.0, "forecast": 0.0, "peers": 0.0}
    for k in range(folds):
        train, test = cohort.take(fold != k), cohort.take(fold == k)
        clock = [time.process_time()]
        model = fit(train, "twin", seed=integer_seed(seed, "twins fit", k))
        clock.append(time.process_time())
        found = forecast(model, train, test, draws, seed + k)  # type: ignore[arg-type]
        visits = list(next_visits(model, train, test, draws, seed + k))  # type: ignore[arg-type]
        clock.append(time.process_time())
        parts.append(found)
        for endpoint, (one,) in found.folds.items():
            for who, c in survival_peers(train, test, endpoint, one, seed).items():
                survival.setdefault(endpoint, {}).setdefault(who, []).append(c / folds)
        for variable, scores in visit_scores(train, test, visits, seed).items():
            moved = (scores[0] + (k << 32), *scores[1:])
            values.setdefault(variable, []).append(moved)
        clock.append(time.process_time())
        for what, spent in zip(seconds, np.diff(clock), strict=True):
            seconds[what] += float(spent)
    figures = summary(parts, survival, values, seed)
    return show(name, {**figures, "patients": len(cohort), "folds": folds, "cpu_seconds": seconds})


def summary(
    parts: list[Forecasts],
    survival: dict[str, dict[str, list[np.ndarray]]],
    values: dict[str, list[tuple[np.ndarray, ...]]],
    seed: int,
) -> dict[str, Any]:
    """All figures of a data set, JSON-able."""
    c_index: dict[str, Any] = {}
    for endpoint, by in survival.items():
        pooled = {who: np.concatenate(c) for who, c in by.items()}
        ids = np.arange(len(pooled["twin"]))
        c_index[endpoint] = {who: float(c.sum()) for who, c in pooled.items()} | {
            f"twin_minus_{who}": paired(pooled["twin"], c, ids, seed)
            for who, c in pooled.items()
            if who != "twin"
        }
    crps: dict[str, Any] = {}
    for variable, several in values.items():
        patient, ours, theirs = (np.concatenate(p) for p in zip(*several, strict=True))
        scale = theirs.sum()
        crps[variable] = {
            "boosting": float(theirs.mean()),
            "ratio": float(ours.sum() / scale),
            "relative_difference": paired(ours / scale, theirs / scale, patient, seed),
            "forecasts": len(patient),
        }
    metrics = [m.to_dict() for m in calibration(Forecasts.pooled(parts))]
    return {"c_index": c_index, "crps": crps, "calibration": metrics}


def show(name: str, figures: dict[str, Any]) -> dict[str, Any]:
    """Print a data set's figures."""
    spent = ", ".join(f"{k} {v:.0f}" for k, v in figures["cpu_seconds"].items())
    print(f"\n{name}: {figures['patients']} patients, {figures['folds']} folds; CPU-s {spent}")
    for endpoint, found in figures["c_index"].items():
        for who in ("cox", "forest"):
            if who in found:
                value, low, high = found[f"twin_minus_{who}"]
                print(
                    f"  C of {endpoint}: twin {found['twin']:.3f}, {who} {found[who]:.3f}, "
                    f"difference {value:+.3f} [{low:+.3f}, {high:+.3f}]: "
                    f"{'WORSE' if high < 0 else 'not worse'}"
                )
    for variable, found in figures["crps"].items():
        value, low, high = found["relative_difference"]
        print(
            f"  CRPS of {variable}: {found['ratio']:.3f} of boosting's, relative difference "
            f"{value:+.3f} [{low:+.3f}, {high:+.3f}]: {'WORSE' if low > 0 else 'not worse'}"
        )
    for metric in figures["calibration"]:
        print(f"  {metric['sentence']}")
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=[*DATASETS], default=[*DATASETS])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    figures = {}
    for name in options.data:
        figures[name] = run(name, options.folds, options.draws, options.seed)
        if options.json:
            options.json.write_text(json.dumps(figures, indent=1, default=float), "utf-8")


if __name__ == "__main__":
    main()
