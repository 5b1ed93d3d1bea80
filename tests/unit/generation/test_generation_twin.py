from functools import cache

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, CohortSchema, Endpoint, InputError, Variable
from generation import fit
from generation.assembly import impossible_rows
from generation.twin_model.model import TwinModel
from tests.support.generation_support import simulated_trial


@cache
def trial() -> Cohort:
    return simulated_trial(150, seed=21)


@cache
def twin() -> TwinModel:
    model = fit(trial(), seed=2, epochs=20)
    assert isinstance(model, TwinModel)
    return model


def _subject(day: float) -> str:
    """A patient followed and free of the event beyond a day, with a score at Week 8."""
    seen = trial().at_visit("SCORE", "Week 8").notna().to_numpy()
    late = (trial().endpoint("event")["day"] > day).to_numpy()
    return str(trial().subject_ids[np.flatnonzero(seen & late)[0]])


def test_twin_is_the_default_engine() -> None:
    assert twin().engine == "twin"


def test_a_future_keeps_the_history_and_starts_after_it() -> None:
    timeline = trial().timeline(_subject(70), until_day=70)
    futures = twin().sample(60, timeline, seed=1)
    assert len(futures) == 60
    assert futures.subject_ids[0] == "D-000001"
    past = futures.observations[futures.observations["day"] <= 70]
    assert len(past) == 60 * len(timeline.cohort.observations)
    assert set(past["value"]) == set(timeline.cohort.observations["value"])
    assert (futures.subjects["AGE"] == timeline.cohort.subjects["AGE"].iloc[0]).all()
    assert set(futures.subjects["arm"]) == {timeline.arm}
    assert futures.events["day"].min() > 70
    assert futures.subjects["observed_until"].min() >= 70
    assert impossible_rows(futures) == 0


def test_futures_of_two_arms_share_their_draws() -> None:
    timeline = trial().timeline(_subject(70), until_day=70)
    active, placebo = (twin().draw(40, timeline, arm=a, seed=1)[0] for a in ("Active", "Placebo"))
    assert np.mean(active.follow_up == placebo.follow_up) > 0.7
    difference = active.values["SCORE"][:, -1] - placebo.values["SCORE"][:, -1]
    assert np.nanstd(difference) < 0.2 * np.nanstd(active.values["SCORE"][:, -1])


def test_without_dropout_everyone_completes() -> None:
    sample = twin().sample(80, dropout=False, seed=3)
    assert sample.subjects["observed_until"].min() >= 150
    assert set(sample.subjects["end_reason"].dropna()) == {"COMPLETED"}


def test_an_event_that_has_happened_stays() -> None:
    rows = trial().endpoint("event")
    stays = trial().subjects["observed_until"] > 100
    k = int(np.flatnonzero((rows["observed"] & (rows["day"] < 90) & stays).to_numpy())[0])
    timeline = trial().timeline(trial().subject_ids[k], until_day=100)
    futures = twin().sample(10, timeline)
    assert futures.events["observed"].all()
    assert set(futures.events["day"]) == {float(rows["day"][k])}


def test_a_patient_who_has_left_has_no_future_unless_dropout_is_switched_off() -> None:
    until = trial().subjects["observed_until"]
    k = int(np.flatnonzero(until < 120)[0])
    timeline = trial().timeline(trial().subject_ids[k], until_day=float(until[k]) + 10)
    with pytest.raises(InputError, match="already ended"):
        twin().sample(5, timeline)
    assert len(twin().sample(5, timeline, dropout=False)) == 5


def test_unknown_baseline_values_are_drawn_for_the_future_only() -> None:
    one = trial().timeline(_subject(70), until_day=70)
    blank = one.cohort.subjects.assign(AGE=np.nan)
    cohort = Cohort.build(
        one.cohort.schema, blank, observations=one.cohort.observations, events=one.cohort.events
    )
    futures, report = twin().sample_with_report(20, cohort.timeline(one.subject_id, 70))
    assert futures.subjects["AGE"].isna().all()
    assert "resampled" in report.method
    assert 0 < report.effective_sample_size <= 1


def test_a_first_visit_is_enough_to_go_on() -> None:
    timeline = trial().timeline(_subject(70), until_day=0)
    assert len(twin().sample(5, timeline).observations) > 5


def _stayed(day: float) -> Cohort:
    return trial().take((trial().subjects["observed_until"] > day).to_numpy())


def test_futures_of_many_patients_are_those_of_each_alone() -> None:
    some = _stayed(70).take(np.arange(len(_stayed(70))) < 12)
    assert some.subjects["LAB"].isna().any()  # its unknown value is drawn
    drawn = twin().futures(some, 70, 25, seed=4)
    assert len(drawn) == 12 * 25
    for i, name in enumerate(some.subject_ids):
        alone = twin().futures(some.select([name]), 70, 25, seed=4)
        rows = slice(25 * i, 25 * i + 25)
        np.testing.assert_array_equal(alone.visit_day, drawn.visit_day[rows])
        np.testing.assert_array_equal(alone.values["SCORE"], drawn.values["SCORE"][rows])
        for one, all_ in zip(alone.events["event"], drawn.events["event"], strict=True):
            np.testing.assert_array_equal(one, all_[rows])


def test_futures_in_a_batch_have_the_law_of_a_timelines() -> None:
    subject = _subject(70)
    batch = twin().futures(trial().select([subject]), 70, 3000, seed=5)
    single, _ = twin().draw(3000, trial().timeline(subject, 70), seed=6, dropout=False)
    for a, b in (
        (batch.values["SCORE"][:, -1], single.values["SCORE"][:, -1]),
        (batch.events["event"][0], single.events["event"][0]),
    ):
        error = np.sqrt(np.nanvar(a) / len(a) + np.nanvar(b) / len(b))
        # False-alarm rate 1e-5: 4.4 standard errors of the difference of two means.
        assert abs(np.nanmean(a) - np.nanmean(b)) < 4.4 * 1.1 * error  # some visits are missed


def test_a_batch_keeps_what_has_happened_and_forgets_what_came_later() -> None:
    rows = trial().endpoint("event")
    happened = (rows["observed"] & (rows["day"] <= 70)).to_numpy()
    stayed = (trial().subjects["observed_until"] > 70).to_numpy()
    some = trial().take(stayed)
    day, status = twin().futures(some, 70, 3).events["event"]
    before = np.repeat(happened[stayed], 3)
    np.testing.assert_array_equal(day[before], np.repeat(rows["day"].to_numpy()[stayed], 3)[before])
    assert (status[before] == 1).all()
    assert (day[~before] > 70).all()
    with pytest.raises(InputError, match="had already ended"):
        twin().futures(trial(), 70, 3, dropout=True)


def test_the_expected_outcome_is_the_mean_of_futures_from_baseline() -> None:
    some = trial().take(np.arange(150) < 20)
    score = twin().expected_outcome(some, "SCORE", "Week 24", draws=60, seed=3)
    drawn = twin().futures(some, 0, 60, arm="Placebo", seed=3, until_day=182)
    values = drawn.values["SCORE"][:, -1].reshape(20, 60)
    assert score == pytest.approx(np.nanmean(values, axis=1))
    first = some.at_visit("SCORE", "Baseline").to_numpy()
    known = np.isfinite(first)
    assert np.corrcoef(first[known], score[known])[0, 1] > 0.5


def test_the_end_of_a_history_of_unplanned_visits_is_where_the_future_begins() -> None:
    planned = simulated_trial(80, seed=6)
    rows = planned.observations.assign(visit=None)
    cohort = Cohort.build(
        planned.schema.replace(visits=()), planned.subjects,
        observations=rows, events=planned.events,
    )
    model = fit(cohort, epochs=5)
    assert isinstance(model, TwinModel)
    late = cohort.take((cohort.subjects["observed_until"] > 150).to_numpy())
    days = model.futures(late, 70, 20).visit_day
    first = np.nanmin(days, axis=1)[np.isfinite(days).any(axis=1)]
    # The next visit comes within its own gap of about 56 days, not after the history's gaps again.
    assert first.min() > 70
    assert np.median(first) < 145


def test_log_prob_prefers_patients_to_patients_with_exchanged_arms() -> None:
    arm = np.where(trial().subjects["arm"] == "Active", "Placebo", "Active")
    other = Cohort.build(
        trial().schema, trial().subjects.assign(arm=arm), trial().observations,
        events=trial().events,
    )
    assert twin().log_prob(trial()).sum() > twin().log_prob(other).sum() + 3


def test_token_probabilities_sum_to_one() -> None:
    sampler = twin().sampler
    inputs = np.zeros((5, sampler.columns.input_width), dtype=np.float32)
    for column in range(len(sampler.columns)):
        total = sampler.probabilities(inputs, column).sum(axis=1)
        assert total == pytest.approx(np.ones(5))


def test_numpy_inference_equals_the_trained_module() -> None:
    import torch
    from torch.nn import functional

    network = twin().sampler.network
    assert network is not None
    x = np.random.default_rng(1).normal(size=(256, network.weights["skip"].shape[1]))
    x = x.astype(np.float32)
    w = {
        name: torch.from_numpy(value[0].copy())
        for name, value in network.weights.items() if name != "copula"
    }
    enter = torch.from_numpy(x) @ w["enter"] + w["enter_bias"]
    hidden = functional.gelu(enter, approximate="tanh")
    inner = functional.layer_norm(hidden, (hidden.shape[-1],)) * w["norm"][:, 0]
    inner = (inner + w["norm_bias"][:, 0]) @ w["block"][0] + w["block_bias"][:, 0]
    hidden = hidden + functional.gelu(inner, approximate="tanh")
    heads = hidden @ w["head"] + w["head_bias"] + torch.from_numpy(x) @ w["skip"]
    columns = network.columns
    expected = columns.log_marginal + heads.numpy() @ columns.basis
    for c, tokens in enumerate(columns.token_slices):
        assert network.logits(x, c)[0] == pytest.approx(expected[:, tokens], abs=1e-4)


def test_a_patients_probabilities_do_not_depend_on_the_others() -> None:
    network = twin().sampler.network
    assert network is not None
    x = np.random.default_rng(2).normal(size=(200, network.weights["skip"].shape[1]))
    x = x.astype(np.float32)
    together = network.probabilities(x, 1)
    np.testing.assert_array_equal(together[150:160], network.probabilities(x[150:160], 1))


def _two_endpoints(n: int) -> Cohort:
    """Death is part of the endpoint "event or death"; a third column says why one left."""
    rng = np.random.default_rng(4)
    ids = [f"P{k:04d}" for k in range(n)]
    first, dies = np.ceil(rng.exponential(300, n)), rng.random(n) < 0.4
    death = np.where(dies, first, first + np.ceil(rng.exponential(200, n)))
    end = np.minimum(np.ceil(rng.exponential(500, n)), 365.0)
    schema = CohortSchema(
        study_id="NEST",
        variables=(Variable(name="AGE", kind="continuous"),),
        endpoints=(
            Endpoint(name="death"), Endpoint(name="event"),
            Endpoint(name="discontinuation", causes=("WITHDREW", "LOST")),
        ),
    )
    reason = np.where(end < 365, rng.choice(["WITHDREW", "LOST"], n), "COMPLETED")
    reason = np.where(death <= end, "DIED", reason)
    until = np.minimum(death, end)
    gone = np.isin(reason, ["WITHDREW", "LOST"])
    parts = [
        pd.DataFrame({"subject_id": ids, "endpoint": name, "day": np.minimum(day, until),
                      "observed": day <= until, "cause": np.where(day <= until, "event", None)})
        for name, day in (("death", death), ("event", first))
    ]
    parts.append(pd.DataFrame({
        "subject_id": ids, "endpoint": "discontinuation", "day": until, "observed": gone,
        "cause": np.where(gone, reason, None),
    }))
    subjects = pd.DataFrame({"subject_id": ids, "AGE": np.round(rng.normal(60, 9, n)),
                             "observed_until": until, "end_reason": reason})
    return Cohort.build(schema, subjects, events=pd.concat(parts, ignore_index=True))


def test_endpoints_that_contain_each_other_are_drawn_in_order() -> None:
    model = fit(_two_endpoints(300))
    assert isinstance(model, TwinModel)
    sample = model.sample(600)
    death, event = sample.endpoint("death"), sample.endpoint("event")
    died = death["observed"].to_numpy()
    assert event["observed"].to_numpy()[died].all()
    assert (death["day"] >= event["day"]).to_numpy()[died].all()
    together = (death["day"] == event["day"]).to_numpy()[died].mean()
    assert 0.1 < together < 0.95
    assert impossible_rows(sample) == 0


def test_a_rare_endpoint_that_ends_observation_is_not_taken_for_a_reason() -> None:
    cohort = simulated_trial(300, seed=12)
    rare = np.arange(300) % 30 == 0
    until = cohort.subjects["observed_until"].to_numpy()
    deaths = pd.DataFrame({
        "subject_id": cohort.subject_ids, "endpoint": "death", "day": until, "observed": rare,
        "cause": np.where(rare, "event", None),
    })
    schema = cohort.schema.replace(endpoints=(*cohort.schema.endpoints, Endpoint(name="death")))
    made = Cohort.build(
        schema, cohort.subjects.assign(end_reason=None), observations=cohort.observations,
        events=pd.concat([cohort.events, deaths], ignore_index=True),
    )
    model = fit(made, epochs=5)
    assert model.leaving_endpoints == frozenset()
    share = model.sample(2000).endpoint("death")["observed"].mean()
    # 10 of 300 events: the fitted share itself has a standard error of 1 in 100.
    assert 0.01 < share < 0.08


def test_an_endpoint_that_says_why_observation_ended_agrees_with_the_reason() -> None:
    model = fit(_two_endpoints(300))
    assert model.leaving_endpoints == {"discontinuation"}
    sample = model.sample(600)
    rows, reason = sample.endpoint("discontinuation"), sample.subjects["end_reason"]
    gone = rows["observed"].to_numpy()
    assert (rows["cause"][gone] == reason[gone]).all()
    assert not reason[~gone].isin(["WITHDREW", "LOST"]).any()


def test_unplanned_visits_are_generated_within_follow_up() -> None:
    planned = simulated_trial(80, seed=6)
    rows = planned.observations.assign(visit=None)
    schema = planned.schema.replace(visits=())
    cohort = Cohort.build(schema, planned.subjects, observations=rows, events=planned.events)
    sample = fit(cohort).sample(100)
    assert impossible_rows(sample) == 0
    assert len(sample.observations) / 100 == pytest.approx(len(rows) / 80, rel=0.35)


def test_a_categorical_visit_variable_moves_with_its_last_value() -> None:
    base = simulated_trial(200, seed=9)
    state = Variable(
        name="SCORE", kind="ordinal", categories=("low", "middle", "high"), role="longitudinal"
    )
    schema = base.schema.replace(variables=(*base.schema.baseline, state))
    words = pd.cut(base.observations["value"], [-1e9, 45, 55, 1e9], labels=state.categories)
    rows = base.observations.assign(text=words.astype(str), value=np.nan)
    cohort = Cohort.build(schema, base.subjects, observations=rows, events=base.events)
    sample = fit(cohort).sample(400)
    last, now = (sample.at_visit("SCORE", visit) for visit in ("Week 8", "Week 16"))
    both = (last.notna() & now.notna()).to_numpy()
    assert set(now[both]) == set(state.categories)
    assert (last[both] == now[both]).mean() > 0.5
