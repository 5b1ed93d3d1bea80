"""Which facts come only under a circumstance that returns."""

from __future__ import annotations

from functools import cache

from ...draft import Draft, Mention
from ...lexicon import read_lines, word_set
from ..cues import Cue, CueList, closes_clause
from ..scope import backward, clause_start, forward, mark

CONCEPT = "circumstance"
GROUPS = ("problem", "drug", "procedure")
_PROBLEM = ("problem",)
_REACH = 8
_ONLY = frozenset({"only", "exclusively", "solely", "alone"})
_PREPOSITIONS = word_set("after before in with on during at when while around under upon to for if")
_DOING = word_set("on when while whilst upon")
_ACTIVE = word_set("with after during by from while")
# What ends in -ing and is no act that returns.
_NO_ACT = word_set(
    "worsening increasing decreasing ongoing remaining starting stopping beginning discontinuing "
    "following including being having receiving imaging screening monitoring bleeding vomiting "
    "swelling itching wheezing morning evening thing nothing something anything ring king spring "
    "sling wing dressing testing staging sibling nursing missing healing resulting growing "
    "outstanding listening examining questioning waiting longstanding changing finding commencing "
    "initiating completing taking using leaving arriving hearing clotting existing persisting "
    "scarring reducing tapering adding switching asking scoring returning improving warning "
    "training planning dosing loading rechallenging titrating everything crackling scanning "
    "underlying living feeling pending presenting continuing referring reviewing"
)
_ACTS = word_set(
    "walking running climbing lifting bending coughing sneezing straining swallowing chewing "
    "eating drinking breathing exercising standing sitting lying kneeling squatting reaching "
    "turning twisting jogging cycling swimming dancing gardening driving reading writing typing "
    "speaking talking singing laughing crying voiding urinating defecating feeding suctioning "
    "showering bathing shaving dressing stretching stooping carrying pushing pulling gripping "
    "pinching brushing flying travelling traveling hoovering cleaning vacuuming mowing skipping "
    "working sleeping waking rising wearing throwing kicking jumping sprinting rowing shouting "
    "going peeing mobilising mobilizing transferring exerting digging cooking shopping smoking "
    "skating"
)
_PAST = word_set(
    "was were had did been stopped started admitted seen found last young diagnosed given first "
    "presented discharged examined reviewed moved became began came went took fell got"
)


_BRINGING = word_set("with after on in during around near at upon under from by to against")
_GETS = word_set("he she patient pt develops gets has comes out in becomes a an")
_WITH = word_set("with after on to")
_NOT_INSIDE = word_set(
    "is was were are has had have and or but no not of for then since until now her his patient "
    "left right admitted ward clinic surgery hospital"
)
_TIMES = frozenset({"when", "whenever", "wherever"})
_CLAUSES = frozenset({"when", "if", "after", "on"})
_STATES = word_set(
    "tired stressed exposed needed excited propped pressed touched provoked fed hurried loaded "
    "stretched heated rushed untreated constipated dehydrated bored relaxed crowded seated bed red "
    "lifted speed feed feeds frightened agitated pressured missed skipped"
)


def assess(draft: Draft, cues: CueList) -> None:
    """Mark the mentions that come only on exertion, with a food, in the cold, ..."""
    found = [*cues.find(draft), *_acts(draft), *_limits(draft), *_things(draft), *_whens(draft)]
    for cue in found:
        mark(_targets(draft, cue, cues), CONCEPT, cue)
    for mention in draft.mentions:
        _drug_reaction(draft, mention)


@cache
def _triggers() -> frozenset[str]:
    lines = read_lines("things.txt", "extraction.notes.assertion.circumstance")
    return frozenset(word for line in lines for word in line.split())


def _things(draft: Draft) -> list[Cue]:
    """`after red wine`, `in cold air`, `around horses`: a preposition and what brings it on."""
    triggers = _triggers()
    found = []
    for index in draft.tokens.among(triggers):
        cue = _led(draft, index)
        if cue is not None:
            found.append(cue)
    return found


def _led(draft: Draft, index: int) -> Cue | None:
    """Return the cue from the preposition in front of a thing, over a few adjectives."""
    words = draft.words
    for place in range(index - 1, max(draft.opening[index], index - 4) - 1, -1):
        word = words[place]
        if word in _BRINGING:
            return Cue(place, index + 1, "after", _PROBLEM)
        if not word.isalpha() or word in _NOT_INSIDE:
            return None
    return None


def _whens(draft: Draft) -> list[Cue]:
    """`when she bends`, `whenever tired`: a clause of time in the present."""
    return [
        Cue(index, index + 1, "after", _PROBLEM)
        for index in draft.tokens.among(_TIMES)
        if index not in draft.covered
    ]


def _drug_reaction(draft: Draft, mention: Mention) -> None:
    """`Angioedema with ibuprofen.`: nothing else is said, so it comes with each dose."""
    place = mention.stop
    if mention.type != "adverse_event" or place + 1 >= draft.sentence[mention.start]:
        return
    before = draft.words[draft.opening[mention.start] : mention.start]
    if not _GETS.issuperset(before) or draft.words[place] not in _WITH:
        return
    drug = draft.by_start.get(place + 1)
    if drug is not None and drug.group == "drug" and closes_clause(draft, drug.stop):
        mark([mention], CONCEPT, Cue(place, drug.stop, "after", None))


def _targets(draft: Draft, cue: Cue, cues: CueList) -> list[Mention]:
    groups = cue.only or GROUPS
    if draft.words[cue.start] in _CLAUSES and _is_past(draft, cue):
        return []
    if cue.start in draft.covered:  # the span itself names it: `pain with intercourse`
        return [m for m in draft.mentions if m.start < cue.start < m.stop and m.fits(groups)]
    led = draft.by_start.get(cue.stop)
    if cue.kind == "either" and led is not None and led.fits(groups):
        return [led]
    if cue.kind == "before":
        return forward(draft, cue, cues, groups, reach=4)
    before = backward(draft, cue, groups, _REACH, commas=False)
    if before:
        return before
    if clause_start(draft, cue.start) == cue.start:
        return _following(draft, cue, groups)
    return _named(draft, cue, groups)


def _named(draft: Draft, cue: Cue, groups: tuple[str, ...]) -> list[Mention]:
    """`only hurts when I swallow (odynophagia)`: named behind a colon or in brackets."""
    for index in range(cue.stop, min(draft.sentence[cue.start], cue.stop + _REACH)):
        mention = draft.by_start.get(index)
        if mention is not None:
            named = draft.words[index - 1] in (":", "(") and mention.fits(groups)
            return [mention] if named else []
    return []


def _is_past(draft: Draft, cue: Cue) -> bool:
    """Whether the clause tells of one time only: `when he was in Spain`."""
    end = min(draft.sentence[cue.start], cue.start + 6)
    end = next((i for i in range(cue.stop, end) if draft.words[i] in ",;:("), end)
    return any(
        w in _PAST or (w.endswith("ed") and w not in _STATES)
        for w in draft.words[cue.start + 1 : end]
    )


def _following(draft: Draft, cue: Cue, groups: tuple[str, ...]) -> list[Mention]:
    """`On climbing stairs she gets breathless`: what the opening circumstance brings."""
    end = min(draft.sentence[cue.start], cue.stop + 2 * _REACH)
    found: list[Mention] = []
    for index in range(cue.stop, end):
        if draft.words[index] == ";" or (found and index - found[-1].stop > 2):
            break
        mention = draft.by_start.get(index)
        if mention is not None and mention.fits(groups):
            found.append(mention)
    return found


def _acts(draft: Draft) -> list[Cue]:
    """`on lifting`, `when bending`, `with suctioning`."""
    found = []
    words = draft.words
    ending = {w for w in draft.tokens.index() if w.endswith("ing") and len(w) > 4}
    for index in draft.tokens.among(ending):
        word = words[index]
        if not index or index in draft.covered:
            continue
        before = words[index - 1]
        if (before in _DOING and word not in _NO_ACT) or (before in _ACTIVE and word in _ACTS):
            found.append(Cue(index - 1, index + 1, "after", _PROBLEM))
        elif word in _ACTS and index in draft.by_stop:
            found.append(Cue(index, index + 1, "after", _PROBLEM))
    return found


def _limits(draft: Draft) -> list[Cue]:
    """`before sex only`, `in dim light only`: from the preposition to the limiting word."""
    found = []
    words = draft.words
    for index in draft.tokens.among(_ONLY):
        first = clause_start(draft, index)
        for place in range(index - 1, max(first, index - 7) - 1, -1):
            if words[place] in _PREPOSITIONS and place not in draft.covered:
                found.append(Cue(place, index + 1, "after", None))
                break
            if place in draft.by_start:
                break
    return found
