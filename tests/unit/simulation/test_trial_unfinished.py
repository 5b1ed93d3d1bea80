"""MMRM at an interim look: visits due count, also of patients whose last is still to come."""

from typing import Any

import numpy as np
import pytest

from simulation import TrialDesign, simulate
from simulation.trial import ParametricPopulation
from simulation.trial.replay import replay

PLAN: dict[str, Any] = {
    "arms": [{"name": "P", "control": True}, {"name": "A"}],
    "n": 120,
    "enrolment": {"duration": 60, "process": "even"},
    "endpoints": [{"kind": "continuous", "name": "y", "visits": [10, 30]}],
    "hypotheses": [
        {"endpoint": "y", "share": 0.5,
         "analysis": {"kind": "mmrm", "covariance": ["unstructured"]}},
        {"endpoint": "y", "share": 0.5},
    ],
    "rule": {"kind": "group_sequential", "boundary": {"family": "haybittle_peto"},
             "looks": {"by": "time", "at": [60, 90]}},
}  # fmt: skip
PEOPLE = ParametricPopulation(outcomes={"y": {"kind": "continuous", "visit_correlation": 0.8}})


def _first(looks: dict[str, Any]) -> Any:
    design = TrialDesign.parse(PLAN | {"rule": PLAN["rule"] | {"looks": looks}})
    found = replay(design, PEOPLE, seed=3)
    both = found.looks[found.looks["look"] == 1]
    return both, found.patients


def test_the_model_gains_from_courses_that_are_not_finished() -> None:
    both, _ = _first({"by": "time", "at": [60, 90]})
    mmrm, completers = both["se"]
    # 100 of 120 have their first visit by 60, 60 their last.
    assert mmrm < completers
    ended = simulate(
        TrialDesign.parse(PLAN | {"rule": {"kind": "fixed", "looks": {"by": "time", "at": [60]}}}),
        PEOPLE, 200, seed=1,
    )  # fmt: skip
    assert set(ended.table["analysed"].ravel()) == {100.0}
    se = ended.table["se"][:, 0].mean(axis=0)
    # Information on the last visit of who has the first alone: the squared correlation.
    gained = se[1] ** 2 / se[0] ** 2
    assert gained == pytest.approx(1 / (1 - 0.64 * 40 / 100), abs=0.05)


def test_looks_by_patients_see_those_who_come_after_the_last_counted() -> None:
    both, patients = _first({"by": "patients", "at": [40, 120]})
    counted = patients["look 1: counts"]
    assert counted.sum() == 40
    # The last of 40 comes at 19.75, his last visit is at 49.75; by then 79 have their first.
    assert both["se"].iloc[0] < both["se"].iloc[1]


def test_the_last_look_is_the_analysis_of_all() -> None:
    plain = TrialDesign.parse(PLAN | {"rule": {"kind": "fixed"}})
    late = PLAN | {"rule": {"kind": "fixed", "looks": {"by": "time", "at": [500]}}}
    one, other = (simulate(d, PEOPLE, 20, seed=2) for d in (plain, TrialDesign.parse(late)))
    assert np.array_equal(one.table["estimate"], other.table["estimate"])
