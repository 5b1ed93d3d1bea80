"""Checked access to the columns of one dataset: text, numbers and dates, faults with counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from extraction.records.errors import Faults, nearest
from extraction.sources.cells import exact

from .dates import Days, date_bounds, days_between, study_day
from .library import Dataset

Text = pd.Series  # object dtype: str or None


class Records:
    """The rows of one dataset that belong to the cohort's subjects.

    Parameters
    ----------
    dataset
        As opened; must hold ``USUBJID``.
    faults
        Where every fault of the dataset is noted.
    """

    def __init__(self, dataset: Dataset, faults: Faults, frame: pd.DataFrame | None = None) -> None:
        self.dataset = dataset
        self._faults = faults
        self.frame = dataset.frame if frame is None else frame

    def __len__(self) -> int:
        return len(self.frame)

    def __contains__(self, column: object) -> bool:
        return column in self.frame.columns

    @property
    def source_id(self) -> str:
        """Identifier of the dataset in the cohort's sources."""
        return self.dataset.name

    def fault(self, column: str, what: str) -> None:
        """Note a fault of one column."""
        self._faults.add(f"{self.dataset.file}: {column}: {what}")

    def require(self, columns: Iterable[str]) -> bool:
        """Note each column that is not there; return whether all are."""
        missing = [c for c in columns if c not in self.frame.columns]
        for column in missing:
            hint = nearest(column, [str(c) for c in self.frame.columns])
            self.fault(column, f"the column is missing{hint}")
        return not missing

    def where(self, mask: Any) -> Records:
        """The rows where `mask` is true."""
        return self.with_frame(self.frame.loc[np.asarray(mask, dtype=bool)])

    def with_frame(self, frame: pd.DataFrame) -> Records:
        """The same dataset with other rows or columns; faults go to the same place."""
        return Records(self.dataset, self._faults, frame)

    def text(self, column: str) -> Text[Any]:
        """Stripped text, None where blank or where the column is not there."""
        if column not in self.frame.columns:
            return pd.Series(np.full(len(self.frame), None, dtype=object), index=self.frame.index)
        values = self.frame[column].astype(object)
        codes, unique = pd.factorize(values, use_na_sentinel=True)
        cleaned = np.array([_clean(v) for v in unique] + [None], dtype=object)
        return pd.Series(cleaned[codes], index=self.frame.index)

    def number(self, column: str) -> Days:
        """float64 with NaN for missing; text that is no number is a fault."""
        if column not in self.frame.columns:
            return np.full(len(self.frame), np.nan)
        values = self.frame[column]
        numbers = exact(values)
        given = self.text(column).notna().to_numpy()
        bad = int((given & ~np.isfinite(numbers)).sum())
        if bad:
            self.fault(column, f"{bad} row(s) are not finite numbers")
        return np.where(np.isfinite(numbers), numbers, np.nan)

    def flag(self, column: str) -> np.ndarray[Any, Any]:
        """True for Y, False for N, None for blank; anything else is a fault."""
        values = self.text(column).str.upper() if column in self else self.text(column)
        known = {"Y": True, "YES": True, "N": False, "NO": False}
        bad = int((values.notna() & ~values.isin(list(known))).sum())
        if bad:
            self.fault(column, f"{bad} row(s) are neither Y nor N")
        flags = values.map(known).astype(object)
        return flags.where(flags.notna(), None).to_numpy(dtype=object)

    def bounds(self, column: str) -> pd.DataFrame:
        """Calendar bounds of a date column; impossible dates are a fault."""
        if column not in self.frame.columns:
            nat = pd.Series(pd.NaT, index=self.frame.index, dtype="datetime64[s]")
            return pd.DataFrame({"low": nat, "high": nat})
        table = date_bounds(self.frame[column])
        bad = int(table["bad"].sum())
        if bad:
            self.fault(column, f"{bad} row(s) are no possible ISO 8601 date (like 2013-04-05)")
        return table[["low", "high"]]

    def interval(self, date: str, day: str, index: pd.Series[Any]) -> tuple[Days, Days, Days]:
        """Day, lower and upper bound (days from index); the day is NaN for a partial date.

        Parameters
        ----------
        date, day
            Columns of the date (``--DTC``) and of the study day (``--DY``), which stands in
            where the date is blank.
        index
            Index date of each row's subject.
        """
        table = self.bounds(date)
        low, high = days_between(table["low"], index), days_between(table["high"], index)
        fallback = self._study_day(day)
        low = np.where(np.isnan(low), fallback, low)
        high = np.where(np.isnan(high), fallback, high)
        return np.where(low == high, low, np.nan), low, high

    def _study_day(self, column: str) -> Days:
        numbers = self.number(column)
        zero = int((numbers == 0).sum())
        if zero:
            self.fault(column, f"{zero} row(s) are 0; CDISC has no study day 0")
        return study_day(numbers)


def _clean(value: Any) -> str | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() or None
