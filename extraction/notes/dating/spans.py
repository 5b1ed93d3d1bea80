"""Lengths of time as they are written, in days: `3 weeks`, `two-day`, `a few months`."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

from ..facts import Bounds
from ..lexicon import word_set
from ..tokens import number

DAYS = {"day": 1.0, "week": 7.0, "fortnight": 14.0, "month": 30.4375, "year": 365.25,
        "decade": 3652.5, "hour": 1 / 24, "minute": 1 / 1440}  # fmt: skip
_SLACK = {"week": 3.0, "fortnight": 3.0, "month": 15.0, "year": 183.0, "decade": 1826.0}
_SHORT = {"d": "day", "wk": "week", "wks": "week", "mo": "month", "mos": "month", "yr": "year",
          "yrs": "year", "hr": "hour", "hrs": "hour", "h": "hour", "w": "week", "y": "year",
          "min": "minute", "mins": "minute"}  # fmt: skip
_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6,
            "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
            "fifteen": 15, "twenty": 20, "thirty": 30, "couple": 2}  # fmt: skip
_VAGUE = word_set("few several many some multiple numerous")
_COUNTS = _VAGUE | _NUMBERS.keys() | {"-", "–", "of", "to", "or", "the"}
_LONGEST = DAYS["year"] * 60  # nothing longer is read
UNIT_WORDS = frozenset({*DAYS, *(f"{unit}s" for unit in DAYS), *_SHORT})


@dataclass(frozen=True, slots=True)
class Length:
    """A length of time.

    Parameters
    ----------
    low, high
        Fewest and most units meant; `high` is None where no number is told (`for years`).
    unit
        Of `DAYS`.
    stop
        One past its last word.
    """

    low: float
    high: float | None
    unit: str
    stop: int

    @property
    def days(self) -> float | None:
        """The days as they are written; None where no one number is told."""
        return self.low * DAYS[self.unit] if self.low == self.high else None

    def ago(self) -> Bounds:
        """Return the days, before now negative, in which what lies so far back can lie.

        Days are taken as written; longer units are right to half a unit.
        """
        size, slack = DAYS[self.unit], _SLACK.get(self.unit, 0.0)
        near = -max(self.low * size - slack, min(1.0, self.low * size))
        far = None if self.high is None else -(self.high * size + slack)
        if size < 1:
            return (None if far is None else float(floor(far))), float(ceil(near)) + 0.0
        return (None if far is None else float(round(far))), float(round(near))


def ends_before(ended: Bounds | None, began: Bounds | None) -> bool:
    """Whether an end lies before a beginning, whichever day of each is the true one."""
    last, first = (ended or (None, None))[1], (began or (None, None))[0]
    return last is not None and first is not None and last < first


def unit_of(word: str) -> str | None:
    """Return the unit that a word writes, or None."""
    unit = _SHORT.get(word, word.removesuffix("s"))
    return unit if unit in DAYS else None


def is_of_length(word: str) -> bool:
    """Whether a word can stand in front of a unit: a number, `few`, or the dash of `3-day`."""
    return word in _COUNTS or word[0].isdigit()


def length_at(words: list[str], index: int, end: int) -> Length | None:
    """Return the length of time that starts at this word, or None."""
    if index >= end:
        return None
    following = words[index + 1] if index + 1 < end else ""
    if words[index] in ("a", "the") and (following in _VAGUE or following == "couple"):
        index += 1
    first = words[index]
    if first in _VAGUE:
        return _unit_behind(words, index + 1, end, 2.0, None)
    low = _count(first)
    if low is None:
        return _bare(words, index)
    index += 1
    if index < end and words[index] == "of" and first == "couple":
        index += 1
    high = low
    if index + 1 < end and words[index] in ("-", "–", "to", "or"):
        more = _count(words[index + 1])
        if more is not None and more > low:
            high, index = more, index + 2
    return _unit_behind(words, index, end, low, high)


def _unit_behind(
    words: list[str], index: int, end: int, low: float, high: float | None
) -> Length | None:
    if index < end and words[index] == "-":
        index += 1
    unit = unit_of(words[index]) if index < end else None
    if unit is None or (high or low) * DAYS[unit] > _LONGEST:
        return None
    return Length(low, high, unit, index + 1)


def _bare(words: list[str], index: int) -> Length | None:
    """Read `weeks` without a number: more than one."""
    word = words[index]
    if word.endswith("s") and word[:-1] in DAYS:
        return Length(2.0, None, word[:-1], index + 1)
    return None


def _count(word: str) -> float | None:
    found = number(word)
    if found is None:
        known = _NUMBERS.get(word)
        return None if known is None else float(known)
    return found if 0 < found < 10_000 else None
