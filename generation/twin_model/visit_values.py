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
from generation.tokenizer_fitting import fit_categorical, learn_step, local_mean, smooth_quantiles
from generation.twin_model.ridge import Ridge, fit_logistic, fit_ridge, softmax

_MOST_QUANTILES = 257


@dataclass
class Memory:
    """What a variable's regressions remember of each patient, shapes (n,); NaN if nothing."""

    last: FloatArray
    mean: FloatArray
    first: FloatArray
    count: FloatArray

    @classmethod
    def empty(cls, n: int) -> Memory:
        """Nothing seen yet."""
        return cls(np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan), np.zeros(n))

    def see(self, values: FloatArray) -> Memory:
        """Memory after values were seen (NaN: not measured)."""
        seen = np.isfinite(values)
        count = self.count + seen
        total = np.where(self.count > 0, self.mean * self.count, 0.0) + np.where(seen, values, 0.0)
        return Memory(
            last=np.where(seen, values, self.last),
            mean=np.where(count > 0, total / np.maximum(count, 1), np.nan),
            first=np.where(self.count > 0, self.first, np.where(seen, values, np.nan)),
            count=count,
        )


@dataclass(frozen=True)
class Occasion:
    """One visit of n patients as the regressions see it.

    ``static`` penalised covariates (n, p); ``free`` unpenalised ones: visit or time, arm,
    arm by time (n, q); ``gap`` log of days since the last visit (n,).
    """

    static: FloatArray
    free: FloatArray
    gap: FloatArray

    @classmethod
    def stack(cls, parts: list[Occasion]) -> Occasion:
        """Several visits below each other."""
        return cls(
            np.concatenate([p.static for p in parts]),
            np.concatenate([p.free for p in parts]),
            np.concatenate([p.gap for p in parts]),
        )

    def take(self, rows: np.ndarray) -> Occasion:
        """Some of the rows."""
        return Occasion(self.static[rows], self.free[rows], self.gap[rows])


@dataclass(frozen=True)
class ValueModel:
    """How one longitudinal variable moves from visit to visit.

    Numbers: ridge on the change from the last value, residuals drawn from smoothed
    quantiles and scaled by level and gap. Categories: multinomial logistic regression.

    Attributes
    ----------
    start
        Prediction for a patient without an earlier value.
    move
        Prediction of the change, or class logits of a category.
    spread
        Log of the residual's scale.
    residuals
        Smoothed quantiles of the scaled residuals.
    low, high
        Means of the five smallest and largest values, widened by half a spread.
    """

    variable: Variable
    codec: CategoricalCodec | None
    start: Ridge | None
    move: Ridge
    spread: Ridge | None
    residuals: FloatArray
    low: float
    high: float
    step: float

    def draw(
        self,
        occasion: Occasion,
        memory: Memory,
        others: FloatArray,
        stream: Stream,
        patients: IntArray,
        visit: int,
    ) -> tuple[FloatArray, FloatArray]:
        """Values (categories: tokens) and scaled residuals of a visit, each (n,)."""
        name = decision_id(f"{self.variable.name}:visit")
        place = stream.uniform(patient=patients, decision=name, index=visit)
        filled = self._fill(occasion, memory)
        x = design(occasion, filled, memory, others, self.codec)
        if self.codec is not None:
            chance = softmax(self.move.predict(x))
            return pick(chance, place).astype(np.float64), np.zeros(len(x))
        residual = np.interp(place, np.linspace(0, 1, len(self.residuals)), self.residuals)
        centre = filled.last + self.move.predict(x)
        values = centre + residual * self._scale(occasion, memory, filled)
        values = to_grid(np.clip(values, self.low, self.high), self.step)
        return np.clip(values, self.low, self.high), residual

    def _fill(self, occasion: Occasion, memory: Memory) -> Memory:
        return _filled(memory, self.start, occasion)

    def _scale(self, occasion: Occasion, memory: Memory, filled: Memory) -> FloatArray:
        if self.spread is None:
            return np.zeros(len(occasion.gap))
        return np.exp(self.spread.predict(_spread_design(occasion, memory, filled)))

    def labels(self, values: FloatArray) -> Values:
        """Values as the cohort stores them."""
        if self.codec is None:
            return values
        return self.codec.decode(np.where(np.isfinite(values), values, -1).astype(np.int64))

    def state(self) -> dict[str, Any]:
        """Return everything but the variable."""
        return {
            "name": self.variable.name,
            "codec": self.codec.state() if self.codec else None,
            "start": self.start.state() if self.start else None,
            "move": self.move.state(),
            "spread": self.spread.state() if self.spread else None,
            "residuals": self.residuals,
            "low": self.low,
            "high": self.high,
            "step": self.step,
        }

    @classmethod
    def from_state(cls, variable: Variable, state: dict[str, Any]) -> ValueModel:
        """Rebuild from :meth:`state`."""
        codec = codec_from_state(state["codec"]) if state["codec"] else None
        return cls(
            variable,
            codec if isinstance(codec, CategoricalCodec) else None,
            Ridge(**state["start"]) if state["start"] else None,
            Ridge(**state["move"]),
            Ridge(**state["spread"]) if state["spread"] else None,
            state["residuals"], state["low"], state["high"], state["step"],
        )


def numbers_of(variable: Variable, values: Values) -> tuple[FloatArray, CategoricalCodec | None]:
    """Values of all visits as numbers; categories as tokens (missing NaN)."""
    if variable.numeric:
        return np.asarray(values, dtype=np.float64), None
    flat = np.asarray(values, dtype=object)
    codec = fit_categorical(
        variable.name, flat.ravel(), variable.categories, variable.kind == "ordinal"
    )
    return as_numbers(codec, flat), codec


def as_numbers(codec: CategoricalCodec, values: Values) -> FloatArray:
    """Tokens as numbers, NaN where missing."""
    codes = codec.encode(np.asarray(values, dtype=object).ravel()).reshape(values.shape)
    return np.where((codes < 0) | (codes >= codec.bins), np.nan, codes.astype(np.float64))


def design(
    occasion: Occasion,
    filled: Memory,
    memory: Memory,
    others: FloatArray,
    codec: CategoricalCodec | None,
) -> FloatArray:
    """Features of the next value: own past, time and arm, then penalised ones.

    The penalised ones begin with the slope of a number's last value by visit and arm.
    """
    fresh = (memory.count == 0)[:, None].astype(np.float64)
    if codec is None:
        own = np.column_stack([
            filled.last, filled.mean - filled.last, filled.first - filled.last
        ])
    else:
        own = (filled.last[:, None] == np.arange(codec.bins)).astype(np.float64)
    own = np.concatenate([own, fresh, occasion.free], axis=1)
    slopes = occasion.free * filled.last[:, None] if codec is None else occasion.free[:, :0]
    return np.concatenate([own, slopes, occasion.static, others], axis=1)


def _filled(memory: Memory, start: Ridge | None, occasion: Occasion) -> Memory:
    """Memory whose gaps hold the prediction for a patient never seen."""
    if start is None:
        return memory
    guess = start.predict(np.concatenate([occasion.free, occasion.static], axis=1))
    fill = [np.where(np.isfinite(v), v, guess) for v in (memory.last, memory.mean, memory.first)]
    return Memory(fill[0], fill[1], fill[2], memory.count)


def _spread_design(occasion: Occasion, memory: Memory, filled: Memory) -> FloatArray:
    return np.column_stack([filled.last, occasion.gap, memory.count == 0, occasion.free])


def fit_value_model(
    variable: Variable,
    codec: CategoricalCodec | None,
    occasion: Occasion,
    memory: Memory,
    others: FloatArray,
    values: FloatArray,
) -> tuple[ValueModel, FloatArray] | None:
    """Fit one variable on the stacked visits; None when it was hardly ever measured.

    Parameters
    ----------
    occasion, memory, others
        The visits, what was known before each, and further penalised features: other
        variables' last values and the visit's earlier residuals.
    values
        The measured numbers or tokens, NaN where not measured, shape (rows,).

    Returns
    -------
    The model and the scaled residuals of every row (0 where not measured).
    """
    seen = np.isfinite(values)
    if seen.sum() < 2 * MINIMUM_CELL:
        return None
    here, before, y = occasion.take(seen), _rows(memory, seen), values[seen]
    aside = others[seen]
    if codec is not None:
        x = design(here, before, before, aside, codec)
        move = fit_logistic(x, y.astype(np.int64), max(codec.bins, 1))
        model = ValueModel(variable, codec, None, move, None, np.zeros(2), 0.0, 0.0, 0.0)
        return model, np.zeros(len(values))
    plain = np.concatenate([here.free, here.static], axis=1)
    start = fit_ridge(plain, y, np.arange(plain.shape[1]) < here.free.shape[1])
    filled = _filled(before, start, here)
    x = design(here, filled, before, aside, None)
    move = fit_ridge(x, y - filled.last, np.arange(x.shape[1]) < 4 + here.free.shape[1])
    residual = y - filled.last - move.predict(x)
    spread, scaled = _fit_spread(residual, _spread_design(here, before, filled))
    ordered = np.sort(y)
    low, high = local_mean(ordered, 0.0), local_mean(ordered, 1.0)
    step, slack = learn_step(y), 0.5 * float(y.std())
    low, high = _within(low - slack, high + slack, ordered, variable, step)
    knots = int(np.clip(len(y) // (2 * MINIMUM_CELL), MINIMUM_CELL, _MOST_QUANTILES))
    model = ValueModel(
        variable, None, start, move, spread, smooth_quantiles(scaled, knots), low, high, step
    )
    every = np.zeros(len(values))
    every[seen] = scaled
    return model, every


def _fit_spread(residual: FloatArray, x: FloatArray) -> tuple[Ridge | None, FloatArray]:
    """Log-linear scale of the residuals, and the residuals divided by it."""
    typical = float(np.sqrt(np.mean(residual**2)))
    if typical < 1e-9:
        return None, np.zeros(len(residual))
    target = np.log(np.abs(residual) + 0.05 * typical)
    spread = fit_ridge(x, target, np.zeros(x.shape[1], dtype=bool))
    scaled = residual / np.exp(spread.predict(x))
    scaled = scaled / np.sqrt(np.mean(scaled**2))
    # Residual and scale are drawn independently: their product must keep the variance.
    excess = np.sqrt(np.mean(np.exp(2 * spread.predict(x)))) / typical
    return Ridge(spread.weights, spread.intercept - np.log(excess)), scaled


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


def _rows(memory: Memory, rows: np.ndarray) -> Memory:
    return Memory(memory.last[rows], memory.mean[rows], memory.first[rows], memory.count[rows])
