"""One CSV or Parquet file, wide or long, read by a mapping."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from extraction.records import Cohort
from extraction.records.errors import Faults, InputError, nearest
from extraction.records.flat import numbered
from extraction.records.schema import CohortSchema, Frozen, VisitWindow, checked
from extraction.records.units import convert, to_ucum

from .cells import categories, is_unit, numbers, results, texts, words
from .files import MAX_BYTES, read_frame, sha256_of_file
from .mapping import EndpointMapping, TableMapping, VariableMapping, load_mapping


class TableOptions(Frozen):
    """Options of the table source beside the mapping."""

    max_bytes: int = Field(MAX_BYTES, gt=0, description="larger files are refused")


class TableSource:
    """Reads one table: wide (a row a subject), by visit, or long (a row a value).

    Parameters
    ----------
    mapping
        Path of a YAML file, a dictionary or a `TableMapping`.
    **options
        See `TableOptions`.
    """

    def __init__(self, mapping: Any = None, **options: Any) -> None:
        faults = Faults()
        with faults.catch():
            self.options = checked(TableOptions, options, "table source")
        with faults.catch():
            if mapping is None:
                raise InputError("table source: a mapping is needed; see docs/your-data.md")
            self.mapping = load_mapping(mapping)
        faults.raise_if_any()

    def read(self, where: str | Path) -> Cohort:
        """Read the file at `where`.

        Returns
        -------
        Cohort
            Values in the mapping's units; each row names the file it came from.

        Raises
        ------
        InputError
            With every fault: column and number of rows, never a value.
        """
        path, mapping = Path(where), self.mapping
        csv = mapping.csv
        frame = read_frame(
            path,
            separator=csv.separator,
            encoding=csv.encoding,
            missing=csv.missing,
            max_bytes=self.options.max_bytes,
        )
        faults = Faults(path.name)
        _check_columns(frame, mapping, faults)
        faults.raise_if_any()
        table = _Table(frame, mapping, faults)
        subjects = table.subjects()
        observations = table.observations()
        events = table.events()
        faults.raise_if_any()
        return Cohort.build(
            table.schema(),
            subjects,
            observations=observations,
            events=events,
            sources=_source_row(path, len(frame), mapping),
        )


def _check_columns(frame: pd.DataFrame, mapping: TableMapping, faults: Faults) -> None:
    there = [str(c) for c in frame.columns]
    wanted: dict[str, str] = {"subject": mapping.subject} if mapping.subject else {}
    if mapping.arm:
        wanted["arm.column"] = mapping.arm.column
    for field in ("day", "visit", "variable", "value", "unit", "observed_until", "end_reason"):
        if getattr(mapping, field):
            wanted[field] = getattr(mapping, field)
    for v in mapping.variables:
        if v.columns:
            wanted |= {f"{v.name} at {visit}": column for visit, column in v.columns.items()}
        elif not (mapping.layout == "long" and v.role == "longitudinal"):
            wanted[v.name] = v.column or v.name
    for e in mapping.endpoints:
        wanted |= {f"{e.name}.time": e.time, f"{e.name}.event": e.event}
    for place, column in wanted.items():
        if column not in there:
            meant = "" if place == column else f" ({place})"
            faults.add(f"column {column}{meant} is missing{nearest(column, there)}")


class _Table:
    """The parts of a cohort out of one frame; every fault goes to `faults`."""

    def __init__(self, frame: pd.DataFrame, mapping: TableMapping, faults: Faults) -> None:
        self.frame, self.mapping, self.faults = frame, mapping, faults
        named = frame[mapping.subject] if mapping.subject else numbered(frame)
        self.ids = texts(named)
        blank = int(self.ids.isna().sum())
        if blank:
            faults.add(f"column {mapping.subject}: {blank} row(s) have no subject")
        self.first = ~self.ids.duplicated() & self.ids.notna()
        repeats = int((self.ids.duplicated() & self.ids.notna()).sum())
        if mapping.layout == "wide" and repeats:
            faults.add(
                f"column {mapping.subject}: {repeats} row(s) repeat a subject; a wide table has "
                "one row a subject (layout: visits or long allow several)"
            )

    def schema(self) -> CohortSchema:
        """The schema that the mapping describes."""
        mapping, arm = self.mapping, self.mapping.arm
        arms = tuple(dict.fromkeys((arm.labels or {}).values())) if arm else ()
        if arm and not arms:
            arms = tuple(sorted(texts(self.frame[arm.column]).dropna().unique()))
        windows = tuple(
            VisitWindow(
                name=v.name,
                day=v.day,
                low=v.day if v.low is None else v.low,
                high=v.day if v.high is None else v.high,
            )
            for v in mapping.visits
        )
        values = {
            "study_id": mapping.study_id,
            "variables": tuple(v.variable for v in mapping.variables),
            "endpoints": tuple(e.endpoint for e in mapping.endpoints),
            "visits": windows,
            "arms": arms,
            "control_arm": arm.control if arm else None,
            "allocation": arm.allocation if arm else None,
            "constraints": mapping.constraints,
        }
        return checked(CohortSchema, values, "mapping")

    def subjects(self) -> pd.DataFrame:
        """One row a subject; static columns must not change within a subject."""
        mapping = self.mapping
        columns: dict[str, Any] = {"subject_id": self.ids}
        if mapping.arm:
            columns["arm"] = columns["arm_actual"] = self._arm()
        if mapping.observed_until:
            column = mapping.observed_until
            columns["observed_until"] = numbers(self.frame[column], f"column {column}", self.faults)
        if mapping.end_reason:
            columns["end_reason"] = texts(self.frame[mapping.end_reason])
        for spec in mapping.variables:
            if spec.role != "longitudinal":
                columns[spec.name] = self._values(spec, spec.column or spec.name)
        table = pd.DataFrame(columns, index=self.frame.index)
        for name in columns:
            self._check_constant(table[name], name)
        if not mapping.observed_until and mapping.endpoints:
            table["observed_until"] = self._last_time()
        return self._one_row_each(table)

    def _one_row_each(self, table: pd.DataFrame) -> pd.DataFrame:
        """One row a subject: what is known of each column, in whichever row it stands."""
        if self.mapping.layout == "wide":
            return table[self.first]
        return table.groupby(self.ids, sort=False).transform("first")[self.first]

    def _arm(self) -> pd.Series[Any]:
        arm = self.mapping.arm
        assert arm is not None
        values, place = self.frame[arm.column], f"column {arm.column}"
        if not arm.labels:
            return texts(values)
        return categories(values, arm.labels, tuple(arm.labels.values()), place, self.faults)

    def _values(self, spec: VariableMapping, column: str) -> Any:
        values, place = self.frame[column], f"column {column}"
        variable = spec.variable
        if not variable.numeric:
            known = variable.categories or ()
            return categories(values, spec.labels, known, place, self.faults)
        found = self._in_unit(numbers(values, place, self.faults), spec)
        self._check_range(found, spec, place)
        return found

    def _in_unit(self, values: np.ndarray[Any, Any], spec: VariableMapping) -> np.ndarray[Any, Any]:
        if spec.file_unit and spec.unit:
            with self.faults.catch():
                return convert(values, spec.file_unit, spec.unit)
        return values

    def _check_range(self, values: np.ndarray[Any, Any], spec: VariableMapping, place: str) -> None:
        low = -np.inf if spec.low is None else spec.low
        high = np.inf if spec.high is None else spec.high
        outside = int(((values < low) | (values > high)).sum())
        if outside:
            self.faults.add(
                f"{place}: {outside} row(s) outside {low:g} to {high:g} {spec.unit or ''}".rstrip()
                + "; check the unit (file_unit) and the entry"
            )

    def _check_constant(self, values: pd.Series[Any], name: str) -> None:
        if self.mapping.layout == "wide" or name == "subject_id":
            return
        changes = values.groupby(self.ids).nunique(dropna=True) > 1
        if changes.any():
            self.faults.add(
                f"{name}: {int(changes.sum())} subject(s) have several values; "
                "a static variable has one a subject"
            )

    def _last_time(self) -> pd.Series[Any]:
        times = [self._event_days(e, report=False).rename(e.name) for e in self.mapping.endpoints]
        return pd.concat(times, axis=1).max(axis=1)

    def _event_days(self, spec: EndpointMapping, report: bool = True) -> pd.Series[Any]:
        faults = self.faults if report else Faults()
        days = numbers(self.frame[spec.time], f"column {spec.time}", faults)
        with faults.catch():
            days = convert(days, spec.time_unit, "d")
        negative = int((days < 0).sum())
        if negative:
            faults.add(f"column {spec.time}: {negative} row(s) are negative; time runs from day 0")
        return pd.Series(days, index=self.frame.index)

    def events(self) -> pd.DataFrame | None:
        """One row a subject and endpoint with a known time."""
        parts = [self._events_of(spec) for spec in self.mapping.endpoints]
        return pd.concat(parts).dropna(subset=["day"]) if parts else None

    def _events_of(self, spec: EndpointMapping) -> pd.DataFrame:
        days = self._event_days(spec)
        place = f"column {spec.event}"
        outcome = {**dict.fromkeys(spec.censored, ""), **spec.observed}
        known = tuple(dict.fromkeys(outcome.values()))
        cause = categories(self.frame[spec.event], outcome, known, place, self.faults)
        half = int((days.isna() != cause.isna()).sum())
        if half:
            self.faults.add(f"{place}: {half} row(s) have a time or an event without the other")
        table = pd.DataFrame({"subject_id": self.ids, "day": days, "cause": cause})
        self._check_constant(days, f"column {spec.time}")
        self._check_constant(cause, place)
        rows = self._one_row_each(table)
        observed = rows["cause"].notna() & (rows["cause"] != "")
        return rows.assign(
            endpoint=spec.name, observed=observed, cause=rows["cause"].where(observed, None)
        )

    def observations(self) -> pd.DataFrame | None:
        """Long rows of every longitudinal variable; a blank cell of a wide table is no row."""
        specs = [v for v in self.mapping.variables if v.role == "longitudinal"]
        reader = {"wide": self._wide, "visits": self._by_visit, "long": self._long}
        parts = [p for spec in specs for p in reader[self.mapping.layout](spec)]
        return pd.concat(parts, ignore_index=True) if parts else None

    def _wide(self, spec: VariableMapping) -> list[pd.DataFrame]:
        day = {v.name: v.day for v in self.mapping.visits}
        return [
            self._rows(spec, self.frame[column], column).assign(day=day[visit], visit=visit)
            for visit, column in (spec.columns or {}).items()
        ]

    def _by_visit(self, spec: VariableMapping) -> list[pd.DataFrame]:
        column = spec.column or spec.name
        rows = self._rows(spec, self.frame[column], column)
        return [self._timed(rows)]

    def _long(self, spec: VariableMapping) -> list[pd.DataFrame]:
        mapping = self.mapping
        assert mapping.variable and mapping.value
        chosen = words(self.frame[mapping.variable]) == (spec.test or spec.name)
        if not chosen.any():
            self.faults.add(f"column {mapping.variable}: no row is {spec.test or spec.name}")
            return []
        rows = self._rows(spec, self.frame.loc[chosen, mapping.value], mapping.value, blank=True)
        return [self._timed(self._row_units(rows, spec))]

    def _rows(
        self, spec: VariableMapping, cells: pd.Series[Any], column: str, blank: bool = False
    ) -> pd.DataFrame:
        place, variable = f"column {column}", spec.variable
        out = pd.DataFrame(
            {
                "subject_id": self.ids.reindex(cells.index),
                "variable": spec.name,
                "unit": spec.unit,
                "source_id": _source_id(self.mapping),
            },
            index=cells.index,
        )
        if variable.numeric:
            value, below = results(cells, place, self.faults)
            out["value"] = self._in_unit(value, spec)
            if not self.mapping.unit:  # with a unit column, once the values are converted
                self._check_range(out["value"].to_numpy(), spec, place)
            out["status"] = np.where(below, "below_limit", "observed")
            out["text"] = texts(cells).where(below, None)
            known = out["value"].notna()
        else:
            known_words = variable.categories or ()
            out["text"] = categories(cells, spec.labels, known_words, place, self.faults)
            out["status"] = "observed"
            known = out["text"].notna()
        out.loc[~known, "status"] = "not_done"
        return out if blank else out[known]

    def _row_units(self, rows: pd.DataFrame, spec: VariableMapping) -> pd.DataFrame:
        if not self.mapping.unit or not spec.unit or "value" not in rows:
            return rows
        given = texts(self.frame[self.mapping.unit]).reindex(rows.index)
        place = f"column {self.mapping.unit}"
        value = rows["value"].to_numpy(np.float64, copy=True)
        for spelling in sorted(given.dropna().unique()):
            these = (given == spelling).to_numpy()
            code = to_ucum(spelling)
            if not is_unit(code):
                self.faults.add(f"{place}: {int(these.sum())} row(s) hold a unit that is not known")
                continue
            try:
                value[these] = convert(value[these], code, spec.unit)
            except InputError:
                self.faults.add(
                    f"{place}: {int(these.sum())} row(s) of {spec.name} cannot be converted "
                    f"to {spec.unit}"
                )
        self._check_range(value, spec, f"column {self.mapping.value}, {spec.name}")
        return rows.assign(value=value)

    def _timed(self, rows: pd.DataFrame) -> pd.DataFrame:
        mapping = self.mapping
        out = rows
        if mapping.visit:
            out = out.assign(visit=texts(self.frame[mapping.visit]).reindex(rows.index))
        if mapping.day:
            day = numbers(self.frame[mapping.day], f"column {mapping.day}", Faults())
            return self._dated(out.assign(day=pd.Series(day, self.frame.index).reindex(rows.index)))
        planned = {v.name: v.day for v in mapping.visits}
        return self._dated(out.assign(day=out["visit"].map(planned).astype(float)))

    def _dated(self, rows: pd.DataFrame) -> pd.DataFrame:
        undated = int(rows["day"].isna().sum())
        if undated:
            column = self.mapping.day or self.mapping.visit
            self.faults.add(
                f"column {column}: {undated} row(s) of {rows['variable'].iloc[0]} have no day; "
                "give a number of days from index, or list the visit under visits"
            )
        return rows


def _source_id(mapping: TableMapping) -> str:
    return f"{mapping.study_id}/table"


def _source_row(path: Path, n: int, mapping: TableMapping) -> pd.DataFrame:
    origin = mapping.source
    notes = [f"{n} rows read as {mapping.layout} table"]
    if origin:
        notes += [part for part in (origin.name, origin.licence, origin.url) if part]
    row = {
        "source_id": _source_id(mapping),
        "kind": "table",
        "name": path.name,
        "sha256": sha256_of_file(path),
        "action": "; ".join(notes),
    }
    return pd.DataFrame([row])
