"""Which facts have not come and may never: `if`, `should`, risks, warnings, options."""

from __future__ import annotations

from ...draft import Draft, Mention
from ...lexicon import word_set
from ..cues import Cue, CueList
from ..scope import backward, clause_start, continues_list, forward, listed, mark

CONCEPT = "hypothesis"
GROUPS = ("problem", "drug", "procedure")
_TREATMENT = ("drug", "procedure")
_BOUNDARY = frozenset({";", "then", ":", "but", "–", "—", ">", "→"})
_REACH = 14
# `see if`, `unclear if`: a question, not a condition.
_ASKING = word_set(
    "see check unclear sure wonder wonders wondering know known ask asks asked determine assess "
    "certain clear as even uncertain establish clarify confirm question questions know doubt "
    "decide unknown asking tell remember find whether verify and grateful appreciate glad"
)
# `if tolerated`, `if possible`: a wish beside something decided.
_WISH = word_set(
    "tolerated possible able any available indicated applicable so not appropriate necessary "
    "needed required and at consent"
)
_SUBJECT = word_set("he she they you we i it the this that patient pt there his her any these a an")
_ENDING = word_set("stop hold reduce discontinue omit halve skip withhold pause suspend cease")
_OPENERS = frozenset({"had", "if", "unless", "case", "event", "should", "were"})
_PATIENT = frozenset({"he", "she", "they", "patient", "pt"})
_GETS = word_set("gets develops becomes has feels goes experiences comes suffers starts turns")
_FAILING = word_set(
    "fail fails failed enough inadequate insufficient ineffective work works untreated effective "
    "helping helps help suit agree cause causes"
)
_ENDED = word_set("changing stopping stopped reducing reduced changed withdrawn halved held paused")
_COMING = word_set(
    "recur recurs return returns develop develops occur occurs arise arises appear appears ensue "
    "supervene supervenes follow follows happen happens emerge emerges come comes get gets"
)
_RISKS = word_set("risk risks complications complication effects side-effects toxicities dangers")
_EXPLAINED = word_set(
    "explained discussed outlined consented warned counselled counseled understood covered "
    "reviewed mentioned accepted quoted"
)
# Words of a value that is wanted, and of one that is there.
_GOALS = word_set("keep keeping maintain maintaining goal goals target targets aim aiming titrate")
_REACHED = word_set("at above below met reached within off under over not")
_NOW = word_set("now today currently was is")
_MARKS = _OPENERS | _EXPLAINED
_LEADS = frozenset(
    {"", ",", ";", ":", "and", "or", "-", "us", "back", "do", "return", "immediately"}
)
_SHALL_DO = word_set("be take have continue avoid stop not start return use remain receive come")


def assess(draft: Draft, cues: CueList) -> None:
    """Mark what may happen, what is warned of, and what would be done then."""
    for cue in cues.find(draft):
        mark(_targets(draft, cue, cues), CONCEPT, cue)
    for index in draft.tokens.among(_GOALS):
        _goal(draft, index)
    for index in draft.tokens.among(_MARKS):
        word = draft.words[index]
        if word in _EXPLAINED:
            _explained(draft, index)
            continue
        if word == "had" and _opens(draft, index):
            _never_was(draft, index)
        elif _leads_condition(draft, index) and not _is_question(draft, index):
            _condition(draft, index)


def _goal(draft: Draft, index: int) -> None:
    """`keep SpO2 > 92%`, `target INR 2-3`: a value wanted, which may never be reached."""
    end, place = draft.sentence[index], index + 1
    if not _REACHED.isdisjoint(draft.words[max(draft.opening[index], index - 2) : index]):
        return
    first = next(
        (m for m in draft.within(place, min(end, place + 6)) if m.group == "measure"), None
    )
    wanted: list[Mention] = []
    while first is not None and first.first <= place + 2 and first.group == "measure":
        parted = "," in draft.words[place : first.first]
        if parted and (not wanted or first.comparator is None):  # `keep warm, temp 38.2`
            break
        wanted.append(first)
        place = first.stop
        first = next(iter(draft.within(place, min(end, place + 7))), None)
    if wanted and not _NOW.isdisjoint(draft.words[index : wanted[-1].start]):
        return
    mark(wanted, CONCEPT, Cue(index, index + 1, "before", None))


def _explained(draft: Draft, index: int) -> None:
    """Mark what was listed first: `complications including bleeding were explained`."""
    first = draft.opening[index]
    named = [i for i in range(first, index) if draft.words[i] in _RISKS]
    if named:
        cue = Cue(named[0], named[0] + 1, "before", None)
        listed = draft.within(named[0] + 1, index)
        mark([m for m in listed if m.group == "problem"], CONCEPT, cue)


def _leads_condition(draft: Draft, index: int) -> bool:
    word = draft.words[index]
    if word in ("if", "unless"):
        return True
    if word in ("case", "event"):
        return _is_case(draft, index)
    return word in ("should", "were") and _opens(draft, index)


def _targets(draft: Draft, cue: Cue, cues: CueList) -> list[Mention]:
    groups = cue.only or GROUPS
    closed = draft.words[cue.stop : cue.stop + 1] in ([","], [";"], [")"])
    if closed and cue.stop - cue.start == 1:  # `X possible, heparin held`
        return []
    if cue.kind == "list":
        return listed(draft, cue, groups)
    if cue.kind == "after":
        return backward(draft, cue, groups, reach=5, commas=False)
    if cue.kind == "either":
        found = backward(draft, cue, groups, reach=5, adjacent=True, commas=False)
        return found or forward(draft, cue, cues, groups, commas=_list_on)
    return forward(draft, cue, cues, groups, commas=_list_on)


def _list_on(draft: Draft, comma: int) -> bool:
    return continues_list(draft, comma)


def _is_case(draft: Draft, index: int) -> bool:
    """`in case of`, `in the event of` lead a condition like `if`."""
    before = draft.words[max(0, index - 2) : index]
    return before[-1:] == ["in"] or before == ["in", "the"]


def _opens(draft: Draft, index: int) -> bool:
    """Whether `should` stands before its subject: `should pain return`, not `he should rest`."""
    words, end = draft.words, draft.sentence[index]
    if index + 1 >= end or words[index + 1] in _SHALL_DO or index in draft.covered:
        return False
    before = words[index - 1] if index > draft.opening[index] else ""
    named = words[index + 1] in _SUBJECT
    if words[index] == "should":
        return before in _LEADS or index + 1 in draft.by_start or named
    return named and (before in _LEADS or (words[index] == "were" and before == "do"))


def _is_question(draft: Draft, index: int) -> bool:
    if draft.words[index] == "should":
        end = draft.sentence[index]
        return draft.words[end - 1] == "?"
    before = draft.words[index - 1] if index > draft.opening[index] else ""
    return before in _ASKING


def _never_was(draft: Draft, index: int) -> None:
    """`Had it been cancer, ...`: it was not."""
    if draft.words[index + 2 : index + 3] == ["been"]:
        cue = Cue(index, index + 3, "before", None)
        mark(draft.within(index, _clause_end(draft, index)), "negation", cue)


def _condition(draft: Draft, index: int) -> None:
    """Mark the clause behind the cue, and what is said to follow from it."""
    end = draft.sentence[index]
    stop = _clause_end(draft, index)
    cue = Cue(index, index + 1, "before", None)
    inside = [m for m in draft.within(index, stop) if m.fits(GROUPS) and not _there(draft, m, stop)]
    if draft.words[index] != "unless" or not _COMING.isdisjoint(draft.words[index:stop]):
        mark(inside, CONCEPT, cue)
    lead = index
    while lead > draft.opening[index] and draft.words[lead - 1] in ("in", "the"):
        lead -= 1
    start = clause_start(draft, lead)
    wish = draft.words[index + 1] in _WISH if index + 1 < end else True
    before = [m for m in draft.within(start, index) if m.stop > index - _REACH]
    if start != lead or before:
        if not wish:
            mark([m for m in before if m.fits(_TREATMENT)], CONCEPT, cue)
            mark([m for m in before if m.group == "problem"], "circumstance", cue)
        return
    behind = draft.within(stop, min(end, stop + _REACH))
    given = [
        m
        for m in behind
        if draft.words[m.start - 1] not in _ENDING and not _there(draft, m, m.stop + 5)
    ]
    mark([m for m in given if m.fits(_TREATMENT)], CONCEPT, cue)
    mark([m for m in behind if m.group == "problem"], "circumstance", cue)


def _there(draft: Draft, mention: Mention, stop: int) -> bool:
    """Whether the clause takes it for given: `should the flecainide fail`, `if it is untreated`."""
    behind = draft.words[mention.stop : min(stop, mention.stop + 5)]
    if mention.fits(_TREATMENT):
        return not _FAILING.isdisjoint(behind) or not _ENDED.isdisjoint(behind)
    return "untreated" in behind or "uncontrolled" in behind


def _clause_end(draft: Draft, index: int) -> int:
    end = draft.sentence[index]
    place = index + 1
    while place < end:
        word = draft.words[place]
        if place > index + 2 and word in _PATIENT and _gets(draft, place):
            return place
        if word in _BOUNDARY or (word == "," and not _still_listing(draft, place)):
            return place
        place += 1
    return end


def _gets(draft: Draft, place: int) -> bool:
    """Whether what follows from the condition begins: `if she misses a dose she gets ...`."""
    return not _GETS.isdisjoint(draft.words[place + 1 : place + 2])


def _still_listing(draft: Draft, comma: int) -> bool:
    """Whether the comma parts conditions (`if fever, chills or pain`) and not what follows."""
    if not continues_list(draft, comma):
        return False
    index, end = comma + 1, draft.sentence[comma]
    while index < end and draft.words[index] not in (";", ":"):
        if draft.words[index] in ("or", "and"):
            return True
        mention = draft.by_start.get(index)
        if mention is not None and mention.group != "problem":
            return False
        index = mention.stop if mention is not None else index + 1
    return False
