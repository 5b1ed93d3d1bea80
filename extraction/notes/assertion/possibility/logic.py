"""Which facts a note only suspects, queries or considers."""

from __future__ import annotations

from functools import cache

from ...draft import Draft, Mention
from ...facts import Certainty
from ...lexicon import keyed, read_lines, word_set
from ..cues import Cue, CueList
from ..scope import affirmed, backward, closed_list, continues_list, either, forward, listed, mark
from .answers import meaning, reply

CONCEPT = "possibility"
GROUPS = ("problem", "drug", "procedure")
_LISTING = frozenset({"differential", "ddx", "dd", "includes", "unclear", "whether", "ddx:"})
_MARKS = frozenset(
    {"vs", "versus", "v", "or", "?"}
    | {"explanation", "cause", "diagnosis", "culprit", "source", "origin", "trigger"}
)
_FINDINGS = ("condition", "imaging_finding")
_YES = word_set(
    "yes yeah yep y one two three some several lots plenty daily often occasional most every "
    "sometimes occasionally yup sure definitely only just mm uh-huh a constantly always mainly "
    "mostly frequently rarely once twice since for when after a-bit present positive correct i "
    "probably usually it last all quite very still on in ongoing much"
)
_NO = word_set("no none nil nope never neither n nothing nah not denies denied negative absent neg")
_DEFINITE = frozenset({"the", "this", "his", "her", "that", "these"})
_IS = frozenset({"is", "are", "represents", "could", "might", "may", "was"})
_VERSUS = frozenset({"vs", "versus", "v"})
_LIKELY = word_set("plausible likely likeliest probable possible favoured favored best suspected")
_OPEN = frozenset({"indeterminate", "suspicious", "worrisome", "concerning"})
_SEEN = word_set(
    "nodule nodules mass masses lesion lesions cyst cysts opacity opacities density focus foci "
    "node nodes lymphadenopathy polyp polyps calcification calcifications"
)
_TESTS = word_set(
    "screen screening test tests testing serology swab pcr workup work-up serologies panel titre "
    "titer titers antibodies antibody smear"
)
_SOUGHT = frozenset({"workup", "work-up"})
_OUT = word_set("back pending sent awaited outstanding requested ordered due taken repeated today "
                "tomorrow arranged booked")  # fmt: skip
_RESULT = word_set(
    "positive negative + - neg pos reactive nonreactive non-reactive confirmed grew showed shows "
    "normal clear abnormal detected"
)
_CAUSE = frozenset({"explanation", "cause", "diagnosis", "culprit", "source", "origin", "trigger"})


def assess(draft: Draft, cues: CueList) -> None:
    """Mark the mentions that are suspected, queried or considered."""
    found = cues.find(draft)
    for cue in found:
        if cue.kind != "affirm":
            found_here = _targets(draft, cue, cues)
            mark([m for m in found_here if not _judged(draft, m, cue)], CONCEPT, cue)
    affirmed(draft, found, CONCEPT, GROUPS)
    for index in draft.tokens.among(_MARKS):
        word = draft.words[index]
        if word in _VERSUS:
            _alternatives(draft, index)
        elif word in _CAUSE:
            _explained(draft, index, cues)
        elif word == "or":
            _undecided(draft, index)
        elif word == "?" and index in draft.by_start:  # `?PE` marked with its sign
            mark([draft.by_start[index]], CONCEPT, Cue(index, index + 1, "before", None))
    _tests(draft)
    for mention in draft.mentions:
        if CONCEPT in mention.cues:
            mention.certainty = _certainty(draft.words[slice(*mention.cues[CONCEPT])])


def _tests(draft: Draft) -> None:
    """`once her TB screen is back`, `sepsis screen sent`: asked, and not answered."""
    for index in draft.tokens.among(_TESTS):
        problem = draft.by_stop.get(index)
        if problem is None or problem.group != "problem":
            continue
        behind = draft.words[index + 1 : min(draft.sentence[index], index + 7)]
        if not _RESULT.isdisjoint(behind):
            continue  # answered, for the rules of assertion to read
        if draft.words[index] in _SOUGHT or not _OUT.isdisjoint(behind):
            mark([problem], CONCEPT, Cue(index, index + 1, "after", None))


@cache
def _grades() -> dict[str, Certainty]:
    lines = read_lines("certainty.txt", "extraction.notes.assertion.possibility")
    grades: dict[str, Certainty] = {}
    for grade, words in keyed(lines):
        grades.update(dict.fromkeys(words, "likely" if grade == "likely" else "unlikely"))
    return grades


def _certainty(words: list[str]) -> Certainty:
    """Return how sure the words of a cue are; `less likely` is unlikely, `not sure` possible."""
    found = {_grades()[word] for word in words if word in _grades()}
    if "unlikely" in found or {"not", "likely"} <= set(words):
        return "unlikely"
    return "likely" if found else "possible"


def _targets(draft: Draft, cue: Cue, cues: CueList) -> list[Mention]:
    if cue.kind == "list":
        return [m for m in listed(draft, cue, GROUPS) if m.group == "problem"]
    words = set(draft.words[cue.start : cue.stop])
    commas = continues_list if words & _LISTING else closed_list
    if draft.words[cue.start] == "?" and cue.stop - cue.start == 1:
        return _question(draft, cue, cues)
    if cue.kind == "after":
        return backward(draft, cue, GROUPS, reach=5, adjacent=True, commas=False)
    if draft.words[cue.stop - 1] in ("over", "than"):  # `gout favoured over sepsis`
        rivals = backward(draft, cue, GROUPS, reach=3, adjacent=True, commas=False)
        return [*rivals, *forward(draft, cue, cues, GROUPS, reach=4)]
    if cue.kind == "either":
        return either(draft, cue, cues, GROUPS, commas, object_first=True)
    found = forward(draft, cue, cues, GROUPS, commas=commas)
    return found[1:] if _is_subject(draft, cue, found) else found


def _judged(draft: Draft, mention: Mention, cue: Cue) -> bool:
    """Whether a thing is seen and only its nature open: `nodule, indeterminate`."""
    if mention.stop > cue.start or _OPEN.isdisjoint(draft.words[cue.start : cue.stop]):
        return False
    return draft.words[mention.stop - 1] in _SEEN


def _is_subject(draft: Draft, cue: Cue, found: list[Mention]) -> bool:
    """`unsure whether the nodule is a granuloma`: there is a nodule."""
    if len(found) < 2 or draft.words[cue.stop - 1] not in ("whether", "if"):
        return False
    definite = draft.words[found[0].start - 1 : found[0].start + 1]
    return not _DEFINITE.isdisjoint(definite) and draft.words[found[0].stop] in _IS


def _question(draft: Draft, cue: Cue, cues: CueList) -> list[Mention]:
    """`?stroke` and `AE?: stroke` lead; `stroke?` follows."""
    attached = draft.by_stop.get(cue.start)
    spaced = bool(draft.tokens.gap(cue.start))
    if attached is not None and not spaced and attached.fits(GROUPS):
        if not _answered(draft, attached, cue):
            return [attached]
        attached.cues.pop(CONCEPT, None)  # `Is there any rash? - Yes`
        return []
    return forward(draft, cue, cues, GROUPS, reach=4, commas=closed_list)


def _answered(draft: Draft, mention: Mention, cue: Cue) -> bool:
    """Whether an answer follows the question mark; a no makes the mention absent."""
    place = reply(draft, cue.start)
    if place is None:
        return False
    told = meaning(draft, place)
    if told is not None:
        mark([mention], told, Cue(cue.start, place + 1, "after", None))
        return True
    answer = draft.words[place : place + 1]
    if not answer or answer[0] not in _YES | _NO:
        return False
    if answer[0] in _NO:
        mark([mention], "negation", Cue(cue.start, place + 1, "after", None))
    return True


def _undecided(draft: Draft, index: int) -> None:
    """`pneumonia or atelectasis`, and nothing else said of them: one of the two."""
    before, after = draft.by_stop.get(index), draft.by_start.get(index + 1)
    pair = [m for m in (before, after) if m is not None and m.type in _FINDINGS and not m.cues]
    if len(pair) == 2:
        mark(pair, CONCEPT, Cue(index, index + 1, "either", None))


def _explained(draft: Draft, index: int, cues: CueList) -> None:
    """`the likeliest explanation for the collapse was arrhythmia`."""
    if _LIKELY.isdisjoint(draft.words[max(draft.opening[index], index - 3) : index]):
        return
    for place in range(index + 1, min(draft.sentence[index], index + 9)):
        if draft.words[place] in ("is", "was", "being", "remains"):
            cue = Cue(index, place + 1, "before", None)
            mark(forward(draft, cue, cues, ("problem",), reach=4), CONCEPT, cue)
            return


def _alternatives(draft: Draft, index: int) -> None:
    """Both sides of `pneumonia vs heart failure` are only considered."""
    before, after = draft.by_stop.get(index), draft.by_start.get(index + 1)
    after = after or draft.by_start.get(index + 2)
    if draft.words[index] == "v":  # `factor V`
        short = draft.tokens.text[draft.tokens.starts[index]] == "v"
        before = before if short else None
    if before is not None and before.group == "problem" and after is None:
        mark([before], CONCEPT, Cue(index, index + 1, "either", None))
    if before is not None and after is not None and before.group == after.group == "problem":
        mark([before, after], CONCEPT, Cue(index, index + 1, "either", None))
