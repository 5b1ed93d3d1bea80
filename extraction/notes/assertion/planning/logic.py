"""Which treatments and tests are arranged, decided or advised, and still to come."""

from __future__ import annotations

from ...dating.verbs import CHANGES, STARTS, STOPS, SWITCHES
from ...draft import Draft, Mention
from ...lexicon import word_set
from ..cues import Cue, CueList
from ..scope import ahead, backward, continues_list, forward, listed, mark, segment
from .telegram import telegrams

CONCEPT = "planning"
GROUPS = ("drug", "procedure")
_DAYS = word_set(
    "monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri "
    "sat sun"
)
_LEADS = word_set("on this for ( by start starts starting from begins begin")
_DONE = word_set(
    "was were had has have did done underwent performed since given received showed shows revealed "
    "last took taken started stopped completed finished ago yesterday previous previously prior "
    "earlier held missed from after reviewed normal negative positive found confirmed removed "
    "extubated inserted until till continue continues continued continuing tolerated resumed "
    "remains still unchanged current currently daily every weekly each twice"
)
_WILL = frozenset({"will", "shall", "we'll", "i'll", "he'll", "she'll"})
_MARKS = _DAYS | _WILL | {"be"}
_UNDECIDED = word_set(
    "not consider discuss continue considered discussed continued excluded never avoid stop hold "
    "think depend remain stay reassured if keep wean ruled likely probably decline refuse deny"
)
_ENDING = word_set(
    "withdraw stop wean reduce taper discontinue halve hold continue cease drop omit decrease "
    "withhold"
)
_STRONG = frozenset({"sent", "done", "put", "made", "begun", "redone", "cut", "kept"})
_URGENT = frozenset({"urgent", "urgently", "asap"})
_CHANGED = (STARTS | STOPS | SWITCHES | CHANGES) - word_set("start begin add stop switch change")
_SECTIONS = frozenset({"plan"})
_KEEP = word_set(
    "continue continues cont continued continuing same stop stopped hold held discontinue d/c "
    "wean taper decrease increase reduce on s/p completed after keep maintain unchanged post done "
    "decreased increased reduced restrict titrate uptitrate no not avoid "
    "tolerating remains stay resume since if with"
)


def assess(draft: Draft, cues: CueList) -> None:
    """Mark the drugs and procedures that are to come."""
    for cue in cues.find(draft):
        mark(_targets(draft, cue, cues), CONCEPT, cue)
    for index in draft.tokens.among(_MARKS):
        word = draft.words[index]
        if word in _DAYS:
            _weekday(draft, index)
        elif word in _WILL:
            _will(draft, index, cues)
        elif word == "be" and draft.words[index - 1 : index] == ["to"]:
            _to_be(draft, index)
    for mention, cue in telegrams(draft):
        if "history" not in mention.cues:
            mark([mention], CONCEPT, cue)
    for mention in draft.mentions:
        if draft.section[mention.start] in _SECTIONS and mention.fits(GROUPS):
            _listed_plan(draft, mention)


def _targets(draft: Draft, cue: Cue, cues: CueList) -> list[Mention]:
    if cue.kind == "near":
        return _near(draft, cue)
    if cue.kind == "list":
        return [m for m in listed(draft, cue, GROUPS) if not _is_kept(draft, m)]
    if cue.kind == "after":
        return _behind(draft, cue)
    if cue.kind == "either":
        touches = ahead(draft, cue.stop) in draft.by_start
        found = [] if touches else backward(draft, cue, GROUPS, reach=8, commas=False)
        return found or _ahead(draft, cue, cues)
    return _ahead(draft, cue, cues)


def _ahead(draft: Draft, cue: Cue, cues: CueList) -> list[Mention]:
    first = draft.words[cue.start]
    if first == "for" and not _future(draft, cue.start):
        return []
    return forward(draft, cue, cues, GROUPS, reach=6, commas=continues_list, until=_ENDING)


def _behind(draft: Draft, cue: Cue) -> list[Mention]:
    found = backward(draft, cue, GROUPS, reach=6, commas=False)
    return [] if draft.words[cue.start] in _URGENT and _is_done(draft, cue, found) else found


def _is_done(draft: Draft, cue: Cue, found: list[Mention]) -> bool:
    """Whether what is called urgent was done: `underwent cesarean section urgently`."""
    first, _ = segment(draft, cue.start)
    verbs = any(w in _DONE for w in draft.words[first : cue.start])
    return verbs or any(draft.words[m.stop - 1].endswith("ed") for m in found)


def _future(draft: Draft, index: int) -> bool:
    """Whether the clause has no word of what is done: `for cystoscopy on Monday`."""
    start, stop = segment(draft, index)
    return not any(w in _DONE for w in draft.words[start:stop]) and index == start


def _near(draft: Draft, cue: Cue) -> list[Mention]:
    """Return what a time to come is about: its part of the sentence, or the part before."""
    first, last = segment(draft, cue.start)
    if any(w in _DONE for w in draft.words[first : cue.start]):
        return []
    here = [m for m in draft.within(first, last) if m.fits(GROUPS)]
    if draft.words[cue.stop - 2] == "day":  # `changed to doxycycline on day 3`
        moved = any(draft.words[m.start].endswith("ed") for m in here)
        if moved or not _CHANGED.isdisjoint(draft.words[first:last]):
            return []
    here = [m for m in here if draft.words[m.start - 1] != "on"]
    return here or backward(draft, cue, GROUPS, reach=10)


def _weekday(draft: Draft, index: int) -> None:
    """`MRI on Friday`, `(Mon)`: to come unless the clause tells it as done."""
    named = draft.by_stop.get(index)
    beside = named is not None and named.fits(GROUPS)  # `repeat bloods Monday`
    if index == draft.opening[index] or not (beside or draft.words[index - 1] in _LEADS):
        return
    cue = Cue(index - 1, index + 1, "near", None)
    mark(_near(draft, cue), CONCEPT, cue)


def _will(draft: Draft, index: int, cues: CueList) -> None:
    """`we will then proceed with ...`, `... will follow`."""
    following = draft.words[index + 1 : index + 4]
    if not _UNDECIDED.isdisjoint(following):
        return
    cue = Cue(index, index + 1, "either", None)
    found = forward(draft, cue, cues, GROUPS, reach=8, commas=continues_list)
    mark(found or backward(draft, cue, GROUPS, reach=4, commas=False), CONCEPT, cue)


def _to_be(draft: Draft, index: int) -> None:
    """`... to be trialled from the first`."""
    following = draft.words[index + 1 : index + 2]
    if not following or following[0] in _UNDECIDED:
        return
    if following[0].endswith(("ed", "en")) or following[0] in _STRONG:
        cue = Cue(index - 1, index + 2, "after", None)
        mark(backward(draft, cue, GROUPS, reach=6, commas=False), CONCEPT, cue)


def _is_kept(draft: Draft, mention: Mention) -> bool:
    """Whether its part of the sentence tells of going on, ending or being done."""
    first, last = segment(draft, mention.start)
    return any(w in _KEEP for w in draft.words[first:last])


def _listed_plan(draft: Draft, mention: Mention) -> None:
    """What a plan lists without a word of going on or of ending."""
    title = draft.title_before(mention.start)
    if title is None or _is_kept(draft, mention):
        return
    mention.cues.setdefault(CONCEPT, (title, title + 1))
