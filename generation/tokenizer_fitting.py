"""Learning the tokens of a column from patients' values."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from generation.tokenizer import (
    KNOTS,
    MINIMUM_CELL,
    CategoricalCodec,
    FloatArray,
    IntArray,
    NumericCodec,
)
from generation.tokenizer_grid_fitting import is_sizable, learn_grid
from generation.tokenizer_grids import Grid
from generation.tokenizer_heaping import Bin, learn_heaping

_ATOM_SHARE = 0.03
_ATOM_CONTRAST = 2.5
_ON_GRID = 0.95
_THINS_OUT = 1.3
_CUT_GAIN_BITS = 0.15 / np.log(2.0)
_STEPS = (100.0, 50.0, 10.0, 5.0, 1.0, 0.5, 0.1, 0.05, 0.01, 0.005, 0.001)


def learn_step(values: FloatArray) -> float:
    """Largest grid on which 95 % of the finite values lie, 0 when there is none."""
    for step in _STEPS if is_sizable(values[np.isfinite(values)]) else ():
        ratio = values / step
        if np.mean(np.abs(ratio - np.round(ratio)) < 1e-6) >= _ON_GRID:
            return step
    return 0.0


def local_mean(ordered: FloatArray, position: float) -> float:
    """Mean of the five ordered values around a quantile position (0 to 1)."""
    n = len(ordered)
    width = min(MINIMUM_CELL, n)
    first = int(np.clip(round(position * (n - 1)) - width // 2, 0, n - width))
    return float(ordered[first : first + width].mean())


def tail_edge(ordered: FloatArray) -> float:
    """Upper edge of a sorted sample: the mean of its five largest values, or beyond a long tail.

    With T the mean of the five largest and N that of the next five, the largest value of an
    exponential tail is expected 1.28 scales above T, and T lies 1.29 scales above N: so the edge
    is 2T - N where the tail thins out, and a synthetic sample has the range of a real one.
    """
    top = [
        float(part.mean())
        for part in (ordered[-5:], ordered[-10:-5], ordered[-15:-10])
        if len(part) == MINIMUM_CELL
    ]
    if len(top) < 3 or top[0] - top[1] <= _THINS_OUT * (top[1] - top[2]):
        return local_mean(ordered, 1.0)
    return 2 * top[0] - top[1]


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
        nothing = np.zeros((0, KNOTS + 1))
        return NumericCodec(
            name, np.zeros(1), nothing, np.ones(1), np.zeros(0, bool), True, 0.0, 0.0, 1.0
        )
    grid = learn_grid(seen)
    seen = grid.snap(seen) if grid.kind != "continuum" else seen
    number = grid.number(seen)
    step = 0.0 if grid.kind == "continuum" else 1.0
    least = 0.0 if grid.even and seen[0] >= 0 else -np.inf
    inner = grid.index(np.array(cuts, dtype=np.float64)).tolist()
    edges, atoms = _layout(number, step, bins, inner, least)
    slot = np.searchsorted(edges[1:-1], number, side="right")
    counts = np.bincount(slot, minlength=len(edges) - 1).astype(np.float64)
    knots = _knots(grid, number, slot, edges, atoms, np.ones(len(seen), dtype=bool))
    atom = np.array([b in atoms for b in range(len(edges) - 1)])
    ends = grid.position(edges)
    parts = [
        Bin(float(ends[b]), float(ends[b + 1]), knots[b], seen[slot == b])
        for b in np.flatnonzero(~atom)
    ]
    heaping = learn_heaping(parts, grid, len(seen))
    if len(heaping.values):
        knots = _knots(grid, number, slot, edges, atoms, heaping.place(seen) < 0)
    mass = np.append(counts, float(lost)) if missing else counts
    low, centre, high = np.quantile(seen, [0.25, 0.5, 0.75])
    scale = float(high - low) / 1.349 or float(seen.std()) or 1.0
    return NumericCodec(
        name,
        ends,
        knots,
        mass / mass.sum(),
        atom,
        missing,
        grid.step if grid.kind == "decimal" else 0.0,
        float(centre),
        scale,
        grid,
        heaping,
    )


def _knots(
    grid: Grid,
    number: FloatArray,
    slot: IntArray,
    edges: FloatArray,
    atoms: dict[int, float],
    smooth: npt.NDArray[np.bool_],
) -> FloatArray:
    """Knots of every bin, of the patients who are `smooth` where they are enough."""
    spread = number if grid.kind == "continuum" else spread_ties(number, 1.0)
    found = []
    for b in range(len(edges) - 1):
        rows = (slot == b) & smooth
        rows = rows if rows.sum() >= MINIMUM_CELL else slot == b
        found.append(_bin_knots(spread[rows], edges[b], edges[b + 1], atoms.get(b)))
    return grid.position(np.stack(found))


def _layout(
    seen: FloatArray, step: float, bins: int, cuts: Sequence[float], least: float
) -> tuple[FloatArray, dict[int, float]]:
    """Edges of bins and atoms, and the value of each atom by its place."""
    unique, counts = np.unique(seen, return_counts=True)
    n = len(seen)
    share = counts / n
    heaped = (share > _ATOM_SHARE) & (share > _ATOM_CONTRAST * np.median(share))
    stands_out = (heaped | (len(unique) <= bins)) & (counts >= MINIMUM_CELL)
    values = unique[stands_out]
    half = step / 2 if step > 0 else 1e-9 * max(float(np.ptp(seen)), abs(float(seen[-1])), 1e-3)
    pieces: list[tuple[float, float, float | None]] = []
    left = -np.inf
    for right in [*values.tolist(), np.inf]:
        inside = seen[(seen > left) & (seen < right)]
        if len(inside) >= MINIMUM_CELL:
            pieces += _segment(inside, step, max(1, round(len(inside) * bins / n)), cuts, least)
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
    seen: FloatArray, step: float, bins: int, cuts: Sequence[float], least: float
) -> list[tuple[float, float, float | None]]:
    """Bins of a run of sorted values without atoms, each of five patients or more."""
    spread = spread_ties(seen, step)
    low, high = -tail_edge(-spread[::-1]), tail_edge(spread)
    low = max(low, least)
    wanted = [local_mean(spread, q) for q in np.arange(1, bins) / bins]
    if step > 0:
        under, over = (np.floor(low / step) - 0.5) * step, (np.ceil(high / step) + 0.5) * step
        # Only the edge of a long tail may lie outside the cells of the values.
        first, last = seen[0] - step / 2, seen[-1] + step / 2
        low = under if low < first else max(under, first)
        high = over if high > last else min(over, last)
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
    """Quantile knots of one bin, rising from its lower to its upper edge.

    They interpolate the means of groups of five sorted values or more that do not overlap,
    so that no value can be solved for.
    """
    if atom is not None:
        return np.full(KNOTS + 1, atom)
    groups = np.array_split(inside, max(1, min(KNOTS, len(inside) // MINIMUM_CELL)))
    means = [group.mean() for group in groups if len(group)]
    at = (np.arange(len(means)) + 0.5) / max(len(means), 1)
    grid = np.linspace(0.0, 1.0, KNOTS + 1)
    knots = np.interp(grid, [0.0, *at, 1.0], [low, *means, high])
    return np.maximum.accumulate(np.clip(knots, low, high))


def fit_categorical(
    name: str,
    values: npt.NDArray[np.object_],
    categories: Sequence[str] | None,
    ordinal: bool = False,
    profile: FloatArray | None = None,
) -> CategoricalCodec:
    """Learn the tokens of a categorical column; categories below five patients are merged.

    A rare ordinal category joins its nearest kept neighbour; a rare nominal one joins
    a kept category called "other" if there is one, and otherwise the one whose patients are most
    like its own (without a profile: the most frequent one).

    Parameters
    ----------
    profile
        Standardised other columns of the patients, shape (n, q), 0 where missing.
    """
    series = pd.Series(values, dtype=object)
    counts = series.dropna().astype(str).value_counts()
    order = [str(c) for c in categories] if categories else sorted(counts.index)
    kept = [c for c in order if counts.get(c, 0) >= MINIMUM_CELL]
    lost = int(series.isna().sum())
    if not kept:
        return CategoricalCodec(name, (), {}, np.ones(1), True, ordinal)
    merged = {
        c: _host(c, order, kept, _likeness(series, c, kept, counts, profile), ordinal)
        for c in order
        if 0 < counts.get(c, 0) < MINIMUM_CELL
    }
    sizes = {c: float(counts[c]) for c in kept}
    for rare, host in merged.items():
        sizes[host] += float(counts[rare])
    missing = lost >= MINIMUM_CELL
    mass = np.array([*sizes.values(), *([float(lost)] if missing else [])])
    return CategoricalCodec(name, tuple(kept), merged, mass / mass.sum(), missing, ordinal)


def _likeness(
    series: pd.Series[str],
    rare: str,
    kept: list[str],
    counts: pd.Series[int],
    profile: FloatArray | None,
) -> dict[str, float]:
    """Log of each kept category's share times the normal density of the rare one's patients."""
    share = {c: float(np.log(counts[c])) for c in kept}
    if profile is None or not profile.shape[1]:
        return share
    labels = series.astype(str).to_numpy()
    mine = profile[labels == rare]
    return {
        c: share[c] - 0.5 * float(((mine - profile[labels == c].mean(axis=0)) ** 2).sum())
        for c in kept
    }


def _host(
    rare: str, order: list[str], kept: list[str], likeness: dict[str, float], ordinal: bool
) -> str:
    """Category that takes in a rare one."""
    if ordinal:
        return min(kept, key=lambda c: abs(order.index(c) - order.index(rare)))
    other = [c for c in kept if c.strip().lower() == "other"]
    return other[0] if other else max(kept, key=lambda c: likeness[c])


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
        tree = (
            DecisionTreeClassifier(
                criterion="entropy",
                max_leaf_nodes=4,
                min_samples_leaf=2 * MINIMUM_CELL,
                random_state=0,
            )
            .fit(values[rows, None], label[rows])
            .tree_
        )
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
