"""The stopping rule over replicates and over a drift of the outcome or the covariates."""

from __future__ import annotations

import numpy as np
import pytest

from extraction.records.errors import InputError
from simulation.analysis.borrowing import BorrowingRule, effective_size, range_overlap
from simulation.analysis.external.balance import difference_batch
from simulation.analysis.external.drift import (
    conflict_limit,
    overlap_batch,
    stop_batch,
    strategy_rejections,
    summarise,
)
from simulation.analysis.external.sensitivity import conflict_of_means
from simulation.analysis.external.weighted import weighted_with
from simulation.analysis.external.weights import weights_batch

RULE = BorrowingRule(min_ess=40)


def trials(replicates, shift=0.0, drift=0.0, seed=3):
    """100 treated and 150 external controls whose covariates and outcomes may be off."""
    rng = np.random.default_rng(seed)
    treated = np.tile(np.r_[np.ones(100), np.zeros(150)], (replicates, 1))
    x = rng.normal(size=(replicates, 250, 2))
    x[..., 0] += shift * (1 - treated)
    y = x.sum(axis=2) + drift * (1 - treated) + rng.normal(size=treated.shape)
    return y, treated, x


def test_overlap_and_sizes_are_those_of_one_trial():
    _, treated, x = trials(2, shift=0.8)
    found = weights_batch(treated, x)
    for r in range(2):
        one, zero = x[r, :100], x[r, 100:]
        assert overlap_batch(treated, x)[r] == pytest.approx(range_overlap(one, zero))
        assert difference_batch(treated, x)[r, 0] < -0.4
        assert effective_size(found.weights[r, 100:]) < 120


def test_unlike_covariates_are_stopped_and_alike_ones_go_on():
    """Simulated (200 each); under no shift the greatest of two SMDs passes .5 in < 1 in 1,000."""
    shares = []
    for shift in (0.0, 0.6, 1.5):
        _, treated, x = trials(200, shift=shift)
        shares.append(stop_batch(treated, x, weights_batch(treated, x), RULE).mean())
    assert shares[0] < 0.05
    assert shares[0] < shares[1] < shares[2]
    assert shares[2] > 0.99


def test_conflict_stops_what_baseline_cannot_see():
    _, treated, x = trials(50)
    found = weights_batch(treated, x)
    p = np.r_[np.full(25, 0.01), np.full(25, 0.9)]
    stops = stop_batch(treated, x, found, RULE, conflict_p=p, min_conflict_p=0.1)
    assert stops[:25].all()
    assert stops[25:].mean() < 0.1


def test_a_drift_inflates_the_type_one_error_of_what_goes_on():
    """Simulated (400 each): drift of half a standard deviation is invisible at baseline."""
    lines = []
    for drift in (0.0, 0.5):
        y, treated, x = trials(400, drift=drift)
        found = weights_batch(treated, x)
        effect = weighted_with(y, treated, x, found, "att")
        stopped = stop_batch(treated, x, found, RULE)
        lines.append(summarise(stopped, effect.effect, effect.se, 0.0))
    assert lines[0].rejection == pytest.approx(0.05, abs=4 * 0.011)
    assert lines[0].coverage == pytest.approx(1 - lines[0].rejection)
    assert abs(lines[0].bias) < 4 * lines[0].bias_se
    assert lines[1].bias == pytest.approx(-0.5, abs=4 * lines[1].bias_se)
    assert lines[1].rejection > 0.8
    assert conflict_of_means(0.5, 0.1, 0.0, 0.1) < 0.01


def test_a_rule_that_always_stops_says_nothing_of_the_rest():
    line = summarise(np.ones(10, dtype=bool), np.full(10, np.nan), np.ones(10), 0.0)
    assert line.p_stop == 1
    assert np.isnan(line.bias)
    assert np.isnan(line.rejection)
    with pytest.raises(InputError, match="no estimate"):
        summarise(np.zeros(3, dtype=bool), np.full(3, np.nan), np.ones(3), 0.0)


def test_a_strategy_falls_back_on_its_own_controls():
    stopped, borrowed = np.array([True, False, True]), np.array([True, True, False])
    assert strategy_rejections(stopped, borrowed, np.zeros(3, bool)).tolist() == [False, True,
                                                                                False]
    assert strategy_rejections(stopped, borrowed, np.ones(3, bool)).all()


def test_the_conflict_limit_is_the_least_that_holds_the_cap():
    """Two drifts of 100 trials; the false rejections have p below .3 in the second."""
    p = np.tile(np.linspace(0.005, 0.995, 100), (2, 1))
    borrowed = np.stack([np.zeros(100, bool), p[1] < 0.3])
    alone, stopped = np.zeros((2, 100), bool), np.zeros((2, 100), bool)
    found = conflict_limit(stopped, p, borrowed, alone, cap=0.1)
    assert found.worst == pytest.approx([0.2, 0.1, 0.0, 0.0, 0.0])
    assert found.least_p == 0.2
    assert found.worst_se[0] == pytest.approx(0.04)
    assert conflict_limit(stopped, p, borrowed, ~alone, cap=0.1).least_p is None
    with pytest.raises(InputError, match="rising"):
        conflict_limit(stopped, p, borrowed, alone, candidates=(0.3, 0.1))
