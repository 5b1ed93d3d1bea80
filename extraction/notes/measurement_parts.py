"""What stands beside a measured number: its unit and its flag; and which name its unit tells."""

from __future__ import annotations

from .draft import Draft
from .lexicon import Match, is_year
from .measurement_terms import (
    CHECKED,
    FLOW_UNITS,
    MONTHS,
    ONLY_FOR,
    PLAUSIBLE,
    SCORES,
    Name,
    units,
)

_FLAGS = {"low": "L", "high": "H", "elevated": "H"}
_ENDS = frozenset({",", ";", ".", ")", "]"})


def unit_at(draft: Draft, index: int, end: int, name: str) -> tuple[str | None, int]:
    """Return the UCUM unit written at this word, and the word after it."""
    words = draft.words
    if name in SCORES and index + 1 < end and words[index] in ("/", "of", "out"):
        step = 2 if words[index] != "out" else 3
        return None, min(end, index + step)
    if index < end and words[index] in ("h", "l", "*") and name not in ONLY_FOR["L"]:
        index += 1
    if index >= end:
        return None, index
    match = units().at(draft.tokens, index)
    if match is None or match.stop > end:
        return None, index
    code = str(match.payload)
    if code in ONLY_FOR and name not in ONLY_FOR[code]:
        return None, index
    if code == "[in_i]" and words[index] == "in" and match.stop < end:
        following = words[match.stop]
        if following in MONTHS or is_year(following) or following in ("the", "clinic"):
            return None, index
    return code, match.stop


def flag_of(draft: Draft, place: int, stop: int, end: int) -> str | None:
    """Return the flag between number and unit, or behind the unit: `H`, `(L)`, `(low)`."""
    if place < end and stop > place and flag_at(draft, place):
        return flag_at(draft, place)
    return flag_behind(draft, stop, end)


def flag_behind(draft: Draft, index: int, end: int) -> str | None:
    """Return the flag that stands at a word, in brackets or without, or None."""
    if index >= end:
        return None
    opened = draft.words[index] in "(["
    index += opened
    if index >= end:
        return None
    word = draft.words[index]
    if word in _FLAGS:
        closed = index + 1 >= end or draft.words[index + 1] in _ENDS
        return _FLAGS[word] if closed else None
    return flag_at(draft, index)


def flag_at(draft: Draft, index: int) -> str | None:
    """Return the flag in letters that is this word, or None."""
    tokens = draft.tokens
    written = tokens.text[tokens.starts[index] : tokens.stops[index]]
    return written[0] if written in ("H", "L", "HH", "LL") else None


def flowing(draft: Draft, match: Match, place: int) -> Name:
    """Return the name, which is a flow of oxygen where `O2` is followed by litres."""
    name: Name = match.payload
    flows = name.name == "oxygen_saturation" and draft.words[match.start : match.stop] == ["o", "2"]
    if flows and draft.words[place + 1 : place + 2] and draft.words[place + 1] in FLOW_UNITS:
        return Name("vital", "oxygen_flow")
    return name


def in_plausible(name: str, value: float | None) -> bool:
    """Whether a number lies in a range that is listed for this name."""
    return value is not None and any(low <= value <= high for low, high in PLAUSIBLE.get(name, ()))


def is_plausible(name: str, value: float) -> bool:
    """Whether a number can be a value of this name; most are not judged."""
    return name not in CHECKED or in_plausible(name, value)
