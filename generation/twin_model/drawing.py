"""Drawing whole baselines of many patients: the fast way where nothing is known of them.

Patients of all orders go forward together, a step a column: discrete columns at once from a table
(`beginnings`), then each other column by one member of the net (`forward`). The law is that of
drawing column by column from the members' average (`decoding`, which also meets conditions and
goes on from known columns); a patient's draws depend on his number alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from extraction.records import CohortSchema, Variable
from generation.cart_columns import plausible
from generation.randomness import Stream, decision_id
from generation.tokenizer import CategoricalCodec, FloatArray, IntArray, NumericCodec
from generation.twin_model.beginnings import Beginnings
from generation.twin_model.columns import BaselineColumns, Encoded
from generation.twin_model.forward import Forward
from generation.twin_model.lookup import Lookup, normal_score
from generation.twin_model.network import Floats32, Network
from generation.twin_model.orders import drawing_orders, early_columns

_LOT = 8192
_WIDEST = 64
_SCALE = 2.0**-32


@dataclass(frozen=True)
class Drawn:
    """What is known of the patients so far, written in place.

    `score` and `seen` are the copula's: the score of each column that takes part, and whether it
    is known and not missing, both (n, p).
    """

    encoded: Encoded
    inputs: Floats32
    score: FloatArray
    seen: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class WholeDraw:
    """Draws all baseline columns of patients of whom nothing is known.

    Attributes
    ----------
    orders
        Orders of the columns, (orders, C).
    early
        How many columns begin each order.
    place, level
        Each column's place among the copula's, -1 for none, (C,), and scores of the levels of
        those that are no numbers, (C, most tokens).
    known
        Which of the copula's columns come before each step of each order, (orders, C, p).
    slopes, variance
        The copula's regressions at each step where nothing is missing, (orders, C, p) and
        (orders, C).
    lookups
        What the net sees of each value of a column; None where values are too many.
    """

    schema: CohortSchema
    columns: BaselineColumns
    network: Network
    orders: IntArray
    early: int
    forward: Forward
    beginnings: Beginnings
    place: IntArray
    level: FloatArray
    known: npt.NDArray[np.bool_]
    slopes: FloatArray
    variance: FloatArray
    lookups: tuple[Lookup | None, ...]

    @classmethod
    def of(
        cls, schema: CohortSchema, columns: BaselineColumns, network: Network | None
    ) -> Self | None:
        """Prepare the tables; None where columns have too many tokens, or for another net."""
        tokens = np.array([codec.tokens for codec in columns.codecs], dtype=np.int64)
        if network is None or network.architecture != "mlp" or tokens.max() > _WIDEST:
            return None
        early = early_columns(columns)
        orders = drawing_orders(len(columns), early=early)
        beginnings = Beginnings.of(schema, columns, orders, len(early), network.probabilities)
        place, level = _copula_places(columns, network)
        known, slopes, variance = _regressions(network, orders, place)
        return cls(
            schema, columns, network, orders, len(early), Forward.of(network), beginnings,
            place, level, known, slopes, variance,
            tuple(Lookup.of(columns, c) for c in range(len(columns))),
        )

    def draw(self, patients: IntArray, stream: Stream) -> Encoded:
        """Baseline columns of each patient number, (n, C)."""
        parts = [
            self._lot(patients[i : i + _LOT], stream) for i in range(0, len(patients), _LOT)
        ]
        if len(parts) == 1:
            return parts[0]
        return Encoded(
            np.concatenate([p.codes for p in parts]), np.concatenate([p.numbers for p in parts])
        )

    def _lot(self, patients: IntArray, stream: Stream) -> Encoded:
        place = stream.uniform(patient=patients, decision=decision_id("order"))
        order = (place * len(self.orders)).astype(np.int64)
        choice = stream.uniform(patient=patients, decision=decision_id("beginning"))
        pattern, token = self.beginnings.draw(order, choice)
        drawn = self._begun(pattern)
        names = np.array([decision_id(f"{name}:token") for name in self.columns.names])
        for step in range(self.early, len(self.columns)):
            column = self.orders[order, step]
            words = stream.words(patient=patients, decision=names[column])
            first, second, third, fourth = (w.astype(np.float64) for w in words)
            if step > self.early:
                member = (second * _SCALE * self.network.members).astype(np.int64)
                slope = self._slope(drawn, order, step, column)
                uniform = ((first + 0.5) * _SCALE).astype(np.float32)
                token = self.forward.draw(drawn.inputs, member, column, slope, uniform)
            inside = (third + (fourth + 0.5) * _SCALE) * _SCALE
            for c in np.unique(self.orders[:, step]).tolist():
                rows = np.flatnonzero(column == c)
                self._write(drawn, c, rows, token[rows], inside[rows])
        return drawn.encoded

    def _begun(self, pattern: IntArray) -> Drawn:
        """Patients with the columns of their patterns."""
        table = self.beginnings
        if "copula" in self.network.weights:
            score, seen = self.network.copula.scores(table.inputs)
        else:
            score = np.zeros((len(table.inputs), 0))
            seen = score > 0
        return Drawn(
            table.encoded.take(pattern), table.inputs[pattern], score[pattern], seen[pattern]
        )

    def _slope(self, drawn: Drawn, order: IntArray, step: int, column: IntArray) -> Floats32:
        """What the copula says of each row's column, as `Forward.draw` wants it."""
        slopes, variance = self.slopes[order, step], self.variance[order, step]
        lacking = self.known[order, step] & ~drawn.seen
        weights = self.network.weights.get("copula", np.zeros((0, 0))).astype(np.float64)
        rows = np.flatnonzero(lacking.any(axis=1) & (self.place[column] >= 0))
        for c in np.unique(column[rows]).tolist():
            mine = rows[column[rows] == c]
            slopes[mine], left = self.network.copula.regression(
                weights, int(self.place[c]), drawn.seen[mine]
            )
            variance[mine] = left[:, 0]
        mean = np.einsum("np,np->n", slopes, drawn.score)
        both = np.column_stack([mean / variance, (1 / variance - 1) / 2])
        return both.astype(np.float32)

    def _write(
        self, drawn: Drawn, column: int, rows: IntArray, token: IntArray, place: FloatArray
    ) -> None:
        """Write some rows' token of one column, its value, network inputs and score."""
        codec, part = self.columns.codecs[column], self.place[column]
        values = token.astype(np.float64)
        if isinstance(codec, NumericCodec):
            values = plausible(codec.decode(token, place), self._variable(column))
        drawn.encoded.codes[rows, column] = token
        drawn.encoded.numbers[rows, column] = values
        own, lookup = self.columns.input_slices[column], self.lookups[column]
        if lookup is not None:
            at = lookup.rows(token, values)
            drawn.inputs[rows, own], score = lookup.inputs[at], lookup.score[at]
        else:
            block = self.columns.inputs_of(column, token, values)
            drawn.inputs[rows, own], score = block, normal_score(block)
        if part >= 0:
            if not isinstance(codec, NumericCodec):
                score = self.level[column, token]
            drawn.seen[rows, part] = token < codec.bins
            drawn.score[rows, part] = np.where(token < codec.bins, score, 0.0)

    def _variable(self, column: int) -> Variable:
        name = self.columns.names[column]
        return self.schema.variable(self.columns.visit_of.get(name, (name, 0))[0])


def _copula_places(
    columns: BaselineColumns, network: Network
) -> tuple[IntArray, FloatArray]:
    """Each column's place among the copula's, and its levels' scores (NaN for missing)."""
    place = np.full(len(columns), -1, dtype=np.int64)
    level = np.full((len(columns), _WIDEST), np.nan)
    if "copula" in network.weights:
        copula = network.copula
        place[copula.columns] = np.arange(len(copula.columns))
        for j, c in enumerate(copula.columns.tolist()):
            if isinstance(columns.codecs[c], CategoricalCodec):
                own = copula.score[copula.owner == j]
                level[c, : len(own)] = own
    return place, level


def _regressions(
    network: Network, orders: IntArray, place: IntArray
) -> tuple[npt.NDArray[np.bool_], FloatArray, FloatArray]:
    """What is known before each step of each order, and the copula's regressions on it."""
    parts = int((place >= 0).sum())
    known = np.zeros((*orders.shape, parts), dtype=bool)
    slopes, variance = np.zeros(known.shape), np.ones(orders.shape)
    for k, order in enumerate(orders):
        for step in range(1, len(order)):
            known[k, step] = known[k, step - 1]
            before = place[order[step - 1]]
            if before >= 0:
                known[k, step, before] = True
    for c in np.flatnonzero(place >= 0).tolist():
        at = np.nonzero(orders == c)
        weights = network.weights["copula"].astype(np.float64)
        slopes[at], left = network.copula.regression(weights, int(place[c]), known[at])
        variance[at] = left[:, 0]
    return known, slopes, variance
