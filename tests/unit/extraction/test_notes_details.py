"""What stands beside a name: stage, serology, site, rate and count of a dose, upper end."""

from __future__ import annotations

import pytest
from spacy.language import Language

from extraction.notes import extract, load_pipeline, to_cohort
from extraction.notes.codes import SURE
from extraction.notes.facts import Fact
from extraction.notes.note import Note


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
        ("oxycodone 2 capsules daily", 2, "{capsule}", "daily"),
        ("metformin 500 mg with meals twice daily", 500, "mg", "twice_daily"),
        ("insulin lispro 6 units with meals", 6, "[iU]", "with_meals"),
        ("Takes aspirin, 81 daily", None, None, "daily"),
        ("aspirin 81 daily", 81, "mg", "daily"),
        ("Given aspirin 81-year-old man", None, None, None),
    ],
)
def test_a_dose_is_counted_or_told_by_time(
    nlp: Language, text: str, dose: float | None, unit: str | None, frequency: str | None
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


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("EF 55-60%.", 55, 60),
        ("LVEF of 35-40 %", 35, 40),
        ("EF 45%", 45, None),
        ("FHR 140-150", 140, 150),
    ],
)
def test_a_measured_range_has_both_ends(
    nlp: Language, text: str, low: float, high: float | None
) -> None:
    (fact,) = found(nlp, text, "vital")
    assert (fact.value, fact.upper) == (low, high)


@pytest.mark.parametrize("text", [
    "K 3.5-5.1.", "SpO2 goal 88-92%.", "Target INR 2-3.", "Pulse (60-100).", "HR 555-1234.",
    "EF 2019-2020.", "Pulse 110-90.",
])  # fmt: skip
def test_a_range_of_reference_or_a_goal_is_no_value(nlp: Language, text: str) -> None:
    assert [f for f in nlp(text)._.facts if f.value is not None] == []


@pytest.mark.parametrize(
    "text",
    [
        "Creatinine rose from 1.4 to 2.1, then improved to 1.6 mg/dL.",
        "Creatinine rose from 1.4 to 2.1 and then improved to 1.6.",
        "Creatinine rose from 1.4 to 2.1, down to 1.6 today.",
    ],
)
def test_the_last_of_three_values_is_of_now(nlp: Language, text: str) -> None:
    facts = found(nlp, text, "laboratory")
    assert [(f.value, f.assertion) for f in facts] == [
        (1.4, "historical"),
        (2.1, "historical"),
        (1.6, "present"),
    ]
    assert [f.trend for f in facts] == [None, "rising", "falling"]


def test_a_range_is_left_out_of_a_cohort() -> None:
    report: dict[str, int] = {}
    note = Note("n1", "S", "1", 0.0, "visit", "EF 55-60%. HR 72.")
    cohort = to_cohort(extract([note]), report=report)
    assert cohort.observations["variable"].tolist() == ["pulse"]
    assert report["left out: a range, not one value"] == 1


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("LFTs normal.", "liver_tests"),
        ("Lipase wnl.", "lipase"),
        ("CBC unremarkable.", "blood_count"),
        ("Electrolytes are within normal limits.", "electrolytes"),
        ("Denies fever, TSH normal.", "thyrotropin"),
    ],
)
def test_a_result_in_a_word(nlp: Language, text: str, name: str) -> None:
    (fact,) = found(nlp, text, "laboratory")
    assert (fact.name, fact.status, fact.value) == (name, "normal", None)
    assert fact.assertion == "present"


@pytest.mark.parametrize(
    "text", ["Normal saline given.", "LFTs not normal.", "Na chloride normal saline"]
)
def test_no_result_in_a_word(nlp: Language, text: str) -> None:
    assert [f for f in found(nlp, text, "laboratory") if f.status] == []
