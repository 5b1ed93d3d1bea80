"""Simulated operating characteristics against formulas.

Each figure must lie within 3 Monte Carlo standard errors of its formula: a false-alarm rate of
.0027 a figure were the seed free; it is fixed, so the tests are not flaky.
"""

from math import sqrt
from typing import Any

import numpy as np
import pytest
from scipy.stats import nct, t

from simulation import TrialDesign, simulate
from simulation.trial import ParametricPopulation, TwinPopulation
from simulation.trial.boundaries import group_sequential, power_means
from simulation.trial.characteristics import Measured, summarise
from simulation.trial.conduct import _payload
from simulation.trial.replicate import replicate

REPLICATES = 20_000
POPULATION = ParametricPopulation(mean=30, sd=8, correlations={"score": 0.6})
PLAN: dict[str, Any] = {
    "arms": [{"name": "P", "control": True}, {"name": "A"}],
    "endpoint": {"variable": "y", "visit": "w"},
    "dropout": "none",
    "analysis": "t",
    "n": 172,
    "effect": -4.0,
}


def _within(measured: Measured, expected: float, replicates: int = REPLICATES) -> bool:
    """Within 3 SE; a share's SE is that of the expected value."""
    se = sqrt(expected * (1 - expected) / replicates)
    return abs(measured.value - expected) <= 3 * se


@pytest.mark.parametrize("allocation", [1, 2])
def test_fixed_t_test(allocation: int) -> None:
    arms = [{"name": "P", "control": True}, {"name": "A", "allocation": allocation}]
    design = TrialDesign.parse(PLAN | {"arms": arms, "n": 174})
    result = simulate(design, POPULATION, REPLICATES)
    expected = power_means(174, 0.5, allocation=allocation / (allocation + 1))
    assert _within(result.power, expected)
    assert _within(result.type_one_error, 0.025)
    for scenario in result.scenarios:
        assert abs(scenario.bias.value) <= 3 * scenario.bias.se
        assert scenario.expected_n == Measured(174.0, 0.0)


def test_fixed_ancova_gains_what_the_score_explains() -> None:
    """A normal covariate costs a factor (n - 3)/(n - 4) of variance by chance imbalance, as
    E[1/(1 - R^2)] = (n - 3)/(n - 4) where 1 - R^2 ~ Beta((n - 2)/2, 1/2)."""
    n = 120
    plan = PLAN | {"analysis": "ancova", "covariates": ["score"], "n": n}
    result = simulate(TrialDesign.parse(plan), POPULATION, REPLICATES)
    shift = 0.5 * sqrt(n / 4) / 0.8 * sqrt((n - 4) / (n - 3))
    assert _within(result.power, float(nct.sf(t.isf(0.025, n - 3), n - 3, shift)))
    assert _within(result.type_one_error, 0.025)


@pytest.mark.parametrize(
    ("boundary", "looks"), [("obrien_fleming", 3), ("pocock", 3), ("pocock", [0.25, 0.4, 1.0])]
)
def test_group_sequential_stopping_is_that_of_the_integrals(boundary: Any, looks: Any) -> None:
    n = 400
    plan = PLAN | {"boundary": boundary, "looks": looks, "n": n, "effect": -2.6}
    design = TrialDesign.parse(plan)
    result = simulate(design, POPULATION, REPLICATES)
    theory = group_sequential(boundary, looks)
    for effect in (0.0, -2.6):
        theta = -effect / 8 * sqrt(n / 4)
        scenario = result.scenario(effect)
        stages = theory.stages(theta)
        for measured, expected in zip(scenario.stopping, stages, strict=True):
            assert _within(measured, float(expected))
        assert _within(scenario.rejection, float(stages.sum()))
        info = scenario.expected_information
        assert abs(info.value - theory.information(theta)) <= 3 * info.se + 0.5 / n
        size = scenario.expected_n
        assert abs(size.value - n * theory.information(theta)) <= 3 * size.se + 0.5
    assert result.scenario(-2.6).bias.value < 0, "early stops overstate the benefit"


def test_dropout_at_random_costs_patients_and_keeps_the_level() -> None:
    result = simulate(TrialDesign.parse(PLAN | {"dropout": 0.2}), POPULATION, REPLICATES)
    sizes, counts = np.unique(result.table["completers"][:, 0], return_counts=True)
    powers = np.array([power_means(float(m), 0.5) for m in sizes])
    # Chance imbalance of the arms among m completers costs about 1/m of the information.
    assert abs(result.power.value - counts @ powers / REPLICATES) <= 3 * result.power.se + 0.002
    assert _within(result.type_one_error, 0.025)


def test_the_level_holds_for_skewed_twins_drawn_from_a_table() -> None:
    import pandas as pd

    from generation.randomness import Stream

    draws = Stream(4, "skewed").uniform(patient=np.arange(300))
    table = pd.DataFrame({"y": -np.log(draws)})
    population = TwinPopulation.from_table(table, "y")
    design = TrialDesign.parse(PLAN | {"looks": 2, "effect": 0.4, "n": 200})
    assert _within(simulate(design, population, REPLICATES).type_one_error, 0.025)


def test_a_planted_wrong_critical_value_fails_the_same_check() -> None:
    """Testing three times at 1.96 has a level of about .054 (Armitage et al. 1969)."""
    design = TrialDesign.parse(PLAN | {"looks": 3})
    facts = POPULATION.describe()
    naive = _payload(design, facts, 0) | {"critical": [1.959964] * 3}
    table = replicate(naive, 0, 4000)
    wrong = summarise(design, facts, 0, table).type_one_error
    assert not _within(wrong, 0.025, 4000)
    right = replicate(_payload(design, facts, 0), 0, 4000)
    assert _within(summarise(design, facts, 0, right).type_one_error, 0.025, 4000)


def test_a_planted_slight_error_is_seen_at_full_size() -> None:
    """The critical values of a level of .03 in place of .025 do not pass."""
    design = TrialDesign.parse(PLAN)
    facts = POPULATION.describe()
    loose = group_sequential(looks=1, alpha=0.03).critical
    wrong = replicate(_payload(design, facts, 0) | {"critical": list(loose)}, 0, REPLICATES)
    assert not _within(summarise(design, facts, 0, wrong).type_one_error, 0.025)
