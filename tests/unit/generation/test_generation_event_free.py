"""What a history of events says of an unknown baseline, and exact survival beside simulation."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, CohortSchema, Endpoint, Variable
from generation import fit
from generation.assembly import CENSORED, align, to_arrays
from generation.engine import Model
from generation.twin_model.futures import Lot, _known_baseline, event_free
from generation.twin_model.outcome import WAITING

SCHEMA = CohortSchema(
    study_id="R",
    variables=(
        Variable(name="SCORE", kind="continuous", role="baseline"),
        Variable(name="GRADE", kind="categorical", role="baseline", categories=("low", "high")),
    ),
    endpoints=(Endpoint(name="relapse"), Endpoint(name="death")),
)


def patients(n: int, seed: int) -> Cohort:
    """Death comes soon after a relapse where the grade is high, and late otherwise."""
    rng = np.random.default_rng(seed)
    score, high = rng.normal(size=n), rng.random(n) < 0.5
    relapse = rng.exponential(150 * np.exp(-0.5 * score))
    later = relapse + rng.exponential(np.where(high, 40, 400))
    death = np.where(rng.exponential(2000, n) < relapse, rng.exponential(2000, n), later)
    end = rng.uniform(200, 500, n)
    out = np.minimum(death, end)
    return Cohort.from_table(pd.DataFrame({
        "subject_id": [f"P{k:04d}" for k in range(n)], "SCORE": score.round(2),
        "GRADE": np.where(high, "high", "low"),
        "relapse_time": np.minimum(relapse, out).round(1), "relapse_event": (relapse <= out) * 1.0,
        "death_time": out.round(1), "death_event": (death <= end) * 1.0,
    }), SCHEMA, study_id="R")


@cache
def model() -> Model:
    return fit(patients(900, 1), "twin", seed=1, members=1, epochs=8)


def test_an_unknown_baseline_follows_from_what_came_after_another_endpoint() -> None:
    [death] = [e for e in model().outcome.endpoints if e.name == "death"]
    assert death.then is not None
    assert death.then.parent == "relapse"
    table = patients(200, 2).to_table()
    table["GRADE"] = None
    table["relapse_time"], table["relapse_event"] = 5.0, 1.0
    table["death_time"], table["death_event"] = 300.0, 0.0
    waiting = Cohort.from_table(table, SCHEMA, study_id="R")
    history = align(to_arrays(waiting), SCHEMA, ())
    zero = np.arange(200)
    lot = Lot(zero, zero, np.zeros(200, dtype=np.int64), 1)
    high = []
    for day in (6.0, 200.0):
        drawn, _ = _known_baseline(model(), history, lot, day)
        high.append(np.mean(model().sampler.columns.decode(drawn, "GRADE") == "high"))
    # Of those who live 195 days after a relapse few have the high grade: exp(-195/40) against
    # exp(-195/400).
    assert high[0] == pytest.approx(0.5, abs=0.15)
    assert high[1] < 0.2


def test_waiting_after_another_endpoint_is_counted_from_its_event() -> None:
    outcome = model().outcome
    features = np.zeros((1, len(outcome.endpoints[0].causes[0].beta)))
    endpoints = {e.name: e for e in outcome.endpoints}
    [relapse], [own] = endpoints["relapse"].causes, endpoints["death"].causes
    then = endpoints["death"].then
    assert then is not None
    day, until = np.array([50.0]), np.array([120.0])
    found = outcome.log_events(features, {
        "relapse": (day, np.array([1])), "death": (until, np.array([WAITING])),
    })
    expected = relapse.log_survival(features, day) + relapse.log_rate(features, day)
    expected += own.log_survival(features, day) + then.causes[0].log_survival(features, until - day)
    expected += np.log(1 - then.at_once.sum())
    assert found == pytest.approx(expected)


def test_exact_survival_is_that_of_the_futures() -> None:
    table = patients(60, 3).to_table()
    table.loc[::3, "SCORE"] = np.nan
    cohort = Cohort.from_table(table, SCHEMA, study_id="R")
    days = np.array([0.0, 60.0, 180.0])
    exact = event_free(model(), cohort, "death", days, 1)
    assert exact is not None
    day, status = model().futures(cohort, 0.0, 400, seed=2).events["death"]
    latent = np.where(status > CENSORED, day, np.inf).reshape(60, 400)
    shares = np.stack([(latent > d).mean(axis=1) for d in days], axis=1)
    assert exact[:, 0] == pytest.approx(1.0)
    known = align(to_arrays(cohort), SCHEMA, ()).baseline["SCORE"]
    rows = np.isfinite(known.astype(float))
    z = (exact - shares)[rows, 1:] / np.sqrt(0.25 / 400)
    assert np.abs(z).max() < 4.5
    assert exact.mean(axis=0) == pytest.approx(shares.mean(axis=0), abs=0.02)
