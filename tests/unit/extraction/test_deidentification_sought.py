"""Patterns looked for only where they can begin find the same as when looked for everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from extraction.notes.deidentification import find_dates, find_places, labels, name_cues
from extraction.notes.deidentification.openings import opening_words
from extraction.notes.deidentification.sought import Sought, Survey
from tests.notes.bank_loader import load_bank

TEXTS = (
    "Patient: KOWALSKI, Anna M.  MRN: 00-4471-229  DOB: 03/04/1961, born 1928, age 93.",
    "Seen by Dr. Lindqvist on the 4th of July and on Christmas Eve; 12 march 2021, May 2, 2020.",
    "Lives at 12 Elm Street, Springfield, MA 02139-4307; P.O. Box 77, Apt. 4B. GAMMA 02139.",
    "Call (212) 555-0184 or +40 21 555 0184, fax 212-555-0199 (fax), pager 4471, ext. 332.",
    "anna.k@example.org, anna [at] example dot com, https://example.org/a, 192.168.0.1, fe80::1:2",
    "Attending: Lindqvist, MD\n  - Nurse (charge): Ann Pop, RN\n/s/ A. Pop\nI, Anna Pop, agree.",
    "SSN 078-05-1120, xxx-xx-1120, card 4111 1111 1111 1111, VIN 1HGCM82633A004352, IMG_2041.jpg",
    "DR\u0130. smith, mi\u017fs K\u0131r, \u212aelvin 12/13/2020.",
    "The wife\u2019s name is Zoë; née: Ruiz, Ana; née Ruiz. Her fiancé Ion, her fiancee Ana.",
    "émay 2020, 10may2020, 2020-05-06T10:00, 20200506_1, 1234567890, T2N1, ½ 12/13, ٣/٤/٢٠٢١",
    "",
)


def every_sought() -> Iterator[Sought]:
    yield from (cue.sought for cue in name_cues.BEFORE)
    yield from (*name_cues.INITIALS, name_cues.DOES)
    yield labels._labels()[0]
    yield from (sought for _, _, sought in labels._FORMS)
    for module in (find_dates, find_places):
        for value in vars(module).values():
            held = value.values() if isinstance(value, dict) else value
            rows = held if isinstance(held, tuple) or held is not value else (held,)
            for row in rows:
                yield from (s for s in (row if isinstance(row, tuple) else (row,)) if _is(s))


def _is(thing: object) -> bool:
    return isinstance(thing, Sought)


def test_matches_are_those_of_finditer() -> None:
    sought = list(every_sought())
    assert len(sought) > 80
    matches = 0
    for text in (*TEXTS, *(s.text for s in load_bank("dev")[:150])):
        survey = Survey(text)
        for one in sought:
            expected = [match.span() for match in one.pattern.finditer(text)]
            assert [match.span() for match in survey.finditer(one)] == expected, one.pattern
            matches += len(expected)
    assert matches > 120


def test_what_is_registered_after_a_text_was_surveyed_is_found_too() -> None:
    survey = Survey("The zyx is here.")
    late = Sought(re.compile(r"\bzyx\b"), "words")
    assert [match.span() for match in survey.finditer(late)] == [(4, 7)]


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"\b(?:talk(?:s|ed)?|met) (?:with|by)", {"talk", "talks", "talked", "met"}),
        (
            r"(?<!\w)(?i:next[ -]?of|fianc[eé]e?)(?![a-z])",
            {"next", "nextof", "fianc", "fiance", "fiancee"},
        ),
        (r"(?<![A-Za-z])may(?! be)(?=\.)(?P<n>\.\w+)", {"may"}),
        (r"\bp\.? ?o\.? ?box \d{1,6}", {"p", "po", "pobox"}),
    ],
)
def test_opening_words_are_read_from_a_pattern(pattern: str, words: set[str]) -> None:
    assert opening_words(pattern) == words


@pytest.mark.parametrize(
    "pattern", [r"may\b", r"\b\w+ing", r"\bmay", r"\b(?:may )?[A-Z]x ", r"\b(?:ab)+ ", r"\b[^a] x"]
)
def test_a_pattern_whose_opening_cannot_be_told_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="it can begin"):
        opening_words(pattern)
