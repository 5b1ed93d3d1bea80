"""Kaplan-Meier, ridge Cox, concordance and areas under the curve against independent forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score

from generation.evaluation import separation as areas
from generation.evaluation import survival
from generation.evaluation.tables import align
from tests.support.evaluation_support import frame, schema


@pytest.fixture(scope="module")
def trial():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3))
    time = np.ceil(rng.exponential(20 / np.exp(x[:, 0])))  # whole days, so that times tie
    return x, time, rng.random(120) < 0.7


def test_kaplan_meier_by_hand():
    curve = survival.kaplan_meier(
        np.array([1.0, 2.0, 2.0, 3.0]),
        np.array([True, True, False, True]),
        np.array([0.0, 1.0, 2.5, 3.0]),
    )
    assert curve == pytest.approx([1, 0.75, 0.75 * 2 / 3, 0])


def test_curves_of_one_sample_do_not_differ():
    table = align(schema(), [frame(80, np.random.default_rng(1))], real=[0])[0]
    gap = survival.curve_gap(table, table, table.layout.endpoints[0])
    assert gap.area == 0
    assert gap.largest == 0


def test_cox_maximises_the_breslow_likelihood(trial):
    x, time, event = trial

    def loss(beta):
        score = x @ beta
        at_risk = [np.log(np.exp(score[time >= t]).sum()) for t in time[event]]
        return -(score[event].sum() - sum(at_risk)) + 2.0 / 2 * beta @ beta

    expected = minimize(loss, np.zeros(3), tol=1e-10).x
    assert survival.cox_ridge(x, time, event, 2.0) == pytest.approx(expected, abs=1e-4)


def test_cox_without_events_knows_nothing(trial):
    x, time, _ = trial
    assert not survival.cox_ridge(x, time, np.zeros(120, dtype=bool), 1.0).any()


def test_concordance_equals_scikit_survival(trial):
    metrics = pytest.importorskip("sksurv.metrics")
    x, time, event = trial
    score = x[:, 0].round(1)
    concordant, comparable = survival.concordant_pairs(score, time, event)
    expected = metrics.concordance_index_censored(event, time, score)[0]
    assert concordant.sum() / comparable.sum() == pytest.approx(expected)


def test_area_equals_scikit_learn_with_ties():
    rng = np.random.default_rng(2)
    positive, negative = rng.normal(0.5, 1, 60).round(1), rng.normal(size=80).round(1)
    expected = roc_auc_score(np.repeat([1, 0], [60, 80]), np.concatenate([positive, negative]))
    assert areas.separation(positive, negative).area == pytest.approx(expected)


def test_area_influences_have_no_mean():
    found = areas.separation(np.array([0.1, 0.4, 0.9]), np.array([0.2, 0.3, 0.5, 0.8]))
    assert found.positive.sum() == pytest.approx(0)
    assert found.negative.sum() == pytest.approx(0)
