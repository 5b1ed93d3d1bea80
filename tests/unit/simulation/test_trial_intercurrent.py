"""Stopping of treatment: what follows it, what each strategy sees, and what is refused."""

from typing import Any

import numpy as np
import pytest

from extraction.records import InputError
from simulation import TrialDesign, simulate
from simulation.operating_characteristics.vary import varied
from simulation.trial import ParametricPopulation
from simulation.trial.characteristics import true_effect
from simulation.trial.design.dropout import HazardDropout
from simulation.trial.design.telling import tell
from simulation.trial.intercurrent import as_defined
from simulation.trial.outcomes import Applied, Effect, Latent, Response, respond, respond_until
from simulation.trial.outcomes.base import NEVER
from simulation.trial.outcomes.binary import BinaryEndpoint
from simulation.trial.outcomes.continuous import ContinuousEndpoint
from simulation.trial.outcomes.count import CountEndpoint
from simulation.trial.outcomes.time_to_event import (
    HazardPiece,
    TimeToEventEndpoint,
    TimeToEventLaw,
)
from simulation.trial.population.tables import TableHazard
from simulation.trial.replay import replay

PLAN: dict[str, Any] = {
    "arms": [{"name": "P", "control": True}, {"name": "A"}],
    "n": 40,
    "endpoints": [{"kind": "continuous", "name": "y", "visits": [10, 20, 30]}],
    "discontinuation": {"when": {"kind": "hazard", "rate": 0.02, "arms": {"A": 0.05}}},
    "intercurrent_events": {"discontinuation": "treatment policy"},
    "scenarios": [{"name": "s", "effects": [{"arm": "A", "endpoint": "y", "shift": 0.5}]}],
}
PEOPLE = ParametricPopulation(
    outcomes={"y": {"kind": "continuous"}, "OS": {"kind": "time_to_event", "median": 12}}
)
ARM = np.array([[1, 1, 1, 0]])
STOPS = np.array([[5.0, 15.0, NEVER, 5.0]])
VISITS = ContinuousEndpoint(name="y", visits=(10, 20, 30))


def _applied(left: float = 1.0, **size: Any) -> Applied:
    return Applied([(Effect(arm="A", endpoint="x", **size), 1, None)], left)


def test_a_shift_ends_at_the_first_visit_after_the_stop() -> None:
    latent = Latent(values=np.zeros((3, 1, 4)))
    both = _applied(shift=2.0), _applied(0.25, shift=2.0)
    found = respond_until(VISITS, latent, ARM, both[0], STOPS, both[1])
    assert found.values is not None
    expected = [[0.5, 2, 2, 0], [0.5, 0.5, 2, 0], [0.5, 0.5, 2, 0]]
    assert np.array_equal(found.values[:, 0], expected)


def test_a_process_runs_on_at_the_rate_that_is_left() -> None:
    # Exact: the treated rate is half; after the stop at 5 it is the control's.
    latent = Latent(arrivals=np.full((1, 1, 4), 10.0), scale=np.ones((1, 4)))
    endpoint = CountEndpoint(name="x", follow_up=50)
    both = _applied(rate_ratio=0.5), _applied(0.0, rate_ratio=0.5)
    found = respond_until(endpoint, latent, ARM, both[0], STOPS, both[1])
    assert found.values is not None
    # Spent by the stops: 2.5 and 7.5 of 10.
    assert found.values[0, 0] == pytest.approx([12.5, 17.5, 20.0, 10.0])


@pytest.mark.parametrize(
    "law",
    [
        TimeToEventLaw(hazard=0.1),
        TimeToEventLaw(hazard=(HazardPiece(rate=0.05), HazardPiece(start=4, rate=0.2))),
        TimeToEventLaw(median=9.0, shape=1.4),
    ],
)
def test_the_unit_exponential_is_spent_at_both_ratios(law: TimeToEventLaw) -> None:
    # Exact: the integral of ratio times hazard up to the event is what was drawn.
    drawn = np.random.default_rng(3).exponential(size=(1, 400))
    arm = np.ones((1, 400), dtype=np.int64)
    stops = np.random.default_rng(4).uniform(0, 12, size=(1, 400))
    latent = Latent(hazard=drawn, scale=np.full((1, 400), 1.3), law=law.base())
    steps = ({"start": 0, "ratio": 1.0}, {"start": 3, "ratio": 0.5})
    both = _applied(hazard_ratio=steps), _applied(0.4, hazard_ratio=steps)
    endpoint = TimeToEventEndpoint(name="x")
    time = respond_until(endpoint, latent, arm, both[0], stops, both[1]).time
    assert time is not None
    base = law.base()
    total = base.at(np.minimum(time, 3))
    late = np.clip(stops, 3, None)
    total += 0.5 * (base.at(np.clip(time, 3, late)) - base.cumulative(3))
    total += 0.5**0.4 * (base.at(np.clip(time, late, None)) - base.at(late))
    assert 1.3 * total == pytest.approx(drawn)
    never = respond_until(endpoint, latent, arm, both[0], np.full((1, 400), NEVER), both[1])
    assert np.array_equal(never.time, respond("time_to_event", latent, arm, both[0]).time)


def test_each_strategy_sees_what_it_asks_for() -> None:
    leaves = np.array([[NEVER, 25.0, NEVER, 2.0]])
    response = Response(values=np.array([1.0, 2.0, 3.0])[:, None, None] * np.ones((3, 1, 4)))
    policy = as_defined(VISITS, "treatment policy", response, leaves, STOPS)
    assert np.array_equal(policy.lost(leaves), leaves) and policy.values is response.values
    lost = as_defined(VISITS, "hypothetical", response, leaves, STOPS).lost(leaves)
    assert np.array_equal(lost, [[5.0, 15.0, NEVER, 2.0]])
    last = as_defined(VISITS, "while on treatment", response, leaves, STOPS)
    assert last.values is not None
    assert np.array_equal(last.values[2, 0], [np.nan, 1.0, 3.0, np.nan], equal_nan=True)
    assert np.array_equal(last.lost(leaves), [[NEVER, NEVER, NEVER, 2.0]])
    binary = BinaryEndpoint(name="b", visit=20)
    failed = as_defined(binary, "composite", Response(np.ones((1, 1, 4))), leaves, STOPS)
    assert failed.values is not None
    assert np.array_equal(failed.values[0, 0], [0, 0, 1, 1])
    assert np.array_equal(failed.lost(leaves), [[NEVER, NEVER, NEVER, 2.0]])
    came = Response(time=np.array([[8.0, 8.0, 8.0, 8.0]]))
    bad, good = (TimeToEventEndpoint(name="t", good=good) for good in (False, True))
    assert np.array_equal(
        as_defined(bad, "composite", came, leaves, STOPS).time, [[5.0, 8.0, 8.0, 5.0]]
    )
    assert np.array_equal(
        as_defined(good, "composite", came, leaves, STOPS).time, [[NEVER, 8.0, 8.0, 8.0]]
    )


def test_keeping_all_of_the_effect_under_treatment_policy_changes_nothing() -> None:
    kept = PLAN | {"discontinuation": PLAN["discontinuation"] | {"effect_after": 1.0}}
    none = {k: v for k, v in PLAN.items() if k != "discontinuation"}
    first, second = (simulate(TrialDesign.parse(p), PEOPLE, 30) for p in (kept, none))
    assert first.digest() == second.digest()


def test_the_truth_is_the_mixture_where_it_has_a_closed_form() -> None:
    share = {"kind": "share", "share": 0.4, "by": 60}
    for when, on in ((share, 0.8), ({"kind": "hazard", "rate": 0.01}, np.exp(-0.3))):
        given = PLAN | {"discontinuation": {"when": when, "arms": {"A": 0.25}}}
        design = TrialDesign.parse(given)
        assert true_effect(design, design.truths[0], 0) == 0.0
        assert true_effect(design, design.truths[1], 0) == pytest.approx(
            0.5 * (on + 0.25 * (1 - on))
        )
    on_treatment = {"intercurrent_events": {"discontinuation": "while on treatment"}}
    design = TrialDesign.parse(PLAN | on_treatment)
    assert [true_effect(design, truth, 0) for truth in design.truths] == [None, None]
    assert "no type I errors" in simulate(design, PEOPLE, 5).limits[-1]
    design = TrialDesign.parse(
        PLAN | {"intercurrent_events": {"discontinuation": "hypothetical"}}
    )
    assert true_effect(design, design.truths[1], 0) == 0.5


def test_all_faults_come_at_once() -> None:
    with pytest.raises(InputError) as caught:
        TrialDesign.parse(
            PLAN
            | {
                "endpoints": [
                    {"kind": "continuous", "name": "y", "visits": [10],
                     "intercurrent_events": {"discontinuation": "while on treatment"}},
                    {"kind": "binary", "name": "b", "missing_is_failure": True,
                     "intercurrent_events": {"discontinuation": "hypothetical"}},
                    {"kind": "count", "name": "c", "follow_up": 9,
                     "intercurrent_events": {"discontinuation": "composite"}},
                    {"kind": "binary", "name": "d",
                     "intercurrent_events": {"discontinuation": "while on treatment"}},
                ],
                "hypotheses": [{"endpoint": "y", "analysis": {"kind": "mmrm"}}],
                "discontinuation": {
                    "when": {"kind": "share", "share": 0.2, "arms": {"B": 0.1}}, "arms": {"C": 0.5}
                },
            }
        )  # fmt: skip
    text = "\n".join(caught.value.faults)
    for part in ("needs earlier visits", "mmrm models", "nothing stays hypothetical",
                 "count outcome has no value", "no value while on treatment",
                 "when.arms: 'B' is no arm", "arms: 'C' is no arm"):  # fmt: skip
        assert part in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"intercurrent_events": {"discontinuation": "principal stratum"}}, "stratum cannot be"),
        ({"intercurrent_events": {"rescue": "hypothetical"}}, "name one"),
        (
            {"endpoints": [{"kind": "time_to_event", "name": "OS"}], "scenarios": [],
             "discontinuation": {"when": {"kind": "share", "share": 0.2}}},
            "by when they stop",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_simulated_is_refused_in_words(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        TrialDesign.parse(PLAN | changes)


def test_covariates_of_stopping_must_be_in_the_population() -> None:
    law = {"when": {"kind": "hazard", "rate": 0.1, "log_hazard_ratios": {"age": 0.1}}}
    with pytest.raises(InputError, match="'age' is not in the population"):
        simulate(TrialDesign.parse(PLAN | {"discontinuation": law}), PEOPLE, 5)


def test_stopping_is_told_with_its_figures() -> None:
    told = " ".join(tell(TrialDesign.parse(PLAN))["Intercurrent events"])
    assert "Patients stop treatment at a rate of 0.02 a day (0.05 in A)" in told
    assert "stay in the trial, and keep 0 of the effect" in told


@pytest.mark.parametrize("strategy", ["composite", "treatment policy", "hypothetical"])
def test_where_arms_adapt_every_chunk_and_replay_is_the_same(strategy: str) -> None:
    design = TrialDesign.parse(
        {
            "arms": [{"name": "P", "control": True}, {"name": "A"}, {"name": "B"}],
            "n": 80,
            "enrolment": {"ramp": [{"rate": 4}]},
            "endpoints": [{"kind": "binary", "name": "b", "visit": 10}],
            "rule": {"kind": "response_adaptive", "looks": {"number": 3}},
            "dropout": {"kind": "hazard", "rate": 0.01},
            "discontinuation": {
                "when": {"kind": "hazard", "rate": 0.02, "arms": {"A": 0.08}}, "arms": {"A": 0.3}
            },
            "intercurrent_events": {"discontinuation": strategy},
        }
    )  # fmt: skip
    people = ParametricPopulation(outcomes={"b": {"kind": "binary", "probability": 0.3}})
    whole = simulate(design, people, 20, seed=1)
    assert simulate(design, people, 20, seed=1, chunk_size=7).digest() == whole.digest()
    alone = replay(design, people, seed=1, replicate=5)
    assert np.array_equal(alone.row["estimate"], whole.table["estimate"][5, 0], equal_nan=True)
    stopped = alone.patients[alone.patients["stops"] < 10]
    if strategy == "composite":
        assert not stopped.empty and (stopped["b"] == 0).all()


def test_the_hazard_of_a_table_is_spent_like_any_other() -> None:
    law = TableHazard(np.array([0.0, 2.0, 5.0, 30.0]), np.array([0.0, 0.3, 0.5, 4.0]))
    drawn = np.random.default_rng(3).uniform(0, 1.2, size=(1, 200))
    arm, stops = np.ones((1, 200), dtype=np.int64), np.full((1, 200), 3.0)
    latent = Latent(hazard=drawn, scale=np.ones(1), law=law)
    both = _applied(hazard_ratio=0.5), _applied(0.0, hazard_ratio=0.5)
    time = respond_until(TimeToEventEndpoint(name="x"), latent, arm, both[0], stops, both[1]).time
    assert time is not None
    before = 0.5 * law.at(np.minimum(time, 3.0))
    assert before + law.at(np.maximum(time, 3.0)) - law.at(stops) == pytest.approx(drawn)


def test_stopping_is_an_assumption_that_can_be_varied() -> None:
    design, _ = varied(TrialDesign.parse(PLAN), PEOPLE, {"discontinuation.when.rate": 0.3})
    assert design.discontinuation is not None
    assert isinstance(design.discontinuation.when, HazardDropout)
    assert design.discontinuation.when.rate == 0.3
