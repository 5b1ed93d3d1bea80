"""Findings domains (VS, LB, QS) as observations: values, units, status and time points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from extraction.records.errors import Faults, InputError
from extraction.records.schema import Variable
from extraction.records.units import convert, to_ucum
from extraction.sources.cells import exact, is_unit

from .library import Dataset
from .records import Records
from .subjects import Subjects

# CDISC unit terms that differ from UCUM and are not spelt anywhere else.
_CDISC_UNITS = {"sec": "s", "min": "min", "TABLET": "{tablet}", "%": "%"}
# Widest values that a living patient of any age has; beyond lies a wrong unit or a slip.
_PLAUSIBLE: dict[str, tuple[float, float]] = {
    "SYSBP": (30, 350),
    "DIABP": (10, 250),
    "PULSE": (10, 350),
    "TEMP": (25, 45),
    "WEIGHT": (0.3, 500),
    "HEIGHT": (20, 260),
    "RESP": (2, 100),
}
_WANTED = {"TEMP": "Cel", "WEIGHT": "kg", "HEIGHT": "cm", "SYSBP": "mm[Hg]", "DIABP": "mm[Hg]"}
_LIMIT = r"^\s*([<>])\s*=?\s*(\d+(?:\.\d+)?)\s*$"
_MOST_LEVELS = 10


@dataclass(frozen=True)
class Observed:
    """Rows for `Cohort.observations` or `Cohort.derived` and the variables they name."""

    rows: pd.DataFrame
    variables: tuple[Variable, ...]


def read_findings(
    dataset: Dataset, prefix: str, subjects: Subjects, faults: Faults
) -> Observed | None:
    """Read one findings dataset.

    Parameters
    ----------
    dataset
        As opened.
    prefix
        Two letters before each column name, e.g. ``"VS"``.
    subjects
        The cohort's subjects; rows of others are dropped.
    faults
        Where every fault is noted.
    """
    records = subjects.rows_of(dataset, faults)
    if records is None or not records.require(_needed(prefix)):
        return None
    rows = _rows(records, prefix, subjects)
    rows = _dated(rows, records, subjects)
    if not len(rows):
        return None
    rows, units = _harmonised(rows, records, f"{prefix}STRESU")
    rows, variables = _typed(rows, units, _labels(records, prefix))
    _check_plausible(rows, variables, records, f"{prefix}STRESN")
    return Observed(rows.drop(columns=["test", "number"]), variables)


def _needed(prefix: str) -> list[str]:
    return [f"{prefix}{c}" for c in ("TESTCD", "STRESN", "STRESC", "DTC")]


def _rows(records: Records, prefix: str, subjects: Subjects) -> pd.DataFrame:
    day, _, _ = records.interval(f"{prefix}DTC", f"{prefix}DY", subjects.dates_for(records))
    test = records.text(f"{prefix}TESTCD")
    blank = int(test.isna().sum())
    if blank:
        records.fault(f"{prefix}TESTCD", f"{blank} row(s) are blank")
    frame = pd.DataFrame(
        {
            "subject_id": records.text("USUBJID"),
            "day": day,
            "visit": visit_names(records.text("VISIT")),
            "test": test,
            "variable": _with_time_point(records, prefix, _with_specimen(records, prefix, test)),
            "number": records.number(f"{prefix}STRESN"),
            "text": records.text(f"{prefix}STRESC"),
            "unit": records.text(f"{prefix}STRESU"),
            "source_id": records.source_id,
        }
    )
    not_done = records.text(f"{prefix}STAT").str.upper().eq("NOT DONE").to_numpy()
    return _with_status(frame, not_done).dropna(subset=["test"])


def visit_names(visits: pd.Series[Any]) -> pd.Series[Any]:
    """Spell visits as ADaM does: "WEEK 2" is "Week 2"."""
    return visits.astype("string").str.title().astype(object).where(visits.notna(), None)


def _with_specimen(records: Records, prefix: str, test: pd.Series[Any]) -> pd.Series[Any]:
    """Name a test apart that is done in several specimens: glucose in urine is GLUC_URINE."""
    specimen = records.text(f"{prefix}SPEC")
    first = specimen.groupby(test).transform("min")
    later = specimen.notna() & (specimen != first)
    return test.where(~later, test + "_" + specimen.fillna("").astype(str))


def _with_time_point(records: Records, prefix: str, test: pd.Series[Any]) -> pd.Series[Any]:
    """Name repeats within a visit apart: the first time point keeps the plain name.

    A blood pressure taken lying and after one and three minutes of standing is three variables,
    ``SYSBP``, ``SYSBP_STANDING_PT1M`` and ``SYSBP_STANDING_PT3M``.
    """
    if f"{prefix}TPTNUM" not in records:
        return test
    number = records.number(f"{prefix}TPTNUM")
    first = pd.Series(number, index=test.index).groupby(test).transform("min")
    later = (number > first.to_numpy()) & ~np.isnan(number)
    position, elapsed = records.text(f"{prefix}POS"), records.text(f"{prefix}ELTM")
    label = elapsed.fillna(pd.Series(number, index=test.index).map("{:g}".format))
    full = position.fillna("") + "_" + label.astype(str)
    return test.where(~later, test + "_" + full.str.strip("_"))


def _with_status(frame: pd.DataFrame, not_done: np.ndarray[Any, Any]) -> pd.DataFrame:
    """Tell results that were not taken and results beyond a limit from plain values.

    A result below the limit of quantification keeps that limit as its value; one above the
    upper limit keeps that limit too, as the least it can be.
    """
    limit = frame["text"].astype("string").str.extract(_LIMIT)
    beyond = limit[1].notna().to_numpy() & frame["number"].isna().to_numpy()
    edge = exact(limit[1])
    below = beyond & limit[0].eq("<").fillna(False).to_numpy(bool)
    empty = frame["number"].isna().to_numpy() & frame["text"].isna().to_numpy()
    status = np.where(not_done | empty, "not_done", np.where(below, "below_limit", "observed"))
    return frame.assign(
        number=np.where(beyond, edge, frame["number"].to_numpy()),
        beyond=beyond,
        status=status.astype(object),
    )


def _dated(rows: pd.DataFrame, records: Records, subjects: Subjects) -> pd.DataFrame:
    undated = rows["day"].isna()
    if undated.any():
        subjects.note(records.source_id, f"{int(undated.sum())} rows without a whole date left out")
    return rows[~undated]


def _labels(records: Records, prefix: str) -> dict[str, str]:
    tests, names = records.text(f"{prefix}TESTCD"), records.text(f"{prefix}TEST")
    table = pd.DataFrame({"test": tests, "name": names}).dropna().drop_duplicates("test")
    return dict(zip(table["test"], table["name"], strict=True))


def ucum(spelling: str) -> str:
    """UCUM code of a CDISC unit term."""
    return _CDISC_UNITS.get(spelling, to_ucum(spelling))


def _harmonised(
    rows: pd.DataFrame, records: Records, column: str
) -> tuple[pd.DataFrame, dict[str, str | None]]:
    """Bring each variable into one unit: the wanted one, else the most frequent."""
    codes = {u: ucum(u) for u in rows["unit"].dropna().unique()}
    for spelling, code in codes.items():
        if not is_unit(code):
            n = int((rows["unit"] == spelling).sum())
            records.fault(column, f"{n} row(s) hold a unit that is not known; use UCUM or CDISC")
    rows = rows.assign(unit=rows["unit"].map(codes).astype(object))
    units: dict[str, str | None] = {}
    parts = []
    for variable, part in rows.groupby("variable", sort=True):
        converted, units[str(variable)] = _one_unit(part, str(variable), records, column)
        parts.append(converted)
    return pd.concat(parts).loc[rows.index], units


def _one_unit(
    part: pd.DataFrame, variable: str, records: Records, column: str
) -> tuple[pd.DataFrame, str | None]:
    counts = part["unit"].value_counts()
    if counts.empty:
        return part, None
    wanted = _WANTED.get(str(part["test"].iloc[0]), str(counts.index[0]))
    numbers, unit = part["number"].to_numpy(np.float64, copy=True), part["unit"].to_numpy()
    for code in counts.index:
        if code == wanted or not is_unit(str(code)):
            continue  # an unknown unit was told already
        rows = unit == code
        try:
            numbers[rows] = convert(numbers[rows], str(code), wanted)
        except InputError:
            records.fault(
                column,
                f"{int(rows.sum())} row(s) of {variable} are in {code}, "
                f"which cannot be converted to {wanted}",
            )
    return part.assign(number=numbers, unit=wanted), wanted


def _typed(
    rows: pd.DataFrame, units: dict[str, str | None], labels: dict[str, str]
) -> tuple[pd.DataFrame, tuple[Variable, ...]]:
    """Decide what kind each variable is and store its values accordingly."""
    done = rows[rows["status"] != "not_done"]
    share = done["number"].notna().groupby(done["variable"]).mean()
    tests = rows.drop_duplicates("variable").set_index("variable")["test"]
    variables, numeric = [], {}
    for name in sorted(rows["variable"].unique()):
        numeric[name] = bool(share.get(name, 1.0) >= 0.5)
        test = str(tests[name])
        apart = name[len(test) + 1 :].replace("_", " ").lower()
        label = labels.get(test, test) + (f", {apart}" if apart else "")
        values = done.loc[done["variable"] == name]
        spec = _variable(name, label, test, values, numeric[name], units[name])
        numeric[name] = spec.numeric
        variables.append(spec)
    is_number = rows["variable"].map(numeric).to_numpy(bool)
    return _stored(rows, is_number), tuple(variables)


def _variable(
    name: str, label: str, test: str, done: pd.DataFrame, numeric: bool, unit: str | None
) -> Variable:
    low, high = _PLAUSIBLE.get(test, (None, None))
    code = f"CDISC|{test}"
    numbers = done["number"].dropna()
    levels = np.unique(numbers)
    scale = unit is None and len(levels) <= _MOST_LEVELS and bool((levels == levels.round()).all())
    if numeric and not (scale and len(levels) and not done["beyond"].any()):
        return Variable(
            name=name,
            label=label,
            kind="continuous",
            role="longitudinal",
            unit=unit or "1",
            low=low,
            high=high,
            code=code,
        )
    words = sorted(done["text"].dropna().unique(), key=_by_number) or ["none"]
    return Variable(
        name=name,
        label=label,
        kind="ordinal" if numeric else "categorical",
        role="longitudinal",
        categories=tuple(words),
        code=code,
    )


def _by_number(word: str) -> tuple[float, str]:
    number = pd.to_numeric(word, errors="coerce")
    return (float(number) if pd.notna(number) else np.inf, word)


def _stored(rows: pd.DataFrame, is_number: np.ndarray[Any, Any]) -> pd.DataFrame:
    """Numbers in ``value``, words in ``text``; a number keeps its text only beyond a limit."""
    unusable = is_number & rows["number"].isna().to_numpy()
    status = np.where(unusable, "not_done", rows["status"])
    keep_text = ~is_number | rows["beyond"].to_numpy() | unusable
    text = rows["text"].where(keep_text & rows["text"].notna().to_numpy(), None)
    value = np.where(is_number, rows["number"], np.nan)
    value = np.where(status == "not_done", np.nan, value)
    unit = rows["unit"].where(is_number & rows["unit"].notna().to_numpy(), None)
    out = rows.assign(value=value, text=text, status=status, unit=unit)
    return out.drop(columns=["beyond"])


def _check_plausible(
    rows: pd.DataFrame, variables: tuple[Variable, ...], records: Records, column: str
) -> None:
    low = {v.name: v.low for v in variables if v.low is not None}
    high = {v.name: v.high for v in variables if v.high is not None}
    below = rows["value"] < rows["variable"].map(low).astype(float)
    above = rows["value"] > rows["variable"].map(high).astype(float)
    for name, part in rows[below | above].groupby("variable", sort=True):
        records.fault(
            column,
            f"{len(part)} row(s) of {name} outside {low[str(name)]:g} to {high[str(name)]:g}; "
            "check the unit",
        )
