"""Columns of patients as tokens: quantile bins, atoms and a missing token.

A numeric column becomes an ordered row of tokens: bins that hold equal shares of
the patients, and *atoms*, single values that many patients share. A value is
decoded by drawing a place inside its bin and interpolating the bin's quantiles.
Nothing that is stored belongs to fewer than :data:`MINIMUM_CELL` patients: each
edge and knot is a mean of that many neighbouring values (so the true minimum and
maximum are never kept), rarer categories are merged, and a missing token exists
only when that many patients lack the value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from extraction.records.conditions import Interval

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

MINIMUM_CELL = 5
UNKNOWN = -1
_KNOTS = 4
_ATOM_SHARE = 0.03
_CUT_GAIN_BITS = 0.15 / np.log(2.0)
_STEPS = (100.0, 50.0, 10.0, 5.0, 1.0, 0.5, 0.1, 0.05, 0.01, 0.005, 0.001)


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
        Values at equal quantile steps inside each bin, shape (bins, 5).
    mass
        Share of patients per token, missing last, shape (tokens,).
    atom
        True where a bin is one shared value, shape (bins,).
    missing
        Whether the last token stands for a missing value.
    step
        The grid on which values were recorded; 0 for a continuum.
    centre, scale
        Median and normal-consistent interquartile range.
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
        position = np.clip(place, 0.0, 1.0) * _KNOTS
        left = np.minimum(position.astype(np.int64), _KNOTS - 1)
        weight = position - left
        values = self.knots[bin_, left] * (1 - weight) + self.knots[bin_, left + 1] * weight
        values = to_grid(values, self.step)
        return np.where((codes < 0) | (codes >= self.bins), np.nan, values)

    def place(self, values: FloatArray, codes: IntArray) -> FloatArray:
        """Place (0 to 1) of each value inside its bin; one half inside an atom."""
        if not self.bins:
            return np.full(values.shape, 0.5)
        knots = self.knots[np.clip(codes, 0, self.bins - 1)]
        below = np.clip(np.sum(values[..., None] >= knots[..., 1:-1], axis=-1), 0, _KNOTS - 1)
        low = np.take_along_axis(knots, below[..., None], -1)[..., 0]
        high = np.take_along_axis(knots, below[..., None] + 1, -1)[..., 0]
        width = high - low
        flat = 0.5 + 0.5 * np.sign(values - low)
        inside = np.where(width > 0, (values - low) / np.where(width > 0, width, 1.0), flat)
        place = (below + np.clip(inside, 0.0, 1.0)) / _KNOTS
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
        low, high = interval.low, interval.high
        if self.step > 0:
            inner_low = np.ceil(low / self.step - 1e-9) * self.step
            inner_high = np.floor(high / self.step + 1e-9) * self.step
            low = inner_low + self.step * (
                0.5 if inner_low <= interval.low and not interval.low_closed else -0.5
            )
            high = inner_high - self.step * (
                0.5 if inner_high >= interval.high and not interval.high_closed else -0.5
            )
        bins = np.arange(self.bins)
        start = self.place(np.full(self.bins, low), bins)
        stop = self.place(np.full(self.bins, high), bins)
        middle = self.knots[:, 2]
        within = (middle >= low) & (middle <= high)
        start = np.where(self.atom, np.where(within, 0.0, 1.0), start)
        stop = np.where(self.atom, 1.0, stop)
        share = np.zeros(self.tokens)
        share[: self.bins] = np.clip(stop - start, 0.0, 1.0) * float(high > low or within.any())
        tail = np.zeros(self.tokens - self.bins)
        return Region(share, np.append(start, tail), np.append(stop, tail + 1.0))

    def state(self) -> dict[str, Any]:
        """Return everything needed to rebuild the codec."""
        return {"kind": "numeric", **self.__dict__}


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
    fields = {key: value for key, value in state.items() if key != "kind"}
    if state["kind"] == "numeric":
        fields["atom"] = np.asarray(fields["atom"], dtype=bool)
        return NumericCodec(**fields)
    fields["categories"] = tuple(fields["categories"])
    return CategoricalCodec(**fields)


def to_grid(values: FloatArray, step: float) -> FloatArray:
    """Round values to the recorded grid; six significant figures on a continuum."""
    if step > 0:
        return np.asarray(np.round(np.round(values / step) * step, 6), dtype=np.float64)
    magnitude = np.floor(np.log10(np.maximum(np.abs(values), 1e-300)))
    unit = 10.0 ** np.clip(magnitude - 5, -300, 300)
    return np.asarray(np.where(values == 0, 0.0, np.round(values / unit) * unit), dtype=np.float64)


def learn_step(values: FloatArray) -> float:
    """Largest common grid of the finite values, 0 when there is none."""
    for step in _STEPS:
        ratio = values / step
        if np.all(np.abs(ratio - np.round(ratio)) < 1e-6):
            return step
    return 0.0


def local_mean(ordered: FloatArray, position: float) -> float:
    """Mean of the five ordered values around a quantile position (0 to 1)."""
    n = len(ordered)
    width = min(MINIMUM_CELL, n)
    first = int(np.clip(round(position * (n - 1)) - width // 2, 0, n - width))
    return float(ordered[first : first + width].mean())


def spread_ties(ordered: FloatArray, step: float) -> FloatArray:
    """Spread equal sorted values evenly over their grid cell."""
    if step == 0:
        return ordered
    _, first, count = np.unique(ordered, return_index=True, return_counts=True)
    within = np.arange(len(ordered)) - np.repeat(first, count)
    spread = (within + 0.5) / np.repeat(count, count) - 0.5
    return np.asarray(ordered + step * spread, dtype=np.float64)


def smooth_quantiles(values: FloatArray, knots: int) -> FloatArray:
    """Quantile function at ``knots`` equal steps, each a mean of five neighbours."""
    ordered = np.sort(values)
    return np.array([local_mean(ordered, q) for q in np.linspace(0.0, 1.0, knots)])


def default_bins(n: int) -> int:
    """Bins for n patients: one for every ten, between 4 and 16."""
    return int(np.clip(n // 10, 4, 16))


def fit_numeric(
    name: str, values: FloatArray, bins: int, cuts: Sequence[float] = ()
) -> NumericCodec:
    """Learn the tokens of a numeric column.

    Parameters
    ----------
    name
        The variable.
    values
        One value per patient, NaN where missing, shape (n,).
    bins
        Wanted number of quantile bins.
    cuts
        Values on which an edge must lie (see :func:`category_cuts`).
    """
    seen = np.sort(values[np.isfinite(values)])
    lost = len(values) - len(seen)
    missing = lost >= MINIMUM_CELL or len(seen) < MINIMUM_CELL
    if len(seen) < MINIMUM_CELL:
        nothing = np.zeros((0, _KNOTS + 1))
        return NumericCodec(
            name, np.zeros(1), nothing, np.ones(1), np.zeros(0, bool), True, 0.0, 0.0, 1.0
        )
    step = learn_step(seen)
    edges, atoms = _layout(seen, step, bins, cuts)
    spread = spread_ties(seen, step)
    slot = np.searchsorted(edges[1:-1], seen, side="right")
    counts = np.bincount(slot, minlength=len(edges) - 1).astype(np.float64)
    knots = np.stack([
        _bin_knots(spread[slot == b], edges[b], edges[b + 1], atoms.get(b))
        for b in range(len(edges) - 1)
    ])
    atom = np.array([b in atoms for b in range(len(edges) - 1)])
    mass = np.append(counts, float(lost)) if missing else counts
    low, centre, high = np.quantile(seen, [0.25, 0.5, 0.75])
    scale = float(high - low) / 1.349 or float(seen.std()) or 1.0
    return NumericCodec(
        name, edges, knots, mass / mass.sum(), atom, missing, step, float(centre), scale
    )


def _layout(
    seen: FloatArray, step: float, bins: int, cuts: Sequence[float]
) -> tuple[FloatArray, dict[int, float]]:
    """Edges of bins and atoms, and the value of each atom by its place."""
    unique, counts = np.unique(seen, return_counts=True)
    n = len(seen)
    stands_out = (counts / n > _ATOM_SHARE) & ((counts / n > 1 / bins) | (len(unique) <= bins))
    stands_out &= counts >= MINIMUM_CELL
    values = unique[stands_out]
    half = step / 2 if step > 0 else 1e-9 * max(float(np.ptp(seen)), abs(float(seen[-1])), 1e-3)
    pieces: list[tuple[float, float, float | None]] = []
    left = -np.inf
    for right in [*values.tolist(), np.inf]:
        inside = seen[(seen > left) & (seen < right)]
        if len(inside) >= MINIMUM_CELL:
            pieces += _segment(inside, step, max(1, round(len(inside) * bins / n)), cuts)
        if np.isfinite(right):
            pieces.append((right - half, right + half, float(right)))
        left = right
    atoms = {b: value for b, (_, _, value) in enumerate(pieces) if value is not None}
    inner = [
        high if value is not None else (low if after is not None else (high + low) / 2)
        for (_, high, value), (low, _, after) in pairwise(pieces)
    ]
    return np.array([pieces[0][0], *inner, pieces[-1][1]]), atoms


def _segment(
    seen: FloatArray, step: float, bins: int, cuts: Sequence[float]
) -> list[tuple[float, float, float | None]]:
    """Bins of a run of sorted values without atoms, each of five patients or more."""
    spread = spread_ties(seen, step)
    low, high = local_mean(spread, 0.0), local_mean(spread, 1.0)
    wanted = [local_mean(spread, q) for q in np.arange(1, bins) / bins]
    if step > 0:
        low, high = (np.floor(low / step) - 0.5) * step, (np.ceil(high / step) + 0.5) * step
        low, high = max(low, seen[0] - step / 2), min(high, seen[-1] + step / 2)
    accepted: list[float] = []
    apart = {True: MINIMUM_CELL, False: max(MINIMUM_CELL, int(0.5 * len(seen) / bins))}
    for forced, candidates in ((True, list(cuts)), (False, wanted)):
        for edge in candidates:
            snapped = (np.floor(edge / step) + 0.5) * step if step > 0 else float(edge)
            places = np.searchsorted(seen, [-np.inf, *sorted([*accepted, snapped]), np.inf])
            if low < snapped < high and np.diff(places).min() >= apart[forced]:
                accepted.append(float(snapped))
    ends = [low, *sorted(accepted), high]
    return [(a, b, None) for a, b in pairwise(ends)]


def _bin_knots(inside: FloatArray, low: float, high: float, atom: float | None) -> FloatArray:
    """Quantile knots of one bin, rising from its lower to its upper edge."""
    if atom is not None:
        return np.full(_KNOTS + 1, atom)
    inner = [local_mean(inside, q) for q in np.arange(1, _KNOTS) / _KNOTS] if len(inside) else []
    inner = inner or list(np.linspace(low, high, _KNOTS + 1)[1:-1])
    return np.maximum.accumulate(np.clip(np.array([low, *inner, high]), low, high))


def fit_categorical(
    name: str,
    values: npt.NDArray[np.object_],
    categories: Sequence[str] | None,
    ordinal: bool = False,
) -> CategoricalCodec:
    """Learn the tokens of a categorical column; categories below five patients are merged.

    A rare ordinal category joins its nearest kept neighbour; a rare nominal one joins
    a kept category called "other" if there is one, and the most frequent one otherwise.
    """
    series = pd.Series(values, dtype=object)
    counts = series.dropna().astype(str).value_counts()
    order = [str(c) for c in categories] if categories else sorted(counts.index)
    kept = [c for c in order if counts.get(c, 0) >= MINIMUM_CELL]
    lost = int(series.isna().sum())
    if not kept:
        return CategoricalCodec(name, (), {}, np.ones(1), True, ordinal)
    merged = {
        c: _host(c, order, kept, counts, ordinal)
        for c in order
        if 0 < counts.get(c, 0) < MINIMUM_CELL
    }
    sizes = {c: float(counts[c]) for c in kept}
    for rare, host in merged.items():
        sizes[host] += float(counts[rare])
    missing = lost >= MINIMUM_CELL
    mass = np.array([*sizes.values(), *([float(lost)] if missing else [])])
    return CategoricalCodec(name, tuple(kept), merged, mass / mass.sum(), missing, ordinal)


def _host(
    rare: str, order: list[str], kept: list[str], counts: pd.Series[int], ordinal: bool
) -> str:
    """Category that takes in a rare one."""
    if ordinal:
        return min(kept, key=lambda c: abs(order.index(c) - order.index(rare)))
    other = [c for c in kept if c.strip().lower() == "other"]
    return other[0] if other else max(kept, key=lambda c: int(counts[c]))


def category_cuts(values: FloatArray, labels: Sequence[IntArray]) -> list[float]:
    """Values where a numeric column decides a categorical one (entropy trees).

    Strata such as "CD4 up to 50" are functions of a number: unless a bin edge lies
    on the cut, generated patients contradict themselves.
    """
    from sklearn.tree import DecisionTreeClassifier

    seen = np.isfinite(values)
    cuts: set[float] = set()
    for label in labels:
        rows = seen & (label >= 0)
        if rows.sum() < 4 * MINIMUM_CELL or len(np.unique(label[rows])) < 2:
            continue
        tree = DecisionTreeClassifier(
            criterion="entropy", max_leaf_nodes=4, min_samples_leaf=2 * MINIMUM_CELL, random_state=0
        ).fit(values[rows, None], label[rows]).tree_
        inner = np.flatnonzero(tree.children_left >= 0)
        for node in inner:
            left, right = tree.children_left[node], tree.children_right[node]
            weight = tree.n_node_samples / tree.n_node_samples[0]
            gain = weight[node] * tree.impurity[node] - (
                weight[left] * tree.impurity[left] + weight[right] * tree.impurity[right]
            )
            if gain > _CUT_GAIN_BITS:
                cuts.add(float(tree.threshold[node]))
    return sorted(cuts)
