"""Incidence, restricted means, Brier score and Cox errors against known answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from generation.evaluation.attenuation import attenuation, effects_shown
from generation.evaluation.brier import breslow, brier_by_patient, brier_grid
from generation.evaluation.hazard_ratios import hazard_model
from generation.evaluation.reference import Fold, Reference
from generation.evaluation.survival import (
    cox_errors,
    cox_ridge,
    kaplan_meier,
    martingale_residuals,
)
from generation.evaluation.survival_distances import (
    censoring_distance,
    common_horizon,
    cumulative_incidence,
    incidence_distance,
    restricted_mean_distance,
    restricted_means,
)
from generation.evaluation.tables import Table, align
from tests.support.evaluation_support import frame, schema

RNG = np.random.default_rng


def outcome(n: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = RNG(1)
    x = rng.normal(size=(n, 2))
    event_time = rng.exponential(100 / np.exp(0.7 * x[:, 0]))
    end = rng.uniform(20, 200, n)
    return x, np.minimum(event_time, end), event_time <= end


def test_causes_and_survival_add_up_to_one():
    _, time, event = outcome()
    cause = np.where(event, 1 + (np.arange(len(time)) % 2), 0).astype(float)
    grid = np.linspace(0, 150, 30)
    total = cumulative_incidence(time, cause, 2, grid).sum(axis=0)
    assert total + kaplan_meier(time, event, grid) == pytest.approx(np.ones(30))


def test_restricted_means_are_those_of_lifelines():
    lifelines = pytest.importorskip("lifelines")
    from lifelines.utils import restricted_mean_survival_time

    table = align(schema(), [frame(150, RNG(2))], real=[0])[0]
    endpoint = table.layout.endpoints[0]
    found = restricted_means(table, endpoint, 120.0)
    for code in (0, 1):
        rows = table.codes[:, table.layout.arm] == code
        fitted = lifelines.KaplanMeierFitter().fit(
            table.numbers[rows, endpoint.time], table.codes[rows, endpoint.event]
        )
        # The curve is read on 200 days of the grid.
        assert found[code] == pytest.approx(restricted_mean_survival_time(fitted, 120.0), abs=0.3)


def test_cox_errors_are_those_of_lifelines():
    lifelines = pytest.importorskip("lifelines")
    x, time, event = outcome()
    data = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "time": time, "event": event})
    fitted = lifelines.CoxPHFitter().fit(data, "time", "event")
    beta = cox_ridge(x, time, event, 1e-6)
    found = cox_errors(x, time, event, beta, 1e-6)
    assert beta == pytest.approx(fitted.params_.to_numpy(), abs=1e-4)
    assert found == pytest.approx(fitted.standard_errors_.to_numpy(), rel=1e-3)


def test_brier_score_is_that_of_scikit_survival():
    metrics = pytest.importorskip("sksurv.metrics")
    from sksurv.util import Surv

    x, time, event = outcome(400)
    grid = brier_grid(time, event)
    grid = grid[grid < np.quantile(time, 0.8)]
    beta = cox_ridge(x, time, event, 1e-6)
    survival = np.exp(-np.exp(x @ beta)[:, None] * breslow(x @ beta, time, event, grid))
    y = Surv.from_arrays(event, time)
    _, expected = metrics.brier_score(y, y, survival, grid)
    found = brier_by_patient(survival, time, event, grid).mean()
    assert found == pytest.approx(float(np.mean(expected)), rel=1e-3)


def test_martingale_residuals_add_up_to_nothing():
    _, time, event = outcome()
    assert martingale_residuals(time, event).sum() == pytest.approx(0, abs=1e-9)


def test_a_covariate_for_five_events_the_arm_first():
    table = align(schema(), [frame(200, RNG(3))], real=[0])[0]
    endpoint = table.layout.endpoints[0]
    assert hazard_model(table, endpoint, 4) is None
    model = hazard_model(table, endpoint, 12)
    assert model is not None and model.names[0] == "arm Active" and len(model.names) == 2
    assert "AGE" in model.names
    assert model.errors_at(50) == pytest.approx(2 * model.errors_at(200))


def test_a_copy_is_not_shrunk_and_its_interval_narrows_with_its_size():
    pool = align(schema(), [frame(600, RNG(4))], real=[0])[0]
    reference = Reference(pool, (Fold(np.arange(400), np.arange(400, 600), 400, 400),), 0)
    model = hazard_model(pool, pool.layout.endpoints[0], 40)
    assert model is not None and effects_shown(model)
    copies = [pool.take(RNG(5).integers(600, size=n)) for n in (400, 8_000)]
    found = [attenuation(reference, [copy], model) for copy in copies]
    assert found[1].se < found[0].se / 3
    assert abs(found[1].value) < 4 * found[1].se
    assert found[1].verdict == "within real-against-real"


def test_the_horizon_is_where_ten_or_a_tenth_of_every_arm_are_left():
    table = align(schema(), [frame(200, RNG(6))], real=[0])[0]
    endpoint = table.layout.endpoints[0]
    horizon = common_horizon(table, endpoint)
    times = [
        table.numbers[table.codes[:, table.layout.arm] == arm, endpoint.time] for arm in (0, 1)
    ]
    spare = [(time >= horizon).sum() - min(10, len(time) // 10) for time in times]
    assert min(spare) == 0


def test_an_empty_arm_is_as_far_off_as_can_be():
    table = align(schema(), [frame(80, RNG(7))], real=[0])[0]
    codes = table.codes.copy()
    codes[:, table.layout.arm] = 0
    one = Table(table.layout, table.numbers, codes)
    endpoint = table.layout.endpoints[0]
    share = float((table.codes[:, table.layout.arm] == 1).mean())
    assert censoring_distance(one, table, endpoint, 100.0) >= share - 0.01
    assert restricted_mean_distance(one, table, endpoint, 100.0) >= 100 * share - 1
    assert incidence_distance(one, table, endpoint, 100.0) >= share - 0.01
