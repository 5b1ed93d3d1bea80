"""Patients given as a cohort's folder or as one flat table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from extraction.records import Cohort, CohortSchema, InputError
from extraction.records.errors import Faults, nearest
from extraction.records.guess import Proposal, propose_schema

TABLES = (".csv", ".parquet")
_MANY_NUMBERS = 20  # a guess takes no categories beyond these


@dataclass(frozen=True)
class Columns:
    """What the columns of a flat table mean; None where the table has none."""

    arm: str | None = None
    time: str | None = None
    event: str | None = None
    subject: str | None = None

    @property
    def given(self) -> bool:
        """Whether any is named."""
        return any((self.arm, self.time, self.event, self.subject))


def read_patients(
    places: Mapping[str, Path],
    real: tuple[str, ...],
    columns: Columns | None = None,
    notes: list[str] | None = None,
) -> dict[str, Cohort]:
    """Read several groups of patients under one schema.

    Parameters
    ----------
    places
        Folder of a cohort, or a ``.csv`` or ``.parquet`` table with one row a patient, by the
        name that messages use.
    real
        Names of the real groups. Tables are read by the schema of the first real cohort folder,
        else by one guessed from the real tables together (`CohortSchema.guess`).
    columns
        What the tables' columns mean.
    notes
        Takes what a guess of the schema left out; see `extraction.records.guess.Proposal`.

    Raises
    ------
    InputError
        With the faults of all groups, each with the group's name.
    """
    faults = Faults()
    chosen = columns or Columns()
    cohorts: dict[str, Cohort] = {}
    frames: dict[str, pd.DataFrame] = {}
    for name, place in places.items():
        with faults.catch():
            if place.suffix.lower() in TABLES:
                frames[name] = read_table(place, chosen, name in real)
            elif not place.exists():
                raise InputError(f"{name}: {place} is not there; give a cohort's folder or a .csv")
            else:
                cohorts[name] = Cohort.read(place)
    if chosen.given and not frames and not faults:
        faults.add("--arm, --time, --event, --subject: they describe tables, and none came")
    faults.raise_if_any()
    if frames:
        schema, told = _schema(cohorts, frames, real, chosen)
        if notes is not None:
            notes.extend(told)
        for name, frame in frames.items():
            try:
                cohorts[name] = Cohort.from_table(_named(frame, name, schema), schema)
            except InputError as error:
                for fault in error.faults:
                    faults.add(f"{places[name].name}: {fault.removeprefix(f'{schema.study_id}: ')}")
        faults.raise_if_any()
    return {name: cohorts[name] for name in places}


def read_table(place: Path, columns: Columns, real: bool = True) -> pd.DataFrame:
    """Read a flat table; text that is numbers throughout becomes numbers, but for subjects' names.

    Tables of synthetic patients (not `real`) may have the headings of `Cohort.to_table` in place of
    the named ones.

    Raises
    ------
    InputError
        With every fault: columns that are not there, words and decimal commas among numbers.
    """
    from extraction.sources.files import read_frame

    frame = read_frame(place, missing=("", "NA"))
    frame.columns = [str(c) for c in frame.columns]
    exported = {
        "arm": "arm",
        "time": f"{columns.event}_time",
        "event": f"{columns.event}_event",
        "subject": "subject_id",
    }
    faults = [
        f"{place.name}: the {role} column {name} is not in the table{nearest(name, frame.columns)}"
        for role, name in vars(columns).items()
        if name is not None and name not in frame and (real or exported[role] not in frame)
    ]
    if faults:
        raise InputError(faults)
    names = {columns.subject, "subject_id"}
    told = Faults()
    read = {
        c: _numbers(frame[c], f"{place.name}: column {c}", told)
        for c in frame.columns.astype(str)
        if c not in names
    }
    told.raise_if_any()
    return frame.assign(**read)


def _numbers(values: pd.Series, where: str, faults: Faults) -> pd.Series:
    """Text as numbers where all of it is; words among many numbers would hide the column."""
    from extraction.sources.cells import decimal_commas

    if values.dtype != object and not isinstance(values.dtype, pd.StringDtype):
        return values
    numbers = pd.to_numeric(values, errors="coerce")
    lost = numbers.isna() & values.notna()
    commas = int(decimal_commas(values).sum())
    if commas and commas >= lost.sum():  # a guess would take them for words
        faults.add(f"{where}: {commas} row(s) hold a decimal comma; write a decimal point")
    elif numbers.nunique() > _MANY_NUMBERS and 0 < lost.sum() < numbers.notna().sum():
        faults.add(
            f"{where}: {lost.sum()} row(s) are no numbers; correct them, or leave the cells empty"
        )
    return values if lost.any() or not values.notna().any() else numbers


def _schema(
    cohorts: Mapping[str, Cohort],
    frames: Mapping[str, pd.DataFrame],
    real: tuple[str, ...],
    columns: Columns,
) -> Proposal:
    for name in real:
        if name in cohorts:
            return Proposal(cohorts[name].schema, ())
    together = pd.concat([frames[name] for name in real if name in frames], ignore_index=True)
    guessed = dict(vars(columns))
    if guessed["subject"] is None and "subject_id" in together:
        guessed["subject"] = "subject_id"
    return propose_schema(together, **guessed)


def _named(frame: pd.DataFrame, group: str, schema: CohortSchema) -> pd.DataFrame:
    """Patients without a name are numbered within their group, so that groups do not mix."""
    known = [v.name for v in schema.variables if v.role == "identifier"] + ["subject_id"]
    if any(name in frame for name in known):
        return frame
    return frame.assign(subject_id=[f"{group}-{i + 1:06d}" for i in range(len(frame))])
