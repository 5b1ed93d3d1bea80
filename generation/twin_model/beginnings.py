"""The joint law of the columns that begin an order, as one table a model.

Few patterns of discrete columns are possible, so their probabilities by the net, members averaged,
are worked out once for all patterns, and a patient takes one of them, with the token of the column
after them, by a single uniform.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from extraction.records import CohortSchema
from generation.cart_columns import plausible
from generation.tokenizer import FloatArray, IntArray, NumericCodec
from generation.twin_model.columns import BaselineColumns, Encoded

Probabilities = Callable[[npt.NDArray[np.float32], int], FloatArray]
Inputs = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Beginnings:
    """Patterns of all orders, one order after the other, and the law over them.

    Attributes
    ----------
    encoded
        Columns of each pattern, -1 for those that come later, (orders * P, C).
    inputs
        Network inputs of each pattern, (orders * P, width).
    cumulative
        Number of the order plus the share of its patients up to each pattern and token,
        (orders * P * T,).
    patterns, tokens
        P, and T: the most tokens of the column after the patterns, 1 where there is none.
    """

    encoded: Encoded
    inputs: Inputs
    cumulative: FloatArray
    patterns: int
    tokens: int

    @classmethod
    def of(
        cls, schema: CohortSchema, columns: BaselineColumns, orders: IntArray, early: int,
        probabilities: Probabilities,
    ) -> Self:
        """Work out the patterns of the first `early` columns of each order.

        Parameters
        ----------
        schema
            Holds the variables' plausible ranges.
        probabilities
            Of a column's tokens given network inputs.
        """
        found = [_patterns(schema, columns, order[:early], probabilities) for order in orders]
        last = [o[early] for o in orders] if early < len(columns) else []
        tokens = max([1, *(columns.codecs[c].tokens for c in last)])
        cumulative = []
        for k, (_, inputs, mass) in enumerate(found):
            joint = np.zeros((len(mass), tokens))
            joint[:, 0] = mass
            if last:
                chance = probabilities(inputs, int(last[k]))
                joint[:, : chance.shape[1]] = mass[:, None] * chance
            total = np.cumsum(joint.ravel())
            cumulative.append(k + total / total[-1])
        encoded = Encoded(
            np.concatenate([e.codes for e, _, _ in found]),
            np.concatenate([e.numbers for e, _, _ in found]),
        )
        inputs = np.concatenate([i for _, i, _ in found])
        return cls(encoded, inputs, np.concatenate(cumulative), len(found[0][2]), tokens)

    def draw(self, order: IntArray, choice: FloatArray) -> tuple[IntArray, IntArray]:
        """Pattern, as a row of the tables, and the next column's token of each patient, (n,)."""
        own = self.patterns * self.tokens
        place = np.searchsorted(self.cumulative, order + choice, side="right")
        place = np.clip(place, order * own, order * own + own - 1)
        return place // self.tokens, place % self.tokens


def _patterns(
    schema: CohortSchema, columns: BaselineColumns, order: IntArray, probabilities: Probabilities
) -> tuple[Encoded, Inputs, FloatArray]:
    """Patterns of these columns in turn, their network inputs and their probabilities."""
    count = len(columns)
    encoded = Encoded(np.full((1, count), -1, np.int64), np.full((1, count), np.nan))
    inputs, mass = np.zeros((1, columns.input_width), np.float32), np.ones(1)
    for c in order.tolist():
        chance = probabilities(inputs, c)
        tokens = chance.shape[1]
        mass = (mass[:, None] * chance).ravel()
        rows = np.repeat(np.arange(len(inputs)), tokens)
        encoded, inputs = encoded.take(rows), inputs[rows]
        codec, token = columns.codecs[c], np.tile(np.arange(tokens), len(rows) // tokens)
        encoded.codes[:, c] = encoded.numbers[:, c] = token
        if isinstance(codec, NumericCodec):
            name = columns.names[c]
            variable = schema.variable(columns.visit_of.get(name, (name, 0))[0])
            values = codec.decode(token, np.full(len(token), 0.5))
            encoded.numbers[:, c] = plausible(values, variable)
        inputs[:, columns.input_slices[c]] = columns.inputs(encoded, c)
    return encoded, inputs, mass
