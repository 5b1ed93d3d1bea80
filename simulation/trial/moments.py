"""Moments: shares and means of replicates that come in blocks, with Monte Carlo errors."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from math import nan, sqrt
from operator import add
from typing import Any, Final, final

import numpy as np

Values = np.ndarray[Any, Any]

BLOCK: Final = 10_000
"""Replicates of a block.

A sum of floating numbers depends on the order in which they are added. So sums are made of blocks
that are counted from replicate 0, never of the chunks in which replicates happen to come: the
figures are the same to the last bit for any chunk size, backend and resume.
"""

HALF_WIDTH: Final = 1.959963984540054
"""97.5th percentile of the standard normal distribution: of 95 % intervals, in standard errors."""


@final
@dataclass(frozen=True)
class Measured:
    """A simulated figure and its Monte Carlo standard error."""

    value: float
    se: float


@final
@dataclass(frozen=True)
class Count:
    """Hits among n; exact, whatever the blocks."""

    hits: int
    n: int

    def __add__(self, later: "Count") -> "Count":
        return Count(self.hits + later.hits, self.n + later.n)

    def measured(self) -> Measured:
        """Share; none or all of n give the standard error of one hit in n, never 0."""
        if not self.n:
            return Measured(nan, nan)
        value = self.hits / self.n
        one = 1 / max(self.n, 2)
        clear = min(max(value, one), 1 - one)
        return Measured(value, sqrt(clear * (1 - clear) / self.n))


@final
@dataclass(frozen=True)
class Moments:
    """Number, mean and sum of squared deviations of finite values.

    Two are put together as in Chan, Golub and LeVeque (1983),
    https://doi.org/10.1080/00031305.1983.10483115, which loses no digits to large means.
    """

    n: int
    mean: float
    squares: float

    @classmethod
    def of(cls, values: Values) -> "Moments":
        """Sum up one block."""
        held = values[np.isfinite(values)]
        if not len(held):
            return cls(0, 0.0, 0.0)
        mean = float(held.mean())
        return cls(len(held), mean, float(((held - mean) ** 2).sum()))

    def __add__(self, later: "Moments") -> "Moments":
        if not self.n or not later.n:
            return self if self.n else later
        n, gap = self.n + later.n, later.mean - self.mean
        mean = self.mean + gap * later.n / n
        return Moments(n, mean, self.squares + later.squares + gap**2 * self.n * later.n / n)

    def measured(self) -> Measured:
        """Mean and its standard error; not a number below two values."""
        if self.n < 2:
            return Measured(nan, nan)
        return Measured(self.mean, sqrt(self.squares / (self.n - 1)) / sqrt(self.n))


Tally = Count | Moments


def tally(values: Values) -> Tally:
    """Sum up one block: hits of truth values, moments of numbers."""
    if values.dtype == bool:
        return Count(int(values.sum()), len(values))
    return Moments.of(values)


def share(hits: Values) -> Measured:
    """Share of hits in all replicates, and its standard error."""
    return Count(int(hits.sum()), len(hits)).measured()


def mean(values: Values) -> Measured:
    """Mean of finite values of all replicates, from replicate 0, and its standard error."""
    return _folded(Moments.of, values).measured()


def _folded(sums: Callable[[Values], Moments], values: Values) -> Moments:
    parts: Iterable[Moments] = (
        sums(values[start : start + BLOCK]) for start in range(0, max(1, len(values)), BLOCK)
    )
    return reduce(add, parts)
