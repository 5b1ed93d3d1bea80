"""Times to come in telegram style: `MRI 2/52`, `X-ray wk 6`, `clips out D10`, `bypass 3rd Dec`."""

from __future__ import annotations

from collections.abc import Iterator

from ...draft import Draft, Mention
from ...lexicon import word_set
from ..cues import Cue, closes_clause

_WEEKS = "52"  # `2/52`: in two weeks
_DAYS = "7"  # `in 10/7`: in ten days; without a word before it `6/7` may be a date
_UNITS = frozenset({"wk", "week", "wks", "d", "day"})
_ORDINALS = frozenset({"st", "nd", "rd", "th"})
_MONTHS = word_set(
    "january february april june july august september october november december jan feb mar apr "
    "jun jul aug sep sept oct nov dec"
)
_LEADS = frozenset({"in", "on", "for", "at", "start", "starts", "the", "from"})
_OPEN = word_set("with at by then if and before")  # what may follow such a time
# Given over days that are counted: `chemotherapy day 8` is of now.
_COURSES = frozenset(
    {"chemotherapy", "radiotherapy", "external beam radiotherapy", "chemoradiotherapy",
     "chemoradiation", "radiation therapy", "dialysis", "hemodialysis", "peritoneal dialysis",
     "mechanical ventilation", "intubation"}
)  # fmt: skip
_LONGEST = 4  # words between a procedure and its time
_DONE = word_set("was were had showed shows done normal since last prev previous ago back x")


def telegrams(draft: Draft) -> Iterator[tuple[Mention, Cue]]:
    """Yield the procedures behind which nothing but a bare time without a year stands."""
    for mention in draft.mentions:
        if mention.group != "procedure" or _told(draft, mention):
            continue
        end = min(draft.sentence[mention.start], mention.stop + _LONGEST)
        place = mention.stop
        while place < end and draft.words[place] in _LEADS:
            place += 1
        if mention.name in _COURSES and draft.words[place : place + 1] in (["d"], ["day"]):
            continue
        stop = _time(draft.words, place, draft.sentence[mention.start])
        if stop is not None and _ends(draft, stop):
            yield mention, Cue(mention.stop, stop, "after", None)


def _told(draft: Draft, mention: Mention) -> bool:
    first = draft.opening[mention.start]
    if draft.words[mention.start].endswith("ed"):  # `moved to the floor on day 2`
        return True
    return not _DONE.isdisjoint(draft.words[max(first, mention.start - 6) : mention.start])


def _ends(draft: Draft, stop: int) -> bool:
    return closes_clause(draft, stop) or draft.words[stop] in _OPEN


def _time(words: list[str], place: int, end: int) -> int | None:
    """Return the place behind a time without a year that starts at this word, or None."""
    here = words[place : min(end, place + 4)]
    if len(here) > 1 and here[0] in _UNITS and _count(here[1]):
        return place + 2
    if len(here) > 2 and _count(here[0]) and here[1] == "/":
        if here[2] == _WEEKS or (here[2] == _DAYS and words[place - 1] == "in"):
            return place + 3
        return None
    if len(here) > 1 and _count(here[0]) and here[1] in _ORDINALS:
        return place + 2 + (here[2:3] != [] and here[2] in _MONTHS)
    if here and here[0] in _MONTHS and words[place - 1] not in ("in", "from", "at"):
        return place + 1
    return None


def _count(word: str) -> bool:
    return word.isdecimal() and len(word) < 3
