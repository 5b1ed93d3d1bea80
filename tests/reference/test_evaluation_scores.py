"""Scores of forecasts against closed forms and other packages."""

import numpy as np
import pytest
from scipy.stats import norm

from generation.evaluation.scores import (
    brier_curve,
    calibration_slope,
    concordance,
    coverage,
    crps,
    d_calibration,
    pit,
)


def trial(n: int, seed: int) -> tuple[np.ndarray, ...]:
    """Exponential times with log hazard x, uniform censoring: x, time, event."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    latent, censor = rng.exponential(np.exp(-x)), rng.uniform(0.2, 4.0, n)
    return x, np.minimum(latent, censor), latent <= censor


def test_crps_of_normal_draws_is_the_closed_form() -> None:
    """Gneiting and Raftery 2007, equation 21 (doi 10.1198/016214506000001437)."""
    rng = np.random.default_rng(0)
    truth = np.array([-2.0, 0.0, 0.5, 3.0])
    draws = rng.normal(size=(4, 20_000))
    exact = truth * (2 * norm.cdf(truth) - 1) + 2 * norm.pdf(truth) - 1 / np.sqrt(np.pi)
    se = np.std(np.abs(draws - truth[:, None]), axis=1) / np.sqrt(20_000)
    assert (np.abs(crps(draws, truth) - exact) < 4 * se + 4e-3).all()


def test_crps_does_not_depend_on_the_number_of_draws() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=4000)
    few, many = (crps(rng.normal(size=(4000, k)), truth) for k in (3, 200))
    se = np.hypot(few.std(), many.std()) / np.sqrt(4000)
    assert abs(few.mean() - many.mean()) < 3.3 * se


def test_crps_leaves_out_draws_without_a_value() -> None:
    draws = np.array([[1.0, np.nan, 3.0, np.nan]])
    assert crps(draws, np.array([2.0]))[0] == pytest.approx(1.0 - 1.0)


def test_pit_of_the_true_law_is_uniform_and_covers() -> None:
    rng = np.random.default_rng(2)
    truth = rng.poisson(3.0, 5000).astype(float)
    found = pit(rng.poisson(3.0, (5000, 300)).astype(float), truth, rng.random(5000))
    counts = np.histogram(found, np.linspace(0, 1, 11))[0]
    assert ((counts - 500) ** 2 / 500).sum() < 27.9  # chi-squared, 9 df, one in a thousand
    held = coverage(found, np.arange(5000), 0.8)
    assert abs(held.share - 0.8) < 3.3 * held.se
    assert held.se == pytest.approx(np.sqrt(0.16 / 5000), rel=0.05)


def test_coverage_counts_a_patient_once() -> None:
    found = np.tile(np.random.default_rng(3).random(100), 9)
    once, often = (coverage(found[: 100 * k], np.tile(np.arange(100), k), 0.8) for k in (1, 9))
    assert often.se == pytest.approx(once.se)


def test_brier_score_is_that_of_scikit_survival() -> None:
    metrics = pytest.importorskip("sksurv.metrics")
    x, time, event = trial(400, 4)
    grid = np.linspace(0.2, 2.0, 10)
    survival = np.exp(-np.exp(x)[:, None] * grid)
    kinds = [("event", bool), ("time", float)]
    outcome = np.array(list(zip(event, time, strict=True)), dtype=kinds)
    theirs = metrics.brier_score(outcome, outcome, survival, grid)[1]
    assert brier_curve(survival, grid, time, event).mean(axis=0) == pytest.approx(theirs, abs=2e-3)


def test_slope_and_concordance_are_those_of_lifelines() -> None:
    lifelines = pytest.importorskip("lifelines")
    import pandas as pd

    x, time, event = trial(500, 5)
    fitted = lifelines.CoxPHFitter().fit(
        pd.DataFrame({"x": 2 * x, "time": time, "event": event}), "time", "event"
    )
    slope, se = calibration_slope(2 * x, time, event)
    assert slope == pytest.approx(fitted.params_["x"], abs=1e-4)
    assert se == pytest.approx(fitted.standard_errors_["x"], rel=1e-3)
    assert concordance(x, time, event) == pytest.approx(
        lifelines.utils.concordance_index(time, -x, event), abs=1e-9
    )


def test_true_survival_is_d_calibrated_and_doubled_hazards_are_not() -> None:
    x, time, event = trial(3000, 6)
    own = np.exp(-np.exp(x) * time)
    share, wrong = d_calibration(own, event), d_calibration(own**2, event)
    assert share.sum() == pytest.approx(1.0)
    assert 3000 * 10 * ((share - 0.1) ** 2).sum() < 27.9
    assert 3000 * 10 * ((wrong - 0.1) ** 2).sum() > 27.9
