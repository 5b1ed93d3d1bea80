"""Meta-analytic priors and mixtures beside RBesT's figures for its data set AS.

RBesT (Weber et al. 2021, doi 10.18637/jss.v100.i19) prints the mixture and rounds its ESS to
38, 24 and 27 and P(treatment > control) to .9917; the further digits are quadrature's.
"""

from __future__ import annotations

import pytest

from simulation.analysis.external.map_prior import map_binary
from simulation.analysis.external.mixtures import beta_mixture

N = (107, 44, 51, 39, 139, 20, 78, 35)
EVENTS = (23, 12, 19, 9, 39, 6, 9, 10)


@pytest.fixture(scope="module")
def prior():
    return map_binary(EVENTS, N)


@pytest.fixture(scope="module")
def printed():
    return beta_mixture([0.4612914, 0.1917812, 0.1893896, 0.1575378],
                        [33.9513487, 19.4400089, 12.2692310, 2.2521243],
                        [103.0146367, 41.5205219, 55.9202833, 5.4812202])


def test_effective_sample_sizes_of_the_printed_mixture_exact(printed):
    assert printed.ess_elir() == pytest.approx(37.6136, abs=5e-5)
    assert printed.ess_moment() == pytest.approx(24.3495, abs=5e-5)
    assert printed.robust(0.2, 1, 1).ess_elir() == pytest.approx(26.5020, abs=5e-5)


def test_probability_that_treatment_beats_control_exact(printed):
    treated = beta_mixture([1], [0.5], [1]).update(14, 24)
    control = printed.robust(0.2, 1, 1).update(1, 6)
    assert treated.probability_above(control) == pytest.approx(0.9917197, abs=5e-8)


def test_map_prior_by_quadrature_exact(prior):
    """Second quadrature, other grids (dense mu and theta, tau by Gauss-Legendre): 8 digits.

    A coarser one printed tau .3790 (.2109) and MAP .25826 (.0874): within .0005 and .00002.
    """
    assert prior.tau_mean == pytest.approx(0.37946072, abs=2e-8)
    assert prior.tau_sd == pytest.approx(0.21069755, abs=2e-8)
    assert prior.mean == pytest.approx(0.25827754, abs=2e-8)
    assert prior.sd == pytest.approx(0.08741418, abs=2e-8)
    assert (prior.tau_mean, prior.tau_sd) == pytest.approx((0.3790, 0.2109), abs=6e-4)
    assert (prior.mean, prior.sd) == pytest.approx((0.25826, 0.0874), abs=6e-5)


def test_map_prior_with_a_narrower_heterogeneity_exact():
    found = map_binary(EVENTS, N, tau_scale=0.5)
    assert found.tau_mean == pytest.approx(0.33190343, abs=2e-8)
    assert (found.mean, found.sd) == pytest.approx((0.25610600, 0.07687152), abs=2e-8)
    assert found.tau_mean == pytest.approx(0.3316, abs=6e-4)
    assert (found.mean, found.sd) == pytest.approx((0.25609, 0.0768), abs=1e-4)


def test_mixture_fitted_to_it(prior, printed):
    """Fitted: mean within .0005, sd within .001, ESS within 2 of RBesT's fit (to MCMC draws)."""
    found = prior.beta_mixture(3)
    assert found.mean == pytest.approx(prior.mean, abs=5e-4)
    assert found.sd == pytest.approx(prior.sd, abs=1e-3)
    assert found.ess_elir() == pytest.approx(printed.ess_elir(), abs=2)
    assert found.robust(0.2, 1, 1).ess_elir() == pytest.approx(26.5, abs=2)
    for p in (0.05, 0.5, 0.95):
        assert found.quantile(p) == pytest.approx(printed.quantile(p), abs=0.01)
