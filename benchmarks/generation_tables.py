"""Cohorts as the plain tables that peers read and write, and back without mending anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from extraction.records import Cohort, CohortSchema, VisitWindow
from extraction.records.quality import canonical

KEY = "subject_id"
CENSORED = "censored"
UNTIL = "observed_until"
MOST_VISITS = 8
"""Visits in the order of their days that a table of unplanned visits shows."""


def plain_tables(cohort: Cohort) -> dict[str, pd.DataFrame]:
    """``static``: arm, baseline, time and event of each endpoint; ``visits``: one row a day.

    Where there are visits, ``static`` has the end of observation as well.
    """
    schema, people = cohort.schema, cohort.subjects
    columns: dict[str, Any] = {KEY: people[KEY]}
    if people["arm"].nunique() > 1:
        columns["arm"] = people["arm"]
    columns |= {v.name: people[v.name] for v in schema.baseline}
    if schema.longitudinal:
        columns[UNTIL] = people[UNTIL]
    for endpoint in schema.endpoints:
        rows = cohort.endpoint(endpoint.name)
        word = rows["cause"].where(rows["observed"].eq(True), CENSORED)
        columns[f"{endpoint.name}_time"] = rows["day"].to_numpy()
        columns[f"{endpoint.name}_event"] = word.where(rows["day"].notna(), None).to_numpy()
    found = {"static": pd.DataFrame(columns)}
    if schema.longitudinal:
        found["visits"] = _visits(cohort)
    return found


def _visits(cohort: Cohort) -> pd.DataFrame:
    rows = cohort.observations
    rows = rows[rows["status"] == "observed"]
    index = [KEY, "day"]
    wide = [
        rows[rows["variable"] == v.name]
        .drop_duplicates(index)
        .set_index(index)["value" if v.numeric else "text"]
        .rename(v.name)
        for v in cohort.schema.longitudinal
    ]
    return pd.concat(wide, axis=1).reset_index().sort_values(index, ignore_index=True)


def write_tables(tables: dict[str, pd.DataFrame], folder: Path) -> None:
    """Write each table as ``<name>.parquet``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)


def read_tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Read every table of a folder."""
    return {p.stem: pd.read_parquet(p) for p in sorted(folder.glob("*.parquet"))}


def cohort_of(schema: CohortSchema, tables: dict[str, pd.DataFrame]) -> Cohort:
    """A cohort out of a peer's tables, impossible entries included: it is not validated."""
    static = tables["static"].reset_index(drop=True)
    names = static[KEY].astype(str) if KEY in static else _numbered(len(static))
    subjects = pd.DataFrame({KEY: names})
    subjects["arm"] = static["arm"] if "arm" in static else _only(schema)
    for variable in schema.baseline:
        subjects[variable.name] = static[variable.name]
    events = _events(schema, static, subjects)
    last = events.groupby(KEY)["day"].max()
    subjects[UNTIL] = static[UNTIL] if UNTIL in static else subjects[KEY].map(last)
    visits = tables.get("visits")
    given: dict[str, pd.DataFrame | None] = {
        "observations": None if visits is None else _observations(schema, visits),
        "derived": None,
        "episodes": None,
        "events": events,
        "sources": None,
    }
    return Cohort(schema, **canonical(schema, subjects, given))


def _numbered(n: int) -> pd.Series:
    return pd.Series([f"S-{i + 1:06d}" for i in range(n)])


def _only(schema: CohortSchema) -> str | None:
    return schema.arms[0] if len(schema.arms) == 1 else None


def _events(schema: CohortSchema, static: pd.DataFrame, subjects: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for endpoint in schema.endpoints:
        word = static[f"{endpoint.name}_event"].astype(object)
        observed = word.notna() & (word != CENSORED)
        parts.append(
            pd.DataFrame(
                {
                    KEY: subjects[KEY],
                    "endpoint": endpoint.name,
                    "day": static[f"{endpoint.name}_time"],
                    "observed": observed,
                    "cause": word.where(observed, None),
                }
            )
        )
    found = pd.concat(parts, ignore_index=True)
    return found[found["day"].notna()].reset_index(drop=True)


def _observations(schema: CohortSchema, visits: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for variable in schema.longitudinal:
        rows = visits[visits[variable.name].notna() & visits["day"].notna()]
        parts.append(
            pd.DataFrame(
                {
                    KEY: rows[KEY].astype(str),
                    "day": rows["day"].astype(float),
                    "variable": variable.name,
                    "value" if variable.numeric else "text": rows[variable.name],
                    "status": "observed",
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def in_order(cohort: Cohort) -> Cohort:
    """Unplanned visits told by their number: visit k is a patient's k-th day with a value.

    The days since the visit before become a variable ``gap``; the first eight visits are kept.
    A cohort with planned visits, or none, comes back as it is.
    """
    schema = cohort.schema
    if schema.visits or not schema.longitudinal:
        return cohort
    rows = cohort.observations
    days = rows[["study_id", KEY, "day"]].drop_duplicates().sort_values([KEY, "day"])
    days["number"] = days.groupby(KEY).cumcount().astype(float)
    gap = days.groupby(KEY)["day"].diff().fillna(days["day"])
    gaps = days.assign(variable="gap", value=gap, status="observed")
    rows = rows.merge(days, on=["study_id", KEY, "day"])
    rows = pd.concat([rows, gaps], ignore_index=True)
    rows = rows[rows["number"] < MOST_VISITS]
    rows = rows.assign(day=rows["number"], visit=rows["number"].map("#{:g}".format))
    numbers = np.arange(MOST_VISITS, dtype=float)
    windows = tuple(VisitWindow(name=f"#{k:g}", day=k, low=k, high=k) for k in numbers)
    variable = schema.longitudinal[0].model_copy(
        update={"name": "gap", "kind": "continuous", "categories": None, "low": None, "high": None}
    )
    ordered = schema.replace(variables=(*schema.variables, variable), visits=windows)
    frames = {n: getattr(cohort, n) for n in ("derived", "episodes", "events", "sources")}
    given = {"observations": rows.drop(columns="number"), **frames}
    return Cohort(ordered, **canonical(ordered, cohort.subjects, given))
