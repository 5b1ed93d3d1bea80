"""Who is in the study: DM and ADSL as one row a subject."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from extraction.records.errors import Faults
from extraction.records.schema import Variable

from .covariates import covariates, supplemental_flags
from .library import Dataset, Library
from .records import Records

_NOT_RANDOMISED = ("screen failure", "not assigned", "not treated", "scrnfail", "notassgn")
# The index date is the start of study treatment (SDTM's reference start), else randomisation.
_INDEX_COLUMNS = ("RFSTDTC", "RANDDT", "TRTSDT")


@dataclass
class Subjects:
    """The cohort's subjects and what the other domains need to know about them."""

    study_id: str
    frame: pd.DataFrame  # index: USUBJID
    index_date: pd.Series[Any]  # index: USUBJID; day 0
    variables: list[Variable]
    arms: tuple[str, ...]
    left_out: frozenset[str]  # screen failures and others not in the analysis
    everyone_listed: bool  # whether DM was read: without it nobody knows the screen failures
    notes: dict[str, list[str]] = field(default_factory=dict)

    def note(self, source_id: str, text: str) -> None:
        """Say in the cohort's sources what was done to a dataset."""
        notes = self.notes.setdefault(source_id, [])
        if text not in notes:  # QS is read once for each scale
            notes.append(text)

    def attach(self, variable: Variable, values: pd.Series[Any]) -> None:
        """Add a static variable (values by USUBJID)."""
        self.variables.append(variable)
        self.frame[variable.name] = values.reindex(self.frame.index)

    def dates_for(self, records: Records) -> pd.Series[Any]:
        """Index date of each row's subject."""
        dates = self.index_date.reindex(records.text("USUBJID").to_numpy())
        dates.index = records.frame.index
        return dates

    def rows_of(self, dataset: Dataset, faults: Faults) -> Records | None:
        """The rows of a dataset that belong to the cohort, None where it cannot be used."""
        records = Records(dataset, faults)
        if not records.require(["USUBJID"]):
            return None
        ids = records.text("USUBJID")
        inside = ids.isin(self.frame.index)
        unknown = ~inside & ~ids.isin(self.left_out)
        if unknown.any() and self.everyone_listed:
            records.fault("USUBJID", f"{int(unknown.sum())} row(s) of subjects not in DM or ADSL")
        elif unknown.any():
            self.note(records.source_id, f"{int(unknown.sum())} rows of others than ADSL's dropped")
        return records.where(inside)


def read_subjects(library: Library, extra: tuple[str, ...], faults: Faults) -> Subjects:
    """Build the subject table from DM and ADSL; either may be missing, not both."""
    demographics = _one_row_each(library, "dm", faults)
    analysis = _one_row_each(library, "adsl", faults)
    main = analysis or demographics
    if main is None:
        faults.raise_if_any()
        raise AssertionError("neither DM nor ADSL, and no fault noted")
    notes: dict[str, list[str]] = {}
    table, left_out = _combined(main, demographics, library, notes)
    if not len(table):
        main.fault("USUBJID", "no randomised subject; every row is a screen failure")
        faults.raise_if_any()
    planned, actual = _arms(table)
    static = covariates(table, extra)
    columns = {"arm": planned, "arm_actual": actual}
    frame = pd.DataFrame({**columns, **{v.name: s for v, s in static}})
    ids = pd.Index(table.text("USUBJID"), name="subject_id")
    index_date = _index_date(table)
    frame.index = index_date.index = ids
    return Subjects(
        study_id=_study_id(table),
        frame=frame,
        index_date=index_date,
        variables=[v for v, _ in static],
        arms=_ordered_arms(table, planned),
        left_out=left_out,
        everyone_listed=demographics is not None,
        notes=notes,
    )


def _one_row_each(library: Library, domain: str, faults: Faults) -> Records | None:
    for dataset in library.of(domain):
        records = Records(dataset, faults)
        if not records.require(["USUBJID", "STUDYID"]):
            return None
        ids = records.text("USUBJID")
        if ids.isna().any():
            records.fault("USUBJID", f"{int(ids.isna().sum())} row(s) are blank")
        repeated = int((ids.duplicated() & ids.notna()).sum())
        if repeated:
            records.fault("USUBJID", f"{repeated} row(s) repeat a subject; one row a subject")
        return records.where(~ids.duplicated() & ids.notna())
    return None


def _combined(
    main: Records, demographics: Records | None, library: Library, notes: dict[str, list[str]]
) -> tuple[Records, frozenset[str]]:
    """Complete ADSL by DM and SUPPDM, and take out who was not randomised."""
    frame = main.frame.assign(USUBJID=main.text("USUBJID"))
    others: list[pd.DataFrame] = []
    if demographics is not None and demographics is not main:
        others.append(demographics.frame.assign(USUBJID=demographics.text("USUBJID")))
        _check_same_subjects(main, demographics)
    others += [supplemental_flags(s.frame).reset_index() for s in library.of("suppdm")]
    for other in others:
        new = [c for c in other.columns if c not in frame.columns or c == "USUBJID"]
        if "USUBJID" in new:
            frame = frame.merge(other[new], on="USUBJID", how="left", validate="one_to_one")
    joined = main.with_frame(frame)
    failed = _screen_failure(joined).to_numpy()
    left_out = set(joined.text("USUBJID")[failed])
    if demographics is not None:
        everyone = set(demographics.text("USUBJID"))
        failures = int(_screen_failure(demographics).sum())
        left_out |= everyone - set(frame["USUBJID"])
        absent = len(left_out) - failures
        counts = [f"{failures} screen failures dropped"] if failures else []
        counts += [f"{absent} subjects not in ADSL dropped"] if absent > 0 else []
        notes[demographics.source_id] = counts
    return joined.where(~failed), frozenset(left_out)


def _check_same_subjects(main: Records, demographics: Records) -> None:
    ids = main.text("USUBJID")
    stray = int((~ids.isin(demographics.text("USUBJID").to_numpy())).sum())
    if stray:
        main.fault("USUBJID", f"{stray} subject(s) are not in {demographics.dataset.file}")


def _screen_failure(records: Records) -> pd.Series[bool]:
    flags = [
        records.text(c).str.lower().isin(_NOT_RANDOMISED) for c in ("ARM", "ARMCD") if c in records
    ]
    return pd.concat(flags, axis=1).any(axis=1) if flags else pd.Series(False, records.frame.index)


def _arms(records: Records) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """Planned arm (TRT01P or ARM) and actual arm (ACTARM or TRT01A) of each subject."""
    planned_column = "TRT01P" if "TRT01P" in records else "ARM"
    if not records.require([planned_column]):
        nothing = records.text(planned_column)
        return nothing, nothing
    planned = records.text(planned_column)
    blank = int(planned.isna().sum())
    if blank:
        records.fault(planned_column, f"{blank} row(s) have no planned arm")
    given = [records.text(c) for c in ("ACTARM", "TRT01A") if c in records]
    return planned, (given[0] if given else planned)


def _ordered_arms(records: Records, planned: pd.Series[Any]) -> tuple[str, ...]:
    """Arms by their ADaM number (dose order in most trials), else by name."""
    rank = records.number("TRT01PN")
    table = pd.DataFrame({"arm": planned.to_numpy(), "rank": rank}).dropna(subset=["arm"])
    order = table.groupby("arm")["rank"].min().reset_index()
    return tuple(order.sort_values(["rank", "arm"])["arm"])


def _study_id(records: Records) -> str:
    studies = sorted(records.text("STUDYID").dropna().unique())
    if len(studies) != 1:
        records.fault("STUDYID", f"{len(studies)} studies; one folder holds one study")
    return studies[0] if studies else "STUDY"


def _index_date(records: Records) -> pd.Series[Any]:
    dates = pd.Series(pd.NaT, index=records.frame.index, dtype="datetime64[s]")
    for column in _INDEX_COLUMNS:
        if column in records:
            table = records.bounds(column)
            dates = dates.fillna(table["low"].where(table["low"] == table["high"]))
    missing = int(dates.isna().sum())
    if missing:
        records.fault(
            _INDEX_COLUMNS[0],
            f"{missing} subject(s) have no whole index date; give {' or '.join(_INDEX_COLUMNS)}",
        )
    return dates
