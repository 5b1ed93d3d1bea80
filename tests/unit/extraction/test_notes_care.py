"""Events of care: which, of what kind, and of whom."""

from __future__ import annotations

import pytest
from spacy.language import Language

from extraction.notes import load_pipeline
from extraction.notes.facts import Fact


@pytest.fixture(scope="module")
def nlp() -> Language:
    return load_pipeline("fast", codes=False)


def care(nlp: Language, text: str) -> list[Fact]:
    return [f for f in nlp(text)._.facts if f.type == "care_event"]


@pytest.mark.parametrize(
    ("text", "name", "status", "assertion"),
    [
        ("She was admitted to the hospital with fever.", "admission", None, "present"),
        ("Recently hospitalized for DVT.", "admission", None, "present"),
        ("No hospitalizations.", "admission", None, "absent"),
        ("Plan: discharge home tomorrow.", "discharge", None, "planned"),
        ("Transferred to the floor.", "transfer", None, "present"),
        ("Will be admitted to the ICU.", "intensive_care", None, "planned"),
        ("Denies ED visits.", "emergency_visit", None, "absent"),
        ("Surgery consulted.", "consultation", "surgery", "present"),
        ("General surgery was consulted for SBO.", "consultation", "general_surgery", "present"),
        ("Code status: DNR/DNI.", "code_status", "dnr_dni", "present"),
        ("Pt was dc'd to rehab.", "discharge", None, "present"),
        ("She was admitted this morning.", "admission", None, "present"),
        ("Moved to the floor on day 2.", "transfer", None, "present"),
        ("Full code.", "code_status", "full_code", "present"),
        ("Enrolled in hospice.", "hospice", None, "present"),
        ("Her father died of MI at 60.", "death", None, "family"),
    ],
)
def test_an_event_of_care(
    nlp: Language, text: str, name: str, status: str | None, assertion: str
) -> None:
    (fact,) = care(nlp, text)
    assert (fact.name, fact.status, fact.assertion) == (name, status, assertion)


@pytest.mark.parametrize(
    "text",
    [
        "He admitted to drinking.",
        "Prior to admission he took metformin.",
        "The wound discharged pus.",
        "Admission Date: 03/02/2024",
        "Discharge medications: aspirin.",
        "Metformin was dc'd due to diarrhea.",
        "Foley dc'd this morning.",
        "He admitted drinking heavily.",
        "She admitted she had stopped lisinopril.",
        "Transferred from bed to chair with one assist.",
        "Embryo transferred.",
        "He slid and moved to the floor.",
        "The gun discharged.",
        "Discharged from the ear.",
        "Pneumonia in ICU patients is common.",
    ],
)
def test_no_event_of_care(nlp: Language, text: str) -> None:
    assert care(nlp, text) == []
