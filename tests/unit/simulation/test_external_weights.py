"""Weights, matching and doubly robust effects on invented patients."""

from __future__ import annotations

import numpy as np
import pytest

from extraction.records.errors import InputError
from simulation.analysis.external.balance import balance, difference_batch
from simulation.analysis.external.doubly_robust import (
    aipw,
    aipw_batch,
    cross_fitted_batch,
    deal_folds,
    g_computation,
)
from simulation.analysis.external.matching import matched_batch, matched_difference, nearest_batch
from simulation.analysis.external.propensity import logistic_batch, propensity
from simulation.analysis.external.weighted import bootstrap_se, weighted_batch, weighted_difference
from simulation.analysis.external.weights import (
    TARGETS,
    effective_size_batch,
    trim,
    weigh,
    weights_batch,
)

EFFECT = 0.7


def trials(replicates, n=400, shift=0.6, seed=5):
    """Treated and controls whose two covariates differ; the effect is the same for everyone."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(replicates, n, 2))
    chance = 1 / (1 + np.exp(-(-0.3 + shift * x[..., 0] - 0.4 * x[..., 1])))
    treated = (rng.random((replicates, n)) < chance).astype(float)
    y = x @ np.array([1.0, -0.5]) + EFFECT * treated + rng.normal(size=(replicates, n))
    return y, treated, x


@pytest.fixture(scope="module")
def one():
    y, treated, x = trials(1)
    return y[0], treated[0], x[0]


@pytest.mark.parametrize("target", TARGETS)
def test_a_batch_gives_each_trial_its_own_answer(target):
    y, treated, x = trials(3, n=120)
    whole = weighted_batch(y, treated, x, target)
    for r in range(3):
        alone = weighted_difference(y[r], treated[r], x[r], target)
        assert alone.estimate == pytest.approx(whole.effect[r], abs=1e-9)
        assert alone.se == pytest.approx(whole.se[r], abs=1e-9)


@pytest.mark.parametrize("target", TARGETS)
def test_counting_a_patient_twice_is_having_that_patient_twice(one, target):
    y, treated, x = one
    count = np.ones(y.size)
    count[[3, 40]] = 2
    count[7] = 0
    repeat = np.repeat(np.arange(y.size), count.astype(int))
    counted = weighted_batch(y[None], treated[None], x, target, count[None])
    listed = weighted_batch(y[repeat][None], treated[repeat][None], x[repeat], target)
    assert counted.effect[0] == pytest.approx(listed.effect[0], abs=1e-8)
    assert counted.se[0] == pytest.approx(listed.se[0], abs=1e-8)
    assert counted.ess[0] == pytest.approx(listed.ess[0], rel=1e-8)


@pytest.mark.parametrize("target", TARGETS)
def test_the_sandwich_is_what_a_refitting_bootstrap_finds(one, target):
    """Simulated (400 refits): a bootstrap SE has a relative SE of 1/sqrt(800); 4 allowed."""
    y, treated, x = one

    def statistic(count):
        shape = count.shape
        return weighted_batch(np.broadcast_to(y, shape), np.broadcast_to(treated, shape), x,
                              target, count).effect

    seen = bootstrap_se(statistic, treated, rng=np.random.default_rng(1), replicates=400)
    expected = weighted_difference(y, treated, x, target).se
    assert seen == pytest.approx(expected, rel=4 / np.sqrt(800))


@pytest.mark.parametrize("target", TARGETS)
def test_coverage_is_nominal(target):
    """Simulated (600 trials): bias within 4 SE, coverage of .95 within 4 x .0089."""
    y, treated, x = trials(600, n=300, seed=11)
    found = weighted_batch(y, treated, x, target)
    error = found.effect - EFFECT
    assert abs(error.mean()) < 4 * error.std() / np.sqrt(600) + 0.01
    assert (np.abs(error) < 1.96 * found.se).mean() == pytest.approx(0.95, abs=4 * 0.0089)


def test_weights_that_count_as_known_are_too_uncertain_here(one):
    y, treated, x = one
    found = weighted_difference(y, treated, x, "ate")
    assert found.extra["se_weights_known"] > found.se


@pytest.mark.parametrize("target", ["overlap", "entropy"])
def test_some_weights_balance_the_means_exactly(one, target):
    _, treated, x = one
    table = balance(treated, x, weigh(treated, x, target), ("a", "b"))
    assert table.worst < 1e-6
    assert abs(table.before["a"]) > 0.3
    assert table.ess_controls < (treated == 0).sum()


def test_groups_without_overlap_are_refused():
    x = np.r_[np.zeros(20), np.ones(20) * 5] + np.linspace(0, 1, 40)
    treated = np.r_[np.zeros(20), np.ones(20)]
    for target in TARGETS:
        with pytest.raises(InputError, match="overlap"):
            weighted_difference(x, treated, x, target)
    with pytest.raises(InputError, match="separate"):
        propensity(treated, x)
    assert propensity(treated, x, penalty=1.0).max() < 1


def test_all_faults_are_told_together():
    with pytest.raises(InputError) as caught:
        weighted_difference([1.0, np.nan, 2.0], [1, 0, 3], np.ones((4, 1)))
    assert len(caught.value.faults) == 3


def test_logistic_regression_of_one_factor_is_its_log_odds():
    """Exact: 12 of 20 against 5 of 20."""
    x = np.r_[np.ones(20), np.zeros(20)]
    y = np.r_[np.ones(12), np.zeros(8), np.ones(5), np.zeros(15)]
    found = logistic_batch(y[None], x[:, None]).coefficients[0]
    assert found == pytest.approx([np.log(5 / 15), np.log(12 / 8) - np.log(5 / 15)], abs=1e-9)


def test_trimming_keeps_the_middle_or_the_common_range():
    score = np.array([0.05, 0.2, 0.5, 0.8, 0.95])
    treated = np.array([0, 1, 0, 1, 0])
    assert trim(score, treated).tolist() == [False, True, True, True, False]
    assert trim(score, treated, common_range=True).tolist() == [False, True, True, True, False]
    with pytest.raises(InputError, match="low, high"):
        trim(score, treated, low=0.9, high=0.1)


def test_effective_sizes():
    weights = np.array([[1.0, 1.0, 2.0, 1.0, 1.0]])
    treated = np.array([[1, 1, 0, 0, 0]])
    assert effective_size_batch(weights, treated)[0] == pytest.approx([16 / 6, 2.0])


def test_standardised_difference_by_hand():
    x = np.array([0.0, 2.0, 1.0, 5.0])[:, None]
    treated = np.array([[0.0, 0, 1, 1]])
    assert difference_batch(treated, x)[0, 0] == pytest.approx(2 / np.sqrt((2 + 8) / 2))
    assert difference_batch(treated, x, scale_by_treated=True)[0, 0] == pytest.approx(2 / 8**0.5)


def test_nearest_matching_by_hand():
    score = np.array([[0.50, 0.52, 0.40, 0.49, 0.51, 0.90]])
    treated = np.array([[1.0, 1, 0, 0, 0, 0]])
    assert nearest_batch(score, treated)[0].tolist()[:2] == [3, 4]
    assert nearest_batch(score, treated, replace=True)[0].tolist()[:2] == [3, 4]
    assert nearest_batch(score, treated, caliper=1e-3)[0].tolist()[:2] == [-1, -1]
    kept = np.array([[True, True, True, False, True, True]])
    assert nearest_batch(score, treated, included=kept)[0].tolist()[:2] == [2, 4]


def test_matched_effects_cover():
    """Simulated (300 trials): with replacement the variance counts a control's repeated use."""
    y, treated, x = trials(300, n=200, shift=0.3, seed=2)
    score = weights_batch(treated, x).propensity
    for replace in (False, True):
        found = matched_batch(y, score, treated, replace=replace, caliper=0.2)
        hit = np.abs(found.effect - EFFECT) < 1.97 * found.se
        assert hit.mean() > 0.95 - 4 * 0.0126
        assert (found.controls <= found.pairs).all()
    with pytest.raises(InputError, match="order"):
        matched_difference(y[0], treated[0], x[0], order="nearest")


@pytest.mark.parametrize("target", ["att", "ate"])
def test_augmented_weighting_covers_with_a_wrong_propensity(target):
    """Simulated (400 trials): the outcome model is right, the propensity sees one column only."""
    y, treated, x = trials(400, n=240, seed=8)
    found = aipw_batch(y, treated, x, target)
    error = found.effect - EFFECT
    assert abs(error.mean()) < 4 * error.std() / 20
    assert (found.p_value < 1).all()
    assert (np.abs(error) < 1.97 * found.se).mean() > 0.95 - 4 * 0.0109


def test_held_out_patients_do_not_teach_their_own_model():
    y, treated, x = trials(1, n=60)
    folds = deal_folds(treated)
    counts = [((folds == k) & (treated == 1)).sum() for k in range(5)]
    assert max(counts) - min(counts) <= 1
    before, _ = cross_fitted_batch(y, x, 1 - treated, folds)
    i = int(np.flatnonzero(treated[0] == 0)[4])
    moved = y.copy()
    moved[0, i] += 100
    after, _ = cross_fitted_batch(moved, x, 1 - treated, folds)
    same = folds[0] == folds[0, i]
    assert before[0, same] == pytest.approx(after[0, same])
    assert (np.abs(before - after)[0, ~same] > 0.1).any()


def test_g_computation_equals_regression_where_effects_are_alike(one):
    y, treated, x = one
    found = g_computation(y, treated, x, "ate", rng=np.random.default_rng(0), replicates=200)
    assert found.estimate == pytest.approx(EFFECT, abs=4 * found.se)
    robust = aipw(y, treated, x)
    assert robust.estimate == pytest.approx(EFFECT, abs=4 * robust.se)
    assert found.se == pytest.approx(aipw(y, treated, x, "ate").se, rel=0.25)


def test_a_binomial_outcome_must_be_0_or_1(one):
    y, treated, x = one
    with pytest.raises(InputError, match="binomial"):
        aipw(y, treated, x, family="binomial")
    binary = (y > 0).astype(float)
    assert -1 < aipw(binary, treated, x, family="binomial").estimate < 1
