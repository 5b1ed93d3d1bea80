"""What a cohort's variables, endpoints and visits mean."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .constraints import ColumnRule, Constraint, constraint_faults
from .errors import InputError, nearest
from .plain import faults_of, field_names, plain_faults, untagged, with_choices

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1

T = TypeVar("T", bound=BaseModel)

Kind = Literal["continuous", "count", "ordinal", "categorical", "binary"]
Role = Literal["identifier", "arm", "stratum", "flag", "weight", "baseline", "longitudinal"]


class Frozen(BaseModel):
    """A checked, immutable record; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Variable(Frozen):
    """One measured or recorded variable.

    Continuous and count variables are stored as float64 (NaN = missing); all other kinds as
    strings out of `categories` (None = missing), which are in order for an ordinal variable.
    """

    name: str = Field(min_length=1, description="column name, unique in the schema")
    label: str = ""
    kind: Kind
    role: Role = "baseline"
    unit: str | None = Field(default=None, description="UCUM code; values are stored in this unit")
    categories: tuple[str, ...] | None = None
    low: float | None = Field(default=None, description="smallest plausible value")
    high: float | None = Field(default=None, description="largest plausible value")
    reference_low: float | None = Field(default=None, description="lower limit of normal")
    reference_high: float | None = Field(default=None, description="upper limit of normal")
    code: str | None = Field(default=None, description="code in a public vocabulary, system|code")

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"variable {self.name}: low is above high")
        if self.kind == "binary" and len(self.categories or ()) != 2:
            raise ValueError(f"variable {self.name}: a binary variable needs two categories")
        if not self.numeric and not self.categories and self.role not in ("identifier", "arm"):
            raise ValueError(f"variable {self.name}: a {self.kind} variable needs categories")
        if len(set(self.categories or ())) != len(self.categories or ()):
            raise ValueError(f"variable {self.name}: categories repeat")
        return self

    @property
    def numeric(self) -> bool:
        """Whether values are numbers (continuous, count) and not categories."""
        return self.kind in ("continuous", "count")

    @property
    def title(self) -> str:
        """The label, or the name where there is none."""
        return self.label or self.name


class Endpoint(Frozen):
    """A time-to-event endpoint; days run from index to the event or to censoring."""

    name: str = Field(min_length=1)
    label: str = ""
    causes: tuple[str, ...] = Field(default=("event",), min_length=1)
    time_column: str | None = Field(default=None, description="time column of a flat table")
    event_column: str | None = Field(default=None, description="event column of a flat table")

    @property
    def title(self) -> str:
        """The label, or the name where there is none."""
        return self.label or self.name


class VisitWindow(Frozen):
    """A planned visit: target day and the closed window of days that belongs to it."""

    name: str = Field(min_length=1)
    day: float
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.day <= self.high:
            raise ValueError(f"visit {self.name}: low <= day <= high does not hold")
        return self


def _none(constraints: tuple[Constraint, ...]) -> bool:
    """Whether a schema is written without constraints, as it was before there were any."""
    return not constraints


class CohortSchema(Frozen):
    """The data dictionary of a cohort and, in a trial, its arms and allocation ratio.

    Parameters
    ----------
    allocation
        Randomised ratio by arm, e.g. ``{"Placebo": 1, "Active": 2}``; None when treatment was
        not randomised. A randomised arm is independent of baseline by design.
    constraints
        What holds in every row (`extraction.records.constraints`); synthetic patients meet them.
    """

    schema_version: int = SCHEMA_VERSION
    study_id: str = "STUDY"
    variables: tuple[Variable, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    visits: tuple[VisitWindow, ...] = ()
    arms: tuple[str, ...] = ()
    control_arm: str | None = None
    allocation: dict[str, float] | None = None
    constraints: tuple[Constraint, ...] = Field(default=(), exclude_if=_none)

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        faults = [
            *_repeats("variable", (v.name for v in self.variables)),
            *_repeats("endpoint", (e.name for e in self.endpoints)),
            *_repeats("visit", (v.name for v in self.visits)),
            *_repeats("arm", self.arms),
        ]
        if self.control_arm is not None and self.control_arm not in self.arms:
            faults.append(f"control_arm {self.control_arm} is not among the arms")
        for arm, ratio in (self.allocation or {}).items():
            if arm not in self.arms:
                faults.append(f"allocation names arm {arm}, which is not among the arms")
            if ratio <= 0:
                faults.append(f"allocation of {arm} is {ratio:g}; it must be above 0")
        faults += constraint_faults(self)
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @cached_property
    def _by_name(self) -> dict[str, Variable]:
        return {v.name: v for v in self.variables}

    @property
    def randomised(self) -> bool:
        """Whether the arm was allocated by design."""
        return self.allocation is not None

    @property
    def baseline(self) -> tuple[Variable, ...]:
        """Variables known at index and usable as covariates (baseline and stratum)."""
        return tuple(v for v in self.variables if v.role in ("baseline", "stratum"))

    @property
    def static(self) -> tuple[Variable, ...]:
        """Variables that are a column of `Cohort.subjects`."""
        roles = ("baseline", "stratum", "flag", "weight")
        return tuple(v for v in self.variables if v.role in roles)

    @property
    def longitudinal(self) -> tuple[Variable, ...]:
        """Variables measured over time (rows of `Cohort.observations`)."""
        return tuple(v for v in self.variables if v.role == "longitudinal")

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def variable(self, name: str) -> Variable:
        """Return the variable of this name; `InputError` names the nearest one."""
        found = self._by_name.get(name)
        if found is None:
            hint = nearest(name, self._by_name)
            raise InputError(f"variable {name} is not in the schema of {self.study_id}{hint}")
        return found

    def endpoint(self, name: str) -> Endpoint:
        """Return the endpoint of this name."""
        for endpoint in self.endpoints:
            if endpoint.name == name:
                return endpoint
        known = [e.name for e in self.endpoints]
        raise InputError(f"endpoint {name} is not in the schema{nearest(name, known)}")

    def visit(self, name: str) -> VisitWindow:
        """Return the visit window of this name."""
        for visit in self.visits:
            if visit.name == name:
                return visit
        known = [v.name for v in self.visits]
        raise InputError(f"visit {name} is not in the schema{nearest(name, known)}")

    def replace(self, **changes: Any) -> CohortSchema:
        """Return a checked copy with some fields changed."""
        return checked(CohortSchema, {**dict(self), **changes}, "schema")

    def keep(self, names: Iterable[str]) -> CohortSchema:
        """Return the schema with only these variables, in the order of the schema."""
        wanted = set(names)
        for name in sorted(wanted):
            self.variable(name)
        return self.replace(
            variables=tuple(v for v in self.variables if v.name in wanted),
            constraints=tuple(
                rule
                for rule in self.constraints
                if not isinstance(rule, ColumnRule) or wanted.issuperset(rule.columns_used)
            ),
        )

    @classmethod
    def guess(
        cls,
        frame: pd.DataFrame,
        arm: Hashable | None = None,
        time: Hashable | None = None,
        event: Hashable | None = None,
        subject: Hashable | None = None,
    ) -> CohortSchema:
        """Propose a schema for a flat table with one row a subject.

        Parameters
        ----------
        frame
            One row a subject.
        arm, time, event, subject
            Names of the treatment, follow-up time (days), event indicator and subject columns;
            None where the table has none.

        Returns
        -------
        CohortSchema
            To be read and corrected, not trusted; see `extraction.records.guess.propose_schema`,
            which also says what was left out.
        """
        from .guess import propose_schema

        return propose_schema(frame, arm, time, event, subject).schema


def checked(model: type[T], values: object, where: str) -> T:
    """Validate `values`, turning every pydantic fault into one `InputError` without values.

    Parameters
    ----------
    where
        What a user would call the input, e.g. a file's name.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InputError(pydantic_faults(error, where, model, values)) from None


def pydantic_faults(
    error: ValidationError,
    where: str,
    model: type[BaseModel] | None = None,
    values: object = None,
) -> list[str]:
    """Every fault of a pydantic error as "where: place: words", without the values.

    Parameters
    ----------
    model
        What was to be built; the nearest of its fields is told for an unknown one.
    values
        What it was to be built from, so that places are told as they were typed.
    """
    known = field_names(model) if model else ()
    items = [untagged(with_choices(item, model), values) for item in faults_of(error)]
    # A validator may tell several faults, each on a line of its own.
    return [
        f"{where}: {place}: {line}" if place else f"{where}: {line}"
        for place, words in plain_faults(items, known)
        for line in words.splitlines()
    ]


def _repeats(what: str, names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    repeated = {n for n in names if n in seen or seen.add(n)}  # type: ignore[func-returns-value]
    return [f"{what} {name} appears more than once" for name in sorted(repeated)]
