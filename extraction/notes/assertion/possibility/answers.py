"""Answers to a question of the note: `Any rash? Pt: Gone.` tells that it is over."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

from ...draft import Draft
from ...lexicon import read_lines, word_set

_SPEAKERS = word_set(
    "pt patient p a answer reply him her he she mother mum mom dad father wife husband parent "
    "parents carer son daughter response resp client relative partner"
)
_ENDED = word_set("gone gave stopped resolved cleared settled finished better used past")
_NOBODY = word_set("nobody no-one noone")
_THEN = (("years", "ago"), ("as", "a"), ("when", "i"), ("long", "ago"), ("my", "twenties"),
         ("my", "teens"), ("my", "thirties"), ("my", "youth"))  # fmt: skip
_SIGHS = word_set("oh well um er ah hmm mm erm uh")
_ONLY = frozenset({"only", "just"})
_WHEN = word_set("if when on with after during whenever at")
_MORE = 6  # words of an answer that are looked at


@cache
def _kin() -> frozenset[str]:
    lines = read_lines("kin.txt", "extraction.notes.assertion.family")
    return frozenset(word for line in lines for word in line.split(" | "))


def reply(draft: Draft, question: int) -> int | None:
    """Return the first word of the answer behind a question mark, or None.

    The next speaker is passed over (`Pt:`), a heading is not (`GI bleed? PR: no blood`).
    """
    place = _speaker_over(draft, question)
    while place is not None and place < len(draft.words):
        if draft.words[place] not in _SIGHS:
            return place
        place += 1
    return None


def _speaker_over(draft: Draft, question: int) -> int | None:
    place = question + 1
    following = draft.words[place : place + 3]
    if ":" in following:
        colon = following.index(":")
        return place + colon + 1 if _SPEAKERS.issuperset(following[:colon]) else None
    if following[:1] in (["-"], ["–"], ["—"]):
        return place + 1
    return place if following else None


def meaning(draft: Draft, place: int) -> str | None:
    """Return the concept that an answer tells, beside a plain yes or no; None for no such."""
    words = draft.words[place : min(draft.sentence[place], place + _MORE)]
    if not words:
        return None
    if words[0] in _NOBODY or words[:2] == ["no", "one"]:
        return "negation"
    if words[0] in _ENDED or any(pair in _THEN for pair in pairwise(words)):
        return "history"
    if words[0] in _ONLY and not _WHEN.isdisjoint(words[1:3]):
        return "circumstance"
    if words[0] == "my" and not _kin().isdisjoint(words[1:3]):
        return "family"
    return None
