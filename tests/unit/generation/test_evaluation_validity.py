"""Impossible patients are found, each kind by its name."""

from __future__ import annotations

import pytest

from extraction.records import Cohort
from generation.evaluation.validity import FAULTS, impossible_rows, validity
from tests.support.evaluation_support import cohort, schema
from tests.support.generation_support import constrained_trial

PLANTED = {
    "negative_time": ("events", "day", -1.0),
    "after_follow_up": ("observations", "day", 9_999.0),
    "event_after_follow_up": ("events", "day", 9_999.0),
    "out_of_range": ("subjects", "AGE", 400.0),
    "unknown_category": ("subjects", "STAGE", "9"),
    "unknown_endpoint": ("events", "endpoint", "birth"),
}


def found(data, changes=None):
    frames = {name: getattr(data, name).copy() for name in ("subjects", "observations", "events")}
    if changes is not None:
        name, column, value = changes
        row = frames[name].index[0]
        if name == "events":
            row = frames[name].index[frames[name]["observed"].astype(bool)][0]
        frames[name].loc[row, column] = value
    return impossible_rows(schema(), **frames)


def test_a_sound_cohort_has_none():
    assert found(cohort(40, 0)).empty


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(fault):
    result = found(cohort(40, 0), PLANTED[fault])
    assert result["fault"].tolist() == [fault]


def test_a_broken_constraint_is_found():
    assert set(FAULTS) == {*PLANTED, "constraint"}
    data = constrained_trial(60, seed=2)
    broken = data.subjects.assign(SBP=data.subjects["DBP"] - 1)
    worse = Cohort.build(data.schema.replace(constraints=()), broken, data.observations)
    rules = tuple(r for r in data.schema.constraints if r.kind == "order")
    metric = validity([worse], data.with_schema(data.schema.replace(constraints=rules)))
    assert metric.details["kinds"] == {"constraint": 60}


def test_none_found_gives_an_upper_bound():
    metric = validity([cohort(60, 1, "S")], cohort(60, 2))
    assert metric.value == 0
    assert metric.details["upper"] == pytest.approx(3 / 60)
    assert (metric.low, metric.high) == (0.0, pytest.approx(3 / 60))
    assert metric.verdict == "within real-against-real"
