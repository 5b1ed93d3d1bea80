"""Flags, oxygen, parts of numbers, chains of values, markers, and the further measurements."""

from __future__ import annotations

import pytest
from spacy.language import Language

from extraction.notes import load_pipeline
from extraction.notes.facts import Fact


@pytest.fixture(scope="module")
def nlp() -> Language:
    return load_pipeline("fast", codes=False)


def measured(nlp: Language, text: str) -> list[Fact]:
    facts = (f for f in nlp(text)._.facts if f.type in ("vital", "laboratory"))
    return [f for f in facts if f.value is not None]


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("WBC 15.2 H", "H"),
        ("Plt 90 L", "L"),
        ("Sodium 151 HH", "H"),
        ("WBC 15.2 K/uL (4.0-11.0) H", "H"),
        ("Hgb 9.1 g/dL [12-16] (L)", "L"),
        ("B12 140 (low).", "L"),
        ("Potassium 6.1 mmol/L (high), glucose normal", "H"),
        ("WBC 15.2, high fever", None),
        ("FVC 2.9 L", None),
    ],
)
def test_flags(text: str, flag: str | None, nlp: Language) -> None:
    (fact,) = measured(nlp, text)
    assert fact.flag == flag


@pytest.mark.parametrize(
    ("text", "name", "value", "unit"),
    [
        ("Home O2 2 L via cannula.", "oxygen_flow", 2, "L/min"),
        ("O2 3 L/min.", "oxygen_flow", 3, "L/min"),
        ("O2 94% on RA.", "oxygen_saturation", 94, "%"),
        ("Lactate 3.1 mmol/L", "lactate", 3.1, "mmol/L"),
        ("CEA 12.3 ng/mL", "carcinoembryonic_antigen", 12.3, "ng/mL"),
        ("CA-125 of 340 U/mL", "ca_125", 340, "U/mL"),
        ("PSA 6.2 ng/mL", "prostate_specific_antigen", 6.2, "ng/mL"),
        ("ESR 45 mm/hr", "erythrocyte_sedimentation_rate", 45, "mm/h"),
        ("LVEF 35%", "ejection_fraction", 35, "%"),
        ("EF of 35", "ejection_fraction", 35, "%"),
        ("QTc 480 ms", "qtc_interval", 480, "ms"),
        ("ABG: pH 7.28", "blood_ph", 7.28, None),
        ("PaO2 60 mmHg", "partial_pressure_of_oxygen", 60, "mm[Hg]"),
        ("PaCO2 6.1 kPa", "partial_pressure_of_carbon_dioxide", 6.1, "kPa"),
        ("FiO2 40%", "inspired_oxygen", 40, "%"),
        ("FEV1 1.8 L", "fev1", 1.8, "L"),
        ("FEV1 55% predicted", "fev1_percent_predicted", 55, "%"),
        ("FVC 2.9 L", "fvc", 2.9, "L"),
        ("MAP 62", "mean_arterial_pressure", 62, "mm[Hg]"),
        ("FHR 140s", "fetal_heart_rate", 140, "/min"),
        ("Procalcitonin 2.4 ng/mL", "procalcitonin", 2.4, "ng/mL"),
        ("Ferritin 8 ng/mL", "ferritin", 8, "ng/mL"),
        ("Vitamin D 18 ng/mL", "vitamin_d", 18, "ng/mL"),
        ("D-dimer 2.3 ug/mL FEU", "d_dimer", 2.3, "ug/mL{FEU}"),
        ("Lipase 900 U/L", "lipase", 900, "U/L"),
        ("Ammonia 80 umol/L", "ammonia", 80, "umol/L"),
        ("NT-proBNP 5400 pg/mL", "nt_probnp", 5400, "pg/mL"),
        ("Troponin T 0.04 ng/mL", "troponin_t", 0.04, "ng/mL"),
    ],
)
def test_further_measurements(
    text: str, name: str, value: float, unit: str | None, nlp: Language
) -> None:
    (fact,) = measured(nlp, text)
    assert (fact.name, fact.value, fact.unit) == (name, value, unit)


@pytest.mark.parametrize("text", ["UA: SG normal, pH 6.0.", "SpO2 2 L.", "MAP kinase.", "EF 2."])
def test_implausible_numbers_are_no_values(text: str, nlp: Language) -> None:
    assert measured(nlp, text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Creatinine rose from 1.4 to 2.1, then improved to 1.6 mg/dL.",
            [(1.4, "historical"), (2.1, "historical"), (1.6, "present")],
        ),
        (
            "Na 128, then 133, now 137.",
            [(128, "historical"), (133, "historical"), (137, "present")],
        ),
        ("A1c 6.1% (5.8% last year).", [(6.1, "present"), (5.8, "historical")]),
        ("Cr 1.8 (1.1 last month).", [(1.8, "present"), (1.1, "historical")]),
    ],
)
def test_a_later_value_makes_the_earlier_one_past(
    text: str, expected: list[tuple[float, str]], nlp: Language
) -> None:
    assert [(f.value, f.assertion) for f in measured(nlp, text)] == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("She smokes 1/2 ppd.", 0.5),
        ("Smokes 1 1/2 packs per day.", 1.5),
        ("He smokes half a pack per day.", 0.5),
        ("Smokes 2 ppd.", 2.0),
    ],
)
def test_parts_of_packs(text: str, value: float, nlp: Language) -> None:
    (fact,) = [f for f in nlp(text)._.facts if f.type == "smoking"]
    assert (fact.value, fact.unit) == (value, "{pack}/d")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PD-L1 TPS 60%.", (60, "%", None)),
        ("PD-L1 TPS <1%.", (1, "%", "<")),
        ("PD-L1 CPS 15.", (15, "{score}", None)),
        ("Ki-67 30%.", (30, "%", None)),
    ],
)
def test_how_much_of_a_marker(
    text: str, expected: tuple[float, str, str | None], nlp: Language
) -> None:
    (fact,) = [f for f in nlp(text)._.facts if f.type == "genomic_finding"]
    assert (fact.value, fact.unit, fact.comparator) == expected
