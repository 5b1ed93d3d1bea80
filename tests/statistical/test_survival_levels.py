"""Levels, power and coverage of survival analyses over replicates.

Simulated checks: each rate may lie z standard errors from what is expected, z from 1 % over all
CHECKS of this file (Bonferroni, two-sided); seeds were fixed before the first run.
"""

import numpy as np
import pytest
from scipy.stats import norm

from simulation.analysis.competing import fine_gray_batch, gray_batch, incidence_difference_batch
from simulation.analysis.cox import cox_batch
from simulation.analysis.logrank import Weight, logrank_batch
from simulation.analysis.maxcombo import max_combo_batch
from simulation.analysis.rmst import landmark_difference_batch, restricted_mean_difference_batch

CHECKS = 15
Z = norm.isf(0.01 / CHECKS / 2)
REPLICATES, N, HORIZON = 4_000, 200, 1.0
STEP = 0.006  # what first-order normal laws miss at 200 patients, at a level of .05


def drawn(seed, effect=0.0, delay=0.0):
    """Exponential times, hazard ratio exp(effect) after a delay, uniform censoring in (.5, 3)."""
    rng = np.random.default_rng(seed)
    arm = np.tile(np.arange(N) % 2, (REPLICATES, 1)).astype(float)
    hazard = rng.exponential(size=arm.shape)
    ratio = np.exp(effect * arm)
    time = np.where(hazard <= delay, hazard, delay + (hazard - delay) / ratio)
    censoring = rng.uniform(0.5, 3, size=arm.shape)
    return np.minimum(time, censoring), (time <= censoring).astype(float), arm


def levels(trial):
    time, event, arm = trial
    z = {
        "late": logrank_batch(*trial, weight=Weight(gamma=1)).z,
        "modest": logrank_batch(*trial, weight=Weight("modest", until=0.5)).z,
        "gehan": logrank_batch(*trial, weight=Weight("gehan")).z,
        "max_combo": max_combo_batch(*trial).z,
        "rmst": restricted_mean_difference_batch(*trial, HORIZON).z,
        "landmark": landmark_difference_batch(*trial, HORIZON).z,
    }
    fit = cox_batch(time, event, arm[..., None])
    assert fit.converged.all()
    z["cox"] = fit.coefficients[:, 0] / np.sqrt(fit.covariance[:, 0, 0])
    return z


def within(rate, expected, slack=0.0):
    error = np.sqrt(expected * (1 - expected) / REPLICATES)
    return bool(abs(rate - expected) <= Z * error + slack)


def test_simulated_levels_of_the_tests_of_two_arms():
    z = levels(drawn(101))
    for name, values in z.items():
        assert within(np.mean(np.abs(values) > norm.isf(0.025)), 0.05, STEP), name
    assert within(np.mean(z["max_combo"] < -norm.isf(0.025)), 0.025, STEP), "one-sided"
    wrong = np.mean(np.abs(z["cox"]) > norm.isf(0.04))
    assert not within(wrong, 0.05, STEP), "a planted level of .08 is seen"


def test_simulated_power_under_a_delayed_effect_ranks_the_weights_as_theory_does():
    trial = drawn(102, effect=-0.9, delay=0.4)
    power = {name: float(np.mean(z < -norm.isf(0.025))) for name, z in levels(trial).items()}
    plain = float(np.mean(logrank_batch(*trial).z < -norm.isf(0.025)))
    margin = Z * np.sqrt(0.5 / REPLICATES)
    assert power["late"] > plain + margin
    assert power["modest"] > plain
    assert plain + margin < power["max_combo"] < power["late"]
    assert power["gehan"] < plain - margin


def test_simulated_power_of_the_log_rank_test_is_schoenfelds():
    time, event, arm = drawn(103, effect=-0.4)
    found = logrank_batch(time, event, arm)
    expected = norm.sf(norm.isf(0.025) - 0.4 * np.sqrt(event.sum(axis=1).mean() / 4))
    assert within(np.mean(found.z < -norm.isf(0.025)), expected, 0.01)
    assert found.log_ratio.mean() == pytest.approx(-0.4, abs=0.02)


def causes(seed):
    """Two causes with the same law in both arms for the first, and more of the second in one."""
    rng = np.random.default_rng(seed)
    arm = np.tile(np.arange(N) % 2, (REPLICATES // 2, 1))
    first = rng.uniform(size=arm.shape) < 0.5
    # Cumulative incidence of cause 1 is .5 (1 - exp(-t)) in both arms; cause 2 comes earlier in 1.
    time = np.where(first, rng.exponential(size=arm.shape),
                    rng.exponential(size=arm.shape) / (1 + arm))
    censoring = rng.uniform(0.5, 3, size=arm.shape)
    cause = np.where(time <= censoring, np.where(first, 1, 2), 0)
    return np.minimum(time, censoring), cause, arm


def test_simulated_levels_of_competing_risks_where_the_other_cause_differs():
    time, cause, arm = causes(104)
    gray_z = gray_batch(time, cause, arm).z
    fit = fine_gray_batch(time, cause, arm[..., None].astype(float))
    rates = {
        "gray": np.mean(np.abs(gray_z) > norm.isf(0.025)),
        "fine_gray": np.mean(
            np.abs(fit.coefficients[:, 0]) > norm.isf(0.025) * np.sqrt(fit.covariance[:, 0, 0])
        ),
        "incidence": np.mean(
            np.abs(incidence_difference_batch(time, cause, arm, HORIZON).z) > norm.isf(0.025)
        ),
    }
    for name, rate in rates.items():
        error = np.sqrt(0.05 * 0.95 / len(time))
        assert abs(rate - 0.05) <= Z * error + STEP, name
    # Planted: the cause-specific hazard is another question, and its answer is that arms differ.
    wrong = logrank_batch(time, (cause == 1).astype(float), arm.astype(float)).z
    assert abs(np.mean(np.abs(wrong) > norm.isf(0.025)) - 0.05) > Z * error + STEP
