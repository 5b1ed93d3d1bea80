"""Type I error of the analyses over batches of null trials, and proof that faults are seen."""

import numpy as np
import pytest

from simulation.analysis.continuous import ancova_batch
from simulation.analysis.cox import cox_batch
from simulation.analysis.external_control import control_mean_variance, effect_batch
from simulation.analysis.logrank import logrank_batch
from simulation.analysis.prognostic import (
    RidgeScorer,
    null_type_one_error,
    trial_data,
)

ALPHA, REPLICATES = 0.05, 4_000
# Three Monte Carlo standard errors: a false alarm in 370 for each rate.
MARGIN = 3 * np.sqrt(ALPHA * (1 - ALPHA) / REPLICATES)


def rate(p_value):
    return float((p_value <= ALPHA).mean())


def survival_nulls(seed, n=200, share=0.5):
    rng = np.random.default_rng(seed)
    strata = np.tile(np.arange(n) % 2, (REPLICATES, 1))
    time = rng.exponential(1 + strata, (REPLICATES, n))
    censoring = rng.exponential(3, (REPLICATES, n))
    arm = (rng.random((REPLICATES, n)).argsort(axis=1) < share * n).astype(float)
    return np.minimum(time, censoring), (time <= censoring).astype(float), arm, strata


def test_ancova_holds_its_level_and_a_planted_error_fails():
    rng = np.random.default_rng(11)
    n = 60
    x = rng.normal(size=(n, 2))
    y = x @ [1.0, 0.5] + rng.normal(size=(REPLICATES, n))
    arm = (rng.random((REPLICATES, n)).argsort(axis=1) < n / 2).astype(float)
    batch = ancova_batch(y, arm, x)
    assert abs(rate(batch.p_value) - ALPHA) < MARGIN
    # Planted: every patient counted twice.
    doubled = ancova_batch(np.tile(y, 2), np.tile(arm, 2), np.tile(x, (2, 1)))
    assert abs(rate(doubled.p_value) - ALPHA) > MARGIN


def test_stratified_logrank_holds_its_level_and_a_planted_error_fails():
    time, event, arm, strata = survival_nulls(12)
    assert abs(rate(logrank_batch(time, event, arm, strata).p_value) - ALPHA) < MARGIN
    # Planted: informative follow-up, the treated leave just before one event in seven.
    rng = np.random.default_rng(13)
    lost = (arm == 1) & (rng.random(time.shape) < 1 / 7)
    assert abs(rate(logrank_batch(time, event * ~lost, arm, strata).p_value) - ALPHA) > MARGIN


def test_cox_interval_covers_and_needs_the_covariate():
    rng = np.random.default_rng(14)
    replicates, n, log_hr = 1_500, 150, np.log(0.7)
    arm = np.tile((np.arange(n) % 2).astype(float), (replicates, 1))
    x = rng.normal(size=(replicates, n))
    time = rng.exponential(np.exp(-log_hr * arm - 1.5 * x))
    event = np.ones_like(time)
    both = cox_batch(time, event, np.stack([arm, x], axis=2))
    assert both.converged.all()
    z = (both.coefficients[:, 0] - log_hr) / np.sqrt(both.covariance[:, 0, 0])
    margin = 3.3 * np.sqrt(0.05 * 0.95 / replicates)
    # Wald intervals of Cox are slightly short at this size; .01 stands for that.
    assert abs((np.abs(z) < 1.96).mean() - 0.95) < margin + 0.01
    # Planted: the covariate left out; the marginal ratio is nearer to 1 than the conditional one.
    alone = cox_batch(time, event, arm[..., None]).coefficients[:, 0]
    assert alone.mean() > log_hr + 3.3 * alone.std() / np.sqrt(replicates)


def trial(n=90):
    rng = np.random.default_rng(15)
    x = rng.normal(size=(n, 6))
    y = x[:, 0] + rng.normal(size=n)
    return x, trial_data(y, np.arange(n) % 3, {"x1": x[:, 1]}, control=0)


@pytest.mark.parametrize("train", ["controls", "all_arms"])
def test_cross_fitting_holds_its_level(train):
    x, data = trial()
    rates = null_type_one_error(data, RidgeScorer(x, data.y, train),
                                rng=np.random.default_rng(16), replicates=REPLICATES)
    assert set(rates) == {"1", "2"}
    assert all(r.within_error for r in rates.values())
    assert all(abs(r.rate - ALPHA) < MARGIN for r in rates.values())


def test_a_score_that_saw_its_own_patients_is_caught():
    _, data = trial()
    noise = np.random.default_rng(17).normal(size=(90, 12))

    def overfitted(arms, folds):
        """One model per arm, scoring the very patients that it learnt from."""
        score = np.zeros(arms.shape)
        for row, arm in enumerate(arms):
            for code in range(3):
                inside = arm == code
                x = noise[inside] - noise[inside].mean(axis=0)
                score[row, inside] = x @ np.linalg.lstsq(x, data.y[inside], rcond=None)[0]
        return score

    caught = null_type_one_error(data, overfitted, rng=np.random.default_rng(18), replicates=1_000)
    assert not caught["1"].within_error
    assert caught["1"].rate > 0.08


def test_synthetic_controls_need_the_corrected_variance():
    rng = np.random.default_rng(19)
    n, made = 86, 500
    treated, real = rng.normal(size=(2, REPLICATES, n))
    mean, sd = real.mean(axis=1), real.std(axis=1, ddof=1)
    synthetic = mean[:, None] + sd[:, None] * rng.normal(size=(REPLICATES, made))
    gap = treated.mean(axis=1) - synthetic.mean(axis=1)
    own = treated.var(axis=1, ddof=1) / n

    def rejected(control_variance):
        return float((np.abs(gap) > 1.974 * np.sqrt(own + control_variance)).mean())

    assert abs(rejected(control_mean_variance(sd**2, n, made)) - ALPHA) < MARGIN
    # Planted: synthetic rows counted as patients; the error is then about .15.
    assert rejected(synthetic.var(axis=1, ddof=1) / made) > 0.12


def test_doubly_robust_effect_holds_its_level_under_confounding():
    rng = np.random.default_rng(20)
    n1, n0 = 100, 200
    x1, x0 = rng.normal(0.5, 1, (REPLICATES, n1)), rng.normal(0, 1, (REPLICATES, n0))
    y1 = x1 + rng.normal(size=x1.shape)
    y0 = x0 + rng.normal(size=x0.shape)
    weights = np.exp(0.5 * x0)  # the true odds of the two normal laws, up to a constant
    wrong = 0.3 * x1, 0.3 * x0  # a control model that is wrong and fixed beforehand
    right = effect_batch(y1 - wrong[0], y0 - wrong[1], weights)
    # The weighted mean's variance is estimated on about 156 effective patients; .01 stands for it.
    assert abs(rate(right.p_value) - ALPHA) < MARGIN + 0.01
    # Planted: the wrong model trusted without weights.
    assert rate(effect_batch(y1 - wrong[0], y0 - wrong[1]).p_value) > 0.2
