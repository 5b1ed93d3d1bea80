"""Columns of patients as tokens: quantile bins, atoms and a missing token.

A numeric column becomes an ordered row of tokens: bins that hold equal shares of
the patients, and *atoms*, single values that many patients share. A value is
decoded by drawing a place inside its bin and interpolating the bin's quantiles.
Nothing that is stored belongs to fewer than :data:`MINIMUM_CELL` patients: each
edge and knot is a mean of that many neighbouring values (so the true minimum and
maximum are never kept), rarer categories are merged, and a missing token exists
only when that many patients lack the value. Values come back on the grid on which they were
recorded (`generation.tokenizer_grids`) and as unevenly (`generation.tokenizer_heaping`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from extraction.records.conditions import Interval
from generation.tokenizer_grids import Grid, six_figures
from generation.tokenizer_heaping import Heaping

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

MINIMUM_CELL = 5
UNKNOWN = -1
KNOTS = 12


@dataclass(frozen=True)
class Region:
    """The part of each token that a condition allows.

    ``share`` is the fraction of a token's probability inside the condition;
    ``start`` and ``stop`` bound the place inside the bin (0 to 1).
    """

    share: FloatArray
    start: FloatArray
    stop: FloatArray


@dataclass(frozen=True)
class NumericCodec:
    """Tokens of one numeric column.

    Parameters
    ----------
    name
        The variable.
    edges
        Bin boundaries in rising order, shape (bins + 1,).
    knots
        Values at equal quantile steps inside each bin, shape (bins, 13).
    mass
        Share of patients per token, missing last, shape (tokens,).
    atom
        True where a bin is one shared value, shape (bins,).
    missing
        Whether the last token stands for a missing value.
    step
        The decimal step on which values were recorded; 0 for a continuum and other grids.
    centre, scale
        Median and normal-consistent interquartile range.
    grid
        Values that the column can take; None: multiples of `step`.
    heaping
        Values and kinds of values that patients share more often than the knots say.
    """

    name: str
    edges: FloatArray
    knots: FloatArray
    mass: FloatArray
    atom: BoolArray
    missing: bool
    step: float
    centre: float
    scale: float
    grid: Grid | None = None
    heaping: Heaping = field(default_factory=Heaping)

    @cached_property
    def recorded(self) -> Grid:
        """The grid of values."""
        return Grid.decimal(self.step) if self.grid is None else self.grid

    @cached_property
    def _quantiles(self) -> tuple[FloatArray, FloatArray]:
        """Bin number plus place, and the value there; between two of them it is linear."""
        share = np.diff(self.cumulative)
        places, values = [], []
        for b in range(self.bins):
            place, value = np.linspace(0.0, 1.0, KNOTS + 1), self.knots[b]
            if not self.atom[b]:
                low, high = float(self.edges[b]), float(self.edges[b + 1])
                place, value = self.heaping.refine(
                    self.recorded, value, max(float(share[b]), 1e-12), low, high
                )
            places.append(b + place)
            values.append(value)
        return np.concatenate(places), np.concatenate(values)

    @property
    def bins(self) -> int:
        """Number of bins and atoms, the missing token apart."""
        return int(self.knots.shape[0])

    @property
    def tokens(self) -> int:
        """Number of tokens."""
        return int(self.mass.shape[0])

    @property
    def cumulative(self) -> FloatArray:
        """Share of the observed patients below each bin, shape (bins + 1,)."""
        observed = self.mass[: self.bins]
        total = max(float(observed.sum()), 1e-12)
        return np.concatenate([[0.0], np.cumsum(observed) / total])

    def encode(self, values: FloatArray) -> IntArray:
        """Token of each value; -1 where the value is missing without a token for it."""
        codes = np.full(values.shape, UNKNOWN, dtype=np.int64)
        seen = np.isfinite(values)
        if self.bins:
            codes[seen] = np.searchsorted(self.edges[1:-1], values[seen], side="right")
        if self.missing:
            codes[~seen] = self.bins
        return codes

    def decode(self, codes: IntArray, place: FloatArray) -> FloatArray:
        """Value at a place (0 to 1) inside each token's bin, on the recorded grid."""
        if not self.bins:
            return np.full(codes.shape, np.nan)
        bin_ = np.clip(codes, 0, self.bins - 1)
        places, quantiles = self._quantiles
        values = np.interp(bin_ + np.clip(place, 0.0, 1.0 - 1e-12), places, quantiles)
        values = self.recorded.snap(values)
        return np.where((codes < 0) | (codes >= self.bins), np.nan, values)

    def place(self, values: FloatArray, codes: IntArray) -> FloatArray:
        """Place (0 to 1) of each value inside its bin; one half inside an atom."""
        if not self.bins:
            return np.full(values.shape, 0.5)
        bin_ = np.clip(codes, 0, self.bins - 1)
        places, quantiles = self._quantiles
        # Where quantiles are flat the value belongs to a stretch of places: its middle is meant.
        above = np.interp(values, quantiles, places)
        below = -np.interp(-values, -quantiles[::-1], -places[::-1])
        place = np.clip(above - bin_, 0.0, 1.0) / 2 + np.clip(below - bin_, 0.0, 1.0) / 2
        return np.asarray(place, dtype=np.float64)

    def rank(self, values: FloatArray, codes: IntArray) -> FloatArray:
        """Share of the training patients below each value; one half where missing."""
        if not self.bins:
            return np.full(values.shape, 0.5)
        cumulative = self.cumulative
        bin_ = np.clip(codes, 0, self.bins - 1)
        filled = np.where(np.isfinite(values), values, self.centre)
        inside = np.where(self.atom[bin_], 0.5, self.place(filled, bin_))
        rank = cumulative[bin_] + inside * (cumulative[bin_ + 1] - cumulative[bin_])
        return np.where((codes < 0) | (codes >= self.bins), 0.5, rank)

    def robust_z(self, values: FloatArray) -> FloatArray:
        """Distance from the median in robust standard deviations, clipped at 4; 0 if missing."""
        z = np.clip((values - self.centre) / self.scale, -4.0, 4.0)
        return np.where(np.isfinite(z), z, 0.0)

    def region(self, interval: Interval) -> Region:
        """Part of each token inside the interval; missing is never inside."""
        low = self.recorded.start(interval.low, interval.low_closed)
        high = self.recorded.stop(interval.high, interval.high_closed)
        bins = np.arange(self.bins)
        start = self.place(np.full(self.bins, low), bins)
        stop = self.place(np.full(self.bins, high), bins)
        middle = self.knots[:, KNOTS // 2]
        within = (middle >= low) & (middle <= high)
        start = np.where(self.atom, np.where(within, 0.0, 1.0), start)
        stop = np.where(self.atom, 1.0, stop)
        share = np.zeros(self.tokens)
        share[: self.bins] = np.clip(stop - start, 0.0, 1.0) * float(high > low or within.any())
        tail = np.zeros(self.tokens - self.bins)
        return Region(share, np.append(start, tail), np.append(stop, tail + 1.0))

    def state(self) -> dict[str, Any]:
        """Return everything needed to rebuild the codec."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        own["grid"] = None if self.grid is None else self.grid.state()
        return {"kind": "numeric", **own, "heaping": self.heaping.state()}


@dataclass(frozen=True)
class CategoricalCodec:
    """Tokens of one categorical, ordinal or binary column.

    ``merged`` maps a category of fewer than five patients to the one it joined.
    """

    name: str
    categories: tuple[str, ...]
    merged: dict[str, str]
    mass: FloatArray
    missing: bool
    ordinal: bool

    @property
    def bins(self) -> int:
        """Number of categories, the missing token apart."""
        return len(self.categories)

    @property
    def tokens(self) -> int:
        """Number of tokens."""
        return int(self.mass.shape[0])

    def encode(self, values: npt.NDArray[np.object_]) -> IntArray:
        """Token of each value; -1 where it is missing or was never seen."""
        series = pd.Series(values, dtype=object)
        gone = series.isna().to_numpy()
        known = series.map(lambda v: self.merged.get(v, v)) if self.merged else series
        codes = pd.Index(list(self.categories), dtype=object).get_indexer(pd.Index(known))
        codes = np.asarray(codes, dtype=np.int64)
        return np.where(gone, self.bins if self.missing else UNKNOWN, codes)

    def decode(self, codes: IntArray) -> npt.NDArray[np.object_]:
        """Category of each token, None where missing."""
        table = np.array([*self.categories, None], dtype=object)
        outside = (codes < 0) | (codes >= self.bins)
        return np.asarray(table[np.where(outside, self.bins, codes)], dtype=object)

    def region(self, allowed: frozenset[str]) -> Region:
        """Tokens inside the set of categories; missing is never inside."""
        share = np.zeros(self.tokens)
        share[: self.bins] = [float(c in allowed) for c in self.categories]
        return Region(share, np.zeros(self.tokens), np.ones(self.tokens))

    def state(self) -> dict[str, Any]:
        """Return everything needed to rebuild the codec."""
        return {"kind": "categorical", **self.__dict__}


Codec = NumericCodec | CategoricalCodec


def codec_from_state(state: dict[str, Any]) -> Codec:
    """Rebuild a codec from :meth:`NumericCodec.state` or :meth:`CategoricalCodec.state`."""
    own = {key: value for key, value in state.items() if key != "kind"}
    if state["kind"] == "numeric":
        own["atom"] = np.asarray(own["atom"], dtype=bool)
        own["grid"] = None if own["grid"] is None else Grid.from_state(own["grid"])
        own["heaping"] = Heaping.from_state(own["heaping"])
        return NumericCodec(**own)
    own["categories"] = tuple(own["categories"])
    return CategoricalCodec(**own)


def to_grid(values: FloatArray, step: float) -> FloatArray:
    """Round values to the recorded grid; six significant figures on a continuum."""
    if step > 0:
        return np.asarray(np.round(np.round(values / step) * step, 6) + 0.0, dtype=np.float64)
    return six_figures(values)
