"""Columns, bins and marginals that say nothing certain about one patient.

What a private model may know for free is public: the schema (categories, plausible ranges,
arms, planned visits), the planned length of follow-up, and the number of patients, which is
declared public. All else is measured: bin edges by private quantiles, and one noisy count of
every token of every column.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from extraction.records import Cohort, CohortSchema, RefusedError, Variable
from generation.assembly import TrialArrays
from generation.cart_columns import ARM, FOLLOW_UP, EndpointCodec, FlatColumns, FlatTable
from generation.mixture.structure import ordered_runs
from generation.privacy.accountant import Mechanism, smallest_noise, total_curve
from generation.privacy.quantiles import private_quantiles
from generation.tokenizer import KNOTS, CategoricalCodec, Codec, FloatArray, NumericCodec

EDGES, COUNTS = "bin edges", "counts of one column"
_OUTER = 1
_EVENT_BINS = 4
_GRID_POINTS = 1000.0
LOWEST_EPSILON = 0.3
LOW_EPSILON, LOW_PATIENTS = 3.0, 1000


@dataclass(frozen=True)
class Plan:
    """How a budget is shared: each part a fraction of one total of zero-concentrated privacy.

    Attributes
    ----------
    parts
        Kind (``gaussian`` or ``exponential``), fraction, number of measurements, what.
    """

    parts: tuple[tuple[str, float, int, str], ...]

    def mechanisms(self, scale: float) -> list[Mechanism]:
        """The steps at a scale of noise: their total is 1 / scale^2 of concentrated privacy."""
        made = []
        for kind, fraction, count, what in self.parts:
            if count == 0:
                continue
            share = fraction / count / scale**2
            noise = 1 / np.sqrt(2 * share) if kind == "gaussian" else np.sqrt(8 * share)
            made.append(Mechanism(kind, float(noise), what, steps=count))
        return made

    def solve(self, epsilon: float, delta: float) -> dict[str, Mechanism]:
        """Mechanisms by what they measure that together spend no more than epsilon."""
        scale = smallest_noise(
            epsilon, delta, lambda s: total_curve(self.mechanisms(s))
        )
        return {mechanism.what: mechanism for mechanism in self.mechanisms(scale)}


@dataclass(frozen=True)
class PrivateTable:
    """Private columns with the patients' tokens and the noisy count of each token.

    Attributes
    ----------
    columns
        What each column is; nothing in it was seen without noise.
    table
        The patients' own tokens: still secret.
    share
        Denoised share of each token by column.
    """

    columns: FlatColumns
    table: FlatTable
    share: dict[str, FloatArray]


def check_private(
    cohort: Cohort, engine: str, epsilon: float, delta: float, follow_up_days: float | None
) -> None:
    """Refuse a budget that protects or leaves nothing, and a schema that leaves things to the data.

    Raises
    ------
    RefusedError
        With every fault: an epsilon below .3 or a delta of 1/n or more; numbers without a plausible
        range, categoricals without categories, values over time without planned visits, and
        endpoints or open follow-up without a planned length.
    """
    faults = [
        *_budget_faults(epsilon, delta, len(cohort), engine),
        *_schema_faults(cohort.schema, follow_up_days),
    ]
    if faults:
        raise RefusedError(faults)


def _budget_faults(epsilon: float, delta: float, n: int, engine: str) -> Iterator[str]:
    if epsilon < LOWEST_EPSILON:
        yield (
            f"epsilon: {epsilon:g}; engine {engine!r} learns next to nothing below "
            f"{LOWEST_EPSILON}; give more, or share no model"
        )
    if delta >= 1.0 / n:
        yield (
            f"delta: {delta:g} is not below 1/n for these {n} patients: it would allow one "
            "patient to be published; give at most 1/(10 n)"
        )


def low_utility(epsilon: float, n: int) -> str | None:
    """Warning for an epsilon below 3 with fewer than 1,000 patients."""
    if epsilon >= LOW_EPSILON or n >= LOW_PATIENTS:
        return None
    return (
        f"epsilon {epsilon:g} with {n} patients: noise outweighs most of what is measured; use "
        "these patients to try software, not to learn about medicine"
    )


def noise_generator(noise_seed: int | None) -> np.random.Generator:
    """Generator of the noise: the system's entropy, unless a test gives a seed."""
    seed = secrets.randbits(128) if noise_seed is None else noise_seed
    return np.random.Generator(np.random.Philox(seed))


def _schema_faults(schema: CohortSchema, follow_up_days: float | None) -> Iterator[str]:
    for variable in (*schema.baseline, *schema.longitudinal):
        if variable.numeric and (variable.low is None or variable.high is None):
            yield (
                f"schema: {variable.name}: no plausible range; a private model may not take it "
                "from the patients; declare low and high"
            )
        if not variable.numeric and not variable.categories:
            yield f"schema: {variable.name}: no categories; declare them"
    if schema.longitudinal and not schema.visits:
        yield (
            "schema: longitudinal variables without planned visits; a private model knows visits "
            "at planned days alone; declare visits, or leave the variables out"
        )
    if (schema.endpoints or schema.visits) and not follow_up_days:
        yield (
            "follow_up_days: a private model may not take the length of follow-up from the "
            "patients; give the planned one"
        )


def column_names(schema: CohortSchema) -> list[str]:
    """Flat columns of a private model, by the schema alone."""
    names = [v.name for v in schema.baseline]
    names += [ARM] if schema.arms else []
    names += [FOLLOW_UP] if not schema.endpoints and schema.visits else []
    names += [f"endpoint {e.name}" for e in schema.endpoints]
    windows = sorted(schema.visits, key=lambda w: w.day)
    return names + [f"{v.name}@{w.name}" for w in windows for v in schema.longitudinal]


def bounded_columns(schema: CohortSchema) -> int:
    """How many columns need private bin edges."""
    numeric = sum(v.numeric for v in schema.baseline)
    visits = sum(v.numeric for v in schema.longitudinal) if schema.visits else 0
    days = bool(schema.endpoints) or bool(schema.visits)
    return numeric + visits + int(days)


def quantile_levels(schema: CohortSchema, depth: int) -> int:
    """How many choices of the exponential mechanism the bin edges take."""
    return bounded_columns(schema) * (depth + _OUTER)


def private_table(
    schema: CohortSchema,
    arrays: TrialArrays,
    follow_up_days: float | None,
    depth: int,
    spent: Mapping[str, Mechanism],
    rng: np.random.Generator,
) -> PrivateTable:
    """Learn bins privately, read the patients and count their tokens with noise.

    Parameters
    ----------
    depth
        Halvings of a numeric column: 2**depth bins and a few for the ends.
    spent
        Mechanisms of one halving of one column (`EDGES`, where a column needs it) and of one
        column's counts (`COUNTS`).
    """
    counts = spent[COUNTS]
    builder = _Builder(schema, arrays, follow_up_days or 0.0, depth, spent.get(EDGES), rng)
    columns = builder.columns()
    table = columns.read(arrays)
    share = {}
    for name in columns.order:
        tokens = columns.tokens(name)
        codes = table[name][0]
        seen = np.bincount(codes[codes >= 0], minlength=tokens).astype(np.float64)
        noisy = seen + rng.normal(0.0, counts.noise, tokens)
        runs = ordered_runs(columns.codecs[name])
        share[name] = denoised(noisy, counts.noise, orthonormal(tokens, runs))
        columns.codecs[name] = _weighed(columns.codecs[name], share[name])
    return PrivateTable(columns, table, share)


def denoised(noisy: FloatArray, noise: float, turn: FloatArray) -> FloatArray:
    """Shares from noisy counts: what is within its noise of zero is left out.

    Judged in the coordinates of `turn`, where a smooth run of bins is one large number.
    """
    coefficient = turn.T @ noisy
    kept = turn @ (coefficient * _kept(coefficient, noise))
    positive = np.maximum(kept, 0.0) + 0.25 / len(noisy)
    return np.asarray(positive / positive.sum())


def _kept(coefficient: FloatArray, noise: float) -> FloatArray:
    """Breiman's non-negative garrote (1995): share of each coefficient that is kept."""
    return np.asarray(np.maximum(0.0, 1.0 - (noise / np.maximum(np.abs(coefficient), 1e-9)) ** 2))


def orthonormal(tokens: int, runs: list[tuple[int, int]]) -> FloatArray:
    """Orthonormal columns: cosines over each ordered run, so that smooth shapes need few."""
    turn = np.eye(tokens)
    for start, stop in runs:
        size = stop - start
        place, order = np.arange(size)[:, None] + 0.5, np.arange(size)[None]
        wave = np.cos(np.pi * place * order / size) * np.sqrt(2.0 / max(size, 1))
        wave[:, :1] /= np.sqrt(2.0)
        turn[start:stop, start:stop] = wave
    return turn


@dataclass
class _Builder:
    """Columns by the schema, with private edges."""

    schema: CohortSchema
    arrays: TrialArrays
    follow_up_days: float
    depth: int
    edges: Mechanism | None
    rng: np.random.Generator

    def columns(self) -> FlatColumns:
        """Every flat column of the schema."""
        schema, arrays = self.schema, self.arrays
        codecs: dict[str, Codec | EndpointCodec] = {
            v.name: self._variable(v, [np.asarray(arrays.baseline[v.name])])
            for v in schema.baseline
        }
        if schema.arms:
            arms = Variable(name=ARM, kind="categorical", role="arm", categories=schema.arms)
            codecs[ARM] = self._variable(arms, [])
        days = self._days()
        if FOLLOW_UP in (names := column_names(schema)) and days is not None:
            codecs[FOLLOW_UP] = days
        for endpoint in schema.endpoints:
            assert days is not None
            codec = replace(days, missing=False, mass=days.mass[: days.bins])
            coarse = _coarse(codec)
            statuses = (codec, *(coarse for _ in endpoint.causes))
            codecs[f"endpoint {endpoint.name}"] = EndpointCodec(endpoint.name, statuses, False)
        visit_of: dict[str, tuple[str, int]] = {}
        windows = sorted(schema.visits, key=lambda w: w.day)
        for variable in schema.longitudinal if windows else ():
            shared = self._variable(variable, self._seen(variable))
            for k, window in enumerate(windows):
                codecs[f"{variable.name}@{window.name}"] = shared
                visit_of[f"{variable.name}@{window.name}"] = (variable.name, k)
        codecs = {name: codecs[name] for name in names}
        randomised = frozenset([ARM]) if schema.randomised and ARM in codecs else frozenset[str]()
        at_end = frozenset(e.name for e in schema.endpoints)
        return FlatColumns(schema, list(codecs), codecs, visit_of, randomised, at_end)

    def _seen(self, variable: Variable) -> list[FloatArray]:
        """One value a patient, so that a patient counts once: a visit drawn for each."""
        values = self.arrays.values.get(variable.name)
        if values is None or not variable.numeric:
            return []
        wide = np.asarray(values, dtype=np.float64)
        order = np.where(np.isfinite(wide), self.rng.random(wide.shape), 2.0)
        return [wide[np.arange(len(wide)), order.argmin(axis=1)]]

    def _days(self) -> NumericCodec | None:
        if not (self.schema.endpoints or self.schema.visits):
            return None
        day = self.arrays.follow_up.copy()
        for own, _ in self.arrays.events.values():
            day = np.fmax(day, own)
        variable = Variable(name=FOLLOW_UP, kind="count", low=0.0, high=self.follow_up_days)
        codec = self._variable(variable, [day])
        assert isinstance(codec, NumericCodec)
        return codec

    def _variable(self, variable: Variable, seen: Sequence[FloatArray]) -> Codec:
        if not variable.numeric:
            categories = tuple(variable.categories or ())
            mass = np.full(len(categories) + int(variable.name != ARM), 1.0)
            return CategoricalCodec(
                variable.name, categories, {}, mass / mass.sum(), variable.name != ARM,
                variable.kind == "ordinal",
            )
        assert variable.low is not None
        assert variable.high is not None
        step = 1.0 if variable.kind == "count" else _public_step(variable.low, variable.high)
        values = np.concatenate([np.asarray(v, dtype=np.float64) for v in seen] or [np.zeros(0)])
        values = np.clip(values[np.isfinite(values)], variable.low, variable.high)
        jittered = values + step * (self.rng.random(len(values)) - 0.5)
        low, high = variable.low - step / 2, variable.high + step / 2
        assert self.edges is not None
        edges = private_quantiles(
            jittered, low, high, self.depth, _OUTER, self.edges.noise, self.rng
        )
        return numeric_codec(variable.name, edges, step, thin=variable.name != FOLLOW_UP)


def _public_step(low: float, high: float) -> float:
    """Recorded precision by the range alone: a power of ten, about a thousandth of it."""
    return float(10.0 ** np.floor(np.log10(max(high - low, 1e-9) / _GRID_POINTS) + 1e-9))


def numeric_codec(name: str, edges: FloatArray, step: float, thin: bool) -> NumericCodec:
    """Codec of private edges: uniform inside a bin, if `thin` thinning out in the end bins.

    Edges move onto the boundaries of grid cells; a bin of one cell is an atom.
    """
    first, last = edges[0], edges[-1]
    inner = first + np.round((edges[1:-1] - first) / step) * step
    edges = np.unique(np.concatenate([[first], np.clip(inner, first, last), [last]]))
    bins = len(edges) - 1
    place = np.linspace(0.0, 1.0, KNOTS + 1)
    knots = edges[:-1, None] + place * np.diff(edges)[:, None]
    if thin and bins > 2:
        knots[-1] = edges[-2] + _thinning(edges[-1] - edges[-2], edges[-2] - edges[-3], place)
        ends = _thinning(edges[1] - edges[0], edges[2] - edges[1], place)
        knots[0] = edges[1] - ends[::-1]
    atom = np.diff(edges) <= 1.5 * step
    knots[atom] = ((edges[:-1] + edges[1:]) / 2)[atom, None]
    mass = np.full(bins + 1, 1.0 / (bins + 1))
    return NumericCodec(name, edges, knots, mass, atom, True, step, 0.0, 1.0)


def _coarse(codec: NumericCodec) -> NumericCodec:
    """Days in few equal bins: events are too few for the edges of all days."""
    edges = np.round(np.linspace(codec.edges[0], codec.edges[-1], _EVENT_BINS + 1) + 0.5) - 0.5
    coarse = numeric_codec(codec.name, edges, codec.step, thin=False)
    return replace(coarse, missing=False, mass=np.full(coarse.bins, 1.0 / coarse.bins))


def _thinning(width: float, neighbour: float, place: FloatArray) -> FloatArray:
    """Distance from the inner edge of an end bin: exponential, as the bin beside it suggests."""
    scale = max(neighbour / np.log(2.0), 1e-9)
    inner = -scale * np.log1p(place[:-1] * np.expm1(-width / scale))
    return np.append(inner, width)  # the outer edge: in float64 its formula may be infinite


def _weighed(codec: Codec | EndpointCodec, share: FloatArray) -> Codec | EndpointCodec:
    """A codec that knows the noisy share of each of its tokens."""
    if isinstance(codec, EndpointCodec):
        starts = codec.starts
        days = tuple(
            _centred(replace(day, mass=share[a:b] / max(float(share[a:b].sum()), 1e-12)))
            for day, a, b in zip(codec.days, starts[:-1], starts[1:], strict=True)
        )
        return replace(codec, days=days)
    if isinstance(codec, CategoricalCodec):
        return replace(codec, mass=share)
    return _centred(replace(codec, mass=share))


def _centred(codec: NumericCodec) -> NumericCodec:
    """Median and interquartile range by the noisy shares."""
    low, centre, high = np.interp([0.25, 0.5, 0.75], codec.cumulative, codec.edges)
    scale = float(high - low) / 1.349 or 1.0
    return replace(codec, centre=float(centre), scale=scale)
