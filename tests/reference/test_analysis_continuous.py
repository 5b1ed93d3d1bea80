"""Analyses of means against statsmodels, and planning against R's rpact."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from simulation.analysis.continuous import ancova, dose_response, two_sample_t
from simulation.analysis.linear import fit_batch
from simulation.analysis.planning import power, sample_size, variance_ratio
from tests.support.reference_support import Z


def trial(n=120):
    rng = np.random.default_rng(3)
    arm = np.asarray(["placebo", "low", "high"])[rng.integers(0, 3, n)]
    site = rng.integers(0, 4, n).astype(str)
    base = rng.normal(20, 5, n)
    return arm, site, base, 0.3 * base - (arm == "high") + rng.normal(0, 2, n)


@pytest.mark.parametrize(("variance", "cov_type"),
                         [("classical", "nonrobust"), ("hc2", "HC2"), ("hc3", "HC3")])
def test_ancova_equals_statsmodels_exact(variance, cov_type):
    arm, site, base, y = trial()
    ours = ancova(y, arm, {"base": base}, {"site": site}, control="placebo", variance=variance)
    design = np.column_stack([np.ones(y.size), arm == "high", arm == "low", base,
                              *(site == s for s in "123")]).astype(float)
    other = sm.OLS(y, design).fit(cov_type=cov_type, use_t=True)
    for place, name in ((1, "high"), (2, "low")):
        effect = ours.effects[name]
        assert effect.estimate == pytest.approx(other.params[place], abs=1e-10)
        assert effect.se == pytest.approx(other.bse[place], abs=1e-10)
        assert effect.p_value == pytest.approx(other.pvalues[place], abs=1e-10)
        assert (effect.low, effect.high) == pytest.approx(other.conf_int()[place], abs=1e-9)
    contrast = ours.contrast({"high": 0.5, "low": 0.5, "placebo": -1.0})
    tested = other.t_test([0, 0.5, 0.5, 0, 0, 0, 0])
    assert contrast.estimate == pytest.approx(tested.effect[0], abs=1e-10)
    assert contrast.se == pytest.approx(tested.sd[0, 0], abs=1e-10)


def test_dose_response_equals_statsmodels_exact():
    arm, site, base, y = trial()
    dose = np.select([arm == "low", arm == "high"], [54.0, 81.0], 0.0)
    ours = dose_response(y, dose, {"base": base}, {"site": site})
    design = np.column_stack([np.ones(y.size), dose, base, *(site == s for s in "123")])
    other = sm.OLS(y, design.astype(float)).fit()
    assert (ours.estimate, ours.se) == pytest.approx((other.params[1], other.bse[1]), abs=1e-10)


@pytest.mark.parametrize("pooled", [False, True])
def test_t_test_equals_scipy_exact(pooled):
    rng = np.random.default_rng(4)
    a, b = rng.normal(1, 2, 30), rng.normal(0, 1, 45)
    ours, other = two_sample_t(a, b, pooled=pooled), stats.ttest_ind(a, b, equal_var=pooled)
    interval = other.confidence_interval()
    assert ours.p_value == pytest.approx(other.pvalue, abs=1e-12)
    assert ours.df == pytest.approx(other.df)
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high))


def test_sample_size_of_means_exact():
    # rpact 3.3.4, d = .5, two-sided alpha .05, power .9: 170.0626 (t), 168.1188 (normal).
    assert sample_size(0.5, 1.0) == pytest.approx(170.0626, abs=5e-5)
    assert sample_size(0.5, 1.0, normal=True) == pytest.approx(168.1188, abs=5e-5)
    assert power(0.5, 1.0, 170.0626) == pytest.approx(0.9, abs=1e-6)


# Variance ratios simulated for the reference (at least 1,500 trials each) under Schuler et al.
# (2021), doi 10.1515/ijb-2021-0072, whose closed form is 1 - rho^2.
@pytest.mark.parametrize(("rho", "simulated"),
                         [(0.3, 0.905), (0.4, 0.828), (0.5, 0.744), (0.6, 0.642)])
def test_procova_variance_ratio_simulated_4000(rho, simulated):
    replicates, n = 4_000, 200
    rng = np.random.default_rng(int(100 * rho))
    score = rng.normal(size=(replicates, n))
    y = rho * score + np.sqrt(1 - rho**2) * rng.normal(size=(replicates, n))
    arm = np.broadcast_to((np.arange(n) % 2).astype(float), y.shape)
    one = np.ones((n, 1))
    plain = fit_batch(y, arm[..., None], one).effect[:, 0]
    adjusted = fit_batch(y, np.stack([arm, score], axis=2), one).effect[:, 0]
    ratio = adjusted.var() / plain.var()
    # The log of a ratio of variances of two estimators with squared correlation 1 - rho^2 has
    # variance 4 rho^2 / replicates.
    assert abs(np.log(ratio / variance_ratio(rho))) < Z * np.sqrt(4 * rho**2 / replicates)
    reference_error = np.sqrt(4 * rho**2 * (1 / replicates + 1 / 1_500))
    assert abs(np.log(ratio / simulated)) < Z * reference_error
