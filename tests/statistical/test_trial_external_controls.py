"""Simulated trials with external controls against what is known in closed form.

Tolerances are 3.7 Monte Carlo standard errors (two-sided false-alarm rate 2e-4 a figure).
"""

from math import sqrt
from typing import Any

import pytest
from scipy.stats import norm

from simulation.analysis.planning import SingleArmPlan
from simulation.trial import TrialDesign, simulate

REPLICATES = 4000
HYBRID: dict[str, Any] = {
    "arms": [{"name": "C", "control": True}, {"name": "A", "allocation": 2}],
    "n": 300,
    "endpoints": [{"kind": "continuous", "name": "y"}],
    "population": {"kind": "parametric", "outcomes": {"y": {"kind": "continuous"}}},
    "external_controls": {"n": 150},
    "scenarios": [
        {"name": "works", "effects": [{"arm": "A", "endpoint": "y", "shift": 0.3}]},
        {"name": "worse", "external_drift": -0.2},
        {"name": "far", "external_drift": -1.0},
    ],
}


def _near(found: Any, expected: float, wide: float = 3.7, n: int = REPLICATES) -> bool:
    return bool(abs(found.value - expected) < wide * sqrt(expected * (1 - expected) / n))


def _simulated(analysis: dict[str, Any], **more: Any) -> Any:
    held = {"hypotheses": [{"endpoint": "y", "analysis": analysis}]}
    return simulate(TrialDesign.parse(HYBRID | held | more), replicates=REPLICATES)


def _rejects(effect: float, bias: float, se: float) -> float:
    return float(norm.sf(norm.isf(0.025) - (effect + bias) / se))


@pytest.mark.parametrize("power", [1.0, 0.5])
def test_borrowing_at_a_fixed_discount_is_as_the_closed_form_says(power: float) -> None:
    """Own controls' mean weighs 100, the external one 150 a; the rest is the normal law."""
    found = _simulated({"kind": "power_prior", "power": power, "stop": None})
    own, other = 100.0, 150.0 * power
    share = other / (own + other)
    stated = sqrt(1 / 200 + 1 / (own + other))
    true = sqrt(1 / 200 + (1 - share) ** 2 / 100 + share**2 / 150)
    for name, effect, drift in (
        ("no effect", 0.0, 0.0), ("works", 0.3, 0.0), ("worse", 0.0, -0.2)
    ):  # fmt: skip
        expected = norm.sf((norm.isf(0.025) * stated - effect + share * drift) / true)
        told = found.scenario(name).hypotheses[0]
        assert _near(told.rejection, float(expected)), name
        assert abs(told.bias.value + share * drift) < 3.7 * told.bias.se
    assert found.scenario("worse").any_rejection.value > 0.1


def test_borrowing_gains_power_where_nothing_drifts() -> None:
    plain = {k: v for k, v in HYBRID.items() if k not in ("external_controls", "scenarios")}
    plain |= {"scenarios": HYBRID["scenarios"][:1]}
    alone = simulate(TrialDesign.parse(plain), replicates=REPLICATES).power.value
    for kind in ("power_prior", "normalised_power_prior", "commensurate_prior", "robust_map"):
        found = _simulated({"kind": kind})
        gain = found.scenario("works").any_rejection.value - alone
        # Both see the same patients: the difference of two such shares has less than this error.
        assert gain > 3.7 * sqrt(2 * 0.25 / REPLICATES) - 0.02 * (kind == "robust_map"), kind
        far = found.scenario("far").hypotheses[0].borrowing
        assert far is not None and far.stopped.value > 0.99
        assert _near(found.scenario("far").any_rejection, 0.025, 4.5)


def test_the_stop_is_as_often_as_the_normal_law_says() -> None:
    found = _simulated({"kind": "power_prior", "stop": {"min_conflict_p": 0.1}})
    spread = sqrt(1 / 100 + 1 / 150)
    for name, drift in (("no effect", 0.0), ("worse", 0.2)):
        z = norm.isf(0.05)
        expected = norm.sf(z - drift / spread) + norm.sf(z + drift / spread)
        told = found.scenario(name).hypotheses[0].borrowing
        assert told is not None and _near(told.stopped, float(expected), 4.5), name


@pytest.mark.parametrize(("n_train", "spread"), [(60, 0.0), (60, 0.1), (None, 0.0)])
def test_single_arm_power_is_the_formulas(n_train: int | None, spread: float) -> None:
    """Both tails of the formula at .05; the trial's test is one-sided at .025."""
    plan = HYBRID | {
        "arms": [{"name": "C", "control": True, "allocation": 0}, {"name": "A"}],
        "n": 80,
        "external_controls": {"n": 200, "n_train": n_train, "spread": spread},
        "scenarios": [{"name": "works", "effects": [{"arm": "A", "endpoint": "y", "shift": 0.5}]}],
    }
    analysis = {"kind": "external_difference", "tau": spread, "stop": None}
    held = {"hypotheses": [{"endpoint": "y", "analysis": analysis}]}
    found = simulate(TrialDesign.parse(plan | held), replicates=REPLICATES)
    # Real controls: as many behind them as there are, and no synthesis that adds to them.
    made = {"n_train": 200, "n_synthetic": 1e12} if n_train is None else {
        "n_train": n_train, "n_synthetic": 200
    }  # fmt: skip
    formula = SingleArmPlan(1.0, 1.0, tau2=spread**2, **made)
    assert _near(found.power, formula.power(0.5, 80, small_sample=True))
    assert _near(found.type_one_error, 0.025)


@pytest.mark.parametrize("kind", ["external_weights", "external_aipw"])
def test_weights_mend_a_measured_drift(kind: str) -> None:
    """External controls are older by half an SD, and age explains half of the variance."""
    people = {
        "kind": "parametric",
        "covariates": [{"kind": "normal", "name": "age", "mean": 0, "sd": 1}],
        "outcomes": {"y": {"kind": "continuous", "coefficients": {"age": 0.7}, "sd": 0.7}},
    }
    older = people | {
        "covariates": [{"kind": "normal", "name": "age", "mean": 0.5, "sd": 1}],
        "outcomes": {"y": {"kind": "continuous", "coefficients": {"age": 0.7}, "sd": 0.7,
                           "mean": 0.35}},
    }  # fmt: skip
    plan = HYBRID | {
        "arms": [{"name": "C", "control": True, "allocation": 0}, {"name": "A"}],
        "n": 80,
        "population": people,
        "external_controls": {"n": 300, "population": older},
        "scenarios": [],
    }
    naive = {"kind": "external_difference", "stop": None}
    mended = {"kind": kind, "covariates": ["age"], "stop": None}
    told = []
    for analysis in (naive, mended):
        held = {"hypotheses": [{"endpoint": "y", "analysis": analysis}]}
        told.append(simulate(TrialDesign.parse(plan | held), replicates=1000).scenarios[0])
    assert told[0].hypotheses[0].bias.value < -0.3
    assert abs(told[1].hypotheses[0].bias.value) < 3.7 * told[1].hypotheses[0].bias.se
    coverage = told[1].hypotheses[0].coverage.value
    assert abs(coverage - 0.95) < 4.5 * sqrt(0.95 * 0.05 / 1000)
