"""Diagnoses that were put right: `thought to have MS, since revised to ...`."""

from __future__ import annotations

from collections.abc import Iterator

from ...draft import Draft, Mention
from ...lexicon import word_set
from ..cues import Cue

_TAKEN = word_set(
    "thought triaged treated referred reported labelled labeled suspected diagnosed mistaken "
    "concern worried initially admitted coded described considered believed assumed"
)
_RIGHTED = word_set(
    "turned turns disproved disproves disproven refuted revised changed actually instead "
    "reclassified re-diagnosed rediagnosed transpired overturned"
)
_FIRST = word_set("initially first originally at wrongly wife gp crew")
_SHOWED = word_set("showed shows revealed confirmed found is was were so")
_REACH = 8  # words from the verb to the diagnosis


def corrected(draft: Draft) -> Iterator[tuple[Mention, Cue]]:
    """Yield the problem that a sentence gives up for another."""
    for index in draft.tokens.among(_RIGHTED):
        start = draft.opening[index]
        verb = next((i for i in range(start, index) if draft.words[i] in _TAKEN), None)
        if verb is not None:
            yield from _first(draft, verb, index)
    for index in draft.tokens.among({"first", "initially", "originally"}):
        start, end = draft.opening[index], draft.sentence[index]
        verbs = (i for i in range(start, end) if draft.words[i] in _TAKEN - {"initially"})
        verb = next(verbs, None)
        if verb is None or abs(verb - index) > _REACH:
            continue
        turn = (i for i in range(max(verb, index), end) if draft.words[i] in _SHOWED)
        shown = next(turn, None)
        if shown is not None and any(m.group == "problem" for m in draft.within(shown, end)):
            yield from _first(draft, verb, shown)


def _first(draft: Draft, verb: int, stop: int) -> Iterator[tuple[Mention, Cue]]:
    """Yield the first problem behind the verb, where another follows or nothing does."""
    named = [m for m in draft.within(verb, min(stop, verb + _REACH)) if m.group == "problem"]
    if named and named[0].type != "symptom":
        yield named[0], Cue(verb, stop + 1, "before", None)
