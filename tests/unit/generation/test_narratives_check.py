from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from extraction.notes.facts import Fact
from extraction.notes.note import Note
from extraction.records import Cohort, CohortSchema, Variable
from generation.narratives import contradictions, write_notes


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    schema = CohortSchema(
        study_id="TEST",
        variables=(
            Variable(name="AGE", kind="continuous", unit="a"),
            Variable(name="SEX", kind="binary", categories=("F", "M")),
            Variable(name="TEMP", kind="continuous", role="longitudinal", unit="Cel"),
        ),
    )
    subjects = pd.DataFrame({"subject_id": ["P1"], "AGE": [70.0], "SEX": ["F"]})
    observations = pd.DataFrame(
        {
            "subject_id": "P1",
            "day": [0.0, 28.0],
            "variable": "TEMP",
            "value": [36.6, np.nan],
            "unit": "Cel",
            "status": ["observed", "not_done"],
        }
    )
    episodes = pd.DataFrame(
        {
            "subject_id": "P1",
            "kind": ["condition", "adverse_event"],
            "term": ["HYPERTENSION", "RASH"],
            "start": [np.nan, 10.0],
            "severity": [None, "mild"],
            "assertion": ["present", "present"],
        }
    )
    return Cohort.build(schema, subjects, observations, episodes=episodes)


PLANTED: list[tuple[str, dict[str, Any], str]] = [
    ("age", {"value": 71.0}, "value"),
    ("sex", {"name": "male"}, "value"),
    ("vital", {"value": 39.0}, "value"),
    ("vital", {"unit": "kg"}, "value"),
    ("vital", {"name": "pulse"}, "unknown"),
    ("condition", {"name": "gout"}, "unknown"),
    ("condition", {"assertion": "absent"}, "assertion"),
    ("condition", {"assertion": "family"}, "assertion"),
    ("adverse_event", {"severity": "severe"}, "attributes"),
    ("adverse_event", {"start": 0, "stop": 3}, "span"),
]


@pytest.mark.parametrize(("kind", "change", "reason"), PLANTED)
def test_a_planted_contradiction_is_found(
    cohort: Cohort, kind: str, change: dict[str, Any], reason: str
) -> None:
    notes = write_notes(cohort)
    stated = [
        (note, [replace(f, **change) if f.type == kind else f for f in note.facts])
        for note in notes
    ]
    found = contradictions(stated, cohort)
    assert [(c.type, c.reason) for c in found] == [(kind, reason)]


def test_an_event_told_before_its_onset_is_found(cohort: Cohort) -> None:
    note = Note("N1", "TEST", "P1", 5.0, "visit", "AE: rash.", rendered=True)
    fact = Fact("adverse_event", "rash", 4, 8, name="rash")
    (found,) = contradictions([(note, [fact])], cohort)
    assert found.reason == "before onset"
    assert (found.note_id, found.start, found.stop) == ("N1", 4, 8)


def test_a_value_that_was_not_taken_is_not_told(cohort: Cohort) -> None:
    assert [note.day for note in write_notes(cohort) if note.kind != "adverse_event"] == [0.0]
