"""Power formulas of PROCOVA and of the single-arm trial with twins hold in simulated trials.

The grid of `benchmarks.power_formulas` at 1,500 trials a cell; tolerances are Bonferroni's at 1 %
over all cells of a test. Seeds were fixed before the first run.
"""

from dataclasses import replace
from typing import Any

import pytest
from scipy.stats import norm

from benchmarks.power_formulas import (
    ALPHA,
    PARTS,
    SingleArm,
    procova_nulls,
    shares,
    single_arm_nulls,
)
from simulation.analysis.planning import SingleArmPlan, power

TRIALS = 1_500
POWERS = [name for name in PARTS if name.startswith("power")]


@pytest.mark.parametrize("part", POWERS)
def test_simulated_power_is_the_formulas(part: str) -> None:
    """Simulated (1,500): every cell of the grid, two-sided."""
    cells = list(PARTS[part](TRIALS))
    tolerance = norm.isf(0.01 / len(cells) / 2)
    assert all(abs(cell.errors) <= tolerance for cell in cells)


def test_the_level_is_held_by_useless_and_misaligned_scores() -> None:
    """Simulated (1,500): no cell lies above .05 by more than chance."""
    cells = [*procova_nulls(TRIALS), *single_arm_nulls(TRIALS)]
    tolerance = norm.isf(0.01 / len(cells))
    assert len(cells) == 38 and all(cell.errors <= tolerance for cell in cells)


def test_a_drift_that_was_not_planned_breaks_the_level() -> None:
    """Simulated (1,500), a planted error: controls' means vary between trials, the plan says no."""
    drifting = SingleArm(SingleArmPlan(1.0, 1.0, 100, 500, tau2=0.09), 80)
    blind = replace(drifting, plan=replace(drifting.plan, tau2=0.0))

    def moved(rng: Any, r: int) -> Any:
        return blind.trial(rng, r, 0.3 * rng.standard_normal((r, 1)))

    cell = shares("planted drift", ALPHA, TRIALS, moved)
    sound = shares("planned drift", ALPHA, TRIALS, lambda rng, r: drifting.trial(rng, r, 0.0))
    assert sound.errors < 4 < cell.errors


def test_small_samples_cost_power() -> None:
    plan = SingleArmPlan(1.0, 1.0, 60, 500)
    gap = plan.detectable(20, power_wanted=0.85)
    assert plan.power(gap, 20) == pytest.approx(0.85, abs=1e-6)
    assert 0.80 < plan.power(gap, 20, small_sample=True) < 0.845
    assert plan.power(0.0, 20, small_sample=True) == pytest.approx(ALPHA, abs=1e-9)
    assert power(0.5, 1.0, 60, rho=0.5, covariates=1) < power(0.5, 1.0, 60, rho=0.5)
