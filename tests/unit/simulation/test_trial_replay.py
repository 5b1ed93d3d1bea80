"""A replicate replayed alone is the one of the big run, patient by patient."""

from typing import Any

import numpy as np
import pytest

from extraction.records import InputError
from simulation.trial import ParametricPopulation, TrialDesign, simulate
from simulation.trial.replay import Replay, replay

ARMS = [{"name": "P", "control": True}, {"name": "A"}]
PEOPLE = ParametricPopulation(
    covariates=[
        {"kind": "normal", "name": "age", "mean": 60, "sd": 10},
        {"kind": "category", "name": "sex", "categories": ["F", "M"], "shares": [0.5, 0.5]},
    ],
    outcomes={
        "OS": {"kind": "time_to_event", "median": 10},
        "y": {"kind": "continuous", "visit_correlation": 0.5},
        "response": {"kind": "binary", "probability": 0.3},
        "falls": {"kind": "count", "rate": 0.2},
    },
)
SURVIVAL: dict[str, Any] = {
    "arms": ARMS,
    "n": 60,
    "time_unit": "month",
    "strata": ["sex"],
    "eligibility": {"age": [50, 70]},
    "enrolment": {"ramp": [{"start": 0, "rate": 8}]},
    "endpoints": [
        {"kind": "time_to_event", "name": "OS"},
        {"kind": "continuous", "name": "y", "visits": [2, 6]},
        {"kind": "count", "name": "falls", "follow_up": 5},
    ],
    "dropout": {"kind": "hazard", "rate": 0.02},
    "rule": {"kind": "group_sequential", "looks": {"by": "events", "at": [15, 30]}},
    "scenarios": [
        {"name": "works", "effects": [{"arm": "A", "endpoint": "OS", "hazard_ratio": 0.4}]}
    ],
}
ADAPTIVE: dict[str, Any] = {
    "arms": [*ARMS, {"name": "B"}],
    "n": 90,
    "endpoints": [{"kind": "binary", "name": "response", "visit": 1}],
    "enrolment": {
        "sites": [{"name": "one", "rate": 5.0}, {"name": "two", "rate": 3.0, "opens": 2.0}]
    },
    "rule": {
        "kind": "response_adaptive",
        "superiority": 0.95,
        "looks": {"by": "patients", "at": [30, 60, 90]},
    },
    "scenarios": [
        {"name": "B", "effects": [{"arm": "B", "endpoint": "response", "odds_ratio": 4}]}
    ],
}


@pytest.mark.parametrize("plan", [SURVIVAL, ADAPTIVE], ids=["survival", "adaptive"])
@pytest.mark.parametrize("number", [0, 17, 39])
def test_a_replicate_alone_is_its_row_of_the_big_run(plan: dict[str, Any], number: int) -> None:
    design = TrialDesign.parse(plan)
    whole = simulate(design, PEOPLE, 40, seed=5, chunk_size=40)
    for place, truth in enumerate(design.truths):
        alone = replay(design, PEOPLE, 5, number, truth.name)
        for name, values in whole.table.items():
            assert np.array_equal(
                np.asarray(alone.row[name]), values[number, place], equal_nan=True
            ), name
        assert len(alone.patients) == alone.row["n"]
        assert alone.looks["look"].max() == alone.row["stage"] + 1
        assert not alone.looks["goes_on"].iloc[-1]


def _survival(number: int = 3) -> Replay:
    return replay(TrialDesign.parse(SURVIVAL), PEOPLE, 5, number)


def test_patients_tell_what_each_look_counted() -> None:
    found = _survival()
    people, last = found.patients, found.looks.iloc[-1]
    assert {"entry", "arm", "stratum", "age", "sex", "leaves", "OS"} <= set(people)
    assert people["age"].between(50, 70).all() and set(people["sex"]) <= {"F", "M"}
    assert people["entry"].is_monotonic_increasing and (people["entry"] < last["time"]).all()
    look = f"look {int(last['look'])}: OS"
    assert people[f"{look} event"].sum() == last["information"]
    seen = people[people[f"{look} event"] == 1]
    assert np.allclose(seen[f"{look} time"], seen["OS"])


def test_visits_have_a_column_each_and_stop_at_leaving() -> None:
    people = _survival().patients
    gone = people["leaves"] < 2
    assert people.loc[gone, "look 1: y at 2"].isna().all()
    assert people["y at 6"].notna().all()


def test_the_first_scenario_given_is_meant_where_none_is_named() -> None:
    assert _survival().scenario == "works" and "replicate 3 under works" in _survival().told


def test_what_cannot_be_replayed_is_refused_with_all_faults() -> None:
    with pytest.raises(InputError) as caught:
        replay(TrialDesign.parse(SURVIVAL), PEOPLE, 5, -1, "wroks")
    assert len(caught.value.faults) == 2 and "did you mean works" in str(caught.value)


def test_a_number_beyond_all_replicates_is_refused() -> None:
    with pytest.raises(InputError, match="counted from 0, below 4294967296"):
        replay(TrialDesign.parse(SURVIVAL), PEOPLE, 5, 2**32)


def test_sites_have_their_names_and_times_their_unit() -> None:
    found = replay(TrialDesign.parse(ADAPTIVE | {"time_unit": "week"}), PEOPLE, 1)
    assert set(found.patients["site"]) == {"one", "two"}
    assert " weeks with " in found.told
    early = found.patients["entry"] < 2.0  # the second site is not open yet
    assert set(found.patients.loc[early, "site"]) == {"one"}
