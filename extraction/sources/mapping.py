"""The mapping file: how the columns of one table become a cohort's variables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from extraction.records.constraints import Constraint
from extraction.records.errors import InputError
from extraction.records.flat import CENSORED_WORDS, YES_WORDS
from extraction.records.schema import CohortSchema, Endpoint, Frozen, Kind, Variable, checked

from .cells import is_unit

Layout = Literal["wide", "visits", "long"]
StoredRole = Literal["baseline", "stratum", "flag", "weight", "longitudinal"]


def _word(value: Any) -> Any:
    """Numbers are words here; YAML turns a bare yes or no into a truth value, so ask for quotes."""
    if isinstance(value, bool):
        raise ValueError('YAML reads this word as true or false; put it in quotes, e.g. "yes"')
    return f"{value:.12g}" if isinstance(value, int | float) else value


Word = Annotated[str, BeforeValidator(_word)]


class _Part(Frozen):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class CsvFormat(_Part):
    """How a CSV file is written."""

    separator: str | None = Field(
        default=None, min_length=1, max_length=1, description="by default found from the rows"
    )
    encoding: str = Field(default="utf-8", description="e.g. utf-8, latin-1, cp1252")
    missing: tuple[Word, ...] = Field(default=("", "NA"), description="cells that mean no value")


class Provenance(_Part):
    """Where a data set comes from and under which terms."""

    name: str
    licence: str = ""
    url: str = ""


class ArmMapping(_Part):
    """The column of the planned arm."""

    column: str
    labels: dict[Word, str] | None = Field(None, description="word in the file -> arm's name")
    control: str | None = Field(None, description="name of the control arm")
    allocation: dict[str, float] | None = Field(None, description="randomised ratio by arm")

    @model_validator(mode="after")
    def _known_arms(self) -> Self:
        names = set((self.labels or {}).values())
        used = [*([self.control] if self.control else []), *(self.allocation or {})]
        for name in used:
            if names and name not in names:
                raise ValueError(f"arm {name} is not among the labels")
        return self


class VariableMapping(_Part):
    """One variable and where its values stand."""

    name: str = Field(min_length=1)
    label: str = ""
    kind: Kind
    role: StoredRole = "baseline"
    column: str | None = Field(None, description="column in the file; by default the name")
    columns: dict[str, str] | None = Field(
        None, description="wide layout, longitudinal: visit -> column"
    )
    test: Word | None = Field(None, description="long layout: word in the variable column")
    unit: str | None = Field(None, description="UCUM code that values are stored in")
    file_unit: str | None = Field(None, description="UCUM code of the file, where it differs")
    categories: tuple[Word, ...] | None = None
    labels: dict[Word, Word] | None = Field(
        None, description="word in the file -> category", validate_default=True
    )
    low: float | None = None
    high: float | None = None
    code: str | None = None

    # Each rule stands at its own field: it is then told beside faults of other fields.
    @field_validator("unit", "file_unit")
    @classmethod
    def _ucum(cls, unit: str | None, info: ValidationInfo) -> str | None:
        if unit is not None and not is_unit(unit):
            raise ValueError(f"unit {unit} is not a UCUM code, e.g. kg, mm[Hg], 10*9/L")
        if unit and info.field_name == "file_unit" and info.data.get("unit", unit) is None:
            raise ValueError("file_unit needs unit, the unit to store in")
        return unit

    @field_validator("categories")
    @classmethod
    def _distinct(cls, categories: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if len(set(categories or ())) != len(categories or ()):
            raise ValueError("categories repeat; name each once")
        return categories

    @field_validator("labels")
    @classmethod
    def _words_of_the_kind(
        cls, labels: dict[str, str] | None, info: ValidationInfo
    ) -> dict[str, str] | None:
        if "kind" not in info.data or "categories" not in info.data:
            return labels  # their own faults are told
        kind, categories = info.data["kind"], info.data["categories"]
        strange = set((labels or {}).values()) - set(categories or ())
        if strange and categories:
            raise ValueError(f"labels lead to {len(strange)} word(s) that are no category")
        held = len(categories or strange)
        if kind == "binary" and held != 2:
            raise ValueError("a binary variable needs two categories, under categories or labels")
        if kind in ("categorical", "ordinal") and not held:
            raise ValueError(f"a variable of kind {kind} needs categories or labels")
        return labels

    @field_validator("high")
    @classmethod
    def _above_low(cls, high: float | None, info: ValidationInfo) -> float | None:
        low = info.data.get("low")
        if high is not None and low is not None and low > high:
            raise ValueError("low is above high")
        return high

    @property
    def variable(self) -> Variable:
        """The variable as the cohort's schema lists it."""
        categories = self.categories
        if categories is None and self.labels:
            categories = tuple(dict.fromkeys(self.labels.values()))
        return Variable(
            name=self.name,
            label=self.label,
            kind=self.kind,
            role=self.role,
            unit=self.unit,
            categories=categories,
            low=self.low,
            high=self.high,
            code=self.code,
        )


class EndpointMapping(_Part):
    """A time-to-event endpoint: the column of its time and of what ended it."""

    name: str = Field(min_length=1)
    label: str = ""
    time: str
    event: str
    time_unit: str = Field("d", description="UCUM code of the time column")
    observed: dict[Word, str] = Field(
        default={"1": "event", "true": "event"}, description="word in the file -> cause"
    )
    censored: tuple[Word, ...] = ("0", "false")

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint as the cohort's schema lists it."""
        return Endpoint(
            name=self.name, label=self.label, causes=tuple(dict.fromkeys(self.observed.values()))
        )


class VisitMapping(_Part):
    """A planned visit; the window defaults to the day itself."""

    name: str
    day: float
    low: float | None = None
    high: float | None = None


class TableMapping(_Part):
    """A whole mapping file."""

    study_id: str = Field(min_length=1)
    layout: Layout = Field(
        "wide", description="wide: a row a subject; visits: a row a visit; long: a row a value"
    )
    subject: str | None = Field(
        None, description="column of the subject's identifier; wide: rows are numbered without one"
    )
    arm: ArmMapping | None = None
    variables: tuple[VariableMapping, ...] = ()
    endpoints: tuple[EndpointMapping, ...] = ()
    visits: tuple[VisitMapping, ...] = ()
    constraints: tuple[Constraint, ...] = Field((), description="what holds in every row")
    day: str | None = Field(None, description="visits and long: column of the day from index")
    visit: str | None = Field(None, description="visits and long: column of the visit's name")
    variable: str | None = Field(None, description="long: column of the variable's word")
    value: str | None = Field(None, description="long: column of the value")
    unit: str | None = Field(None, description="long: column of the unit")
    observed_until: str | None = Field(None, description="column of the last day observed")
    end_reason: str | None = Field(None, description="column of why observation ended")
    csv: CsvFormat = CsvFormat()
    source: Provenance | None = None
    proposed: tuple[str, ...] = Field((), description="what a draft guessed; delete when confirmed")

    @field_validator("proposed")
    @classmethod
    def _confirmed(cls, proposed: tuple[str, ...]) -> tuple[str, ...]:
        if proposed:
            raise ValueError(
                f"{', '.join(proposed)}: guessed by --draft; correct them, then delete this line"
            )
        return proposed

    @model_validator(mode="after")
    def _fits_layout(self) -> Self:
        faults = [*self._layout_faults(), *self._visit_faults()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _layout_faults(self) -> list[str]:
        faults = []
        if self.layout == "long" and not (self.variable and self.value):
            faults.append("layout long needs the columns variable and value")
        if self.layout != "wide" and not self.subject:
            faults.append(f"layout {self.layout} needs the column subject")
        if self.layout != "wide" and not (self.day or self.visit):
            faults.append(f"layout {self.layout} needs the column day or visit")
        return faults

    def _visit_faults(self) -> list[str]:
        known = {v.name for v in self.visits}
        named = {visit for v in self.variables for visit in v.columns or ()}
        faults = [f"visit {name} is not among visits" for name in sorted(named - known)]
        for v in self.variables:
            if v.columns and (self.layout != "wide" or v.role != "longitudinal"):
                faults.append(f"{v.name}: columns by visit need layout wide and role longitudinal")
            if self.layout == "wide" and v.role == "longitudinal" and not v.columns:
                faults.append(f"{v.name}: a longitudinal variable of a wide table needs columns")
        return faults


def load_mapping(mapping: TableMapping | dict[str, Any] | str | Path) -> TableMapping:
    """Check a mapping given as a file's path, a dictionary or the model itself."""
    if isinstance(mapping, TableMapping):
        return mapping
    if isinstance(mapping, dict):
        return checked(TableMapping, mapping, "mapping")
    path = Path(mapping)
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except OSError:
        raise InputError(f"{path.name}: no such mapping file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path.name}: not UTF-8 text") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1})" if mark else ""
        raise InputError(f"{path.name}: not YAML{place}; check indentation and quotes") from None
    return checked(TableMapping, content, path.name)


def draft_mapping(
    schema: CohortSchema,
    study_id: str | None = None,
    proposed: Sequence[str] = (),
    hints: Sequence[str] = (),
) -> str:
    """Write a guessed schema as a mapping file to be read and corrected.

    Parameters
    ----------
    schema
        As `CohortSchema.guess` proposes it for a table with one row a subject.
    study_id
        By default the schema's.
    proposed
        Parts of the mapping that are guesses: it is refused until their line is deleted.
    hints
        What its reader must know, as comments at its head.

    Returns
    -------
    str
        YAML text for `load_mapping`.
    """
    by_role = {v.role: v for v in schema.variables}
    subject = by_role.get("identifier")
    draft: dict[str, Any] = {
        "study_id": study_id or schema.study_id,
        "layout": "wide",
    }
    if subject:
        draft["subject"] = subject.name
    if "arm" in by_role:
        labels = {arm: arm for arm in schema.arms}
        draft["arm"] = {
            "column": by_role["arm"].name,
            "labels": labels,
            "control": schema.control_arm,
        }
    draft["variables"] = [_drafted(v) for v in schema.static]
    draft["endpoints"] = [_drafted_endpoint(e) for e in schema.endpoints]
    if schema.constraints:
        draft["constraints"] = [
            {"kind": r.kind, **r.model_dump(mode="json", exclude_defaults=True)}
            for r in schema.constraints
        ]
    head = "".join(f"# {' '.join(hint.split())}\n" for hint in hints)
    if proposed:
        head += "# Correct what was guessed, then delete the next line: it keeps the file unread.\n"
        head += f"proposed: [{', '.join(proposed)}]\n"
    return head + yaml.safe_dump(draft, sort_keys=False, allow_unicode=True)


def _drafted_endpoint(endpoint: Endpoint) -> dict[str, Any]:
    """Words of a plain indicator are those that a flat table is read by."""
    plain = endpoint.causes == ("event",)
    observed = dict.fromkeys(YES_WORDS, "event") if plain else {c: c for c in endpoint.causes}
    return {
        "name": endpoint.name,
        "time": endpoint.time_column,
        "event": endpoint.event_column,
        "observed": observed,
        "censored": [word for word in CENSORED_WORDS if word not in observed],
    }


def _drafted(variable: Variable) -> dict[str, Any]:
    given = variable.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return {"name": variable.name, "column": variable.name, **given}
