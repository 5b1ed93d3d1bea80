"""What the net sees of every value that a column can take, worked out once a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import ndtri

from generation.tokenizer import FloatArray, IntArray, NumericCodec
from generation.tokenizer_grids import Grid
from generation.twin_model.columns import BaselineColumns
from generation.twin_model.copula import EDGE
from generation.twin_model.network import Floats32

_MOST_VALUES = 4096


@dataclass(frozen=True)
class Lookup:
    """Network inputs and normal score of every value of one column.

    Attributes
    ----------
    grid
        The numbers' grid; None where a token is a value.
    first
        Number of the first value on the grid.
    inputs
        Of each value, the last for a missing number, (V, width).
    score
        Normal score of each number's rank, 0 for other columns and for missing, (V,).
    """

    grid: Grid | None
    first: int
    inputs: Floats32
    score: FloatArray

    @classmethod
    def of(cls, columns: BaselineColumns, column: int) -> Self | None:
        """Work the values out; None on a continuum, or where they are more than 4,096."""
        codec = columns.codecs[column]
        if not isinstance(codec, NumericCodec):
            tokens = np.arange(codec.tokens)
            inputs = columns.inputs_of(column, tokens, tokens.astype(np.float64))
            return cls(None, 0, inputs, np.zeros(len(tokens)))
        grid = codec.recorded
        if grid.kind == "continuum" or not codec.bins:
            return None
        ends = np.rint(grid.index(np.array([codec.knots.min(), codec.knots.max()])))
        if not 0 <= ends[1] - ends[0] < _MOST_VALUES:
            return None
        values = grid.value(np.arange(ends[0] - 1, ends[1] + 2))
        tokens = np.clip(codec.encode(values), 0, codec.bins - 1)
        values, tokens = np.append(values, np.nan), np.append(tokens, codec.bins)
        inputs = columns.inputs_of(column, tokens, values)
        return cls(grid, int(ends[0]) - 1, inputs, normal_score(inputs))

    def rows(self, token: IntArray, values: FloatArray) -> IntArray:
        """Place of each value in the tables, (n,)."""
        if self.grid is None:
            return token
        number = np.rint(self.grid.index(values)) - self.first
        last = len(self.inputs) - 1
        return np.where(np.isnan(number), last, np.clip(number, 0, last - 1)).astype(np.int64)


def normal_score(inputs: Floats32) -> FloatArray:
    """Normal score of numbers' ranks, which come first among their inputs; 0 where missing."""
    rank = (inputs[:, 0].astype(np.float64) + 1) / 2
    return np.asarray(ndtri(np.clip(rank, EDGE, 1 - EDGE)))
