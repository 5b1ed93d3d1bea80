"""Which facts a note tells of the past."""

from __future__ import annotations

from functools import cache
from itertools import pairwise, product

from ...draft import Draft, Mention
from ...lexicon import is_year, read_lines, word_set
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

CONCEPT = "history"
GROUPS = ("problem", "drug", "procedure", "measure")
PAST_SECTIONS = frozenset(
    {"past_problems", "past_adverse", "past_medications", "past_labs", "past_vitals"}
)
# A drug of the past was given for a reason of the past.
_ACROSS = (("drug", "problem"), ("procedure", "problem"))
# `switched from A to B`, `replaced A with B`: B is of now.
_EXCHANGED = {"from": ("to",), "replaced": ("with", "by")}
_VOID = word_set(
    "since started began starting onset developed diagnosed dx dx'd worsening worse beginning "
    "noticed initiated increased added increasing ongoing until commenced gradually first "
    "persistent begun noted found came come appeared fell arose erupted broke injured twisted hurt "
    "unchanged stable similar compared sustained slipped tripped crashed woke brought sudden "
    "suddenly hit"
)
# Words that tell an event as a story, whose end is then more than an outcome in a list.
_TOLD = word_set("had was were during occurred initially")
_YEAR_REACH = 8
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
_LAST = frozenset({"last", "previous"})
_ARROWS = frozenset({">", "→"})
_NOW = word_set("now today currently tonight")
_STRONG = (
    ("due", "to"),
    ("because", "of"),
    ("secondary", "to"),
    ("owing", "to"),
    ("on", "account", "of"),
    ("in", "view", "of"),
    ("d", "/", "t"),
    *product(("because", "as", "since"), ("it", "they", "of"), ("caused", "gave", "made", "the")),
)
_REASONS = (*_STRONG, ("for",), ("after",), ("following",))
_REASON_ENDS = frozenset({",", ";", ".", "and", "but"})
_HISTORY = word_set("history hx h/o hist h")
_STILL = word_set("still ongoing currently continues remains")
_THERAPY = word_set(
    "therapy treatment medication medications meds oxygen dialysis diet insulin cpap"
)
_BROUGHT = word_set("caused gave produced induced provoked triggered caused: made")


@cache
def _lasting() -> frozenset[str]:
    lines = read_lines("lasting.txt", "extraction.notes.assertion.history")
    return frozenset(name for line in lines for name in line.split(" | "))


def assess(draft: Draft, cues: CueList) -> None:
    """Mark the mentions that are over, resolved, stopped or of an earlier time."""
    for cue in cues.find(draft):
        mark(_targets(draft, cue, cues), CONCEPT, cue)
    for index in draft.tokens.among(_ARROWS):
        word = draft.words[index]
        if word == ">" and draft.words[index - 1] == "-":
            _arrow(draft, index - 1)
        elif word == "→":
            _arrow(draft, index)
    ages: list[Mention] = []
    for mention in draft.mentions:
        age = _bare_year(draft, mention)
        if age is not None:
            ages.append(age)
        if _in_past_section(draft, mention):
            title = draft.title_before(mention.start)
            if title is not None and not _today(draft, mention):
                mention.cues.setdefault(CONCEPT, (title, title + 1))
    draft.drop(ages)


def _in_past_section(draft: Draft, mention: Mention) -> bool:
    """A list of past problems, or a procedure in any list of history."""
    section = draft.section[mention.start]
    if mention.group == "procedure" and section == "problems":
        title = draft.title_before(mention.start)
        return title is not None and draft.words[title] not in ("impression", "assessment")
    return section in PAST_SECTIONS and mention.group in GROUPS


def _today(draft: Draft, mention: Mention) -> bool:
    first, last = segment(draft, mention.start)
    return any(w in _NOW for w in draft.words[first:last])


def _targets(draft: Draft, cue: Cue, cues: CueList) -> list[Mention]:
    word = draft.words[cue.start]
    groups = cue.only or GROUPS
    if cue.kind == "near":
        return _near(draft, cue)
    if cue.kind == "list":
        return listed(draft, cue, GROUPS)
    if cue.kind == "either" or (word in ("resolved", "closed") and cue.stop - cue.start == 1):
        return _turning(draft, cue, cues, groups)
    if cue.kind == "weak":
        return _weak(draft, cue, cues)
    if cue.kind == "after":
        return _behind(draft, cue, cues, groups)
    return _before(draft, cue, cues)


def _before(draft: Draft, cue: Cue, cues: CueList) -> list[Mention]:
    """Return what a cue in front of its facts is about."""
    word = draft.words[cue.start]
    inside = _inside_measure(draft, cue)
    if inside:
        return inside
    if word == "stop" and _is_order(draft, cue):
        return []
    if word in _UNDERGOING and _is_this_stay(draft, cue):
        return []
    if not _HISTORY.isdisjoint(draft.words[cue.start : cue.stop]) and _goes_on(draft, cue):
        return []
    commas = closed_list if word in ("s", "status") else _listing
    until = _EXCHANGED.get(draft.words[cue.stop - 1], ())
    found = forward(
        draft, cue, cues, _ahead_groups(cue), commas=commas, across=_ACROSS, until=until
    )
    if cue.only is not None and found and not found[0].fits(cue.only):
        return []
    if cue.only is not None and "drug" in cue.only and found:
        found = [*found, *_reason(draft, cue, cues, found[-1].stop)]
    mark(found, CONCEPT, Cue(cue.start, cue.stop, cue.kind, None))
    return found


def _goes_on(draft: Draft, cue: Cue) -> bool:
    """Whether a problem of the history is under treatment: `history of COPD on home oxygen`."""
    mention = next(iter(draft.within(cue.stop, cue.stop + 3)), None)
    if mention is None or mention.group != "problem":
        return False
    end = min(draft.sentence[cue.start], mention.stop + 5)
    if not _STILL.isdisjoint(draft.words[mention.stop : end]):
        return True
    behind = draft.words[mention.stop : mention.stop + 1]
    near = mention.stop, mention.stop + 4
    treated = any(m.group == "drug" for m in draft.within(*near))
    named = not _THERAPY.isdisjoint(draft.words[slice(*near)])
    return behind in (["on"], ["managed"], ["controlled"], ["requiring"], ["maintained"]) and (
        treated or named
    )


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
    if any(w in _NOW for w in draft.words[index : min(end, index + 3)]):
        return False
    return any(m.group == "measure" and m.first <= index + 1 for m in draft.within(index, end))


def _behind(draft: Draft, cue: Cue, cues: CueList, groups: tuple[str, ...]) -> list[Mention]:
    inside = _inside_measure(draft, cue)
    if inside:
        return inside if "measure" in groups else []
    if "." in draft.words[cue.stop - 1][1:]:  # `stable at 1.2` is no age
        return []
    found = backward(draft, cue, groups, reach=14)
    if not found and draft.words[cue.start] in _SUBJECTS:  # `he quit varenicline`
        led = draft.by_start.get(ahead(draft, cue.stop))
        found = [led] if led is not None and led.fits(groups) else []
        cue = Cue(cue.start, cue.stop if not found else found[0].stop, cue.kind, cue.only)
    if cue.only is None:
        found = [_through(draft, found[0]), *found[1:]] if found else found
    if draft.words[cue.start] in _LAST:  # `epilepsy, last fit 2019`
        found = [m for m in found if m.name not in _lasting()]
    if draft.words[cue.start] == ",":  # a bare outcome in a list of events
        return [m for m in found if m.type != "adverse_event"]
    if not found and "measure" in groups:
        return _near(draft, cue)
    if found and "drug" in groups:
        found = [*found, *_brought(draft, cue), *_reason(draft, cue, cues, cue.stop)]
        mark(found, CONCEPT, Cue(cue.start, cue.stop, cue.kind, None))
    return found


def _through(draft: Draft, found: Mention) -> Mention:
    """`colitis after clindamycin, cured`: what a drug only explains is what is over."""
    explained = draft.by_stop.get(found.start - 1)
    if found.group != "drug" or explained is None or explained.group != "problem":
        return found
    return explained if draft.words[found.start - 1] in _WITH else found


def _brought(draft: Draft, cue: Cue) -> list[Mention]:
    """`amlodipine caused swelling and was replaced`: the swelling is of the same past."""
    first = draft.opening[cue.start]
    brought = [i for i in range(first, cue.start) if draft.words[i] in _BROUGHT]
    if not brought:
        return []
    return [m for m in draft.within(brought[-1], cue.start) if m.group == "problem"]


def _turning(draft: Draft, cue: Cue, cues: CueList, groups: tuple[str, ...]) -> list[Mention]:
    if draft.words[cue.start] == "resolved" or draft.words[cue.start] == "closed":
        return _weak(draft, cue, cues)
    turns = draft.words[cue.start] in ("but", "and", "though")  # `drowsy but no longer agitated`
    found = either(draft, cue, cues, groups, object_first=turns)
    if found:
        found = [*found, *_reason(draft, cue, cues, max(cue.stop, found[-1].stop))]
        mark(found, CONCEPT, Cue(cue.start, cue.stop, cue.kind, None))
    return found


def _reason(draft: Draft, cue: Cue, cues: CueList, place: int) -> list[Mention]:
    """`stopped for anemia`: the reason, at this word, is of the same past."""
    between = draft.by_start.get(place)
    if between is not None and between.group == "drug":
        place = between.stop  # `changed to losartan for cough`
    if draft.words[place : place + 1] == ["to"]:  # `switched from enalapril to losartan because of`
        taken = next(iter(draft.within(place + 1, place + 4)), None)
        place = taken.stop if taken is not None and taken.group == "drug" else place
    if draft.words[place - 1] in ("because", "owing", "due", "for", "after"):
        place -= 1  # part of the cue: `stopped because`
    end = min(draft.sentence[cue.start], place + 6)
    for index in range(place, end):
        if draft.words[index] in _REASON_ENDS:
            break
        for reason in _REASONS if index == place else _STRONG:
            stop = index + len(reason)
            if tuple(draft.words[index:stop]) == reason:
                behind = Cue(cue.start, stop, "before", None)
                return forward(draft, behind, cues, ("problem",), reach=4, commas=closed_list)
    return []


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


def _inside_measure(draft: Draft, cue: Cue) -> list[Mention]:
    """A time between the name and the number of a measurement belongs to it, or to its pair."""
    near = draft.within(cue.stop, min(len(draft.words), cue.stop + 12))
    inside = [m for m in near if m.group == "measure" and m.first <= cue.start]
    return [m for m in inside if m.first == inside[0].first]


def _near(draft: Draft, cue: Cue) -> list[Mention]:
    """Return what a time adverbial is about: its part of the sentence, or the part before."""
    inside = _inside_measure(draft, cue)
    if inside:
        return inside
    if draft.words[cue.stop : cue.stop + 1] == [":"]:  # `vitals last visit: ...`
        listed = _until_now(draft, cue.stop)
        if listed:
            return listed
    first, last = segment(draft, cue.start)
    if any(w in _VOID for w in draft.words[max(first, cue.start - 9) : cue.start]):
        return []
    here = _at(draft, cue, first, last)
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
        if draft.words[index] in _NOW or draft.words[index] == ";":
            break
        mention = draft.by_start.get(index)
        if mention is not None and mention.group == "measure":
            found.append(mention)
    return found


def _bare_year(draft: Draft, mention: Mention) -> Mention | None:
    """`hip fracture 2009` is over, and `splenectomy for trauma, 1994`; return an age of then."""
    if mention.group == "drug":
        _years_of_use(draft, mention)
        return None
    procedure = mention.group == "procedure"
    if not procedure and (mention.group != "problem" or mention.name in _lasting()):
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
        if is_year(word):
            mention.cues.setdefault(CONCEPT, (index, index + 1))
            return None
    return None


def _years_of_use(draft: Draft, drug: Mention) -> None:
    """`HRT 2001-2006`."""
    first, dash, last = (draft.words[drug.stop + i : drug.stop + i + 1] for i in range(3))
    if last and is_year(first[0]) and dash[0] in ("-", "–", "to") and is_year(last[0]):
        drug.cues.setdefault(CONCEPT, (drug.stop, drug.stop + 3))


def _arrow(draft: Draft, index: int) -> None:
    """`fluoxetine -> venlafaxine`: the first was given up for the second."""
    before = draft.by_stop.get(index)
    after = draft.by_start.get(index + 1) or draft.by_start.get(index + 2)
    if before is not None and after is not None and before.group == after.group == "drug":
        mark([before], CONCEPT, Cue(index, index + 2, "after", None))
