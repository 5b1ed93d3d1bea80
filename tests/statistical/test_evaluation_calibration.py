"""Calibration metrics pass calibrated forecasts and see planted errors."""

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, CohortSchema, Endpoint, Variable
from generation.evaluation.calibration import calibration
from generation.evaluation.forecasts import Forecasts, SurvivalForecasts, ValueForecasts, forecast
from generation.evaluation.scores import brier_curve, crps, pit
from tests.support.generation_support import simulated_trial


def endpoint(n: int, seed: int, stretch: float = 1.0) -> SurvivalForecasts:
    """Exponential times by a covariate, forecast with hazards `stretch` times the true ones."""
    rng = np.random.default_rng(seed)
    hazard = np.exp(rng.normal(size=n))
    latent, censor = rng.exponential(1 / hazard), rng.uniform(0.5, 3.0, n)
    time, event = np.minimum(latent, censor), latent <= censor
    grid = np.linspace(0.05, 1.5, 30)
    survival = np.exp(-stretch * hazard[:, None] * grid)
    marginal = np.broadcast_to(survival.mean(axis=0), survival.shape)
    return SurvivalForecasts(
        time, event, grid, survival, marginal, np.exp(-stretch * hazard * time)
    )


def values(n: int, seed: int, spread: float = 1.0, shift: float = 0.0) -> ValueForecasts:
    rng = np.random.default_rng(seed)
    last = rng.normal(size=n) * 2
    truth = last + rng.normal(size=n)
    draws = last[:, None] + shift + spread * rng.normal(size=(n, 200))
    half = (draws + np.median(draws, axis=1, keepdims=True)) / 2
    place = rng.random(n)
    everybody = np.broadcast_to(np.sort(truth)[::10], (n, len(truth[::10])))
    return ValueForecasts(
        np.arange(n), pit(draws, truth, place), pit(half, truth, place), crps(draws, truth),
        np.abs(truth - last), crps(everybody, truth),
    )


def verdicts(forecasts: Forecasts) -> dict[str, str]:
    return {m.name.split(":")[0]: m.verdict for m in calibration(forecasts)}


def test_calibrated_forecasts_pass() -> None:
    found = Forecasts({"death": (endpoint(800, 1),)}, {"LAB": values(900, 1)})
    assert set(verdicts(found).values()) == {"within real-against-real"}


def test_too_few_patients_are_not_shown() -> None:
    found = verdicts(Forecasts({"death": (endpoint(60, 2),)}, {"LAB": values(80, 2)}))
    assert found["coverage"] == "not shown"
    assert found["calibration_slope"] == "insufficient to show"


@pytest.mark.parametrize(("spread", "shift"), [(0.5, 0.0), (1.0, 1.5), (2.0, 0.0)])
def test_wrong_spread_or_place_of_values_is_seen(spread: float, shift: float) -> None:
    assert verdicts(Forecasts({}, {"LAB": values(900, 3, spread, shift)}))["coverage"] == "worse"


def test_doubled_hazards_are_seen() -> None:
    found = verdicts(Forecasts({"death": (endpoint(800, 4, stretch=2.0),)}, {}))
    assert found["d_calibration"] == "worse"


def test_forecasts_from_few_draws_are_no_worse_than_exact_ones() -> None:
    exact = endpoint(4000, 5)
    rng = np.random.default_rng(5)
    drawn = rng.binomial(20, exact.survival) / 20
    truth, plain, fair = (
        float(brier_curve(s, exact.grid, exact.time, exact.event, draws).mean())
        for s, draws in ((exact.survival, 0), (drawn, 0), (drawn, 20))
    )
    scatter = float((exact.survival * (1 - exact.survival)).mean()) / 20
    assert plain - truth == pytest.approx(scatter, rel=0.2)
    assert abs(fair - truth) < 0.1 * scatter


def test_a_competing_endpoint_is_forecast_as_kaplan_meier_sees_it() -> None:
    from generation import fit

    trial = competing_trial(1200)
    train, holdout = trial.split(0.5, seed=1)
    model = fit(train, "twin", seed=1, members=1, epochs=5)
    [found] = forecast(model, train, holdout, draws=40, seed=1).folds["relapse"]
    assert found.draws == 0
    # Death takes many before a relapse; shares of futures with one would say so, the curve not.
    error = 4 * np.sqrt(0.25 / 600)
    assert found.survival.mean(axis=0) == pytest.approx(found.marginal[0], abs=error)


def competing_trial(n: int) -> Cohort:
    """Relapse, and death which comes as often and ends observation; both hang on AGE."""
    rng = np.random.default_rng(4)
    age = rng.normal(60, 10, n)
    relapse, death, end = rng.exponential(200, n), rng.exponential(200, n), np.full(n, 400.0)
    out = np.minimum(death, end)
    frame = pd.DataFrame({
        "subject_id": [f"P{k:04d}" for k in range(n)], "AGE": age.round(1),
        "relapse_time": np.minimum(relapse, out).round(2), "relapse_event": (relapse <= out) * 1.0,
        "death_time": out.round(2), "death_event": (death <= end) * 1.0,
    })
    schema = CohortSchema(
        study_id="C", variables=(Variable(name="AGE", kind="continuous", role="baseline"),),
        endpoints=(Endpoint(name="relapse"), Endpoint(name="death")),
    )
    return Cohort.from_table(frame, schema, study_id="C")


def test_folds_are_pooled_and_their_patients_kept_apart() -> None:
    parts = [Forecasts({"death": (endpoint(200, k),)}, {"LAB": values(300, k)}) for k in (5, 6)]
    pooled = Forecasts.pooled(parts)
    assert len(pooled.folds["death"]) == 2
    assert len(np.unique(pooled.values["LAB"].patient)) == 600


def test_a_model_is_judged_on_patients_it_has_not_seen() -> None:
    from generation import fit

    trial = simulated_trial(240, seed=9)
    train, holdout = trial.split(0.5, seed=1)
    model = fit(train, "twin", seed=1, members=1, epochs=10)
    found = forecast(model, train, holdout, draws=40, seed=1)
    metrics = calibration(found)
    assert {e.name for e in trial.schema.endpoints} >= set(found.folds)
    assert set(found.values)
    assert all(m.group == "calibration" and m.sentence for m in metrics)
    again = calibration(forecast(model, train, holdout, draws=40, seed=1))
    assert [m.value for m in again] == pytest.approx([m.value for m in metrics], nan_ok=True)
