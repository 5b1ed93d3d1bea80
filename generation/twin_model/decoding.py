"""Drawing baseline columns one by one, in one of a few orders for each patient."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from extraction.records import CohortSchema, InputError
from extraction.records.conditions import Interval
from generation.assembly import Values
from generation.cart import pick
from generation.cart_columns import Bound, inside, plausible, region_of
from generation.randomness import Stream, decision_id, integer_seed
from generation.tokenizer import FloatArray, IntArray, NumericCodec, Region
from generation.twin_model.columns import BaselineColumns, Encoded
from generation.twin_model.drawing import WholeDraw
from generation.twin_model.network import Network
from generation.twin_model.orders import drawing_orders, early_columns

CANDIDATES = 16
_LOT = 4096
_MOST_ATTEMPTS = 200


@dataclass(frozen=True)
class BaselineDraw:
    """Drawn baseline columns and how the condition was met."""

    encoded: Encoded
    region_probability: float
    effective_share: float


@dataclass(frozen=True)
class Rows:
    """Who is drawn: patient numbers and candidate numbers, which key the draws."""

    patients: IntArray
    index: IntArray
    stream: Stream

    def uniforms(self, name: str, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        """Two uniforms for one column of some rows: the token's and the place's."""
        words = self.stream.words(
            patient=self.patients[rows], decision=decision_id(f"{name}:token"),
            index=self.index[rows],
        )
        first, second, third, fourth = (w.astype(np.float64) for w in words)
        scale = 2.0**-32
        return (first + (second + 0.5) * scale) * scale, (third + (fourth + 0.5) * scale) * scale


@dataclass(frozen=True)
class BaselineSampler:
    """An any-order sampler over the baseline columns."""

    schema: CohortSchema
    columns: BaselineColumns
    network: Network | None

    def draw(
        self,
        patients: IntArray,
        stream: Stream,
        bounds: dict[str, Bound] | None = None,
        known: Encoded | None = None,
        only_bounds: bool = False,
    ) -> BaselineDraw:
        """Draw the baseline of each patient number.

        Parameters
        ----------
        patients
            Patient numbers, shape (n,): they, and nothing else, key the draws.
        bounds
            Conditions on columns: these columns are drawn first from renormalised bins;
            where there are two or more, each patient keeps one of 16 candidates in
            proportion to the probability of its condition.
        known
            Columns that are fixed (tokens >= 0), one row a patient.
        only_bounds
            Draw the conditioned columns only, for the probability of the condition.
        """
        n = len(patients)
        if not len(self.columns):
            return BaselineDraw(Encoded(np.zeros((n, 0), np.int64), np.zeros((n, 0))), 1.0, 1.0)
        start = known or Encoded(
            np.full((n, len(self.columns)), -1, np.int64), np.full((n, len(self.columns)), np.nan)
        )
        direct, computed = self._parted(bounds or {})
        found = self._drawn(patients, stream, direct, start, only_bounds and not computed)
        return self._until_met(found, patients, stream, direct, computed, start)

    def _drawn(
        self,
        patients: IntArray,
        stream: Stream,
        bounds: dict[str, Bound],
        start: Encoded,
        only_bounds: bool,
    ) -> BaselineDraw:
        """Draw under conditions on columns that are drawn themselves."""
        regions = {
            self.columns.names.index(name): (region_of(self._codec(name), bound), bound)
            for name, bound in bounds.items()
        }
        probability = share = 1.0
        if regions:
            start, probability, share = self._restricted(patients, stream, regions, start)
        if only_bounds:
            return BaselineDraw(start, probability, share)
        if not regions and self.whole is not None and not np.any(start.codes >= 0):
            return BaselineDraw(self.whole.draw(patients, stream), 1.0, 1.0)
        encoded = start.copy()
        for order, rows in self._by_order(patients, stream):
            free = [c for c in order if c not in regions]
            part = Rows(patients[rows], np.zeros(len(rows), np.int64), stream)
            found, _ = self._chain(part, free, {}, start.take(rows))
            encoded.codes[rows], encoded.numbers[rows] = found.codes, found.numbers
        return BaselineDraw(encoded, probability, share)

    @cached_property
    def orders(self) -> IntArray:
        """Orders in which patients are drawn, as the net was trained, (orders, C)."""
        return drawing_orders(len(self.columns), early=early_columns(self.columns))

    @cached_property
    def whole(self) -> WholeDraw | None:
        """The fast way for patients of whom nothing is known; None where there is none."""
        return WholeDraw.of(self.schema, self.columns, self.network)

    def _parted(self, bounds: dict[str, Bound]) -> tuple[dict[str, Bound], dict[str, Bound]]:
        """Conditions on drawn columns, and on those that are computed from them."""
        computed = {rule.target for rule in self.columns.rules}
        return (
            {name: bound for name, bound in bounds.items() if name not in computed},
            {name: bound for name, bound in bounds.items() if name in computed},
        )

    def _until_met(
        self,
        found: BaselineDraw,
        patients: IntArray,
        stream: Stream,
        bounds: dict[str, Bound],
        computed: dict[str, Bound],
        start: Encoded,
    ) -> BaselineDraw:
        """Draw patients again, whole, until their computed columns meet the condition.

        Raises
        ------
        InputError
            When a patient has not met it in 200 draws.
        """
        if not computed:
            return found
        open_ = np.flatnonzero(~self._met(found.encoded, computed))
        share = 1 - len(open_) / max(len(patients), 1)
        for attempt in range(1, _MOST_ATTEMPTS):
            if not len(open_):
                break
            again = Stream(integer_seed(stream.seed, "computed again", attempt), stream.name)
            drawn = self._drawn(patients[open_], again, bounds, start.take(open_), False).encoded
            found.encoded.codes[open_], found.encoded.numbers[open_] = drawn.codes, drawn.numbers
            open_ = open_[~self._met(drawn, computed)]
        if len(open_):
            raise InputError(
                f"given: {', '.join(computed)}: computed from other columns, and met by too few of "
                "this model's patients; put the condition on those columns, or widen it"
            )
        return BaselineDraw(
            found.encoded, found.region_probability * share, found.effective_share
        )

    def _met(self, encoded: Encoded, computed: dict[str, Bound]) -> npt.NDArray[np.bool_]:
        met = np.ones(len(encoded.codes), dtype=bool)
        for name, bound in computed.items():
            values = self.columns.decode(encoded, name)
            met &= within(values, bound)
        return met

    def _by_order(self, patients: IntArray, stream: Stream) -> list[tuple[list[int], IntArray]]:
        """The orders, each with the rows of the patients whose order it is, in lots."""
        orders = self.orders
        place = stream.uniform(patient=patients, decision=decision_id("order"))
        mine = (place * len(orders)).astype(np.int64)
        lots = []
        for k, order in enumerate(orders.tolist()):
            rows = np.flatnonzero(mine == k)
            lots += [(order, rows[i : i + _LOT]) for i in range(0, len(rows), _LOT)]
        return lots

    def _codec(self, name: str) -> NumericCodec:
        return self.columns.codecs[self.columns.names.index(name)]  # type: ignore[return-value]

    def _restricted(
        self,
        patients: IntArray,
        stream: Stream,
        regions: dict[int, tuple[Region, Bound]],
        start: Encoded,
    ) -> tuple[Encoded, float, float]:
        """Draw the conditioned columns by importance resampling, lot by lot."""
        n = len(patients)
        width = CANDIDATES if len(regions) > 1 else 1
        encoded, weights = start.copy(), np.zeros((n, width))
        for first in range(0, n, _LOT // CANDIDATES):
            lot = np.arange(first, min(first + _LOT // CANDIDATES, n))
            rows = np.repeat(lot, width)
            part = Rows(patients[rows], np.tile(np.arange(width), len(lot)), stream)
            drawn, log_weight = self._chain(part, list(regions), regions, start.take(rows))
            weights[lot] = np.exp(log_weight).reshape(-1, width)
            choice = stream.uniform(patient=patients[lot], decision=decision_id("candidate"))
            kept = drawn.take(np.arange(len(lot)) * width + pick(weights[lot] + 1e-300, choice))
            encoded.codes[lot], encoded.numbers[lot] = kept.codes, kept.numbers
        if not weights.max() > 1e-9:
            raise InputError("given: no patient of this model meets the condition; widen it")
        total = weights.sum(axis=1)
        share = np.mean(total**2 / np.maximum((weights**2).sum(axis=1), 1e-300)) / width
        return encoded, float(weights.mean()), float(share)

    def _chain(
        self,
        part: Rows,
        order: list[int],
        regions: dict[int, tuple[Region, Bound]],
        start: Encoded,
    ) -> tuple[Encoded, FloatArray]:
        """Draw the rows' columns in one order; return the log probability of regions."""
        encoded = start.copy()
        inputs = self._inputs(encoded)
        log_weight = np.zeros(len(inputs))
        for c in order:
            open_ = np.flatnonzero(start.codes[:, c] < 0)
            if not len(open_):
                continue
            chance = self._next(inputs[open_], c)
            region, bound = regions.get(c, (None, None))
            if region is not None:
                chance = chance * region.share
                log_weight[open_] += np.log(np.maximum(chance.sum(axis=1), 1e-300))
            name, codec = self.columns.names[c], self.columns.codecs[c]
            choice, place = part.uniforms(name, open_)
            token = pick(chance, choice)
            encoded.codes[open_, c] = encoded.numbers[open_, c] = token
            if isinstance(codec, NumericCodec):
                encoded.numbers[open_, c] = self._number(name, codec, token, place, region, bound)
            block = self.columns.inputs(encoded.take(open_), c)
            inputs[open_, self.columns.input_slices[c]] = block
        return encoded, log_weight

    def _next(self, inputs: np.ndarray, column: int) -> FloatArray:
        """Token probabilities of the next column; where nothing is known one row serves all."""
        if len(inputs) > 1 and not inputs.any():
            return np.repeat(self.probabilities(inputs[:1], column), len(inputs), axis=0)
        return self.probabilities(inputs, column)

    def _number(
        self,
        name: str,
        codec: NumericCodec,
        token: IntArray,
        place: FloatArray,
        region: Region | None,
        bound: Bound | None,
    ) -> FloatArray:
        """Value inside the drawn bin, within the condition and the plausible range."""
        if region is not None:
            place = region.start[token] + place * (region.stop[token] - region.start[token])
        variable = self.columns.visit_of.get(name, (name, 0))[0]
        values = plausible(codec.decode(token, place), self.schema.variable(variable))
        return inside(values, bound) if isinstance(bound, Interval) else values

    def _inputs(self, encoded: Encoded) -> np.ndarray:
        blocks = [self.columns.inputs(encoded, c) for c in range(len(self.columns))]
        return np.concatenate(blocks, axis=1)

    def probabilities(self, inputs: np.ndarray, column: int) -> FloatArray:
        """Token probabilities of one column given the rows' inputs, (n, tokens)."""
        if self.network is not None:
            return self.network.probabilities(inputs, column)
        mass = self.columns.codecs[column].mass
        return np.tile(mass, (len(inputs), 1))

    def log_prob(self, encoded: Encoded, order: IntArray | None = None) -> FloatArray:
        """Log-probability of the tokens drawn in one order of the columns, in nats, shape (n,).

        Unknown columns are left out: their marginal is taken at their place. Computed columns
        add nothing.

        Parameters
        ----------
        order
            The columns' places in the order; None is the first of the orders in which patients
            are drawn: columns of few patterns, then the others, as they stand in the schema.
        """
        if order is None:
            order = self.orders[0]
        n = len(encoded.codes)
        total = np.zeros(n)
        inputs = np.zeros((n, self.columns.input_width if len(order) else 0), dtype=np.float32)
        for c in order.tolist():
            probability = self.probabilities(inputs, c)
            code = encoded.codes[:, c]
            chosen = probability[np.arange(n), np.maximum(code, 0)]
            total += np.where(code >= 0, np.log(np.maximum(chosen, 1e-300)), 0.0)
            inputs[:, self.columns.input_slices[c]] = self.columns.inputs(encoded, c)
        return total


def within(values: Values, bound: Bound) -> npt.NDArray[np.bool_]:
    """Whether each value meets a condition; a missing one does not."""
    if not isinstance(bound, Interval):
        return np.array([v in bound for v in values], dtype=bool)
    above = values >= bound.low if bound.low_closed else values > bound.low
    below = values <= bound.high if bound.high_closed else values < bound.high
    return np.asarray(above & below)
