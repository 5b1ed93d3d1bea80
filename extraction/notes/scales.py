"""Performance status and scores: `ECOG 1`, `KPS of 80%`, `NYHA class III`, `GCS 14/15`."""

from __future__ import annotations

from dataclasses import dataclass

from .draft import Draft
from .lexicon import Lexicon, Match, keyed, read_lines, word_set
from .measurement_terms import TIME_UNITS
from .tokens import number

_FURTHEST = 7  # words from a name to its number
_ROMAN = {"i": 1.0, "ii": 2.0, "iii": 3.0, "iv": 4.0, "v": 5.0, "0": 0.0}
_LETTERS = frozenset({"a", "b", "c"})
_BETWEEN = word_set(
    "of is was at = : , - score scale class grade stage total ps performance status today now "
    "the a an on ( ) currently remains stable improved worsened to from about functional "
    "group down up baseline screening who level points global sum rated as pain assessed "
    "patient her his has best index"
)


@dataclass(frozen=True, slots=True)
class Scale:
    """A scale with its range; `unit` is a UCUM annotation."""

    name: str
    low: float
    high: float
    unit: str


def add_scales(lexicon: Lexicon) -> None:
    """Add the names of all scales; the payload is ("scale", Scale)."""
    for head, spellings in keyed(read_lines("scales.txt")):
        name, low, high, unit = head.split(" ")
        for spelling in spellings:
            lexicon.add(spelling, ("scale", Scale(name, float(low), float(high), unit)))


def add_scores(draft: Draft, matches: list[Match]) -> None:
    """Add the scores whose number stands beside their name and lies in the scale's range."""
    for match in matches:
        if match.payload[0] == "scale":
            _read(draft, match, match.payload[1])


def _read(draft: Draft, match: Match, scale: Scale) -> None:
    end = min(draft.sentence[match.start], match.stop + _FURTHEST)
    for index in range(match.stop, end):
        word = draft.words[index]
        value = _value(scale, word)
        if value is not None:
            _add(draft, match, scale, index, value)
            return
        if word not in _BETWEEN:
            return


def _value(scale: Scale, word: str) -> float | None:
    value = number(word)
    return _ROMAN.get(word) if value is None and scale.high <= 6 else value


def _add(draft: Draft, match: Match, scale: Scale, index: int, value: float) -> None:
    words, end = draft.words, draft.sentence[index]
    after = words[index + 1] if index + 1 < end else ""
    if scale.name == "gleason" and words[index + 1 : index + 2] == ["+"]:
        other = number(words[index + 2]) if index + 2 < end else None
        value = value + other if other is not None else value
    if not scale.low <= value <= scale.high or after in TIME_UNITS - {"h", "d"}:
        return
    if index in draft.covered:
        return
    mention = draft.mention("score", scale.name, index, index + 1)
    mention.first = match.start
    mention.value, mention.unit = value, scale.unit
    draft.add(mention)
    draft.covered.update(range(match.start, match.stop))
