"""Cohorts as aligned arrays: one row a patient, one set of columns for every cohort compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from extraction.records.errors import InputError
from generation.evaluation.visits import flat_table

if TYPE_CHECKING:
    import pandas as pd

    from extraction.records import Cohort, CohortSchema, Variable

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]

_VISIT_SHARE = 0.1
_EVENT_LEVELS = ("censored", "event")


@dataclass(frozen=True)
class EndpointColumns:
    """Where an endpoint's time (numeric) and event (categorical, 0 = censored) columns stand.

    `cause` is the categorical column of the cause, None where there is one cause only.
    """

    name: str
    time: int
    event: int
    cause: int | None = None


@dataclass(frozen=True)
class Series:
    """The columns of one longitudinal variable in the order of its visits, and their days."""

    name: str
    numeric: bool
    columns: tuple[int, ...]
    days: tuple[float, ...]


@dataclass(frozen=True)
class Layout:
    """The columns that all compared tables share.

    Parameters
    ----------
    numeric, categorical
        Column names.
    levels
        For each categorical column its levels; code -1 is missing.
    endpoints, series
        Columns that belong together.
    arm
        Categorical column of the arm, None where there is a single arm.
    baseline_numeric, baseline_categorical
        Columns known at index (the arm not among them).
    """

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    endpoints: tuple[EndpointColumns, ...] = ()
    series: tuple[Series, ...] = ()
    arm: int | None = None
    baseline_numeric: tuple[int, ...] = ()
    baseline_categorical: tuple[int, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All column names, numeric columns first."""
        return self.numeric + self.categorical


@dataclass(frozen=True)
class Table:
    """Patients as arrays.

    Parameters
    ----------
    numbers
        Shape (n, numeric columns), NaN = missing.
    codes
        Shape (n, categorical columns), -1 = missing.
    """

    layout: Layout
    numbers: Floats
    codes: Codes

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: npt.NDArray[np.integer] | slice) -> Table:
        """Return these rows, in this order, repeats allowed."""
        return Table(self.layout, self.numbers[rows], self.codes[rows])

    def head(self, n: int) -> Table:
        """Return the first n rows."""
        return self.take(slice(0, n))

    def baseline(self) -> Table:
        """Return the table with the columns known at index and the arm only."""
        layout = self.layout
        categorical = sorted(
            {*layout.baseline_categorical, *(() if layout.arm is None else (layout.arm,))}
        )
        numeric = list(layout.baseline_numeric)
        kept = Layout(
            tuple(layout.numeric[i] for i in numeric),
            tuple(layout.categorical[i] for i in categorical),
            tuple(layout.levels[i] for i in categorical),
        )
        return Table(kept, self.numbers[:, numeric], self.codes[:, categorical])

    @cached_property
    def features(self) -> Floats:
        """Both kinds of columns side by side as float64, NaN = missing."""
        codes = np.where(self.codes < 0, np.nan, self.codes.astype(np.float64))
        return np.concatenate([self.numbers, codes], axis=1)

    @staticmethod
    def concat(tables: Sequence[Table]) -> Table:
        """Stack tables of one layout."""
        return Table(
            tables[0].layout,
            np.concatenate([t.numbers for t in tables]),
            np.concatenate([t.codes for t in tables]),
        )


def align(schema: CohortSchema, frames: Sequence[pd.DataFrame], real: Sequence[int]) -> list[Table]:
    """Turn flat tables into arrays with shared columns and levels.

    Parameters
    ----------
    schema
        Schema of the real cohort.
    frames
        Tables as `Cohort.to_table` writes them, one row a patient.
    real
        Positions in `frames` of the real tables; a column without any real value is left out.

    Returns
    -------
    list of Table
        One a frame, same order of rows.

    Raises
    ------
    InputError
        If a frame lacks a column that the first real frame has, or no column is left.
    """
    kinds = _kinds(schema, [frames[i] for i in real])
    if not kinds:
        raise InputError(
            "evaluation: no column with a real value; give baseline or outcome columns"
        )
    frames = _completed(list(kinds), frames)
    numeric = tuple(n for n, is_numeric in kinds.items() if is_numeric)
    categorical = tuple(n for n, is_numeric in kinds.items() if not is_numeric)
    levels = tuple(_levels(schema, name, frames) for name in categorical)
    layout = _layout(schema, numeric, categorical, levels)
    return [_encode(layout, frame) for frame in frames]


def tables(
    cohorts: Sequence[Cohort], real: Sequence[int], names: Sequence[str] | None = None
) -> list[Table]:
    """Turn cohorts into aligned tables; `real` as in `align`, `names` for messages.

    Raises
    ------
    InputError
        If a cohort lacks columns of the first real one, one line a cohort, or none is left.
    """
    frames = [flat_table(c) for c in cohorts]
    schema = cohorts[real[0]].schema
    needed = _kinds(schema, [frames[i] for i in real])
    faults = []
    for i, (cohort, frame) in enumerate(zip(cohorts, frames, strict=True)):
        absent = [c for c in needed if c not in frame and _stem(c) not in cohort.schema]
        if absent:
            which = names[i] if names else f"table {i + 1}"
            listed = ", ".join(dict.fromkeys(_stem(c) for c in absent))
            faults.append(
                f"evaluation: {which} lacks {listed}; all cohorts need the columns of "
                f"{names[real[0]] if names else f'table {real[0] + 1}'}"
            )
    if faults:
        raise InputError(list(dict.fromkeys(faults)))
    return align(schema, frames, real)


def _stem(column: str) -> str:
    """Variable of a column that may stand for one of its visits."""
    return column.split("@", maxsplit=1)[0]


def _kinds(schema: CohortSchema, real: Sequence[pd.DataFrame]) -> dict[str, bool]:
    """Columns in the schema's order, with whether they are numeric.

    A column needs a real value; a visit's, values of a tenth of the real patients.
    """
    kinds: dict[str, bool] = {"arm": False} if _arms(real) > 1 else {}
    kinds |= {v.name: v.numeric for v in schema.baseline}
    kinds |= {
        f"{v.name}@{visit.name}": v.numeric for v in schema.longitudinal for visit in schema.visits
    }
    for endpoint in schema.endpoints:
        kinds[f"{endpoint.name}_time"] = True
        kinds[f"{endpoint.name}_event"] = False
        kinds[f"{endpoint.name}_cause"] = False
    patients = sum(len(frame) for frame in real)
    seen = {n: sum(int(f[n].notna().sum()) for f in real if n in f) for n in kinds}
    fewest = {n: _VISIT_SHARE * patients if "@" in n else 1 for n in kinds}
    return {n: numeric for n, numeric in kinds.items() if seen[n] >= fewest[n]}


def _arms(real: Sequence[pd.DataFrame]) -> int:
    return len({arm for frame in real if "arm" in frame for arm in frame["arm"].dropna().unique()})


def _completed(names: list[str], frames: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """Frames with all columns; a visit at which nobody was seen is a column without values."""
    faults = [
        f"evaluation: table {i + 1} lacks the column {name}; all cohorts need one schema"
        for i, frame in enumerate(frames)
        for name in names
        if "@" not in name and name not in frame
    ]
    if faults:
        raise InputError(faults)
    return [frame.reindex(columns=names) for frame in frames]


def _levels(schema: CohortSchema, name: str, frames: Sequence[pd.DataFrame]) -> tuple[str, ...]:
    """Levels of a categorical column: declared ones first, then whatever else occurs."""
    if name in {f"{e.name}_event" for e in schema.endpoints}:
        return _EVENT_LEVELS
    declared: tuple[str, ...] = schema.arms if name == "arm" else ()
    variable = _variable(schema, name)
    if variable is not None:
        declared = variable.categories or ()
    seen = {str(v) for frame in frames for v in frame[name].dropna().unique()}
    return (*declared, *sorted(seen - set(declared)))


def _variable(schema: CohortSchema, name: str) -> Variable | None:
    stem = _stem(name)
    return schema.variable(stem) if stem in schema else None


def _encode(layout: Layout, frame: pd.DataFrame) -> Table:
    numbers = np.empty((len(frame), len(layout.numeric)))
    for j, name in enumerate(layout.numeric):
        numbers[:, j] = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    codes = np.empty((len(frame), len(layout.categorical)), dtype=np.int64)
    for j, (name, levels) in enumerate(zip(layout.categorical, layout.levels, strict=True)):
        codes[:, j] = _codes(frame[name], levels)
    return Table(layout, numbers, codes)


def _codes(column: pd.Series, levels: tuple[str, ...]) -> Codes:
    if levels is _EVENT_LEVELS:
        flags = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.where(np.isnan(flags), -1, flags).astype(np.int64)
    text = column.astype(object).where(column.notna(), None)
    text = text.map(lambda v: None if v is None else str(v))
    known = {level: i for i, level in enumerate(levels)}
    return np.asarray(text.map(lambda v: known.get(v, -1)), dtype=np.int64)


def _layout(
    schema: CohortSchema,
    numeric: tuple[str, ...],
    categorical: tuple[str, ...],
    levels: tuple[tuple[str, ...], ...],
) -> Layout:
    where_numeric = {n: i for i, n in enumerate(numeric)}
    where_categorical = {n: i for i, n in enumerate(categorical)}
    endpoints = tuple(
        EndpointColumns(
            e.name,
            where_numeric[f"{e.name}_time"],
            where_categorical[f"{e.name}_event"],
            where_categorical.get(f"{e.name}_cause"),
        )
        for e in schema.endpoints
        if f"{e.name}_time" in where_numeric and f"{e.name}_event" in where_categorical
    )
    visits = sorted(schema.visits, key=lambda v: v.day)
    series = []
    for variable in schema.longitudinal:
        where = where_numeric if variable.numeric else where_categorical
        there = [v for v in visits if f"{variable.name}@{v.name}" in where]
        if there:
            columns = tuple(where[f"{variable.name}@{v.name}"] for v in there)
            days = tuple(float(v.day) for v in there)
            series.append(Series(variable.name, variable.numeric, columns, days))
    known = {v.name for v in schema.baseline}
    return Layout(
        numeric,
        categorical,
        levels,
        endpoints,
        tuple(series),
        where_categorical.get("arm"),
        tuple(i for n, i in where_numeric.items() if n in known),
        tuple(i for n, i in where_categorical.items() if n in known),
    )
