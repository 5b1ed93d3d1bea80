"""Columns and storage types of the tables that make up a cohort."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np
import pandas as pd

from .errors import InputError, nearest

Cell = Literal["text", "number", "flag"]
Assertion = Literal[
    "present",
    "absent",
    "possible",
    "conditional",
    "hypothetical",
    "historical",
    "family",
    "planned",
]

KEYS = ("study_id", "subject_id")

SUBJECTS: Mapping[str, Cell] = {
    "study_id": "text",
    "subject_id": "text",
    "arm": "text",
    "arm_actual": "text",
    "observed_until": "number",
    "end_reason": "text",
}
OBSERVATIONS: Mapping[str, Cell] = {
    "study_id": "text",
    "subject_id": "text",
    "day": "number",
    "visit": "text",
    "variable": "text",
    "value": "number",
    "text": "text",
    "unit": "text",
    "status": "text",
    "source_id": "text",
}
EPISODES: Mapping[str, Cell] = {
    "study_id": "text",
    "subject_id": "text",
    "kind": "text",
    "term": "text",
    "code": "text",
    "start": "number",
    "start_low": "number",
    "start_high": "number",
    "stop": "number",
    "stop_low": "number",
    "stop_high": "number",
    "ongoing": "flag",
    "dose": "number",
    "dose_unit": "text",
    "route": "text",
    "frequency": "text",
    "severity": "text",
    "serious": "flag",
    "related": "text",
    "outcome": "text",
    "assertion": "text",
    "source_id": "text",
}
EVENTS: Mapping[str, Cell] = {
    "study_id": "text",
    "subject_id": "text",
    "endpoint": "text",
    "day": "number",
    "observed": "flag",
    "cause": "text",
}
SOURCES: Mapping[str, Cell] = {
    "source_id": "text",
    "kind": "text",
    "name": "text",
    "sha256": "text",
    "start": "number",
    "stop": "number",
    "action": "text",
}

STATUSES = ("observed", "not_done", "below_limit", "derived")
EPISODE_KINDS = ("adverse_event", "medication", "exposure", "condition", "procedure")
ASSERTIONS: tuple[Assertion, ...] = get_args(Assertion)
SEVERITIES = ("mild", "moderate", "severe", "life_threatening", "fatal")


def conform(
    frame: pd.DataFrame | None, columns: Mapping[str, Cell], name: str, *, extra: bool = False
) -> pd.DataFrame:
    """Return a frame with exactly these columns and storage types.

    Parameters
    ----------
    frame
        Columns may be missing (filled with missing values) and in any order.
    columns
        Wanted columns and their cell types: text is ``object`` of ``str | None``, number is
        float64 with NaN, flag is ``object`` of ``True | False | None``.
    name
        Name of the table for error messages.
    extra
        Whether unknown columns are kept (behind the known ones) or refused.
    """
    frame = pd.DataFrame() if frame is None else frame
    unknown = [str(c) for c in frame.columns if c not in columns]
    if unknown and not extra:
        raise InputError([f"{name}: column {c} is not known{nearest(c, columns)}" for c in unknown])
    data = {
        column: as_cells(frame[column], cell, f"{name}.{column}")
        if column in frame
        else _missing(len(frame), cell)
        for column, cell in columns.items()
    }
    kept = {c: frame[c].to_numpy() for c in unknown}
    return pd.DataFrame({**data, **kept}, index=pd.RangeIndex(len(frame)))


def as_cells(values: pd.Series, cell: Cell, where: str) -> np.ndarray:
    """Return a column in its storage type; `InputError` counts the rows that do not fit."""
    if cell == "number":
        return as_numbers(values, where)
    if cell == "flag":
        return as_flags(values, where)
    return as_text(values)


def as_numbers(values: pd.Series, where: str) -> np.ndarray:
    """Return float64 with NaN for missing."""
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = int((np.isnan(numbers) & values.notna().to_numpy()).sum() + np.isinf(numbers).sum())
    if bad:
        raise InputError(f"{where}: {bad} value(s) are not finite numbers")
    return numbers


def as_flags(values: pd.Series, where: str) -> np.ndarray:
    """Return an object array of True, False and None."""
    missing = values.isna().to_numpy()
    known = values.isin([True, False, 0, 1]).to_numpy()
    if (~missing & ~known).any():
        raise InputError(
            f"{where}: {int((~missing & ~known).sum())} value(s) are not true or false"
        )
    out = np.empty(len(values), dtype=object)
    out[~missing] = [bool(v) for v in values[~missing]]
    return out


def as_text(values: pd.Series) -> np.ndarray:
    """Return an object array of str and None."""
    missing = values.isna().to_numpy()
    out = np.empty(len(values), dtype=object)
    out[~missing] = values[~missing].astype(str).to_numpy()
    return out


def _missing(n: int, cell: Cell) -> np.ndarray:
    return np.full(n, np.nan) if cell == "number" else np.empty(n, dtype=object)
