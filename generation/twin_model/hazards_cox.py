"""Ridge Cox regression: the proportional start of every hazard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from generation.randomness import generator
from generation.tokenizer import MINIMUM_CELL, FloatArray, IntArray

_ARM_PENALTY = 1e-3
_GRID = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 20.0)
_FEWEST_FOR_COVARIATES = 10
_MOST_COPIES = 8


@dataclass(frozen=True)
class Cox:
    """A ridge Cox model (Breslow ties).

    Attributes
    ----------
    beta
        Log hazard ratio for each feature, shape (p,).
    centre
        Feature means, shape (p,).
    strength
        Penalty on the standardised covariates for each event; less on a covariate that says much
        by itself, more on one that says little.
    """

    beta: FloatArray
    centre: FloatArray
    strength: float

    def log_risk(self, features: FloatArray) -> FloatArray:
        """Log relative hazard, shape (n,)."""
        return np.asarray(np.clip((features - self.centre) @ self.beta, -12.0, 12.0))


def fit_cox(
    features: FloatArray,
    arms: int,
    day: FloatArray,
    event: np.ndarray,
    seed: int,
    strength: float | None = None,
) -> Cox:
    """Fit a ridge Cox model.

    Parameters
    ----------
    features
        Covariates, then `arms` arm indicators that are hardly penalised, shape (n, p).
    day, event
        Follow-up and whether it ended in the event, shape (n,).
    seed
        Of the five folds whose partial likelihood chooses the penalty (Verweij and van
        Houwelingen, 1993, Stat Med 12).
    strength
        The penalty, where it has been chosen before.
    """
    centre = features.mean(axis=0)
    scale = features.std(axis=0)
    used = scale > 1e-9
    x = (features - centre)[:, used] / scale[used]
    beta = np.zeros(features.shape[1])
    events = int(event.sum())
    if events < MINIMUM_CELL or not used.any():
        return Cox(beta, centre, strength or _GRID[-1])
    is_arm = (np.arange(features.shape[1]) >= features.shape[1] - arms)[used]
    if events < _FEWEST_FOR_COVARIATES:
        x = np.where(is_arm, x, 0.0)
    folds = shared_folds(features, day, generator(seed, "cox folds"), 5)
    order = np.argsort(day, kind="stable")
    x, day, event, folds = x[order], day[order], event[order], folds[order]
    if strength is None:
        strength = _GRID[int(np.argmax(_validated(x, day, event, folds, is_arm)))]
    weights = _weights(x, day, event)
    penalty = np.where(is_arm, _ARM_PENALTY, strength * events * weights)
    beta[used] = Ordered.of(x, day, event).maximise(penalty) / scale[used]
    return Cox(beta, centre, strength)


def shared_folds(
    features: FloatArray, day: FloatArray, rng: np.random.Generator, folds: int
) -> IntArray:
    """Fold of each patient at random, (n,); copies of a patient share one.

    A bootstrap resample holds copies (`generation.synthesis`). Parted, they would let a model be
    judged on patients it has seen: of 10 nulls, 4 then kept a residual term, and 1 with this.
    """
    rows = np.column_stack([features, day])
    _, which, size = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    which = which.ravel()
    # More alike than a resample ever has are patients of few columns, not copies.
    own = np.where(size[which] > _MOST_COPIES, len(size) + np.arange(len(day)), which)
    _, first, which = np.unique(own, return_index=True, return_inverse=True)
    number = np.empty(len(first), dtype=np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return (rng.permutation(len(first)) % folds)[number[which]]


def _weights(x: FloatArray, day: FloatArray, event: np.ndarray) -> FloatArray:
    """Share of the penalty for each covariate: 4 / (its own log-rank z)^2, from .1 to 2.

    An adaptive ridge: an even penalty shrinks the effects that the data show as much as the
    noise beside them, and synthetic patients then show attenuated hazard ratios.
    """
    return np.asarray(np.clip(4.0 / np.maximum(marginal_z2(x, day, event), 1e-3), 0.1, 2.0))


def marginal_z2(x: FloatArray, day: FloatArray, event: np.ndarray) -> FloatArray:
    """Squared log-rank z of each standardised covariate by itself, shape (p,)."""
    ordered = np.sort(day)
    at_risk = len(day) - np.searchsorted(ordered, day, side="left")
    order = np.argsort(day, kind="stable")
    steps = np.cumsum((event / at_risk)[order])
    spent = steps[np.searchsorted(ordered, day, side="right") - 1]
    score = x.T @ (event - spent)
    return np.asarray(score**2 / np.maximum((x**2).T @ spent, 1e-9))


def _validated(
    x: FloatArray, day: FloatArray, event: np.ndarray, folds: np.ndarray, is_arm: np.ndarray
) -> FloatArray:
    """Cross-validated partial log-likelihood of each penalty of the grid."""
    total, events = np.zeros(len(_GRID)), int(event.sum())
    whole = Ordered.of(x, day, event)
    for fold in range(5):
        rows = folds != fold
        if event[rows].sum() < 2 or not event[~rows].any():
            continue
        inside = Ordered.of(x[rows], day[rows], event[rows])
        weights = _weights(inside.x, day[rows], event[rows])
        for place, strength in enumerate(_GRID):
            penalty = np.where(is_arm, _ARM_PENALTY, 0.8 * (strength * events) * weights)
            beta = inside.maximise(penalty, 6)
            total[place] += whole.log_likelihood(beta) - inside.log_likelihood(beta)
    return total


@dataclass(frozen=True)
class Ordered:
    """Patients in the order of their days, and what every Newton step needs of them.

    Attributes
    ----------
    x
        Covariates, (n, p).
    columns
        The same, a row for each covariate, the last day first: sums over who is at risk then run
        along the memory, in a third of the time.
    event
        Whether the day ended in the event, (n,).
    first
        First row still at risk on each event's day, (events,).
    times, died
        Rows at which days with events begin, and the events of these days, (d,).
    reached
        Last row of each row's day, (n,).
    """

    x: FloatArray
    columns: FloatArray
    event: np.ndarray
    first: IntArray
    times: IntArray
    died: FloatArray
    reached: IntArray

    @classmethod
    def of(cls, x: FloatArray, day: FloatArray, event: np.ndarray) -> Ordered:
        """Prepare rows that are sorted by day."""
        first = np.searchsorted(day, day, side="left")[event]
        weight = np.bincount(first, minlength=len(day)).astype(np.float64)
        times = np.flatnonzero(weight)
        reached = np.searchsorted(day, day, side="right") - 1
        columns = np.ascontiguousarray(x[::-1].T)
        return cls(x, columns, event, first, times, weight[times], reached)

    def log_likelihood(self, beta: FloatArray) -> float:
        """Partial log-likelihood (Breslow ties)."""
        eta = self.x @ beta
        top = eta.max()
        at_risk = np.cumsum(np.exp(eta - top)[::-1])[::-1][self.first]
        return float(np.sum((eta - top)[self.event] - np.log(at_risk)))

    def maximise(self, penalty: FloatArray, steps: int = 12) -> FloatArray:
        """Coefficients of the largest penalised partial likelihood, (p,)."""
        beta, x = np.zeros(self.x.shape[1]), self.x
        score = x[self.event].sum(axis=0)
        weighted = np.empty_like(x)
        for _ in range(steps):
            eta = np.clip(x @ beta, -20, 20)
            risk = np.exp(eta - eta.max())
            s0 = np.cumsum(risk[::-1])[::-1][self.times]
            mean = self._sums_at_risk(risk) / s0[:, None]
            share = np.zeros(len(x))
            share[self.times] = self.died / s0
            np.multiply(x, (risk * np.cumsum(share)[self.reached])[:, None], out=weighted)
            information = weighted.T @ x - (mean * self.died[:, None]).T @ mean
            gradient = score - self.died @ mean - penalty * beta
            step = np.linalg.solve(information + np.diag(penalty), gradient)
            step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
            beta = beta + step
            if np.abs(step).max() < 1e-6:
                break
        return beta

    def _sums_at_risk(self, risk: FloatArray) -> FloatArray:
        """Sums of the covariates, weighed by risk, over who is at risk at each time, (d, p)."""
        last_first, place = np.ascontiguousarray(risk[::-1]), len(risk) - 1 - self.times
        sums, running = np.empty((len(place), len(self.columns))), np.empty(len(risk))
        for column, values in enumerate(self.columns):
            np.multiply(values, last_first, out=running)
            np.cumsum(running, out=running)
            sums[:, column] = running[place]
        return sums


def arm_effects(arms: FloatArray, day: FloatArray, event: np.ndarray) -> FloatArray:
    """Log hazard ratios of arm indicators by themselves, shape (a,)."""
    order = np.argsort(day, kind="stable")
    x = arms[order] - arms.mean(axis=0)
    ordered = Ordered.of(x, day[order], event[order])
    return ordered.maximise(np.full(arms.shape[1], 1e-6), 20)
