"""Which facts a note tells of the past."""

from __future__ import annotations

from itertools import pairwise, product

from ...draft import Draft, Mention
from ...lexicon import word_set
from ..cues import Cue, CueList
from ..scope import (
    ahead,
    backward,
    closed_list,
    continues_list,
    either,
    forward,
    listed,
    mark,
    segment,
)
from .lists import past_list, still_there
from .reasons import brought_by, reason_of, told_reactions
from .times import NOW, bare_year, goes_on, inside_measure, lasting, near_time

CONCEPT = "history"
GROUPS = ("problem", "drug", "procedure", "measure")
PAST_SECTIONS = frozenset(
    {"past_problems", "past_adverse", "past_medications", "past_labs", "past_vitals"}
)
# A drug of the past was given for a reason of the past.
_ACROSS = (("drug", "problem"), ("procedure", "problem"))
# `switched from A to B`, `replaced A with B`: B is of now.
_EXCHANGED = {"from": ("to", "for"), "replaced": ("with", "by")}
_SWAPPED = word_set("swapped exchanged substituted")
# Words that tell an event as a story, whose end is then more than an outcome in a list.
_TOLD = word_set("had was were during occurred initially")
_UNDERGOING = frozenset({"underwent", "received", "given"})
_THIS_STAY = frozenset({("day", str(n)) for n in range(31)}) | {
    *product(("this", "on", "during"), ("admission", "stay", "arrival", "hospitalization")),
    ("emergency", "basis"),
    ("without", "complication"),
    ("without", "complications"),
}
_WITH = frozenset({"after", "on", "with", "to", "from", "following", "during", "under"})
_GOING = word_set("recurrent ongoing current now still persistent new active worsening chronic")
_SUBJECTS = word_set("pt patient he she they we gp the oncology cardiology mother i")
_DISTANCES = word_set("m metres meters yds yards feet ft miles paces km cm mm mmhg kg lb")
_LAST = frozenset({"last", "previous"})
_ENDED = word_set("stopped discontinued dc'd ceased held withdrawn")
_ARROWS = frozenset({">", "→"})
_HISTORY = word_set("history hx h/o hist h")


def assess(draft: Draft, cues: CueList) -> None:
    """Mark the mentions that are over, resolved, stopped or of an earlier time."""
    for cue in sorted(cues.find(draft), key=_is_time):  # `yesterday we stopped X`: it was stopped
        mark(_targets(draft, cue, cues), CONCEPT, cue)
    told_reactions(draft)
    for index in draft.tokens.among(_ARROWS):
        word = draft.words[index]
        if word == ">" and draft.words[index - 1] == "-":
            _arrow(draft, index - 1)
        elif word == "→":
            _arrow(draft, index)
    ages: list[Mention] = []
    for mention in draft.mentions:
        age = bare_year(draft, mention)
        if age is not None:
            ages.append(age)
        if _in_past_section(draft, mention):
            title = draft.title_before(mention.start)
            if title is not None and not _today(draft, mention):
                mention.cues.setdefault(CONCEPT, (title, title + 1))
    draft.drop(ages)


def _is_time(cue: Cue) -> bool:
    return cue.kind == "near"


def _in_past_section(draft: Draft, mention: Mention) -> bool:
    """A list of past problems, or a procedure in any list of history."""
    section = draft.section[mention.start]
    if mention.group == "procedure" and section == "problems":
        title = draft.title_before(mention.start)
        return title is not None and draft.words[title] not in ("impression", "assessment")
    return section in PAST_SECTIONS and mention.group in GROUPS


def _today(draft: Draft, mention: Mention) -> bool:
    first, last = segment(draft, mention.start)
    return any(w in NOW for w in draft.words[first:last])


def _targets(draft: Draft, cue: Cue, cues: CueList) -> list[Mention]:
    word = draft.words[cue.start]
    groups = cue.only or GROUPS
    if cue.kind == "near":
        return near_time(draft, cue)
    aside = _in_brackets(draft, cue)
    if aside:
        return aside
    if cue.kind == "list":
        return listed(draft, cue, GROUPS)
    if word in _SWAPPED and cue.stop in draft.by_start:  # `swapped ramipril for losartan`
        return _before(draft, cue, cues)
    if cue.kind == "either" or (word in ("resolved", "closed") and cue.stop - cue.start == 1):
        return _turning(draft, cue, cues, groups)
    if cue.kind == "weak":
        return _weak(draft, cue, cues)
    if cue.kind == "after":
        return _behind(draft, cue, cues, groups)
    return _before(draft, cue, cues)


def _in_brackets(draft: Draft, cue: Cue) -> list[Mention]:
    """Return what an end told in brackets is about: `losartan (stopped: cough)`."""
    if draft.words[cue.start - 1 : cue.start] != ["("] or draft.words[cue.start] not in _ENDED:
        return []
    ended, reason = draft.by_stop.get(cue.start - 1), draft.by_start.get(ahead(draft, cue.stop))
    reaction = reason is not None and reason.group == "problem" and reason.type != "condition"
    return [m for m in (ended, reason if reaction else None) if m is not None]


def _before(draft: Draft, cue: Cue, cues: CueList) -> list[Mention]:
    """Return what a cue in front of its facts is about."""
    word = draft.words[cue.start]
    inside = inside_measure(draft, cue)
    if inside:
        return inside
    if word == "stop" and _is_order(draft, cue):
        return []
    if word in _UNDERGOING and _is_this_stay(draft, cue):
        return []
    told = not _HISTORY.isdisjoint(draft.words[cue.start : cue.stop])
    if told and still_there(draft, cue):
        return []
    first = draft.by_start.get(cue.stop)
    if word == "then" and first is not None and goes_on(draft, first):
        return []
    commas = closed_list if word in ("s", "status") else _listing
    until = _EXCHANGED.get(draft.words[cue.stop - 1], ())
    until = ("for", "with") if word in _SWAPPED else until
    found = forward(
        draft, cue, cues, _ahead_groups(cue), commas=commas, across=_ACROSS, until=until
    )
    if told:
        return past_list(draft, cue, cues, found)
    if cue.only is not None and found and not found[0].fits(cue.only):
        return []
    if cue.only is not None and "drug" in cue.only and found:
        found = [*found, *reason_of(draft, cue, cues, found[-1].stop)]
    mark(found, CONCEPT, Cue(cue.start, cue.stop, cue.kind, None))
    return found


def _is_this_stay(draft: Draft, cue: Cue) -> bool:
    """Whether what was done belongs to the care described: `underwent ... on day 2`."""
    title = draft.title_before(cue.start)
    if title is not None and "course" in draft.words[title : title + 3]:
        return True
    behind = draft.words[cue.stop : draft.sentence[cue.start]]
    return any(pair in _THIS_STAY for pair in pairwise(behind))


def _is_order(draft: Draft, cue: Cue) -> bool:
    """Whether the drug is to be stopped later: `if potassium rises, stop ...`."""
    start, first = draft.opening[cue.start], draft.words[draft.opening[cue.start]]
    return first in ("if", "should", "were", "unless") and start < cue.start


def _ahead_groups(cue: Cue) -> tuple[str, ...]:
    if cue.only is None:
        return GROUPS
    return (*cue.only, "problem") if "drug" in cue.only else cue.only


def _listing(draft: Draft, comma: int) -> bool:
    """Lists go on behind a comma; so do measurements, each with its name."""
    if not _GOING.isdisjoint(draft.words[comma + 1 : comma + 2]):
        return False
    if continues_list(draft, comma):
        return True
    index = comma + 1
    end = draft.sentence[comma]
    if any(w in NOW for w in draft.words[index : min(end, index + 3)]):
        return False
    return any(m.group == "measure" and m.first <= index + 1 for m in draft.within(index, end))


def _behind(draft: Draft, cue: Cue, cues: CueList, groups: tuple[str, ...]) -> list[Mention]:
    inside = inside_measure(draft, cue)
    if inside:
        return inside if "measure" in groups else []
    distance = not _DISTANCES.isdisjoint(draft.words[cue.stop : cue.stop + 1])  # `at 200 yds`
    if distance or "." in draft.words[cue.stop - 1][1:]:  # `stable at 1.2` is no age
        return []
    found = backward(draft, cue, groups, reach=14)
    if not found and draft.words[cue.start] in _SUBJECTS:  # `he quit varenicline`
        led = draft.by_start.get(ahead(draft, cue.stop))
        found = [led] if led is not None and led.fits(groups) else []
        cue = Cue(cue.start, cue.stop if not found else found[0].stop, cue.kind, cue.only)
    if cue.only is None:
        found = [_through(draft, found[0]), *found[1:]] if found else found
    if draft.words[cue.start] in _LAST:  # `epilepsy, last fit 2019`
        found = [m for m in found if m.name not in lasting()]
    if draft.words[cue.start] == ",":  # a bare outcome in a list of events
        return [m for m in found if m.type != "adverse_event"]
    if not found and "measure" in groups:
        return near_time(draft, cue)
    if found and "drug" in groups:
        found = [*found, *brought_by(draft, cue), *reason_of(draft, cue, cues, cue.stop)]
        mark(found, CONCEPT, Cue(cue.start, cue.stop, cue.kind, None))
    return found


def _through(draft: Draft, found: Mention) -> Mention:
    """`colitis after clindamycin, cured`: what a drug only explains is what is over."""
    explained = draft.by_stop.get(found.start - 1)
    if found.group != "drug" or explained is None or explained.group != "problem":
        return found
    return explained if draft.words[found.start - 1] in _WITH else found


def _turning(draft: Draft, cue: Cue, cues: CueList, groups: tuple[str, ...]) -> list[Mention]:
    if draft.words[cue.start] == "resolved" or draft.words[cue.start] == "closed":
        return _weak(draft, cue, cues)
    turns = draft.words[cue.start] in ("but", "and", "though")  # `drowsy but no longer agitated`
    found = either(draft, cue, cues, groups, object_first=turns)
    if found:
        found = [*found, *reason_of(draft, cue, cues, max(cue.stop, found[-1].stop))]
        mark(found, CONCEPT, Cue(cue.start, cue.stop, cue.kind, None))
    return found


def _weak(draft: Draft, cue: Cue, cues: CueList) -> list[Mention]:
    """`resolved` alone: beside its fact, or in front; an outcome in a list of an event is none."""
    groups = ("problem",)
    beside = backward(draft, cue, groups, reach=5, adjacent=True, commas=False)
    if beside:
        return beside
    ahead = forward(draft, cue, cues, groups, reach=3, commas=closed_list)
    word = draft.words[cue.start]
    if ahead and word in ("resolved", "closed", "treated", "healed", "recovered"):
        return ahead
    found = backward(draft, cue, groups, reach=12)
    told = _TOLD & set(draft.words[draft.opening[cue.start] : cue.start])
    return [m for m in found if m.type != "adverse_event" or told]


def _arrow(draft: Draft, index: int) -> None:
    """`fluoxetine -> venlafaxine`: the first was given up for the second."""
    before = draft.by_stop.get(index)
    after = draft.by_start.get(index + 1) or draft.by_start.get(index + 2)
    if before is not None and after is not None and before.group == after.group == "drug":
        mark([before], CONCEPT, Cue(index, index + 2, "after", None))
