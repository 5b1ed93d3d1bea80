"""Spellings with accents and short words of wards, and words that only look like terms."""

from __future__ import annotations

import pytest
from spacy.language import Language

from extraction.notes import load_pipeline


@pytest.fixture(scope="module")
def nlp() -> Language:
    return load_pipeline("fast", codes=False)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Ménière's disease.", ["meniere's disease"]),
        ("Sjögren syndrome.", ["sjogren's syndrome"]),
        ("Colon ca in father. Lung ca.", ["colon cancer", "lung cancer"]),
        ("C-section in 2010.", ["cesarean section"]),
        ("Lap appy tonight.", ["appendectomy"]),
        ("On CRRT, intubated.", ["continuous renal replacement therapy", "intubation"]),
        ("Extubated on norepi.", ["extubation", "norepinephrine"]),
        ("DEXA scan.", ["bone densitometry"]),
        ("Surgery consulted.", ["consultation"]),
        ("Hip surgery in 2010.", ["surgery"]),
        ("Discitis, liver hemangioma, guarding.", ["discitis", "hemangioma", "abdominal guarding"]),
        ("Denies N/V/D.", ["nausea vomiting and diarrhea"]),
        ("GOLD stage 3 COPD.", ["chronic obstructive pulmonary disease"]),
        ("Drinks 4-5 beers on weekends.", ["alcohol"]),
        ("Drinks coffee.", []),
    ],
)
def test_names(text: str, names: list[str], nlp: Language) -> None:
    assert [f.name for f in nlp(text)._.facts] == names


def test_a_tablet_of_aspirin_by_its_milligrams(nlp: Language) -> None:
    (fact,) = nlp("ASA 81 daily.")._.facts
    assert (fact.dose, fact.dose_unit, fact.frequency) == (81, "mg", "daily")
