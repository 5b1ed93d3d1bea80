"""Where measured values were heading, and the earlier values told beside them."""

from __future__ import annotations

from functools import cache

import pytest
from spacy.language import Language

from extraction.notes import Note, extract, load_pipeline, to_cohort
from extraction.notes.facts import Fact


@cache
def nlp() -> Language:
    return load_pipeline("fast")


def values(text: str) -> list[tuple[float | None, str, str | None]]:
    found: tuple[Fact, ...] = nlp()(text)._.facts
    return [(f.value, f.assertion, f.trend) for f in found if f.type in ("vital", "laboratory")]


@pytest.mark.parametrize(
    ("text", "value", "trend"),
    [
        ("Hemoglobin stable at 9.", 9, "stable"),
        ("Potassium 3.1, trending up.", 3.1, "rising"),
        ("Troponin 0.4, peaked, now downtrending.", 0.4, "falling"),
        ("Platelets dropped to 50.", 50, "falling"),
        ("Rising creatinine 2.4.", 2.4, "rising"),
        ("Creatinine 1.1, back to normal.", 1.1, "normalised"),
        ("Sodium normalized to 138.", 138, "normalised"),
        ("Creatinine 1.1.", 1.1, None),
        ("Potassium 5.6, decreased lisinopril.", 5.6, None),
        ("Potassium 5.6; creatinine pending, blood pressure up.", 5.6, None),
        ("Creatinine 1.4 from 3/4/2021.", 1.4, None),
        ("SpO2 94% (>90).", 94, None),
        ("Platelets 90 (> 150 normal).", 90, None),
        ("Potassium stable 3.5 to 4.0.", 3.5, "stable"),
        ("Glucose 250 from 0800.", 250, None),
    ],
)
def test_a_value_has_its_trend(text: str, value: float, trend: str | None) -> None:
    assert values(text) == [(value, "present", trend)]


@pytest.mark.parametrize(
    ("text", "earlier", "now", "trend"),
    [
        ("Creatinine rose to 2.1 from 1.4.", 1.4, 2.1, "rising"),
        ("Creatinine rose from 1.4 to 2.1 mg/dL.", 1.4, 2.1, "rising"),
        ("Creatinine increased 1.4 to 2.1.", 1.4, 2.1, "rising"),
        ("SpO2 improved from 88% to 94% on 2 L.", 88, 94, "rising"),
        ("WBC down to 9.2 from 14.", 14, 9.2, "falling"),
        ("WBC 14 -> 9.2.", 14, 9.2, "falling"),
        ("WBC 14 → 9.2 K/uL.", 14, 9.2, "falling"),
        ("Bilirubin normalised at 0.8 from 3.", 3, 0.8, "normalised"),
    ],
)
def test_the_earlier_value_is_a_fact_of_the_past(
    text: str, earlier: float, now: float, trend: str
) -> None:
    expected = {(earlier, "historical", None), (now, "present", trend)}
    assert set(values(text)) == expected


def test_both_numbers_of_a_pressure_have_a_trend() -> None:
    assert values("BP improved to 130/80 from 160/95.") == [
        (130, "present", "falling"),
        (80, "present", "falling"),
        (160, "historical", None),
        (95, "historical", None),
    ]


def test_an_earlier_value_counts_on_its_own_day() -> None:
    text = "Hgb 9.1 g/dL (down from 10.2 g/dL yesterday). Creatinine 2.1 mg/dL, up from 1.4 mg/dL."
    cohort = to_cohort(extract([Note("n", "S", "P", 10.0, "visit", text)]))
    rows = cohort.observations.sort_values(["variable", "day"])
    assert rows["variable"].tolist() == ["creatinine", "haemoglobin", "haemoglobin"]
    assert rows["day"].tolist() == [10, 9, 10]
