"""Invented sentences and the status of facts in them, by what had been read wrong."""

from __future__ import annotations

import pytest
from spacy.language import Language

from extraction.notes import load_pipeline

LISTS = [
    (
        "A man with a history of CHF, atrial fibrillation on apixaban, CKD stage 3 and type 2 "
        "diabetes.",
        "CHF historical; atrial fibrillation present; CKD historical; type 2 diabetes historical",
    ),
    (
        "She has a history of asthma, hypothyroidism on levothyroxine 50 mcg daily, gout and "
        "migraine.",
        "asthma historical; hypothyroidism present; gout historical; migraine historical",
    ),
    (
        "History of COPD on home oxygen, hypertension and gout.",
        "COPD present; hypertension historical; gout historical",
    ),
    ("History of gout on allopurinol, headache today.", "gout present; headache present"),
]
REASONS = [
    ("Metformin - STOPPED due to AKI.", "Metformin historical; AKI present"),
    ("Lisinopril was held because of hyperkalemia.", "Lisinopril historical; hyperkalemia present"),
    ("Stopped metoprolol due to dizziness.", "metoprolol historical; dizziness historical"),
]


@pytest.fixture(scope="module")
def nlp() -> Language:
    return load_pipeline("fast", codes=False)


@pytest.mark.parametrize(("text", "expected"), [*LISTS, *REASONS])
def test_facts_have_the_status_the_text_tells(text: str, expected: str, nlp: Language) -> None:
    found = {f.text: f.assertion for f in nlp(text)._.facts}
    wanted = dict(pair.rsplit(" ", 1) for pair in expected.split("; "))
    assert {span: found.get(span) for span in wanted} == wanted
