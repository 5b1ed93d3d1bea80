"""Why a drug of the past was stopped, and what it had brought: of the same past."""

from __future__ import annotations

from itertools import product

from ...draft import Draft, Mention
from ...lexicon import word_set
from ..cues import Cue, CueList
from ..scope import closed_list, forward, mark

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
_IT = frozenset({"it", "they", "that", "this", "which"})
_GAVE = frozenset({"made", "gave", "caused", "triggered"})
_BROUGHT = word_set("caused gave produced induced provoked triggered caused: made")


def told_reactions(draft: Draft) -> None:
    """Mark a reaction known of an allergy, and what a drug of the past had done.

    `Allergies: penicillin (rash)`; `She quit sertraline in May. It gave her headaches.`
    """
    for mention in draft.mentions:
        if mention.type == "allergy" and draft.words[mention.stop : mention.stop + 1] == ["("]:
            _in_brackets(draft, mention)
    for index in draft.tokens.among(_GAVE):
        first = draft.opening[index]
        if not first or first != index - 1 or draft.words[first] not in _IT:
            continue
        before = draft.within(draft.opening[first - 1], first)
        drugs = [m for m in before if m.group == "drug"]
        if drugs and "history" in drugs[-1].cues and drugs[-1].decided() == "history":
            here = draft.within(index, draft.sentence[index])
            problems = [m for m in here if m.group == "problem"]
            mark(problems, "history", Cue(index, index + 1, "before", None))


def _in_brackets(draft: Draft, allergy: Mention) -> None:
    end = draft.sentence[allergy.start]
    close = next((i for i in range(allergy.stop, end) if draft.words[i] == ")"), end)
    reactions = [m for m in draft.within(allergy.stop + 1, close) if m.group == "problem"]
    mark(reactions, "history", Cue(allergy.stop, allergy.stop + 1, "before", None))


def reason_of(draft: Draft, cue: Cue, cues: CueList, place: int) -> list[Mention]:
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
                found = forward(draft, behind, cues, ("problem",), reach=4, commas=closed_list)
                return found if reason not in _STRONG else [m for m in found if _passed(m)]
    return []


def _passed(reason: Mention) -> bool:
    """Whether a reason goes with the drug: a reaction does, `stopped due to AKI` leaves the AKI."""
    return reason.type != "condition"


def brought_by(draft: Draft, cue: Cue) -> list[Mention]:
    """`amlodipine caused swelling and was replaced`: the swelling is of the same past."""
    first = draft.opening[cue.start]
    brought = [i for i in range(first, cue.start) if draft.words[i] in _BROUGHT]
    if not brought:
        return []
    return [m for m in draft.within(brought[-1], cue.start) if m.group == "problem"]
