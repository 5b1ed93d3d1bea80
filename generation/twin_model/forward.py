"""The next token of many patients at once, each by one member of the net and in his own column.

A patient's member is drawn anew for every column: the token then has the law of the members'
average, at the cost of one forward. Rows with one member and one column fill tiles of 64, so
that the shapes of all products are fixed and a patient's token does not depend on who else is
drawn. Tokens stand before patients within a tile, so that every pass over them is along memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from generation.tokenizer import IntArray
from generation.twin_model.network import TILE, Floats32, Network

_TILES_AT_ONCE = 16  # a block's arrays stay in a core's own cache
_NEVER = np.float32(-1e4)
_EPSILON = np.float32(4e-5)  # of the norm, for inputs twice as large


@dataclass(frozen=True)
class Plan:
    """Which place of which tile each row takes; tiles in order of their member and column.

    Attributes
    ----------
    place
        The place of each row, (n,).
    row
        The row at each place; row 0 where there is none, (t * 64,).
    key
        Member times columns plus column, of each tile, (t,).
    """

    place: IntArray
    row: IntArray
    key: IntArray

    @classmethod
    def of(cls, key: IntArray, keys: int) -> Self:
        """Lay rows out by their keys, of which there are `keys`."""
        order = np.argsort(key, kind="stable")
        counts = np.bincount(key, minlength=keys)
        tiles = -(-counts // TILE)
        shift = (np.cumsum(tiles) - tiles) * TILE - (np.cumsum(counts) - counts)
        place = np.empty(len(key), dtype=np.int64)
        place[order] = np.arange(len(key)) + np.repeat(shift, counts)
        row = np.zeros(int(tiles.sum()) * TILE, dtype=np.int64)
        row[place] = np.arange(len(key))
        return cls(place, row, np.repeat(np.arange(keys), tiles))

    def tiled(self, rows: npt.NDArray[Any]) -> Floats32:
        """Rows at their places, (t, 64, width)."""
        taken = rows.take(self.row, axis=0).reshape(-1, TILE, rows.shape[1])
        return np.asarray(taken, dtype=np.float32)


@dataclass(frozen=True)
class Forward:
    """A net's weights as single forwards want them.

    Attributes
    ----------
    network
        The net.
    blocks
        Weights of the residual blocks with norm and centring folded in, (members, blocks, h, h).
    block_bias
        Their biases, (members, blocks, h).
    head, skip, bias
        By member and column, padded to the most heads H: (members * C, h, H), (members * C,
        width, H) and (members * C, 1, H).
    basis, marginal
        By column, padded to the most tokens T: (C, T, H), (C, T, 1).
    score, log_share, tilts
        Of the copula, by column: a token's score and minus its square, its log share, and whether
        it is a bin that the copula tilts; (C, T, 2), (C, T, 1), (C, T, 1).
    """

    network: Network
    blocks: Floats32
    block_bias: Floats32
    head: Floats32
    skip: Floats32
    bias: Floats32
    basis: Floats32
    marginal: Floats32
    score: Floats32
    log_share: Floats32
    tilts: Floats32

    @cached_property
    def lower(self) -> Floats32:
        """Ones on and below the diagonal, which cumulate tokens, (T, T)."""
        return np.tri(self.basis.shape[1], dtype=np.float32)

    @cached_property
    def last(self) -> IntArray:
        """Last token of each column, (C,)."""
        slices = self.network.columns.token_slices
        return np.array([s.stop - s.start - 1 for s in slices], dtype=np.int64)

    @classmethod
    def of(cls, network: Network) -> Self:
        """Fold and pad a net's weights."""
        w = network.weights
        hidden = w["block"].shape[-1]
        centre = np.eye(hidden) - 1 / hidden
        scaled = w["norm"][:, 0, :, :, None] * w["block"]
        bias = w["block_bias"][:, 0] + (w["norm_bias"][:, 0, :, None] @ w["block"])[:, :, 0]
        return cls(
            network, (centre @ scaled).astype(np.float32), bias.astype(np.float32),
            *_heads(network), *_tokens(network), *_copula(network),
        )

    def draw(
        self, inputs: Floats32, member: IntArray, column: IntArray, slope: Floats32,
        choice: Floats32,
    ) -> IntArray:
        """Token of each row's column, shape (n,).

        Parameters
        ----------
        inputs
            Network inputs, shape (n, width).
        member, column
            The member that decides and the column that is next, (n,).
        slope
            What the copula's regression gives: mean / variance and (1 / variance - 1) / 2 of the
            column's score, (n, 2); 0 where it takes no part.
        choice
            Uniforms, (n,).
        """
        count = len(self.network.columns)
        plan = Plan.of(member * count + column, self.network.members * count)
        tiles = plan.tiled(inputs)
        given = plan.tiled(np.column_stack([slope, choice])).swapaxes(1, 2)
        found = np.empty((len(tiles), TILE), dtype=np.int64)
        for m in range(self.network.members):
            begin, end = np.searchsorted(plan.key, [m * count, (m + 1) * count])
            for first in range(begin, end, _TILES_AT_ONCE):
                part = slice(first, min(first + _TILES_AT_ONCE, end))
                found[part] = self._block(m, plan.key[part], tiles[part], given[part])
        return np.asarray(found.ravel()[plan.place])

    def _block(self, member: int, key: IntArray, tiles: Floats32, given: Floats32) -> IntArray:
        column = key - member * len(self.network.columns)
        out = self._hidden(member, tiles) @ self.head[key]
        out += tiles @ self.skip[key]
        out += self.bias[key]
        logits = self.basis[column] @ out.swapaxes(1, 2)
        logits += self.marginal[column]
        logits += self._tilt(column, given[:, :2])
        logits -= logits.max(axis=1, keepdims=True)
        chance = np.exp(logits, out=logits)
        cumulative = self.lower @ chance
        below = (cumulative <= cumulative[:, -1:] * given[:, 2:]).sum(axis=1)
        return np.asarray(np.minimum(below, self.last[column][:, None]))

    def _hidden(self, member: int, tiles: Floats32) -> Floats32:
        """Twice what the heads read: `head` and the folded norm are fitted to that."""
        w = self.network.weights
        hidden = tiles @ w["enter"][member]
        hidden += w["enter_bias"][member]
        hidden = _twice_gelu(hidden)
        mean = np.full((hidden.shape[-1], 1), 1 / hidden.shape[-1], dtype=np.float32)
        for weight, bias in zip(self.blocks[member], self.block_bias[member], strict=True):
            variance = (hidden * hidden) @ mean - np.square(hidden @ mean)
            inner = hidden @ weight
            inner /= np.sqrt(np.maximum(variance, 0) + _EPSILON)
            inner += bias
            hidden += _twice_gelu(inner)
        return hidden

    def _tilt(self, column: IntArray, slope: Floats32) -> Floats32:
        """As `Copula.tilt`, (t, T, 64)."""
        raw = self.score[column] @ slope
        weighted = raw + self.log_share[column]
        top = weighted.max(axis=1, keepdims=True)
        weighted -= top
        np.exp(weighted, out=weighted)
        raw -= top + np.log(weighted.sum(axis=1, keepdims=True))
        raw *= self.tilts[column]
        return np.asarray(raw, dtype=np.float32)


def _twice_gelu(x: Floats32) -> Floats32:
    """Twice the linear unit of `network.gelu`, in fewer passes."""
    inner = x * x
    inner *= np.float32(0.7978845608 * 0.044715)
    inner += np.float32(0.7978845608)
    inner *= x
    np.tanh(inner, out=inner)
    inner += np.float32(1)
    inner *= x
    return inner


def _heads(network: Network) -> tuple[Floats32, Floats32, Floats32]:
    w, slices = network.weights, network.columns.head_slices
    members, most = network.members, max(s.stop - s.start for s in slices)
    shapes = [w["head"].shape[-2], w["skip"].shape[-2], 1]
    found: list[Floats32] = [
        np.zeros((members, len(slices), size, most), np.float32) for size in shapes
    ]
    for c, own in enumerate(slices):
        for out, name in zip(found, ("head", "skip", "head_bias"), strict=True):
            part = w[name][..., own].reshape(members, -1, own.stop - own.start)
            out[:, c, :, : own.stop - own.start] = part
    head, skip, bias = (out.reshape(-1, *out.shape[2:]) for out in found)
    return np.asarray(head / 2, np.float32), skip, bias


def _tokens(network: Network) -> tuple[Floats32, Floats32]:
    columns = network.columns
    heads = max(s.stop - s.start for s in columns.head_slices)
    most = max(s.stop - s.start for s in columns.token_slices)
    basis = np.zeros((len(columns), most, heads), np.float32)
    marginal = np.full((len(columns), most, 1), _NEVER)
    for c, (own, tokens) in enumerate(
        zip(columns.head_slices, columns.token_slices, strict=True)
    ):
        block = columns.basis[own, tokens]
        basis[c, : block.shape[1], : block.shape[0]] = block.T
        marginal[c, : block.shape[1], 0] = columns.log_marginal[tokens]
    return basis, marginal


def _copula(network: Network) -> tuple[Floats32, Floats32, Floats32]:
    columns, copula = network.columns, network.copula
    most = max(s.stop - s.start for s in columns.token_slices)
    score = np.zeros((len(columns), most, 2), np.float32)
    log_share = np.full((len(columns), most, 1), _NEVER)
    log_share[:, 0] = 0
    tilts = np.zeros((len(columns), most, 1), np.float32)
    if "copula" not in network.weights:
        return score, log_share, tilts
    for j, c in enumerate(copula.columns.tolist()):
        own = copula.score[copula.owner == j]
        score[c, : len(own), 0], score[c, : len(own), 1] = own, -(own**2)
        log_share[c, : len(own), 0] = copula.log_share[copula.owner == j]
        tilts[c, : len(own)] = 1
    return score, log_share, tilts
