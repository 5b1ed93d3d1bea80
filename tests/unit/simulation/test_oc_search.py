"""Searches: the formula's size is found, replicates are raised, and what is open is said."""

from typing import Any

import pytest

from extraction.records import InputError
from simulation.operating_characteristics import Effort, Goal, search_design
from simulation.operating_characteristics.starting import resized, size_by_formula
from simulation.trial import ParametricPopulation, TrialDesign

PLAN: dict[str, Any] = {
    "arms": [{"name": "P", "control": True}, {"name": "A"}],
    "endpoints": [{"kind": "continuous", "name": "y"}],
    "hypotheses": [{"endpoint": "y", "analysis": {"kind": "ancova"}}],
    "n": 100,
    "scenarios": [{"name": "real", "effects": [{"arm": "A", "endpoint": "y", "shift": 0.5}]}],
}
DESIGN = TrialDesign.parse(PLAN)
PEOPLE = ParametricPopulation(outcomes={"y": {"kind": "continuous"}})
OS = TrialDesign.parse(
    {
        "time_unit": "month",
        "arms": [{"name": "P", "control": True}, {"name": "A"}],
        "endpoints": [{"kind": "time_to_event", "name": "OS"}],
        "n": 480,
        "enrolment": {"duration": 12},
        "rule": {
            "kind": "group_sequential",
            "boundary": "lan_demets_obrien_fleming",
            "looks": {"by": "events", "at": [100, 200, 300]},
        },
        "scenarios": [
            {"name": "real", "effects": [{"arm": "A", "endpoint": "OS", "hazard_ratio": 0.7}]}
        ],
    }
)
PATIENTS = ParametricPopulation(outcomes={"OS": {"kind": "time_to_event", "median": 12}})


def test_the_t_tests_size_is_found() -> None:
    """Simulated (8,000): the formula's 170.06 (reference: d = .5) within 4 standard errors."""
    found = search_design(
        DESIGN, PEOPLE, goal=Goal(at_least=0.9), effort=Effort(most=8000),
        limits=(Goal(scenario="no effect", at_most=0.035), Goal(figure="n", at_most=100)),
    )
    assert found.formula is not None and found.formula.value == pytest.approx(170.0626, abs=1e-3)
    assert abs(found.root - 170.0626) < 4 * found.root_se and found.root_se < 6
    assert found.limits == ("met", "not met")
    assert found.fails is not None and found.meets is not None and found.value is not None
    assert found.fails < found.value <= found.meets
    assert not found.decided and "not decided within 8000" in found.reason
    path = found.path
    assert path["n"].iloc[0] == 170 and path["n"].is_unique
    assert (path.loc[path["verdict"] == "open", "replicates"] == 8000).all()
    far = path.loc[(path["n"] - 170).abs() > 40, "replicates"]
    assert (far < 8000).all()


def test_the_log_rank_tests_events_are_found() -> None:
    """Simulated (2,000): 334.29 events (rpact 3.3.4: LD-OF, k = 3, HR .7) within 4 errors."""
    found = search_design(
        OS, PATIENTS, goal=Goal(at_least=0.9), over="events", effort=Effort(first=500, most=2000)
    )
    assert found.formula is not None and found.formula.value == pytest.approx(334.2938, abs=1e-3)
    assert abs(found.root - 334.29) < 4 * found.root_se and found.root_se < 15


def test_without_a_formula_it_starts_from_the_design() -> None:
    """Simulated (2,000): 2 patients more or less are told apart where the design is tiny."""
    shifted = {**PLAN, "n": 12, "scenarios": [
        {"name": "real", "effects": [{"arm": "A", "endpoint": "y", "shift": 0.5}]},
        {"name": "large", "effects": [{"arm": "A", "endpoint": "y", "shift": 2.0}]},
    ]}
    design = TrialDesign.parse(shifted | {"rule": {"kind": "reestimation", "maximum": 24,
                                                   "looks": {"number": 2}}})
    assert size_by_formula(design, PEOPLE, "n", "large", 0.9) is None
    found = search_design(design, PEOPLE, goal=Goal(scenario="large", at_least=0.8),
                          between=(8, 40), effort=Effort(first=500, most=2000))
    assert found.path["n"].iloc[0] == 12 and found.value is not None and found.value <= 24


def test_the_largest_level_for_a_type_one_error() -> None:
    """Simulated (4,000): the t test's alpha for a type I error of .05 is .05, within 4 errors."""
    found = search_design(
        DESIGN, PEOPLE, goal=Goal(scenario="no effect", at_most=0.05), over="rule.alpha",
        between=(0.02, 0.1), step=0.005, seek="largest", effort=Effort(most=4000),
    )
    assert abs(found.root - 0.05) < 4 * found.root_se
    assert found.value is not None and found.value <= found.root + 0.005


def test_a_decided_answer_says_so_and_an_impossible_one_too() -> None:
    found = search_design(
        DESIGN, PEOPLE, goal=Goal(figure="n", at_least=99), over="n", effort=Effort(100, 100)
    )
    assert found.decided and found.value == 100 and found.fails == 98
    none = search_design(
        DESIGN, PEOPLE, goal=Goal(at_least=0.99), between=(10, 40), effort=Effort(200, 200)
    )
    assert none.value is None and "no value of n" in none.reason and not none.limits


def test_sizes_scale_looks_in_proportion() -> None:
    plan = PLAN | {"rule": {"kind": "reestimation", "maximum": 200, "looks": {"at": [50, 100]}}}
    bigger, _ = resized(TrialDesign.parse(plan), None, "n", 150)
    assert bigger.n == 150 and bigger.rule.looks.at == (75, 150) and bigger.rule.maximum == 300
    later, _ = resized(OS, None, "events", 330)
    assert later.rule.looks.at == (110, 220, 330) and later.n == 528
    own = TrialDesign.parse(PLAN | {"population": PEOPLE.model_dump(mode="json")})
    assert resized(own, None, "n", 150)[1] == PEOPLE
    with pytest.raises(InputError, match="no looks by events"):
        resized(DESIGN, None, "events", 100)


def test_faults_are_told_all_at_once() -> None:
    with pytest.raises(InputError) as caught:
        search_design(DESIGN, PEOPLE, goal=Goal(at_least=0.9), over="rule.alpha", step=-1,
                      between=(2, 1), effort=Effort(first=0))
    assert len(caught.value.faults) == 3
    with pytest.raises(InputError, match="either"):
        Goal(at_least=0.9, at_most=0.95)
    with pytest.raises(InputError, match="figure"):
        search_design(DESIGN, PEOPLE, goal=Goal(figure="pwer", at_least=0.9))
