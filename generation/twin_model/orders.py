"""The few orders in which patients' columns are drawn, and where columns' tokens stand."""

from __future__ import annotations

import numpy as np

from generation.randomness import generator
from generation.tokenizer import CategoricalCodec, Codec, IntArray
from generation.twin_model.columns import BaselineColumns

ORDERS = 8
MOST_PATTERNS = 512
"""Most patterns of the columns that begin every order."""


def drawing_orders(
    columns: int, orders: int = ORDERS, early: IntArray | None = None
) -> IntArray:
    """Orders in which patients are drawn: the columns' own and random ones, (orders, columns).

    They depend on the number of columns and on which are early alone. Few of them, so that
    patients who draw the same column next share a forward, and so that the net can be trained on
    the very beginnings it will meet; each patient has one of them by his number.

    Parameters
    ----------
    early
        Columns that begin every order, in an order of its own each (`early_columns`).
    """
    rng = generator(0, "twin orders", columns)
    first = np.zeros(0, dtype=np.int64) if early is None else early
    last = np.setdiff1d(np.arange(columns), first)
    drawn = [np.concatenate([first, last])]
    drawn += [
        np.concatenate([rng.permutation(first), rng.permutation(last)])
        for _ in range(orders - 1)
    ]
    return np.stack(drawn).astype(np.int64)


def early_columns(columns: BaselineColumns) -> IntArray:
    """Columns that begin every order: few patterns of values, so one table holds them all.

    Those whose token is their value, fewest tokens first, up to 512 patterns together.
    """
    found, patterns = [], 1
    sizes = [codec.tokens for codec in columns.codecs]
    for c in sorted(range(len(columns)), key=lambda c: (sizes[c], c)):
        patterns *= sizes[c] if _is_value(columns.codecs[c]) else 1
        if patterns > MOST_PATTERNS:
            break
        if _is_value(columns.codecs[c]):
            found.append(c)
    return np.array(sorted(found), dtype=np.int64)


def _is_value(codec: Codec) -> bool:
    """Whether a token stands for one value."""
    return isinstance(codec, CategoricalCodec) or bool(codec.atom.all())


def token_places(columns: BaselineColumns) -> IntArray:
    """Places of each column's tokens among all, -1 padded, shape (columns, most tokens)."""
    widest = max((s.stop - s.start for s in columns.token_slices), default=1)
    places = np.full((len(columns), widest), -1, dtype=np.int64)
    for c, tokens in enumerate(columns.token_slices):
        places[c, : tokens.stop - tokens.start] = np.arange(tokens.start, tokens.stop)
    return places
