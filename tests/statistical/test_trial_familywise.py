"""Familywise errors of full and of partial nulls against closed forms.

Simulated (8,000 replicates, seeds fixed before the first run): 6 figures within z = 3.2 standard
errors, a false alarm in about 1 % of correct programs.
"""

from math import sqrt
from typing import Any

import numpy as np
from scipy.stats import multivariate_normal, norm

from simulation.trial import ParametricPopulation, TrialDesign, simulate
from simulation.trial.moments import Measured

REPLICATES = 8_000
Z = 3.2
ALPHA = 0.025
PEOPLE = ParametricPopulation(
    covariates=[
        {"kind": "category", "name": "marker", "categories": ["no", "yes"], "shares": [0.5, 0.5]}
    ],
    outcomes={"a": {"kind": "continuous"}, "b": {"kind": "continuous"}},
)
PLAN: dict[str, Any] = {
    "n": 400,
    "arms": [{"name": "C", "control": True}, {"name": "T"}],
    "endpoints": [{"kind": "continuous", "name": "a"}, {"kind": "continuous", "name": "b"}],
    "rule": {"kind": "fixed", "alpha": ALPHA},
}


def _near(found: Measured | None, expected: float) -> bool:
    assert found is not None
    return abs(found.value - expected) <= Z * sqrt(expected * (1 - expected) / REPLICATES)


def _effect(arm: str, endpoint: str, shift: float, **more: Any) -> dict[str, Any]:
    return {"arm": arm, "endpoint": endpoint, "shift": shift, **more}


def test_two_independent_endpoints_each_at_full_alpha() -> None:
    """One rejection or more of two true hypotheses: 1 - (1 - alpha)^2; of one: alpha."""
    plan = PLAN | {
        "hypotheses": [{"endpoint": "a"}, {"endpoint": "b"}],
        "scenarios": [{"name": "a works", "effects": [_effect("T", "a", 0.5)]}],
    }
    result = simulate(TrialDesign.parse(plan), PEOPLE, REPLICATES, seed=51)
    null, works = result.scenarios
    assert _near(null.familywise_error, 1 - (1 - ALPHA) ** 2)
    assert _near(null.all_rejections, ALPHA**2)
    assert _near(works.familywise_error, ALPHA)
    # Power and a false rejection are not one: the first rejection is true here.
    assert works.any_rejection.value > 0.99
    assert any("have 2 times alpha together" in limit for limit in result.limits)


def test_arms_that_share_a_control() -> None:
    """Bonferroni over two arms with z correlated .5, and one arm alone where the other works."""
    plan = PLAN | {
        "n": 600,
        "arms": [*PLAN["arms"], {"name": "U"}],
        "hypotheses": [{"endpoint": "a"}],
        "scenarios": [{"name": "U works", "effects": [_effect("U", "a", 0.5)]}],
    }
    result = simulate(TrialDesign.parse(plan), PEOPLE, REPLICATES, seed=52)
    z = norm.isf(ALPHA / 2)
    below = multivariate_normal(np.zeros(2), [[1, 0.5], [0.5, 1]]).cdf([z, z])
    null, works = result.scenarios
    assert _near(null.familywise_error, 1 - float(below))
    assert _near(works.familywise_error, ALPHA / 2)


def test_a_subgroup_in_which_nothing_works() -> None:
    """All patients' hypothesis is false, that of half of them true: its own level is left."""
    where = {"marker": "yes"}
    plan = PLAN | {
        "hypotheses": [
            {"endpoint": "a", "share": 0.6},
            {"endpoint": "a", "share": 0.4, "subgroup": {"name": "carriers", "where": where}},
        ],
        "scenarios": [
            {"name": "others", "effects": [
                _effect("T", "a", 1.0), _effect("T", "a", 0.0, where=where)]}
        ],
    }
    others = simulate(TrialDesign.parse(plan), PEOPLE, REPLICATES, seed=53).scenarios[1]
    assert [tested.null for tested in others.hypotheses] == [False, True]
    assert _near(others.familywise_error, 0.4 * ALPHA)
