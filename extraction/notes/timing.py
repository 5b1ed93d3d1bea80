"""When a problem began and how long a drug is taken, in days, from the words of the note."""

from __future__ import annotations

from .draft import Draft, Mention
from .lexicon import word_set
from .tokens import number

_DAYS = {"day": 1.0, "week": 7.0, "month": 30.4375, "year": 365.25, "hour": 1 / 24}
_SHORT = {"d": "day", "wk": "week", "wks": "week", "mo": "month", "yr": "year", "yrs": "year",
          "hr": "hour", "hrs": "hour", "h": "hour", "w": "week", "y": "year"}  # fmt: skip
_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6,
            "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12}  # fmt: skip
_LASTING = word_set("for x × over lasting")
_BEGAN = word_set("started began starting beginning onset since developed first noticed")
_REACH = 12  # words from a problem to its time
_SKIP = word_set("the past last about approximately ~ around nearly almost over")
_HALF = _DAYS["year"] * 40  # nothing longer is read


def add_times(draft: Draft) -> None:
    """Read `for three days`, `x3d`, `3-day history of`, `started 2 weeks ago`."""
    for mention in draft.mentions:
        if mention.group == "problem" and mention.value is None:
            mention.onset = _onset(draft, mention)
        elif mention.type == "medication":
            mention.duration = _duration(draft, mention)


def _span(draft: Draft, index: int, end: int) -> tuple[float, int] | None:
    """Return the days that `3 weeks`, `three-day`, `2 d` mean, and the word behind."""
    words = draft.words
    if index >= end:
        return None
    count = number(words[index])
    count = float(_NUMBERS[words[index]]) if count is None and words[index] in _NUMBERS else count
    index += 2 if words[index + 1 : index + 2] == ["-"] else 1
    if count is None or index >= end:
        return None
    unit = _SHORT.get(words[index], words[index].removesuffix("s"))
    days = _DAYS.get(unit)
    if days is None or count * days > _HALF:
        return None
    return count * days, index + 1


def _onset(draft: Draft, mention: Mention) -> float | None:
    words, end = draft.words, min(draft.sentence[mention.start], mention.stop + _REACH)
    before = _history_of(draft, mention)
    if before is not None:
        return before
    for index in range(mention.stop, end):
        word = words[index]
        if index in draft.by_start or word == ";":
            return None
        place = index + 1
        while place < end and words[place] in _SKIP:
            place += 1
        found = _span(draft, place, end)
        ago = found is not None and words[found[1] : found[1] + 1] == ["ago"]
        if found is not None and ((word in _LASTING and not ago) or (ago and word in _BEGAN)):
            return found[0]
    return None


def _history_of(draft: Draft, mention: Mention) -> float | None:
    """Read `3-day history of cough`."""
    words, first = draft.words, mention.start
    if words[max(0, first - 2) : first] != ["history", "of"]:
        return None
    for start in range(max(draft.opening[first], first - 6), first - 3):
        found = _span(draft, start, first)
        if found is not None and found[1] == first - 2:
            return found[0]
    return None


def _duration(draft: Draft, mention: Mention) -> float | None:
    """Read `for 7 days`, `x 5 days` behind a drug."""
    end = min(draft.sentence[mention.start], mention.stop + _REACH)
    for index in range(mention.stop, end):
        if index in draft.by_start or draft.words[index] == ";":
            return None
        if draft.words[index] in ("for", "x", "×"):
            found = _span(draft, index + 1, end)
            if found is not None:
                return found[0]
    return None
