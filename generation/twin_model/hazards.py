"""Hazards: cumulative, inverted, drawn from, and calibrated to the Kaplan-Meier curve."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from generation.tokenizer import MINIMUM_CELL, FloatArray, IntArray
from generation.tokenizer_fitting import smooth_quantiles
from generation.twin_model.hazards_cox import Cox

_KNOTS = 120
_AT_RISK_SHARE = 0.03
_MOST_SHIFT = 3.0
_TILE = 256
_AT_ONCE = 2048  # rows whose arrays stay in a core's own cache
_CELLS = 65536  # numbers of an array that does


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

    def until(self, day: float) -> Shift:
        """The shift without the pieces that begin at a day or later; the last one left goes on."""
        kept = int(np.sum(self.edges < day))
        return replace(
            self, edges=self.edges[:kept], pieces=self.pieces[:, : kept + 1],
            leave=self.leave[:, : kept + 1],
        )

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
    n, width = rows.shape
    tiles = -(-n // _TILE)
    padded = np.zeros((tiles * _TILE, width))
    padded[:n] = rows
    product = padded.reshape(tiles, _TILE, width) @ weights
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
        parts = [features[i : i + _AT_ONCE] for i in range(0, max(len(features), 1), _AT_ONCE)]
        return np.concatenate([self._log_risks(part) for part in parts])

    def _log_risks(self, features: FloatArray) -> FloatArray:
        linear = by_tiles(features - self.centre, self.beta[:, None])
        if self.shift is not None:
            linear = linear + self.shift.log_shift(features)
        return np.asarray(np.clip(linear, -12.0, 12.0))

    @property
    def edges(self) -> FloatArray:
        """Days at which the second and later pieces of time begin, shape (P - 1,)."""
        return np.zeros(0) if self.shift is None else self.shift.edges

    @property
    def marks(self) -> FloatArray:
        """Cumulative baseline hazard where each piece of time begins, shape (P,)."""
        return np.append(0.0, self.integral(self.edges))

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
        spent = self.cumulative(features, after) if np.any(after) else 0.0
        return self.invert_for(features, spent - np.log(uniform))

    def log_survival(self, features: FloatArray, day: FloatArray | float) -> FloatArray:
        """Log-probability of no event up to a day."""
        return -self.cumulative(features, day)

    def log_rate(self, features: FloatArray, day: FloatArray) -> FloatArray:
        """Log hazard a day at a day."""
        place = np.searchsorted(self.edges, np.broadcast_to(day, len(features)), side="left")
        risks = np.take_along_axis(self.log_risks(features), place[:, None], axis=1)[:, 0]
        return np.asarray(np.log(self.rate(day)) + risks)

    def state(self) -> dict[str, Any]:
        """Return everything needed to rebuild the hazard."""
        return {**self.__dict__, "shift": dict(self.shift.__dict__) if self.shift else None}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Hazard:
        """Rebuild from :meth:`state`."""
        return cls(**{**state, "shift": Shift(**state["shift"]) if state["shift"] else None})


def calibrate(
    cox: Cox,
    population: FloatArray,
    features: FloatArray,
    day: FloatArray,
    event: np.ndarray,
    shift: Shift | None = None,
) -> Hazard:
    """Hazard whose average survival over a population is the Kaplan-Meier curve.

    Parameters
    ----------
    cox
        Coefficients and feature means.
    population
        Features of sampled patients over whom survival is averaged, shape (m, p).
    features, day, event
        The training patients.
    shift
        What the hazard adds to proportionality.

    Knots are smoothed quantiles of event days; they stop where fewer than five patients or
    three in a hundred are at risk, and the hazard is constant after them, learnt from what
    happened there. Fewer than ten events give a constant hazard.
    """
    own = np.exp(cox.log_risk(features))
    events = int(event.sum())
    rate = events / max(float(np.sum(day * own)), 1e-9)
    flat = Hazard(cox.beta, cox.centre, np.array([0.0, 1.0]), np.array([0.0, rate]), rate)
    if events < 2 * MINIMUM_CELL:
        return flat
    knots = _knots(day, event)
    if not len(knots):
        return flat
    if shift is not None:
        shift = shift.until(knots[-1])
        knots = np.union1d(knots, shift.edges)
    draft = replace(flat, shift=shift)
    survival = kaplan_meier(day, event, knots)
    levels = _solve(np.exp(draft.log_risks(population)), survival, knots, draft.edges)
    # The rate after the last knot: its own events over its own exposure, with one more event at
    # the earlier mean rate. Carrying the last knots' rate on would deny that events cease.
    late = event & (day > knots[-1])
    own = np.exp(draft.log_risks(features)[:, -1])
    exposure = float(np.sum(np.maximum(day - knots[-1], 0.0) * own))
    earlier = max(float(levels[-1] / knots[-1]), 1e-12)
    tail = (late.sum() + 1.0) / (exposure + 1.0 / earlier)
    return replace(
        draft, knots=np.append(0.0, knots), levels=np.append(0.0, levels), tail=float(max(tail, 0))
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


def _solve(
    risks: FloatArray, survival: FloatArray, knots: FloatArray, edges: FloatArray
) -> FloatArray:
    """Baseline level at each knot with the mean of exp(-cumulative hazard) = survival.

    Piece after piece (Newton on the logarithm of the level gained in the piece).
    """
    target = np.clip(survival, 1e-4, 1 - 1e-9)
    spent, start, found = np.zeros(len(risks)), 0.0, np.zeros(len(knots))
    piece = np.searchsorted(edges, knots, side="left")
    for p in range(len(edges) + 1):
        inside = piece == p
        if not inside.any():
            continue
        gained = np.maximum.accumulate(_gained(risks[:, p], spent, target[inside]))
        found[inside] = start + gained
        start, spent = start + gained[-1], spent + gained[-1] * risks[:, p]
    return np.maximum.accumulate(found)


def _gained(risk: FloatArray, spent: FloatArray, target: FloatArray) -> FloatArray:
    """Level L with mean(exp(-spent - L * risk)) = target, one for each target."""
    before = np.exp(-spent)
    wanted = np.minimum(target, before.mean() * (1 - 1e-12))
    level = np.log(-np.log(wanted / before.mean()) / max(float(risk.mean()), 1e-9))
    share, slope, at_once = np.empty(len(level)), np.empty(len(level)), max(1, _CELLS // len(risk))
    for _ in range(25):
        rate = np.exp(level)
        for first in range(0, len(level), at_once):
            part = slice(first, first + at_once)
            kept = before * np.exp(-rate[part, None] * risk)
            share[part] = kept.mean(axis=1)
            slope[part] = -rate[part] * (kept * risk).mean(axis=1)
        change = (share - wanted) / np.minimum(slope, -1e-12)
        level = level - np.clip(change, -1.0, 1.0)
        if np.abs(change).max() < 1e-8:
            break
    return np.asarray(np.exp(level))
