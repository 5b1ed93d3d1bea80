"""Designs on common random numbers: paired differences and their errors."""

from typing import Any

import numpy as np
import pytest

from extraction.records import InputError
from simulation.operating_characteristics import compare
from simulation.trial import ParametricPopulation, TrialDesign, simulate

PLAN: dict[str, Any] = {
    "arms": [{"name": "P", "control": True}, {"name": "A"}],
    "endpoints": [{"kind": "continuous", "name": "y", "visits": [30]}],
    "n": 60,
    "scenarios": [{"name": "real", "effects": [{"arm": "A", "endpoint": "y", "shift": 0.7}]}],
}
TWO_LOOKS = {"rule": {"kind": "group_sequential", "looks": {"number": 2}}}
FIXED = TrialDesign.parse(PLAN)
LOOKED = TrialDesign.parse(PLAN | TWO_LOOKS)
PEOPLE = ParametricPopulation(outcomes={"y": {"kind": "continuous"}})


def _row(frame: Any, **where: str) -> Any:
    for name, value in where.items():
        frame = frame[frame[name] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_differences_are_those_within_replicates() -> None:
    found = compare({"fixed": FIXED, "looks": LOOKED}, PEOPLE, 300, seed=2)
    tables = [simulate(d, PEOPLE, 300, seed=2).table for d in (FIXED, LOOKED)]
    gap = tables[1]["n"][:, 1] - tables[0]["n"][:, 1]
    row = _row(found.frame, design="looks", scenario="real", figure="n")
    assert row.difference == pytest.approx(gap.mean()) and row.difference < 0
    assert row.difference_se == pytest.approx(gap.std(ddof=1) / np.sqrt(300))
    assert found.against == "fixed" and len(found.frame) == 2 * 2 * 3


def test_sharing_patients_makes_the_power_difference_sharper() -> None:
    found = compare({"fixed": FIXED, "looks": LOOKED}, PEOPLE, 300, seed=2)
    row = _row(found.frame, design="looks", scenario="real", figure="any_rejection")
    assert row.difference_se < 0.6 * row.unpaired_se


def test_a_design_against_itself_differs_by_nothing() -> None:
    found = compare({"one": FIXED, "other": FIXED}, PEOPLE, 50, figures=["n", "estimate A: y"])
    assert (found.frame["difference"] == 0).all() and (found.frame["difference_se"] == 0).all()


def test_scenarios_that_not_all_have_are_left_out() -> None:
    without = TrialDesign.parse(PLAN | {"scenarios": []})
    found = compare({"one": FIXED, "other": without}, PEOPLE, 20)
    assert set(found.frame["scenario"]) == {"no effect"}


def test_one_design_is_no_comparison() -> None:
    with pytest.raises(InputError) as caught:
        compare({"one": FIXED}, PEOPLE, 0)
    assert len(caught.value.faults) == 2
