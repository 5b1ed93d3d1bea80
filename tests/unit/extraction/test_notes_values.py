"""Numbers and attributes: measurements with units, drugs with their own doses, ages and sexes."""

from __future__ import annotations

import pytest
from spacy.language import Language

from extraction.notes import load_pipeline
from extraction.notes.facts import Fact
from extraction.records import InputError


@pytest.fixture(scope="module")
def nlp() -> Language:
    return load_pipeline("fast")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BP 120 over 80.", [("systolic_blood_pressure", 120), ("diastolic_blood_pressure", 80)]),
        (
            "AST/ALT 34/40 U/L.",
            [("aspartate_aminotransferase", 34), ("alanine_aminotransferase", 40)],
        ),
        ("Hgb dropped from 12 to 9.", [("haemoglobin", 12), ("haemoglobin", 9)]),
        ("BP goal is <130/80.", []),
        ("Potassium (ref 3.5-5.1) 4.4.", [("potassium", 4.4)]),
        ("MMSE in 2012 was 24/30.", [("mmse_total", 24)]),
        ("Weight loss of 5 kg.", []),
        ("ALT 3x ULN.", []),
        ("Tylenol 500 mg 2 tablets.", []),
        ("Platelets 150,000 /mm3.", [("platelets", 150000)]),
        ("INR target 2-3.", []),
        ("On 2011-03-04 urine pH 6.0.", [("urine_ph", 6.0)]),
        ("Tumour staged T2 N0 M0.", []),
    ],
)
def test_numbers_belong_to_their_names(
    text: str, expected: list[tuple[str, float]], nlp: Language
) -> None:
    found = [f for f in nlp(text)._.facts if f.type in ("vital", "laboratory")]
    assert [(f.name, f.value) for f in found] == expected


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("Na 131 mEq/L", "meq/L"),
        ("GGT 95 IU/L", "U/L"),
        ("WBC 5.4 K/uL", "10*3/uL"),
        ("WBC 5.4 x10^9/L", "10*9/L"),
        ("Temp 98.6 F", "[degF]"),
        ("Height 64 in", "[in_i]"),
        ("Creatinine 1.0", None),
        ("Pulse 72", "/min"),
    ],
)
def test_units_are_ucum_as_written(text: str, unit: str | None, nlp: Language) -> None:
    (fact,) = nlp(text)._.facts
    assert fact.unit == unit


def test_comparator_and_flag(nlp: Language) -> None:
    low, high = nlp("Troponin I <0.01 ng/mL, glucose 182 mg/dL H.")._.facts
    assert (low.comparator, high.flag) == ("<", "H")


def drugs(nlp: Language, text: str) -> list[tuple[object, ...]]:
    return [
        (f.name, f.dose, f.dose_unit, f.route, f.frequency)
        for f in nlp(text)._.facts
        if f.type == "medication"
    ]


def test_each_drug_keeps_its_own_attributes(nlp: Language) -> None:
    text = "Aspirin 81 mg PO daily, metoprolol 25 mg BID, and 20 mg IV furosemide as needed."
    assert drugs(nlp, text) == [
        ("aspirin", 81, "mg", "oral", "daily"),
        ("metoprolol", 25, "mg", None, "twice_daily"),
        ("furosemide", 20, "mg", "intravenous", "as_needed"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sinemet 25/100 TID", ("carbidopa-levodopa", None, None, None, "three_times_daily")),
        (
            "Lantus 10 units subcut qhs",
            ("insulin glargine", 10, "[iU]", "subcutaneous", "at_bedtime"),
        ),
        ("Increase Zoloft from 50 mg to 100 mg daily", ("sertraline", 100, "mg", None, "daily")),
        ("Methotrexate every 2 weeks", ("methotrexate", None, None, None, "every_2_weeks")),
        ("KCl 20 mEq p.o. q24h", ("potassium", 20, "meq", "oral", "daily")),
    ],
)
def test_attributes_of_a_drug(text: str, expected: tuple[object, ...], nlp: Language) -> None:
    assert drugs(nlp, text) == [expected]


@pytest.mark.parametrize(
    ("text", "age", "sex"),
    [
        ("A 72-year-old woman.", "72-year-old", "female"),
        ("65yoM with gout.", "65yoM", None),
        ("63 y.o. F, married.", "63 y.o.", "female"),
        ("Mrs. Jones is 77.", "77", "female"),
        ("Age: 69\nSex: M", "69", "male"),
        ("Seventy-two-year-old man.", "Seventy-two-year-old", "male"),
        ("Her 50-year-old daughter is well.", None, None),
        ("Stroke at age 60.", None, None),
        ("Temp: 97 F", None, None),
    ],
)
def test_age_and_sex_of_the_patient(
    text: str, age: str | None, sex: str | None, nlp: Language
) -> None:
    facts: tuple[Fact, ...] = nlp(text)._.facts
    assert next((f.text for f in facts if f.type == "age"), None) == age
    assert next((f.name for f in facts if f.type == "sex"), None) == sex


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(InputError, match="preset 'swift' is not known; allowed: fast"):
        load_pipeline("swift")


def test_spans_are_offered_as_a_span_group(nlp: Language) -> None:
    doc = nlp("Denies chest pain; on Aricept.")
    assert [(s.text, s.label_) for s in doc.spans["facts"]] == [
        ("chest pain", "symptom"),
        ("Aricept", "medication"),
    ]
