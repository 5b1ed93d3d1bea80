"""The few orders in which patients' columns are drawn, and where columns' tokens stand."""

from __future__ import annotations

import numpy as np

from generation.randomness import generator
from generation.tokenizer import IntArray
from generation.twin_model.columns import BaselineColumns

ORDERS = 8


def drawing_orders(columns: int, orders: int = ORDERS) -> IntArray:
    """Orders in which patients are drawn: the columns' own and random ones, (orders, columns).

    They depend on the number of columns alone. Few of them, so that patients who draw the same
    column next share a forward, and so that the net can be trained on the very beginnings it
    will meet; each patient has one of them by his number.
    """
    rng = generator(0, "twin orders", columns)
    drawn = [np.arange(columns), *(rng.permutation(columns) for _ in range(orders - 1))]
    return np.stack(drawn).astype(np.int64)


def token_places(columns: BaselineColumns) -> IntArray:
    """Places of each column's tokens among all, -1 padded, shape (columns, most tokens)."""
    widest = max((s.stop - s.start for s in columns.token_slices), default=1)
    places = np.full((len(columns), widest), -1, dtype=np.int64)
    for c, tokens in enumerate(columns.token_slices):
        places[c, : tokens.stop - tokens.start] = np.arange(tokens.start, tokens.stop)
    return places
