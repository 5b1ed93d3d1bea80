"""Which facts are about a relative."""

from __future__ import annotations

from functools import cache

from ...draft import Draft, Mention
from ...lexicon import Lexicon, read_lines, word_set
from ...tokens import tokenize
from ..cues import Cue, CueList, closes_clause
from ..scope import backward, mark

CONCEPT = "family"
GROUPS = ("problem",)
_HERE = "extraction.notes.assertion.family"
_LEADING = word_set(
    "by bib per with from to for of and informant caregiver than via lives near near: called"
)
_POSSESSIVE = word_set("his her the a an their one two three both maternal paternal") | {
    "older",
    "younger",
    "elder",
    "another",
    "first-degree",
    "first",
    "degree",
    "-",
    "late",
    "half",
    "deceased",
    "identical",
    "twin",
    "only",
    "great",
    "oldest",
    "youngest",
    "eldest",
}
_BEARING = word_set(
    "takes took gets got uses used on had has have underwent is was are were received receives "
    "needed with : s with suffers suffered died needs"
)
_ANY = ("problem", "drug", "procedure")
_CHILD = frozenset({"child", "baby", "infant", "boy", "girl"})
_PATIENT = word_set("patient pt subject he she himself herself client participant patient's hers")
_ASIDE = frozenset({"-", "–", "—", ":", "="})  # `psoriasis - mother`
_ADVERBS = frozenset({"also", "again", "who", "has", "is", "now", "only", "and", "had", "first"})


@cache
def _lists() -> tuple[Lexicon, Lexicon]:
    kin, reporting = Lexicon(), Lexicon()
    for lexicon, file in ((kin, "kin.txt"), (reporting, "reporting.txt")):
        for line in read_lines(file, _HERE):
            for word in line.split(" | "):
                lexicon.add(word, True)
    return kin, reporting


def assess(draft: Draft, cues: CueList) -> None:
    """Mark the problems that a note tells of a relative."""
    for mention in draft.mentions:
        if draft.section[mention.start] == "family" and mention.group in _ANY:
            title = draft.title_before(mention.start)
            patient = any(
                w in _PATIENT for w in draft.words[draft.opening[mention.start] : mention.start]
            )
            if title is not None and not patient:
                mention.cues.setdefault(CONCEPT, (title, title + 1))
    for cue in cues.find(draft):
        found = _borne(draft, cue) if cue.kind == "after" else _subject(draft, cue.stop, cue.start)
        mark(found, CONCEPT, cue)
    _possessive(draft)
    for match in _lists()[0].find(draft.tokens):
        _relative(draft, Cue(match.start, match.stop, "either", None))


def _borne(draft: Draft, cue: Cue) -> list[Mention]:
    """Return what runs in the family, behind the cue where only a comma leads to it."""
    found = backward(draft, cue, GROUPS, reach=4)
    led = draft.by_start.get(cue.stop)
    if not found or led is None or led.group != "problem":
        return found
    parted = "," in draft.words[found[0].stop : cue.start]
    return [led] if parted else found  # `flushes, aunt on her father's side breast cancer`


def _relative(draft: Draft, cue: Cue) -> None:
    """Mark what a relative has (`mother had ...`) or where one is named behind (`... in aunt`)."""
    before = _before(draft, cue.start)
    if before == "as" or _is_the_child(draft, cue):
        return
    named_behind = before in ("in", "affected", "affecting", "affects", "among")
    aside = before in _ASIDE and closes_clause(draft, cue.stop) and not _has_had(draft, cue)
    if before == "(" or aside or (named_behind and not _subject_verb(draft, cue)):
        mark(backward(draft, cue, GROUPS, reach=6), CONCEPT, cue)
        return
    if _reports(draft, cue) or (before in _LEADING and not _has_had(draft, cue)):
        return
    bears = not _BEARING.isdisjoint(draft.words[cue.stop : cue.stop + 1])
    bears = bears or cue.stop in draft.by_start
    mark(_subject(draft, cue.stop, cue.start, _ANY if bears else GROUPS), CONCEPT, cue)


def _is_the_child(draft: Draft, cue: Cue) -> bool:
    """Whether the patient is meant: `the child has had fever`."""
    return draft.words[cue.start] in _CHILD and draft.words[cue.start - 1] in ("the", "this")


def _possessive(draft: Draft) -> None:
    """`her mother's breast cancer`."""
    kin = _lists()[0]
    ending = {w for w in draft.tokens.index() if w.endswith("'s")}
    for index in draft.tokens.among(ending):
        mention = draft.by_start.get(index + 1) or draft.by_start.get(index + 2)
        if mention is None or mention.group == "drug" or not mention.fits(_ANY):
            continue
        if kin.at(tokenize(draft.words[index][:-2]), 0) is not None:
            mark([mention], CONCEPT, Cue(index, index + 1, "before", None))


def _before(draft: Draft, index: int) -> str:
    opening = draft.opening[index]
    index -= 1
    while index >= opening and draft.words[index] in _POSSESSIVE:
        index -= 1
    return draft.words[index] if index >= opening else ""


def _reports(draft: Draft, cue: Cue) -> bool:
    end = draft.sentence[cue.start]
    index = cue.stop
    while index < end and draft.words[index] in _ADVERBS and index < cue.stop + 2:
        if _lists()[1].at(draft.tokens, index) is not None:
            return True
        index += 1
    return index < end and _lists()[1].at(draft.tokens, index) is not None


def _has_had(draft: Draft, cue: Cue) -> bool:
    following = draft.words[cue.stop : cue.stop + 1]
    if following in (["has"], ["had"], ["with"], ["w"], ["died"], ["diagnosed"], ["who"]):
        return True
    return _before(draft, cue.start) == "and" and following in (["is"], ["was"], ["got"], ["took"])


def _subject_verb(draft: Draft, cue: Cue) -> bool:
    return _has_had(draft, cue) and draft.words[cue.stop] in ("has", "had", "with", "w")


def _subject(
    draft: Draft, start: int, cue_start: int, groups: tuple[str, ...] = GROUPS
) -> list[Mention]:
    """Return the problems up to where the sentence turns to the patient."""
    found: list[Mention] = []
    if draft.words[start : start + 1] in (["herself"], ["himself"]):
        start += 1
    end = draft.sentence[cue_start]
    for index in range(start, end):
        word = draft.words[index]
        if _is_patient(draft, index) or (word == ";" and not _kin_follows(draft, index, end)):
            break
        mention = draft.by_start.get(index)
        if word in (",", "so", "therefore"):
            groups = GROUPS
        if mention is not None and mention.group in groups:
            found.append(mention)
        elif mention is not None and mention.group == "measure":
            break
    return found


def _is_patient(draft: Draft, index: int) -> bool:
    """Whether the word means the subject of the note, and not `also a patient here`."""
    if draft.words[index] not in _PATIENT or draft.words[index - 1] in ("a", "that", "another"):
        return False
    return draft.words[index - 2 : index] not in (["with", "the"], ["as", "the"], ["with", "our"])


def _kin_follows(draft: Draft, index: int, end: int) -> bool:
    kin = _lists()[0]
    return any(kin.at(draft.tokens, i) is not None for i in range(index + 1, min(end, index + 4)))
