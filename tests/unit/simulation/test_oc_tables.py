"""Tables of a simulated design: boundaries by share of alpha, limits, one long table."""

from typing import Any

import pytest
from scipy.stats import binomtest

from simulation.operating_characteristics.tables import (
    boundaries,
    long_table,
    monte_carlo_limits,
    spread,
)
from simulation.operating_characteristics.vary import value_at
from simulation.operating_characteristics.verification import verify
from simulation.trial import ParametricPopulation, TrialDesign, simulate

PLAN: dict[str, Any] = {
    "arms": [{"name": "P", "control": True}, {"name": "A"}],
    "endpoints": [
        {"kind": "continuous", "name": "y", "visits": [30]},
        {"kind": "continuous", "name": "x", "visits": [30]},
    ],
    "n": 40,
    "hypotheses": [{"endpoint": "y", "share": 0.8}, {"endpoint": "x", "share": 0.2}],
    "rule": {"kind": "group_sequential", "looks": {"number": 2}},
    "scenarios": [{"name": "real", "effects": [{"arm": "A", "endpoint": "y", "shift": 0.8}]}],
}
DESIGN = TrialDesign.parse(PLAN)
PEOPLE = ParametricPopulation(outcomes={"y": {"kind": "continuous"}, "x": {"kind": "continuous"}})


def test_each_share_of_alpha_has_its_boundary() -> None:
    held = boundaries(DESIGN)
    assert [b["alpha"] for b in held] == pytest.approx([0.02, 0.005])
    assert held[0]["hypotheses"] == ["A: y"] and held[1]["hypotheses"] == ["A: x"]
    assert [look["at"] for look in held[0]["looks"]] == [20, 40]
    assert held[0]["looks"][0]["critical"] < held[1]["looks"][0]["critical"]


def test_closed_tests_hold_every_arm_to_the_whole_alpha() -> None:
    arms = [*PLAN["arms"], {"name": "B"}]
    rule = {"kind": "multi_arm", "looks": {"number": 2}}
    held = boundaries(
        TrialDesign.parse(PLAN | {"arms": arms, "hypotheses": [{"endpoint": "y"}], "rule": rule})
    )
    assert [(b["share"], b["hypotheses"]) for b in held] == [(1.0, ["A: y", "B: y"])]


def test_limits_are_the_exact_binomial_ones() -> None:
    exact = binomtest(17, 400).proportion_ci(0.95, method="exact")
    assert monte_carlo_limits(17 / 400, 400) == pytest.approx((exact.low, exact.high))
    assert monte_carlo_limits(0.0, 50)[0] == 0.0


def test_the_long_table_has_every_figure_of_the_result() -> None:
    found = simulate(DESIGN, PEOPLE, 80, seed=1)
    table = long_table(found).set_index(["scenario", "figure", "of"])
    row = table.loc[("real", "rejection", "A: y")]
    assert row["value"] == found.scenarios[1].hypotheses[0].rejection.value
    assert row["low"] < row["value"] < row["high"]
    assert set(table.index.get_level_values("figure")) >= {"bias", "rmse", "coverage", "duration"}
    quantiles = spread(found)["real"]["n"]
    assert quantiles["q05"] >= 20 and quantiles["q95"] <= 40


def test_what_stands_at_a_path_is_found() -> None:
    assert value_at(DESIGN, PEOPLE, "scenarios.real.effects.0.shift") == 0.8
    assert value_at(DESIGN, PEOPLE, "population.outcomes.y.sd") == 1.0


def test_verification_agrees_and_says_against_what() -> None:
    found = simulate(DESIGN, PEOPLE, 60, seed=4)
    told: list[str] = []
    checks = verify(DESIGN, PEOPLE, found, progress=lambda what, _: told.append(what))
    assert all(check["agrees"] for check in checks) and len(checks) == 14
    assert {check["kind"] for check in checks} == {"exact", "simulated"}
    assert told[-2:] == ["level", "14 checks"]


def test_verification_sees_a_result_of_another_seed() -> None:
    found = simulate(DESIGN, PEOPLE, 60, seed=4)
    object.__setattr__(found, "seed", 5)
    replayed = next(c for c in verify(DESIGN, PEOPLE, found) if "replayed" in c["what"])
    assert not replayed["agrees"]
