"""Diagnoses that were put right: `thought to have MS, since revised to ...`."""

from __future__ import annotations

from collections.abc import Iterator

from ...draft import Draft, Mention
from ...lexicon import word_set
from ..cues import Cue

_DOUBTED = word_set(
    "thought triaged suspected mistaken concern worried labelled labeled considered believed "
    "assumed"
)
_TAKEN = _DOUBTED | word_set("treated referred reported diagnosed admitted coded described")
_RIGHTED = word_set(
    "disproved disproves disproven refuted revised reclassified re-diagnosed rediagnosed "
    "transpired overturned actually"
)
# What is revised: a diagnosis, and not a drug.
_JUDGED = word_set("diagnosis label impression since later then this that it which was to as been "
                   "subsequently")  # fmt: skip
_FIRST = word_set("initially first originally wrongly")
_SHOWED = word_set("showed shows revealed confirmed found")
_REACH = 8  # words from the verb to the diagnosis


def corrected(draft: Draft) -> Iterator[tuple[Mention, Cue]]:
    """Yield the problem that a sentence gives up for another.

    What was doubtful from the start (`thought to have`), or was held at first, is given up where
    the sentence says so; `treated for pneumonia, drug changed` gives up nothing.
    """
    for index in draft.tokens.among(_RIGHTED | {"turned", "turns"}):
        start = draft.opening[index]
        if not _is_righted(draft, index):
            continue
        held = not _FIRST.isdisjoint(draft.words[start:index])
        taken = (i for i in range(start, index) if draft.words[i] in _TAKEN)
        verb = next((i for i in taken if held or _is_doubt(draft, i)), None)
        if verb is not None:
            yield from _first(draft, verb, index)
    for index in draft.tokens.among({"first", "initially", "originally"}):
        start, end = draft.opening[index], draft.sentence[index]
        verb = next((i for i in range(start, end) if _is_doubt(draft, i)), None)
        if verb is None or abs(verb - index) > _REACH:
            continue
        turn = (i for i in range(max(verb, index), end) if draft.words[i] in _SHOWED)
        shown = next(turn, None)
        if shown is not None and any(m.group == "problem" for m in draft.within(shown, end)):
            yield from _first(draft, verb, shown)


def _is_doubt(draft: Draft, index: int) -> bool:
    """Whether a verb says that a diagnosis was only held: `thought to be`, `treated as`."""
    word = draft.words[index]
    return word in _DOUBTED or (word in _TAKEN and draft.words[index + 1 : index + 2] == ["as"])


def _is_righted(draft: Draft, index: int) -> bool:
    word, before = draft.words[index], draft.words[index - 1 : index]
    if word in ("turned", "turns"):
        return draft.words[index + 1 : index + 2] == ["out"]
    if word == "actually":  # `but actually heart failure`, not `has actually worsened`
        return index in draft.by_stop or index + 1 in draft.by_start or before == ["but"]
    return not before or index in draft.by_stop or before[0] in _JUDGED


def _first(draft: Draft, verb: int, stop: int) -> Iterator[tuple[Mention, Cue]]:
    """Yield the first problem behind the verb, where it is no symptom and not told again."""
    named = [m for m in draft.within(verb, min(stop, verb + _REACH)) if m.group == "problem"]
    again = {m.name for m in draft.within(stop, draft.sentence[verb])}
    if named and named[0].type != "symptom" and named[0].name not in again:
        yield named[0], Cue(verb, stop + 1, "before", None)
