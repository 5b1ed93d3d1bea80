"""Fitting of the effect of visits on hazards: ridge counting-process regressions, calibrated."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from generation.assembly import NO_RECORD, TrialArrays
from generation.tokenizer import MINIMUM_CELL, FloatArray, IntArray
from generation.tokenizer_fitting import smooth_quantiles
from generation.twin_model.course import (
    LEAVING,
    Course,
    MarkerEffect,
    marker_design,
)
from generation.twin_model.hazards import Hazard
from generation.twin_model.memory import History
from generation.twin_model.outcome import OutcomeModel

FEWEST_EVENTS = 20
_MOST_MARKERS = 12
_MOST_PIECES = 12
_EVENTS_A_PIECE = 12
_FOLDS = 5
_GRID = (0.02, 0.06, 0.2, 0.6, 2.0, 6.0)
_LIGHT = 0.05
_STEPS = 12
_FACTOR = 5.0
_STEEPEST = 15.0
_HALVINGS = 6
_SELDOM = 0.1


@dataclass(frozen=True)
class Stretches:
    """Follow-up cut at visits: what was known, and from when to when, rows below each other."""

    patient: IntArray
    start: FloatArray
    stop: FloatArray
    history: History


def stretches(after: list[History], later: tuple[int, ...], days: FloatArray) -> Stretches:
    """Cut follow-up at the attended visits after baseline.

    Parameters
    ----------
    after
        History behind the baseline visits, then behind each later visit.
    later
        Numbers of the later visits, columns of `days` (n, v).
    """
    n = len(days)
    inner = days[:, list(later)]
    inner = np.where(inner > 0, inner, np.nan)
    starts = np.column_stack([np.zeros(n), inner])
    coming = np.where(np.isfinite(starts), starts, np.inf)[:, ::-1]
    following = np.minimum.accumulate(coming, axis=1)[:, ::-1]
    stops = np.column_stack([following[:, 1:], np.full(n, np.inf)])
    parts = [np.flatnonzero(np.isfinite(starts[:, k])) for k in range(starts.shape[1])]
    return Stretches(
        np.concatenate(parts),
        np.concatenate([starts[rows, k] for k, rows in enumerate(parts)]),
        np.concatenate([stops[rows, k] for k, rows in enumerate(parts)]),
        History.stack([after[k].take(rows) for k, rows in enumerate(parts)]),
    )


@dataclass(frozen=True)
class Watch:
    """One hazard that may depend on visits: its key, and the training patients' days and events.

    ``day`` is NaN for patients without a record.
    """

    key: str
    hazard: Hazard
    day: FloatArray
    event: np.ndarray


def watches(
    outcome: OutcomeModel, arrays: TrialArrays, until: FloatArray, driven: bool
) -> list[Watch]:
    """Hazards with enough events: causes of endpoints that follow no other, and leaving."""
    found = []
    for endpoint in outcome.endpoints:
        if endpoint.parent is not None:
            continue
        day, status = arrays.events[endpoint.name]
        day = np.where(status == NO_RECORD, np.nan, day)
        for k, hazard in enumerate(endpoint.causes, 1):
            found.append(Watch(f"{endpoint.name}:{k}", hazard, day, status == k))
    if outcome.follow_up is not None and not driven:
        left = ~outcome.ended(arrays) & (until < outcome.end - 1e-6)
        found.append(Watch(LEAVING, outcome.follow_up, until, left & np.isfinite(until)))
    return [watch for watch in found if watch.event.sum() >= FEWEST_EVENTS]


@dataclass(frozen=True)
class Counting:
    """Rows of a counting process: exposure by piece of time, events, features.

    ``exposure`` is the cumulative hazard given baseline, shape (rows, pieces); ``piece`` the
    piece of each row's event.
    """

    x: FloatArray
    exposure: FloatArray
    event: np.ndarray
    piece: IntArray
    patient: IntArray

    def take(self, rows: np.ndarray) -> Counting:
        """Some of the rows."""
        return Counting(
            self.x[rows], self.exposure[rows], self.event[rows], self.piece[rows],
            self.patient[rows],
        )


def counting_rows(
    watch: Watch, cut: Stretches, features: FloatArray, arm: FloatArray,
    markers: tuple[str, ...], expected: tuple[str, ...], edges: FloatArray,
) -> Counting:
    """One row a stretch of follow-up before the watched event."""
    # An event on a visit's day comes after the visit.
    end = watch.day[cut.patient] + 1e-3
    rows = np.flatnonzero(np.isfinite(end) & (end > cut.start))
    patient, start = cut.patient[rows], cut.start[rows]
    stop = np.minimum(cut.stop[rows], end[rows])
    own = features[patient]
    bounds = np.concatenate([[0.0], edges, [np.inf]])
    exposure = np.column_stack([
        watch.hazard.cumulative(own, np.clip(stop, low, high))
        - watch.hazard.cumulative(own, np.clip(start, low, high))
        for low, high in pairwise(bounds.tolist())
    ])
    event = watch.event[patient] & (end[rows] <= cut.stop[rows])
    log_risk = watch.hazard.log_risks(own)[:, 0]
    x = marker_design(markers, expected, cut.history.take(rows), log_risk, arm[patient])
    piece = np.searchsorted(edges, stop, side="left")
    return Counting(x, np.maximum(exposure, 0.0), event, piece, patient)


def fit_poisson(rows: Counting, penalty: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Slopes (p,) and log factors of the pieces, by penalised maximum likelihood (Newton).

    Given the pieces this is the partial likelihood of a counting process with a piecewise
    baseline (Holford, 1980, Biometrics 36). A step that raises the loss is halved; the
    search ends where six halvings do not help.
    """
    beta = np.zeros(rows.x.shape[1])
    factor, shift, loss = _profiled(rows, penalty, beta)
    for _ in range(_STEPS):
        expected = factor @ rows.exposure
        mean = factor * (rows.exposure @ np.exp(shift))
        gradient = rows.x.T @ (rows.event - mean) - penalty * beta
        weighted = rows.x * mean[:, None]
        # The pieces move with beta: their part of the information is taken out.
        by_piece = (rows.x * factor[:, None]).T @ rows.exposure * np.exp(shift)
        total = np.maximum(expected * np.exp(shift), 1e-9)
        curve = weighted.T @ rows.x - (by_piece / total) @ by_piece.T + np.diag(penalty)
        step = np.linalg.solve(curve + 1e-8 * np.eye(len(beta)), gradient)
        step *= min(1.0, 1.0 / max(float(np.abs(step).max()), 1e-12))
        for _ in range(_HALVINGS):
            moved = _profiled(rows, penalty, beta + step)
            if moved[2] <= loss:
                break
            step = step / 2
        else:
            break
        beta, (factor, shift, loss) = beta + step, moved
        if np.abs(step).max() < 1e-5:
            break
    return beta, shift


def _profiled(
    rows: Counting, penalty: FloatArray, beta: FloatArray
) -> tuple[FloatArray, FloatArray, float]:
    """Hazard factors, the best log factors of the pieces, and the penalised loss."""
    linear = np.clip(rows.x @ beta, -_STEEPEST, _STEEPEST)
    factor = np.exp(linear)
    expected = factor @ rows.exposure
    events = np.bincount(rows.piece[rows.event], minlength=rows.exposure.shape[1])
    shift = np.log((events + 0.5) / (expected + 0.5))
    # As if half an event had been seen in half a day of exposure more: `shift` is its optimum.
    loss = (expected + 0.5) @ np.exp(shift) - (events + 0.5) @ shift - linear[rows.event].sum()
    return factor, shift, float(loss + 0.5 * (penalty * beta) @ beta)


def _held_out(rows: Counting, penalty: FloatArray) -> float:
    """Log-likelihood of patients left out, summed over five folds."""
    total = 0.0
    for fold in range(_FOLDS):
        out = rows.patient % _FOLDS == fold
        if not rows.event[out].any() or not rows.event[~out].any():
            continue
        beta, shift = fit_poisson(rows.take(~out), penalty)
        left = rows.take(out)
        linear = np.clip(left.x @ beta, -_FACTOR, _FACTOR)
        total -= float(np.sum(np.exp(linear) * (left.exposure @ np.exp(shift))))
        total += float(np.sum((linear + shift[left.piece])[left.event]))
    return total


def fit_effect(rows: Counting, markers: int) -> FloatArray | None:
    """Log hazard ratios of the features; None if markers do not help patients left out.

    The first `markers` features are penalised; then each in proportion to how small it came out
    (an adaptive ridge), which shrinks strong markers less.
    """
    centre, scale = rows.x.mean(axis=0), rows.x.std(axis=0)
    scale = np.where(scale > 1e-9, scale, np.inf)
    rows = Counting(
        (rows.x - centre) / scale, rows.exposure, rows.event, rows.piece, rows.patient
    )
    events = float(rows.event.sum())
    marked = np.arange(len(centre)) < markers
    nothing = _held_out(rows, np.full(len(centre), 1e6))
    choices = [np.where(marked, grid * events, _LIGHT * events) for grid in _GRID]
    scores = [_held_out(rows, choice) for choice in choices]
    best = choices[int(np.argmax(scores))]
    first = fit_poisson(rows, best)[0]
    small = 1 / (first**2 + 0.01)
    small = small / small[marked].mean()
    bent = [np.where(marked, grid * small, _LIGHT) * events for grid in _GRID]
    others = [_held_out(rows, choice) for choice in bent]
    if max(others) > max(scores):
        best = bent[int(np.argmax(others))]
    if max(*others, *scores) <= nothing + 1.0:
        return None
    weights = fit_poisson(rows, best)[0] * _slope(rows, best)
    return np.asarray(weights / scale)


def _slope(rows: Counting, penalty: FloatArray) -> float:
    """Calibration slope of the log factor among patients left out, between 1 and 1.5.

    A ridge shrinks effects below what is seen in patients left out (Van Houwelingen and Le
    Cessie, 1990, Stat Med 9); the slope undoes it.
    """
    linear = np.zeros(len(rows.event))
    for fold in range(_FOLDS):
        out = rows.patient % _FOLDS == fold
        if rows.event[~out].any():
            linear[out] = rows.x[out] @ fit_poisson(rows.take(~out), penalty)[0]
    alone = Counting(linear[:, None], rows.exposure, rows.event, rows.piece, rows.patient)
    return float(np.clip(fit_poisson(alone, np.array([1e-3]))[0][0], 1.0, 1.5))


def fit_course(
    watched: list[Watch], cut: Stretches, features: FloatArray, arm: FloatArray
) -> Course | None:
    """Fit the effect of visits on every watched hazard, not yet calibrated.

    Parameters
    ----------
    features, arm
        Of the training patients, as the hazards see them.
    """
    if not watched:
        return None
    times = np.concatenate([watch.day[watch.event] for watch in watched])
    pieces = int(np.clip(len(times) // _EVENTS_A_PIECE, 1, _MOST_PIECES))
    edges = np.unique(smooth_quantiles(times, pieces + 1)[1:-1])
    edges = edges[edges > 0]
    markers, expected = _chosen(watched, cut, features, arm, edges), _expected(cut.history)
    effects = []
    for watch in watched:
        rows = counting_rows(watch, cut, features, arm, markers, expected, edges)
        if rows.event.sum() < FEWEST_EVENTS:
            continue
        weights = fit_effect(rows, 2 * len(markers))
        if weights is not None:
            at_risk = rows.exposure.sum(axis=1)
            centre = float(at_risk @ (rows.x @ weights) / at_risk.sum())
            effects.append(MarkerEffect(watch.key, weights, centre, np.zeros(len(edges) + 1)))
    return Course(markers, edges, tuple(effects), expected) if effects else None


def _expected(history: History) -> tuple[str, ...]:
    """Variables that nearly every visit measures, but not all."""
    seen = history.measured[np.isfinite(history.measured).all(axis=1)]
    lacks = (1 - seen).sum(axis=0)
    usual = (lacks >= MINIMUM_CELL) & (lacks <= _SELDOM * len(seen))
    return tuple(name for name, kept in zip(history.memory, usual, strict=True) if kept)


def _chosen(
    watched: list[Watch], cut: Stretches, features: FloatArray, arm: FloatArray, edges: FloatArray
) -> tuple[str, ...]:
    """At most twelve markers: those whose score test is largest in any hazard."""
    names = tuple(cut.history.memory)
    if len(names) <= _MOST_MARKERS:
        return names
    best = np.zeros(len(names))
    for watch in watched:
        rows = counting_rows(watch, cut, features, arm, names, (), edges)
        mean = rows.exposure.sum(axis=1)
        excess = rows.event - mean
        x = rows.x[:, : 2 * len(names)]
        x = x - (mean @ x) / max(float(mean.sum()), 1e-9)
        score = (excess @ x) ** 2 / np.maximum(mean @ x**2, 1e-9)
        best = np.maximum(best, score.reshape(-1, 2).max(axis=1))
    kept = np.sort(np.argsort(-best, kind="stable")[:_MOST_MARKERS])
    return tuple(names[k] for k in kept)
