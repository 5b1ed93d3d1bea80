"""Texts that no clinician wrote: nothing breaks, no word leaves in a log."""

from __future__ import annotations

import logging

import pytest
from spacy.language import Language

from extraction.notes import Note, extract, load_pipeline


@pytest.fixture(scope="module")
def nlp() -> Language:
    return load_pipeline("fast")


POISON = {
    "empty": "",
    "blank": " \n\t\r\n ",
    "control": "No\x00 fever\x07\x1b[31m. Cough\x08",
    "right_to_left": "\u202eNo fever\u202c\u200f BP \u2066120/80\u2069",
    "zero_width": "No\u200b fe\u200dver",
    "numbers": "1/2/3/4/5 -1 .. 3.4.5 1,2,3 ,,, 9" * 50,
    "signs": "?" * 500 + ":;(-)" * 200,
    "brackets": "(" * 2000 + "BP" + ")" * 2000,
    "combining": "e\u0301" * 500,
    "astral": "\U0001f912 fever \U0001f637",
    "huge_number": "BP " + "9" * 5000 + "/80, K " + "1" * 400,
    "no_blank": "a" * 100_000,
    "separators": "No fever\u2028Cough\u2029Pain\x85Rash",
    "cues_only": "no denies possible history of mother ? r/o s/p " * 100,
}


@pytest.mark.parametrize("name", POISON)
def test_any_text_is_read(name: str, nlp: Language) -> None:
    text = POISON[name]
    assert all(text[f.start : f.stop] == f.text for f in nlp(text)._.facts)


def test_a_megabyte_line_is_read(nlp: Language) -> None:
    line = "No fever, cough or BP 120/80 and aspirin 81 mg daily with pain " * 16_000
    assert len(line) > 1_000_000
    assert len(nlp(line)._.facts) == 6 * 16_000


def test_processes_carry_the_facts() -> None:
    notes = [Note(f"n{i}", "S", "P", 0.0, "visit", f"Denies fever. Pulse 6{i}.") for i in range(4)]
    alone = [facts for _, facts in extract(notes)]
    assert [facts for _, facts in extract(notes, processes=2)] == alone


def test_no_words_in_logs(
    nlp: Language, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        nlp("Zyzzyva denies fever.")
    shown = capfd.readouterr()
    assert "Zyzzyva" not in caplog.text + shown.out + shown.err
