"""The reference range written beside a laboratory value: `K 3.2 mmol/L (3.5-5.1)`."""

from __future__ import annotations

from .draft import Draft, Mention
from .lexicon import word_set
from .measurement_parts import flag_behind
from .tokens import number

_REACH = 8  # words from a value to its range
_OPENING = frozenset({"(", "["})
_CLOSING = frozenset({")", "]"})
_NAMED = word_set("ref reference range normal nl nr rr : . interval lab limits")
_DASHES = frozenset({"-", "–", "to"})


def add_ranges(draft: Draft) -> None:
    """Give each laboratory value the range that stands in brackets behind it."""
    for mention in draft.mentions:
        if mention.type == "laboratory" and mention.value is not None:
            _read(draft, mention)


def _read(draft: Draft, mention: Mention) -> None:
    words, end = draft.words, min(draft.sentence[mention.start], mention.stop + _REACH)
    index = mention.stop
    while index < end and words[index] not in _OPENING:
        if words[index] in (",", ";") or index in draft.by_start:
            return
        index += 1
    index += 1
    while index < end and words[index] in _NAMED:
        index += 1
    if index + 2 >= draft.sentence[mention.start] or words[index + 1] not in _DASHES:
        return
    low, high = number(words[index]), number(words[index + 2])
    if low is not None and high is not None and low < high:
        mention.low, mention.high = low, high
        index += 3
        while index < draft.sentence[mention.start] and words[index] in _CLOSING:
            index += 1
        mention.flag = mention.flag or flag_behind(draft, index, draft.sentence[mention.start])
