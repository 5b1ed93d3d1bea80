"""Which hypotheses are true in a scenario, and what a trial is called that stops."""

from typing import Any

import pytest

from extraction.records import InputError
from simulation.trial import ParametricPopulation, TrialDesign, simulate
from simulation.trial.nulls import true_nulls
from simulation.trial.replay import replay

Y: dict[str, Any] = {"kind": "continuous", "name": "y"}
OS: dict[str, Any] = {"kind": "time_to_event", "name": "OS", "follow_up": 12}
ARMS = [{"name": "C", "control": True}, {"name": "Low"}, {"name": "High"}]
ENRICHED: dict[str, Any] = {
    "arms": ARMS[:2],
    "n": 80,
    "endpoints": [Y],
    "hypotheses": [
        {"endpoint": "y"},
        {"endpoint": "y", "subgroup": {"name": "old", "where": {"age": [65, 90]}}},
        {"endpoint": "y", "subgroup": {"name": "m", "where": {"sex": "m", "age": [65, 90]}}},
    ],
}
PEOPLE = ParametricPopulation(
    covariates=[
        {"kind": "normal", "name": "age", "mean": 65, "sd": 9},
        {"kind": "category", "name": "sex", "categories": ["m", "f"], "shares": [0.5, 0.5]},
    ],
    outcomes={"y": {"kind": "continuous"}, "OS": {"kind": "time_to_event", "median": 12}},
)


def nulls(plan: dict[str, Any], *effects: dict[str, Any], **more: Any) -> tuple[bool | None, ...]:
    scenario = {"name": "s", "effects": list(effects), **more}
    design = TrialDesign.parse(plan | {"scenarios": [scenario]})
    return true_nulls(design, design.truths[1])


def shift(size: Any, where: dict[str, Any] | None = None, arm: str = "Low") -> dict[str, Any]:
    return {"arm": arm, "endpoint": "y", "shift": size, "where": where}


def test_an_arm_and_an_endpoint_of_their_own() -> None:
    plan = {"arms": ARMS, "n": 60, "endpoints": [Y, OS],
            "hypotheses": [{"endpoint": "y"}, {"endpoint": "OS", "arm": "High"}]}
    assert nulls(plan, shift(0.5)) == (False, True, True)
    assert nulls(plan, shift(-0.5), shift(0.0, arm="High")) == (True, True, True)
    hazard = {"arm": "High", "endpoint": "OS"}
    assert nulls(plan, hazard | {"hazard_ratio": 0.7}) == (True, True, False)
    crossing = [{"start": 0, "ratio": 1.3}, {"start": 3, "ratio": 0.6}]
    assert nulls(plan, hazard | {"hazard_ratio": crossing}) == (True, True, None)
    late = [{"start": 0, "ratio": 1}, {"start": 12, "ratio": 0.6}]  # when nobody is followed
    assert nulls(plan, hazard | {"hazard_ratio": late}) == (True, True, True)


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        ([shift(1.0)], (False, False, False)),
        ([shift(1.0, {"sex": "m"})], (False, False, False)),
        ([shift(1.0, {"sex": "f"})], (False, False, True)),
        ([shift(1.0, {"age": [18, 64]})], (False, True, True)),
        ([shift(1.0), shift(0.0, {"age": [60, 95]})], (False, True, True)),
        ([shift(1.0), shift(-1.0, {"sex": ["m"]})], (None, None, True)),
        ([shift(1.0, {"age": "<65"})], (False, None, None)),
        ([shift(0.0, {"not": {"sex": "m"}})], (True, True, True)),
        ([shift(1.0, {"not": {"sex": "m"}})], (None, None, None)),
    ],
)
def test_subgroups(effects: list[dict[str, Any]], expected: tuple[bool | None, ...]) -> None:
    assert nulls(ENRICHED, *effects) == expected


def test_the_eligible_are_whom_a_hypothesis_is_about() -> None:
    plan = ENRICHED | {"eligibility": {"sex": "m"}}
    assert nulls(plan, shift(1.0, {"sex": "f"})) == (True, True, True)


def test_every_arm_is_the_best_or_not() -> None:
    plan = {"arms": ARMS, "n": 90, "endpoints": [Y],
            "rule": {"kind": "response_adaptive", "looks": {"number": 3}}}
    assert nulls(plan, shift(0.5), shift(0.8, arm="High")) == (True, True, False)
    assert nulls(plan, shift(0.8), shift(0.8, arm="High")) == (True, True, True)
    assert nulls(plan, shift(-0.8), shift(-0.8, arm="High")) == (False, True, True)


def test_arms_that_stop_unequally_have_no_plain_null() -> None:
    plan = {"arms": ARMS[:2], "n": 60, "endpoints": [{"kind": "binary", "name": "r", "visit": 8}],
            "discontinuation": {"when": {"kind": "hazard", "rate": 0.1, "arms": {"Low": 0.2}}},
            "intercurrent_events": {"discontinuation": "composite"}}
    assert nulls(plan) == (None,)


def test_errors_are_by_hypothesis_and_of_the_family() -> None:
    plan = {"arms": ARMS, "n": 60, "endpoints": [Y], "scenarios": [
        {"name": "high", "effects": [shift(2.0, arm="High")]},
        {"name": "both", "effects": [shift(2.0), shift(2.0, arm="High")]}]}
    found = simulate(TrialDesign.parse(plan), PEOPLE, 400)
    null, high, both = found.scenarios
    assert found.familywise_error == null.any_rejection == null.familywise_error
    assert list(found.type_one_errors) == ["Low: y", "High: y"]
    with pytest.raises(InputError, match="2 hypotheses are tested; take type_one_errors"):
        _ = found.type_one_error
    # Rejecting what works is no error: of the family only the other arm is left.
    assert [tested.null for tested in high.hypotheses] == [True, False]
    assert high.any_rejection.value > 0.9
    assert high.familywise_error == high.hypotheses[0].rejection
    assert both.familywise_error is None


def test_a_stop_after_a_rejection_is_a_success() -> None:
    plan = {"arms": ARMS, "n": 120, "endpoints": [Y],
            "rule": {"kind": "group_sequential", "looks": {"number": 2}, "boundary": "pocock",
                     "futility": {"family": "z", "bounds": [0.5]}},
            "scenarios": [{"name": "high", "effects": [shift(3.0, arm="High"), shift(-3.0)]}]}
    high = simulate(TrialDesign.parse(plan), PEOPLE, 50).scenarios[1]
    assert high.efficacy[0].value == 1 and high.futility[0].value == 0


def test_who_leaves_hangs_on_nobody_else_in_the_trial() -> None:
    plan = {"arms": ARMS[:2], "endpoints": [Y | {"visits": [10]}], "scenarios": [],
            "dropout": {"kind": "hazard", "rate": 0.05, "log_hazard_ratio_of_outcome": 1.0}}
    few, many = (
        replay(TrialDesign.parse(plan | {"n": n}), PEOPLE, 0, 3).patients["leaves"][:40].tolist()
        for n in (40, 90)
    )
    assert few == many
