from __future__ import annotations

from hashlib import sha256
from math import nan

import pytest

from extraction.notes import Note, extract, to_cohort
from extraction.notes.harmonise import harmonised, quantities
from extraction.notes.lexicon import keyed, read_lines
from extraction.records import CohortSchema, InputError, Variable
from extraction.records.units import is_ucum


def note(text: str, note_id: str = "n1", day: float = 0.0, subject: str = "P1") -> Note:
    return Note(note_id, "S", subject, day, "visit", text)


TEXT = (
    "A 70-year-old woman. Temp 98.6 F, creatinine 1.0 mg/dL, Na 140. Prior weight 80 kg. "
    "Denies chest pain. Aricept 10 mg daily. Mother had stroke. Troponin I <0.02 ng/mL."
)


def test_values_are_harmonised_and_traceable() -> None:
    report: dict[str, int] = {}
    cohort = to_cohort(extract([note(TEXT)]), report=report)
    rows = cohort.observations.set_index("variable")
    assert rows["value"].to_dict() == pytest.approx(
        {"temperature": 37.0, "creatinine": 88.4017, "troponin_i": 20.0}, rel=1e-5
    )
    assert rows.loc["troponin_i", "status"] == "below_limit"
    assert report == {"left out: no unit is written": 1, "left out: of an unknown earlier day": 1}
    sources = cohort.sources.set_index("source_id")
    place = sources.loc[rows.loc["temperature", "source_id"]]
    assert TEXT[int(place["start"]) : int(place["stop"])] == "98.6"
    assert place["sha256"] == sha256(TEXT.encode()).hexdigest()
    assert set(sources["kind"]) == {"note"}


def test_episodes_carry_their_assertion() -> None:
    cohort = to_cohort(extract([note(TEXT)]))
    rows = cohort.episodes.set_index("term")
    assert rows["assertion"].to_dict() == {
        "chest pain": "absent",
        "donepezil": "present",
        "stroke": "family",
    }
    assert rows.loc["donepezil", ["dose", "dose_unit", "frequency"]].tolist() == [
        10,
        "mg",
        "daily",
    ]
    assert rows.loc["chest pain", "code"] == "trialtwin|symptom"


def test_sex_by_majority_age_of_the_first_note_contradictions_counted() -> None:
    notes = [
        note("70-year-old man.", "a", 0),
        note("70-year-old woman.", "b", 30),
        note("82-year-old woman.", "c", 60),
    ]
    report: dict[str, int] = {}
    cohort = to_cohort(extract(reversed(notes)), report=report)
    assert cohort.subjects[["age", "sex"]].to_numpy().tolist() == [[70.0, "female"]]
    assert report["contradictions: sex"] == report["contradictions: age"] == 1


def test_a_given_schema_names_and_units_count() -> None:
    schema = CohortSchema(
        study_id="S",
        variables=(
            Variable(name="SEX", kind="binary", categories=("F", "M")),
            Variable(name="TEMP", kind="continuous", role="longitudinal", unit="[degF]"),
        ),
    )
    cohort = to_cohort(extract([note("A woman. Temp 37 C, pulse 70.")]), schema)
    assert cohort.subjects["SEX"].tolist() == ["F"]
    assert cohort.observations["value"].tolist() == pytest.approx([98.6])


def test_a_repeated_episode_stands_once_and_an_undated_value_nowhere() -> None:
    notes = [note("On Aricept. Pulse 60.", "a", nan), note("On Aricept.", "b", 5.0)]
    cohort = to_cohort(extract(notes))
    assert cohort.episodes["start_high"].tolist() == [5.0]
    assert len(cohort.observations) == 0


def test_rendered_notes_say_so() -> None:
    rendered = Note("n", "S", "P", 0.0, "visit", "Pulse 60.", rendered=True)
    (action,) = to_cohort(extract([rendered])).sources["action"]
    assert "rendered" in action


def test_no_note_and_clashing_ids_are_refused() -> None:
    with pytest.raises(InputError, match="there is no note"):
        to_cohort([])
    with pytest.raises(InputError, match="1 note id"):
        to_cohort(extract([note("On Aricept."), note("On Namenda.")]))


def test_every_quantity_is_stored_in_a_ucum_unit_and_every_measured_name_is_a_quantity() -> None:
    assert [q.name for q in quantities().values() if not is_ucum(q.unit)] == []
    heads = {head.split(" ")[1] for head, _ in keyed(read_lines("measurements.txt"))}
    assert heads - set(quantities()) == {"blood_pressure", "x"}


@pytest.mark.parametrize(
    ("name", "value", "unit", "wanted", "expected"),
    [
        # Conventional factors, AMA Manual of Style, 11th ed., table 17.5-1.
        ("glucose", 100.0, "mg/dL", "mmol/L", 5.55),
        ("cholesterol", 200.0, "mg/dL", "mmol/L", 5.17),
        ("bilirubin", 1.0, "mg/dL", "umol/L", 17.1),
        ("calcium", 10.0, "mg/dL", "mmol/L", 2.5),
        ("urea_nitrogen", 14.0, "mg/dL", "mmol/L", 5.0),
    ],
)
def test_conversions_agree_with_the_conventional_factors(
    name: str, value: float, unit: str, wanted: str, expected: float
) -> None:
    assert harmonised(name, value, unit, wanted) == pytest.approx(expected, rel=5e-3)
