"""Notes cut, garbled and overgrown: read without a fault, and the good one among them as ever."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from spacy.language import Language

from extraction.notes import load_pipeline
from extraction.notes.facts import Fact
from generation.randomness import generator
from tests.notes.assertion_loader import load_gold
from tests.notes.bank_loader import load_bank

JUNK = (
    *("\x00", "\x07", "\u202e", "\u200f", "\ufeff", "²", "٣", "½", "№", "😀", "\ud800", "\r", "\t"),
    *("<b>", "</p>", "&nbsp;", "<td>", "{\\rtf1\\ansi\\par ", "\\'e9", "Ã©", "â€™", "\u2028"),
    *("(((((", ")", "1" * 400, "-", "—", "_" * 50, "\x1b[0m", "1/2/3/4", "%%", ":::", "??", "\n\n"),
)
GOOD = "Denies chest pain; on Aricept 10 mg daily."


@pytest.fixture(scope="module")
def nlp() -> Language:
    return load_pipeline("fast")


@cache
def sources() -> list[str]:
    return [s.text for s in load_bank("dev")] + [line.text for line in load_gold("dev")]


def one_of(draw: np.random.Generator, items: Sequence[str]) -> str:
    return items[int(draw.integers(len(items)))]


def garbled(draw: np.random.Generator) -> str:
    text = one_of(draw, sources())
    for _ in range(int(draw.integers(5))):
        place = int(draw.integers(len(text) + 1))
        match int(draw.integers(7)):
            case 0:
                text = text[:place]
            case 1:
                text = text[place:]
            case 2:
                text = text[:place] + "".join(one_of(draw, JUNK) for _ in range(3)) + text[place:]
            case 3:
                text = text.encode("utf-8", "replace").decode("utf-16-le", "replace")
            case 4:
                text = text.encode("utf-8", "replace").decode("latin-1").upper()
            case 5:
                text += one_of(draw, sources())
            case _:
                spared = draw.random(len(text)) > 0.1
                letters = zip(text, spared, strict=True)
                text = "".join(c if kept else one_of(draw, JUNK) for c, kept in letters)
    return text


def check(nlp: Language, texts: list[str]) -> None:
    good = nlp(GOOD)._.facts
    docs = nlp.pipe([*(t for text in texts for t in (text, GOOD))])
    for number, doc in enumerate(docs):
        facts: tuple[Fact, ...] = doc._.facts
        if number % 2:
            assert facts == good
        for fact in facts:
            assert 0 <= fact.start < fact.stop <= len(doc.text)
            assert doc.text[fact.start : fact.stop] == fact.text
    assert number == 2 * len(texts) - 1


def test_garbled_notes_are_read_and_the_good_ones_stay(nlp: Language) -> None:
    draw = generator(20261122, "tests.fuzz")
    check(nlp, [garbled(draw) for _ in range(300)])


@pytest.mark.long
def test_five_thousand_garbled_notes(nlp: Language) -> None:
    draw = generator(5, "tests.fuzz")
    check(nlp, [garbled(draw) for _ in range(5000)])


PIECES = (
    "(",
    "a",
    "1",
    "no ",
    "no fever, ",
    "? ",
    "if fever ",
    "rash from penicillin ",
    "BP 120/80 ",
    "mother had ",
    "only when ",
    "aspirin 10 mg ",
    "EGFR ",
    "1,111",
    "T2N1",
    "3 x ",
    "history of ",
    "1/2/",
    "-",
    "a.b",
)


@pytest.mark.parametrize("piece", PIECES)
def test_an_endless_line_is_read_in_linear_time(nlp: Language, piece: str) -> None:
    """Work that grew with the square of a line would not end within the run of the suite."""
    assert nlp(piece * (100_000 // len(piece)))._.facts is not None


@pytest.mark.long
@pytest.mark.parametrize("piece", PIECES)
def test_a_line_of_a_megabyte_is_read(nlp: Language, piece: str) -> None:
    assert nlp(piece * (1_000_000 // len(piece)))._.facts is not None


def test_nothing_and_blanks_have_no_facts(nlp: Language) -> None:
    assert [nlp(text)._.facts for text in ("", " ", "\n\n\t", "\u2028")] == [(), (), (), ()]
