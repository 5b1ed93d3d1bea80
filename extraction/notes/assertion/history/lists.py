"""Lists of a history: `a history of gout, atrial fibrillation on apixaban, asthma and migraine`."""

from __future__ import annotations

from ...draft import Draft, Mention
from ...lexicon import word_set
from ..cues import Cue, CueList
from ..scope import ahead, continues_list, forward

_STILL = word_set("still ongoing currently continues remains")
_THERAPY = word_set(
    "therapy treatment medication medications meds oxygen dialysis diet insulin cpap"
)
_TREATED = word_set("on managed controlled requiring maintained")
_BEHIND_DRUG = 10  # words of dose, route and the like


def still_there(draft: Draft, cue: Cue) -> bool:
    """Whether a word says that the first problem of a history goes on: `h/o gout, still active`."""
    mention = next(iter(draft.within(cue.stop, cue.stop + 3)), None)
    if mention is None or mention.group != "problem":
        return False
    end = min(draft.sentence[cue.start], mention.stop + 5)
    if not _STILL.isdisjoint(draft.words[mention.stop : end]):
        return True
    return _is_treated(draft, mention) and _next_item(draft, mention) is None


def past_list(draft: Draft, cue: Cue, cues: CueList, found: list[Mention]) -> list[Mention]:
    """Return what a history lists, save what is under treatment: `COPD on home oxygen`.

    Parameters
    ----------
    found
        What the cue reaches up to the first treatment.
    """
    kept = list(found)
    while found and found[-1].group == "problem":
        follows = _next_item(draft, found[-1])
        if follows is None:
            break
        behind = Cue(cue.start, follows, cue.kind, cue.only)
        found = forward(draft, behind, cues, ("problem",), commas=continues_list)
        kept += found
    return [m for m in kept if m.group != "problem" or not _is_treated(draft, m)]


def _is_treated(draft: Draft, mention: Mention) -> bool:
    """Whether a drug or a therapy follows: `asthma on salbutamol`, `diabetes managed with diet`."""
    stop = mention.stop
    if _TREATED.isdisjoint(draft.words[stop : stop + 1]) or stop >= draft.sentence[mention.start]:
        return False
    near = stop, min(stop + 4, draft.sentence[mention.start])
    named = not _THERAPY.isdisjoint(draft.words[slice(*near)])
    return named or any(m.group == "drug" for m in draft.within(*near))


def _next_item(draft: Draft, mention: Mention) -> int | None:
    """Return where a list goes on with a condition, behind a treatment or a stage."""
    end = draft.sentence[mention.start]
    staged = draft.words[mention.stop : mention.stop + 1] in (["stage"], ["grade"], ["class"])
    if not (staged or _is_treated(draft, mention)):
        return None
    for index in range(mention.stop, min(end, mention.stop + _BEHIND_DRUG)):
        word, other = draft.words[index], draft.by_start.get(index)
        if word in ";:." or (other is not None and other.group not in ("drug", "measure")):
            return None
        if word in (",", "and"):
            place = index + 1 if draft.words[index + 1 : index + 2] != ["and"] else index + 2
            listed = draft.by_start.get(ahead(draft, place))
            if listed is not None and listed.type == "condition":
                return place
            if listed is None or listed.group != "drug":
                return None
    return None
