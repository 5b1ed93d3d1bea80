"""Which earlier column each column leans on, and how strongly, by leave-one-out likelihood.

Within a class the columns form a tree (Meila and Jordan, 2000, "Learning with mixtures of
trees", JMLR 1): a column depends on one earlier column at most. The conditional table of an
edge is a kernel-smoothed count table shrunk to the column's own distribution; bandwidths and
shrinkage maximise the likelihood of each patient under the table of all the others, which
also says whether the edge is worth having.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from generation.cart_columns import EndpointCodec, FlatColumns
from generation.tokenizer import MINIMUM_CELL, CategoricalCodec, Codec, FloatArray, IntArray

_BANDWIDTHS = (0.0, 1.0, 2.5)
_SHRINKAGE = (0.1, 0.5, 2.0, 8.0, 32.0)
_MOST_ROWS = 20_000


@dataclass(frozen=True)
class Smoothing:
    """How an edge's counts are smoothed.

    Attributes
    ----------
    parent
        Name of the column leant on; None for a root.
    before, own
        Kernel bandwidths over the tokens of the parent and of the column, in tokens.
    shrink
        Pseudo-patients of the column's own distribution added to each row.
    gain
        Leave-one-out log-likelihood gained over a root, in nats.
    """

    parent: str | None
    before: float = 0.0
    own: float = 0.0
    shrink: float = 1.0
    gain: float = 0.0


def ordered_runs(codec: Codec | EndpointCodec) -> list[tuple[int, int]]:
    """Runs of tokens that have an order: bins of a number, levels, days of one status."""
    if isinstance(codec, EndpointCodec):
        starts = codec.starts
        return [(int(a), int(b)) for a, b in pairwise(starts)]
    if isinstance(codec, CategoricalCodec) and not codec.ordinal:
        return []
    return [(0, codec.bins)]


def kernel(tokens: int, runs: Sequence[tuple[int, int]], bandwidth: float) -> FloatArray:
    """Row-normalised Gaussian weights between tokens of one run; shape (tokens, tokens)."""
    weights = np.eye(tokens)
    if bandwidth == 0.0:
        return weights
    for start, stop in runs:
        place = np.arange(start, stop)
        gap = (place[:, None] - place[None, :]) / bandwidth
        weights[start:stop, start:stop] = np.exp(-0.5 * gap**2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def pair_counts(
    before: IntArray, own: IntArray, shape: tuple[int, int], weight: FloatArray | None = None
) -> FloatArray:
    """Counts of two columns' tokens, of patients who have both; shape (parent, own)."""
    both = (before >= 0) & (own >= 0)
    flat = before[both] * shape[1] + own[both]
    taken = None if weight is None else weight[both]
    return np.bincount(flat, taken, minlength=shape[0] * shape[1]).reshape(shape).astype(float)


def own_distribution(codes: IntArray, tokens: int) -> FloatArray:
    """Share of each token, half a patient spread over all of them."""
    counts = np.bincount(codes[codes >= 0], minlength=tokens).astype(np.float64)
    return np.asarray((counts + 0.5 / tokens) / (counts.sum() + 0.5))


def best_parent(
    columns: FlatColumns,
    codes: dict[str, IntArray],
    name: str,
    candidates: Sequence[str],
) -> Smoothing:
    """Earlier column that foretells this one best, or none."""
    rows = slice(0, _MOST_ROWS)
    own = codes[name][rows]
    base = own_distribution(own, columns.tokens(name))
    best = Smoothing(None)
    for candidate in candidates:
        shape = (columns.tokens(candidate), columns.tokens(name))
        counts = pair_counts(codes[candidate][rows], own, shape)
        found = _tune(counts, base, columns, candidate, name)
        if found.gain > best.gain:
            best = found
    return best


def _tune(
    counts: FloatArray, base: FloatArray, columns: FlatColumns, parent: str, name: str
) -> Smoothing:
    """Bandwidths and shrinkage of the greatest leave-one-out likelihood."""
    alone = counts.sum(axis=0)
    n = alone.sum()
    left = np.maximum(alone - 1 + 0.5 / len(alone), 1e-9) / max(n - 0.5, 1.0)
    reference = float(np.sum(alone * np.log(left)))
    best = Smoothing(None, gain=0.0)
    runs = [ordered_runs(columns.codecs[c]) for c in (parent, name)]
    for before in _BANDWIDTHS if runs[0] else _BANDWIDTHS[:1]:
        rows = kernel(counts.shape[0], runs[0], before)
        for own in _BANDWIDTHS if runs[1] else _BANDWIDTHS[:1]:
            cols = kernel(counts.shape[1], runs[1], own)
            smooth = rows.T @ counts @ cols
            self_share = np.diag(rows)[:, None] * np.diag(cols)[None, :]
            total = (rows.T @ counts.sum(axis=1) - np.diag(rows))[:, None]
            for shrink in _SHRINKAGE:
                top = np.maximum(smooth - self_share, 0.0) + shrink * base
                value = np.log(top / (np.maximum(total, 0.0) + shrink))
                gain = float(np.sum(counts * value)) - reference
                if gain > best.gain:
                    best = Smoothing(parent, before, own, shrink, gain)
    return best


def conditional_table(
    columns: FlatColumns,
    codes: dict[str, IntArray],
    name: str,
    edge: Smoothing,
) -> FloatArray:
    """Probability of each token by the parent's token; shape (parent tokens + 1, tokens).

    The last row is the column's own distribution, for patients whose parent is unknown. Rows
    that fewer than five patients stand behind are the own distribution too.
    """
    base = own_distribution(codes[name], columns.tokens(name))
    if edge.parent is None:
        return base[None, :].repeat(2, axis=0)
    shape = (columns.tokens(edge.parent), columns.tokens(name))
    counts = pair_counts(codes[edge.parent], codes[name], shape)
    rows = kernel(shape[0], ordered_runs(columns.codecs[edge.parent]), edge.before)
    cols = kernel(shape[1], ordered_runs(columns.codecs[name]), edge.own)
    smooth = rows.T @ counts @ cols + edge.shrink * base
    table = smooth / smooth.sum(axis=1, keepdims=True)
    table[rows.T @ counts.sum(axis=1) < MINIMUM_CELL] = base
    return np.concatenate([table, base[None, :]])


def candidates_for(columns: FlatColumns, order: Sequence[str], name: str) -> list[str]:
    """Earlier columns that a column may lean on.

    A visit value looks at its own earlier visits, at the earlier variables of its visit and at
    the columns that are no visits; looking at every other visit too would cost the square of
    their number.
    """
    earlier = list(order[: order.index(name)])
    if name not in columns.visit_of:
        return earlier
    variable, visit = columns.visit_of[name]
    return [
        c for c in earlier
        if c not in columns.visit_of
        or columns.visit_of[c][1] == visit
        or columns.visit_of[c][0] == variable
    ]


def tilt_basis(
    codec: Codec | EndpointCodec, share: FloatArray, degree: int = 2
) -> FloatArray:
    """Smooth functions of a column's tokens in which tilts are written; (tokens, functions).

    A number or ordinal: powers of the rank up to the degree, and whether it is missing; a
    categorical: each category; an endpoint: each status, and the day's rank within it. Each has
    mean 0 and variance 1 under the column's own distribution.
    """
    tokens = codec.tokens
    runs = ordered_runs(codec)
    inside = np.zeros(tokens, dtype=bool)
    functions: list[FloatArray] = []
    for start, stop in runs:
        inside[start:stop] = True
        mass = share[start:stop]
        rank = np.zeros(tokens)
        place = (np.cumsum(mass) - mass / 2) / max(float(mass.sum()), 1e-12)
        rank[start:stop] = 2.0 * place - 1.0
        here = np.zeros(tokens)
        here[start:stop] = 1.0
        functions += [here, rank, here * (1.5 * rank**2 - 0.5)][: degree + 1]
    functions += [np.eye(tokens)[x] for x in np.flatnonzero(~inside)]
    matrix = np.column_stack(functions) if functions else np.zeros((tokens, 0))
    matrix = matrix - share @ matrix
    spread = np.sqrt(share @ matrix**2)
    matrix = matrix[:, spread > 0.02]
    return np.asarray(matrix / np.maximum(spread[spread > 0.02], 1e-12))
