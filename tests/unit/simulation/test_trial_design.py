"""The design as data: what is accepted, every fault at once, what is filled in."""

from pathlib import Path
from typing import Any

import pytest

from extraction.records import InputError
from simulation.trial import ParametricPopulation, TrialDesign, simulate

ARMS = [{"name": "Control", "control": True}, {"name": "Active"}]
SURVIVAL: dict[str, Any] = {
    "arms": ARMS,
    "n": 100,
    "endpoints": [{"kind": "time_to_event", "name": "OS"}],
}
PEOPLE = ParametricPopulation(
    covariates=[
        {"kind": "normal", "name": "age", "mean": 70, "sd": 8},
        {"kind": "category", "name": "sex", "categories": ["m", "f"], "shares": [0.5, 0.5]},
    ],
    outcomes={"OS": {"kind": "time_to_event", "median": 12}},
)


def _faults(**changes: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        TrialDesign.parse(SURVIVAL | changes)
    return list(caught.value.faults)


def test_what_is_left_out_is_filled_in() -> None:
    design = TrialDesign.parse(SURVIVAL)
    (tested,) = design.tested
    assert (tested.name, tested.analysis.kind, tested.share) == ("Active: OS", "log_rank", 1.0)
    assert design.rule.critical(0.025) == pytest.approx([1.959964], abs=1e-6)
    assert [truth.name for truth in design.truths] == ["no effect"]
    assert design.estimand(tested).summary == "marginal hazard ratio"


def test_each_treated_arm_is_tested_at_its_share() -> None:
    arms = [*ARMS, {"name": "High"}]
    design = TrialDesign.parse(SURVIVAL | {"arms": arms})
    assert [(t.name, t.share) for t in design.tested] == [("Active: OS", 0.5), ("High: OS", 0.5)]


def test_all_faults_of_a_design_come_at_once() -> None:
    told = _faults(
        arms=[{"name": "A"}, {"name": "A"}],
        hypotheses=[{"endpoint": "PFS"}, {"endpoint": "OS", "analysis": {"kind": "ancova"}}],
        scenarios=[
            {"name": "s", "effects": [{"arm": "X", "endpoint": "OS", "shift": 1.0}]},
            {"name": "s"},
        ],
    )
    text = "\n".join(told)
    for part in (
        "0 arms with control",
        "'A' stands twice",
        "'PFS' is no endpoint",
        "ancova takes continuous",
        "'X' is no treated arm",
        "takes hazard_ratio, not shift",
        "'s' stands twice",
    ):
        assert part in text
    assert all(fault.startswith("design: ") for fault in told)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arms": [{"name": "C", "control": True, "allocation": 0}, {"name": "A"}]}, "allocation"),
        ({"rule": {"kind": "group_sequential", "looks": {"by": "events", "at": [9, 5]}}}, "rising"),
        ({"rule": {"kind": "fixed", "looks": {"by": "events", "at": []}}}, "one or more"),
        ({"rule": {"kind": "fixed", "alpha": 1.2}}, "alpha"),
        ({"rule": {"kind": "fixed", "looks": {"number": 3}}}, "group_sequential"),
        ({"rule": {"kind": "fixed", "looks": {"by": "time", "at": [9]}}}, "need an enrolment"),
        ({"enrolment": {"duration": 3, "ramp": [{"rate": 2}]}}, "not several"),
        ({"enrolment": {"ramp": [{"rate": 0}]}}, "nobody ever comes"),
        ({"hypotheses": [{"endpoint": "OS", "share": 0.7}] * 2}, "more than 1"),
        ({"intercurrent_events": {"death": "ignore"}}, "no strategy"),
        ({"scenarios": [{"name": "s", "effects": [{"arm": "Active", "endpoint": "OS"}]}]}, "sizes"),
        ({"n": 2}, "n: "),
        (
            {"n": 250, "rule": {"kind": "group_sequential",
                                "looks": {"by": "events", "at": [100, 200, 300]}}},
            "look 3 waits for 300 events and the trial has 250 patients",
        ),
    ],
)
def test_a_bad_design_is_refused_in_words(changes: dict[str, Any], words: str) -> None:
    assert any(words in fault for fault in _faults(**changes))


def test_what_a_population_lacks_comes_at_once() -> None:
    design = TrialDesign.parse(
        SURVIVAL
        | {
            "endpoints": [{"kind": "time_to_event", "name": "PFS"}],
            "strata": ["region"],
            "eligibility": {"bmi": [20, 30]},
            "scenarios": [
                {
                    "name": "s",
                    "effects": [
                        {
                            "arm": "Active",
                            "endpoint": "PFS",
                            "hazard_ratio": 0.7,
                            "where": {"race": "a"},
                        }
                    ],
                }
            ],
        }
    )
    with pytest.raises(InputError) as caught:
        simulate(design, PEOPLE, 0)
    text = "\n".join(caught.value.faults)
    for part in ("'PFS'", "'region'", "bmi", "race", "replicates"):
        assert part in text


def test_criteria_that_nobody_meets_say_that_the_trial_cannot_recruit() -> None:
    rule = {"kind": "fixed", "looks": {"by": "events", "at": [50]}}
    design = TrialDesign.parse(SURVIVAL | {"eligibility": {"age": [500, 600]}, "rule": rule})
    with pytest.raises(InputError, match="cannot recruit"):
        simulate(design, PEOPLE, 5)


def test_a_file_is_read_and_its_faults_name_it(tmp_path: Path) -> None:
    path = tmp_path / "d.yaml"
    path.write_text("arms: 3\n")
    with pytest.raises(InputError, match=r"^d.yaml: "):
        TrialDesign.read(path)
    with pytest.raises(InputError) as caught:
        TrialDesign.read(tmp_path / "none.yaml")
    assert str(caught.value).startswith(f"{tmp_path / 'none.yaml'}: there is no such file")
    path.write_text("- 1\n")
    with pytest.raises(InputError, match="mapping"):
        TrialDesign.read(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"outcomes": {}}, "outcomes"),
        ({"outcomes": {"OS": {"kind": "time_to_event"}}}, "either median or hazard"),
        ({"outcomes": {"Y": {"kind": "continuous", "correlations": {"a": 0.9, "b": 0.9}}}}, "sum"),
        (
            {
                "outcomes": {
                    "OS": {"kind": "time_to_event", "median": 1, "log_hazard_ratios": {"agee": 1}}
                }
            },
            "did you mean age",
        ),
        ({"correlations": [{"between": ["age", "nobody"], "value": 0.2}]}, "nobody"),
    ],
)
def test_a_bad_population_is_refused_in_words(changes: dict[str, Any], words: str) -> None:
    good = {
        "covariates": [{"kind": "normal", "name": "age"}],
        "outcomes": {"OS": {"kind": "time_to_event", "median": 12}},
    }
    with pytest.raises(InputError, match=words):
        ParametricPopulation(**(good | changes))
