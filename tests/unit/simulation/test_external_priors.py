"""Mixtures, power and commensurate priors and the hybrid design on small figures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from extraction.records.errors import InputError
from simulation.analysis.external.hybrid import HybridDesign, drift_table
from simulation.analysis.external.map_prior import map_binary, map_normal
from simulation.analysis.external.mixtures import (
    beta_mixture,
    fit_beta_mixture,
    fit_normal_mixture,
    normal_mixture,
)
from simulation.analysis.external.power_prior import (
    commensurate_gamma_normal,
    commensurate_normal,
    normalised_power_binary,
    normalised_power_normal,
    power_prior_binary,
    power_prior_normal,
)


def test_one_beta_is_the_textbooks():
    law = beta_mixture([1], [3], [7])
    assert (law.mean, law.sd) == pytest.approx((0.3, stats.beta(3, 7).std()))
    assert law.quantile(0.9) == pytest.approx(stats.beta(3, 7).ppf(0.9))
    assert law.ess_moment() == pytest.approx(10)
    assert law.ess_elir() == pytest.approx(10)
    assert beta_mixture([1], [40], [100]).ess_elir() == pytest.approx(140)
    assert np.isnan(beta_mixture([1], [0.5], [1]).ess_elir())
    updated = law.update(4, 10)
    assert (updated.first[0], updated.second[0]) == (7, 13)
    assert law.predictive(12) == pytest.approx(stats.betabinom(12, 3, 7).pmf(np.arange(13)))


def test_an_update_moves_weight_to_the_component_that_foresaw_the_data():
    law = beta_mixture([0.5, 0.5], [2, 20], [18, 20])
    assert law.update(10, 20).weights[1] > 0.99
    assert law.update(1, 20).weights[0] > 0.99


def test_probabilities_of_two_laws_add_to_one():
    one, two = beta_mixture([0.3, 0.7], [2, 9], [5, 4]), beta_mixture([1], [3], [3])
    assert one.probability_above(two) + two.probability_above(one) == pytest.approx(1)
    assert beta_mixture([1], [1], [1]).probability_above(beta_mixture([1], [2], [1])
                                                         ) == pytest.approx(1 / 3)
    a, b = normal_mixture([1], [2], [3]), normal_mixture([1], [0], [4])
    assert a.probability_above(b) == pytest.approx(stats.norm.cdf(2 / 5))


def test_one_normal_is_the_textbooks():
    law = normal_mixture([1], [10], [2])
    after = law.update(14, 2)
    assert (after.mean, after.sd) == pytest.approx((12, np.sqrt(2)))
    assert law.ess_moment(8) == pytest.approx(16)
    assert law.ess_elir(8) == pytest.approx(16)
    assert law.interval() == pytest.approx((10 - 3.919928, 10 + 3.919928), abs=1e-5)
    assert law.predictive_cdf(10, 3) == pytest.approx(0.5)


def test_robust_priors_give_way_in_conflict():
    informed = beta_mixture([1], [30], [70])
    assert informed.robust(0.2, 1, 1).update(18, 20).mean > informed.update(18, 20).mean + 0.2


def test_em_finds_the_mixture_that_made_the_points():
    """Fitted: the points are a dense grid under a known law."""
    x = (np.arange(4000) + 0.5) / 4000
    known = beta_mixture([0.7, 0.3], [30, 4], [70, 5])
    found = fit_beta_mixture(x, np.exp(known.log_density(x)), 2)
    assert found.weights == pytest.approx([0.7, 0.3], abs=0.01)
    assert found.first == pytest.approx([30, 4], rel=0.03)
    y = np.linspace(-12, 12, 3000)
    truth = normal_mixture([0.8, 0.2], [0, 1], [1, 3])
    again = fit_normal_mixture(y, np.exp(truth.log_density(y)), 2)
    assert again.weights == pytest.approx([0.8, 0.2], abs=0.02)
    assert again.second == pytest.approx([1, 3], rel=0.05)


def test_a_normal_map_prior_without_heterogeneity_is_the_pooled_mean():
    found = map_normal([10.0, 12.0], [1.0, 1.0], tau_scale=1e-4)
    assert (found.mean, found.sd) == pytest.approx((11, np.sqrt(0.5)), abs=1e-4)
    wide = map_normal([10.0, 12.0, 20.0], [1.0, 1.0, 1.0], tau_scale=5.0)
    assert wide.sd > 2
    fitted = wide.normal_mixture(3)
    assert (fitted.mean, fitted.sd) == pytest.approx((wide.mean, wide.sd), rel=0.02)
    assert map_normal([1.0, 2.0], [1.0, 1.0], tau_scale=1.0, tau_prior="half_t").tau_mean > 0


def test_priors_of_the_wrong_kind_and_faulty_counts_are_refused():
    with pytest.raises(InputError, match="whole numbers"):
        map_binary([3.5], [10])
    with pytest.raises(InputError) as caught:
        map_normal([1.0], [0.0], tau_scale=-1.0, tau_prior="gamma")
    assert len(caught.value.faults) == 3
    with pytest.raises(InputError, match="mixture of betas"):
        map_normal([1.0], [1.0], tau_scale=1.0).beta_mixture()
    with pytest.raises(InputError, match="weights"):
        beta_mixture([1, -1], [1, 1], [1, 1])


def test_power_priors_run_from_nothing_to_pooling():
    assert power_prior_binary(30, 100, 0).mean == 0.5
    pooled = power_prior_binary(30, 100, 1)
    assert (pooled.first[0], pooled.second[0]) == (31, 71)
    assert power_prior_normal(5, 1, 0.25).sd == pytest.approx(2)
    with pytest.raises(InputError, match="power"):
        power_prior_binary(30, 100, 1.5)


def test_a_normalised_power_is_high_in_agreement_and_low_in_conflict():
    agree, high = normalised_power_binary(30, 100, 30, 100)
    differ, low = normalised_power_binary(60, 100, 30, 100)
    assert high > 0.5 > low
    assert agree.sd < stats.beta(31, 71).std()
    assert differ.mean > 0.55
    same, alike = normalised_power_normal(0.0, 1.0, 0.0, 1.0)
    apart, unlike = normalised_power_normal(8.0, 1.0, 0.0, 1.0)
    assert alike > unlike
    assert same.sd < 1
    assert apart.mean > 7


def test_the_normalised_power_is_a_plain_integral():
    """Exact: 20,000 trapezia over the power, Beta(1, 1) prior, initial prior Beta(1, 1)."""
    power = np.linspace(0, 1, 20001)
    evidence = np.exp(stats.betabinom(20, 1 + 12 * power, 1 + 28 * power).logpmf(9))
    expected = np.trapezoid(power * evidence, power) / np.trapezoid(evidence, power)
    assert normalised_power_binary(9, 20, 12, 40)[1] == pytest.approx(expected, abs=1e-7)


def test_commensurate_priors():
    law = commensurate_normal(1.0, 0.2, slab_sd=2.0)
    assert law.mean == pytest.approx(1.0)
    assert law.update(1.1, 0.3).weights[0] > 0.8
    assert law.update(5.0, 0.3).weights[0] < 0.01
    gamma = commensurate_gamma_normal(0.0, 1e-6, shape=3.0, rate=3.0)
    for p in (0.1, 0.25, 0.6, 0.9):  # Student's law on 6 degrees of freedom
        assert float(gamma.cdf(stats.t(6).ppf(p))) == pytest.approx(p, abs=1e-5)


@pytest.mark.parametrize(("shape", "rate"), [(0.001, 0.001), (1.0, 0.001), (1.0, 1.0), (2.0, 0.1)])
def test_a_vague_commensurate_prior_is_integrated_where_it_matters(shape, rate):
    """Exact: 6,001 trapezia over the logarithm of the precision."""
    found = commensurate_gamma_normal(-2.4, 0.06, shape=shape, rate=rate).update(-3.4, 0.16)
    logs = np.linspace(np.log(1e-12), np.log(1e9), 6001)
    precision = np.exp(logs)
    sds = np.hypot(0.06, 1 / np.sqrt(precision))
    weight = np.exp(stats.gamma.logpdf(precision, shape, scale=1 / rate) + logs)
    weight *= stats.norm.pdf(-3.4, -2.4, np.hypot(sds, 0.16))
    variance = 1 / (1 / sds**2 + 1 / 0.16**2)
    mean = variance * (-2.4 / sds**2 - 3.4 / 0.16**2)
    expected = np.average(mean, weights=weight)
    spread = np.sqrt(np.average(variance + mean**2, weights=weight) - expected**2)
    assert (found.mean, found.sd) == pytest.approx((expected, spread), abs=2e-5)


def test_hybrid_design_without_borrowing_is_a_plain_bayesian_trial():
    vague = beta_mixture([1], [1], [1])
    design = HybridDesign(30, 30, vague, vague)
    chance = design.success_probability([0.3, 0.7], [0.3, 0.3])
    assert 0.01 < chance[0] < 0.035
    assert chance[1] > 0.85
    for r0, r1 in ((8, 12), (9, 18), (5, 13)):
        exact = vague.update(r1, 30).probability_above(vague.update(r0, 30))
        assert design.success()[r0, r1] == (exact > 0.975)


def test_the_gain_of_borrowing_stands_beside_its_worst_type_one_error():
    vague = beta_mixture([1], [1], [1])
    design = HybridDesign(40, 20, beta_mixture([1], [15], [35]).robust(0.2, 1, 1), vague)
    table = drift_table(design, 0.3, 0.3, [-0.15, 0.0, 0.15, 0.25])
    assert table.gain > 0.05
    assert table.worst_type_one > table.type_one[1]
    assert not table.worthwhile(0.025)
    assert table.worthwhile(0.5)
    assert table.bias[0] > 0 > table.bias[2]
    assert table.coverage[1] > table.coverage[2]
    with pytest.raises(InputError, match="drifts"):
        drift_table(design, 0.3, 0.3, [0.6])
