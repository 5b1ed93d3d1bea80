"""Allergies: substances under a title or behind `allergic to`, and `no known allergies`."""

from __future__ import annotations

from functools import cache

from .draft import Draft, Mention
from .lexicon import Lexicon, Match, read_lines, word_set

_REACH = 8  # words from `allergic to` to the last substance
_EDGES = word_set(". ; but causing caused causes which with because")


@cache
def _lists() -> tuple[Lexicon, Lexicon, Lexicon]:
    """Return substances that are no drugs, what leads one, and phrases of none."""
    made = {"substance": Lexicon(), "lead": Lexicon(), "none": Lexicon()}
    for line in read_lines("allergies.txt"):
        kind, _, rest = line.partition(": ")
        for spelling in rest.split(" | "):
            made[kind].add(spelling, spelling)
    return made["substance"], made["lead"], made["none"]


def add_allergies(draft: Draft) -> None:
    """Turn what a patient is said to be allergic to into allergies, drugs among it."""
    substances, leads, none = _lists()
    for match in none.find(draft.tokens):
        _none(draft, match)
    for match in leads.find(draft.tokens):
        _led(draft, match, substances)
    if "allergies" in draft.section:
        _under_title(draft, substances)


def _none(draft: Draft, match: Match) -> None:
    if not draft.covered.isdisjoint(range(match.start, match.stop)):
        return
    mention = draft.mention("allergy", "any", match.start, match.stop)
    mention.cues["negation"] = (match.start, match.start + 1)
    draft.add(mention)


def _led(draft: Draft, match: Match, substances: Lexicon) -> None:
    """Read the list behind `allergic to`."""
    index, end = match.stop, min(draft.sentence[match.start], match.stop + 3 * _REACH)
    limit = match.stop + 3
    while index < end and index < limit:
        stop = _substance(draft, index, substances)
        if stop is not None:
            index, limit = stop, stop + 4
        elif draft.words[index] in _EDGES:
            return
        else:
            index += 1


def _under_title(draft: Draft, substances: Lexicon) -> None:
    for index, section in enumerate(draft.section):
        if section == "allergies" and index not in draft.headers:
            _substance(draft, index, substances)


def _substance(draft: Draft, index: int, substances: Lexicon) -> int | None:
    """Make the drug or other substance at this word an allergy; return where it ends."""
    known = draft.by_start.get(index)
    if known is not None:
        if known.type == "medication" and not known.given:
            _reset(known)
        return known.stop
    match = substances.at(draft.tokens, index)
    if match is None or not draft.covered.isdisjoint(range(index, match.stop)):
        return None
    name = " ".join(draft.words[index : match.stop])
    draft.add(draft.mention("allergy", name, index, match.stop))
    return match.stop


def _reset(drug: Mention) -> None:
    drug.type = "allergy"
    drug.dose = drug.dose_unit = drug.route = drug.frequency = None
