"""The kinds of constraint that a schema can declare, and when a row or a patient meets one.

A constraint with a missing part is met: nothing speaks against it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..tables import KEYS

if TYPE_CHECKING:
    from ..cohort import Cohort

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]

_RELATIVE = 1e-9


class Rule(BaseModel, ABC):
    """Base of every constraint."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field("", description="what reports call it; empty: said from its columns")

    @property
    def title(self) -> str:
        """The name, or the constraint in plain words."""
        return self.name or self._words()

    @abstractmethod
    def _words(self) -> str:
        """Say the constraint in plain words."""

    def met(self, cohort: Cohort) -> BoolArray:
        """Whether each patient meets the constraint wherever its parts are known, shape (n,)."""
        return self.checked(cohort)[0]

    @abstractmethod
    def checked(self, cohort: Cohort) -> tuple[BoolArray, BoolArray]:
        """Whether each patient meets it, and whether there was anything to check; both (n,)."""


class ColumnRule(Rule):
    """A constraint on columns of one row: of a patient, or of a patient's day."""

    @property
    @abstractmethod
    def columns_used(self) -> tuple[str, ...]:
        """Every column of the constraint."""

    @abstractmethod
    def holds(self, frame: pd.DataFrame) -> BoolArray:
        """Whether each row of a frame with these columns meets the constraint."""

    def checked(self, cohort: Cohort) -> tuple[BoolArray, BoolArray]:
        """See `Rule.checked`; longitudinal columns are compared within a patient's day."""
        place, _, frame = rows_of(cohort, self.columns_used)
        known = frame.notna().all(axis=1).to_numpy(dtype=bool)
        broken = known & ~self.holds(frame)
        return ~_any_row(place, broken, len(cohort)), _any_row(place, known, len(cohort))


class Order(ColumnRule):
    """Numeric columns that rise from left to right, e.g. diastolic <= systolic pressure."""

    kind: Literal["order"] = "order"
    columns: tuple[str, ...] = Field(min_length=2)
    strict: bool = Field(False, description="whether equal neighbours are refused")

    @property
    def columns_used(self) -> tuple[str, ...]:
        """Every column of the constraint."""
        return self.columns

    def _words(self) -> str:
        return (" < " if self.strict else " <= ").join(self.columns)

    def holds(self, frame: pd.DataFrame) -> BoolArray:
        """Whether each pair of neighbours is in order; a missing one breaks nothing."""
        values = frame[list(self.columns)].to_numpy(dtype=np.float64)
        met = np.ones(len(frame), dtype=bool)
        last = np.full(len(frame), -np.inf)
        for column in values.T:
            broken = column <= last if self.strict else column < last
            met &= ~(broken & np.isfinite(last))
            last = np.where(np.isnan(column), last, column)
        return met


class ComputedRule(ColumnRule):
    """A constraint that fixes one column by the others."""

    @property
    @abstractmethod
    def target_column(self) -> str:
        """The column that is computed."""

    @property
    @abstractmethod
    def inputs(self) -> tuple[str, ...]:
        """The columns that it is computed from."""

    @property
    def columns_used(self) -> tuple[str, ...]:
        """Every column of the constraint."""
        return (self.target_column, *self.inputs)

    @abstractmethod
    def compute(self, frame: pd.DataFrame) -> FloatArray | npt.NDArray[np.object_]:
        """Return the target of each row, missing where an input is."""


class NumberRule(ComputedRule):
    """A constraint that fixes a column of numbers."""

    @abstractmethod
    def compute(self, frame: pd.DataFrame) -> FloatArray:
        """Return the target of each row, NaN where an input is missing."""

    @abstractmethod
    def slack(self, target: FloatArray) -> FloatArray:
        """Largest allowed distance between the target as recorded and as computed."""

    def holds(self, frame: pd.DataFrame) -> BoolArray:
        """Whether each row's target is what its inputs give, within the tolerance."""
        want = self.compute(frame)
        have = frame[self.target_column].to_numpy(dtype=np.float64)
        return np.asarray(~(np.abs(have - want) > self.slack(want)))


class Sum(NumberRule):
    """A total that is the sum of its parts."""

    kind: Literal["sum"] = "sum"
    total: str
    parts: tuple[str, ...] = Field(min_length=2)
    tolerance: float = Field(1e-6, ge=0, allow_inf_nan=False)

    @property
    def target_column(self) -> str:
        """The column that is computed."""
        return self.total

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that it is computed from."""
        return self.parts

    def _words(self) -> str:
        return f"{self.total} = {' + '.join(self.parts)}"

    def compute(self, frame: pd.DataFrame) -> FloatArray:
        """Return the sum of the parts, free of the last digits' noise."""
        parts = frame[list(self.parts)].to_numpy(dtype=np.float64)
        return np.asarray(np.round(parts.sum(axis=1), 9))

    def slack(self, target: FloatArray) -> FloatArray:
        """Return the tolerance and what float64 cannot tell apart."""
        return np.asarray(self.tolerance + _RELATIVE * np.abs(target))


class Derived(NumberRule):
    """target = factor * product of numerators / (product of denominators) ** power, rounded.

    Body-mass index from kilogrammes and centimetres:
    ``Derived(target="BMI", numerator=("WEIGHT",), denominator=("HEIGHT",), power=2,
    factor=10000, decimals=1)``.
    """

    kind: Literal["derived"] = "derived"
    target: str
    numerator: tuple[str, ...] = Field(min_length=1)
    denominator: tuple[str, ...] = ()
    power: float = Field(1.0, gt=0, le=6, description="power of the denominator")
    factor: float = Field(1.0, allow_inf_nan=False)
    decimals: int | None = Field(None, ge=-6, le=12, description="the target is rounded so")
    tolerance: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="None: one unit of the last decimal"
    )

    @property
    def target_column(self) -> str:
        """The column that is computed."""
        return self.target

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that it is computed from."""
        return (*self.numerator, *self.denominator)

    def _words(self) -> str:
        over = " * ".join(self.denominator)
        over = f" / ({over})^{self.power:g}" if over else ""
        return f"{self.target} = {self.factor:g} * {' * '.join(self.numerator)}{over}"

    def compute(self, frame: pd.DataFrame) -> FloatArray:
        """Return the formula's value, NaN where an input is missing or a divisor is 0."""
        above = frame[list(self.numerator)].to_numpy(dtype=np.float64).prod(axis=1)
        if self.denominator:
            below = frame[list(self.denominator)].to_numpy(dtype=np.float64).prod(axis=1)
            below = np.where(below > 0, below, np.nan) ** self.power
            above = above / below
        value = self.factor * above
        return np.asarray(value if self.decimals is None else np.round(value, self.decimals))

    def slack(self, target: FloatArray) -> FloatArray:
        """Return the tolerance and what float64 cannot tell apart."""
        unit = 1e-6 * np.abs(target) if self.decimals is None else 10.0**-self.decimals
        chosen = unit if self.tolerance is None else self.tolerance
        return np.asarray(chosen + _RELATIVE * np.abs(target))


class Combinations(ColumnRule):
    """The only combinations of categories that can occur together."""

    kind: Literal["combinations"] = "combinations"
    columns: tuple[str, ...] = Field(min_length=2)
    allowed: tuple[tuple[str, ...], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _shaped(self) -> Self:
        wrong = sum(len(row) != len(self.columns) for row in self.allowed)
        if wrong:
            raise ValueError(
                f"{self.title}: {wrong} combination(s) do not have {len(self.columns)} entries"
            )
        return self

    @property
    def columns_used(self) -> tuple[str, ...]:
        """Every column of the constraint."""
        return self.columns

    def _words(self) -> str:
        return f"combinations of {' and '.join(self.columns)}"

    def holds(self, frame: pd.DataFrame) -> BoolArray:
        """Whether each row is an allowed combination or has a missing part."""
        rows = pd.MultiIndex.from_frame(frame[list(self.columns)].astype(object))
        unknown = frame[list(self.columns)].isna().any(axis=1).to_numpy()
        return np.asarray(rows.isin(list(self.allowed)) | unknown)


class VisitOrder(Rule):
    """Days of planned visits rise in the order of their target days."""

    kind: Literal["visit_order"] = "visit_order"
    strict: bool = Field(True, description="whether two visits on one day are refused")

    def _words(self) -> str:
        return "visit days rise"

    def checked(self, cohort: Cohort) -> tuple[BoolArray, BoolArray]:
        """See `Rule.checked`; a visit's first day must follow the last of the visit before."""
        target = {v.name: v.day for v in cohort.schema.visits}
        rows = cohort.observations[cohort.observations["visit"].isin(target)]
        frame = pd.DataFrame({
            "place": cohort.positions(rows),
            "target": rows["visit"].map(target).to_numpy(dtype=np.float64),
            "day": rows["day"].to_numpy(dtype=np.float64),
        })
        span = frame.groupby(["place", "target"])["day"].agg(["min", "max"]).reset_index()
        latest = span.groupby("place")["max"].cummax().groupby(span["place"]).shift()
        broken = span["min"] <= latest if self.strict else span["min"] < latest
        place, n = span["place"].to_numpy(dtype=np.int64), len(cohort)
        return (
            ~_any_row(place, broken.to_numpy(dtype=bool), n),
            _any_row(place, latest.notna().to_numpy(dtype=bool), n),
        )


class NoneAfter(Rule):
    """Nothing is recorded, and nothing happens, after an endpoint such as death."""

    kind: Literal["none_after"] = "none_after"
    endpoint: str
    causes: tuple[str, ...] | None = Field(None, description="None: every cause ends it")

    def _words(self) -> str:
        return f"nothing after {self.endpoint}"

    def day(self, cohort: Cohort) -> FloatArray:
        """Day of the endpoint where it happened, infinite elsewhere, shape (n,)."""
        frame = cohort.endpoint(self.endpoint)
        happened = frame["observed"].to_numpy(dtype=bool)
        if self.causes is not None:
            happened = happened & frame["cause"].isin(self.causes).to_numpy()
        return np.where(happened, frame["day"].to_numpy(dtype=np.float64), np.inf)

    def checked(self, cohort: Cohort) -> tuple[BoolArray, BoolArray]:
        """See `Rule.checked`; the day of the endpoint itself is allowed."""
        last, n = self.day(cohort), len(cohort)
        late = cohort.subjects["observed_until"].to_numpy(dtype=np.float64) > last
        for table, column in (("observations", "day"), ("events", "day"), ("episodes", "start")):
            rows = getattr(cohort, table)
            place = cohort.positions(rows)
            after = rows[column].to_numpy(dtype=np.float64) > last[place]
            late |= _any_row(place, after & (place >= 0), n)
        return ~late, np.isfinite(last)


class Rows(NamedTuple):
    """Rows in which columns stand side by side.

    Attributes
    ----------
    place
        Patient (row number) of each row.
    day
        Day of each row; NaN for static columns.
    frame
        The columns.
    """

    place: npt.NDArray[np.int64]
    day: FloatArray
    frame: pd.DataFrame


def rows_of(cohort: Cohort, columns: tuple[str, ...]) -> Rows:
    """Rows in which columns of one sort stand side by side.

    Static columns: one row a patient. Longitudinal columns: one row for each day of a patient
    on which any of them was observed; the last record of a day counts.
    """
    specs = [cohort.schema.variable(name) for name in columns]
    if specs[0].role != "longitudinal":
        never = np.full(len(cohort), np.nan)
        return Rows(np.arange(len(cohort)), never, cohort.subjects[list(columns)])
    parts = []
    for spec in specs:
        rows = cohort.observed(spec.name)
        index = [*KEYS, "day"]
        values = rows.set_index(index)["value" if spec.numeric else "text"].rename(spec.name)
        parts.append(values[~values.index.duplicated(keep="last")])
    wide = pd.concat(parts, axis=1)
    keys = wide.index.to_frame(index=False)
    day = keys["day"].to_numpy(dtype=np.float64)
    return Rows(cohort.positions(keys), day, wide.reset_index(drop=True))


def _any_row(place: npt.NDArray[np.int64], rows: BoolArray, n: int) -> BoolArray:
    """Whether any of a patient's rows is marked, shape (n,)."""
    return np.bincount(place[rows], minlength=n).astype(bool)
