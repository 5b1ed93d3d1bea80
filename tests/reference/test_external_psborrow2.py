"""Borrowing for survival beside the R package psborrow2 (its example_matrix, simple overview).

An exponential model depends on the events and patient-months of each group alone: external
controls, own controls, treated. The Cox models of the same page (.8961, .4894) need its patients,
which are not kept here; Cox is held against R elsewhere.
"""

import numpy as np
import pytest

from simulation.analysis.external.mixtures import normal_mixture
from simulation.analysis.external.power_prior import commensurate_gamma_normal

# Events and patient-months of each group.
SEEN, MONTHS = (326, 39, 75), (3575.66418852, 1136.23335695, 2502.05582382)


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
