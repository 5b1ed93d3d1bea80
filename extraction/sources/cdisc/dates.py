"""ISO 8601 dates of SDTM, whole or partial, as days from index with bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Days = npt.NDArray[np.float64]

# A missing part in the middle is a hyphen (SDTM IG 4.4): 2003---15 is a 15th of 2003.
_ISO = (
    r"^(?P<year>\d{4}|-)(?:-(?P<month>\d{2}|-)(?:-(?P<dom>\d{2}|-))?)?"
    r"(?:T(?:\d{2}|-)(?::(?:\d{2}|-)(?::(?:\d{2}|-)(?:\.\d+)?)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$"
)
_SAS_EPOCH = np.datetime64("1960-01-01", "D")
_YEARS = (1850, 2150)


def date_bounds(values: pd.Series[Any]) -> pd.DataFrame:
    """First and last calendar day that each date may mean.

    Parameters
    ----------
    values
        ISO 8601 text (whole, partial or with a time), dates, or SAS day numbers.

    Returns
    -------
    pandas.DataFrame
        ``low`` and ``high`` (datetime64[s], NaT where nothing bounds the date) and ``bad``
        (True where a value is there but is no possible date).

    Examples
    --------
    >>> bounds = date_bounds(pd.Series(["2013-04", "2013-02-30"]))
    >>> bounds["high"].dt.strftime("%d").tolist(), bounds["bad"].tolist()
    (['30', nan], [False, True])
    """
    if pd.api.types.is_numeric_dtype(values):
        return _sas_bounds(values)
    texts = values.map(_as_iso, na_action="ignore")
    unique = pd.Series(texts.dropna().unique(), dtype=object)
    table = _iso_bounds(unique)
    table.index = pd.Index(unique)
    out = table.reindex(texts.to_numpy())
    out["bad"] = out["bad"].eq(True)
    out.index = values.index
    return out


def days_between(dates: pd.Series[Any], index: pd.Series[Any]) -> Days:
    """Whole days from the index date (day 0), the rule ``--DY > 0`` becomes ``--DY - 1``."""
    seconds = (dates.to_numpy("datetime64[s]") - index.to_numpy("datetime64[s]")).astype(float)
    missing = dates.isna().to_numpy() | index.isna().to_numpy()
    return np.where(missing, np.nan, seconds / 86400.0)


def study_day(dy: npt.ArrayLike) -> Days:
    """Turn a CDISC study day (no day 0) into days from index (day 0 is index).

    Examples
    --------
    >>> study_day([-1, 1, 2]).tolist()
    [-1.0, 0.0, 1.0]
    """
    days = np.asarray(dy, dtype=np.float64)
    return np.where(days > 0, days - 1, days)


def _as_iso(value: Any) -> str | None:
    text = value.isoformat() if hasattr(value, "isoformat") else str(value).strip()
    return text or None


def _sas_bounds(values: pd.Series[Any]) -> pd.DataFrame:
    numbers = values.to_numpy(np.float64, na_value=np.nan)
    known = np.isfinite(numbers)
    days = _SAS_EPOCH + np.where(known, np.floor(numbers), 0).astype("timedelta64[D]")
    year = days.astype("datetime64[Y]").astype(int) + 1970
    good = known & (year >= _YEARS[0]) & (year <= _YEARS[1])
    date = pd.Series(np.where(good, days, np.datetime64("NaT")).astype("datetime64[s]"))
    frame = pd.DataFrame({"low": date, "high": date, "bad": known & ~good})
    frame.index = values.index
    return frame


def _iso_bounds(texts: pd.Series[Any]) -> pd.DataFrame:
    parts = texts.astype(str).str.extract(_ISO)
    year, month, dom = (pd.to_numeric(parts[p], errors="coerce") for p in ("year", "month", "dom"))
    low = _calendar(year, month.fillna(1), dom.fillna(1))
    high_month = month.fillna(12)
    high = _calendar(year, high_month, dom.fillna(_month_length(year, high_month)))
    placed = year.between(*_YEARS)
    bad = parts["year"].isna() | (year.notna() & (~placed | low.isna() | high.isna()))
    low, high = low.mask(bad), high.mask(bad)
    return pd.DataFrame({"low": low, "high": high, "bad": bad})


def _month_length(year: pd.Series[float], month: pd.Series[float]) -> pd.Series[Any]:
    first = _calendar(year, month, pd.Series(1.0, index=year.index))
    length: pd.Series[Any] = first.dt.days_in_month
    return length


def _calendar(
    year: pd.Series[float], month: pd.Series[float], dom: pd.Series[float]
) -> pd.Series[Any]:
    """Dates as datetime64[s]; NaT for what no calendar holds."""
    usable = year.between(*_YEARS) & month.between(1, 12) & dom.between(1, 31)
    filled = [part.where(usable, other) for part, other in ((year, 2000), (month, 1), (dom, 1))]
    months = (filled[0].astype(int) - 1970) * 12 + filled[1].astype(int) - 1
    first = months.to_numpy().astype("datetime64[M]").astype("datetime64[D]")
    dates = first + (filled[2].astype(int).to_numpy() - 1).astype("timedelta64[D]")
    same_month = dates.astype("datetime64[M]") == first.astype("datetime64[M]")
    good = usable.to_numpy() & same_month
    out = np.where(good, dates, np.datetime64("NaT")).astype("datetime64[s]")
    return pd.Series(out, index=year.index)
