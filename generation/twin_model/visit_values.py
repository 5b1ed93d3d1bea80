"""What is measured at a visit: regressions on a patient's own last, mean and first values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from extraction.records import Variable
from generation.assembly import Values
from generation.cart import pick
from generation.randomness import Stream, decision_id
from generation.tokenizer import (
    MINIMUM_CELL,
    CategoricalCodec,
    FloatArray,
    IntArray,
    codec_from_state,
    to_grid,
)
from generation.tokenizer_fitting import fit_categorical, learn_step, local_mean
from generation.twin_model.memory import History, Memory, Occasion
from generation.twin_model.ridge import Ridge, choose_logistic, fit_ridge, softmax
from generation.twin_model.transforms import (
    PowerScale,
    ResidualLaw,
    fit_residuals,
    fit_scale,
)

_SLACK = 0.25
_OWN = 6
_FAR = 1.5
_JUMP = 1.0


@dataclass(frozen=True)
class Lens:
    """How a variable's values become the numbers that regressions remember, and back.

    Numbers: scores on a power scale, bounded and on a grid. Categories: tokens.
    """

    variable: Variable
    codec: CategoricalCodec | None
    scale: PowerScale | None
    low: float
    high: float
    step: float

    def scores(self, values: Values) -> FloatArray:
        """Numbers of values, NaN where missing, of the same shape."""
        if self.scale is not None:
            return self.scale.forward(np.asarray(values, dtype=np.float64))
        assert self.codec is not None
        codes = self.codec.encode(np.asarray(values, dtype=object).ravel()).reshape(values.shape)
        lost = (codes < 0) | (codes >= self.codec.bins)
        return np.where(lost, np.nan, codes.astype(np.float64))

    def settle(self, scores: FloatArray) -> FloatArray:
        """Values of numeric scores, inside the bounds and on the grid."""
        assert self.scale is not None
        raw = np.clip(self.scale.backward(scores), self.low, self.high)
        return np.clip(to_grid(raw, self.step), self.low, self.high)

    def labels(self, scores: FloatArray) -> Values:
        """Categories of tokens as the cohort stores them."""
        assert self.codec is not None
        return self.codec.decode(np.where(np.isfinite(scores), scores, -1).astype(np.int64))

    def state(self) -> dict[str, Any]:
        """Return everything but the variable."""
        return {
            **{key: getattr(self, key) for key in ("low", "high", "step")},
            "codec": self.codec.state() if self.codec else None,
            "scale": dict(self.scale.__dict__) if self.scale else None,
        }

    @classmethod
    def from_state(cls, variable: Variable, state: dict[str, Any]) -> Lens:
        """Rebuild from :meth:`state`."""
        codec = codec_from_state(state["codec"]) if state["codec"] else None
        return cls(
            variable,
            codec if isinstance(codec, CategoricalCodec) else None,
            PowerScale(**state["scale"]) if state["scale"] else None,
            state["low"], state["high"], state["step"],
        )


def fit_lens(variable: Variable, values: Values) -> Lens | None:
    """Learn a variable's scale or tokens from all visits (n, v); None if hardly measured."""
    if not variable.numeric:
        flat = np.asarray(values, dtype=object).ravel()
        codec = fit_categorical(
            variable.name, flat, variable.categories, variable.kind == "ordinal"
        )
        return Lens(variable, codec, None, 0.0, float(max(codec.bins - 1, 0)), 1.0)
    numbers = np.asarray(values, dtype=np.float64)
    seen = np.isfinite(numbers)
    if seen.sum() < 2 * MINIMUM_CELL:
        return None
    place = np.where(seen, np.arange(numbers.shape[1]), -1)
    last = np.maximum.accumulate(place, axis=1)
    before = np.concatenate([np.full((len(last), 1), -1), last[:, :-1]], axis=1)
    earlier = np.take_along_axis(numbers, np.maximum(before, 0), axis=1)
    earlier = np.where(before >= 0, earlier, np.nan)
    ordered = np.sort(numbers[seen])
    step = learn_step(ordered)
    scale = fit_scale(numbers[seen], earlier[seen], step)
    low, high = local_mean(ordered, 0.0), local_mean(ordered, 1.0)
    ends = scale.backward(scale.forward(np.array([low, high])) + np.array([-_SLACK, _SLACK]))
    low, high = _within(float(ends[0]), float(ends[1]), ordered, variable, step)
    return Lens(variable, None, scale, low, high, step)


def _within(
    low: float, high: float, ordered: FloatArray, variable: Variable, step: float
) -> tuple[float, float]:
    """Widened range, kept non-negative for non-negative data and plausible, on the grid."""
    if local_mean(ordered, 0.0) >= 0 and ordered[0] >= 0:
        low = max(low, 0.0)
    low = low if variable.low is None else max(low, variable.low)
    high = high if variable.high is None else min(high, variable.high)
    if step > 0:
        low, high = np.ceil(low / step - 1e-9) * step, np.floor(high / step + 1e-9) * step
    return float(low) + 0.0, float(max(high, low)) + 0.0


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
    """

    lens: Lens
    start: Ridge | None
    move: Ridge
    spread: Ridge | None
    residuals: ResidualLaw | None
    swing: float

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
        values = self.lens.settle(centre + residual * scale)
        return self.lens.scale.forward(values), residual

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
        centre = filled.last + self.move.predict(_design(occasion, filled, memory, others))
        if self.spread is None:
            return centre, np.zeros(len(centre))
        spread = self.spread.predict(_spread_design(occasion, filled, memory))
        return centre, np.exp(np.clip(spread, -12.0, 4.0))

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
            ends = [self.lens.scale.forward(value + side) for side in (-half, half)]
            low = np.where(value <= self.lens.low + half, -np.inf, (ends[0] - centre) / scale)
            high = np.where(value >= self.lens.high - half, np.inf, (ends[1] - centre) / scale)
            mass = self.residuals.below(high) - self.residuals.below(low)
            log = np.log(np.maximum(mass, 1e-9))
        else:
            log = self.residuals.log_density(residual) - np.log(scale)
            log = log + self.lens.scale.log_slope(value)
        return np.where(seen, log, 0.0), np.where(seen, residual, 0.0)

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
    x = _design(here, filled, memory, aside)
    move = fit_ridge(x, y - filled.last, np.arange(x.shape[1]) < _OWN + here.free.shape[1])
    residual = y - filled.last - move.predict(x)
    spread, scaled = _fit_spread(residual, _spread_design(here, filled, memory))
    every[seen] = scaled
    return ValueModel(lens, start, move, spread, fit_residuals(scaled), swing), every


def _fit_spread(residual: FloatArray, x: FloatArray) -> tuple[Ridge | None, FloatArray]:
    """Log-linear scale of the residuals, and the residuals divided by it."""
    typical = float(np.sqrt(np.mean(residual**2)))
    if typical < 1e-9:
        return None, np.zeros(len(residual))
    target = np.log(np.abs(residual) + 0.05 * typical)
    spread = fit_ridge(x, target, np.zeros(x.shape[1], dtype=bool))
    scaled = residual / np.exp(spread.predict(x))
    size = np.sqrt(np.mean(scaled**2))
    # Residual and scale are drawn independently: their product must keep the variance.
    excess = np.sqrt(np.mean(np.exp(2 * spread.predict(x)))) / typical
    return Ridge(spread.weights, spread.intercept - np.log(excess)), scaled / size
