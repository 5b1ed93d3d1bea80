"""Events at the stop, and patients of each arm where arms adapt, by formulas and tables."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulation.analysis.sample_size_events import EventProcess, Piecewise, exponential
from simulation.kernels.survival import event_rows
from simulation.operating_characteristics.figures import asked_figure, figure_names, measured
from simulation.operating_characteristics.tables import long_table
from simulation.trial import ParametricPopulation, TrialDesign, simulate
from simulation.trial.design import NO_EFFECT
from simulation.trial.storage import ReplicateFile

PLAN: dict[str, Any] = {
    "time_unit": "month",
    "arms": [{"name": "C", "control": True}, {"name": "A", "allocation": 2}],
    "n": 300,
    "enrolment": {"duration": 12},
    "endpoints": [{"kind": "time_to_event", "name": "OS"}],
    "rule": {"kind": "group_sequential", "looks": {"by": "time", "at": [10, 30]}},
    "scenarios": [
        {"name": "works", "effects": [{"arm": "A", "endpoint": "OS", "hazard_ratio": 0.7}]}
    ],
}
PEOPLE = ParametricPopulation(outcomes={"OS": {"kind": "time_to_event", "median": 12}})
BOTH = ParametricPopulation(
    outcomes={
        "relapse": {"kind": "time_to_event", "hazard": 0.1},
        "death": {"kind": "time_to_event", "hazard": 0.05},
    }
)
DOSES: dict[str, Any] = {
    "arms": [{"name": "C", "control": True}, {"name": "low"}, {"name": "high"}],
    "n": 120,
    "endpoints": [{"kind": "continuous", "name": "y"}],
    "hypotheses": [{"endpoint": "y", "analysis": {"kind": "ancova"}}],
    "rule": {
        "kind": "multi_arm",
        "looks": {"at": [60, 120]},
        "selection": {"kind": "best"},
        "futility": [-3.0],
    },
    "scenarios": [
        {
            "name": "high works",
            "effects": [
                {"arm": "low", "endpoint": "y", "shift": -1.0},
                {"arm": "high", "endpoint": "y", "shift": 0.3},
            ],
        }
    ],
}
VALUES = ParametricPopulation(outcomes={"y": {"kind": "continuous", "mean": 0, "sd": 1}})


@pytest.mark.parametrize(("scenario", "ratio"), [(NO_EFFECT, 1.0), ("works", 0.7)])
def test_events_by_a_time_are_those_of_the_formula(scenario: str, ratio: float) -> None:
    plan = PLAN | {"rule": {"kind": "fixed", "looks": {"by": "time", "at": [24]}}}
    found = simulate(TrialDesign.parse(plan), PEOPLE, 600, seed=4).scenario(scenario)
    median = exponential(12.0)
    process = EventProcess(
        Piecewise.constant(1.0, 12.0), median, median.times(ratio), allocation=2 / 3
    )
    assert found.events is not None
    # Arrivals are a process whose rate is that of n over the duration; few trials have all by 24.
    wanted = float(process.with_patients(found.n.value).events(24.0))
    assert abs(found.events.value - wanted) < 4 * found.events.se + 0.01 * wanted


def test_looks_by_events_stop_with_as_many_as_they_wait_for() -> None:
    rule = {"kind": "group_sequential", "looks": {"by": "events", "at": [60, 120]}}
    design = TrialDesign.parse(PLAN | {"rule": rule})
    found = simulate(design, PEOPLE, 200, seed=1)
    table, works = found.table, found.scenario("works")
    assert np.array_equal(table["events"], np.array([60, 120])[table["stage"]])
    assert np.array_equal(table["events"], table["information"][:, :, 0])
    assert works.events is not None and works.events.value == table["events"][:, 1].mean()
    assert works.events == measured(design, table, "events", "works")
    asked = asked_figure(design, "events")
    assert (asked.label, asked.share) == ("events expected, OS", False)
    rows = long_table(found).query("scenario == 'works'").set_index("figure")
    assert (rows.loc["events", "value"], rows.loc["events", "se"]) == (
        works.events.value,
        works.events.se,
    )


def test_events_are_of_all_arms_and_leave_out_those_that_another_precludes() -> None:
    plan = PLAN | {
        "endpoints": [
            {"kind": "time_to_event", "name": "relapse", "competing": "death"},
            {"kind": "time_to_event", "name": "death"},
        ],
        "rule": {"kind": "fixed", "looks": {"by": "time", "at": [300]}},
        "scenarios": [],
    }
    found = simulate(TrialDesign.parse(plan), BOTH, 200, seed=2).scenarios[0]
    assert found.events is not None
    # After so long all have one of the two, of which relapse is two thirds.
    assert abs(found.events.value - found.n.value * 2 / 3) < 4 * found.events.se


def test_a_row_counts_what_came_while_it_was_followed() -> None:
    time = np.array([[1.0, 5.0, 2.0, 2.0, 2.0, 9.0, 1.0]])
    entry = np.array([[0.0, 0.0, 9.0, 0.0, 0.0, 0.0, np.inf]])
    leaves = np.array([[3.0, 4.0, 9.0, 2.0, 9.0, 99.0, 9.0]])
    other = np.where(np.arange(7) == 4, 1.0, time)
    counted = np.ones(time.shape, dtype=bool)
    rows, cut = np.array([0]), np.array([[10.0]])
    parts = (entry, leaves, cut, counted)
    assert event_rows(rows, time, time, *parts, 8.0) == [3]
    assert event_rows(rows, time, other, *parts, np.inf) == [3]
    counted[0, 0] = False
    assert event_rows(rows, time, time, *parts, 8.0) == [2]


@pytest.mark.parametrize(
    "rule",
    [
        DOSES["rule"],
        {
            "kind": "response_adaptive",
            "looks": {"number": 4},
            "superiority": 0.999,
            "inferiority": 0.05,
        },
    ],
)
def test_patients_of_arms_add_up_to_those_randomised(rule: Any, tmp_path: Path) -> None:
    hypotheses = DOSES["hypotheses"] if rule["kind"] == "multi_arm" else []
    design = TrialDesign.parse(DOSES | {"rule": rule, "hypotheses": hypotheses})
    found = simulate(design, VALUES, 150, seed=3, folder=tmp_path)
    table, works = found.table, found.scenario("high works")
    assert np.array_equal(table["arm_n"].sum(axis=2), table["n"])
    assert list(works.arm_patients) == ["C", "low", "high"]
    assert works.arm_patients["low"].value == table["arm_n"][:, 1, 1].mean()
    assert works.arm_patients["high"].value > 1.5 * works.arm_patients["low"].value
    assert works.arm_patients["low"] == measured(design, table, "patients on low", "high works")
    label = asked_figure(design, "patients on low").label
    assert label == "patients expected on low"
    rows = long_table(found).query("scenario == 'high works'").set_index("figure")["value"]
    assert rows["patients on high"] == works.arm_patients["high"].value
    about = ReplicateFile(tmp_path / "replicates.parquet").about()
    assert about["arrays"]["arm_n"]["names"] == ["arm_n C", "arm_n low", "arm_n high"]


def test_the_arm_that_goes_on_shares_the_second_half_with_control() -> None:
    found = simulate(TrialDesign.parse(DOSES), VALUES, 100, seed=3)
    on = found.held.read("stage")["stage"][:, 1] == 1
    arm_n = found.table["arm_n"][on, 1]
    chosen = arm_n[:, 1:].max(axis=1)
    assert np.all(arm_n[:, 1:].min(axis=1) == 20)
    # Each of the second 60 is drawn for one of the two by equal weights.
    assert abs(chosen.mean() - 50) < 4 * np.sqrt(60 / 4 / len(chosen))


def test_designs_without_a_time_to_event_or_other_arms_have_neither() -> None:
    design = TrialDesign.parse(DOSES | {"rule": {"kind": "fixed"}})
    found = simulate(design, VALUES, 20)
    assert found.scenarios[0].events is None and not found.scenarios[0].arm_patients
    assert not {"events", "arm_n"} & set(found.table)
    assert not [name for name in figure_names(design) if name == "events" or " on " in name]
