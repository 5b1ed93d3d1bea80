"""What a guess of a schema says about itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, InputError
from extraction.records.guess import propose_schema


def test_a_guess_says_what_it_left_out_and_which_arm_it_took():
    frame = pd.DataFrame(
        {
            "patient": [f"p{i}" for i in range(40)],
            "visit": ["2024-01-05", "2024-02-09"] * 20,
            "entered": pd.to_datetime(["2024-01-05", "2024-02-09", "2024-03-01", None] * 10),
            "seen": [f"{1 + i % 9}/{1 + i % 12}/2024" for i in range(40)],
            "remark": [f"seen by {i % 20}" for i in range(40)],
            "empty": [None] * 40,
            "site": ["101-01", "102-02", "103-07", "104-03"] * 10,
            "treatment": ["Drug", "Sham control"] * 20,
        }
    )
    schema, notes = propose_schema(frame, arm="treatment")
    assert [v.name for v in schema.variables] == ["patient", "site", "treatment"]
    told = {note.split()[1]: note for note in notes}
    assert "taken for the subjects' identifier" in told["patient"]
    assert all("dates" in told[name] for name in ("visit", "entered", "seen"))
    assert "20 different words" in told["remark"] and "empty" in told["empty"]
    assert "Sham control is taken for the control arm" in notes[-1]
    assert not any("seen by" in note or "2024" in note for note in notes)


@pytest.mark.parametrize("name", ["id", "USUBJID", "subject_id", "patient", "Patient No"])
def test_a_number_called_so_is_the_subject_and_no_covariate(name):
    frame = pd.DataFrame({"remark": [f"text {i}" for i in range(40)], name: range(40)})
    schema, notes = propose_schema(frame.assign(weight=np.linspace(50, 90, 40)))
    assert [v.name for v in schema.variables] == [name, "weight"]
    assert notes[0] == f"column {name} is taken for the subjects' identifier"
    assert "remark" in notes[1]


@pytest.mark.parametrize(
    ("arms", "control"),
    [(("A", "B"), None), (("Placebo im", "Placebo po"), None), (("0", "1"), "0"), (("A",), "A")],
)
def test_a_guess_takes_no_control_arm_that_is_not_called_so(arms, control):
    frame = pd.DataFrame({"arm": list(arms) * 6, "x": np.linspace(0, 1, 6 * len(arms))})
    schema, notes = propose_schema(frame, arm="arm")
    assert schema.control_arm == control
    assert bool(notes) == (len(arms) > 1)


@pytest.mark.parametrize("name", ["pid", "rownames", "Unnamed: 0"])
def test_row_names_are_no_covariate(name):
    frame = pd.DataFrame({name: range(40), "weight": np.linspace(50, 90, 40)})
    assert propose_schema(frame).schema.variables[0].role == "identifier"


def test_row_numbers_beside_a_subject_are_left_out():
    frame = pd.DataFrame({"rownames": range(40), "patient": range(40)})
    schema, notes = propose_schema(frame.assign(weight=np.linspace(50, 90, 40)))
    assert [v.name for v in schema.variables] == ["patient", "weight"]
    assert notes[1] == "column rownames is left out: it numbers the rows"


@pytest.mark.parametrize("name", ["id", "Subject", "PATIENT_ID"])
def test_several_rows_a_patient_are_refused(name):
    frame = pd.DataFrame(
        {"rownames": range(40), name: [i // 2 for i in range(40)], "bmi": np.linspace(20, 30, 40)}
    )
    schema, notes = propose_schema(frame)
    assert notes[0] == f"column {name} repeats in 20 row(s): not one row a subject"
    with pytest.raises(InputError, match=f"column {name}: 20 row.* layout: visits"):
        Cohort.from_table(frame, schema)


def test_codes_without_one_for_censored_are_refused():
    frame = pd.DataFrame({"time": range(1, 7), "status": [1, 2, 3] * 2})
    with pytest.raises(InputError, match="none of them is 0"):
        propose_schema(frame, time="time", event="status")
    words = frame.assign(status=["A", "D"] * 3)
    assert "known to mean censored" in propose_schema(words, time="time", event="status").notes[-1]


def test_a_guess_doubts_columns_that_are_no_baseline():
    time = np.linspace(1, 400, 80).round()
    frame = pd.DataFrame(
        {
            "arm": ["A", "B"] * 40,
            "dose": [0, 2] * 40,
            "relapse": np.where(np.arange(80) % 3, time, 1),
            "time": time,
            "died": [0, 0, 1, 1] * 20,
            "age": np.arange(80),
        }
    )
    named = {"arm": "arm", "time": "time", "event": "died"}
    notes = propose_schema(frame, **named).notes
    assert [n.split()[1] for n in notes] == ["dose", "relapse", "control"]
    years = propose_schema(frame.assign(time=time / 365.25), **named).notes
    assert any("are these years?" in note for note in years)
