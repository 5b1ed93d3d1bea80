"""How a measurement's values become the numbers that visit regressions remember, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from extraction.records import Variable
from generation.assembly import Values
from generation.tokenizer import (
    MINIMUM_CELL,
    CategoricalCodec,
    FloatArray,
    codec_from_state,
    to_grid,
)
from generation.tokenizer_fitting import fit_categorical, learn_step, local_mean
from generation.twin_model.transforms import PowerScale, fit_scale

_SLACK = 0.25
_USUAL = np.array([0.1, 0.1, 0.4, 0.4])
_ENDS = np.concatenate([[-5.0], np.arange(-4.5, 5.0), [5.0]])
_WIDE = 7.0
_BEYOND_CHANCE = 30.0


@dataclass(frozen=True)
class Lens:
    """How a variable's values become the numbers that regressions remember, and back.

    Numbers: scores on a power scale, bounded and on a grid. Categories: tokens.

    Attributes
    ----------
    digits
        How often a last digit is recorded relative to a smooth law: 0, 5, other even, odd ones;
        empty where digits do not matter.
    """

    variable: Variable
    codec: CategoricalCodec | None
    scale: PowerScale | None
    low: float
    high: float
    step: float
    digits: tuple[float, ...] = ()

    def scores(self, values: Values) -> FloatArray:
        """Numbers of values, NaN where missing, of the same shape."""
        if self.scale is not None:
            return self.scale.forward(np.asarray(values, dtype=np.float64))
        assert self.codec is not None
        codes = self.codec.encode(np.asarray(values, dtype=object).ravel()).reshape(values.shape)
        lost = (codes < 0) | (codes >= self.codec.bins)
        return np.where(lost, np.nan, codes.astype(np.float64))

    def settle(self, scores: FloatArray) -> FloatArray:
        """Recorded values of numeric scores: in bounds, on the grid, by preferred digits."""
        assert self.scale is not None
        return self._recorded(self._heaped(self.scale.backward(scores)))

    def values(self, scores: FloatArray) -> FloatArray:
        """Values of scores of recorded values."""
        assert self.scale is not None
        return self._recorded(self.scale.backward(scores))

    def _recorded(self, values: FloatArray) -> FloatArray:
        raw = np.clip(values, self.low, self.high)
        return np.clip(to_grid(raw, self.step), self.low, self.high)

    def _heaped(self, values: FloatArray) -> FloatArray:
        """Smooth values drawn towards preferred last digits, by less than five steps."""
        if not self.digits:
            return values
        return self._within_tens(values, _smooth_ends(self.digits), _ENDS)

    def smooth(self, values: FloatArray) -> FloatArray:
        """Where recorded values lie on the smooth law, undoing the preference of digits."""
        if not self.digits:
            return values
        return self._within_tens(values, _ENDS, _smooth_ends(self.digits))

    def _within_tens(self, values: FloatArray, before: FloatArray, after: FloatArray) -> FloatArray:
        place = values / self.step
        ten = np.round(place / 10) * 10
        return np.asarray((ten + np.interp(place - ten, before, after)) * self.step)

    def labels(self, scores: FloatArray) -> Values:
        """Categories of tokens as the cohort stores them."""
        assert self.codec is not None
        return self.codec.decode(np.where(np.isfinite(scores), scores, -1).astype(np.int64))

    def state(self) -> dict[str, Any]:
        """Return everything but the variable."""
        return {
            **{key: getattr(self, key) for key in ("low", "high", "step", "digits")},
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
            state["low"], state["high"], state["step"], tuple(state["digits"]),
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
    return Lens(variable, None, scale, low, high, step, preferred_digits(ordered, step))


def _smooth_ends(digits: tuple[float, ...]) -> FloatArray:
    """Ends of the cells of ten neighbouring values on the smooth law, from -5 to 5."""
    zero, five, even, odd = digits
    widths = [five / 2, even, odd, even, odd, zero, odd, even, odd, even, five / 2]
    return np.concatenate([[-5.0], np.cumsum(widths) - 5.0])


def preferred_digits(values: FloatArray, step: float) -> tuple[float, ...]:
    """How often each kind of last digit is recorded, as `Lens.digits`; empty if as by chance.

    Tens are centred on whole ones, so that a sloping law favours none; the lowest, where a heap
    at a bound would count, is left out.
    """
    if step <= 0 or np.std(values) < _WIDE * step:
        return ()
    number = np.round(values / step)
    number = number[np.round(number / 10) > np.round(number.min() / 10)]
    last = np.mod(number, 10)
    kind = np.where(last == 0, 0, np.where(last == 5, 1, np.where(last % 2 == 0, 2, 3)))
    counts = np.bincount(kind, minlength=4) + 0.5
    expected = counts.sum() * _USUAL
    if ((counts - expected) ** 2 / expected).sum() < _BEYOND_CHANCE:
        return ()
    return tuple(float(weight) for weight in counts / expected)


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
