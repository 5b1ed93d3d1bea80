"""Canonical form, checks, summary and data dictionary of a cohort."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import tables
from .constraints import violations
from .errors import Faults
from .schema import CohortSchema, Variable

if TYPE_CHECKING:
    from .cohort import Cohort

_ORDER = {
    "observations": ["study_id", "subject_id", "day", "variable", "visit"],
    "derived": ["study_id", "subject_id", "day", "variable", "visit"],
    "episodes": ["study_id", "subject_id", "kind", "start", "term"],
    "events": ["study_id", "subject_id", "endpoint", "day"],
    "sources": ["source_id"],
}
_COLUMNS = {
    "observations": tables.OBSERVATIONS,
    "derived": tables.OBSERVATIONS,
    "episodes": tables.EPISODES,
    "events": tables.EVENTS,
    "sources": tables.SOURCES,
}
_ALLOWED = {
    ("observations", "status"): tables.STATUSES,
    ("derived", "status"): tables.STATUSES,
    ("episodes", "kind"): tables.EPISODE_KINDS,
    ("episodes", "assertion"): tables.ASSERTIONS,
    ("episodes", "severity"): tables.SEVERITIES,
}


_FEWEST = 5  # patients with a term, below which a description does not name it
_COMMONEST = 5  # terms of a kind
_NOT_HAD = ("absent", "family", "hypothetical", "planned", "possible")


def canonical(
    schema: CohortSchema, subjects: pd.DataFrame, given: Mapping[str, pd.DataFrame | None]
) -> dict[str, pd.DataFrame]:
    """Bring all tables into their columns, types and row order; all faults at once."""
    faults = Faults()
    frames: dict[str, pd.DataFrame] = {}
    with faults.catch():
        frames["subjects"] = _subjects(schema, subjects)
    for name, frame in given.items():
        with faults.catch():
            table = tables.conform(frame, _COLUMNS[name], name)
            frames[name] = _ordered(_filled(name, table, schema), _ORDER[name])
    faults.raise_if_any()
    return frames


def _ordered(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Sort rows by their keys; repeated keys (undated episodes, say) by all other columns too."""
    if frame.duplicated(keys).any():
        keys = [*keys, *(c for c in frame.columns if c not in keys)]
    return frame.sort_values(keys, kind="stable", ignore_index=True)


def _subjects(schema: CohortSchema, subjects: pd.DataFrame) -> pd.DataFrame:
    columns: dict[str, tables.Cell] = {
        **tables.SUBJECTS,
        **{v.name: "number" if v.numeric else "text" for v in schema.static},
    }
    frame = tables.conform(subjects, columns, "subjects")
    frame["study_id"] = frame["study_id"].fillna(schema.study_id)
    return frame.sort_values(list(tables.KEYS), kind="stable", ignore_index=True)


def _filled(name: str, frame: pd.DataFrame, schema: CohortSchema) -> pd.DataFrame:
    if "study_id" in frame:
        frame["study_id"] = frame["study_id"].fillna(schema.study_id)
    if name in ("observations", "derived"):
        frame["status"] = frame["status"].fillna(
            "observed" if name == "observations" else "derived"
        )
    if name == "episodes":
        frame["assertion"] = frame["assertion"].fillna("present")
        for edge in ("start", "stop"):
            for side in ("low", "high"):
                bound = f"{edge}_{side}"
                frame[bound] = frame[bound].fillna(frame[edge])
    return frame


def faults(cohort: Cohort) -> list[str]:
    """Return every fault of a cohort; places and counts only, never a value."""
    found = Faults()
    _check_subjects(cohort, found)
    for name in ("observations", "derived", "episodes", "events"):
        _check_keys(cohort, name, found)
    for (name, column), allowed in _ALLOWED.items():
        values = getattr(cohort, name)[column]
        bad = int((values.notna() & ~values.isin(allowed)).sum())
        if bad:
            found.add(
                f"{name}.{column}: {bad} row(s) hold an unknown word; allowed: {', '.join(allowed)}"
            )
    for name in ("observations", "derived"):
        _check_observations(cohort, name, found)
    _check_events(cohort, found)
    _check_sources(cohort, found)
    return list(found)


def _check_subjects(cohort: Cohort, found: Faults) -> None:
    subjects, schema = cohort.subjects, cohort.schema
    if not len(subjects):
        found.add("subjects: there is no row; at least one subject is needed")
    empty = int((subjects["subject_id"].isna() | (subjects["subject_id"] == "")).sum())
    if empty:
        found.add(f"subjects.subject_id: {empty} row(s) are empty")
    repeated = int(subjects.duplicated(list(tables.KEYS)).sum())
    if repeated:
        found.add(f"subjects: {repeated} row(s) repeat a subject; one row a subject is allowed")
    for column in ("arm", "arm_actual"):
        values = subjects[column]
        bad = int((values.notna() & ~values.isin(schema.arms)).sum()) if schema.arms else 0
        if bad:
            found.add(
                f"subjects.{column}: {bad} row(s) name an arm that is not in the schema; "
                f"allowed: {', '.join(schema.arms)}"
            )
    for variable in schema.static:
        _check_values(subjects[variable.name], variable, f"subjects.{variable.name}", found)


def _check_values(values: pd.Series, variable: Variable, where: str, found: Faults) -> None:
    if variable.numeric:
        low, high = variable.low, variable.high
        outside = (values < low if low is not None else False) | (
            values > high if high is not None else False
        )
        bad = int(np.sum(outside))
        if bad:
            unit = f" {variable.unit}" if variable.unit else ""
            found.add(
                f"{where}: {bad} row(s) lie outside the plausible range "
                f"{_side(low)} to {_side(high)}{unit}"
            )
    elif variable.categories is not None:
        bad = int((values.notna() & ~values.isin(variable.categories)).sum())
        if bad:
            found.add(
                f"{where}: {bad} row(s) hold an unknown category; "
                f"allowed: {', '.join(variable.categories)}"
            )


def _side(limit: float | None) -> str:
    return "any" if limit is None else f"{limit:g}"


def _check_keys(cohort: Cohort, name: str, found: Faults) -> None:
    if cohort.subjects.duplicated(list(tables.KEYS)).any():
        return  # told already; look-ups need unique keys
    strangers = int((cohort.positions(getattr(cohort, name)) < 0).sum())
    if strangers:
        found.add(f"{name}: {strangers} row(s) belong to no subject of the cohort")


def _check_observations(cohort: Cohort, name: str, found: Faults) -> None:
    rows = getattr(cohort, name)
    undated = int(rows["day"].isna().sum())
    if undated:
        found.add(f"{name}.day: {undated} row(s) have no day; a value without a time is static")
    known = {v.name: v for v in cohort.schema.longitudinal}
    stray = rows["variable"][~rows["variable"].isin(known)]
    if len(stray):
        found.add(
            f"{name}.variable: {len(stray)} row(s) name {stray.nunique()} variable(s) that "
            "the schema does not list as longitudinal"
        )
    if name == "observations" and (rows["status"] == "derived").any():
        found.add(
            f"{name}.status: {int((rows['status'] == 'derived').sum())} derived row(s); "
            "they belong in the table derived"
        )
    for variable, part in rows[rows["variable"].isin(known)].groupby("variable", sort=True):
        spec = known[str(variable)]
        column = "value" if spec.numeric else "text"
        _check_values(part[column], spec, f"{name}.{column} of {variable}", found)
        done = part["status"] != "not_done"
        missing = int((done & part[column].isna()).sum())
        if missing:
            found.add(
                f"{name}.{column} of {variable}: {missing} row(s) are empty; "
                "a value that was not taken has status not_done"
            )


def _check_events(cohort: Cohort, found: Faults) -> None:
    rows = cohort.events
    causes = {e.name: e.causes for e in cohort.schema.endpoints}
    stray = int((~rows["endpoint"].isin(causes)).sum())
    if stray:
        found.add(f"events.endpoint: {stray} row(s) name an endpoint that is not in the schema")
    bad = int((~(rows["day"] >= 0)).sum())
    if bad:
        found.add(f"events.day: {bad} row(s) are before day 0 or empty")
    unknown = int(rows["observed"].isna().sum())
    if unknown:
        found.add(f"events.observed: {unknown} row(s) are empty")
    repeated = int(rows.duplicated([*tables.KEYS, "endpoint"]).sum())
    if repeated:
        found.add(f"events: {repeated} row(s) repeat an endpoint of a subject")
    for endpoint, allowed in causes.items():
        happened = rows["observed"].eq(True) & (rows["endpoint"] == endpoint)
        wrong = int((happened & ~rows["cause"].isin(allowed)).sum())
        if wrong:
            found.add(
                f"events.cause of {endpoint}: {wrong} row(s) hold an unknown cause; "
                f"allowed: {', '.join(allowed)}"
            )


def _check_sources(cohort: Cohort, found: Faults) -> None:
    ids = cohort.sources["source_id"]
    if ids.duplicated().any():
        found.add(f"sources.source_id: {int(ids.duplicated().sum())} row(s) repeat an id")
    for name in ("observations", "derived", "episodes"):
        used = getattr(cohort, name)["source_id"].dropna()
        lost = int((~used.isin(ids)).sum())
        if lost:
            found.add(f"{name}.source_id: {lost} row(s) name a source that is not listed")


def summary(cohort: Cohort) -> dict[str, Any]:
    """Return counts by table and arm, and location, spread and missing share by variable."""
    subjects, schema = cohort.subjects, cohort.schema
    return {
        "study_id": schema.study_id,
        "subjects": len(cohort),
        "arms": {a: int((subjects["arm"] == a).sum()) for a in schema.arms},
        "observations": len(cohort.observations),
        "derived": len(cohort.derived),
        "events": len(cohort.events),
        "episodes": cohort.episodes["kind"].value_counts().sort_index().astype(int).to_dict(),
        "commonest": _commonest(cohort),
        "endpoints": {
            e.name: {
                "events": int(cohort.endpoint(e.name)["observed"].sum()),
                "subjects": int(cohort.endpoint(e.name)["day"].notna().sum()),
            }
            for e in schema.endpoints
        },
        "variables": {v.name: _describe(subjects[v.name], v) for v in schema.static}
        | {v.name: _describe_longitudinal(cohort, v) for v in schema.longitudinal},
        "sources": len(cohort.sources),
        **_constraints(cohort),
    }


def _commonest(cohort: Cohort) -> dict[str, dict[str, int]]:
    """Patients with each of the commonest terms that are there, by kind of episode.

    What few patients have is left out, since it may tell who they are.
    """
    there = cohort.episodes[~cohort.episodes["assertion"].isin(_NOT_HAD)]
    people = there.drop_duplicates([*tables.KEYS, "kind", "term"])
    counts = people.groupby(["kind", "term"]).size().rename("patients").reset_index()
    counts = counts[counts["patients"] >= _FEWEST]
    counts = counts.sort_values("patients", ascending=False, kind="stable")
    return {
        str(kind): dict(
            zip(rows["term"].astype(str), rows["patients"].astype(int).tolist(), strict=True)
        )
        for kind, every in counts.groupby("kind")
        for rows in (every.head(_COMMONEST),)
    }


def _constraints(cohort: Cohort) -> dict[str, Any]:
    """Patients who break each declared constraint; nothing without one."""
    if not cohort.schema.constraints:
        return {}
    return {"constraints": violations(cohort).to_dict(orient="records")}


def _describe(values: pd.Series, variable: Variable) -> dict[str, Any]:
    out: dict[str, Any] = {
        "kind": variable.kind,
        "unit": variable.unit,
        "missing": round(float(values.isna().mean()), 4),
    }
    if variable.numeric:
        mean, deviation = values.mean(), values.std()
        return out | {"mean": _finite(mean), "sd": _finite(deviation)}
    counts = values.value_counts()
    return out | {"counts": {c: int(counts.get(c, 0)) for c in variable.categories or ()}}


def _describe_longitudinal(cohort: Cohort, variable: Variable) -> dict[str, Any]:
    rows = cohort.observed(variable.name)
    out = _describe(rows["value" if variable.numeric else "text"], variable)
    return out | {"rows": len(rows), "subjects": len(rows[list(tables.KEYS)].drop_duplicates())}


def _finite(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def dictionary(schema: CohortSchema) -> pd.DataFrame:
    """Return the data dictionary, one row a variable."""
    rows = [
        {**v.model_dump(exclude={"categories"}), "categories": " | ".join(v.categories or ())}
        for v in schema.variables
    ]
    return pd.DataFrame(rows, columns=[*Variable.model_fields])
