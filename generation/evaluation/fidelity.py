"""How close the columns and the pairs of columns of two samples are.

Definitions of SDMetrics 0.32 (Column Shapes and Column Pair Trends), written for arrays so that
hundreds of resamples cost seconds; the tests hold them equal to the library.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from generation.evaluation.tables import Codes, Floats, Table

_BINS = 10
_CORRELATED = 0.5
_ASSOCIATED = 0.3
Flags = npt.NDArray[np.bool_]


def marginal_distances(synthetic: Table, real: Table) -> Floats:
    """Distance of every column's distribution, in [0, 1].

    Kolmogorov-Smirnov distance of numeric columns, total variation of categorical ones, both
    over observed values.

    Returns
    -------
    array of shape (columns,)
        Numeric columns first; NaN where a side has no observed value.
    """
    numeric = [
        _kolmogorov_smirnov(synthetic.numbers[:, j], real.numbers[:, j])
        for j in range(synthetic.numbers.shape[1])
    ]
    categorical = [
        _total_variation(synthetic.codes[:, j], real.codes[:, j], len(levels))
        for j, levels in enumerate(synthetic.layout.levels)
    ]
    return np.array(numeric + categorical)


def marginals(synthetic: Table, real: Table) -> float:
    """Mean of `marginal_distances` over the columns that both sides have."""
    return _mean(marginal_distances(synthetic, real))


def pair_distances(synthetic: Table, real: Table) -> Floats:
    """Distance of the association of every pair of columns, in [0, 1].

    Two numeric columns: half the absolute difference of Pearson correlations over complete
    pairs. Any other pair: total variation between the joint tables, a numeric column cut into 10
    bins of equal width over its own sample's range (as the library does), missing values being a
    level of a categorical column and the last bin of a numeric one.

    Returns
    -------
    array of shape (columns, columns)
        Upper triangle filled, NaN elsewhere and where a correlation is undefined.
    """
    p, q = synthetic.numbers.shape[1], synthetic.codes.shape[1]
    distances = np.full((p + q, p + q), np.nan)
    if p:
        difference = correlations(synthetic.numbers) - correlations(real.numbers)
        distances[:p, :p] = np.abs(difference) / 2
    if q:
        distances[:, p:] = _joint_distances(synthetic, real)
    distances[np.tril_indices(p + q)] = np.nan
    return distances


def pairs(synthetic: Table, real: Table, strong: Flags | None = None) -> float:
    """Mean of `pair_distances` over the pairs that are associated in real patients.

    Parameters
    ----------
    strong
        Pairs that count, shape (columns, columns); by default `strong_pairs` of `real`, which
        is SDMetrics' rule.
    """
    counted = strong_pairs(real) if strong is None else strong
    return _mean(np.where(counted, pair_distances(synthetic, real), np.nan))


def strong_pairs(real: Table) -> Flags:
    """Pairs of columns whose association is worth keeping.

    Absolute Pearson correlation above .5 or, for any other pair, Cramér's V above .3 (defaults
    of SDMetrics 0.32); every pair where none is that strong.

    Returns
    -------
    array of shape (columns, columns)
        Upper triangle.
    """
    p, q = real.numbers.shape[1], real.codes.shape[1]
    strong = np.zeros((p + q, p + q), dtype=bool)
    if p:
        strong[:p, :p] = np.abs(np.nan_to_num(correlations(real.numbers))) > _CORRELATED
    if q:
        strong[:, p:] = _cramer(real) > _ASSOCIATED
    strong = np.triu(strong, 1)
    return strong if strong.any() else np.triu(np.ones_like(strong), 1)


def worst_pair(synthetic: Table, real: Table) -> float:
    """Largest of `pair_distances`."""
    distances = pair_distances(synthetic, real)
    return float(np.nanmax(distances)) if np.isfinite(distances).any() else float("nan")


def correlations(numbers: Floats) -> Floats:
    """Pearson correlations over pairwise complete rows.

    Parameters
    ----------
    numbers
        Shape (n, p), NaN = missing.

    Returns
    -------
    array of shape (p, p)
        NaN where fewer than two complete rows exist or a column does not vary.
    """
    seen = (~np.isnan(numbers)).astype(np.float64)
    count = np.maximum(seen.sum(axis=0), 1)
    centred = np.where(seen > 0, numbers - np.nansum(numbers, axis=0) / count, 0.0)
    scale = np.sqrt((centred**2).sum(axis=0) / count)
    z = centred / np.where(scale > 0, scale, 1.0)
    n = seen.T @ seen
    sums = z.T @ seen
    squares = (z * z).T @ seen
    with np.errstate(invalid="ignore", divide="ignore"):
        covariance = z.T @ z - sums * sums.T / n
        variance = squares - sums**2 / n
        spread = np.sqrt(variance * variance.T)
        r = np.where((n >= 2) & (spread > 1e-9), covariance / spread, np.nan)
    return np.asarray(np.clip(r, -1.0, 1.0))


def _kolmogorov_smirnov(a: Floats, b: Floats) -> float:
    a, b = np.sort(a[~np.isnan(a)]), np.sort(b[~np.isnan(b)])
    if not len(a) or not len(b):
        return float("nan")
    grid = np.concatenate([a, b])
    below_a = np.searchsorted(a, grid, side="right") / len(a)
    below_b = np.searchsorted(b, grid, side="right") / len(b)
    return float(np.abs(below_a - below_b).max())


def _total_variation(a: Codes, b: Codes, levels: int) -> float:
    a, b = a[a >= 0], b[b >= 0]
    if not len(a) or not len(b):
        return float("nan")
    share_a = np.bincount(a, minlength=levels) / len(a)
    share_b = np.bincount(b, minlength=levels) / len(b)
    return float(np.abs(share_a - share_b).sum() / 2)


def _joint_distances(synthetic: Table, real: Table) -> Floats:
    """Total variation of (any column, categorical column), shape (p + q, q)."""
    return _by_pair(np.abs(_joint(synthetic) - _joint(real)) / 2, synthetic)


def _cramer(real: Table) -> Floats:
    """Cramér's V of (any column, categorical column), shape (p + q, q); NaN for a constant."""
    rows, columns = _starts(real)
    joint = _joint(real)
    total = np.add.reduceat(joint, columns, axis=1)  # a row level's share, once a column
    by_row = np.repeat(total, np.diff([*columns, joint.shape[1]]), axis=1)
    by_column = np.diag(joint[rows[real.numbers.shape[1]] :])
    with np.errstate(invalid="ignore", divide="ignore"):
        terms = np.where(joint > 0, joint**2 / (by_row * by_column), 0.0)
        phi = _by_pair(terms, real) - 1
        row_levels = np.add.reduceat((total[:, 0] > 0).astype(int), rows)
        column_levels = np.add.reduceat((by_column > 0).astype(int), columns)
        fewer = np.minimum(row_levels[:, None], column_levels[None, :]) - 1
        return np.asarray(np.sqrt(np.maximum(phi, 0) / np.where(fewer > 0, fewer, np.nan)))


def _starts(table: Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First row and first column of each pair's block in `_joint`."""
    p = table.numbers.shape[1]
    columns = np.concatenate([[0], np.cumsum(_sizes(table))[:-1]])
    return np.concatenate([np.arange(p) * (_BINS + 1), p * (_BINS + 1) + columns]), columns


def _sizes(table: Table) -> npt.NDArray[np.int64]:
    """Levels of each categorical column, missing being one."""
    return np.array([len(levels) + 1 for levels in table.layout.levels])


def _by_pair(cells: Floats, table: Table) -> Floats:
    """Sum cells of `_joint` over the block of each pair, shape (p + q, q)."""
    rows, columns = _starts(table)
    return np.asarray(np.add.reduceat(np.add.reduceat(cells, rows, axis=0), columns, axis=1))


def _joint(table: Table) -> Floats:
    """Shares of every (binned numeric or categorical level, categorical level)."""
    p, sizes = table.numbers.shape[1], _sizes(table)
    binned = _bins(table.numbers) if p else None
    categorical = _one_hot(table.codes + 1, sizes)
    if binned is None:
        rows = categorical
    else:
        rows = np.concatenate([_one_hot(binned, np.full(p, _BINS + 1)), categorical], axis=1)
    return np.asarray(rows.T @ categorical) / len(table)


def _bins(numbers: Floats) -> Codes:
    """Ten bins of equal width over each column's own range; maximum and NaN are an eleventh."""
    missing = np.isnan(numbers)
    low = np.where(missing, np.inf, numbers).min(axis=0)
    high = np.where(missing, -np.inf, numbers).max(axis=0)
    empty = low > high
    low, high = np.where(empty, 0.0, low), np.where(empty, 1.0, high)
    flat = low == high
    edges = np.linspace(low - 0.5 * flat, high + 0.5 * flat, _BINS + 1)
    place = (numbers[None] >= edges[:, None]).sum(axis=0) - 1
    return np.asarray(np.where(missing, _BINS, place), dtype=np.int64)


def _one_hot(codes: Codes, sizes: npt.NDArray[np.int64]) -> Floats:
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    out = np.zeros((len(codes), int(sizes.sum())))
    np.put_along_axis(out, codes + starts, 1.0, axis=1)
    return out


def _mean(distances: Floats) -> float:
    known = distances[np.isfinite(distances)]
    return float(known.mean()) if len(known) else float("nan")
