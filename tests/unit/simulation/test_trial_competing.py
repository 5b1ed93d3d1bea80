"""Competing causes: what is seen, what is refused, and estimates against closed forms."""

from math import exp, log
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from extraction.records import InputError
from simulation import TrialDesign, simulate
from simulation.trial import ParametricPopulation
from simulation.trial.design.telling import tell
from simulation.trial.outcomes import Response, observe
from simulation.trial.outcomes.base import NEVER
from simulation.trial.outcomes.time_to_event import TimeToEventEndpoint
from simulation.trial.replay import replay

RELAPSE, DEATH = 0.05, 0.04
PLAN: dict[str, Any] = {
    "arms": [{"name": "P", "control": True}, {"name": "A"}],
    "n": 400,
    "enrolment": {"duration": 5},
    "endpoints": [
        {"kind": "time_to_event", "name": "relapse", "competing": "death", "follow_up": 24},
        {"kind": "time_to_event", "name": "death", "competing": "relapse", "follow_up": 24},
    ],
    "rule": {"kind": "fixed", "looks": {"by": "time", "at": [40]}},
    "scenarios": [
        {"name": "fewer deaths",
         "effects": [{"arm": "A", "endpoint": "death", "hazard_ratio": 0.25}]},
    ],
}  # fmt: skip
PEOPLE = ParametricPopulation(
    outcomes={
        "relapse": {"kind": "time_to_event", "hazard": RELAPSE},
        "death": {"kind": "time_to_event", "hazard": DEATH},
    }
)
TOLERANCE = float(norm.isf(0.01 / 5 / 2))
"""Standard errors: false alarms over five comparisons with probability 1 %."""


def _design(*analyses: dict[str, Any]) -> TrialDesign:
    held = [{"endpoint": "relapse", "share": 1 / len(analyses), "analysis": a} for a in analyses]
    return TrialDesign.parse(PLAN | {"hypotheses": held})


def test_follow_up_ends_with_whichever_comes_first() -> None:
    time = np.array([[3.0, 8.0, NEVER, 9.0]])
    other = np.array([[5.0, 4.0, 7.0, NEVER]])
    entry, leaves = np.zeros((1, 4)), np.array([[NEVER, NEVER, 6.0, NEVER]])
    seen = observe(
        TimeToEventEndpoint(name="x", competing="y"), Response(time=time, other=other),
        entry, leaves, np.array([[8.5]]), np.ones((1, 4), dtype=bool),
    )  # fmt: skip
    assert seen.other is not None
    assert np.array_equal(seen.time, [[3, 4, 6, 8.5]])
    assert np.array_equal(seen.event, [[1, 0, 0, 0]])
    assert np.array_equal(seen.other, [[0, 1, 0, 0]])


def test_estimates_and_incidence_follow_from_the_hazards() -> None:
    # Simulated (300 trials): the treated die less, so more of them live to relapse.
    design = _design({"kind": "cox"}, {"kind": "cumulative_incidence", "horizon": 20.0})
    found = simulate(design, PEOPLE, 300, seed=20261122).scenario("fewer deaths")
    specific, incidence = found.hypotheses

    def by(hazard: float) -> float:
        total = RELAPSE + hazard
        return RELAPSE / total * (1 - exp(-20 * total))

    truth = by(0.25 * DEATH) - by(DEATH)
    assert truth > 0.1 and specific.truth == 0.0 and incidence.truth is None
    assert abs(specific.mean.value) <= TOLERANCE * specific.mean.se
    assert abs(incidence.mean.value - truth) <= TOLERANCE * incidence.mean.se


def test_the_level_is_held_and_only_incidence_tells_more_relapse() -> None:
    # Simulated (1,500 null trials): one-sided 0.0125 each.
    design = _design({"kind": "fine_gray", "test": "gray"}, {"kind": "fine_gray"})
    result = simulate(design, PEOPLE, 1_500, seed=5)
    for tested in result.scenarios[0].hypotheses:
        assert abs(tested.rejection.value - 0.0125) <= TOLERANCE * tested.rejection.se
        assert tested.truth == 0.0 and tested.bias is not None
        assert abs(tested.bias.value) <= TOLERANCE * tested.bias.se
    gray, wald = result.scenario("fewer deaths").hypotheses
    assert gray.mean.value == wald.mean.value > log(1.2)


def test_looks_count_events_of_the_cause_alone() -> None:
    rule = {"kind": "fixed", "looks": {"by": "events", "at": [60], "endpoint": "relapse"}}
    plan = PLAN | {"rule": rule, "hypotheses": [{"endpoint": "relapse"}]}
    result = simulate(TrialDesign.parse(plan), PEOPLE, 20, seed=1)
    # The event on which the look falls may miss it by a rounding of its calendar time.
    assert np.isin(result.table["information"], [59, 60]).all()
    assert (result.table["information"] == 60).mean() > 0.8


def test_a_replay_shows_the_cause() -> None:
    patients = replay(_design({"kind": "cox"}), PEOPLE, seed=2).patients
    ended = patients[["look 1: relapse event", "look 1: relapse competing"]].sum(axis=1)
    assert ended.isin([0, 1]).all() and (patients["look 1: relapse competing"] == 1).any()
    assert (patients["look 1: relapse event"] == patients["look 1: death competing"]).all()


def test_it_is_told() -> None:
    design = _design({"kind": "cox"})
    told = tell(design)
    assert "death precludes it" in told["Endpoints"][0]
    assert "marginal hazard ratio (cause-specific)" in told["Hypotheses"][0]
    assert design.estimand(design.tested[0]).summary.endswith("(cause-specific)")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"endpoints": [PLAN["endpoints"][0]]}, "'death' is no other time-to-event"),
        ({"hypotheses": [{"endpoint": "relapse", "analysis": {"kind": "rmst", "horizon": 9}}]},
         "take 'death' for censoring"),
        ({"endpoints": [{"kind": "time_to_event", "name": "OS"}], "scenarios": [],
          "hypotheses": [{"endpoint": "OS", "analysis": {"kind": "fine_gray"}}]},
         "asks for a competing cause"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_words(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        TrialDesign.parse(PLAN | changes)
