"""Events and interventions (AE, CM, MH, PR, EX) as episodes with bounded dates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from extraction.records.errors import Faults
from extraction.records.tables import SEVERITIES

from .findings import ucum
from .library import Dataset, Library
from .records import Records
from .subjects import Subjects

KINDS: dict[str, str] = {
    "ae": "adverse_event",
    "cm": "medication",
    "mh": "condition",
    "pr": "procedure",
    "ex": "exposure",
}
_OPEN_ENDED = ("ONGOING", "AFTER", "DURING/AFTER")
_SEVERITY = {"LIFE THREATENING": "life_threatening", "LIFE-THREATENING": "life_threatening"}


def read_episodes(library: Library, subjects: Subjects, faults: Faults) -> pd.DataFrame | None:
    """Read all interventions and events; repeats are kept, dates keep their bounds."""
    parts = [
        _read(dataset, domain, subjects, faults)
        for domain in KINDS
        for dataset in library.of(domain)
    ]
    parts = [p for p in parts if p is not None and len(p)]
    return pd.concat(parts, ignore_index=True) if parts else None


def _read(dataset: Dataset, domain: str, subjects: Subjects, faults: Faults) -> pd.DataFrame | None:
    records = subjects.rows_of(dataset, faults)
    prefix = domain.upper()
    verbatim = f"{prefix}TERM" if domain in ("ae", "mh") else f"{prefix}TRT"
    if records is None or not records.require([verbatim, f"{prefix}STDTC"]):
        return None
    rows = pd.DataFrame(
        {
            "subject_id": records.text("USUBJID"),
            "kind": KINDS[domain],
            "term": _term(records, prefix, verbatim),
            "source_id": records.source_id,
            **_dates(records, prefix, subjects),
        }
    )
    for column, values in _ATTRIBUTES[domain](records).items():
        rows[column] = values
    return rows


def _term(records: Records, prefix: str, verbatim: str) -> pd.Series[Any]:
    """The dictionary term, or the reported words where the row is not coded."""
    coded = records.text(f"{prefix}DECOD")
    coded = coded.where(coded.str.upper().ne("UNCODED"), None)
    return coded.where(coded.notna(), records.text(verbatim))


def _dates(records: Records, prefix: str, subjects: Subjects) -> dict[str, Any]:
    index = subjects.dates_for(records)
    start, start_low, start_high = records.interval(f"{prefix}STDTC", f"{prefix}STDY", index)
    stop, stop_low, stop_high = records.interval(f"{prefix}ENDTC", f"{prefix}ENDY", index)
    reversed_ = int((start_low > stop_high).sum())
    if reversed_:
        records.fault(f"{prefix}ENDTC", f"{reversed_} row(s) end before they start")
    return {
        "start": start,
        "start_low": start_low,
        "start_high": start_high,
        "stop": stop,
        "stop_low": stop_low,
        "stop_high": stop_high,
        "ongoing": _ongoing(records, prefix, ~np.isnan(stop_high)),
    }


def _ongoing(records: Records, prefix: str, ended: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """True where the record says so, False where an end is given, None where nothing is said."""
    said = np.zeros(len(records), dtype=bool)
    for column in (f"{prefix}ENRF", f"{prefix}ENRTPT"):
        said |= records.text(column).str.upper().isin(_OPEN_ENDED).to_numpy()
    unresolved = records.text(f"{prefix}OUT").str.upper().str.startswith("NOT RECOVERED", na=False)
    said |= unresolved.to_numpy(bool)
    out = np.full(len(records), None, dtype=object)
    out[said] = True
    out[ended] = False  # a date says more than "after the reference period"
    return out


def _adverse_event(records: Records) -> dict[str, Any]:
    return {
        "code": _code(records, "AEPTCD", "MedDRA"),
        "severity": _severity(records, "AESEV"),
        "serious": records.flag("AESER"),
        "related": _lower(records, "AEREL"),
        "outcome": _lower(records, "AEOUT"),
    }


def _condition(records: Records) -> dict[str, Any]:
    historical = records.text("MHCAT").str.upper().str.contains("HISTOR", na=False)
    absent = records.text("MHOCCUR").str.upper().eq("N")
    assertion = np.where(absent, "absent", np.where(historical, "historical", "present"))
    return {
        "code": _code(records, "MHPTCD", "MedDRA"),
        "severity": _severity(records, "MHSEV"),
        "assertion": assertion.astype(object),
    }


def _dosed(prefix: str) -> Callable[[Records], dict[str, Any]]:
    def attributes(records: Records) -> dict[str, Any]:
        unit = records.text(f"{prefix}DOSU")
        codes = {u: ucum(u) for u in unit.dropna().unique()}
        return {
            "dose": records.number(f"{prefix}DOSE"),
            "dose_unit": unit.map(codes).astype(object),
            "route": _lower(records, f"{prefix}ROUTE"),
            "frequency": records.text(f"{prefix}DOSFRQ"),
        }

    return attributes


_ATTRIBUTES: dict[str, Callable[[Records], dict[str, Any]]] = {
    "ae": _adverse_event,
    "cm": _dosed("CM"),
    "mh": _condition,
    "pr": _dosed("PR"),
    "ex": _dosed("EX"),
}


def _lower(records: Records, column: str) -> pd.Series[Any]:
    values = records.text(column)
    return values.astype("string").str.lower().astype(object).where(values.notna(), None)


def _severity(records: Records, column: str) -> pd.Series[Any]:
    values = records.text(column)
    words = values.replace(_SEVERITY).astype("string").str.lower().astype(object)
    unknown = int((values.notna() & ~words.isin(SEVERITIES)).sum())
    if unknown:
        records.fault(column, f"{unknown} row(s) hold none of {', '.join(SEVERITIES)}")
    return words.where(values.notna(), None)


def _code(records: Records, column: str, system: str) -> pd.Series[Any]:
    codes = records.text(column)
    return (system + "|" + codes).where(codes.notna(), None)
