"""Partial dates: bounds always hold the true day, and say no more than what was written."""

import datetime as dt

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from extraction.sources.cdisc.dates import date_bounds, days_between, study_day

dates = st.dates(dt.date(1900, 1, 1), dt.date(2099, 12, 31))
clocks = st.sampled_from(["", "T10", "T10:30", "T10:30:05", "T10:30:05Z", "T23:59+02:00"])


def _bounds(text: object) -> tuple[pd.Timestamp, pd.Timestamp, bool]:
    row = date_bounds(pd.Series([text], dtype=object)).iloc[0]
    return row["low"], row["high"], bool(row["bad"])


@given(dates, clocks)
def test_a_whole_date_bounds_itself(day: dt.date, clock: str) -> None:
    low, high, bad = _bounds(day.isoformat() + clock)
    assert not bad
    assert low == high == pd.Timestamp(day)


@given(dates, st.sampled_from(["month", "year", "dom"]))
def test_bounds_hold_the_true_day(day: dt.date, known: str) -> None:
    text = {
        "month": day.strftime("%Y-%m"),
        "year": day.strftime("%Y"),
        "dom": day.strftime("%Y---%d"),
    }[known]
    low, high, bad = _bounds(text)
    assert not bad
    assert low <= pd.Timestamp(day) <= high
    assert low.year == high.year == day.year


@given(dates)
def test_more_knowledge_never_widens_the_bounds(day: dt.date) -> None:
    texts = [day.strftime(f) for f in ("%Y", "%Y-%m", "%Y-%m-%d")]
    year, month, whole = (_bounds(t) for t in texts)
    assert year[0] <= month[0] <= whole[0]
    assert whole[1] <= month[1] <= year[1]


@given(dates)
def test_a_month_is_as_long_as_the_calendar_says(day: dt.date) -> None:
    low, high, _ = _bounds(day.strftime("%Y-%m"))
    assert low.day == 1
    assert (high + pd.Timedelta(days=1)).day == 1


@given(st.integers(1900, 2099), st.integers(1, 12), st.integers(1, 31))
def test_a_day_that_no_calendar_holds_is_bad(year: int, month: int, dom: int) -> None:
    try:
        dt.date(year, month, dom)
        exists = True
    except ValueError:
        exists = False
    assert _bounds(f"{year:04d}-{month:02d}-{dom:02d}")[2] is not exists


@given(st.text(max_size=12))
def test_any_text_is_bounded_or_bad_but_never_an_error(text: str) -> None:
    low, high, bad = _bounds(text)
    assert not (bad and (pd.notna(low) or pd.notna(high)))
    assert pd.isna(low) == pd.isna(high)


@given(dates, dates)
def test_days_follow_the_cdisc_rule(day: dt.date, index: dt.date) -> None:
    between = (day - index).days
    cdisc = between + 1 if between >= 0 else between
    as_series = [pd.Series([pd.Timestamp(d)]).astype("datetime64[s]") for d in (day, index)]
    assert days_between(*as_series)[0] == between
    assert study_day(np.array([cdisc]))[0] == between


@given(dates)
def test_sas_numbers_and_text_agree(day: dt.date) -> None:
    number = (day - dt.date(1960, 1, 1)).days
    row = date_bounds(pd.Series([float(number)])).iloc[0]
    assert row["low"] == pd.Timestamp(day) == row["high"]
    assert not row["bad"]


def test_nothing_known_of_the_year_bounds_nothing() -> None:
    for text in ("--04-15", "-----T07:15", None, ""):
        low, high, bad = _bounds(text)
        assert pd.isna(low) and pd.isna(high) and not bad
