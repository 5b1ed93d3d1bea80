"""Endpoints that are no longer looked for once treatment has been discontinued."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, CohortSchema, Endpoint, Variable
from generation import fit
from generation.engine import Model

_DISCONTINUED = "WITHDRAWAL"


@pytest.fixture(scope="module")
def trial() -> Cohort:
    """A third discontinue and are seen on for a while; rash is asked for until they do."""
    rng = np.random.default_rng(11)
    n = 240
    stopped = rng.random(n) < 1 / 3
    end = np.where(stopped, rng.uniform(10, 150, n), rng.normal(182, 3, n)).round()
    until = np.where(stopped & (rng.random(n) < 0.3), end + rng.uniform(1, 40, n), end).round()
    rash = rng.exponential(200, n).round() + 1
    subjects = pd.DataFrame({
        "subject_id": [f"P{k}" for k in range(n)],
        "arm": np.where(np.arange(n) % 2, "Placebo", "Drug"),
        "observed_until": until,
        "end_reason": np.where(stopped, _DISCONTINUED, "COMPLETED"),
        "AGE": rng.normal(70, 8, n).round(),
    })  # fmt: skip
    events = pd.concat([
        pd.DataFrame({
            "subject_id": subjects["subject_id"], "endpoint": "discontinuation", "day": end,
            "observed": stopped, "cause": np.where(stopped, _DISCONTINUED, None),
        }),
        pd.DataFrame({
            "subject_id": subjects["subject_id"], "endpoint": "rash",
            "day": np.minimum(rash, end), "observed": rash < end,
            "cause": np.where(rash < end, "event", None),
        }),
    ])  # fmt: skip
    schema = CohortSchema(
        study_id="STOPS", variables=(
            Variable(name="AGE", kind="continuous", role="baseline", low=18, high=110),
        ),
        endpoints=(
            Endpoint(name="discontinuation", causes=(_DISCONTINUED,)), Endpoint(name="rash"),
        ),
        arms=("Placebo", "Drug"), control_arm="Placebo", allocation={"Placebo": 1, "Drug": 1},
    )  # fmt: skip
    return Cohort.build(schema, subjects, events=events)


@pytest.fixture(scope="module")
def model(trial: Cohort) -> Model:
    return fit(trial, "twin", seed=3, members=1, epochs=5)


def test_the_mirror_and_what_stops_with_it_are_found(model: Model) -> None:
    outcome = model.outcome  # type: ignore[attr-defined]
    assert set(outcome.mirrors) == {"discontinuation"}
    assert [e.stops for e in outcome.endpoints] == ["discontinuation"]


def test_nothing_is_recorded_after_the_stop_and_completers_complete(model: Model) -> None:
    n = 3000
    table = model.sample(n, seed=5).to_table()
    stop, stopped = table["discontinuation_time"], table["discontinuation_event"] == 1
    rash, had = table["rash_time"], table["rash_event"] == 1
    assert (rash <= stop).all()
    np.testing.assert_array_equal(rash[~had], stop[~had])
    # One spell of twelve may hold patients of both kinds.
    assert (stop[~stopped] < 150).mean() < 1 / 12
    # A third of 240 patients: 4.5 standard errors of the training and the drawn share.
    error = np.sqrt(2 / 9 * (1 / 240 + 1 / n))
    assert abs(stopped.mean() - 1 / 3) < 4.5 * error
