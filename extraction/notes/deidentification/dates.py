"""Dates written anew: moved by the subject's days, in the form they had."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

from .calendar import (
    HOLIDAYS,
    MONTHS,
    ORDINALS,
    WEEKDAYS,
    dressed_like,
    month_number,
    ordinal_suffix,
    ordinal_word,
    short,
    weekday_number,
)
from .date_forms import DAY_OF_MONTH, FORMS, WEEKDAY

ORDINARY_YEAR = 2001  # of dates that name none
_LEAP_YEAR = 2000
_MID_MONTH = 15
_OLDEST = 90
_PIVOT = 40  # of two digits: 41 is 1941, 40 is 2040
Edit = tuple[int, int, str]


def moved(text: str, shift: int, day_first: bool = False, newest: int | None = None) -> str | None:
    """Return a date moved by `shift` days, in the form that it was written in.

    Parameters
    ----------
    text
        The date alone.
    shift
        Days; a date without a day is moved as if it were the 15th, one without a year as if it
        stood in an ordinary year.
    day_first
        Whether 3/4 is the third of April.
    newest
        Latest year that the note names; a date 90 years older is a birth that tells an age over 89,
        and is given the year that tells 90.

    Returns
    -------
    str or None
        None when the text is no date of the calendar.

    Examples
    --------
    >>> moved("March 28th, 2021", 5), moved("28-MAR-21", 5), moved("2021-03-28", -28)
    ('April 2nd, 2021', '2-APR-21', '2021-02-28')
    """
    for match in _readings(text):
        read = _read(match, day_first)
        if read is not None:
            return _written(match, read, shift, day_first, newest)
    return _moved_word(text, shift)


def is_date(text: str) -> bool:
    """Whether a text in one of the forms is a date of the calendar."""
    return any(_read(match, False) or _read(match, True) for match in _readings(text))


def year_of(text: str) -> int | None:
    """Return the year that a date names with four digits, or None."""
    for match in _readings(text):
        year = match.groupdict().get("y")
        if year and len(year) == 4:
            return int(year)
    return None


def month_of(text: str, day_first: bool) -> int | None:
    """Return the month of a date in one of the forms, or None where it is none."""
    for match in _readings(text):
        read = _read(match, day_first)
        if read is not None:
            return read.month
    return None


def ninety_or_older(text: str) -> str:
    """Return an age over 89 as the group of 90 or older, with its unit.

    Examples
    --------
    >>> ninety_or_older("94-year-old"), ninety_or_older("103"), ninety_or_older("ninety-four")
    ('90-year-old or older', '90 or older', '90 or older')
    """
    number = re.match(r"\d+", text)
    return f"90{text[number.end() :]} or older" if number else "90 or older"


def _readings(text: str) -> Iterator[re.Match[str]]:
    return (m for m in (form.fullmatch(text) for form in FORMS.values()) if m is not None)


def _read(match: re.Match[str], day_first: bool) -> date | None:
    part = match.groupdict()
    year = _year(part.get("y") or part.get("y2") or part.get("y3"))
    month, day = _month_and_day(part, day_first)
    if month is None or day is None:
        return None
    if year is None:
        year = _LEAP_YEAR if (month, day) == (2, 29) else ORDINARY_YEAR
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _month_and_day(part: dict[str, str | None], day_first: bool) -> tuple[int | None, int | None]:
    first, second = part.get("a"), part.get("b")
    if first is not None and second is not None:
        a, b = int(first), int(second)
        swap = a > 12 or (day_first and b <= 12)
        return (b, a) if swap else (a, b)
    name, number = part.get("n"), part.get("m")
    month = month_number(name) if name else int(number or 0)
    word = part.get("w")
    if word:
        return month, ORDINALS.get(word.lower().replace(" ", "-"))
    day = part.get("d")
    return month, int(day) if day else _MID_MONTH


def _year(text: str | None) -> int | None:
    if text is None:
        return None
    digits = text.strip("'’")
    if len(digits) == 4:
        return int(digits)
    return int(digits) + (2000 if int(digits) <= _PIVOT else 1900)


def _written(
    match: re.Match[str], old: date, shift: int, day_first: bool, newest: int | None
) -> str | None:
    try:
        new = _shifted(match, old, shift)
        new_end = _end(match, old, shift)
    except (ValueError, OverflowError):
        return None
    if newest is not None and newest - old.year >= _OLDEST:
        new = new.replace(year=newest - _OLDEST, day=min(new.day, 28))
    edits = sorted(_edits(match, old, new, new_end, day_first))
    made, place = [], match.start()
    for start, stop, text in edits:
        made += [match.string[place:start], text]
        place = stop
    return "".join([*made, match.string[place : match.end()]])


def _shifted(match: re.Match[str], old: date, shift: int) -> date:
    """Move a date; one that names a month and no day always comes to another month."""
    new = old + timedelta(days=shift)
    part = match.groupdict()
    dayless = not any(part.get(name) for name in ("d", "a", "w"))
    if dayless and new.month == old.month:
        return old + timedelta(days=30 if shift > 0 else -30)
    return new


def _end(match: re.Match[str], old: date, shift: int) -> date | None:
    """Return the moved end of a range of days within a month, if it is one."""
    day = match.groupdict().get("d2")
    return old.replace(day=int(day)) + timedelta(days=shift) if day else None


def _edits(
    match: re.Match[str], old: date, new: date, new_end: date | None, day_first: bool
) -> Iterator[Edit]:
    part = match.groupdict()
    for name in ("y", "y2", "y3"):
        if part.get(name):
            stop = match.end(name)
            digits = len((part[name] or "").strip("'’"))
            yield stop - digits, stop, f"{new.year:04d}"[-digits:]
    if part.get("n"):
        yield (*match.span("n"), _month_name(match, new.month))
    if part.get("w"):
        yield (*match.span("w"), dressed_like(part["w"] or "", ordinal_word(new.day)))
    numbers = {"m": new.month, "d": new.day}
    if part.get("a"):
        swap = int(part["a"] or 0) > 12 or (day_first and int(part["b"] or 0) <= 12)
        numbers = {"b": new.month, "a": new.day} if swap else {"a": new.month, "b": new.day}
    for name, number in numbers.items():
        if part.get(name):
            yield (*match.span(name), _padded(match, name, number))
    if part.get("o"):
        yield (*match.span("o"), dressed_like(part["o"] or "", ordinal_suffix(new.day)))
    if new_end is not None:
        yield from _end_edits(match, new, new_end)


def _end_edits(match: re.Match[str], new: date, end: date) -> Iterator[Edit]:
    """Write the end of a range; it names its month where that is another one now."""
    other = "" if end.month == new.month else f"{_month_name(match, end.month)} "
    yield (*match.span("d2"), f"{other}{end.day}")
    if match["o2"]:
        yield (*match.span("o2"), ordinal_suffix(end.day))


def _month_name(match: re.Match[str], month: int) -> str:
    """Return a month as the old one is written; `May` is short where it touches a number."""
    like = match["n"]
    beside = match.string[match.start("n") - 1 : match.start("n")]
    full = () if like.lower() == "may" and (beside.isdigit() or beside == "-") else MONTHS
    return dressed_like(like, short(MONTHS[month - 1], like, full))


def _padded(match: re.Match[str], name: str, number: int) -> str:
    """Return a number with its leading zero where the date is written with leading zeros."""
    parts = [v for k, v in match.groupdict().items() if k in ("a", "b", "m", "d") and v]
    zeros = any(p.startswith("0") for p in parts) or match.re in (FORMS["iso"], FORMS["compact"])
    plain = any(len(p) == 1 for p in parts)
    width = 2 if (zeros and not plain) or match.re is FORMS["compact"] else 1
    return f"{number:0{width}d}"


def _moved_word(text: str, shift: int) -> str | None:
    """Move a weekday, a day of the month, or a holiday that stands alone."""
    weekday = WEEKDAY.fullmatch(text)
    if weekday:
        number = weekday_number(weekday["w"])
        if number is None:
            return None
        name = WEEKDAYS[(number + shift) % 7]
        return dressed_like(weekday["w"], short(name, weekday["w"], WEEKDAYS)) + weekday["p"]
    day = DAY_OF_MONTH.fullmatch(text)
    if day and 1 <= int(day["d"]) <= 31:
        new = (date(ORDINARY_YEAR, 1, int(day["d"])) + timedelta(days=shift)).day
        return f"{new}{ordinal_suffix(new)}"
    known = HOLIDAYS.get(text.lower().replace("’", "'"))
    if known:
        new_date = date(ORDINARY_YEAR, *known) + timedelta(days=shift)
        return f"{MONTHS[new_date.month - 1].capitalize()} {new_date.day}"
    return None
