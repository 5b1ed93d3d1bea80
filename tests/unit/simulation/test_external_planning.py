"""Power and sample size of a single-arm trial with twins as controls, and of PROCOVA."""

from __future__ import annotations

import numpy as np
import pytest

from extraction.records.errors import InputError
from simulation.analysis.external_control import control_mean_variance
from simulation.analysis.planning import SingleArmPlan, power, procova_variance, variance_ratio

PLAN = SingleArmPlan(sd_treated=9.0, sd_control=8.0, n_train=120, n_synthetic=500)


def test_the_variance_is_that_of_the_synthetic_control_test():
    plan = SingleArmPlan(9.0, 8.0, 120, 500, copies=4, tau2=0.5)
    expected = 81 / 60 + control_mean_variance(64.0, 120, 500, copies=4, tau2=0.5)
    assert plan.variance(60) == pytest.approx(expected)


def test_without_synthetic_noise_it_is_a_two_arm_trial():
    plan = SingleArmPlan(8.0, 8.0, 100, 1e12)
    assert plan.power(3.0, 100) == pytest.approx(power(3.0, 8.0, 200), abs=0.005)


@pytest.mark.parametrize("rho", [0.0, 0.5])
@pytest.mark.parametrize("wanted", [0.3, 0.8, 0.9])
def test_sizes_and_differences_are_inverses_of_the_power(wanted, rho):
    plan = SingleArmPlan(9.0, 8.0, 200, 800, rho=rho, tau2=0.1)
    n = plan.sample_size(4.0, power_wanted=wanted)
    assert plan.power(4.0, n) == pytest.approx(wanted, abs=1e-9)
    assert plan.detectable(n, power_wanted=wanted) == pytest.approx(4.0, abs=1e-8)
    assert plan.training_size(4.0, n, power_wanted=wanted) == pytest.approx(200, rel=1e-6)


def test_treated_patients_cannot_replace_training_patients():
    assert PLAN.power(2.5, 1e9) == pytest.approx(PLAN.ceiling(2.5), abs=1e-6)
    with pytest.raises(InputError, match="120 training patients"):
        PLAN.sample_size(2.0)
    with pytest.raises(InputError, match="treat more"):
        PLAN.training_size(2.0, 20)


def test_all_faults_of_a_plan_are_told_together():
    with pytest.raises(InputError) as caught:
        SingleArmPlan(0.0, 8.0, -3, 500, tau2=-1.0, rho=1.0)
    assert len(caught.value.faults) == 4
    with pytest.raises(InputError) as caught:
        PLAN.sample_size(0.0, alpha=0.9)
    assert len(caught.value.faults) == 2


@pytest.mark.parametrize(("tau", "difference"), [(0.0, 0.0), (0.0, 3.5), (0.8, 3.5), (0.8, 0.0)])
def test_simulated_power_is_the_formulas(tau, difference):
    """Simulated (20,000 trials): the controls' model knows the mean of n_train patients only.

    Within 4 standard errors of power and of the naive test's type I error.
    """
    plan = SingleArmPlan(9.0, 8.0, 120, 500, tau2=tau**2)
    rng, n, size = np.random.default_rng(17), 80, 20_000
    treated = rng.normal(difference, 9.0 / np.sqrt(n), size)
    learnt = rng.normal(0, np.hypot(8.0 / np.sqrt(120), tau), size)
    control = rng.normal(learnt, 8.0 / np.sqrt(500))
    z = (treated - control) / np.sqrt(plan.variance(n))
    seen = (np.abs(z) > 1.959964).mean()
    expected = plan.power(difference, n)
    assert seen == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / size))
    if difference == 0:
        counted = np.abs(treated - control) > 1.959964 * np.sqrt(81 / n + 64 / 500)
        naive = plan.naive_type_one(n)
        assert counted.mean() == pytest.approx(naive, abs=4 * np.sqrt(naive * (1 - naive) / size))
        assert naive > 0.08


def test_procova_variance_reduces_to_one_less_rho_squared():
    assert procova_variance(2, 2, 0.6, 0.6) == pytest.approx(16 * variance_ratio(0.6))
    assert procova_variance(2, 3, 0, 0, treated_share=0.25) == pytest.approx(4 / 0.25 + 9 / 0.75)


def test_simulated_procova_variance_with_unlike_arms():
    """Simulated (3,000 trials of 400): each arm's own slope; a variance has relative SE .026."""
    rng = np.random.default_rng(23)
    score = rng.normal(size=(3000, 400))
    treated = np.arange(400) < 100
    sd, rho = np.where(treated, 3.0, 2.0), np.where(treated, 0.7, 0.4)
    y = sd * (rho * score + np.sqrt(1 - rho**2) * rng.normal(size=score.shape))
    centred = score - score.mean(axis=1, keepdims=True)
    effects = []
    for side in (treated, ~treated):
        away = centred[:, side] - centred[:, side].mean(axis=1, keepdims=True)
        slope = (away * y[:, side]).sum(axis=1) / (away**2).sum(axis=1)
        effects.append(y[:, side].mean(axis=1) - slope * centred[:, side].mean(axis=1))
    expected = procova_variance(3, 2, 0.7, 0.4, treated_share=0.25) / 400
    assert (effects[0] - effects[1]).var() == pytest.approx(expected, rel=4 * 0.026)
