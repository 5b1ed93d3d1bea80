"""Train on synthetic, test on real: what models learned from synthetic patients predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from generation.evaluation.brier import breslow, brier_by_patient, brier_grid
from generation.evaluation.metric import NOT_SHOWN, WITHIN, WORSE, Control, Metric, Verdict
from generation.evaluation.reference import Reference
from generation.evaluation.survival import (
    concordant_pairs,
    cox_ridge,
    kaplan_meier,
    times_events,
)
from generation.evaluation.tables import Floats, Layout, Table

MARGIN = 0.05
_COX_PENALTY = 5.0
_RIDGE_PENALTY = 5.0
_MOST_SERIES = 6
_OBSERVED = 0.3
_COPIES = 8
_OF_ENDPOINTS: tuple[Literal["time_to_event", "survival"], ...] = ("time_to_event", "survival")
_MEASURES = {
    "time_to_event": "C-index",
    "survival": "scaled integrated Brier score",
    "continuous": "R squared",
    "binary": "AUC",
}


@dataclass(frozen=True)
class Target:
    """An outcome and the columns that predict it.

    Parameters
    ----------
    kind
        "time_to_event" (C-index), "survival" (integrated Brier score, as the share of the error
        of the Kaplan-Meier curve that is explained), "continuous" (R squared) or "binary" (area
        under the curve).
    column
        Index of the endpoint, of the numeric or of the categorical outcome column.
    numeric, categorical
        Predictor columns.
    """

    name: str
    kind: Literal["time_to_event", "survival", "continuous", "binary"]
    column: int
    numeric: tuple[int, ...]
    categorical: tuple[int, ...]

    @property
    def chance(self) -> float:
        """Value of a prediction that knows nothing."""
        return 0.0 if self.explains else 0.5

    @property
    def explains(self) -> bool:
        """Whether the measure is a share of squared error that is explained."""
        return self.kind in ("continuous", "survival")

    @property
    def key(self) -> str:
        """Name of the metric."""
        return f"{'utility_brier' if self.kind == 'survival' else 'utility'}:{self.name}"


@dataclass(frozen=True)
class Performance:
    """Value on held-out patients and each pool patient's influence on it, shape (pool,)."""

    value: float
    influence: Floats

    @property
    def se(self) -> float:
        """Standard error over held-out patients, given the fitted models."""
        return float(np.sqrt((self.influence**2).sum()))


def targets(table: Table) -> list[Target]:
    """Outcomes worth predicting: every endpoint, and the last visit of every variable.

    Predictors are the arm, the baseline columns and, for a visit, the variable's first visit.
    A last visit counts when at least 30 % of the patients have it.
    """
    layout = table.layout
    arm = () if layout.arm is None else (layout.arm,)
    categorical = (*layout.baseline_categorical, *arm)
    found = [
        Target(e.name, kind, i, layout.baseline_numeric, categorical)
        for i, e in enumerate(layout.endpoints)
        for kind in _OF_ENDPOINTS
        if layout.baseline_numeric or categorical
    ]
    return found + _visit_targets(table, layout, categorical)


def _visit_targets(table: Table, layout: Layout, categorical: tuple[int, ...]) -> list[Target]:
    found: list[Target] = []
    for series in layout.series:
        data = table.numbers if series.numeric else np.where(table.codes < 0, np.nan, table.codes)
        seen = [c for c in series.columns[1:] if np.mean(~np.isnan(data[:, c])) >= _OBSERVED]
        if not seen or (not series.numeric and len(layout.levels[seen[-1]]) != 2):
            continue
        first = (series.columns[0],)
        names = layout.numeric if series.numeric else layout.categorical
        found.append(
            Target(
                names[seen[-1]],
                "continuous" if series.numeric else "binary",
                seen[-1],
                (*layout.baseline_numeric, *(first if series.numeric else ())),
                (*categorical, *(() if series.numeric else first)),
            )
        )
    return found


def utility(reference: Reference, synthetic: Sequence[Table]) -> list[Metric]:
    """One metric a target: synthetic-trained beside real-trained performance."""
    chosen = reference.cached("targets", lambda: _chosen(reference))
    return [_measure(target, reference, synthetic) for target in chosen]


def _chosen(reference: Reference) -> list[Target]:
    """Every endpoint, and the six visit targets that real patients predict best."""
    found = targets(reference.pool)
    endpoints = [t for t in found if t.kind in _OF_ENDPOINTS]
    visits = [t for t in found if t.kind not in _OF_ENDPOINTS]
    value = [performance(t, reference, reference.train).value - t.chance for t in visits]
    best = np.argsort(-np.nan_to_num(value, nan=-np.inf), kind="stable")[:_MOST_SERIES]
    return endpoints + [visits[i] for i in sorted(best)]


def _measure(target: Target, reference: Reference, synthetic: Sequence[Table]) -> Metric:
    ours = performance(
        target,
        reference,
        lambda i: _as_trained(reference, i, synthetic[i]),
    )
    known = reference.cached(target.key, lambda: _known(target, reference))
    real, independent = known["real"], known["independent"]
    loss = real.value - ours.value
    training = float(known["copies"].std(ddof=1))
    # Two training samples of this size differ by themselves; a perfect engine does no better.
    se = float(np.sqrt(((real.influence - ours.influence) ** 2).sum() + 2 * training**2))
    learnable = real.value - 1.96 * real.se > target.chance
    verdict = _verdict(loss, se, learnable)
    measure = _MEASURES[target.kind]
    return Metric(
        target.key,
        "utility",
        f"{measure} for {target.name} on real patients, trained on synthetic ones",
        ours.value,
        ours.se,
        "higher",
        {
            "real": Control.around(real.value, real.se),
            "copy": Control.of(known["copies"]),
            "independent": Control.around(independent.value, independent.se),
        },
        verdict,
        _sentence(target, measure, ours.value, real.value, (loss, se), verdict, learnable),
        {
            "measure": measure,
            "loss": loss,
            "loss_low": loss - 1.96 * se,
            "loss_high": loss + 1.96 * se,
            "margin": MARGIN,
            "real_data_predict": learnable,
        },
        ours.value + reference.spread(ours.influence),
        training,
    )


def _verdict(loss: float, se: float, learnable: bool) -> Verdict:
    if not np.isfinite(loss) or not learnable:
        return NOT_SHOWN
    if loss + 1.96 * se <= MARGIN:
        return WITHIN
    return WORSE if loss - 1.96 * se > 0 else NOT_SHOWN


def _sentence(
    target: Target,
    measure: str,
    ours: float,
    real: float,
    loss: tuple[float, float],
    verdict: Verdict,
    learnable: bool,
) -> str:
    low, high = loss[0] - 1.96 * loss[1], loss[0] + 1.96 * loss[1]
    start = (
        f"A model trained on synthetic patients predicts {target.name} of real ones with {measure} "
        f"{ours:.3f} ({target.chance:g} is guessing, 1 perfect; trained on real patients "
        f"{real:.3f}), a loss of {loss[0]:.3f} [{low:.3f}, {high:.3f}]: {verdict}"
    )
    if not learnable:
        return f"{start}, as the real patients themselves do not predict it at this size."
    if verdict == NOT_SHOWN:
        return f"{start}, neither a loss nor that it stays below {MARGIN}."
    return f"{start}."


def _known(target: Target, reference: Reference) -> dict[str, Any]:
    """Performance of the real and independent training sets and of resampled real ones."""

    def trained_on(tables: Sequence[Table]) -> Performance:
        return performance(target, reference, lambda i: _as_trained(reference, i, tables[i]))

    folds = range(len(reference.folds))
    return {
        "real": trained_on([reference.train(i) for i in folds]),
        "independent": trained_on(reference.draw_full("independent")),
        "copies": np.array(
            [trained_on(reference.draw_full("copy", k)).value for k in range(_COPIES)]
        ),
    }


def _as_trained(reference: Reference, fold: int, table: Table) -> Table:
    """As many rows as the fold's training set has."""
    return table.head(len(reference.folds[fold].train))


def performance(
    target: Target, reference: Reference, training: Callable[[int], Table]
) -> Performance:
    """Train per fold, predict that fold's held-out patients, pool over folds.

    Pairs (for the C-index and the area under the curve) are formed within folds; sums are
    pooled.
    """
    parts = []
    for i, fold in enumerate(reference.folds):
        test = reference.pool.take(fold.holdout)
        parts.append((fold.holdout, *_PARTS[target.kind](target, training(i), test)))
    rows = np.concatenate([p[0] for p in parts])
    top, bottom = (np.concatenate([p[k] for p in parts]) for k in (1, 2))
    total = bottom.sum()
    if not total:
        return Performance(float("nan"), np.zeros(len(reference.pool)))
    ratio = float(top.sum() / total)
    order = 1.0 if target.explains else 2.0  # patients in one term of the sums
    influence = np.zeros(len(reference.pool))
    influence[rows] = order * (top - ratio * bottom) / total
    if target.explains:
        return Performance(1 - ratio, -influence)
    return Performance(ratio, influence)


def _survival_parts(target: Target, train: Table, test: Table) -> tuple[Floats, Floats]:
    endpoint = train.layout.endpoints[target.column]
    time, event, known = times_events(train, endpoint)
    x, x_test = design(target, train.take(np.flatnonzero(known)), test)
    beta = cox_ridge(x, time[known], event[known], _COX_PENALTY) if known.any() else None
    score = x_test @ beta if beta is not None else np.zeros(len(test))
    time, event, known = times_events(test, endpoint)
    return _at_known(known, *concordant_pairs(score[known], time[known], event[known]))


def _brier_parts(target: Target, train: Table, test: Table) -> tuple[Floats, Floats]:
    """Error of a Cox model and of the judged patients' own Kaplan-Meier curve."""
    endpoint = train.layout.endpoints[target.column]
    time, event, known = times_events(train, endpoint)
    x, x_test = design(target, train.take(np.flatnonzero(known)), test)
    test_time, test_event, judged = times_events(test, endpoint)
    test_time, test_event = test_time[judged], test_event[judged]
    grid = brier_grid(test_time, test_event)
    if not known.any() or not len(grid):
        return np.zeros(len(test)), np.zeros(len(test))
    time, event = time[known], event[known]
    beta = cox_ridge(x, time, event, _COX_PENALTY)
    baseline = breslow(x @ beta, time, event, grid)
    ours = np.exp(-np.exp(x_test[judged] @ beta)[:, None] * baseline)
    plain = np.tile(kaplan_meier(test_time, test_event, grid), (len(ours), 1))
    errors = [brier_by_patient(s, test_time, test_event, grid) for s in (ours, plain)]
    return _at_known(judged, errors[0], errors[1])


def _continuous_parts(target: Target, train: Table, test: Table) -> tuple[Floats, Floats]:
    y = train.numbers[:, target.column]
    rows = np.flatnonzero(~np.isnan(y))
    truth = test.numbers[:, target.column]
    if not len(rows):
        return np.zeros(len(test)), np.zeros(len(test))
    x, x_test = design(target, train.take(rows), test)
    mean = y[rows].mean()
    penalty = _RIDGE_PENALTY * np.eye(x.shape[1])
    beta = np.linalg.solve(x.T @ x + penalty, x.T @ (y[rows] - mean))
    error = truth - mean - x_test @ beta
    spread = truth - np.nanmean(truth) if np.isfinite(truth).any() else truth
    return np.nan_to_num(error**2), np.nan_to_num(spread**2)


def _binary_parts(target: Target, train: Table, test: Table) -> tuple[Floats, Floats]:
    y = train.codes[:, target.column]
    rows = np.flatnonzero(y >= 0)
    x, x_test = design(target, train.take(rows), test)
    score = x_test @ _logistic(x, (y[rows] == 1).astype(np.float64))
    truth = test.codes[:, target.column]
    known = truth >= 0
    positive = truth[known] == 1
    return _at_known(known, *concordant_pairs(score[known], np.where(positive, 0.0, 1.0), positive))


_PARTS = {
    "time_to_event": _survival_parts,
    "survival": _brier_parts,
    "continuous": _continuous_parts,
    "binary": _binary_parts,
}


def _at_known(
    known: np.ndarray[tuple[int], np.dtype[np.bool_]], top: Floats, bottom: Floats
) -> tuple[Floats, Floats]:
    out = np.zeros((2, len(known)))
    out[0, known], out[1, known] = top, bottom
    return out[0], out[1]


def _logistic(x: Floats, y: Floats, steps: int = 15) -> Floats:
    """Ridge logistic coefficients without the intercept, by Newton's method."""
    x1 = np.column_stack([np.ones(len(x)), x])
    penalty = np.diag([1e-3, *np.full(x.shape[1], 1.0)])
    beta = np.zeros(x1.shape[1])
    for _ in range(steps):
        p = 1 / (1 + np.exp(-np.clip(x1 @ beta, -30, 30)))
        hessian = (x1 * (p * (1 - p))[:, None]).T @ x1 + penalty
        beta = beta + np.linalg.solve(hessian, x1.T @ (y - p) - penalty @ beta)
    return beta[1:]


def design(target: Target, train: Table, test: Table) -> tuple[Floats, Floats]:
    """Standardised predictors of both tables, scaled by the first one alone.

    Numeric columns are centred and scaled (missing = the mean, with a missing flag), categorical
    ones are one indicator a level.
    """
    numbers = train.numbers[:, list(target.numeric)]
    seen = np.maximum((~np.isnan(numbers)).sum(axis=0), 1)
    mean = np.nansum(numbers, axis=0) / seen
    scale = np.sqrt(np.nansum((numbers - mean) ** 2, axis=0) / seen)
    scale = np.where(scale > 0, scale, 1.0)
    return _columns(target, train, mean, scale), _columns(target, test, mean, scale)


def _columns(target: Target, table: Table, mean: Floats, scale: Floats) -> Floats:
    z = (table.numbers[:, list(target.numeric)] - mean) / scale
    missing = np.isnan(z).astype(np.float64)
    indicators = [
        (table.codes[:, [c]] == np.arange(len(table.layout.levels[c]))).astype(np.float64)
        for c in target.categorical
    ]
    return np.concatenate([np.clip(np.nan_to_num(z), -5, 5), missing, *indicators], axis=1)
