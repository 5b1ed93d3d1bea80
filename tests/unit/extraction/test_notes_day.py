"""The note's day from its head, and years that are not written."""

from __future__ import annotations

import pytest
from spacy.language import Language

from extraction.notes import load_pipeline


@pytest.fixture(scope="module")
def nlp() -> Language:
    return load_pipeline("fast", codes=False)


@pytest.mark.parametrize(
    "head",
    [
        "ICU PROGRESS NOTE  HD#5  2024-07-19",
        "Psychiatry intake 07/19/2024",
        "Progress Note - 2024-07-19",
        "Medication list as of 2024-07-19",
        "St. Elsewhere Hospital\nCardiology clinic note, July 19, 2024",
        "Admission Date: 07/13/2024    Discharge Date: 07/19/2024",
        "DOB: 01/20/1950   Date of visit: 07/19/2024",
    ],
)
def test_the_head_tells_the_day(head: str, nlp: Language) -> None:
    facts = nlp(f"{head}\nPotassium 3.1 on 07/16/2024.")._.facts
    assert [f.began for f in facts if f.name == "potassium"] == [(-3, -3)]


@pytest.mark.parametrize(
    "head", ["Last clinic visit 07/19/2024", "Surgery note: operation 07/19/2024", "See 07/19/2024"]
)
def test_other_dates_are_not_the_notes_day(head: str, nlp: Language) -> None:
    facts = nlp(f"{head}\nPotassium 3.1 on 07/16/2024.")._.facts
    assert [f.began for f in facts if f.name == "potassium"] == [None]


def test_a_date_without_year_just_after_the_note_is_not_of_last_year(nlp: Language) -> None:
    facts = nlp("Progress note 2024-03-19\nPotassium 3.1 on 3/21. WBC 9 on 3/18.")._.facts
    assert [(f.name, f.began) for f in facts] == [("potassium", None), ("leukocytes", (-1, -1))]


@pytest.mark.parametrize(
    ("text", "name", "days"),
    [
        ("Meropenem 1 g q8h, day 5/14.", "meropenem", (-4, -4)),
        ("Three days of worsening shortness of breath.", "shortness of breath", (-3, -3)),
        ("Lung cancer, PD-L1 60%, diagnosed 07/18/2024.", "lung cancer", (-1, -1)),
        ("Nivolumab since\n4 July 2024.", "nivolumab", (-15, -15)),
    ],
)
def test_what_stands_between_a_fact_and_its_time(
    text: str, name: str, days: tuple[float, float], nlp: Language
) -> None:
    facts = nlp(f"Progress note 2024-07-19\n{text}")._.facts
    assert [f.began for f in facts if f.name == name] == [days]


def test_a_bare_year_behind_a_verb_is_a_date(nlp: Language) -> None:
    facts = nlp("Progress note 2024-07-19\nLithium (stopped 2018).")._.facts
    assert [f.ended for f in facts] == [(-2391.0, -2027.0)]
