"""What designs used to do unseen: typing errors, looks that see nothing, who is counted when."""

from typing import Any

import numpy as np
import pytest

from extraction.records import InputError
from simulation.trial import ParametricPopulation, TrialDesign, simulate

ARMS = [{"name": "C", "control": True}, {"name": "T"}]
Y: dict[str, Any] = {"kind": "continuous", "name": "y", "visits": [10]}
OS: dict[str, Any] = {"kind": "time_to_event", "name": "OS"}
PLAN: dict[str, Any] = {"arms": ARMS, "endpoints": [Y], "n": 40}
PEOPLE = ParametricPopulation(
    covariates=[
        {"kind": "normal", "name": "x"},
        {"kind": "category", "name": "sex", "categories": ["m", "f"], "shares": [0.5, 0.5]},
    ],
    outcomes={"y": {"kind": "continuous"}, "OS": {"kind": "time_to_event", "median": 12}},
)


def _outcome(**law: Any) -> dict[str, Any]:
    return {"kind": "parametric", "outcomes": {"y": {"kind": "continuous", **law}}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"population": _outcome(sd=[])}, "sd: must be a number, or must have 1 or more"),
        ({"population": _outcome(mean=[])}, "mean: must be a number, or must have 1 or more"),
        (
            {
                "scenarios": [
                    {"name": "s", "effects": [{"arm": "T", "endpoint": "y", "shift": []}]}
                ]
            },
            "effects[0].shift: must be a number, or must have 1 or more",
        ),
        ({"dropout": {"kind": "share", "share": 0.1, "arms": {"TT": 0.3}}}, "dropout.arms: 'TT'"),
        ({"endpoints": [OS], "dropout": {"kind": "share", "share": 0.2}}, "dropout.by"),
        (
            {
                "endpoints": [OS],
                "dropout": {"kind": "hazard", "rate": 1, "log_hazard_ratio_of_outcome": 1},
            },
            "takes the first endpoint's value",
        ),
        (
            {
                "endpoints": [OS],
                "rule": {
                    "kind": "fixed", "looks": {"by": "events", "at": [9], "endpoint": "PFS"}
                },
            },
            "'PFS' is no endpoint",
        ),
        (
            {"endpoints": [OS], "rule": {"kind": "fixed", "looks": {"by": "events", "at": [41]}}},
            "look 1 waits for 41 events and the trial has 40 patients",
        ),
        (
            {"scenarios": [{"name": "s", "effects": [
                {"arm": "T", "endpoint": "y", "shift": [1, 2]}]}]},
            "2 values came for 1 visits",
        ),
        (
            {"scenarios": [{"name": "s", "enrolment": {
                "sites": [{"name": "a", "rate": 1, "cap": 3}]}}]},
            "scenarios.s.enrolment.sites: caps sum to 3 and 40 patients",
        ),
        (
            {"rule": {"kind": "multi_arm", "looks": {"number": 2}, "futility": [float("nan")]}},
            "finite",
        ),
        (
            {"rule": {"kind": "group_sequential", "looks": {
                "number": 2, "information": [float("nan"), 1]}}},
            "finite",
        ),
    ],
)
def test_a_design_that_would_run_wrongly_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        TrialDesign.parse(PLAN | changes)
    assert any(words in fault for fault in caught.value.faults)


def test_what_does_not_fit_the_population_is_told_at_once() -> None:
    terms = {"sex=x": 1.0, "sex": 1.0, "x=1": 1.0}
    design = TrialDesign.parse(
        PLAN
        | {"endpoints": [OS], "strata": ["x"]}
        | {"dropout": {"kind": "hazard", "rate": 0.1, "log_hazard_ratios": terms}}
    )
    with pytest.raises(InputError) as caught:
        simulate(design, PEOPLE, 5)
    text = "\n".join(caught.value.faults)
    for part in ("'sex=x' names no level", "'sex' names no level", "'x=1' has a level",
                 "'x' is a number", "no event can be seen"):
        assert part in text


def test_the_last_patient_counts_where_the_outcome_is_due_at_once() -> None:
    plan = {"endpoints": [{**Y, "visits": [0]}], "enrolment": {"ramp": [{"rate": 1}]}}
    result = simulate(TrialDesign.parse(PLAN | plan), PEOPLE, 10)
    assert (result.table["n"] == 40).all()


def test_nobody_comes_after_the_size_that_was_set() -> None:
    rule = {
        "kind": "reestimation", "looks": {"at": [20, 40]}, "maximum": 400,
        "size": {"kind": "variance", "effect": 1.2},
    }
    plan = {"enrolment": {"ramp": [{"rate": 1}]}, "rule": rule}
    table = simulate(TrialDesign.parse(PLAN | plan), PEOPLE, 50).table
    last = table["stage"] == 1
    assert last.any()
    assert (table["n"][last] == table["analysed"][last]).all()
    # A size below what the look has seen is what it has seen.
    low = rule | {"minimum": 4, "size": {"kind": "variance", "effect": 10.0}}
    table = simulate(TrialDesign.parse(PLAN | {"rule": low}), PEOPLE, 20).table
    assert (table["n"] == 20).all()


def test_screening_ends_when_the_trial_does() -> None:
    plan = {
        "n": 400, "eligibility": {"x": [0, 9]}, "enrolment": {"ramp": [{"rate": 10}]},
        "rule": {"kind": "group_sequential", "looks": {"number": 2}, "boundary": "pocock"},
        "scenarios": [
            {"name": "s", "effects": [{"arm": "T", "endpoint": "y", "shift": 2.0}]}
        ],
    }
    table = simulate(TrialDesign.parse(PLAN | plan), PEOPLE, 100).table
    assert (table["stage"][:, 1] == 0).all()
    # Half of the candidates are eligible: n of them is a negative binomial, SD sqrt(2 n).
    n, screened = table["n"][:, 1], table["screened"][:, 1]
    assert abs(screened.mean() - 2 * n.mean()) < 4 * np.sqrt(2 * n.mean() / 100)
    assert (screened < table["screened"][:, 0]).mean() > 0.9


def test_those_who_were_never_found_are_not_counted() -> None:
    rare = simulate(TrialDesign.parse(PLAN | {"eligibility": {"x": [2.9, 9]}}), PEOPLE, 10).table
    assert (rare["n"] == rare["analysed"]).all() and rare["n"].max() < 40


def test_recruitment_that_ends_is_the_same_in_any_chunks() -> None:
    """A replicate whose arrivals end must not end the search of those in its chunk."""
    plan = {
        "n": 50, "eligibility": {"x": [0.5, 9]},
        "enrolment": {"ramp": [{"rate": 10}, {"start": 10.2, "rate": 0}], "longest": 50},
    }
    design = TrialDesign.parse(PLAN | plan)
    whole = simulate(design, PEOPLE, 40, seed=11)
    assert whole.digest() == simulate(design, PEOPLE, 40, seed=11, chunk_size=1).digest()
    closed = TrialDesign.parse(PLAN | {"enrolment": {"ramp": [{"rate": 1}], "longest": 1e-9}})
    with pytest.raises(InputError, match="cannot recruit"):
        simulate(closed, PEOPLE, 5)


def test_no_event_at_all_ends_with_the_last_patient() -> None:
    plan = {
        "endpoints": [{**OS, "follow_up": 1e-9}], "enrolment": {"ramp": [{"rate": 1}]},
        "rule": {"kind": "fixed", "looks": {"by": "events", "at": [20]}},
    }
    table = simulate(TrialDesign.parse(PLAN | plan), PEOPLE, 10).table
    assert (table["n"] == 40).all() and np.isfinite(table["duration"]).all()
    assert not table["rejected"].any()


def test_a_scenario_that_recruits_too_few_says_so() -> None:
    slow = {"name": "slow", "enrolment": {"ramp": [{"rate": 1}], "longest": 5}}
    result = simulate(TrialDesign.parse(PLAN | {"scenarios": [slow]}), PEOPLE, 30)
    full, short = (scenario.short for scenario in result.scenarios)
    assert full is not None and full.value == 0
    assert short is not None and short.value == 1
    (told,) = [limit for limit in result.limits if "recruitment ended short" in limit]
    assert told.startswith("slow: in 100.0% of replicates")


@pytest.mark.parametrize(
    ("looks", "words"),
    [
        ({"by": "events", "at": [10, 30], "latest": 8}, "without the events that it waits for"),
        ({"by": "time", "at": [2, 20]}, "before all 40 patients were randomised"),
    ],
)
def test_looks_that_come_short_of_events_or_patients_say_so(
    looks: dict[str, Any], words: str
) -> None:
    slow = {"name": "slow", "enrolment": {"ramp": [{"rate": 1}]}}
    plan = {
        "endpoints": [OS], "enrolment": {"ramp": [{"rate": 100}]}, "scenarios": [slow],
        "rule": {"kind": "group_sequential", "looks": looks},
    }
    result = simulate(TrialDesign.parse(PLAN | plan), PEOPLE, 30)
    assert result.scenarios[1].short.value == 1
    (told,) = [limit for limit in result.limits if limit.startswith("slow")]
    assert words in told and "100.0%" in told


def test_a_subgroup_that_nobody_is_in_is_blamed_itself() -> None:
    plan = {
        "eligibility": {"sex": "m"},
        "hypotheses": [
            {"endpoint": "y"},
            {"endpoint": "y", "share": 0.5, "subgroup": {"name": "women", "where": {"sex": "f"}}},
        ],
    }
    with pytest.raises(InputError) as caught:
        simulate(TrialDesign.parse(PLAN | plan), PEOPLE, 5)
    (fault,) = caught.value.faults
    assert "subgroup 'women': none of 100000 candidates is a member and eligible" in fault


def test_what_a_fault_touches_is_not_judged_by_what_stands_in_for_it() -> None:
    """A field that cannot be read keeps its defaults out of further checks."""
    plan: dict[str, Any] = {
        "enrolment": {"ramp": [{"rate": "fast"}]},
        "arms": [{"name": "C", "control": True}, {"name": "C"}],
        "rule": {"kind": "fixed", "looks": {"by": "time", "at": [9]}},
        "population": {
            "kind": "parametric",
            "outcomes": {"z": {"kind": "continuous"}},
            "correlations": [{"between": [], "value": 0.1}],
        },
    }
    with pytest.raises(InputError) as caught:
        TrialDesign.parse(PLAN | plan)
    places = sorted(fault.split(": ")[1] for fault in caught.value.faults)
    assert places == [
        "arms",
        "enrolment.ramp[0].rate",
        "population.correlations[0].between[0]",
        "population.correlations[0].between[1]",
    ]


@pytest.mark.parametrize(
    "fault",
    [
        {"endpoints": [{"kind": "tte", "name": "OS"}]},
        {"hypotheses": [{"endpoint": "PFS"}]},
        {"population": {"outcomes": {"OS": {"kind": "time_to_event", "median": -3}}}},
        {"rule": {"looks": {"by": "events", "at": [9, 3]}}},
    ],
)
def test_strata_and_the_number_of_bounds_need_only_what_they_use(fault: dict[str, Any]) -> None:
    rule = {"kind": "group_sequential", "looks": {"by": "events", "at": [3, 9]},
            "futility": {"family": "z", "bounds": [0.0, 1.0]}}  # fmt: skip
    people = {"kind": "parametric", "outcomes": {"OS": {"kind": "time_to_event", "median": 9}},
              "covariates": [{"kind": "normal", "name": "age", "mean": 60, "sd": 9}]}  # fmt: skip
    given = {
        "arms": [{"name": "P", "control": True}, {"name": "T"}],
        "n": 40,
        "endpoints": [{"kind": "time_to_event", "name": "OS"}],
        "strata": ["sex"],
        **fault,
        "rule": rule | fault.get("rule", {}),
        "population": people | fault.get("population", {}),
    }
    with pytest.raises(InputError) as caught:
        TrialDesign.parse(given)
    told = "\n".join(caught.value.faults)
    assert "'sex' is not in the population; it has age" in told
    assert "futility.bounds: 2 came for 2 looks" in told
    assert len(caught.value.faults) == 3
    assert "time_to_event.median" not in told and "group_sequential." not in told
