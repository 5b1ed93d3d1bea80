"""Times that are over: which facts an adverb of time or a year in a history is about."""

from __future__ import annotations

from functools import cache

from ...draft import Draft, Mention
from ...lexicon import is_year, read_lines, word_set
from ..cues import Cue
from ..scope import backward, segment

CONCEPT = "history"
GROUPS = ("problem", "drug", "procedure", "measure")
_VOID = word_set(
    "since started began starting onset developed diagnosed dx dx'd worsening worse beginning "
    "noticed initiated increased added increasing ongoing until commenced gradually first "
    "persistent begun noted found came come appeared fell arose erupted broke injured twisted hurt "
    "unchanged stable similar compared sustained slipped tripped crashed woke brought sudden "
    "suddenly hit"
)
_YEAR_REACH = 8
_CHANGED = word_set(
    "increased uptitrated doubled raised started restarted resumed added initiated began"
)
_CLAUSES = word_set(", ; : . and but stopped discontinued off held ended resolved")
_MONTHS = word_set(
    "january february march april may june july august september october november december jan feb "
    "mar apr jun jul aug sep sept oct nov dec"
)
NOW = word_set("now today currently tonight")


@cache
def lasting() -> frozenset[str]:
    """Names of problems that stay once they are there."""
    lines = read_lines("lasting.txt", "extraction.notes.assertion.history")
    return frozenset(name for line in lines for name in line.split(" | "))


def inside_measure(draft: Draft, cue: Cue) -> list[Mention]:
    """A time between the name and the number of a measurement belongs to it, or to its pair."""
    near = draft.within(cue.stop, min(len(draft.words), cue.stop + 12))
    inside = [m for m in near if m.group == "measure" and m.first <= cue.start]
    return [m for m in inside if m.first == inside[0].first]


def near_time(draft: Draft, cue: Cue) -> list[Mention]:
    """Return what a time adverbial is about: its part of the sentence, or the part before."""
    inside = inside_measure(draft, cue)
    if inside:
        return inside
    if draft.words[cue.stop : cue.stop + 1] == [":"]:  # `vitals last visit: ...`
        listed = _until_now(draft, cue.stop)
        if listed:
            return listed
    first, last = segment(draft, cue.start)
    if any(w in _VOID for w in draft.words[max(first, cue.start - 9) : cue.start]):
        return []
    here = [m for m in _at(draft, cue, first, last) if not goes_on(draft, m)]
    if here and _begun(draft, cue, here[0]):  # `yesterday we increased metoprolol`
        return []
    if here:
        return _not_of_last(draft, cue, here)
    before = backward(draft, cue, GROUPS, reach=14)
    if before:
        return _not_of_last(draft, cue, before)
    end = draft.sentence[cue.start]
    if last < end and draft.words[last] == ",":
        ahead = draft.within(last + 1, segment(draft, min(last + 1, end - 1))[1])
        return [m for m in ahead if m.group in GROUPS]
    return []


def _begun(draft: Draft, cue: Cue, mention: Mention) -> bool:
    """Whether the time is of a dose that was changed, or of a drug that was begun then."""
    between = draft.words[cue.stop : mention.start]
    return mention.group == "drug" and not _CHANGED.isdisjoint(between)


def goes_on(draft: Draft, drug: Mention) -> bool:
    """Whether a drug is taken since a date: `osimertinib 80 mg daily since April 2023`."""
    if drug.group != "drug":
        return False
    for index in range(drug.stop, min(draft.sentence[drug.start], drug.stop + _YEAR_REACH)):
        if draft.words[index] in _CLAUSES or index in draft.by_start:
            return False
        if draft.words[index] == "since":
            behind = draft.words[index + 1 : min(draft.sentence[drug.start], index + 3)]
            return any(word in _MONTHS or word[0].isdigit() for word in behind)
    return False


def _not_of_last(draft: Draft, cue: Cue, found: list[Mention]) -> list[Mention]:
    """`epilepsy (last fit two weeks ago)`: the time is of the fit."""
    near = draft.words[max(0, cue.start - 4) : cue.start]
    if "last" not in near:
        return found
    last = cue.start - 1 - near[::-1].index("last")
    return [m for m in found if m.stop > last or m.group != "problem"]


def _at(draft: Draft, cue: Cue, first: int, last: int) -> list[Mention]:
    here = [m for m in draft.within(first, last) if m.group in GROUPS]
    measures = [m for m in here if m.group == "measure"]
    if not measures:
        return here
    behind = [m for m in measures if m.stop <= cue.start]
    if behind and "from" in draft.words[behind[-1].stop : cue.start]:
        return []
    if behind and cue.start - behind[-1].stop <= 7:
        return [m for m in behind if m.first == behind[-1].first]
    if cue.start == draft.opening[cue.start]:
        return _until_now(draft, cue.stop)
    return [m for m in measures if m.start >= cue.stop]


def _until_now(draft: Draft, start: int) -> list[Mention]:
    """Return the measurements up to a word of the present or a semicolon."""
    found = []
    for index in range(start, draft.sentence[start - 1]):
        if draft.words[index] in NOW or draft.words[index] == ";":
            break
        mention = draft.by_start.get(index)
        if mention is not None and mention.group == "measure":
            found.append(mention)
    return found


def bare_year(draft: Draft, mention: Mention) -> Mention | None:
    """`hip fracture 2009` is over, and `splenectomy for trauma, 1994`; return an age of then."""
    if mention.group == "drug":
        _years_of_use(draft, mention)
        return None
    procedure = mention.group == "procedure"
    if not procedure and (mention.group != "problem" or mention.name in lasting()):
        return None
    if not procedure and "diagnosed" in draft.words[max(0, mention.start - 3) : mention.start]:
        return None
    end = min(draft.sentence[mention.start], mention.stop + _YEAR_REACH)
    for index in range(mention.stop, end):
        word, other = draft.words[index], draft.by_start.get(index)
        if other is not None and other.type == "age" and (procedure or index <= mention.stop + 1):
            mention.cues.setdefault(CONCEPT, (other.start, other.stop))
            return other  # `appendicectomy aged 12`: the age is of that time
        passes = procedure and other is not None and other.group == "problem"
        if other is not None and other.group == "drug" and mention.group == "problem":
            passes = draft.words[index - 1] in ("with", "on", "to", "from")
        if word in ";:" or (other is not None and not passes):
            return None
        if word in _VOID and not procedure:
            return None
        if is_year(word) or _is_short_year(draft, index):
            mention.cues.setdefault(CONCEPT, (index, index + 1))
            return None
    return None


def _is_short_year(draft: Draft, index: int) -> bool:
    """`DVT '98`."""
    year = draft.words[index + 1 : index + 2]
    apart = draft.words[index] in ("'", "’") and year and not draft.tokens.gap(index + 1)
    return bool(apart) and year[0].isdecimal() and len(year[0]) == 2


def _years_of_use(draft: Draft, drug: Mention) -> None:
    """`HRT 2001-2006`."""
    first, dash, last = (draft.words[drug.stop + i : drug.stop + i + 1] for i in range(3))
    if last and is_year(first[0]) and dash[0] in ("-", "–", "to") and is_year(last[0]):
        drug.cues.setdefault(CONCEPT, (drug.stop, drug.stop + 3))
