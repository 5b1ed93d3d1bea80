"""Labels that say who speaks (`Patient: Never have.`), told from those that name somebody."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib import import_module

from .listed import terms
from .name_words import Rank, Word

_LABEL = (
    r"patient|pt|doctor|dr|physician|provider|clinician|nurse|rn|therapist|counsell?or|"
    r"psychologist|psychiatrist|interpreter|interviewer|resident|student|surgeon|caregiver|carer|spouse|guardian|"
    r"wife|husband|partner|mother|father|mom|mum|dad|son|daughter|brother|sister|parent|parents|"
    r"friend|aide|family|pharmacist|dietitian|coach|teacher"
)
_SPEAKER = re.compile(rf"(?<![\w'])(?P<l>{_LABEL})[ \t]?:[ \t*]{{0,12}}$", re.IGNORECASE)
_LONGEST = 30
# What follows a name in the head of a note and hardly a word that is said.
_AFTER_NAME = re.compile(
    r"[ \t]*(?:$|\n|\t|  |\||;|\(|[A-Z][\w ]{0,12}:|"
    r",? ?(?:MRN|DOB|D\.O\.B|SSN|ID|MD|DO|RN|NP|PA|PhD)\b"
    r"|,? ?\d{1,3} ?(?:y|[MF]\b|-year)|, [A-Z][a-z])"
)
_PERSON_DOES = (
    r"is|was|has|had|presents?|comes?|returns?|reports|denies|states|called|and|aged|born|who"
)
_GOES_ON = re.compile(rf",? (?!(?:{_PERSON_DOES})\b)[a-z]")
_ENDING = re.compile(r"\w{3,}(?:ed|ing|ly)")


def is_speech(text: str, place: int, run: Sequence[Word]) -> bool:
    """Whether the words after a label are what somebody says, and no name.

    Parameters
    ----------
    text
        Of the note.
    place
        Where the words begin, right after the label.
    run
        The words that would be the name.
    """
    speaker = _SPEAKER.search(text[max(0, place - _LONGEST) : place])
    if speaker is None:
        return False
    first = run[0]
    plain = first.plain in _ordinary() or (
        first.rank == Rank.UNKNOWN and _ENDING.fullmatch(first.plain) is not None
    )
    if (plain and first.rank < Rank.WORD) or _says_i(text, run):
        return True
    named = _AFTER_NAME.match(text, run[-1].stop) is not None
    if any(word.rank == Rank.NAME for word in run) or (len(run) > 1 and first.capital):
        return False
    if _GOES_ON.match(text, run[-1].stop) or first.rank <= Rank.CLINICAL:
        return True
    return not named and (plain or _recurs(text, speaker["l"]))


def names_somebody(text: str, place: int) -> bool:
    """Whether what follows at a place is what follows a name in the head of a note."""
    return _AFTER_NAME.match(text, place) is not None


def _says_i(text: str, run: Sequence[Word]) -> bool:
    return any(w.plain == "i" and text[w.stop : w.stop + 1] != "." for w in run)


def _recurs(text: str, label: str) -> bool:
    """Whether a label stands more than once, as those of a dialogue do."""
    return len(re.findall(rf"(?<![\w']){re.escape(label)}[ \t]?:", text, re.IGNORECASE)) > 1


@cache
def _ordinary() -> frozenset[str]:
    """Return ordinary words of English; those of the package `faker` among them."""
    common = import_module("faker.providers.lorem.en_US").Provider.word_list
    return terms("speech") | {word.lower() for word in common}
