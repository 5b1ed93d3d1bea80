"""The verbs of a trial: enrol, randomise, respond, leave, look; draws belong to patients."""

from typing import Any

import numpy as np
import pytest

from extraction.records import InputError
from generation.randomness import Stream
from simulation.trial import ParametricPopulation, TrialDesign
from simulation.trial.design import Enrolment
from simulation.trial.dropout import leaving
from simulation.trial.enrol import enrol
from simulation.trial.looks import event_times, look_at
from simulation.trial.outcomes import Applied, Effect, observe, respond
from simulation.trial.outcomes.base import Latent, Response
from simulation.trial.outcomes.time_to_event import TimeToEventLaw
from simulation.trial.randomise import adaptive_draws, randomise, randomise_by_weight

STREAM = Stream(3, "verbs")
REPLICATES = np.arange(6)
PEOPLE = ParametricPopulation(
    covariates=[
        {"kind": "normal", "name": "age", "mean": 70, "sd": 8},
        {"kind": "category", "name": "sex", "categories": ["m", "f"], "shares": [0.4, 0.6]},
    ],
    outcomes={
        "OS": {"kind": "time_to_event", "median": 12, "log_hazard_ratios": {"age": 0.02}},
        "Y": {"kind": "continuous", "mean": 5.0, "sd": 2.0},
    },
    correlations=[{"between": ["age", "sex"], "value": 0.3}],
)


def _design(**changes: Any) -> TrialDesign:
    plan: dict[str, Any] = {
        "arms": [{"name": "C", "control": True}, {"name": "A"}],
        "n": 80,
        "endpoints": [{"kind": "time_to_event", "name": "OS"}],
    }
    return TrialDesign.parse(plan | changes)


def _enrolled(design: TrialDesign, replicates: Any = REPLICATES) -> Any:
    return enrol(design, design.enrolment, PEOPLE, STREAM, replicates, design.n)


def test_blocks_are_balanced_and_a_short_trial_is_the_head_of_a_long_one() -> None:
    long = randomise(STREAM, REPLICATES, 90, (1, 2), 3)
    short = randomise(STREAM, REPLICATES, 31, (1, 2), 3)
    assert np.array_equal(long[:, :31], short)
    assert np.all(long.reshape(6, 10, 9).sum(axis=2) == 6)
    assert len(np.unique(long, axis=0)) == 6


def test_each_stratum_has_its_own_blocks() -> None:
    stratum = np.tile(np.arange(80) % 3, (6, 1))
    arm = randomise(STREAM, REPLICATES, 80, (1, 1), 1, stratum)
    for number in range(3):
        inside = arm[:, np.arange(80) % 3 == number]
        pairs = inside[:, : inside.shape[1] // 2 * 2].reshape(6, -1, 2)
        assert np.all(pairs.sum(axis=2) == 1)


def test_weights_steer_later_patients_and_zero_is_never_drawn() -> None:
    weights = np.array([[0.0, 1.0, 3.0]] * 6)
    drawn = adaptive_draws(STREAM, REPLICATES, 4010)
    before = np.zeros(drawn.shape, dtype=np.int64)
    arm = randomise_by_weight(drawn, weights, before, np.full(6, 10))
    assert (arm[:, :10] == 0).all()
    shares = [(arm[:, 10:] == k).mean() for k in range(3)]
    assert shares[0] == 0
    # 24,000 draws: SE .0028; four of them are a false alarm in 16,000.
    assert shares[2] == pytest.approx(0.75, abs=4 * 0.0028)


def test_arrivals_follow_the_ramp() -> None:
    """100 a unit for one unit, then 300: the 100th arrives about 1, the 400th about 2."""
    ramp = [{"start": 0, "rate": 100}, {"start": 1, "rate": 300}]
    design = _design(n=400, enrolment={"process": "even", "ramp": ramp})
    entry = _enrolled(design).entry
    assert entry[0, 99] == pytest.approx(0.995)
    assert entry[0, 399] == pytest.approx(1 + 299.5 / 300)
    drawn = _enrolled(_design(n=400, enrolment={"ramp": ramp}), np.arange(500)).entry
    # The 100th arrival of a Poisson process of rate 100 is gamma: mean 1, SD .1; SE .0045.
    before = np.minimum(drawn[:, 99], 1)
    assert np.all(np.diff(drawn, axis=1) >= 0)
    assert before.mean() == pytest.approx(1 - 0.1 / np.sqrt(2 * np.pi), abs=0.012)


def test_sites_open_fill_up_and_are_named() -> None:
    sites = [{"name": "a", "rate": 10, "cap": 20}, {"name": "b", "opens": 3, "rate": 10}]
    enrolled = _enrolled(_design(enrolment={"sites": sites}))
    assert np.all((enrolled.site == 0).sum(axis=1) == 20)
    assert np.all(enrolled.entry[enrolled.site == 1] >= 3)
    with pytest.raises(InputError, match="caps sum to 20 and 80 patients"):
        _design(enrolment={"sites": [sites[0]]})


def test_the_eligible_are_the_first_eligible_candidates() -> None:
    wide = _enrolled(_design(n=300))
    narrow = _enrolled(_design(n=40, eligibility={"age": [65, 75], "sex": "f"}))
    for r in range(6):
        age, sex = wide.baseline.values["age"][r], wide.baseline.values["sex"][r]
        fits = np.flatnonzero((age >= 65) & (age <= 75) & (sex == 1))[:40]
        assert np.array_equal(narrow.place.patients[r], fits[:40])
        assert np.array_equal(narrow.baseline.values["age"][r], age[fits])
        assert narrow.screened[r] == fits[-1] + 1


def test_narrow_criteria_lengthen_recruitment() -> None:
    ramp = {"ramp": [{"rate": 10}]}
    wide = _enrolled(_design(enrolment=ramp))
    narrow = _enrolled(_design(enrolment=ramp, eligibility={"sex": "f"}))
    assert np.all(narrow.entry[:, -1] > wide.entry[:, -1])


def test_covariates_have_their_law() -> None:
    place = _enrolled(_design(n=4000)).baseline.values
    age, sex = place["age"].ravel(), place["sex"].ravel()
    n = age.size
    assert age.mean() == pytest.approx(70, abs=4 * 8 / np.sqrt(n))
    assert sex.mean() == pytest.approx(0.6, abs=4 * np.sqrt(0.24 / n))
    assert age[sex == 1].mean() > age[sex == 0].mean()


def test_event_times_have_their_law_and_share_patients_between_arms() -> None:
    law = TimeToEventLaw(median=12)
    latent = law.draw(STREAM.uniform(np.arange(20)[:, None], np.arange(1000)[None, :]), 0.0)
    half = Applied([(Effect(arm="A", endpoint="OS", hazard_ratio=0.5), 1, None)])
    control = respond("time_to_event", latent, np.zeros((20, 1000)), half).time
    treated = respond("time_to_event", latent, np.ones((20, 1000)), half).time
    assert control is not None and treated is not None
    assert np.allclose(treated, 2 * control)
    assert (control > 12).mean() == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / 20_000))


def test_a_hazard_ratio_that_begins_later_leaves_earlier_events_alone() -> None:
    latent = TimeToEventLaw(hazard=[{"start": 0, "rate": 0.1}, {"start": 4, "rate": 0.3}]).draw(
        STREAM.uniform(np.arange(20)[:, None], np.arange(1000)[None, :]), 0.0
    )
    steps = [{"start": 0, "ratio": 1.0}, {"start": 3, "ratio": 0.5}]
    late = Applied([(Effect(arm="A", endpoint="OS", hazard_ratio=steps), 1, None)])
    control = respond("time_to_event", latent, np.zeros((20, 1000)), late).time
    treated = respond("time_to_event", latent, np.ones((20, 1000)), late).time
    assert control is not None and treated is not None
    early = control < 3
    assert np.allclose(treated[early], control[early])
    # Cumulative hazard of the treated at 6: .3 + .5 (.1 + .6) = .65.
    expected = np.exp(-0.65)
    se = np.sqrt(expected * (1 - expected) / 20_000)
    assert (treated > 6).mean() == pytest.approx(expected, abs=4 * se)


def test_the_cured_never_have_the_event() -> None:
    uniform = STREAM.uniform(np.arange(20)[:, None], np.arange(1000)[None, :])
    latent = TimeToEventLaw(median=1, cured=0.3).draw(uniform, 0.0)
    time = respond("time_to_event", latent, np.zeros((20, 1000)), Applied([])).time
    assert time is not None
    assert np.isinf(time).mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 20_000))
    assert np.median(time[np.isfinite(time)]) == pytest.approx(1, abs=0.06)


def test_effects_of_a_subgroup_override_those_of_all() -> None:
    arm = np.array([[0, 1, 1]])
    marked = np.array([[True, True, False]])
    applied = Applied(
        [
            (Effect(arm="A", endpoint="Y", shift=1.0), 1, None),
            (Effect(arm="A", endpoint="Y", shift=3.0), 1, marked),
        ]
    )
    assert np.array_equal(applied.shift(arm, 0, 1), [[0.0, 3.0, 1.0]])


def test_a_look_by_events_cuts_the_data_at_the_event() -> None:
    design = _design(
        enrolment={"ramp": [{"rate": 20}]},
        rule={"kind": "group_sequential", "looks": {"by": "events", "at": [10, 40], "latest": 50}},
    )
    enrolled = _enrolled(design)
    latent = PEOPLE.latent(design.endpoints[0], enrolled.place, enrolled.baseline)
    response = respond("time_to_event", latent, np.zeros(enrolled.entry.shape), Applied([]))
    leaves = np.full(enrolled.entry.shape, np.inf)
    events = event_times(design, enrolled, {"OS": response}, leaves)
    for look, count in ((0, 10), (1, 40)):
        cut, counted = look_at(design, look, enrolled, events, None)
        seen = observe(design.endpoints[0], response, enrolled.entry, leaves, cut, counted)
        assert seen.event is not None and seen.time is not None
        assert np.all((seen.event * seen.included).sum(axis=1) == count)
        assert np.all(seen.included == (enrolled.entry < cut))
        assert np.all(seen.time[seen.included] <= (cut - enrolled.entry)[seen.included] + 1e-12)


def test_patients_leave_by_share_and_by_what_is_not_seen() -> None:
    design = _design(
        endpoints=[{"kind": "continuous", "name": "Y", "visits": [4]}],
        dropout={"kind": "share", "share": 0.3},
    )
    enrolled = _enrolled(design, np.arange(200))
    arm = np.zeros(enrolled.entry.shape, dtype=np.int64)
    latent = PEOPLE.latent(design.endpoints[0], enrolled.place, enrolled.baseline)
    response = respond("continuous", latent, arm, Applied([]))
    left = leaving(design, design.dropout, PEOPLE, enrolled, arm, response)
    assert (left < 4).mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / left.size))
    assert np.all(left[np.isfinite(left)] <= 4)
    rule = {"kind": "hazard", "rate": 0.1, "log_hazard_ratio_of_outcome": 1.0}
    worse = _design(endpoints=[{"kind": "continuous", "name": "Y", "visits": [4]}], dropout=rule)
    left = leaving(worse, worse.dropout, PEOPLE, enrolled, arm, response)
    assert response.values is not None
    gone = left < 4
    assert response.values[-1][gone].mean() > response.values[-1][~gone].mean() + 1


def test_counts_are_poisson_with_the_ratio_of_the_arm() -> None:
    people = ParametricPopulation(outcomes={"K": {"kind": "count", "rate": 0.5, "dispersion": 0.4}})
    design = _design(endpoints=[{"kind": "count", "name": "K", "follow_up": 6}], n=1000)
    enrolled = enrol(design, Enrolment(), people, STREAM, np.arange(20), 1000)
    latent = people.latent(design.endpoints[0], enrolled.place, enrolled.baseline)
    half = Applied([(Effect(arm="A", endpoint="K", rate_ratio=0.5), 1, None)])
    stays = np.full(enrolled.entry.shape, np.inf)
    for arm, mean in ((0, 3.0), (1, 1.5)):
        response = respond("count", latent, np.full(enrolled.entry.shape, arm), half)
        seen = observe(
            design.endpoints[0], response, enrolled.entry, stays, np.full((20, 1), 99.0), stays > 0
        )
        assert seen.values is not None
        variance = mean + 0.4 * mean**2
        assert seen.values.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / 20_000))
        # The relative SE of a variance estimate is about sqrt(kurtosis / n), below .02 here.
        assert seen.values.var() == pytest.approx(variance, rel=0.08)


def test_binary_outcomes_follow_the_odds_ratio() -> None:
    latent = Latent(
        uniform=STREAM.uniform(np.arange(20)[:, None], np.arange(1000)[None, :]),
        log_odds=np.full((20, 1000), np.log(0.3 / 0.7)),
    )
    double = Applied([(Effect(arm="A", endpoint="B", odds_ratio=2.0), 1, None)])
    odds = 2 * 0.3 / 0.7
    found: Response = respond("binary", latent, np.ones((20, 1000)), double)
    assert found.values is not None
    expected = odds / (1 + odds)
    assert found.values.mean() == pytest.approx(
        expected, abs=4 * np.sqrt(expected * (1 - expected) / 20_000)
    )
