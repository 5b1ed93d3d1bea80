"""A design told: every figure that decides something stands in the words."""

from typing import Any

import pytest

from simulation.trial import TrialDesign
from simulation.trial.design.telling import tell

PLAN: dict[str, Any] = {
    "name": "two arms against one",
    "time_unit": "month",
    "arms": [
        {"name": "Placebo", "control": True, "allocation": 2},
        {"name": "Low"},
        {"name": "High"},
    ],
    "n": 400,
    "strata": ["sex"],
    "eligibility": {"age": [18, 80], "sex": ["F", "M"]},
    "enrolment": {"ramp": [{"start": 0, "rate": 5}, {"start": 3, "rate": 20}], "longest": 30},
    "endpoints": [
        {"kind": "continuous", "name": "ADAS", "visits": [3, 6], "higher_is_better": False},
        {"kind": "time_to_event", "name": "PFS"},
    ],
    "dropout": {
        "kind": "hazard",
        "rate": 0.01,
        "arms": {"High": 0.03},
        "log_hazard_ratio_of_outcome": 0.5,
    },
    "intercurrent_events": {"rescue": "treatment policy"},
    "hypotheses": [
        {"endpoint": "PFS", "arm": "High", "share": 0.8},
        {"endpoint": "PFS", "arm": "Low", "share": 0.2},
    ],
    "rule": {
        "kind": "group_sequential",
        "futility": {"family": "z", "bounds": [0.25]},
        "looks": {"by": "events", "at": [100, 200], "endpoint": "PFS", "latest": 48},
    },
    "scenarios": [
        {
            "name": "late",
            "effects": [
                {
                    "arm": "High",
                    "endpoint": "PFS",
                    "hazard_ratio": [{"start": 0, "ratio": 1}, {"start": 4, "ratio": 0.6}],
                    "where": {"sex": "F"},
                }
            ],
            "dropout": {"kind": "share", "share": 0.2},
        }
    ],
}

STOPPING = {"discontinuation": "hypothetical"}


def test_each_part_of_a_protocol_is_told_with_its_figures() -> None:
    told = {topic: " ".join(lines) for topic, lines in tell(TrialDesign.parse(PLAN)).items()}
    assert "400 patients" in told["Arms"] and "2:1:1" in told["Arms"]
    assert "blocks of 8" in told["Arms"] and "strata of sex" in told["Arms"]
    assert "age 18 to 80 and sex one of F, M" in told["Patients"]
    assert "5 a month, then 20 a month from month 3" in told["Enrolment"]
    assert "closes at month 30" in told["Enrolment"]
    assert "month 3 and month 6; lower is better" in told["Endpoints"]
    assert "0.03 in High" in told["Dropout"] and "not at random" in told["Dropout"]
    assert told["Intercurrent events"] == "Rescue: treatment policy strategy."
    assert "100 and 200 events of PFS" in told["Looks"] and "month 48" in told["Looks"]
    assert "2.797, 1.977" in told["Decision"] and "0.250 or below" in told["Decision"]
    assert "0.8 of alpha (0.02)" in told["Hypotheses"]
    assert "0.2 of alpha (0.005)" in told["Hypotheses"]
    assert "1, then 0.6 from month 4 (PFS) in patients with sex F" in told["Scenarios"]
    assert "0.2 of patients leave by the last visit" in told["Scenarios"]
    assert "No effect: no arm does anything." in told["Scenarios"]


@pytest.mark.parametrize(
    ("age", "words"),
    [([60, None], "age at least 60"), ([None, 70], "age at most 70"), ([None, None], "age any")],
)
def test_an_open_range_is_told_by_its_end(age: list[Any], words: str) -> None:
    told = tell(TrialDesign.parse(PLAN | {"eligibility": {"age": age}}))
    assert words in " ".join(told["Patients"])


def test_a_design_describes_itself_in_sentences() -> None:
    for rule in (
        {"kind": "fixed"},
        {"kind": "reestimation", "maximum": 800, "looks": {"number": 2}},
    ):
        plan = PLAN | {"rule": rule, "hypotheses": [{"endpoint": "ADAS", "arm": "High"}]}
        lines = TrialDesign.parse(plan).describe()
        assert all(not line[0].islower() and line.endswith(".") for line in lines)
        assert any("alpha 0.025" in line for line in lines)


def test_rules_of_several_arms_say_how_arms_are_chosen() -> None:
    base = PLAN | {"dropout": {"kind": "none"}, "scenarios": []}
    adaptive = {"kind": "response_adaptive", "superiority": 0.98, "minimum": 0.2}
    one = [{"endpoint": "ADAS"}]
    told = tell(TrialDesign.parse(base | {"rule": adaptive, "hypotheses": one}))
    assert "above 0.98" in told["Decision"][0] and "least 0.2" in told["Decision"][1]
    stages = {"kind": "multi_arm", "looks": {"number": 2}, "futility": [0.1]}
    told = tell(TrialDesign.parse(base | {"rule": stages, "hypotheses": one}))
    assert "futility: 0.1" in told["Decision"][-1].lower()
    assert all("by closed tests at 0.025" in line for line in told["Hypotheses"])


def test_who_the_patients_are_is_told() -> None:
    model = {"kind": "model", "model": "quickstart", "twins": 500, "given": {"age": ">=65"}}
    told = tell(TrialDesign.parse(PLAN | {"population": model}))["Patients"][0]
    assert told == "Patients are 500 twins from the model quickstart given age >=65."
    fresh = tell(TrialDesign.parse(PLAN | {"population": model | {"fresh": True}}))["Patients"][0]
    assert fresh == "Every patient is drawn anew from the model quickstart given age >=65."


def test_what_does_not_happen_is_not_told() -> None:
    told = tell(TrialDesign.parse(PLAN | {"intercurrent_events": {"discontinuation": "composite"}}))
    assert told["Intercurrent events"] == ["None: nobody stops treatment."]
    law = {"when": {"kind": "share", "share": 0.2, "by": 5}}
    scenarios = [{"name": "some stop", "discontinuation": law}]
    told = tell(TrialDesign.parse(PLAN | {"intercurrent_events": STOPPING, "scenarios": scenarios}))
    assert told["Intercurrent events"] == ["Discontinuation: hypothetical strategy."]


def test_who_leaves_a_population_by_formula_is_told() -> None:
    plan = {k: v for k, v in PLAN.items() if k not in ("dropout", "eligibility", "strata")}
    laws = {"PFS": {"kind": "time_to_event", "median": 9}, "ADAS": {"kind": "continuous"}}
    for rate, words in ((0.0, "Nobody leaves"), (0.02, "rate of 0.02 a month, as the population")):
        people = {"kind": "parametric", "outcomes": laws, "leaving_rate": rate}
        assert words in tell(TrialDesign.parse(plan | {"population": people}))["Dropout"][0]
    assert tell(TrialDesign.parse(plan))["Dropout"] == ["Patients leave as the population has it."]
