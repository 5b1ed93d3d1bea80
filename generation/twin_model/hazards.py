"""Ridge Cox regressions and their cumulative hazards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from generation.randomness import generator
from generation.tokenizer import MINIMUM_CELL, FloatArray, IntArray
from generation.tokenizer_fitting import smooth_quantiles

_KNOTS = 120
_AT_RISK_SHARE = 0.03
_ARM_PENALTY = 1e-3
_GRID = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 20.0)
_FEWEST_FOR_COVARIATES = 10
_MOST_SHIFT = 3.0
_TILE = 256


@dataclass(frozen=True)
class Shift:
    """What a proportional hazard leaves out: log-hazard shifts by patient and time piece.

    Attributes
    ----------
    edges
        Days at which the second and later of the P pieces of time begin, shape (P - 1,).
    centre, scale
        Of the features, shape (p,).
    pieces
        Log-hazard shift for each standardised feature in each piece, shape (p, P).
    left, right, products
        Pairs of features and the log-hazard shift for their product, shape (q,).
    enter, enter_bias, leave
        A net of one hidden layer, members side by side: shapes (p, h), (h,) and (h, P).
    """

    edges: FloatArray
    centre: FloatArray
    scale: FloatArray
    pieces: FloatArray
    left: IntArray
    right: IntArray
    products: FloatArray
    enter: FloatArray
    enter_bias: FloatArray
    leave: FloatArray

    def log_shift(self, features: FloatArray) -> FloatArray:
        """Log-hazard shift of each patient in each piece, shape (n, P), at most 3 in size."""
        x = (features - self.centre) / self.scale
        shift = by_tiles(x, self.pieces)
        shift = shift + by_tiles(x[:, self.left] * x[:, self.right], self.products[:, None])
        shift = shift + by_tiles(np.tanh(by_tiles(x, self.enter) + self.enter_bias), self.leave)
        return np.asarray(np.clip(shift, -_MOST_SHIFT, _MOST_SHIFT))


def by_tiles(rows: FloatArray, weights: FloatArray) -> FloatArray:
    """Product of rows and weights, 256 rows at a time.

    The shape of every product is the same, so a patient's result does not depend on how many
    others are in the batch.
    """
    n = len(rows)
    padded = np.zeros((-(-n // _TILE) * _TILE, rows.shape[1]))
    padded[:n] = rows
    product = padded.reshape(-1, _TILE, rows.shape[1]) @ weights
    return np.asarray(product.reshape(len(padded), weights.shape[1])[:n])


@dataclass(frozen=True)
class Hazard:
    """A hazard: baseline, covariates in proportion, and an optional non-proportional shift.

    Attributes
    ----------
    beta
        Log hazard ratio for each feature (covariates, then arms), shape (p,).
    centre
        Feature means, so that the baseline belongs to the average patient.
    knots, levels
        Days and cumulative baseline hazard there, both starting at 0; linear between knots.
    tail
        Baseline hazard a day after the last knot.
    shift
        Log-hazard shifts that depend on time, or are not linear in the features.
    """

    beta: FloatArray
    centre: FloatArray
    knots: FloatArray
    levels: FloatArray
    tail: float
    shift: Shift | None = None

    def log_risks(self, features: FloatArray) -> FloatArray:
        """Log relative hazard of each patient in each of the P pieces of time, shape (n, P)."""
        linear = by_tiles(features - self.centre, self.beta[:, None])
        if self.shift is not None:
            linear = linear + self.shift.log_shift(features)
        return np.asarray(np.clip(linear, -12.0, 12.0))

    @property
    def marks(self) -> FloatArray:
        """Cumulative baseline hazard where each piece of time begins, shape (P,)."""
        edges = np.zeros(0) if self.shift is None else self.shift.edges
        return np.append(0.0, self.integral(edges))

    def integral(self, day: FloatArray | float) -> FloatArray:
        """Cumulative baseline hazard up to a day."""
        day = np.asarray(day, dtype=np.float64)
        beyond = np.maximum(day - self.knots[-1], 0.0) * self.tail
        return np.asarray(np.interp(day, self.knots, self.levels) + beyond)

    def rate(self, day: FloatArray) -> FloatArray:
        """Baseline hazard a day."""
        slopes = np.append(np.diff(self.levels) / np.diff(self.knots), self.tail)
        place = np.searchsorted(self.knots, day, side="left") - 1
        return np.asarray(np.maximum(slopes[np.clip(place, 0, len(slopes) - 1)], 1e-12))

    def invert(self, level: FloatArray) -> FloatArray:
        """Day at which the cumulative baseline hazard reaches a level, infinite if never."""
        rising = self.levels + 1e-15 * np.arange(len(self.knots))
        day = np.interp(level, rising, self.knots)
        beyond = level - self.levels[-1]
        with np.errstate(divide="ignore"):
            late = self.knots[-1] + beyond / self.tail if self.tail > 0 else np.inf
        return np.where(beyond > 0, late, day)

    def cumulative(self, features: FloatArray, day: FloatArray | float) -> FloatArray:
        """Cumulative hazard of each patient up to a day, shape (n,)."""
        risks, marks = np.exp(self.log_risks(features)), self.marks
        widths = np.append(np.diff(marks), np.inf)
        spent = np.clip(self.integral(day)[..., None] - marks, 0.0, widths)
        return np.asarray((risks * spent).sum(axis=1))

    def invert_for(self, features: FloatArray, level: FloatArray) -> FloatArray:
        """Day at which each patient's cumulative hazard reaches a level, infinite if never."""
        risks, marks = np.exp(self.log_risks(features)), self.marks
        reached = np.cumsum(risks[:, :-1] * np.diff(marks), axis=1)
        reached = np.concatenate([np.zeros((len(risks), 1)), reached], axis=1)
        place = (level[:, None] > reached[:, 1:]).sum(axis=1)
        row = np.arange(len(risks))
        return self.invert(marks[place] + (level - reached[row, place]) / risks[row, place])

    def draw(
        self, features: FloatArray, uniform: FloatArray, after: FloatArray | float = 0.0
    ) -> FloatArray:
        """Event days later than `after`, by inverting the survival function."""
        return self.invert_for(features, self.cumulative(features, after) - np.log(uniform))

    def log_survival(self, features: FloatArray, day: FloatArray | float) -> FloatArray:
        """Log-probability of no event up to a day."""
        return -self.cumulative(features, day)

    def log_rate(self, features: FloatArray, day: FloatArray) -> FloatArray:
        """Log hazard a day at a day."""
        edges = np.zeros(0) if self.shift is None else self.shift.edges
        place = np.searchsorted(edges, np.broadcast_to(day, len(features)), side="left")
        risks = np.take_along_axis(self.log_risks(features), place[:, None], axis=1)[:, 0]
        return np.asarray(np.log(self.rate(day)) + risks)

    def state(self) -> dict[str, Any]:
        """Return everything needed to rebuild the hazard."""
        return {**self.__dict__, "shift": dict(self.shift.__dict__) if self.shift else None}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Hazard:
        """Rebuild from :meth:`state`."""
        return cls(**{**state, "shift": Shift(**state["shift"]) if state["shift"] else None})


def fit_hazard(
    features: FloatArray, arms: int, day: FloatArray, event: np.ndarray, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Coefficients of a ridge Cox model (Breslow ties), and the feature means.

    Parameters
    ----------
    features
        Covariates, then `arms` arm indicators that are hardly penalised, shape (n, p).
    day, event
        Follow-up and whether it ended in the event, shape (n,).
    seed
        Of the five folds whose partial likelihood chooses the penalty (Verweij and van
        Houwelingen, 1993, Stat Med 12).
    """
    centre = features.mean(axis=0)
    scale = features.std(axis=0)
    used = scale > 1e-9
    x = (features - centre)[:, used] / scale[used]
    beta = np.zeros(features.shape[1])
    events = int(event.sum())
    if events < MINIMUM_CELL or not used.any():
        return beta, centre
    is_arm = (np.arange(features.shape[1]) >= features.shape[1] - arms)[used]
    if events < _FEWEST_FOR_COVARIATES:
        x = np.where(is_arm, x, 0.0)
    folds = generator(seed, "cox folds").permutation(len(day)) % 5
    order = np.argsort(day, kind="stable")
    x, day, event, folds = x[order], day[order], event[order], folds[order]
    best = max(_GRID, key=lambda grid: _validated(x, day, event, folds, is_arm, grid * events))
    beta[used] = _newton(x, day, event, _penalty(is_arm, best * events)) / scale[used]
    return beta, centre


def _penalty(is_arm: np.ndarray, strength: float) -> FloatArray:
    return np.where(is_arm, _ARM_PENALTY, strength)


def _validated(
    x: FloatArray, day: FloatArray, event: np.ndarray, folds: np.ndarray, is_arm: np.ndarray,
    strength: float,
) -> float:
    """Cross-validated partial log-likelihood of one penalty."""
    total = 0.0
    for fold in range(5):
        rows = folds != fold
        if event[rows].sum() < 2 or not event[~rows].any():
            continue
        beta = _newton(x[rows], day[rows], event[rows], _penalty(is_arm, 0.8 * strength), 6)
        whole = _partial(x @ beta, day, event)
        total += whole - _partial(x[rows] @ beta, day[rows], event[rows])
    return total


def _risk_sets(day: FloatArray) -> np.ndarray:
    """First row still at risk at each row's day (rows sorted by day)."""
    return np.searchsorted(day, day, side="left")


def _partial(eta: FloatArray, day: FloatArray, event: np.ndarray) -> float:
    """Partial log-likelihood of sorted rows."""
    top = eta.max()
    at_risk = np.cumsum(np.exp(eta - top)[::-1])[::-1][_risk_sets(day)]
    return float(np.sum((eta - top - np.log(at_risk))[event]))


def _newton(
    x: FloatArray, day: FloatArray, event: np.ndarray, penalty: FloatArray, steps: int = 12
) -> FloatArray:
    """Maximise the penalised partial likelihood of sorted rows."""
    beta = np.zeros(x.shape[1])
    first = _risk_sets(day)[event]
    weight = np.bincount(first, minlength=len(day)).astype(np.float64)
    times = np.flatnonzero(weight)
    score = x[event].sum(axis=0)
    for _ in range(steps):
        eta = np.clip(x @ beta, -20, 20)
        risk = np.exp(eta - eta.max())
        s0 = np.cumsum(risk[::-1])[::-1][times]
        s1 = np.cumsum((risk[:, None] * x)[::-1], axis=0)[::-1][times]
        mean = s1 / s0[:, None]
        share = np.zeros(len(day))
        share[times] = weight[times] / s0
        hazard = np.cumsum(share)[np.searchsorted(day, day, side="right") - 1]
        information = (x * (risk * hazard)[:, None]).T @ x
        information -= (mean * weight[times, None]).T @ mean
        gradient = score - weight[times] @ mean - penalty * beta
        step = np.linalg.solve(information + np.diag(penalty), gradient)
        step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        beta = beta + step
        if np.abs(step).max() < 1e-6:
            break
    return beta


def calibrate(
    beta: FloatArray,
    centre: FloatArray,
    population: FloatArray,
    features: FloatArray,
    day: FloatArray,
    event: np.ndarray,
) -> Hazard:
    """Cumulative hazard whose average survival over a population is the Kaplan-Meier curve.

    Parameters
    ----------
    beta, centre
        Coefficients and feature means.
    population
        Features of sampled patients over whom survival is averaged, shape (m, p).
    features, day, event
        The training patients.

    Knots are smoothed quantiles of event days; they stop where fewer than five patients or
    three in a hundred are at risk, and the hazard is constant after them, learnt from what
    happened there. Fewer than five
    events give a constant hazard.
    """
    risk = np.exp(np.clip((population - centre) @ beta, -12.0, 12.0))
    own = np.exp(np.clip((features - centre) @ beta, -12.0, 12.0))
    events = int(event.sum())
    time = max(float(np.sum(day * own)), 1e-9)
    flat = Hazard(beta, centre, np.array([0.0, 1.0]), np.array([0.0, events / time]), events / time)
    if events < 2 * MINIMUM_CELL:
        return flat
    knots = _knots(day, event)
    if not len(knots):
        return flat
    survival = kaplan_meier(day, event, knots)
    cumulative = np.maximum.accumulate(_solve(risk, survival))
    # The rate after the last knot: its own events over its own exposure, with one more event at
    # the earlier mean rate. Carrying the last knots' rate on would deny that events cease.
    late = event & (day > knots[-1])
    exposure = float(np.sum(np.maximum(day - knots[-1], 0.0) * own))
    earlier = max(float(cumulative[-1] / knots[-1]), 1e-12)
    tail = (late.sum() + 1.0) / (exposure + 1.0 / earlier)
    return Hazard(
        beta, centre, np.append(0.0, knots), np.append(0.0, cumulative), float(max(tail, 0.0))
    )


def _knots(day: FloatArray, event: np.ndarray) -> FloatArray:
    """Event-day knots with enough patients at risk, rising and above 0."""
    ordered = np.sort(day)
    enough = int(max(MINIMUM_CELL, np.ceil(_AT_RISK_SHARE * len(day))))
    last = ordered[-enough]
    inside = day[event & (day <= last)]
    if len(inside) < MINIMUM_CELL:
        return np.zeros(0)
    count = min(_KNOTS, max(2, len(inside) // (MINIMUM_CELL + 1)))
    knots = np.unique(smooth_quantiles(inside, count))
    return knots[knots > 0]


def kaplan_meier(day: FloatArray, event: np.ndarray, at: FloatArray) -> FloatArray:
    """Kaplan-Meier survival at given days."""
    times = np.unique(day[event])
    ordered, failures = np.sort(day), np.sort(day[event])
    at_risk = len(day) - np.searchsorted(ordered, times, side="left")
    died = np.searchsorted(failures, times, "right") - np.searchsorted(failures, times, "left")
    steps = np.append(1.0, np.cumprod(1 - died / at_risk))
    return np.asarray(steps[np.searchsorted(times, at, side="right")])


def _solve(risk: FloatArray, survival: FloatArray) -> FloatArray:
    """Level L at each knot with mean(exp(-L * risk)) = survival (Newton on log L)."""
    target = np.clip(survival, 1e-4, 1 - 1e-9)
    level = np.log(-np.log(target) / max(float(risk.mean()), 1e-9))
    for _ in range(25):
        kept = np.exp(-np.exp(level)[:, None] * risk)
        slope = -np.exp(level) * (kept * risk).mean(axis=1)
        change = (kept.mean(axis=1) - target) / np.minimum(slope, -1e-12)
        level = level - np.clip(change, -1.0, 1.0)
        if np.abs(change).max() < 1e-8:
            break
    return np.asarray(np.exp(level))
