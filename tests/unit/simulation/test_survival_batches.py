"""Batched survival analyses: masks, strata, ties, joint tails, and what has no answer."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from extraction.records.errors import InputError
from simulation.analysis.competing import (
    cumulative_incidence,
    fine_gray,
    fine_gray_batch,
    gray,
    gray_batch,
)
from simulation.analysis.cox import cox, cox_batch
from simulation.analysis.logrank import Weight, logrank, logrank_batch
from simulation.analysis.maxcombo import max_combo, max_combo_batch, max_tail
from simulation.analysis.rmst import (
    landmark_difference_batch,
    restricted_mean_difference_batch,
)
from simulation.analysis.survival import kaplan_meier, restricted_mean_difference

RNG = np.random.default_rng(20261122)
SHAPE = (6, 80)
TIME = np.ceil(RNG.exponential(10, SHAPE))
EVENT = (RNG.uniform(size=SHAPE) < 0.7).astype(float)
ARM = (RNG.uniform(size=SHAPE) < 0.5).astype(float)
X = RNG.normal(size=(*SHAPE, 2))
STRATA = RNG.integers(0, 3, SHAPE)
CAUSE = (EVENT * RNG.integers(1, 3, SHAPE)).astype(int)
INCLUDED = RNG.uniform(size=SHAPE) < 0.8
WEIGHTS = [Weight(), Weight(rho=1, gamma=1), Weight("gehan"), Weight("modest", until=8, cap=1.5)]


@pytest.mark.parametrize("weight", WEIGHTS, ids=lambda weight: weight.name)
def test_a_batch_of_those_included_is_trial_by_trial_the_same(weight):
    found = logrank_batch(TIME, EVENT, ARM, STRATA, weight=weight, included=INCLUDED)
    for r in range(SHAPE[0]):
        k = INCLUDED[r]
        one = logrank(TIME[r, k], EVENT[r, k], ARM[r, k], STRATA[r, k], weight=weight)
        assert found.z[r] == pytest.approx(one.z, rel=1e-12)
        assert found.log_ratio[r] == pytest.approx(one.log_ratio, rel=1e-12)
        assert found.z[r] == pytest.approx(found.log_ratio[r] / found.se[r], rel=1e-12)
        assert found.events[r] == EVENT[r, k].sum()


def test_a_batch_of_cox_fits_is_trial_by_trial_the_same():
    columns = np.concatenate([ARM[..., None], X], axis=2)
    found = cox_batch(TIME, EVENT, columns, STRATA, included=INCLUDED, robust=True)
    for r in range(SHAPE[0]):
        k = INCLUDED[r]
        one = cox(TIME[r, k], EVENT[r, k], {f"c{j}": columns[r, k, j] for j in range(3)},
                  STRATA[r, k], robust=True)
        assert found.coefficients[r] == pytest.approx(one.coefficients, rel=1e-10)
        assert found.covariance[r] == pytest.approx(one.covariance, rel=1e-9)


def test_a_stratum_shared_by_all_and_large_stratum_numbers_are_the_same_test():
    shared = logrank_batch(TIME, EVENT, ARM, STRATA[:1])
    large = logrank_batch(TIME, EVENT, ARM, np.tile(STRATA[:1] * 70_000, (6, 1)))
    assert np.array_equal(shared.z, large.z)


def test_columns_that_say_nothing_are_left_out_and_named():
    columns = np.stack([ARM, X[..., 0], 2 * X[..., 0] + 1, np.full(SHAPE, 0.1)], axis=2)
    found = cox_batch(TIME, EVENT, columns)
    alone = cox_batch(TIME, EVENT, columns[..., :2])
    assert found.converged.all()
    assert (found.aliased == [False, False, True, True]).all()
    assert np.isnan(found.coefficients[:, 2:]).all()
    assert found.coefficients[:, :2] == pytest.approx(alone.coefficients, rel=1e-9)
    with pytest.raises(InputError, match=r"columns\.flat"):
        cox(TIME[0], EVENT[0], {"arm": ARM[0], "flat": np.ones(80)})
    with pytest.raises(InputError, match="weights"):
        cox(TIME[0], EVENT[0], {"arm": ARM[0]}, weights=np.zeros(80))


def test_a_likelihood_that_rises_for_ever_is_said_to():
    event = EVENT * ARM
    found = cox_batch(TIME, event, ARM[..., None])
    assert not found.converged.any()
    assert np.isfinite(found.log_likelihood).all()
    assert not cox_batch(TIME, np.zeros(SHAPE), ARM[..., None]).converged.any()


def test_weights_count_as_copies_of_patients():
    copies = RNG.integers(1, 4, 80)
    k = np.repeat(np.arange(80), copies)
    one = cox(TIME[0], EVENT[0], {"arm": ARM[0]}, ties="breslow", weights=copies)
    two = cox(TIME[0][k], EVENT[0][k], {"arm": ARM[0][k]}, ties="breslow")
    assert one.coefficients == pytest.approx(two.coefficients, rel=1e-9)
    assert one.covariance == pytest.approx(two.covariance, rel=1e-9)


def test_an_offset_is_a_known_coefficient():
    free = cox(TIME[0], EVENT[0], {"arm": ARM[0], "x": X[0, :, 0]})
    held = cox(TIME[0], EVENT[0], {"arm": ARM[0]}, offset=free.coefficients[1] * X[0, :, 0])
    assert held.coefficients[0] == pytest.approx(free.coefficients[0], rel=1e-7)


@pytest.mark.parametrize("tests", [(0, 1), (0, 2, 3), (0, 1, 2, 3)])
def test_joint_tails_are_those_of_quasi_monte_carlo(tests):
    """Fitted: within 3e-5 up to rank 3, 1e-4 in rank 4, of Genz's algorithm in scipy."""
    full = np.eye(4)
    full[np.triu_indices(4, 1)] = 0.3, 0.5, 0.2, 0.4, 0.6, 0.1
    full = np.triu(full) + np.triu(full, 1).T
    correlation = full[np.ix_(tests, tests)]
    one, two = max_tail(np.array([2.2]), correlation[None])
    size = len(tests)
    rng = np.random.default_rng(1)
    law = multivariate_normal(np.zeros(size), correlation, seed=rng)
    law.maxpts, law.abseps, law.releps = 400_000, 1e-8, 1e-8
    limit = np.full(size, 2.2)
    tolerance = 1e-4 if size == 4 else 3e-5
    assert one[0] == pytest.approx(1 - law.cdf(limit), abs=tolerance)
    assert two[0] == pytest.approx(1 - law.cdf(limit, lower_limit=-limit), abs=tolerance)


def test_joint_tails_of_one_test_and_of_the_same_test_twice():
    for size in (1, 2, 4):
        one, two = max_tail(np.array([1.96]), np.ones((1, size, size)))
        assert one[0] == pytest.approx(norm.sf(1.96), rel=1e-9)
        assert two[0] == pytest.approx(2 * norm.sf(1.96), rel=1e-9)


def test_max_combo_of_one_test_is_that_test():
    found = max_combo_batch(TIME, EVENT, ARM, weights=(Weight(gamma=1),))
    plain = logrank_batch(TIME, EVENT, ARM, weight=Weight(gamma=1))
    assert found.z == pytest.approx(plain.z, rel=1e-9)
    assert found.p_value == pytest.approx(plain.p_value, rel=1e-9)


def test_swapping_arms_turns_every_statistic():
    swapped = 1 - ARM
    assert max_combo_batch(TIME, EVENT, ARM).z == pytest.approx(
        -max_combo_batch(TIME, EVENT, swapped).z, rel=1e-9
    )
    for batch in (restricted_mean_difference_batch, landmark_difference_batch):
        assert batch(TIME, EVENT, ARM, 15.0).z == pytest.approx(
            -batch(TIME, EVENT, swapped, 15.0).z, rel=1e-12
        )
    assert gray_batch(TIME, CAUSE, ARM).z == pytest.approx(
        -gray_batch(TIME, CAUSE, swapped).z, rel=1e-9
    )


def test_curves_are_those_of_single_trials():
    means = restricted_mean_difference_batch(TIME, EVENT, ARM, 15.0, included=INCLUDED)
    points = landmark_difference_batch(TIME, EVENT, ARM, 15.0, included=INCLUDED)
    for r in range(SHAPE[0]):
        k = INCLUDED[r]
        one = restricted_mean_difference(TIME[r, k], EVENT[r, k], ARM[r, k], 15.0)
        assert (means.estimate[r], means.se[r]) == pytest.approx((one.estimate, one.se), rel=1e-10)
        arms = [kaplan_meier(TIME[r, k & (ARM[r] == a)], EVENT[r, k & (ARM[r] == a)])
                for a in (0, 1)]
        assert points.estimate[r] == pytest.approx(float(arms[1].at(15) - arms[0].at(15)))


def test_a_horizon_that_nobody_reached_has_no_answer():
    found = restricted_mean_difference_batch(np.minimum(TIME, 5), np.where(TIME < 5, EVENT, 0), ARM,
                                             6.0)
    assert np.isnan(found.estimate).all()
    assert np.isinf(found.se).all()
    assert (found.z == 0).all()


def test_only_the_order_of_times_counts():
    later = np.exp(TIME / 7)
    columns = np.concatenate([ARM[..., None], X], axis=2)
    for weight in (Weight(), Weight(gamma=1), Weight("tarone_ware")):
        assert np.array_equal(logrank_batch(TIME, EVENT, ARM, weight=weight).z,
                              logrank_batch(later, EVENT, ARM, weight=weight).z)
    assert np.array_equal(max_combo_batch(TIME, EVENT, ARM).z, max_combo_batch(later, EVENT, ARM).z)
    assert np.array_equal(gray_batch(TIME, CAUSE, ARM).z, gray_batch(later, CAUSE, ARM).z)
    assert np.array_equal(cox_batch(TIME, EVENT, columns).coefficients,
                          cox_batch(later, EVENT, columns).coefficients)


def test_the_score_test_of_cox_is_the_log_rank_test():
    time = TIME + RNG.uniform(size=SHAPE) / 2
    score = cox_batch(time, EVENT, ARM[..., None], STRATA).score_chi2
    assert score == pytest.approx(logrank_batch(time, EVENT, ARM, STRATA).chi2, rel=1e-10)


def test_the_short_way_of_the_plain_test_is_the_long_way():
    time = np.where(RNG.uniform(size=SHAPE) < 0.5, TIME, TIME * (1 + 2e-16))
    short = logrank_batch(TIME, EVENT, ARM, included=INCLUDED)
    long = logrank_batch(TIME, EVENT, ARM, np.zeros((1, 80), dtype=np.int64), included=INCLUDED)
    assert short.z == pytest.approx(long.z, rel=1e-12)
    rounded = logrank_batch(time, EVENT, ARM, included=INCLUDED)
    assert np.array_equal(short.z, rounded.z), "times apart by rounding are ties"


def test_without_an_event_nothing_is_said():
    none = np.zeros(SHAPE)
    assert (max_combo_batch(TIME, none, ARM).z == 0).all()
    assert (max_combo_batch(TIME, none, ARM).p_value == 1).all()
    assert np.isinf(logrank_batch(TIME, none, ARM).se).all()
    assert (gray_batch(TIME, none.astype(int), ARM).z == 0).all()


def test_with_one_cause_incidence_is_one_less_survival_and_fine_gray_is_cox():
    curve = cumulative_incidence(TIME[0], EVENT[0].astype(int))
    peer = kaplan_meier(TIME[0], EVENT[0])
    assert curve.incidence == pytest.approx(1 - peer.survival, rel=1e-12)
    assert curve.se == pytest.approx(peer.se, rel=1e-9)
    fit = fine_gray_batch(TIME, EVENT.astype(int), X)
    same = cox_batch(TIME, EVENT, X, ties="breslow", robust=True)
    assert fit.coefficients == pytest.approx(same.coefficients, rel=1e-9)
    assert fit.covariance == pytest.approx(same.covariance, rel=1e-9)


def test_faults_are_told():
    with pytest.raises(InputError, match=r"weight\.cap"):
        Weight("modest", until=-1, cap=0.5)
    with pytest.raises(InputError, match="compares two arms"):
        logrank(TIME[0], EVENT[0], STRATA[0], weight=Weight(gamma=1))
    with pytest.raises(InputError, match="MaxCombo compares two"):
        max_combo(TIME[0], EVENT[0], STRATA[0])
    with pytest.raises(InputError, match="1 to 8"):
        max_combo_batch(TIME, EVENT, ARM, weights=())
    with pytest.raises(InputError, match="recode"):
        cumulative_incidence(TIME[0], EVENT[0] / 2)
    with pytest.raises(InputError, match="compares two"):
        gray(TIME[0], CAUSE[0], STRATA[0])
    with pytest.raises(InputError, match="subdistribution"):
        fine_gray(TIME[0], CAUSE[0], {"flat": np.ones(80)})
