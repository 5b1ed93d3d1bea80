"""Between a cohort and a flat table with one row a subject."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from .cohort import Cohort
from .errors import Faults, InputError, nearest
from .schema import CohortSchema, Endpoint, Variable
from .tables import KEYS, as_numbers

YES_WORDS = ("1", "true", "yes", "y", "event")
CENSORED_WORDS = ("0", "false", "no", "n", "censored", "alive", "none")
_PLAIN = frozenset({*YES_WORDS, *CENSORED_WORDS})


def to_table(cohort: Cohort, visits: bool = True) -> pd.DataFrame:
    """Return subject_id, arm, static variables, ``var@visit`` and endpoint columns.

    Endpoints give ``<endpoint>_time`` (days), ``<endpoint>_event`` (1.0 or 0.0) and, with
    several causes, ``<endpoint>_cause``.
    """
    static = [v.name for v in cohort.schema.static]
    columns: dict[str, object] = {
        "subject_id": cohort.subjects["subject_id"].to_numpy(),
        "arm": cohort.subjects["arm"].to_numpy(),
        **{name: cohort.subjects[name].to_numpy() for name in static},
    }
    if visits:
        for variable in cohort.schema.longitudinal:
            for visit in cohort.schema.visits:
                column = cohort.at_visit(variable.name, visit.name)
                if column.notna().any():
                    columns[str(column.name)] = column.to_numpy()
    for endpoint in cohort.schema.endpoints:
        columns |= _endpoint_columns(cohort, endpoint)
    return pd.DataFrame(columns)


def _endpoint_columns(cohort: Cohort, endpoint: Endpoint) -> dict[str, object]:
    rows = cohort.endpoint(endpoint.name)
    observed = np.where(rows["day"].isna(), np.nan, rows["observed"].to_numpy(dtype=np.float64))
    columns: dict[str, object] = {
        f"{endpoint.name}_time": rows["day"].to_numpy(),
        f"{endpoint.name}_event": observed,
    }
    if len(endpoint.causes) > 1:
        columns[f"{endpoint.name}_cause"] = rows["cause"].to_numpy()
    return columns


def from_table(frame: pd.DataFrame, schema: CohortSchema, study_id: str | None = None) -> Cohort:
    """Make a cohort from a flat table that the schema describes.

    Parameters
    ----------
    frame
        One row a subject. Columns of the schema's static variables, the arm (role ``arm`` or
        a column ``arm``), the subject (role ``identifier`` or ``subject_id``; numbered when
        there is none), ``var@visit`` and each endpoint's time and event columns.

    Raises
    ------
    InputError
        With every missing column, unknown category and impossible number.
    """
    study = study_id or schema.study_id
    faults = Faults(study)
    refuse_repeats(frame, study)
    subjects = pd.DataFrame({"study_id": study, "subject_id": _subjects(frame, schema, faults)})
    subjects["arm"] = _arms(frame, schema)
    for variable in schema.static:
        if variable.name in frame:
            subjects[variable.name] = _static(frame[variable.name], variable)
        else:
            faults.add(f"column {variable.name} is missing{nearest(variable.name, _names(frame))}")
    events = [_events(frame, endpoint, subjects, faults) for endpoint in schema.endpoints]
    faults.raise_if_any()
    table = pd.concat(events, ignore_index=True) if events else None
    if table is not None:
        last = table.groupby("subject_id")["day"].max()
        subjects["observed_until"] = subjects["subject_id"].map(last)
    return Cohort.build(
        schema, subjects, observations=_longitudinal(frame, schema, subjects), events=table
    )


def refuse_repeats(frame: pd.DataFrame, where: str) -> None:
    """Refuse a table with two columns of one name: which one is meant cannot be known."""
    repeated = sorted({str(c) for c in frame.columns[frame.columns.duplicated()]})
    if repeated:
        raise InputError(
            [
                f"{where}: column {name} appears more than once; rename or drop one of them"
                for name in repeated
            ]
        )


def _names(frame: pd.DataFrame) -> list[str]:
    return [str(c) for c in frame.columns]


def _subjects(frame: pd.DataFrame, schema: CohortSchema, faults: Faults) -> list[str]:
    named = [v.name for v in schema.variables if v.role == "identifier"] + ["subject_id"]
    column = next((c for c in named if c in frame), None)
    if column is None:
        return numbered(frame).tolist()
    values = frame[column]
    if values.isna().any():
        faults.add(f"column {column}: {int(values.isna().sum())} subject id(s) are missing")
    repeats = int(values.dropna().duplicated().sum())
    if repeats:
        faults.add(
            f"column {column}: {repeats} row(s) repeat a subject; one row a subject is allowed "
            "(a mapping with layout: visits or long reads several)"
        )
    return [as_category(v) or "" for v in values]


def numbered(frame: pd.DataFrame) -> pd.Series:
    """Names for the rows of a table without a subject's identifier: 001, 002, ..."""
    width = len(str(len(frame)))
    return pd.Series([f"{i + 1:0{width}d}" for i in range(len(frame))], frame.index, dtype=object)


def _arms(frame: pd.DataFrame, schema: CohortSchema) -> list[str | None]:
    named = [v.name for v in schema.variables if v.role == "arm"] + ["arm"]
    column = next((c for c in named if c in frame), None)
    if column is None:
        return [None] * len(frame)
    return [as_category(v) for v in frame[column]]


def _static(values: pd.Series, variable: Variable) -> np.ndarray:
    return values.to_numpy() if variable.numeric else categories(values)


def categories(values: pd.Series) -> np.ndarray:
    """Return cells as category names, an object array of str and None."""
    out = np.empty(len(values), dtype=object)
    out[:] = [as_category(v) for v in values]
    return out


def as_category(value: object) -> str | None:
    """Return how a cell is named as a category: 1.0 is "1", True is "true"."""
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | float | np.number):
        return f"{float(value):.12g}"
    return str(value)


def _events(
    frame: pd.DataFrame, endpoint: Endpoint, subjects: pd.DataFrame, faults: Faults
) -> pd.DataFrame:
    time = _column(frame, endpoint.time_column, f"{endpoint.name}_time", faults)
    event = _column(frame, endpoint.event_column, f"{endpoint.name}_event", faults)
    if time is None or event is None:
        return pd.DataFrame()
    with faults.catch():
        as_numbers(frame[time], f"column {time}")
    days = pd.to_numeric(frame[time], errors="coerce").to_numpy(dtype=np.float64)
    known = np.isfinite(days)
    cause = _causes(frame, endpoint, event, known, faults)
    rows = pd.DataFrame(
        {
            "study_id": subjects["study_id"],
            "subject_id": subjects["subject_id"],
            "endpoint": endpoint.name,
            "day": days,
            "observed": [c is not None for c in cause],
            "cause": cause,
        }
    )
    untimed = int((rows["observed"] & ~known).sum())
    if untimed:
        faults.add(f"column {event}: {untimed} row(s) have an event without a time in {time}")
    timed: pd.DataFrame = rows[known]
    return timed


def _causes(
    frame: pd.DataFrame, endpoint: Endpoint, event: str, timed: np.ndarray, faults: Faults
) -> list[str | None]:
    """Return the cause of each row's event, None where the row is censored.

    One cause alone may be coded as a plain indicator (1, yes, true).
    """
    words, known = categories(frame[event]), set(endpoint.causes)
    blank = int((timed & np.array([w is None for w in words], dtype=bool)).sum())
    if blank:
        faults.add(f"column {event}: {blank} row(s) have a time but no word on the event")
    named = f"{endpoint.name}_cause"
    if named in frame:
        cause = categories(frame[named])
        found = [c if c in known else None for c in cause]
        happened = [w is not None and w.casefold() in YES_WORDS for w in words]
        lost = sum(h and c is None for h, c in zip(happened, found, strict=True))
        if lost:
            faults.add(f"column {named}: {lost} row(s) with an event hold no known cause")
        return found
    # A code as cause ("2" of R's 1 and 2) stands for itself, even where nobody had the event.
    if len(known) == 1 and not known & set(words) and not endpoint.causes[0].isdigit():
        strange = [w for w in words if w is not None and w.casefold() not in _PLAIN]
        if strange:
            faults.add(
                f"column {event}: {len(strange)} row(s) say neither event nor censored; "
                f"write 1 and 0, or name the cause in the schema"
            )
        return [endpoint.causes[0] if str(w).casefold() in YES_WORDS else None for w in words]
    return [w if w in known else None for w in words]


def _column(frame: pd.DataFrame, wanted: str | None, fallback: str, faults: Faults) -> str | None:
    for name in (wanted, fallback):
        if name is not None and name in frame:
            return name
    name = wanted or fallback
    faults.add(f"column {name} is missing{nearest(name, _names(frame))}")
    return None


def _longitudinal(
    frame: pd.DataFrame, schema: CohortSchema, subjects: pd.DataFrame
) -> pd.DataFrame | None:
    parts = []
    for variable in schema.longitudinal:
        for visit in schema.visits:
            column = f"{variable.name}@{visit.name}"
            if column not in frame:
                continue
            known = frame[column].notna().to_numpy()
            rows = subjects.loc[known, list(KEYS)].assign(
                day=visit.day,
                visit=visit.name,
                variable=variable.name,
                unit=variable.unit,
                status="observed",
            )
            rows["value" if variable.numeric else "text"] = _static(frame[column][known], variable)
            parts.append(rows)
    return pd.concat(parts, ignore_index=True) if parts else None


def merge(cohort: Cohort, other: Cohort) -> Cohort:
    """Add another cohort's facts about subjects of this one; see `Cohort.merge`."""
    place = cohort.positions(other.subjects)
    if (place < 0).any():
        raise InputError(f"merge: {int((place < 0).sum())} subject(s) are not in the first cohort")
    schema = _joined(cohort.schema, other.schema)
    subjects = cohort.subjects.copy()
    for variable in other.schema.static:
        name = variable.name
        values = np.full(
            len(cohort),
            np.nan if variable.numeric else None,
            dtype=np.float64 if variable.numeric else object,
        )
        values[place] = other.subjects[name].to_numpy()
        here = subjects[name] if name in subjects else pd.Series(values)
        subjects[name] = here.where(here.notna(), pd.Series(values))
    names = ("observations", "derived", "episodes", "events", "sources")
    stacked = stack((cohort, other), names, "merge")
    stacked["events"] = stacked["events"].drop_duplicates([*KEYS, "endpoint"])
    return Cohort.build(schema, subjects, **stacked)


def stack(cohorts: Sequence[Cohort], names: Iterable[str], where: str) -> dict[str, pd.DataFrame]:
    """Stack the named tables of cohorts whose variables and sources mean the same."""
    faults = Faults(where)
    first: dict[str, Variable] = {}
    for variable in [v for c in cohorts for v in c.schema.variables]:
        known = first.setdefault(variable.name, variable)
        units = {known.unit, variable.unit} - {None}
        if known.numeric != variable.numeric or len(units) > 1:
            faults.add(
                f"{variable.name} is {known.kind} in {known.unit} in one cohort and "
                f"{variable.kind} in {variable.unit} in another; bring them into one"
            )
    tables = {
        name: pd.concat([getattr(c, name) for c in cohorts], ignore_index=True) for name in names
    }
    distinct = tables["sources"].drop_duplicates(["source_id", "kind", "name", "sha256"])
    for source_id in distinct.loc[distinct["source_id"].duplicated(), "source_id"].unique():
        faults.add(f"source id {source_id} stands for different sources; name them apart")
    faults.raise_if_any()
    return {**tables, "sources": distinct}


def _joined(first: CohortSchema, second: CohortSchema) -> CohortSchema:
    names = {v.name for v in first.variables}
    visits = {v.name for v in first.visits}
    endpoints = {e.name for e in first.endpoints}
    return first.replace(
        variables=(*first.variables, *(v for v in second.variables if v.name not in names)),
        visits=(*first.visits, *(v for v in second.visits if v.name not in visits)),
        endpoints=(*first.endpoints, *(e for e in second.endpoints if e.name not in endpoints)),
    )
