"""Grids over assumptions: paths, the largest type I error with its interval, surfaces."""

from typing import Any

import numpy as np
import pytest

from extraction.records import InputError
from simulation.operating_characteristics import null_grid, surface
from simulation.operating_characteristics.grid import exact_interval
from simulation.operating_characteristics.vary import value_at, varied
from simulation.trial import ParametricPopulation, TrialDesign, simulate

PLAN: dict[str, Any] = {
    "arms": [{"name": "P", "control": True}, {"name": "A"}],
    "endpoints": [{"kind": "binary", "name": "cure", "visit": 30}],
    "n": 80,
    "dropout": {"kind": "share", "share": 0.1},
    "enrolment": {"ramp": [{"rate": 2}]},
    "scenarios": [{"name": "real", "effects": [{"arm": "A", "endpoint": "cure", "odds_ratio": 4}]}],
}
DESIGN = TrialDesign.parse(PLAN)
PEOPLE = ParametricPopulation(outcomes={"cure": {"kind": "binary", "probability": 0.3}})
RATE, SHARE = "population.outcomes.cure.probability", "dropout.share"


def test_paths_reach_design_population_lists_and_names() -> None:
    design, people = varied(
        DESIGN,
        PEOPLE,
        {
            RATE: 0.4,
            "enrolment.ramp.0.rate": 5,
            "scenarios.real.effects.0.odds_ratio": 2.0,
            "n": 90,
        },
    )
    assert people.outcomes["cure"].probability == 0.4
    assert design.enrolment.ramp[0].rate == 5 and design.n == 90
    assert design.scenarios[0].effects[0].odds_ratio == 2.0
    assert PEOPLE.outcomes["cure"].probability == 0.3  # type: ignore[union-attr]


def test_paths_to_nowhere_are_told_all_at_once() -> None:
    with pytest.raises(InputError) as caught:
        varied(DESIGN, PEOPLE, {"dropout.shar": 1, "scenarios.unreal.name": "a", "n.x": 2})
    told = caught.value.faults
    assert len(told) == 3 and "did you mean share" in told[0] and "there are real" in told[1]
    with pytest.raises(InputError, match="design"):
        varied(DESIGN, PEOPLE, {"dropout.share": 2})


def test_every_null_is_simulated_and_the_largest_is_reported() -> None:
    grid = null_grid(DESIGN, PEOPLE, over={RATE: [0.3, 0.5], SHARE: [0, 0.3]}, replicates=200)
    assert len(grid.frame) == 4
    assert grid.maximum == grid.frame["value"].max()
    chosen = grid.frame[(grid.frame[list(grid.where)] == list(grid.where.values())).all(axis=1)]
    assert chosen["value"].item() == grid.maximum
    assert (grid.frame["low"] <= 0.025).all() and (grid.frame["high"] >= 0.025).all()
    assert grid.low <= grid.maximum <= grid.high
    alone, people = varied(DESIGN, PEOPLE, grid.where)
    assert simulate(alone, people, 200).type_one_error.value == grid.maximum


def test_a_planted_inflation_shows() -> None:
    """A level of .2 in the rule: its interval leaves out .025 (200 replicates, simulated)."""
    loose = TrialDesign.parse(PLAN | {"rule": {"kind": "fixed", "alpha": 0.2}})
    grid = null_grid(loose, PEOPLE, over={SHARE: [0, 0.1]}, replicates=200)
    assert grid.low > 0.025


def test_exact_intervals_meet_their_definition() -> None:
    """Exact: at 0 of n the upper limit u has (1 - u)^n = .025, and at n of n the mirror image."""
    low, high = exact_interval(np.array([0, 84]), 84, 0.95)
    assert low[0] == 0 and high[0] == pytest.approx(1 - 0.025 ** (1 / 84), rel=1e-9)
    assert high[1] == 1 and low[1] == pytest.approx(0.025 ** (1 / 84), rel=1e-9)


def test_a_surface_is_tidy_and_falls_with_dropout() -> None:
    table = surface(
        DESIGN,
        PEOPLE,
        over={"scenarios.real.effects.0.odds_ratio": [2.0, 4.0], SHARE: [0.0, 0.5]},
        replicates=300,
    )
    assert list(table.columns)[-2:] == ["value", "se"] and len(table) == 4
    power = table["value"].to_numpy().reshape(2, 2)
    # Signs only: the gaps are above .1 by the normal approximation, four combined SE and more.
    assert np.all(power[1] > power[0]) and np.all(power[:, 0] > power[:, 1])
    with pytest.raises(InputError, match="a surface has two"):
        surface(DESIGN, PEOPLE, over={SHARE: [0.1]})


def test_empty_grids_are_refused() -> None:
    with pytest.raises(InputError, match="no values came"):
        null_grid(DESIGN, PEOPLE, over={SHARE: []})
    with pytest.raises(InputError, match="no parameter came"):
        null_grid(DESIGN, PEOPLE, over={})


def test_every_fault_of_all_cells_names_the_values_that_it_comes_from() -> None:
    with pytest.raises(InputError) as caught:
        surface(DESIGN, PEOPLE, over={SHARE: [0.01, -0.02, "x"], "n": [90, 0]})
    told = caught.value.faults
    assert [fault.split(": ")[0] for fault in told] == ["n=0", f"{SHARE}=-0.02", f"{SHARE}=x"]
    with pytest.raises(InputError) as caught:
        null_grid(DESIGN, PEOPLE, over={"dropout.shar": [1, 2], "n": [0]})
    assert [fault.split(": ")[0] for fault in caught.value.faults] == ["dropout.shar", "n=0"]


def test_values_that_do_not_go_together_are_told_together() -> None:
    late = TrialDesign.parse(
        PLAN | {"rule": {"kind": "group_sequential", "looks": {"at": [40, PLAN["n"]]}}}
    )
    over = {"n": [PLAN["n"], 60], "rule.looks.at": [[40, PLAN["n"]], [30, 60]]}
    with pytest.raises(InputError, match="last look is beyond the 60") as caught:
        surface(late, PEOPLE, over=over)
    assert len(caught.value.faults) == 1


def test_names_with_dots_are_reached_and_the_longest_wins() -> None:
    real = PLAN["scenarios"][0]
    named = [real, real | {"name": "HR .67"}, real | {"name": "HR .67.effects"}]
    design = TrialDesign.parse(PLAN | {"scenarios": named})
    for path, place in (
        ("scenarios.HR .67.name", 1),
        ("scenarios.HR .67.effects.name", 2),
        ("scenarios.0.name", 0),
    ):
        assert value_at(design, PEOPLE, path) == named[place]["name"]
    changed, _ = varied(design, PEOPLE, {"scenarios.HR .67.effects.effects.0.odds_ratio": 5.0})
    assert [s.effects[0].odds_ratio for s in changed.scenarios][2] == 5.0
    with pytest.raises(InputError, match=r"'HR ' is nothing there; there are real, HR \.67"):
        value_at(design, PEOPLE, "scenarios.HR .7.name")
