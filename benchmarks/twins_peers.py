"""The models made for one task that twins are measured against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor

from extraction.records import Cohort
from generation.assembly import to_arrays
from generation.evaluation.forecasts import NextVisit
from generation.evaluation.scores import concordance
from generation.randomness import generator

_INNER = 5
_PENALTIES = (0.1, 1.0, 10.0, 30.0, 100.0, 300.0)
_LEAVES = (5, 15, 40)
_TREES = 200


def baseline_matrix(train: Cohort, test: Cohort) -> tuple[np.ndarray, np.ndarray]:
    """Arm and baseline of both as numbers, standardised on the training patients.

    Numbers: median for missing, with a flag; categories: one column each.
    """
    frames = []
    for cohort in (train, test):
        names = [v.name for v in cohort.schema.baseline]
        frames.append(cohort.subjects[["arm", *names]].copy())
    pieces: list[tuple[np.ndarray, np.ndarray]] = []
    for name in frames[0].columns:
        numeric = name != "arm" and train.schema.variable(name).numeric
        pair = [f[name] for f in frames]
        pieces += _numbers(pair) if numeric else _labels(pair)
    matrices = [np.column_stack([p[i] for p in pieces]) for i in (0, 1)]
    mean, spread = matrices[0].mean(axis=0), matrices[0].std(axis=0)
    kept = spread > 0
    first, second = ((m[:, kept] - mean[kept]) / spread[kept] for m in matrices)
    return first, second


def _numbers(pair: list[pd.Series]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    values = [p.to_numpy(dtype=np.float64, na_value=np.nan) for p in pair]
    known = values[0][np.isfinite(values[0])]
    middle = float(np.median(known)) if len(known) else 0.0
    low, high = np.quantile(known, [0.01, 0.99]) if len(known) else (0.0, 0.0)
    clipped = [np.clip(np.where(np.isfinite(v), v, middle), low, high) for v in values]
    yield clipped[0], clipped[1]
    yield tuple((~np.isfinite(v)).astype(np.float64) for v in values)  # type: ignore[misc]


def _labels(pair: list[pd.Series]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for level in sorted(pair[0].dropna().unique()):
        yield tuple((p == level).to_numpy(dtype=np.float64) for p in pair)  # type: ignore[misc]


def cox_risk(
    x: np.ndarray, time: np.ndarray, event: np.ndarray, x_test: np.ndarray, seed: int
) -> np.ndarray:
    """Ridge Cox model of scikit-survival, its penalty tuned by inner cross-validation."""
    from sksurv.linear_model import CoxPHSurvivalAnalysis

    def fitted(rows: np.ndarray, penalty: float) -> CoxPHSurvivalAnalysis:
        return CoxPHSurvivalAnalysis(alpha=penalty).fit(x[rows], _outcome(time, event, rows))

    best = _tuned(
        _PENALTIES, lambda rows, penalty: fitted(rows, penalty).predict, x, time, event, seed
    )
    return np.asarray(fitted(np.ones(len(x), dtype=bool), best).predict(x_test))


def forest_risk(
    x: np.ndarray, time: np.ndarray, event: np.ndarray, x_test: np.ndarray, seed: int
) -> np.ndarray:
    """Random survival forest of scikit-survival, its leaves tuned by inner cross-validation."""
    from sksurv.ensemble import RandomSurvivalForest

    def fitted(rows: np.ndarray, leaf: float, trees: int) -> RandomSurvivalForest:
        forest = RandomSurvivalForest(
            n_estimators=trees,
            min_samples_leaf=int(leaf),
            max_features="sqrt",
            low_memory=True,
            random_state=seed,
            n_jobs=1,
        )
        return forest.fit(x[rows], _outcome(time, event, rows))

    best = _tuned(
        _LEAVES, lambda rows, leaf: fitted(rows, leaf, 60).predict, x, time, event, seed, inner=2
    )
    return np.asarray(fitted(np.ones(len(x), dtype=bool), best, _TREES).predict(x_test))


def _tuned(grid, predictor, x, time, event, seed, inner=_INNER) -> float:  # type: ignore[no-untyped-def]
    """Setting with the best mean concordance over inner folds."""
    part = generator(seed, "twins inner folds").permutation(len(x)) % inner
    scores = [
        np.mean(
            [
                concordance(
                    predictor(part != k, value)(x[part == k]), time[part == k], event[part == k]
                )
                for k in range(inner)
            ]
        )
        for value in grid
    ]
    return float(grid[int(np.argmax(scores))])


def _outcome(time: np.ndarray, event: np.ndarray, rows: np.ndarray) -> np.ndarray:
    kinds = [("event", bool), ("time", float)]
    return np.array(list(zip(event[rows], time[rows], strict=True)), dtype=kinds)


def next_visit_quantiles(
    train: Cohort, test: Cohort, visits: Sequence[NextVisit], levels: np.ndarray, seed: int
) -> Iterator[np.ndarray]:
    """Quantile gradient boosting of scikit-learn, one model a variable and level.

    It learns the change from the last value from all training visits: last and previous values of
    every variable, mean so far, days, arm and baseline.
    """
    x, x_test = baseline_matrix(train, test)
    past, past_test = _Past.of(train, x), _Past.of(test, x_test)
    fitted: dict[str, list[HistGradientBoostingRegressor]] = {}
    for visit in visits:
        if visit.variable not in fitted:
            features, change = past.training(visit.variable)
            fitted[visit.variable] = [
                HistGradientBoostingRegressor(
                    loss="quantile",
                    quantile=float(level),
                    max_iter=80,
                    learning_rate=0.08,
                    max_leaf_nodes=12,
                    min_samples_leaf=20,
                    random_state=seed,
                ).fit(features, change)
                for level in levels
            ]
        rows = past_test.at(visit.day)[visit.patient]
        found = np.column_stack([m.predict(rows) for m in fitted[visit.variable]])
        yield np.sort(found, axis=1) + visit.last[:, None]


class _Past:
    """What is known of patients at a day, as features."""

    def __init__(self, days: np.ndarray, values: dict[str, np.ndarray], x: np.ndarray) -> None:
        self.days, self.values, self.x = days, values, x

    @classmethod
    def of(cls, cohort: Cohort, x: np.ndarray) -> _Past:
        arrays = to_arrays(cohort)
        numeric = {
            v.name: np.asarray(arrays.values[v.name], dtype=np.float64)
            for v in cohort.schema.longitudinal
            if v.numeric
        }
        return cls(arrays.visit_day, numeric, x)

    def at(self, day: float | np.ndarray) -> np.ndarray:
        """Features of every patient at a day (one for all, or one each)."""
        before = self.days <= np.reshape(day, (-1, 1))
        blocks = [self.x, np.where(before, self.days, -np.inf).max(axis=1, initial=-1)[:, None]]
        for values in self.values.values():
            known = np.where(before, values, np.nan)
            last, column = _last(known)
            known[np.arange(len(known)), column] = np.nan
            previous, _ = _last(known)
            blocks.append(np.column_stack([last, previous, np.nan_to_num(last - previous)]))
        return np.concatenate(blocks, axis=1)

    def training(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Features before every visit and the change from the last value to it."""
        features, change = [], []
        for k in range(1, self.days.shape[1]):
            here = np.isfinite(self.days[:, k]) & np.isfinite(self.values[name][:, k])
            day = np.where(here, self.days[:, k] - 1e-6, -1e9)
            last, _ = _last(np.where(self.days <= day[:, None], self.values[name], np.nan))
            rows = here & np.isfinite(last)
            features.append(self.at(day)[rows])
            change.append((self.values[name][:, k] - last)[rows])
        return np.concatenate(features), np.concatenate(change)


def _last(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Last known value of each row (NaN without one) and its column."""
    known = np.isfinite(values)
    column = values.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    return np.where(known.any(axis=1), values[np.arange(len(values)), column], np.nan), column
