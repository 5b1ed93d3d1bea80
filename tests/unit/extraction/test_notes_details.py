"""What stands beside a name and makes it another: stage, serology, site, rate and count of a dose."""

from __future__ import annotations

import pytest
from spacy.language import Language

from extraction.notes import load_pipeline
from extraction.notes.codes import SURE
from extraction.notes.facts import Fact


@pytest.fixture(scope="module")
def nlp() -> Language:
    return load_pipeline("fast")


def found(nlp: Language, text: str, kind: str) -> list[Fact]:
    return [f for f in nlp(text)._.facts if f.type == kind]


def icd(fact: Fact) -> list[tuple[str, float]]:
    return [(c.code, c.score) for c in fact.codes if c.system == "ICD-10-CM"]


@pytest.mark.parametrize(
    ("text", "dose", "unit", "frequency"),
    [
        ("albuterol 2 puffs q4h", 2, "{puff}", "every_4_hours"),
        ("Fluticasone two sprays daily.", 2, "{spray}", "daily"),
        ("Latanoprost 1 drop in each eye at bedtime", 1, "[drp]", "at_bedtime"),
        ("Fentanyl 25 mcg/hr q72h.", 25, "ug/h", "every_72_hours"),
        ("norepinephrine 0.1 mcg/kg/min", 0.1, "ug/kg/min", None),
        ("Heparin at 12 units/kg/hr", 12, "[iU]/kg/h", None),
        ("metformin 500 mg 2 tablets BID", 500, "mg", "twice_daily"),
        ("Methotrexate 15 mg, 1/2 tablet dropped", 15, "mg", None),
        ("pembrolizumab 200 mg q3w", 200, "mg", "every_3_weeks"),
    ],
)
def test_a_dose_is_counted_or_told_by_time(
    nlp: Language, text: str, dose: float, unit: str, frequency: str | None
) -> None:
    (drug,) = found(nlp, text, "medication")
    assert (drug.dose, drug.dose_unit, drug.frequency) == (dose, unit, frequency)


@pytest.mark.parametrize(
    ("text", "frequency", "needed"),
    [
        ("oxycodone 5 mg q6h prn", "every_6_hours", True),
        ("Ondansetron 4 mg PRN q8h", "every_8_hours", True),
        ("ibuprofen 400 mg PRN", "as_needed", True),
        ("ibuprofen 400 mg TID", "three_times_daily", None),
    ],
)
def test_as_needed_stands_beside_a_frequency(
    nlp: Language, text: str, frequency: str, needed: bool | None
) -> None:
    (drug,) = found(nlp, text, "medication")
    assert (drug.frequency, drug.as_needed) == (frequency, needed)


@pytest.mark.parametrize(
    ("text", "age", "sex"), [("75F with HTN.", 75, "female"), ("34M, chest pain.", 34, "male")]
)
def test_a_joined_letter_is_the_sex(nlp: Language, text: str, age: float, sex: str) -> None:
    assert [f.value for f in found(nlp, text, "age")] == [age]
    assert [f.name for f in found(nlp, text, "sex")] == [sex]


def test_fahrenheit_is_no_sex(nlp: Language) -> None:
    facts = nlp("Temp 101F, T 98.6F. Fever to 101F.")._.facts
    assert not [f for f in facts if f.type in ("age", "sex")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("CKD stage 3, stable.", "N18.30"),
        ("CKD 3a.", "N18.31"),
        ("Chronic kidney disease (stage 3b).", "N18.32"),
        ("CKD IIIb on lisinopril.", "N18.32"),
        ("Stage IV CKD.", "N18.4"),
        ("CKD5 with anemia.", "N18.5"),
        ("CKD for 3 years.", "N18.9"),
        ("CKD, 3 stents.", "N18.9"),
        ("CKD 2/2 diabetes.", "N18.9"),
        ("Seropositive RA.", "M05.9"),
        ("RF positive rheumatoid arthritis.", "M05.9"),
        ("Seronegative RA.", "M06.00"),
        ("Rheumatoid arthritis.", "M06.9"),
        ("Lumbar disc herniation.", "M51.26"),
        ("Herniated disc at L4-5.", "M51.26"),
        ("Cervical disc herniation.", "M50.20"),
        ("Intra-abdominal abscess.", "K65.1"),
        ("Psoas abscess drained.", "K68.12"),
    ],
)
def test_the_first_code_goes_by_what_is_told(nlp: Language, text: str, code: str) -> None:
    fact = found(nlp, text, "condition")[0]
    assert icd(fact)[0][0] == code


@pytest.mark.parametrize("text", ["Abscess seen.", "Disc herniation.", "Penicillin given."])
def test_a_name_of_several_things_has_no_sure_code(nlp: Language, text: str) -> None:
    (fact,) = nlp(text)._.facts
    systems = ("ICD-10-CM", "DrugBank")
    assert fact.codes
    assert all(c.score < SURE for c in fact.codes if c.system in systems)
