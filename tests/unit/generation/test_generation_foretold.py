"""Two hazards of an endpoint: one draws synthetic patients, forecasts stand on the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, CohortSchema, Endpoint, Variable
from generation import fit
from generation.assembly import to_arrays
from generation.twin_model.model import TwinModel


@pytest.fixture(scope="module")
def model() -> TwinModel:
    """160 patients, a covariate with a log hazard ratio of 1.2 a standard deviation."""
    rng = np.random.default_rng(5)
    n = 160
    risk = rng.normal(size=n).round(2)
    day = rng.exponential(200 / np.exp(1.2 * risk)).round() + 1
    frame = pd.DataFrame({
        "subject_id": [f"P{k}" for k in range(n)], "RISK": risk,
        "NOISE": rng.normal(size=n).round(2),
        "death_time": np.minimum(day, 300), "death_event": (day < 300).astype(float),
    })  # fmt: skip
    schema = CohortSchema(
        study_id="TWO", variables=tuple(
            Variable(name=name, kind="continuous", role="baseline") for name in ("RISK", "NOISE")
        ),
        endpoints=(
            Endpoint(name="death", time_column="death_time", event_column="death_event"),
        ),
    )  # fmt: skip
    cohort = Cohort.from_table(frame, schema)
    found = fit(cohort, "twin", seed=1, members=1, epochs=5, residual="off")
    assert isinstance(found, TwinModel)
    return found


def test_only_what_is_drawn_is_matched(model: TwinModel) -> None:
    drawn, foretold = model.outcome, model.outcome.forecasting
    a, b = drawn.endpoints[0].causes[0], foretold.endpoints[0].causes[0]
    assert not np.allclose(a.beta, b.beta)
    assert foretold.forecasting.endpoints[0].causes[0] is b


def test_both_are_stored(model: TwinModel, tmp_path: Path) -> None:
    again = TwinModel.load(model.save(tmp_path / "model"))
    for old, new in (
        (model.outcome, again.outcome), (model.outcome.forecasting, again.outcome.forecasting),
    ):  # fmt: skip
        np.testing.assert_array_equal(
            old.endpoints[0].causes[0].beta, new.endpoints[0].causes[0].beta
        )


def test_futures_stand_on_the_forecasting_hazards(model: TwinModel) -> None:
    """The share of futures with an event by day 100 is the forecasting hazard's, within 4.5 SE."""
    patients = model.sample(12, seed=2)
    draws = 2000
    made = model.futures(patients, 0.0, draws, seed=3)
    day, status = made.events["death"]
    share = ((day <= 100) & (status > 0)).reshape(12, draws).mean(axis=1)
    columns = model.sampler.columns
    features = columns.features(columns.encode(to_arrays(patients)), True)
    hazard = model.outcome.forecasting.endpoints[0].causes[0]
    expected = 1 - np.exp(hazard.log_survival(features, np.full(12, 100.0)))
    error = np.sqrt(expected * (1 - expected) / draws)
    np.testing.assert_array_less(np.abs(share - expected), 4.5 * error + 0.01)
