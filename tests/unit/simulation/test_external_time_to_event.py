"""Weighted survival comparisons against the unweighted ones and against repeated rows."""

from __future__ import annotations

import numpy as np
import pytest

from extraction.records.errors import InputError
from simulation.analysis.external.time_to_event import (
    weighted_cox_batch,
    weighted_logrank_batch,
    weighted_mean_difference_batch,
    weighted_survival,
)
from simulation.analysis.survival import restricted_mean_difference

HORIZON = 300.0


def trial(n=240, seed=4, ties=True):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    treated = (rng.random(n) < 1 / (1 + np.exp(-0.6 * x[:, 0]))).astype(float)
    lasts = rng.exponential(400 * np.exp(-0.5 * x[:, 0] + 0.4 * treated))
    ends = rng.uniform(310, 700, n)
    time = np.minimum(lasts, ends)
    event = (lasts <= ends).astype(float)
    return (np.ceil(time / 5) * 5 if ties else time), event, treated, x


def test_equal_weights_give_the_plain_restricted_mean_with_greenwoods_variance():
    """Exact where each day's deaths are one person's; within 1 % with ties."""
    for ties, slack in ((False, 1e-9), (True, 0.01)):
        time, event, treated, _ = trial(ties=ties)
        plain = restricted_mean_difference(time, event, treated, HORIZON)
        found = weighted_mean_difference_batch(time[None], event[None], treated[None],
                                               np.ones((1, time.size)), HORIZON)
        assert found.estimate[0] == pytest.approx(plain.estimate, abs=1e-9)
        assert found.se[0] == pytest.approx(plain.se, rel=slack)


def test_equal_weights_give_the_log_rank_score():
    """Exact: observed less expected events of the treated, counted day by day."""
    time, event, treated, _ = trial()
    score = 0.0
    for day in np.unique(time[event == 1]):
        there = time >= day
        deaths = (time == day) & (event == 1)
        score += treated[deaths].sum() - deaths.sum() * treated[there].mean()
    found = weighted_logrank_batch(time[None], event[None], treated[None], np.ones((1, time.size)))
    assert found.estimate[0] == pytest.approx(score, abs=1e-9)


def test_a_weight_of_two_is_two_patients():
    time, event, treated, _ = trial(n=80)
    weights = np.ones(80)
    weights[[5, 17]] = 2
    twice = np.repeat(np.arange(80), weights.astype(int))
    for batch in (weighted_cox_batch, weighted_logrank_batch,
                  lambda t, d, z, w: weighted_mean_difference_batch(t, d, z, w, HORIZON)):
        weighted = batch(time[None], event[None], treated[None], weights[None])
        listed = batch(time[twice][None], event[twice][None], treated[twice][None],
                       np.ones((1, twice.size)))
        assert weighted.estimate[0] == pytest.approx(listed.estimate[0], abs=1e-8)


def test_log_rank_and_cox_agree_near_no_effect():
    time, event, treated, _ = trial(n=400, seed=9)
    weights = np.random.default_rng(3).uniform(0.5, 2, size=(1, 400))
    cox = weighted_cox_batch(time[None], event[None], treated[None], weights)
    score = weighted_logrank_batch(time[None], event[None], treated[None], weights)
    assert score.z[0] == pytest.approx(cox.z[0], abs=0.1)


@pytest.mark.parametrize("method", ["cox", "rmst", "logrank"])
def test_robust_and_bootstrap_errors_are_of_one_size(method):
    """Simulated (200 refits): the weights are estimated, so the two may differ by a quarter."""
    time, event, treated, x = trial()
    robust = weighted_survival(time, event, treated, x, method, horizon=HORIZON)
    again = weighted_survival(time, event, treated, x, method, horizon=HORIZON,
                              rng=np.random.default_rng(6), replicates=200)
    assert again.estimate == robust.estimate
    assert again.se == pytest.approx(robust.se, rel=0.35)


def test_treatment_prolongs_survival_in_every_method():
    time, event, treated, x = trial(n=900, seed=1)
    ratio = weighted_survival(time, event, treated, x)
    assert ratio.high < 1
    assert weighted_survival(time, event, treated, x, "rmst", horizon=HORIZON).low > 0
    assert weighted_survival(time, event, treated, x, "logrank").high < 0


def test_faulty_requests_are_refused():
    time, event, treated, x = trial(n=40)
    with pytest.raises(InputError) as caught:
        weighted_survival(time, event, treated, x, "gehan", "everyone")
    assert len(caught.value.faults) == 2
    with pytest.raises(InputError, match="horizon"):
        weighted_survival(time, event, treated, x, "rmst")
    with pytest.raises(InputError, match="follow-up"):
        weighted_survival(time, event, treated, x, "rmst", horizon=5000.0)
