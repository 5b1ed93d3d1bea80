"""The flat columns of a cohort, in the order in which sequential trees draw them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from extraction.records import CohortSchema, InputError, Variable, conditions
from extraction.records.conditions import Interval
from generation.assembly import (
    NO_RECORD,
    FloatArray,
    IntArray,
    ObjectArray,
    TrialArrays,
    Values,
    censored_at_end,
    implied_follow_up,
    settle,
)
from generation.engine import ModelCard, arm_fault
from generation.tokenizer import (
    MINIMUM_CELL,
    UNKNOWN,
    CategoricalCodec,
    Codec,
    NumericCodec,
    Region,
    codec_from_state,
)
from generation.tokenizer_fitting import fit_categorical, fit_numeric

ARM = "arm"
FOLLOW_UP = "follow-up"
END_REASON = "end reason"
FlatTable = dict[str, tuple[IntArray, FloatArray]]
Bound = Interval | frozenset[str]


@dataclass(frozen=True)
class EndpointCodec:
    """Tokens of an endpoint: status and bin of the day together; the last is "no record"."""

    name: str
    days: tuple[NumericCodec, ...]
    no_record: bool

    @property
    def starts(self) -> IntArray:
        """First token of each status, and the token after the last."""
        return np.concatenate([[0], np.cumsum([codec.bins for codec in self.days])])

    @property
    def tokens(self) -> int:
        """Number of tokens."""
        return int(self.starts[-1]) + int(self.no_record)

    def encode(self, day: FloatArray, status: IntArray) -> IntArray:
        """Token of each day and status; a cause of fewer than five patients is unknown."""
        codes = np.full(len(day), UNKNOWN, dtype=np.int64)
        for k, codec in enumerate(self.days):
            rows = status == k
            if codec.bins:
                codes[rows] = self.starts[k] + codec.encode(day[rows])
        if self.no_record:
            codes[status == NO_RECORD] = self.starts[-1]
        return codes

    def status(self, codes: IntArray) -> IntArray:
        """Status of each token: 0 censored, k the k-th cause, -1 no record."""
        found = np.searchsorted(self.starts[1:], codes, side="right")
        return np.where((codes < 0) | (found >= len(self.days)), NO_RECORD, found)

    def decode(self, codes: IntArray, place: FloatArray) -> FloatArray:
        """Day of each token, NaN where there is no record."""
        status, day = self.status(codes), np.full(len(codes), np.nan)
        for k, codec in enumerate(self.days):
            rows = status == k
            day[rows] = codec.decode(codes[rows] - self.starts[k], place[rows])
        return day


@dataclass
class FlatColumns:
    """What each flat column is and in which order the columns are drawn."""

    schema: CohortSchema
    order: list[str]
    codecs: dict[str, Codec | EndpointCodec]
    visit_of: dict[str, tuple[str, int]] = field(default_factory=dict)
    by_design: frozenset[str] = frozenset()
    at_end: frozenset[str] = frozenset()

    @classmethod
    def fit(cls, schema: CohortSchema, arrays: TrialArrays, bins: int) -> FlatColumns:
        """Learn the tokens of every flat column."""
        codecs: dict[str, Codec | EndpointCodec] = {
            v.name: fit_variable(v, arrays.baseline[v.name], bins) for v in schema.baseline
        }
        if any(arm is not None for arm in arrays.arm):
            codecs[ARM] = fit_categorical(ARM, arrays.arm, schema.arms or None)
        if not implied_follow_up(arrays):
            codecs[FOLLOW_UP] = fit_numeric(FOLLOW_UP, arrays.follow_up, bins)
            codecs[END_REASON] = fit_categorical(END_REASON, arrays.end_reason, None)
        for endpoint in schema.endpoints:
            day, status = arrays.events[endpoint.name]
            codecs[f"endpoint {endpoint.name}"] = EndpointCodec(
                endpoint.name,
                tuple(
                    fit_numeric(endpoint.name, day[status == k], bins)
                    for k in range(len(endpoint.causes) + 1)
                ),
                int((status == NO_RECORD).sum()) >= MINIMUM_CELL,
            )
        visit_of: dict[str, tuple[str, int]] = {}
        for k, visit in enumerate(arrays.visits):
            for variable in schema.longitudinal if visit is not None else ():
                name = f"{variable.name}@{visit}"
                values = arrays.values[variable.name][:, k]
                codecs[name] = fit_variable(variable, values, bins)
                visit_of[name] = (variable.name, k)
        design = frozenset([ARM]) if schema.randomised and ARM in codecs else frozenset[str]()
        at_end = frozenset(e.name for e in schema.endpoints if censored_at_end(arrays, e.name))
        return cls(schema, list(codecs), codecs, visit_of, design, at_end)

    def read(self, arrays: TrialArrays) -> FlatTable:
        """Tokens and numbers of every column of a cohort."""
        table: FlatTable = {}
        for name, codec in self.codecs.items():
            if isinstance(codec, EndpointCodec):
                day, status = arrays.events[codec.name]
                table[name] = (codec.encode(day, status), day)
                continue
            table[name] = encode(codec, self._raw(name, arrays))
        return table

    def _raw(self, name: str, arrays: TrialArrays) -> Values:
        fixed: dict[str, Values] = {
            ARM: arrays.arm,
            FOLLOW_UP: arrays.follow_up,
            END_REASON: arrays.end_reason,
        }
        if name in self.visit_of:
            variable, visit = self.visit_of[name]
            if variable not in arrays.values:  # no patient of this cohort came to a visit
                return _nothing(len(arrays), self.schema.variable(variable).numeric)
            column: Values = arrays.values[variable][:, visit]
            return column
        return fixed[name] if name in fixed else arrays.baseline[name]

    def tokens(self, name: str) -> int:
        """Number of tokens of a column."""
        return self.codecs[name].tokens

    def inputs(self, table: FlatTable, names: list[str], n: int) -> FloatArray:
        """Numbers that a tree splits on, from the columns before it, shape (n, inputs)."""
        blocks: list[FloatArray] = [np.zeros((n, 0))]
        for name in names:
            codec, (codes, values) = self.codecs[name], table[name]
            if isinstance(codec, EndpointCodec):
                status = codec.status(codes).astype(np.float64)
                blocks.append(np.column_stack([np.nan_to_num(values), status]))
            elif isinstance(codec, NumericCodec):
                lost = ~np.isfinite(values)
                blocks.append(np.column_stack([np.where(lost, codec.centre, values), lost]))
            elif codec.ordinal:
                blocks.append(codes[:, None].astype(float))
            else:
                blocks.append((codes[:, None] == np.arange(codec.tokens)).astype(float))
        return np.concatenate(blocks, axis=1)

    def target(self, name: str, table: FlatTable) -> FloatArray | IntArray:
        """What a tree predicts: ranks for a number, (rank, status) for an endpoint, classes."""
        codec, (codes, values) = self.codecs[name], table[name]
        if isinstance(codec, CategoricalCodec):
            return codes
        if isinstance(codec, NumericCodec):
            lost = ~np.isfinite(values)
            return np.column_stack([codec.rank(values, codes), lost])
        status = codec.status(codes)
        order = np.argsort(np.argsort(np.nan_to_num(values), kind="stable"), kind="stable")
        return np.column_stack([
            order / max(len(order) - 1, 1), status[:, None] == np.arange(1, len(codec.days))
        ])

    def by_label(self, name: str, labels: ObjectArray) -> tuple[IntArray, FloatArray]:
        """Tokens of given categories."""
        codec = self.codecs[name]
        assert isinstance(codec, CategoricalCodec)
        codes = codec.encode(labels)
        return codes, codes.astype(np.float64)

    def region(
        self, name: str, bounds: dict[str, Bound], arms: dict[str, float]
    ) -> Region | None:
        """Part of a column that the conditions allow; None when they say nothing of it."""
        codec = self.codecs[name]
        bound: Bound | None = bounds.get(name)
        if name == ARM and isinstance(codec, CategoricalCodec):
            bound = frozenset(arms) if set(arms) < set(codec.categories) else None
        if bound is None or isinstance(codec, EndpointCodec):
            return None
        return region_of(codec, bound)

    def decode(
        self,
        name: str,
        codes: IntArray,
        place: FloatArray,
        region: Region | None,
        bound: Bound | None,
    ) -> tuple[IntArray, FloatArray]:
        """Tokens and numbers of a drawn column."""
        codec = self.codecs[name]
        if isinstance(codec, CategoricalCodec):
            return codes, codes.astype(np.float64)
        if isinstance(codec, EndpointCodec):
            return codes, codec.decode(codes, place)
        if region is not None:
            place = region.start[codes] + place * (region.stop[codes] - region.start[codes])
        variable = self.visit_of.get(name, (name, 0))[0]
        values = codec.decode(codes, place)
        if variable in self.schema:
            values = plausible(values, self.schema.variable(variable))
        return codes, inside(values, bound) if isinstance(bound, Interval) else values

    def write(self, table: FlatTable, n: int, until_day: float | None) -> TrialArrays:
        """Drawn columns as patients, with nothing after the end of observation."""
        windows = sorted(self.schema.visits, key=lambda w: w.day)
        planned = {window.name: window.day for window in windows}
        visits = tuple(planned) if self.visit_of else ()
        arrays = TrialArrays(
            baseline={v.name: self._values(v.name, table) for v in self.schema.baseline},
            arm=self._labels(ARM, table, n),
            follow_up=table[FOLLOW_UP][1] if FOLLOW_UP in table else np.full(n, np.nan),
            end_reason=self._labels(END_REASON, table, n),
            events={},
            visits=visits,
            visit_day=np.tile(np.array([planned[v] for v in visits], dtype=np.float64), (n, 1)),
        )
        for name, codec in self.codecs.items():
            if isinstance(codec, EndpointCodec):
                codes, day = table[name]
                arrays.events[codec.name] = (day, codec.status(codes))
        for name, (variable, k) in self.visit_of.items():
            if variable not in arrays.values:
                numeric = self.schema.variable(variable).numeric
                arrays.values[variable] = _nothing((n, len(visits)), numeric)
            arrays.values[variable][:, k] = self._values(name, table)
        settle(arrays, until_day, self.at_end)
        return arrays

    def _values(self, name: str, table: FlatTable) -> Values:
        codec, (codes, values) = self.codecs[name], table[name]
        return codec.decode(codes) if isinstance(codec, CategoricalCodec) else values

    def _labels(self, name: str, table: FlatTable, n: int) -> ObjectArray:
        if name not in table:
            return np.full(n, None, dtype=object)
        return np.asarray(self._values(name, table), dtype=object)

    def state(self) -> dict[str, Any]:
        """Return everything but the schema, as nested JSON values and arrays."""
        return {
            "codecs": [[name, codec_state(codec)] for name, codec in self.codecs.items()],
            "visit_of": {name: list(place) for name, place in self.visit_of.items()},
            "by_design": sorted(self.by_design),
            "at_end": sorted(self.at_end),
        }

    @classmethod
    def from_state(cls, schema: CohortSchema, state: dict[str, Any]) -> FlatColumns:
        """Rebuild from :meth:`state`."""
        codecs = {name: _rebuild(inner) for name, inner in state["codecs"]}
        visit_of = {name: (str(v), int(k)) for name, (v, k) in state["visit_of"].items()}
        return cls(
            schema, list(codecs), codecs, visit_of,
            frozenset(state["by_design"]), frozenset(state["at_end"]),
        )


def codec_state(codec: Codec | EndpointCodec) -> dict[str, Any]:
    """State of any codec."""
    if isinstance(codec, EndpointCodec):
        days = [day.state() for day in codec.days]
        return {"kind": "endpoint", "name": codec.name, "days": days, "no_record": codec.no_record}
    return codec.state()


def _rebuild(state: dict[str, Any]) -> Codec | EndpointCodec:
    if state["kind"] != "endpoint":
        return codec_from_state(state)
    days = tuple(codec_from_state(day) for day in state["days"])
    return EndpointCodec(
        state["name"], tuple(d for d in days if isinstance(d, NumericCodec)), state["no_record"]
    )


def _nothing(shape: int | tuple[int, int], numeric: bool) -> Values:
    return np.full(shape, np.nan) if numeric else np.full(shape, None, dtype=object)


def encode(codec: Codec, raw: Values) -> tuple[IntArray, FloatArray]:
    """Tokens and numbers of one column; a category's number is its token."""
    if isinstance(codec, NumericCodec):
        numbers = np.asarray(raw, dtype=np.float64)
        return codec.encode(numbers), numbers
    codes = codec.encode(np.asarray(raw, dtype=object))
    return codes, codes.astype(np.float64)


def fit_variable(
    variable: Variable, values: Values, bins: int, cuts: tuple[float, ...] = ()
) -> Codec:
    """Tokens of one variable of the schema."""
    if variable.numeric:
        return fit_numeric(variable.name, np.asarray(values, dtype=np.float64), bins, cuts)
    labels = np.asarray(values, dtype=object)
    return fit_categorical(variable.name, labels, variable.categories, variable.kind == "ordinal")


def region_of(codec: Codec, bound: Bound) -> Region:
    """Part of a column's tokens inside a bound."""
    if isinstance(codec, NumericCodec) and isinstance(bound, Interval):
        return codec.region(bound)
    if isinstance(codec, CategoricalCodec) and isinstance(bound, frozenset):
        return codec.region(frozenset(codec.merged.get(c, c) for c in bound))
    raise InputError(f"given: {codec.name}: an interval needs a number, a set a category")


def plausible(values: FloatArray, variable: Variable) -> FloatArray:
    """Values held inside the variable's plausible range."""
    low = -np.inf if variable.low is None else variable.low
    high = np.inf if variable.high is None else variable.high
    return np.clip(values, low, high)


def inside(values: FloatArray, interval: Interval) -> FloatArray:
    """Values moved onto the interval where rounding had put them just outside."""
    low = interval.low if interval.low_closed else np.nextafter(interval.low, np.inf)
    high = interval.high if interval.high_closed else np.nextafter(interval.high, -np.inf)
    return np.clip(values, low, high)


def parse_given(
    given: Any, arm: str | None, card: ModelCard, columns: FlatColumns
) -> tuple[dict[str, Bound], dict[str, float]]:
    """Bounds over baseline columns, and the arms to draw with their design ratio."""
    bounds: dict[str, Bound] = {}
    if given is not None:
        bounds = dict(conditions.bounds(conditions.parse(given, card.schema_), card.schema_))
    arms = allowed_arms(bounds.pop(ARM, None), arm, card)
    faults = [
        f"given: {name}: no patient of this model can meet the condition; widen it"
        for name, bound in bounds.items()
        if region_of(_plain(columns.codecs[name]), bound).share.sum() <= 0
    ]
    if faults:
        raise InputError(faults)
    return bounds, arms


def allowed_arms(bound: Bound | None, arm: str | None, card: ModelCard) -> dict[str, float]:
    """Arms a request may draw, with their design ratio (1 where not randomised)."""
    wanted = set(card.arms)
    if isinstance(bound, frozenset):
        faults = [arm_fault(name, card.arms) for name in sorted(bound - wanted)]
        if faults:
            raise InputError(faults)
        wanted &= bound
    if arm is not None:
        if arm not in wanted:
            raise InputError(f"arm: {arm!r} contradicts the condition's arms; give one of them")
        wanted = {arm}
    ratio = card.schema_.allocation or {}
    return {name: float(ratio.get(name, 1.0)) for name in card.arms if name in wanted}


def arm_share(arms: dict[str, float], card: ModelCard) -> float:
    """Share of patients whom the design puts into these arms."""
    every = allowed_arms(None, None, card)
    return sum(arms.values()) / sum(every.values()) if every else 1.0


def design_arms(arms: dict[str, float], place: FloatArray) -> ObjectArray:
    """Arm of each patient by the design ratio."""
    if not arms:
        return np.full(len(place), None, dtype=object)
    edges = np.cumsum(list(arms.values())) / sum(arms.values())
    names = np.array(list(arms), dtype=object)
    index = np.minimum(np.searchsorted(edges, place, side="right"), len(names) - 1)
    return np.asarray(names[index], dtype=object)


def _plain(codec: Codec | EndpointCodec) -> Codec:
    assert not isinstance(codec, EndpointCodec)
    return codec

