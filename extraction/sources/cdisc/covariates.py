"""Baseline covariates, strata and flags that are read from ADSL and DM."""

from __future__ import annotations

import numpy as np
import pandas as pd

from extraction.records.schema import Variable

from .records import Records

_DAYS_PER_MONTH = 365.25 / 12

NUMERIC: tuple[Variable, ...] = (
    Variable(name="AGE", label="Age", kind="continuous", unit="a", low=0, high=120),
    Variable(
        name="WEIGHTBL", label="Baseline weight", kind="continuous", unit="kg", low=2, high=400
    ),
    Variable(
        name="HEIGHTBL", label="Baseline height", kind="continuous", unit="cm", low=40, high=250
    ),
    Variable(
        name="BMIBL",
        label="Baseline body mass index",
        kind="continuous",
        unit="kg/m2",
        low=8,
        high=100,
    ),
    Variable(name="EDUCLVL", label="Years of education", kind="count", unit="a", low=0, high=40),
    Variable(
        name="DURDIS",
        label="Months since onset of disease",
        kind="continuous",
        unit="mo",
        low=0,
        high=1000,
    ),
    Variable(
        name="MMSETOT",
        label="MMSE total at screening",
        kind="count",
        unit="{score}",
        low=0,
        high=30,
    ),
)
CATEGORICAL: dict[str, str] = {"SEX": "Sex", "RACE": "Race", "ETHNIC": "Ethnicity"}
STRATA: dict[str, str] = {"SITEGR1": "Pooled site group"}
# The site itself is carried along but not modelled: SITEGR1 pools the small ones for analysis.
FLAGS: dict[str, str] = {
    "SITEID": "Study site",
    "ITTFL": "Intent-to-treat population",
    "SAFFL": "Safety population",
    "EFFFL": "Efficacy population",
    "COMP8FL": "Completed week 8",
    "COMP16FL": "Completed week 16",
    "COMP24FL": "Completed week 24",
}
_SUPPLEMENT = {
    "ITT": "ITTFL",
    "SAFETY": "SAFFL",
    "EFFICACY": "EFFFL",
    "COMPLT8": "COMP8FL",
    "COMPLT16": "COMP16FL",
    "COMPLT24": "COMP24FL",
}
_YES_NO = ("N", "Y")

Column = tuple[Variable, "pd.Series[float] | pd.Series[str]"]


def covariates(records: Records, extra: tuple[str, ...]) -> list[Column]:
    """Every static variable that the subject-level records hold, with its values.

    Parameters
    ----------
    records
        One row a subject: ADSL, completed by DM.
    extra
        Further columns to take over, their kind guessed from the values.
    """
    _derive_duration(records)
    columns: list[Column | None] = [_numeric(records, v) for v in NUMERIC if v.name in records]
    columns += [_text(records, n, label, "baseline") for n, label in CATEGORICAL.items()]
    columns += [_text(records, n, label, "stratum") for n, label in STRATA.items()]
    columns += [_text(records, n, label, "flag") for n, label in FLAGS.items()]
    known = {v.name for v in NUMERIC} | set(CATEGORICAL) | set(STRATA) | set(FLAGS)
    columns += [_guessed(records, name) for name in extra if name in records and name not in known]
    return [c for c in columns if c is not None]


def supplemental_flags(supplement: pd.DataFrame) -> pd.DataFrame:
    """Population flags of SUPPDM as columns, one row a subject (index ``USUBJID``)."""
    if not {"USUBJID", "QNAM", "QVAL"} <= set(supplement.columns):
        return pd.DataFrame()
    rows = supplement[supplement["QNAM"].isin(list(_SUPPLEMENT))]
    rows = rows.drop_duplicates(["USUBJID", "QNAM"])
    wide = rows.pivot(index="USUBJID", columns="QNAM", values="QVAL").rename(columns=_SUPPLEMENT)
    return wide.fillna("N")  # SUPPDM lists only the subjects in a population


def _derive_duration(records: Records) -> None:
    """Months from onset to the first visit, where ADSL holds the dates but not the duration."""
    if "DURDIS" in records or "DISONSDT" not in records:
        return
    onset = records.bounds("DISONSDT")
    first = records.bounds("VISIT1DT" if "VISIT1DT" in records else "RFSTDTC")
    whole = onset["low"] == onset["high"]
    days = (first["low"] - onset["low"]).dt.total_seconds() / 86400
    records.frame = records.frame.assign(DURDIS=(days / _DAYS_PER_MONTH).where(whole).round(1))


def _numeric(records: Records, variable: Variable) -> Column:
    values = records.number(variable.name)
    low = -np.inf if variable.low is None else variable.low
    high = np.inf if variable.high is None else variable.high
    outside = int(((values < low) | (values > high)).sum())
    if outside:
        records.fault(
            variable.name,
            f"{outside} row(s) outside {low:g} to {high:g} {variable.unit}; "
            "check the unit and the entry",
        )
    return variable, pd.Series(values, index=records.frame.index)


def _text(records: Records, name: str, label: str, role: str) -> Column | None:
    if name not in records:
        return None
    values = records.text(name)
    if role == "flag" and name.endswith("FL"):
        values = values.where(values.notna(), "N")  # ADaM leaves "no" blank in some flags
    present = tuple(sorted(values.dropna().unique()))
    if not present:
        return None
    categories = _YES_NO if set(present) <= set(_YES_NO) else present
    kind = "binary" if len(categories) == 2 else "categorical"
    variable = Variable.model_validate(
        {"name": name, "label": label, "kind": kind, "role": role, "categories": categories}
    )
    return variable, values


def _guessed(records: Records, name: str) -> Column | None:
    if not pd.api.types.is_numeric_dtype(records.frame[name]):
        return _text(records, name, name, "baseline")
    return _numeric(records, Variable(name=name, kind="continuous"))
