"""Scales on which a measurement's changes are closest to a normal law, and their residuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from generation.tokenizer import MINIMUM_CELL, FloatArray
from generation.tokenizer_fitting import smooth_quantiles

_POWERS = (1.0, 0.5, 0.0, -0.5, -1.0)
_MOST_QUANTILES = 513
_TAIL_SHARE = 0.05


@dataclass(frozen=True)
class PowerScale:
    """Box-Cox power of a shifted measurement, standardised.

    Attributes
    ----------
    power
        1 leaves the measurement as it is, 0 is its logarithm.
    shift
        Added before the power, in the measurement's unit.
    centre, width
        Mean and standard deviation on the transformed scale.

    Source: Box and Cox (1964), J R Stat Soc B 26, doi 10.1111/j.2517-6161.1964.tb00553.x.
    """

    power: float
    shift: float
    centre: float
    width: float

    def forward(self, values: FloatArray) -> FloatArray:
        """Scores of measurements (NaN stays NaN)."""
        return (_power(values + self.shift, self.power) - self.centre) / self.width

    def backward(self, scores: FloatArray) -> FloatArray:
        """Measurements of scores; beyond a power's bound, the bound."""
        raw = self.centre + self.width * scores
        if self.power == 1.0:
            return np.asarray(raw + 1.0 - self.shift)
        if self.power == 0.0:
            return np.exp(np.minimum(raw, 700.0)) - self.shift
        return np.asarray(np.maximum(1 + self.power * raw, 1e-9) ** (1 / self.power) - self.shift)

    def log_slope(self, values: FloatArray) -> FloatArray:
        """Log derivative of the score by the measurement."""
        if self.power == 1.0:
            return np.full(np.shape(values), -np.log(self.width))
        below = np.maximum(values + self.shift, 1e-9)
        return np.asarray((self.power - 1) * np.log(below) - np.log(self.width))


def _power(values: FloatArray, power: float) -> FloatArray:
    if power == 1.0:
        return values - 1.0
    values = np.maximum(values, 1e-9)
    return np.log(values) if power == 0.0 else (values**power - 1) / power


def fit_scale(values: FloatArray, last: FloatArray, step: float) -> PowerScale:
    """The power under which values given the last one are likeliest as normal ones.

    Parameters
    ----------
    values, last
        Measurements and those before them (NaN: none), shape (rows,). Powers other than 1 are
        tried where no value is negative.
    step
        Grid of the measurements; it is the shift where zeros occur.
    """
    both = np.isfinite(values) & np.isfinite(last)
    y, x = (values[both], last[both]) if both.sum() >= 4 * MINIMUM_CELL else (values, values * 0)
    shift, best, best_power = 0.0, -np.inf, 1.0
    low = float(np.nanmin(values))
    powers: tuple[float, ...] = _POWERS if low > 0 else (1.0,)
    if low == 0:
        # A heap at zero would make any steep power look likely.
        powers, shift = (1.0, 0.5), max(step, 0.02 * float(np.nanstd(values)), 1e-9)
    for power in powers:
        scores, before = _power(y + shift, power), _power(x + shift, power)
        design = np.column_stack([np.ones(len(y)), before])
        left = scores - design @ np.linalg.lstsq(design, scores, rcond=1e-10)[0]
        deviance = len(y) * np.log(max(float(left.std()), 1e-9))
        likelihood = (power - 1) * float(np.log(np.maximum(y + shift, 1e-9)).sum()) - deviance
        if power == 1.0:
            likelihood = -deviance + 2.0
        if likelihood > best:
            best, best_power = likelihood, power
    scores = _power(values[np.isfinite(values)] + shift, best_power)
    return PowerScale(best_power, shift, float(scores.mean()), max(float(scores.std()), 1e-9))


@dataclass(frozen=True)
class ResidualLaw:
    """A smooth law of scaled residuals: quantiles between, exponential tails beyond.

    Attributes
    ----------
    knots
        Quantiles at equal steps between the tails, each a mean of five neighbours.
    lower, upper
        Mean excess beyond the outermost knots; 0 leaves a tail out.
    share
        Probability of each tail.
    """

    knots: FloatArray
    lower: float
    upper: float
    share: float

    def quantile(self, place: FloatArray) -> FloatArray:
        """Residuals at places between 0 and 1."""
        inner = (place - self.share) / (1 - 2 * self.share)
        middle = np.interp(inner, np.linspace(0, 1, len(self.knots)), self.knots)
        with np.errstate(divide="ignore"):
            below = self.lower * np.log(np.maximum(place, 1e-300) / self.share)
            above = -self.upper * np.log(np.maximum(1 - place, 1e-300) / self.share)
        middle = middle + np.where(place < self.share, below, 0.0)
        return np.asarray(middle + np.where(place > 1 - self.share, above, 0.0))

    def below(self, residual: FloatArray) -> FloatArray:
        """Probability of a smaller residual, the inverse of :meth:`quantile`."""
        grid = np.linspace(self.share, 1 - self.share, len(self.knots))
        rising = self.knots + 1e-12 * np.arange(len(self.knots))
        inside = np.interp(residual, rising, grid)
        under = np.maximum(self.knots[0] - residual, 0.0) / max(self.lower, 1e-9)
        over = np.maximum(residual - self.knots[-1], 0.0) / max(self.upper, 1e-9)
        out = np.where(under > 0, self.share * np.exp(-under), inside)
        return np.where(over > 0, 1 - self.share * np.exp(-over), out)

    def log_density(self, residual: FloatArray) -> FloatArray:
        """Log density, taken over a fortieth of a standard deviation."""
        half = 0.0125
        mass = self.below(residual + half) - self.below(residual - half)
        return np.asarray(np.log(np.maximum(mass, 1e-12) / (2 * half)))

    def state(self) -> dict[str, Any]:
        """Return the knots and tails."""
        return dict(self.__dict__)


def fit_residuals(residuals: FloatArray) -> ResidualLaw:
    """Law of residuals; no more than a mean of five neighbours is kept of any."""
    n = len(residuals)
    count = int(np.clip(n // MINIMUM_CELL, MINIMUM_CELL, _MOST_QUANTILES))
    knots = smooth_quantiles(residuals, count)
    share = min(0.5 / n + 1.0 / n, 0.02)
    ordered = np.sort(residuals)
    far = max(int(_TAIL_SHARE * n), 1)
    lower = float(ordered[far] - ordered[:far].mean()) if far < n else 0.0
    upper = float(ordered[-far:].mean() - ordered[-far - 1]) if far < n else 0.0
    return ResidualLaw(knots, max(lower, 0.0), max(upper, 0.0), share)
