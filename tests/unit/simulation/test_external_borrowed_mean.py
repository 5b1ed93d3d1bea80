"""Batched Bayesian borrowing against the single-trial functions, row by row."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from simulation.analysis.external.borrowed_mean import (
    commensurate_batch,
    map_batch,
    normalised_power_batch,
    power_prior_batch,
)
from simulation.analysis.external.map_prior import map_normal
from simulation.analysis.external.power_prior import (
    commensurate_normal,
    normalised_power_normal,
    power_prior_normal,
)

OWN, OWN_SE = np.array([0.3, -1.0, 2.0]), np.array([0.4, 0.2, 1.0])
MEAN, SE = np.array([0.0, 0.5, 1.8]), np.array([0.1, 0.3, 0.2])


def same(batch, singles):
    for r, single in enumerate(singles):
        assert batch.mean[r] == pytest.approx(single.mean, rel=1e-10, abs=1e-12)
        for x in (-0.7, 0.2, 1.9):
            assert batch.cdf(x)[r] == pytest.approx(float(single.cdf(x)), abs=1e-10)
        assert batch.row(r).sd == pytest.approx(single.sd, rel=1e-10)


def test_exact_power_prior_and_its_update():
    batch = power_prior_batch(MEAN, SE, 0.5).update(OWN, OWN_SE)
    same(batch, [power_prior_normal(m, s, 0.5).update(o, e)
                 for m, s, o, e in zip(MEAN, SE, OWN, OWN_SE, strict=True)])


def test_exact_normalised_power_prior():
    batch = normalised_power_batch(OWN, OWN_SE, MEAN, SE)
    same(batch, [normalised_power_normal(o, e, m, s)[0]
                 for m, s, o, e in zip(MEAN, SE, OWN, OWN_SE, strict=True)])


def test_exact_commensurate_prior_made_robust():
    slab = np.array([1.0, 2.0, 0.5])
    batch = commensurate_batch(MEAN, SE, slab_sd=slab).robust(0.2, MEAN, np.full(3, 5.0))
    batch = batch.update(OWN, OWN_SE)
    same(batch, [commensurate_normal(m, s, slab_sd=d).robust(0.2, m, 5.0).update(o, e)
                 for m, s, d, o, e in zip(MEAN, SE, slab, OWN, OWN_SE, strict=True)])


def test_map_prior_is_that_of_the_quadrature_over_points():
    """Exact to 1e-6: moments of `map_normal` with its prior of mu as wide as 1e6."""
    means = np.array([[0.0, 0.5, 1.0], [2.0, 2.1, 1.7]])
    ses = np.array([[0.2, 0.3, 0.1], [0.4, 0.4, 0.2]])
    scale = np.array([0.5, 1.0])
    batch = map_batch(means, ses, scale)
    for r in range(2):
        one = map_normal(means[r], ses[r], tau_scale=float(scale[r]))
        assert batch.mean[r] == pytest.approx(one.mean, rel=1e-6)
        assert batch.row(r).sd == pytest.approx(one.sd, rel=1e-6)


def test_the_effect_is_treated_less_control_and_a_p_value_follows():
    law = power_prior_batch(MEAN, SE, 1.0).difference_from(OWN, OWN_SE)
    assert law.mean == pytest.approx(OWN - MEAN)
    z = (OWN - MEAN) / np.hypot(SE, OWN_SE)
    assert law.row(0).probability_above(law.row(0)) == pytest.approx(0.5)
    assert law.cdf(0.0) == pytest.approx(ndtr(-z))
