from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from extraction.notes.note import Note
from extraction.records import Cohort, CohortSchema, Variable
from generation.narratives import contradictions, write_notes
from generation.narratives.sections import spoken, study_day

LONGITUDINAL = {
    "SYSBP": "mm[Hg]",
    "DIABP": "mm[Hg]",
    "TEMP": "Cel",
    "WEIGHT": "kg",
    "GLUC": "mmol/L",
    "ALT": "U/L",
    "ADAS": "{score}",
    "UNHEARD_OF": "mg",
}


def schema() -> CohortSchema:
    longitudinal = [
        Variable(name=name, kind="continuous", role="longitudinal", unit=unit)
        for name, unit in LONGITUDINAL.items()
    ]
    static = [
        Variable(name="AGE", kind="continuous", unit="a"),
        Variable(name="SEX", kind="binary", categories=("F", "M")),
        Variable(name="MMSETOT", kind="count", unit="{score}"),
    ]
    return CohortSchema(study_id="TEST", variables=(*static, *longitudinal))


def episodes() -> pd.DataFrame:
    rows = [
        {"kind": "condition", "term": "ALZHEIMER'S DISEASE"},
        {"kind": "condition", "term": "PNEUMONIA", "assertion": "historical"},
        {"kind": "condition", "term": "DEMENTIA", "assertion": "family"},
        {"kind": "condition", "term": "STROKE", "assertion": "absent"},
        {"kind": "condition", "term": "GOUT", "assertion": "possible"},
        {
            "kind": "medication",
            "term": "DONEPEZIL",
            "start_high": -30.0,
            "dose": 10.0,
            "dose_unit": "mg",
            "route": "oral",
            "frequency": "QD",
        },
        {"kind": "medication", "term": "IBUPROFEN", "start": 20.0, "stop": 40.0},
        {"kind": "medication", "term": "LATE DRUG", "start": 90.0},
        {
            "kind": "adverse_event",
            "term": "PRURITUS",
            "start": 14.0,
            "stop": 30.0,
            "severity": "moderate",
            "related": "probable",
            "serious": False,
        },
        {"kind": "adverse_event", "term": "RASH", "start_low": 3.0, "start_high": 33.0},
        {"kind": "procedure", "term": "BIOPSY", "start": 10.0},
    ]
    return pd.DataFrame([{"subject_id": "P1", **row} for row in rows])


def observations(ids: list[str]) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    days = [-7.0, 0.0, 28.0, 56.0]
    low = {"SYSBP": 120, "DIABP": 70, "TEMP": 36, "WEIGHT": 60, "GLUC": 5, "ALT": 20, "ADAS": 24}
    frame = pd.DataFrame(
        [(i, d, v) for i in ids for d in days for v in LONGITUDINAL],
        columns=["subject_id", "day", "variable"],
    )
    base = frame["variable"].map(low).fillna(1.0)
    frame["value"] = (base + rng.random(len(frame)) * 2).round(2)
    frame["unit"] = frame["variable"].map(LONGITUDINAL)
    frame["visit"] = frame["day"].map({28.0: "Week 4", 56.0: "Week 8"})
    return frame


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    ids = ["P1", "P2", "P3"]
    subjects = pd.DataFrame(
        {
            "subject_id": ids,
            "AGE": [82.0, 71.0, np.nan],
            "SEX": ["F", "M", None],
            "MMSETOT": [21.0, 18.0, np.nan],
        }
    )
    return Cohort.build(schema(), subjects, observations(ids[:2]), episodes=episodes())


def stated(notes: list[Note]) -> list[tuple[Note, tuple[object, ...]]]:
    return [(note, note.facts) for note in notes]


def test_spans_index_the_text_exactly(cohort: Cohort) -> None:
    notes = write_notes(cohort)
    assert sum(len(note.facts) for note in notes) > 60
    for note in notes:
        starts = [fact.start for fact in note.facts]
        assert starts == sorted(starts)
        assert all(note.text[f.start : f.stop] == f.text for f in note.facts)


@pytest.mark.parametrize("seed", range(20))
def test_every_rendered_fact_is_in_the_record(cohort: Cohort, seed: int) -> None:
    assert contradictions(stated(write_notes(cohort, seed)), cohort) == []


def test_the_first_line_says_that_the_note_was_rendered(cohort: Cohort) -> None:
    for note in write_notes(cohort):
        assert note.rendered
        assert note.text.splitlines()[0].startswith("Rendered from the structured record")


def test_same_seed_same_words_other_seed_other_words(cohort: Cohort) -> None:
    first, again, other = (write_notes(cohort, seed) for seed in (3, 3, 4))
    assert first == again
    assert [n.text for n in first] != [n.text for n in other]


def test_notes_of_a_subject_do_not_depend_on_the_others(cohort: Cohort) -> None:
    alone = write_notes(cohort.select(["P2"]))
    together = [note for note in write_notes(cohort) if note.subject_id == "P2"]
    assert alone == together


def test_the_record_is_stated_in_full(cohort: Cohort) -> None:
    notes = [note for note in write_notes(cohort) if note.subject_id == "P1"]
    facts = [fact for note in notes for fact in note.facts]
    told = {(f.type, f.name, f.assertion) for f in facts}
    assert {
        ("age", "age", "present"),
        ("sex", "female", "present"),
        ("vital", "mmse_total", "present"),
        ("condition", "alzheimer's disease", "present"),
        ("condition", "pneumonia", "historical"),
        ("condition", "dementia", "family"),
        ("condition", "stroke", "absent"),
        ("condition", "gout", "possible"),
        ("medication", "donepezil", "present"),
        ("medication", "ibuprofen", "present"),
        ("medication", "ibuprofen", "historical"),
        ("medication", "late drug", "present"),
        ("adverse_event", "pruritus", "present"),
        ("adverse_event", "pruritus", "historical"),
        ("adverse_event", "rash", "present"),
    } <= told
    measured = [f for f in facts if f.type in ("vital", "laboratory") and f.name != "mmse_total"]
    assert len(measured) == 4 * 7


def test_medication_attributes_are_in_the_vocabulary(cohort: Cohort) -> None:
    facts = [f for note in write_notes(cohort) for f in note.facts if f.name == "donepezil"]
    assert [(f.dose, f.dose_unit, f.route, f.frequency) for f in facts] == [
        (10.0, "mg", "oral", "daily")
    ]


def test_nothing_is_told_before_it_was_known(cohort: Cohort) -> None:
    days = {
        (fact.name, fact.assertion): note.day
        for note in write_notes(cohort)
        for fact in note.facts
        if fact.type in ("medication", "adverse_event")
    }
    assert days["ibuprofen", "present"] == 28.0
    assert days["ibuprofen", "historical"] == 56.0
    assert days["late drug", "present"] == 90.0
    assert days["pruritus", "present"] == 14.0
    assert days["pruritus", "historical"] == 56.0
    assert days["rash", "present"] == 33.0


def test_an_event_of_uncertain_onset_is_told_without_a_day(cohort: Cohort) -> None:
    note = next(n for n in write_notes(cohort) if "rash" in n.text)
    sentence = next(line for line in note.text.splitlines() if "rash" in line)
    assert "not recorded" in sentence


def test_a_subject_without_any_value_has_an_admission_note_without_facts(cohort: Cohort) -> None:
    notes = [note for note in write_notes(cohort) if note.subject_id == "P3"]
    assert [(n.kind, n.day, n.facts) for n in notes] == [("admission", 0.0, ())]


def test_note_ids_are_unique_and_progress_ends_at_one(cohort: Cohort) -> None:
    seen: list[float] = []
    notes = write_notes(cohort, progress=lambda _, fraction: seen.append(fraction))
    assert len({note.note_id for note in notes}) == len(notes)
    assert seen == sorted(seen) and seen[-1] == 1.0


def test_an_empty_cohort_gives_no_notes(cohort: Cohort) -> None:
    assert write_notes(cohort.take(np.zeros(len(cohort), dtype=bool))) == []


def test_study_days_have_no_day_zero() -> None:
    assert [study_day(day) for day in (-1.0, -0.5, 0.0, 56.0)] == ["-1", "-1", "1", "57"]


def test_terms_are_written_small_but_names_keep_their_capital() -> None:
    assert spoken("PARKINSON'S DISEASE") == "Parkinson's disease"
    assert spoken("QT PROLONGED") == "QT prolonged"
    assert spoken("Mixed Case") == "Mixed Case"
