"""Twins and forecasts, on a model whose law is known exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, InputError, RefusedError, VisitWindow
from simulation.twins import Twin, validation
from simulation.twins.days import between, measured_visits, sparse_faults
from simulation.twins.forecast import Forecast
from tests.support.generation_support import simulated_trial
from tests.support.records_support import small_cohort, small_schema


class KnownModel:
    """ALT is last value + N(0, 1) a visit; death is exponential with mean 100 days."""

    schema = small_schema()
    leaving_endpoints = frozenset[str]()

    def sample(self, n, given=None, arm=None, until_day=None, seed=0, *, dropout=True):
        rng = np.random.default_rng(seed)
        base = given.cohort
        ids = [f"D-{i:06d}" for i in range(n)]
        past = base.observed("ALT")
        start = past["value"].iloc[-1] if len(past) else 30.0
        parts = [
            pd.DataFrame({"subject_id": ids, "day": row.day, "variable": "ALT", "value": row.value})
            for row in past.itertuples()
        ]
        value = np.full(n, start)
        for visit in self.schema.visits:
            if given.until_day < visit.day <= until_day:
                value = value + rng.normal(size=n)
                parts.append(
                    pd.DataFrame(
                        {"subject_id": ids, "day": visit.day, "variable": "ALT", "value": value}
                    )
                )
        dead = given.until_day + rng.exponential(100, n)
        events = pd.DataFrame(
            {
                "subject_id": ids,
                "endpoint": "death",
                "day": np.minimum(dead, until_day),
                "observed": dead <= until_day,
            }
        )
        events["cause"] = np.where(events["observed"], "cancer", None)
        subjects = pd.concat([base.subjects] * n, ignore_index=True).assign(subject_id=ids)
        schema = self.schema.replace(
            variables=tuple(
                v if v.name != "ALT" else v.model_copy(update={"low": None})
                for v in self.schema.variables
            )
        )
        return Cohort.build(schema, subjects, pd.concat(parts), events=events)


class LeavingModel(KnownModel):
    """Death ends observation: it is drawn only while dropout is on."""

    leaving_endpoints = frozenset({"death"})

    def sample(self, n, given=None, arm=None, until_day=None, seed=0, *, dropout=True):
        drawn = super().sample(n, given, arm, until_day, seed, dropout=dropout)
        if dropout:
            return drawn
        return replace(drawn, events=drawn.events.assign(observed=False, cause=None))


@pytest.fixture
def twin():
    cohort = small_cohort()
    long = cohort.events.loc[cohort.events["day"] > 40, "subject_id"].iloc[0]
    return Twin(KnownModel(), cohort.timeline(long, until_day=40))


def test_quantiles_follow_the_models_law(twin):
    forecast = twin.forecast(days=[56], variables=["ALT"], draws=4000, seed=1)
    last = twin.timeline.cohort.observed("ALT")["value"].iloc[-1]
    row = forecast.quantiles([0.5, 0.975]).iloc[0]
    # False-alarm rate 1e-4 each: 3.9 standard errors of a normal quantile.
    assert abs(row["q0.5"] - last) < 3.9 * 1.2533 / np.sqrt(4000)
    assert abs(row["q0.975"] - last - 1.96) < 3.9 * 2.67 / np.sqrt(4000)


def test_event_probability_and_its_error(twin):
    forecast = twin.forecast(days=[56], endpoints=["death"], draws=4000, seed=2)
    row = forecast.event_probabilities().iloc[0]
    assert abs(row["probability"] - (1 - np.exp(-16 / 100))) < 3.9 * row["se"]


def test_an_endpoint_that_ends_observation_is_forecast_with_dropout_on(twin):
    leaving = Twin(LeavingModel(), twin.timeline).forecast(days=[56], draws=4000, seed=2)
    same = twin.forecast(days=[56], draws=4000, seed=2)
    assert leaving.event_probabilities().equals(same.event_probabilities())
    assert leaving.draws["ALT"] == pytest.approx(same.draws["ALT"])
    assert "death: dropout left on" in leaving.question
    assert "left on" not in same.question
    gone = twin.timeline.cohort.subjects.assign(end_reason="LEFT")
    history = replace(twin.timeline, cohort=replace(twin.timeline.cohort, subjects=gone))
    after = Twin(LeavingModel(), history).forecast(days=[56], draws=50)
    assert after.event_probabilities()["probability"].tolist() == [0.0]


def test_a_reached_endpoint_has_probability_one(twin):
    events = twin.timeline.cohort.events.assign(observed=True, cause="other", day=10.0)
    dead = replace(twin.timeline, cohort=replace(twin.timeline.cohort, events=events))
    forecast = Twin(KnownModel(), dead).forecast(days=[56], variables=[], draws=50)
    assert forecast.event_probabilities()["probability"].tolist() == [1.0]


def test_no_event_is_never_no_risk():
    never = np.full(500, np.inf)
    forecast = Forecast("", None, 0.0, np.array([10.0]), {}, {"death": never})
    row = forecast.event_probabilities().iloc[0]
    assert row["probability"] == 0 and row["se"] > 0


def test_a_visit_may_be_named(twin):
    named = twin.forecast(days=["Week 8"], variables=["ALT"], draws=50)
    assert named.days.tolist() == [56]
    with pytest.raises(InputError, match=r"did you mean Week 8\?"):
        twin.forecast(days=["Week 88"], variables=["ALT"])
    for days in ("Week 8", 56, [None], [True], [[56]], [float("nan")]):
        with pytest.raises(InputError, match="days"):
            twin.forecast(days=days, variables=["ALT"])


class SparseModel(KnownModel):
    """ALT at the last visit is seen in one of fifty futures, and at an added later one in all."""

    schema = KnownModel.schema.replace(
        visits=(*KnownModel.schema.visits, VisitWindow(name="Week 12", day=84, low=77, high=91))
    )

    def sample(self, n, **options):
        cohort = super().sample(n, **options)
        rows = cohort.observations
        seen = rows["subject_id"].isin(cohort.subject_ids[::50]) | (rows["day"] != 56)
        followed = cohort.subjects.assign(observed_until=options["until_day"])
        return replace(cohort, subjects=followed, observations=rows[seen].reset_index(drop=True))


def test_a_variable_that_is_hardly_measured_at_a_visit_is_refused(twin):
    rare = Twin(SparseModel(), twin.timeline)
    with pytest.raises(InputError) as caught:
        rare.forecast(days=[56], variables=["ALT"], draws=500)
    assert "ALT has a value on day 56 in 10 of 500 draws" in caught.value.faults[0]
    assert "measured at Week 12" in caught.value.faults[0]
    assert rare.forecast(days=[56], draws=500).draws == {}
    kept = rare.forecast(days=[56, 84], variables=["ALT"], draws=500, sparse="keep")
    assert np.isfinite(kept.draws["ALT"]).sum(axis=0).tolist() == [10, 500]
    blank = rare.forecast(days=[56, 84], draws=500)
    assert np.isfinite(blank.draws["ALT"]).sum(axis=0).tolist() == [0, 500]


def test_few_draws_with_a_value_ask_for_more_draws():
    drawn = np.where(np.arange(50)[:, None] < 12, 1.0, np.nan)
    (fault,) = sparse_faults("ALT", drawn, np.array([56.0]), ["Week 8"])
    assert fault == "ALT has a value on day 56 in 12 of 50 draws; 20 are needed; raise draws"


def test_a_forecast_reads_in_one_line(twin):
    forecast = twin.forecast(days=[56], variables=["ALT"], draws=50)
    told = f"Forecast(under {twin.timeline.arm} from day 40: ALT, death on day 56; 50 draws)"
    assert repr(forecast) == told


def test_another_arm_needs_a_named_question(twin):
    other = "Active" if twin.timeline.arm == "Placebo" else "Placebo"
    with pytest.raises(RefusedError, match="from_baseline"):
        twin.forecast(other, days=[56])
    assert "switched" in twin.forecast(other, days=[56], estimand="switch").question
    baseline = twin.forecast(other, days=[28, 56], estimand="from_baseline")
    assert baseline.from_day == 0


def test_all_faults_of_a_request_together(twin):
    with pytest.raises(InputError) as caught:
        twin.forecast(days=[10, 100], variables=["ALT"], draws=3)
    assert len(caught.value.faults) == 3


def test_wrong_names_are_told_with_the_other_faults(twin):
    with pytest.raises(InputError) as caught:
        twin.forecast(days=[56], variables=["ALTT", "AGE"], endpoints=["deth"], draws=3)
    assert len(caught.value.faults) == 4


def test_draws_without_a_value_do_not_sharpen_the_mean():
    values = np.full((400, 2), np.nan)
    values[:100, 0] = np.random.default_rng(8).normal(size=100)
    forecast = Forecast("", None, 0.0, np.array([10.0, 20.0]), {"ALT": values}, {})
    table = forecast.quantiles([0.5])
    assert table["draws"].tolist() == [100, 0]
    assert np.isclose(table["mean_se"].iloc[0], values[:100, 0].std(ddof=1) / 10)
    assert table[["q0.5", "mean", "mean_se"]].iloc[1].isna().all()


def test_futures_that_miss_the_visit_are_left_out_of_the_score():
    rng = np.random.default_rng(9)
    truth, drawn = rng.normal(size=30), rng.normal(size=(30, 60))
    gaps = drawn.copy()
    gaps[:, ::3] = np.nan
    whole = validation._score(np.arange(30), drawn[:, np.arange(60) % 3 > 0], truth)
    pd.testing.assert_frame_equal(validation._score(np.arange(30), gaps, truth), whole)
    gaps[3, 5:] = np.nan
    with pytest.raises(InputError, match="fewer than 20 draws"):
        validation._score(np.arange(30), gaps, truth)


def test_too_few_patients_to_judge_are_refused():
    with pytest.raises(InputError, match="two a fold"):
        validation.cross_forecast(small_cohort(6), "ALT", "Week 4", "Week 8", folds=5)
    with pytest.raises(InputError, match="does not follow"):
        validation.cross_forecast(small_cohort(6), "ALT", "Week 8", "Week 4", folds=2)


def test_only_visits_that_measure_the_variable_are_asked_for():
    cohort = small_cohort(40)
    assert [v.name for v in measured_visits(cohort, "ALT", 0)] == ["Week 4", "Week 8"]
    rows = cohort.observations
    few = rows[(rows["day"] > 50) | rows["subject_id"].isin(cohort.subject_ids[:3])]
    sparse = replace(cohort, observations=few.reset_index(drop=True))
    assert [v.name for v in measured_visits(sparse, "ALT", 0)] == ["Week 8"]
    # Three of the six who are still followed are more than a tenth.
    until = np.where(np.arange(40) < 6, 60.0, 10.0)
    left = replace(sparse, subjects=cohort.subjects.assign(observed_until=until))
    assert [v.name for v in measured_visits(left, "ALT", 0)] == ["Week 4", "Week 8"]
    assert [v.name for v in measured_visits(left, "ALT", 28)] == ["Week 8"]


def test_a_patients_draws_belong_to_the_patient():
    cohort = small_cohort(10)
    seeds = {i: validation._own_seed(1, cohort, row) for row, i in enumerate(cohort.subject_ids)}
    assert len(set(seeds.values())) == 10
    part = cohort.take(np.arange(10) >= 5)
    assert [validation._own_seed(1, part, row) for row in range(5)] == list(seeds.values())[5:]


def test_values_between_observations_are_interpolated():
    future = small_cohort(3)
    got = between(future, "ALT", 42.0)
    table = future.observed("ALT").pivot_table(index="subject_id", columns="day", values="value")
    assert np.allclose(got, table.mean(axis=1))
    assert np.isnan(between(future, "ALT", 70.0)).all()


def test_pit_is_uniform_and_coverage_nominal_for_a_true_model():
    rng = np.random.default_rng(5)
    truth, drawn = rng.normal(size=2000), rng.normal(size=(2000, 200))
    table = validation._score(np.arange(2000), drawn, truth)
    scored = validation.ForecastValidation("x", "a", "b", table, {}, 0)
    whole = replace(scored, patients=table.assign(carry_forward=0.0, ridge=0.0))
    assert repr(whole).startswith("ForecastValidation(x at b from a: 2000 patients, mean absolute")
    for row in scored.coverage():
        assert row["low"] - 0.01 < row["level"] < row["high"] + 0.01
        assert row["verdict"] == "holds"
    # CRPS of a standard normal forecast has mean 1 / sqrt(pi) (Gneiting and Raftery 2007).
    mean, se = table["crps"].mean(), table["crps"].std() / np.sqrt(2000)
    assert abs(mean - 1 / np.sqrt(np.pi)) < 3.9 * se


def test_too_narrow_intervals_are_found():
    rng = np.random.default_rng(6)
    truth, drawn = rng.normal(size=600), 0.5 * rng.normal(size=(600, 200))
    scored = validation.ForecastValidation(
        "x", "a", "b", validation._score(np.arange(600), drawn, truth), {}, 0
    )
    assert {row["verdict"] for row in scored.coverage()} == {"off"}


def test_few_patients_show_nothing():
    rng = np.random.default_rng(7)
    truth, drawn = rng.normal(size=60), rng.normal(size=(60, 200))
    scored = validation.ForecastValidation(
        "x", "a", "b", validation._score(np.arange(60), drawn, truth), {}, 0
    )
    assert "not shown" in {row["verdict"] for row in scored.coverage()}


def test_validation_draws_all_patients_at_once_with_the_law_of_one_by_one(monkeypatch):
    trial = simulated_trial(80, seed=31, events=False)
    batch = validation.cross_forecast(
        trial, "SCORE", "Week 8", "Week 24", folds=2, draws=300, epochs=5, examples=2
    )
    assert len(batch.forecasts) == 2
    monkeypatch.setattr(validation, "TwinModel", type("Other", (), {}))
    single = validation.cross_forecast(
        trial, "SCORE", "Week 8", "Week 24", folds=2, draws=300, epochs=5, examples=2
    )
    assert batch.patients["truth"].equals(single.patients["truth"])
    error = batch.patients["q0.975"] - batch.patients["q0.025"]
    # Two means of 300 draws: 4.9 standard errors (1e-6 a patient), the SD a quarter of the width.
    limit = 4.9 * (error / 3.92) * np.sqrt(2 / 270)
    assert ((batch.patients["mean"] - single.patients["mean"]).abs() < 1.2 * limit).all()


def test_peers_have_their_own_correlation_and_a_constant_one_has_none():
    rng = np.random.default_rng(8)
    first, change = rng.normal(size=200), rng.normal(size=200)
    table = validation._score(np.arange(200), first[:, None] + rng.normal(size=(200, 60)), first)
    table = table.assign(truth=first + change, first=first, carry_forward=first)
    table = table.assign(ridge=first + change)
    found = validation.ForecastValidation("x", "a", "b", table, {}, 0).correlations()
    assert found["carry_forward"] == {"r": None, "low": None, "high": None}
    assert found["ridge"]["r"] > 0.999 and abs(found["twin"]["r"]) < 0.35  # 4.9 SE
