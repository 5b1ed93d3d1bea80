"""Time to event (ADTTE), disposition (DS) and how long each subject was observed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from extraction.records.errors import Faults
from extraction.records.schema import Endpoint

from .dates import Days, study_day
from .library import Dataset, Library
from .records import Records
from .subjects import Subjects

COMPLETED = "COMPLETED"
_PARAMETERS = {"TTDE": "dermatologic"}

Events = tuple[pd.DataFrame, list[Endpoint]]


def read_events(library: Library, subjects: Subjects, faults: Faults) -> Events:
    """Read every endpoint: ADTTE's parameters and ``discontinuation`` from disposition."""
    frames: list[pd.DataFrame] = []
    endpoints: list[Endpoint] = []
    for dataset in library.of("adtte"):
        frame, found = _time_to_event(dataset, subjects, faults)
        frames.append(frame)
        endpoints += found
    ended = disposition(library, subjects, faults)
    if len(ended):
        frames.append(_discontinuation(ended))
        reasons = sorted(set(ended["reason"].dropna()) - {COMPLETED})
        endpoints.append(
            Endpoint(
                name="discontinuation",
                label="Time to discontinuation of the study",
                causes=tuple(reasons) or ("event",),
            )
        )
    _set_observed_until(library, subjects, ended, faults)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(), endpoints


def _time_to_event(
    dataset: Dataset, subjects: Subjects, faults: Faults
) -> tuple[pd.DataFrame, list[Endpoint]]:
    records = subjects.rows_of(dataset, faults)
    if records is None or not records.require(["PARAMCD", "AVAL", "CNSR"]):
        return pd.DataFrame(), []
    codes, labels = records.text("PARAMCD"), records.text("PARAM")
    names = codes.map({c: _PARAMETERS.get(c, str(c).lower()) for c in codes.dropna().unique()})
    censored = records.number("CNSR")
    frame = pd.DataFrame(
        {
            "subject_id": records.text("USUBJID"),
            "endpoint": names,
            "day": _event_day(records, subjects),
            "observed": censored == 0,
            "cause": "event",
        }
    )
    frame["cause"] = frame["cause"].where(frame["observed"], None)
    table = pd.DataFrame({"name": names, "label": labels}).dropna(subset=["name"])
    table = table.drop_duplicates("name").sort_values("name")
    pairs = zip(table["name"], table["label"], strict=True)
    return frame, [Endpoint(name=n, label=label or "") for n, label in pairs]


def _event_day(records: Records, subjects: Subjects) -> Days:
    """Day of event or censoring: its date from index, else AVAL (day 1 is the index day)."""
    day, _, _ = records.interval("ADT", "ADY", subjects.dates_for(records))
    return np.where(np.isnan(day), study_day(records.number("AVAL")), day)


def disposition(library: Library, subjects: Subjects, faults: Faults) -> pd.DataFrame:
    """How and when each subject left the study: ``subject_id, day, reason``.

    DS disposition events count (not milestones and not other events); where there is no DS,
    ADSL's ``DCDECOD`` and ``RFENDTC`` stand in.
    """
    parts = [_from_ds(d, subjects, faults) for d in library.of("ds")]
    parts = [p for p in parts if p is not None]
    if not parts:
        parts = [
            p
            for d in library.of("adsl")
            for p in [_from_adsl(d, subjects, faults)]
            if p is not None
        ]
    if not parts:
        return pd.DataFrame(columns=["subject_id", "day", "reason"])
    rows = pd.concat(parts, ignore_index=True).dropna(subset=["reason"])
    rows = rows.assign(completed=rows["reason"] == COMPLETED)
    # The first reason to leave counts; completion only where there is no other.
    order = rows.sort_values(["subject_id", "completed", "day"], kind="stable")
    return order.drop_duplicates("subject_id")[["subject_id", "day", "reason"]]


def _from_ds(dataset: Dataset, subjects: Subjects, faults: Faults) -> pd.DataFrame | None:
    records = subjects.rows_of(dataset, faults)
    if records is None or not records.require(["DSDECOD", "DSSTDTC"]):
        return None
    if "DSCAT" in records:
        records = records.where(records.text("DSCAT").str.upper().eq("DISPOSITION EVENT"))
    day, _, _ = records.interval("DSSTDTC", "DSSTDY", subjects.dates_for(records))
    return _ends(records, "DSDECOD", day)


def _from_adsl(dataset: Dataset, subjects: Subjects, faults: Faults) -> pd.DataFrame | None:
    records = subjects.rows_of(dataset, faults)
    if records is None or "DCDECOD" not in records or "RFENDTC" not in records:
        return None
    day, _, _ = records.interval("RFENDTC", "RFENDY", subjects.dates_for(records))
    return _ends(records, "DCDECOD", day)


def _ends(records: Records, column: str, day: Days) -> pd.DataFrame:
    ids, reasons = records.text("USUBJID"), records.text(column).str.upper()
    frame = pd.DataFrame({"subject_id": ids, "day": day, "reason": reasons})
    early = int((frame["day"] < 0).sum())
    if early:
        records.fault(column, f"{early} row(s) end before the index date")
    return frame


def _discontinuation(ended: pd.DataFrame) -> pd.DataFrame:
    left = ended["reason"] != COMPLETED
    frame = pd.DataFrame(
        {
            "subject_id": ended["subject_id"],
            "endpoint": "discontinuation",
            "day": ended["day"],
            "observed": left,
            "cause": ended["reason"].where(left, None),
        }
    )
    return frame.dropna(subset=["day"])


def _set_observed_until(
    library: Library, subjects: Subjects, ended: pd.DataFrame, faults: Faults
) -> None:
    """Last day of participation: the latest of RFPENDTC, RFENDTC and disposition.

    Retrieval visits after stopping treatment belong to the time observed.
    """
    ends = ended.set_index("subject_id")["day"].astype(float)
    days = [ends.reindex(subjects.frame.index)]
    for dataset in (*library.of("dm"), *library.of("adsl")):
        records = subjects.rows_of(dataset, faults=Faults())  # told when the subjects were read
        if records is None:
            continue
        records = records.where(~records.text("USUBJID").duplicated())
        days += [
            _day_by_subject(records, column, subjects, faults)
            for column in ("RFPENDTC", "RFENDTC")
            if column in records
        ]
    subjects.frame["observed_until"] = pd.concat(days, axis=1).max(axis=1)
    reasons: pd.Series[Any] = ended.set_index("subject_id")["reason"]
    reasons = reasons.reindex(subjects.frame.index)
    subjects.frame["end_reason"] = reasons.where(reasons.notna(), None)


def _day_by_subject(
    records: Records, column: str, subjects: Subjects, faults: Faults
) -> pd.Series[float]:
    checked = Records(records.dataset, faults, records.frame)
    day, _, _ = checked.interval(column, "", subjects.dates_for(checked))
    by_subject = pd.Series(day, index=checked.text("USUBJID").to_numpy())
    return by_subject.reindex(subjects.frame.index)
