"""Drawing baseline columns one by one, in a random order for each patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from extraction.records import CohortSchema, InputError
from extraction.records.conditions import Interval
from generation.cart import pick
from generation.cart_columns import Bound, inside, plausible, region_of
from generation.randomness import Stream, decision_id
from generation.tokenizer import FloatArray, IntArray, NumericCodec, Region
from generation.twin_model.columns import BaselineColumns, Encoded
from generation.twin_model.network import Network

CANDIDATES = 16


@dataclass(frozen=True)
class BaselineDraw:
    """Drawn baseline columns and how the condition was met."""

    encoded: Encoded
    region_probability: float
    effective_share: float


@dataclass(frozen=True)
class BaselineSampler:
    """An any-order sampler over the baseline columns."""

    schema: CohortSchema
    columns: BaselineColumns
    network: Network | None
    places: IntArray

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
        regions = {
            self.columns.names.index(name): (region_of(self._codec(name), bound), bound)
            for name, bound in (bounds or {}).items()
        }
        probability = share = 1.0
        if regions:
            start, probability, share = self._restricted(patients, stream, regions, start)
        if only_bounds:
            return BaselineDraw(start, probability, share)
        free = [c for c in range(len(self.columns)) if c not in regions]
        lottery = np.column_stack([
            stream.uniform(patient=patients, decision=decision_id("order"), index=c) for c in free
        ] or [np.zeros((n, 0))])
        order = np.array(free, dtype=np.int64)[np.argsort(lottery, axis=1, kind="stable")]
        index = np.zeros(n, dtype=np.int64)
        encoded, _ = self._chain(patients, index, stream, order, {}, start)
        return BaselineDraw(encoded, probability, share)

    def _codec(self, name: str) -> NumericCodec:
        return self.columns.codecs[self.columns.names.index(name)]  # type: ignore[return-value]

    def _restricted(
        self,
        patients: IntArray,
        stream: Stream,
        regions: dict[int, tuple[Region, Bound]],
        start: Encoded,
    ) -> tuple[Encoded, float, float]:
        """Draw the conditioned columns by importance resampling."""
        n = len(patients)
        width = CANDIDATES if len(regions) > 1 else 1
        rows = np.repeat(np.arange(n), width)
        order = np.tile(np.array(list(regions), dtype=np.int64), (n * width, 1))
        index = np.tile(np.arange(width), n)
        encoded, log_weight = self._chain(
            patients[rows], index, stream, order, regions, start.take(rows)
        )
        weights = np.exp(log_weight).reshape(n, width)
        if not weights.max() > 1e-9:
            raise InputError("given: no patient of this model meets the condition; widen it")
        choice = stream.uniform(patient=patients, decision=decision_id("candidate"))
        kept = np.arange(n) * width + pick(weights + 1e-300, choice)
        total = weights.sum(axis=1)
        share = np.mean(total**2 / np.maximum((weights**2).sum(axis=1), 1e-300)) / width
        return encoded.take(kept), float(weights.mean()), float(share)

    def _chain(
        self,
        patients: IntArray,
        index: IntArray,
        stream: Stream,
        order: IntArray,
        regions: dict[int, tuple[Region, Bound]],
        start: Encoded,
    ) -> tuple[Encoded, FloatArray]:
        """Draw each row's columns in its own order; return the log probability of regions."""
        codes, numbers = start.codes.copy(), start.numbers.copy()
        inputs = self._inputs(Encoded(codes, numbers))
        log_weight = np.zeros(len(patients))
        known = start.codes >= 0
        rows = np.arange(len(patients))
        for step in range(order.shape[1]):
            column = order[:, step]
            open_ = ~known[rows, column]
            if not open_.any():
                continue
            probability = self.probabilities(inputs, column)
            for c in np.unique(column[open_]):
                mine = np.flatnonzero((column == c) & open_)
                codec = self.columns.codecs[c]
                chance = probability[mine, : codec.tokens]
                region, bound = regions.get(int(c), (None, None))
                if region is not None:
                    chance = chance * region.share
                    log_weight[mine] += np.log(np.maximum(chance.sum(axis=1), 1e-300))
                ids = {"patient": patients[mine], "index": index[mine]}
                name = self.columns.names[c]
                token = pick(chance, stream.uniform(decision=decision_id(f"{name}:token"), **ids))
                codes[mine, c], numbers[mine, c] = token, token
                if isinstance(codec, NumericCodec):
                    place = stream.uniform(decision=decision_id(f"{name}:place"), **ids)
                    numbers[mine, c] = self._number(name, codec, token, place, region, bound)
                block = self.columns.inputs(Encoded(codes[mine], numbers[mine]), int(c))
                inputs[mine, self.columns.input_slices[c]] = block
        return Encoded(codes, numbers), log_weight

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

    def probabilities(self, inputs: np.ndarray, column: IntArray) -> FloatArray:
        """Token probabilities of each row's column given its inputs, (n, most tokens)."""
        places = self.places[column]
        if self.network is not None:
            return self.network.probabilities(inputs, places)
        mass = np.exp(self.columns.log_marginal.astype(np.float64))
        return np.where(places >= 0, mass[np.maximum(places, 0)], 0.0)

    def log_prob(self, encoded: Encoded) -> FloatArray:
        """Log-probability of the tokens in the order of the columns, in nats, shape (n,).

        Unknown columns are left out: their marginal is taken at their place.
        """
        n = len(encoded.codes)
        total = np.zeros(n)
        inputs = np.zeros((n, self.columns.input_width), dtype=np.float32)
        for c in range(len(self.columns)):
            probability = self.probabilities(inputs, np.full(n, c, dtype=np.int64))
            code = encoded.codes[:, c]
            chosen = probability[np.arange(n), np.maximum(code, 0)]
            total += np.where(code >= 0, np.log(np.maximum(chosen, 1e-300)), 0.0)
            inputs[:, self.columns.input_slices[c]] = self.columns.inputs(encoded, c)
        return total


def token_places(columns: BaselineColumns) -> IntArray:
    """Places of each column's tokens among all, -1 padded, shape (columns, most tokens)."""
    widest = max((s.stop - s.start for s in columns.token_slices), default=1)
    places = np.full((len(columns), widest), -1, dtype=np.int64)
    for c, tokens in enumerate(columns.token_slices):
        places[c, : tokens.stop - tokens.start] = np.arange(tokens.start, tokens.stop)
    return places
