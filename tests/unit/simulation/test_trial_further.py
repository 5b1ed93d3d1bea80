"""Decisions on the way and the cost of a trial are told with their errors."""

from typing import Any

import numpy as np
import pytest

from simulation.operating_characteristics.figures import asked_figure, measured
from simulation.operating_characteristics.tables import long_table
from simulation.trial import ParametricPopulation, TrialDesign, simulate

PEOPLE = ParametricPopulation(outcomes={"y": {"kind": "continuous", "mean": 0, "sd": 1}})
ARMS = [{"name": "C", "control": True}, {"name": "low"}, {"name": "high"}]
EFFECTS = [
    {"arm": "low", "endpoint": "y", "shift": -1.0},
    {"arm": "high", "endpoint": "y", "shift": 1.0},
]
PLAN: dict[str, Any] = {
    "arms": ARMS,
    "n": 120,
    "endpoints": [{"kind": "continuous", "name": "y"}],
    "hypotheses": [{"endpoint": "y", "analysis": {"kind": "ancova"}}],
    "rule": {
        "kind": "multi_arm", "looks": {"at": [60, 120]}, "selection": {"kind": "best"},
        "futility": [0.0],
    },
    "scenarios": [{"name": "high works", "effects": EFFECTS}],
    "costs": {"currency": "kEUR", "fixed": 50, "per_patient": 2, "per_screened": 0.5},
}


def test_dropped_arms_are_counted_and_named() -> None:
    found = simulate(TrialDesign.parse(PLAN), PEOPLE, 200, seed=5)
    works = found.scenario("high works")
    assert set(works.decisions) == {"drops low", "drops high"}
    assert works.decisions["drops low"].value > 0.95 and works.decisions["drops high"].value < 0.01
    null = found.scenario("no effect").decisions
    dropped = found.table["dropped"][:, 0]
    assert null["drops low"].value == dropped[:, 0].mean()
    # One of two goes on, unless both have been rejected: nothing works, so one is dropped.
    assert np.all(dropped.sum(axis=1) >= 1)


def test_arms_of_response_adaptive_designs_are_dropped_by_name() -> None:
    rule = {"kind": "response_adaptive", "looks": {"number": 4}, "superiority": 0.999,
            "inferiority": 0.05}
    design = TrialDesign.parse(PLAN | {"rule": rule, "hypotheses": []})
    found = simulate(design, PEOPLE, 100, seed=2)
    works = found.scenario("high works").decisions
    assert set(works) == {"drops C", "drops low", "drops high"}
    assert works["drops low"].value > works["drops C"].value > works["drops high"].value


def test_cost_is_the_sum_of_its_parts_in_every_replicate() -> None:
    design = TrialDesign.parse(PLAN)
    found = simulate(design, PEOPLE, 50, seed=1)
    table, works = found.table, found.scenario("high works")
    cost = 50 + 2 * table["n"][:, 1] + 0.5 * table["screened"][:, 1]
    assert works.cost is not None and works.cost.value == pytest.approx(cost.mean())
    assert measured(design, table, "cost", "high works") == works.cost
    asked = asked_figure(design, "cost")
    assert (asked.label, asked.share) == ("expected cost in kEUR", False)
    rows = long_table(found).query("scenario == 'high works'").set_index("figure")["value"]
    assert rows["cost"] == works.cost.value
    assert rows["drops low"] == works.decisions["drops low"].value


def test_designs_without_costs_or_further_decisions_tell_none() -> None:
    plan = PLAN | {"rule": {"kind": "fixed"}, "costs": None}
    found = simulate(TrialDesign.parse(plan), PEOPLE, 20)
    assert found.scenarios[0].cost is None and not found.scenarios[0].decisions
