"""The column-token transformer: a second baseline net behind the interface of the first.

Each column is one token: its inputs projected, plus an embedding of the column, plus a learned
one where the column is unknown. Two pre-norm layers attend over columns, and each column's own
token gives its logits' coefficients. Marginals, copula, linear skip, training and tiles are those
of `generation.twin_model.network`. Tokens as in Gorishniy et al. (2021), "Revisiting deep
learning models for tabular data", arXiv 2106.11959; masked ones as in Devlin et al. (2019), arXiv
1810.04805.

Measured on development parts (held-out log-probability of 1,000 patients' baseline columns,
transformer less MLP, in nats with its standard error; the MLP trained until it stopped):

- FLCHAIN (n = 4,916, 7 columns), one member, 24 epochs: +.008 (.008) for 31 CPU-s against 7;
- the same with 50 epochs: +.017 (.008), 52 against 4;
- FLCHAIN, three members, 12 epochs (as many as fit into 50 CPU-s): -.039 (.009), 40 against 15;
- SUPPORT2 (n = 2,000, 30 columns), one member, 16 epochs: -2.39 (.07), 33 against 11;
- the same with 40 epochs: +.004 (.063), 80 against 10.

So one member gains a little when it is trained for ten times the MLP's cost, less than the MLP
gains from its other two members (.024), and nothing at a cost that whole fits can bear. Drawing is
about 19 times slower (2,500 against 46,000 rows a CPU-second at 5 columns). It is an option, not
the default. Each run ended at its epochs, before its early stop: what more time or a GPU gives is
not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np

from generation.tokenizer import CategoricalCodec, IntArray
from generation.twin_model.columns import BaselineColumns
from generation.twin_model.copula import OBSERVED, Copula
from generation.twin_model.network import Floats32, Network, gelu

HEADS = 4
_TILES_AT_ONCE = 16


@dataclass(frozen=True)
class TokenLayout:
    """Where each column's token finds its inputs, and where its coefficients go.

    Attributes
    ----------
    inputs
        Places of a column's inputs, padded by the place after the last, shape (C, most inputs).
    known
        Place of each column's flag that says it is observed, shape (C,).
    outputs
        Places of all coefficients among C times `most`, shape (heads,).
    most
        Most coefficients of a column.
    """

    inputs: IntArray
    known: IntArray
    outputs: IntArray
    most: int

    @classmethod
    def of(cls, columns: BaselineColumns) -> Self:
        """Read the places off the columns."""
        slices, heads = columns.input_slices, columns.head_slices
        inputs = np.full(
            (len(columns), max(s.stop - s.start for s in slices)), columns.input_width
        )
        known = np.zeros(len(columns), dtype=np.int64)
        most = max(1, *(h.stop - h.start for h in heads))
        for c, (own, codec) in enumerate(zip(slices, columns.codecs, strict=True)):
            inputs[c, : own.stop - own.start] = np.arange(own.start, own.stop)
            last = isinstance(codec, CategoricalCodec)
            known[c] = own.stop - 1 if last else own.start + OBSERVED
        outputs = [c * most + np.arange(h.stop - h.start) for c, h in enumerate(heads)]
        return cls(inputs.astype(np.int64), known, np.concatenate(outputs), most)


@dataclass(frozen=True)
class TransformerNetwork(Network):
    """Weights of all members' transformers, stacked along the first axis."""

    architecture: ClassVar[str] = "transformer"

    @property
    def size(self) -> tuple[int, int]:
        """Width of a token, and layers."""
        _, layers, width, _ = self.weights["attend"].shape
        return int(width), int(layers)

    @cached_property
    def layout(self) -> TokenLayout:
        """Where tokens find their inputs."""
        return TokenLayout.of(self.columns)

    def coefficients(self, tiles: Floats32, column: int) -> Floats32:
        """Each member's coefficients of one column's basis, (members, tiles, 64, heads)."""
        parts = [
            self._coefficients(tiles[first : first + _TILES_AT_ONCE], column)
            for first in range(0, max(len(tiles), 1), _TILES_AT_ONCE)
        ]
        return np.concatenate(parts, axis=1)

    def _coefficients(self, tiles: Floats32, column: int) -> Floats32:
        w, (_, layers) = self.weights, self.size
        hidden = self._tokens(tiles)
        for k in range(layers):
            # The last layer is asked for one column alone; all layers read every column.
            asked = slice(column, column + 1) if k == layers - 1 else slice(None)
            seen = self._normed(hidden, 2 * k)
            hidden = hidden[:, :, asked] + self._attended(seen, asked, k)
            inner = self._dense(self._normed(hidden, 2 * k + 1), "up", k)
            hidden = hidden + self._dense(gelu(inner), "down", k)
        own = self._normed(hidden, 2 * layers)[:, :, 0]
        heads = self.columns.head_slices[column]
        head = w["head"][:, None, column, :, : heads.stop - heads.start]
        skip, bias = (w[name][:, None, :, heads] for name in ("skip", "head_bias"))
        return np.asarray(own @ head + bias + tiles @ skip, dtype=np.float32)

    def _tokens(self, tiles: Floats32) -> Floats32:
        """Tokens of all columns, shape (members, tiles, C, 64, width)."""
        w, layout = self.weights, self.layout
        padded = np.concatenate([tiles, np.zeros_like(tiles[..., :1])], axis=-1)
        blocks = np.ascontiguousarray(np.moveaxis(padded[..., layout.inputs], 1, 2))
        unknown = 1 - np.moveaxis(tiles[..., layout.known], 1, 2)[..., None]
        tokens = blocks @ w["enter"][:, None] + w["column"][:, None, :, None]
        return np.asarray(tokens + unknown * w["mask"][:, None, None, None], dtype=np.float32)

    def _normed(self, hidden: Floats32, k: int) -> Floats32:
        """Layer norm k."""
        inner = hidden - hidden.mean(axis=-1, keepdims=True)
        inner /= np.sqrt((inner * inner).mean(axis=-1, keepdims=True) + np.float32(1e-5))
        inner *= self.weights["norm"][:, None, None, :, k]
        inner += self.weights["norm_bias"][:, None, None, :, k]
        return np.asarray(inner, dtype=np.float32)

    def _dense(self, inner: Floats32, name: str, k: int) -> Floats32:
        """A linear layer on every token; one product a tile and column."""
        weight, bias = self.weights[name][:, None, None, k], self.weights[f"{name}_bias"]
        return np.asarray(inner @ weight + bias[:, None, None, :, k])

    def _attended(self, seen: Floats32, asked: slice, k: int) -> Floats32:
        """What the asked columns' tokens take from all tokens, layer k."""
        members, tiles, _, rows, width = seen.shape
        parts = self._dense(seen, "attend", k).reshape(
            members, tiles, -1, rows, 3, HEADS, width // HEADS
        )
        # To (members, tiles, 64, heads, columns, width of a head): a patient by himself.
        query, key, value = (
            np.ascontiguousarray(np.moveaxis(parts[..., p, :, :], 2, 4)) for p in range(3)
        )
        score = query[..., asked, :] @ np.swapaxes(key, -1, -2)
        score *= np.float32((width // HEADS) ** -0.5)
        score = np.exp(score - score.max(axis=-1, keepdims=True))
        score /= score.sum(axis=-1, keepdims=True)
        joined = np.moveaxis(score @ value, 4, 2)
        flat = joined.reshape(members, tiles, joined.shape[2], rows, width)
        return self._dense(flat, "join", k)


NETWORKS: dict[str, type[Network]] = {"mlp": Network, "transformer": TransformerNetwork}
"""The class of each architecture."""


def network_of(
    architecture: str, weights: dict[str, Floats32], columns: BaselineColumns
) -> Network:
    """A net from its weights."""
    return NETWORKS[architecture](weights, columns, Copula.of(columns))
