"""Borrowing for survival beside the R package psborrow2 (its example_matrix, simple overview).

The 500 patients in order of time, on which a Cox model depends alone: 0 external control, 1 own
control, 2 treated; all of the first 440 have the event, the others are censored at 50.
"""

import numpy as np
import pytest

from simulation.analysis.cox import cox
from simulation.analysis.external.mixtures import normal_mixture
from simulation.analysis.external.power_prior import commensurate_gamma_normal

GROUP = np.array([int(c) for c in (
    "0000000020000000000000200000100000000000002010102000000000200022200000000200021000000000102002002000"
    "0001000000200000000000000000000002000010000000000012000100000200000202002020000000001000020000200002"
    "0000001000220100000001000000010010000012002000210000000200000010000000001120002020000002000000000002"
    "0000201010000000000020012221002200000100202021100000020210000020000000020020000200100122000011200220"
    "0122020000222222020022012012210101022122111111111112222222222222222222222222000000000000000000000000"
)])
EVENTS = 440
# Events and patient-months of each group.
SEEN, MONTHS = (326, 39, 75), (3575.66418852, 1136.23335695, 2502.05582382)


@pytest.mark.parametrize(
    ("groups", "log_ratio", "se"), [((1, 2), -0.1097388, 0.1975804), ((0, 1, 2), None, None)]
)
def test_cox_models_without_and_with_full_pooling_exact(
    groups: tuple[int, ...], log_ratio: float | None, se: float | None
) -> None:
    """Internal patients alone: log HR -.1097388 (SE .1975804), HR .8961; all pooled: .4894."""
    time = np.minimum(np.arange(GROUP.size), EVENTS).astype(float)
    event = (np.arange(GROUP.size) < EVENTS).astype(float)
    assert tuple(int(event[g == GROUP].sum()) for g in range(3)) == SEEN
    held = np.isin(GROUP, groups)
    fit = cox(time[held], event[held], {"trt": (GROUP == 2)[held].astype(float)})
    ratio = fit.hazard_ratio("trt").estimate
    assert ratio == pytest.approx(0.8961 if log_ratio else 0.4894, abs=5e-5)
    if log_ratio is not None:
        assert fit.coefficients[0] == pytest.approx(log_ratio, abs=5e-8)
        assert np.sqrt(fit.covariance[0, 0]) == pytest.approx(se, abs=5e-8)


def test_commensurate_prior_fitted_within_a_hundredth() -> None:
    """Exponential model, gamma(.001, .001) for the commensurability: HR .856 [.580, 1.26] by
    Markov chains, of some 2,000 effective draws (SE of the median .005, of the ends .01). Ours is
    an integral over normal laws of the log rates."""
    rate = np.log(np.array(SEEN) / MONTHS)
    error = 1 / np.sqrt(SEEN)
    prior = commensurate_gamma_normal(rate[0], error[0], shape=0.001, rate=0.001)
    control = prior.update(rate[1], error[1])
    ratio = normal_mixture(control.weights, rate[2] - control.first,
                           np.hypot(control.second, error[2]))
    found = np.exp([ratio.quantile(p) for p in (0.025, 0.5, 0.975)])
    assert found == pytest.approx((0.580, 0.856, 1.26), abs=0.012)
