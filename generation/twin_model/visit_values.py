"""What is measured at a visit: regressions on a patient's own last, mean and first values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from extraction.records import Variable
from generation.cart import pick
from generation.randomness import Stream, decision_id
from generation.tokenizer import MINIMUM_CELL, FloatArray, IntArray
from generation.tokenizer_fitting import local_mean
from generation.twin_model.lens import Lens
from generation.twin_model.memory import History, Memory, Occasion
from generation.twin_model.ridge import Ridge, choose_logistic, fit_ridge, softmax
from generation.twin_model.transforms import ResidualLaw, fit_residuals

_OWN = 6
_FEWEST_SAME = 20
_WILD = 3.0
_FAR = 1.5
_JUMP = 1.0


@dataclass(frozen=True)
class ValueModel:
    """How one longitudinal variable moves from visit to visit.

    Numbers: ridge on the change of the score from the last one; residuals come from their
    smoothed law, scaled by level, gap and how much the patient's values have moved so far.
    Categories: multinomial logistic regression.

    Attributes
    ----------
    start
        Prediction for a patient without an earlier value.
    move
        Prediction of the change, or class logits of a category.
    spread
        Log of the residual's scale.
    swing
        Typical change, for patients whose values have not moved yet.
    same
        Class logits of repeating the last value to the digit; None where that is no more common
        than its neighbours are. `move`, `spread` and `residuals` then tell of the other visits.
    reach
        Lowest and highest change, and log scale, that are predicted: a hundredth of the training
        visits lies beyond either end, and the way back to the patient's mean is open. After a gap
        that hardly any patient had, a slope learnt from others would otherwise carry on without
        end.
    """

    lens: Lens
    start: Ridge | None
    move: Ridge
    spread: Ridge | None
    residuals: ResidualLaw | None
    swing: float
    same: Ridge | None = None
    by_grid: float = 0.0
    reach: tuple[float, float, float, float] = (-1e9, 1e9, -12.0, 4.0)

    @property
    def name(self) -> str:
        """The variable's name."""
        return self.lens.variable.name

    def draw(
        self, occasion: Occasion, history: History, others: FloatArray, stream: Stream,
        patients: IntArray, visit: int,
    ) -> tuple[FloatArray, FloatArray]:
        """Scores (categories: tokens) and scaled residuals of a visit, each (n,).

        A score is that of the value on its grid, so what is remembered is what is written.
        """
        key = decision_id(f"{self.name}:visit")
        place = stream.uniform(patient=patients, decision=key, index=visit)
        if self.residuals is None:
            chance = self.chances(occasion, history, others)
            token = pick(chance, place)
            return token.astype(np.float64), _surprise(chance, token)
        centre, scale = self.expected(occasion, history, others)
        residual = self.residuals.quantile(place)
        assert self.lens.scale is not None
        values = self.lens.scale.forward(self.lens.settle(centre + residual * scale))
        if self.same is None:
            return values, residual
        key = decision_id(f"{self.name}:same")
        place = stream.uniform(patient=patients, decision=key, index=visit)
        stays = place < self.staying(occasion, history)
        last = history.memory[self.name].last
        return np.where(stays, last, values), np.where(stays, 0.0, residual)

    def staying(self, occasion: Occasion, history: History) -> FloatArray:
        """Probability of repeating the last value, 0 before the first, shape (n,)."""
        memory = history.memory[self.name]
        if self.same is None:
            return np.zeros(len(memory.count))
        filled = _filled(memory, self.start, self.swing, occasion)
        x = _same_design(self.lens, occasion, filled, memory)
        chance = softmax(self.same.predict(x))[:, 1]
        clear = np.maximum((chance - self.by_grid) / (1 - self.by_grid), 0.0)
        return np.where(memory.count > 0, clear, 0.0)

    def chances(self, occasion: Occasion, history: History, others: FloatArray) -> FloatArray:
        """Probability of each token, shape (n, tokens)."""
        memory = history.memory[self.name]
        return softmax(self.move.predict(_tokens_design(self.lens, occasion, memory, others)))

    def expected(
        self, occasion: Occasion, history: History, others: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Expected score and the residual's scale, each (n,)."""
        memory = history.memory[self.name]
        filled = _filled(memory, self.start, self.swing, occasion)
        change = self.move.predict(_design(occasion, filled, memory, others))
        back = filled.mean - filled.last
        low, high = self.reach[0] + np.minimum(back, 0.0), self.reach[1] + np.maximum(back, 0.0)
        centre = filled.last + np.clip(change, low, high)
        if self.spread is None:
            return centre, np.zeros(len(centre))
        spread = self.spread.predict(_spread_design(occasion, filled, memory))
        return centre, np.exp(np.clip(spread, *self.reach[2:]))

    def log_prob(
        self, occasion: Occasion, history: History, others: FloatArray, scores: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Log-probability of what was measured (0 where nothing was), and residuals, each (n,).

        Tokens and values on a grid have probabilities; values on a continuum densities, in
        their own unit.
        """
        seen = np.isfinite(scores)
        if self.residuals is None:
            chance = self.chances(occasion, history, others)
            token = np.where(seen, scores, 0).astype(np.int64)
            log = np.log(np.maximum(chance[np.arange(len(token)), token], 1e-9))
            surprise = _surprise(chance, token)
            return np.where(seen, log, 0.0), np.where(seen, surprise, 0.0)
        assert self.lens.scale is not None
        centre, scale = self.expected(occasion, history, others)
        scale = np.maximum(scale, 1e-6)
        scores = np.where(seen, scores, centre)
        residual = (scores - centre) / scale
        value = self.lens.scale.backward(scores)
        half = self.lens.step / 2
        if half > 0:
            sides = [self.lens.smooth(value + side) for side in (-half, half)]
            ends = [self.lens.scale.forward(side) for side in sides]
            low = np.where(value <= self.lens.low + half, -np.inf, (ends[0] - centre) / scale)
            high = np.where(value >= self.lens.high - half, np.inf, (ends[1] - centre) / scale)
            mass = self.residuals.below(high) - self.residuals.below(low)
            log = np.log(np.maximum(mass, 1e-9))
        else:
            log = self.residuals.log_density(residual) - np.log(scale)
            log = log + self.lens.scale.log_slope(value)
        stays = self.staying(occasion, history)
        last = self.lens.scale.backward(history.memory[self.name].last)
        again = seen & (stays > 0) & (np.abs(value - last) < 1e-9)
        log = log + np.log(1 - np.minimum(stays, 1 - 1e-9))
        log = np.where(again, np.logaddexp(log, np.log(np.maximum(stays, 1e-9))), log)
        return np.where(seen, log, 0.0), np.where(seen & ~again, residual, 0.0)

    def state(self) -> dict[str, Any]:
        """Return everything but the variable."""
        return {
            "name": self.name,
            "lens": self.lens.state(),
            "start": self.start.state() if self.start else None,
            "move": self.move.state(),
            "spread": self.spread.state() if self.spread else None,
            "residuals": self.residuals.state() if self.residuals else None,
            "swing": self.swing,
            "same": self.same.state() if self.same else None,
            "by_grid": self.by_grid,
            "reach": list(self.reach),
        }

    @classmethod
    def from_state(cls, variable: Variable, state: dict[str, Any]) -> ValueModel:
        """Rebuild from :meth:`state`."""
        return cls(
            Lens.from_state(variable, state["lens"]),
            Ridge(**state["start"]) if state["start"] else None,
            Ridge(**state["move"]),
            Ridge(**state["spread"]) if state["spread"] else None,
            ResidualLaw(**state["residuals"]) if state["residuals"] else None,
            state["swing"],
            Ridge(**state["same"]) if state["same"] else None,
            state["by_grid"],
            tuple(state["reach"]),
        )


def _surprise(chance: FloatArray, token: IntArray) -> FloatArray:
    """Token less its expectation, in standard deviations."""
    grid = np.arange(chance.shape[1])
    mean = chance @ grid
    spread = np.sqrt(np.maximum(chance @ grid**2 - mean**2, 1e-4))
    return np.asarray(np.clip((token - mean) / spread, -6.0, 6.0))


def _own_gap(occasion: Occasion, memory: Memory) -> FloatArray:
    """Log of days since the variable's last value (the visit's gap where there is none)."""
    since = np.where(np.isfinite(memory.day), occasion.day - memory.day, np.nan)
    return np.where(np.isfinite(since), np.log1p(np.maximum(since, 0.0)), occasion.gap)


def _design(
    occasion: Occasion, filled: Memory, memory: Memory, others: FloatArray
) -> FloatArray:
    """Features of a number's next score: own past, time and arm, then penalised ones.

    What lies far out, or far from the patient's mean, may return faster. The penalised ones begin
    with what depends on the gap, and with the slope of the last score
    by visit and arm.
    """
    fresh = (memory.count == 0).astype(np.float64)
    gap = _own_gap(occasion, memory)
    apart = np.column_stack([filled.mean - filled.last, filled.recent - filled.last])
    far = filled.last - np.clip(filled.last, -_FAR, _FAR)
    jump = -apart[:, 0] - np.clip(-apart[:, 0], -_JUMP, _JUMP)
    own = np.column_stack([
        filled.last, apart[:, 0], filled.first - filled.last, fresh, far, jump
    ])
    few = (memory.count == 1).astype(np.float64)
    by_gap = np.column_stack([
        apart[:, 1], gap, gap * filled.last, gap * apart[:, 0], gap * apart[:, 1],
        few, few * filled.last,
    ])
    slopes = occasion.free * filled.last[:, None]
    return np.concatenate([own, occasion.free, by_gap, slopes, occasion.static, others], axis=1)


def _tokens_design(
    lens: Lens, occasion: Occasion, memory: Memory, others: FloatArray
) -> FloatArray:
    """Features of the next token."""
    assert lens.codec is not None
    fresh = memory.count == 0
    gap = _own_gap(occasion, memory)
    last = (memory.last[:, None] == np.arange(lens.codec.bins)).astype(np.float64)
    past = [np.where(fresh, 0.0, side) for side in (memory.mean, memory.recent, memory.first)]
    own = np.column_stack([last, fresh, *past, gap * past[1], gap])
    return np.concatenate([own, occasion.free, occasion.static, others], axis=1)


def _filled(memory: Memory, start: Ridge | None, swing: float, occasion: Occasion) -> Memory:
    """Memory whose gaps hold the prediction for a patient never seen."""
    assert start is not None
    guess = start.predict(np.concatenate([occasion.free, occasion.static], axis=1))
    sides = (memory.last, memory.mean, memory.first, memory.recent)
    last, mean, first, recent = (np.where(np.isfinite(v), v, guess) for v in sides)
    moved = np.where(np.isfinite(memory.swing), memory.swing, swing)
    return Memory(last, mean, first, recent, moved, memory.count, memory.day)


def _spread_design(occasion: Occasion, filled: Memory, memory: Memory) -> FloatArray:
    moved = np.log(filled.swing + 0.05)
    known = np.minimum(np.maximum(memory.count - 1, 0.0), 4.0)
    return np.column_stack([
        filled.last, np.maximum(filled.last - 1, 0.0), _own_gap(occasion, memory),
        memory.count == 0, moved, moved * known, known, occasion.free,
    ])


def _same_design(
    lens: Lens, occasion: Occasion, filled: Memory, memory: Memory
) -> FloatArray:
    """Features of repeating the last value: those of the spread, and whether it is a bound."""
    assert lens.scale is not None
    last = lens.scale.backward(filled.last)
    room = 0.5 * lens.step + 1e-9
    return np.column_stack([
        last <= lens.low + room, last >= lens.high - room,
        _spread_design(occasion, filled, memory),
    ])


def fit_value_model(
    lens: Lens, occasion: Occasion, history: History, others: FloatArray, scores: FloatArray,
    groups: IntArray,
) -> tuple[ValueModel, FloatArray] | None:
    """Fit one variable on the stacked visits; None when it was hardly ever measured.

    Parameters
    ----------
    occasion, history, others
        The visits, what was known before each, and further penalised features: other
        variables' last scores and the visit's earlier residuals.
    scores
        What was measured, as the lens sees it, NaN where it was not, shape (rows,).
    groups
        The patient of each row, for cross-validation.

    Returns
    -------
    The model and the scaled residuals of every row (0 where not measured).
    """
    seen = np.isfinite(scores)
    if seen.sum() < 2 * MINIMUM_CELL:
        return None
    here, y, aside = occasion.take(seen), scores[seen], others[seen]
    memory = history.memory[lens.variable.name].take(seen)
    every = np.zeros(len(scores))
    if lens.codec is not None:
        x = _tokens_design(lens, here, memory, aside)
        token = y.astype(np.int64)
        own = lens.codec.bins + 2
        move = choose_logistic(x, token, max(lens.codec.bins, 1), groups[seen], light=own)
        every[seen] = _surprise(softmax(move.predict(x)), token)
        return ValueModel(lens, None, move, None, None, 0.0), every
    plain = np.concatenate([here.free, here.static], axis=1)
    start = fit_ridge(plain, y, np.arange(plain.shape[1]) < here.free.shape[1])
    moves = np.abs(y - memory.last)
    swing = float(np.nanmean(moves)) if np.isfinite(moves).any() else 0.5
    filled = _filled(memory, start, swing, here)
    x, z = _design(here, filled, memory, aside), _spread_design(here, filled, memory)
    again = _same_design(lens, here, filled, memory)
    same, by_grid, stays = _fit_same(lens, memory, y, again, groups[seen])
    x, z, change = x[~stays], z[~stays], (y - filled.last)[~stays]
    unpenalised = np.arange(x.shape[1]) < _OWN + here.free.shape[1]
    move = fit_ridge(x, change, unpenalised)
    spread, scaled = _fit_spread(change - move.predict(x), z)
    if spread is not None:
        # Once more, each row weighted by its precision; single wild values count less.
        move = fit_ridge(x, change, unpenalised, _precision(spread.predict(z), scaled))
        spread, scaled = _fit_spread(change - move.predict(x), z)
    every[np.flatnonzero(seen)[~stays]] = scaled
    law = fit_residuals(scaled)
    scales = (-12.0, 4.0) if spread is None else _ends(spread.predict(z))
    reach = (*_ends(move.predict(x)), *scales)
    return ValueModel(lens, start, move, spread, law, swing, same, by_grid, reach), every


def _ends(predicted: FloatArray) -> tuple[float, float]:
    """Ends of the middle 98 % of predictions, each a mean of five at least."""
    ordered = np.sort(predicted)
    return local_mean(ordered, 0.01), local_mean(ordered, 0.99)


def _fit_spread(residual: FloatArray, x: FloatArray) -> tuple[Ridge | None, FloatArray]:
    """Log-linear scale of the residuals, and the residuals divided by it."""
    typical = float(np.sqrt(np.mean(residual**2)))
    if typical < 1e-9:
        return None, np.zeros(len(residual))
    target = np.log(np.abs(residual) + 0.05 * typical)
    spread = fit_ridge(x, target, np.zeros(x.shape[1], dtype=bool))
    scaled = residual / np.exp(spread.predict(x))
    size = float(np.sqrt(np.mean(scaled**2)))
    return Ridge(spread.weights, spread.intercept + np.log(size)), scaled / size


def _precision(spread: FloatArray, scaled: FloatArray) -> FloatArray:
    """Weights of rows: inverse variance, less beyond three standard deviations (Huber, 1964)."""
    inverse = np.clip(np.exp(-2 * (spread - np.median(spread))), 0.1, 10.0)
    return np.asarray(inverse * np.minimum(1.0, _WILD / np.maximum(np.abs(scaled), 1e-9)))


def _fit_same(
    lens: Lens, memory: Memory, y: FloatArray, x: FloatArray, groups: IntArray
) -> tuple[Ridge | None, float, np.ndarray]:
    """Chance of the very same value as last time, and who has it; None if not beyond chance."""
    assert lens.scale is not None
    apart = np.abs(lens.scale.backward(y) - lens.scale.backward(memory.last))
    same = apart < 1e-9
    near = (apart >= 1e-9) & (apart < 1.5 * lens.step)
    if same.sum() < _FEWEST_SAME or same.sum() < 0.75 * near.sum():
        return None, 0.0, np.zeros(len(y), dtype=bool)
    known = memory.count > 0
    model = choose_logistic(x[known], same[known].astype(np.int64), 2, groups[known], (10.0, 100.0))
    return model, float(near.sum() / 2 / max(int(known.sum() - same.sum()), 1)), same
