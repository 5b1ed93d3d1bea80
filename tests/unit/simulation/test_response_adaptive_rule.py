"""Response-adaptive rule on given outcomes: who is dropped, who stops, where patients go."""

from typing import Any

import numpy as np
import pytest

from extraction.records.errors import InputError
from simulation import TrialDesign, simulate
from simulation.trial import ParametricPopulation
from simulation.trial.rules import ArmSummary, Evidence, State
from simulation.trial.rules.base import EFFICACY, END, FUTILITY
from simulation.trial.rules.response_adaptive import ResponseAdaptiveRule


def _rule(**values: Any) -> ResponseAdaptiveRule:
    return ResponseAdaptiveRule.model_validate(
        {"kind": "response_adaptive", "looks": {"number": 2}, **values}
    )


def _decide(rule: ResponseAdaptiveRule, hits: Any, look: int = 0, n: float = 100.0) -> State:
    """State after a look at numbers of good outcomes (R, A) of n patients each."""
    rate = np.asarray(hits, dtype=np.float64) / n
    arms = rate.shape[1]
    summary = ArmSummary(np.full(rate.shape, n), rate, rate * (1 - rate), "binary", 1.0)
    state = State.fresh(len(rate), arms, (1,) * arms, 500)
    rule.decide(Evidence(look, (), tuple(range(arms)), 0, summary), state, (1.0,) * arms)
    return state


def test_allocation_is_restricted_and_softened_exact() -> None:
    """By hand, and by the rule of adaptr's reallocate_probs: at the minimum, the rest anew."""
    best = np.array([[0.1, 0.3, 0.6], [0.02, 0.19, 0.79], [0.5, 0.0, 0.5]])
    active = np.array([[True] * 3, [True] * 3, [True, False, True]])
    assert _rule().allocation(best, active) == pytest.approx(best)
    restricted = _rule(minimum=0.2).allocation(best, active)
    assert restricted == pytest.approx(
        np.array([[0.2, 0.8 / 3, 1.6 / 3], [0.2, 0.2, 0.6], [0.5, 0.0, 0.5]])
    )
    softened = _rule(softening=0.5).allocation(best, active)
    roots = np.sqrt(best)
    assert softened == pytest.approx(roots / roots.sum(axis=1, keepdims=True))
    equal = _rule(softening=0).allocation(best, active)
    assert equal[2].tolist() == [0.5, 0.0, 0.5]


def test_inferior_arms_are_dropped_and_the_superior_one_stops_the_trial() -> None:
    state = _decide(_rule(minimum=0.2), [[50, 20, 52], [20, 20, 50], [50, 50, 50]])
    assert state.reason.tolist() == [0, EFFICACY, 0]
    assert state.rejected.tolist() == [[False] * 3, [False, False, True], [False] * 3]
    assert state.weights[0, 1] == 0
    assert state.weights[0].sum() == pytest.approx(1.0)
    assert state.weights[0, 2] > state.weights[0, 0] >= 0.2
    assert state.weights[2] == pytest.approx([1 / 3] * 3)
    kept = _decide(_rule(inferiority=0.0), [[50, 20, 52]])
    assert (kept.weights > 0).all()


def test_equivalent_arms_stop_and_the_last_look_ends() -> None:
    rule = _rule(equivalence=0.9, difference=0.3)
    assert _decide(rule, [[50, 50, 50]]).reason.tolist() == [FUTILITY]
    assert _decide(_rule(), [[50, 50, 52]], look=1).reason.tolist() == [END]
    assert _decide(rule, [[20, 20, 60]]).reason.tolist() == [EFFICACY]


def test_dropped_arms_stay_dropped() -> None:
    rule, hits = _rule(), np.array([[50.0, 20.0, 52.0]])
    state = _decide(rule, hits)
    later = ArmSummary(np.full((1, 3), 200.0), np.array([[0.3, 0.9, 0.3]]), hits, "binary", 1.0)
    rule.decide(Evidence(1, (), (0, 1, 2), 0, later), state, (1.0,) * 3)
    assert state.weights[0, 1] == 0
    assert not state.rejected.any()


def test_an_arm_without_variance_takes_the_others() -> None:
    summary = ArmSummary(
        np.array([[1.0, 50.0]]), np.array([[0.0, 1.0]]), np.array([[0.0, 4.0]]), "continuous", -1.0
    )
    held: Any = _rule().posteriors(summary)
    assert held.mean.tolist() == [[0.0, 1.0]]
    assert held.sd[0] == pytest.approx([2.0, 2.0 / np.sqrt(50)])


FOLLOWED: dict[str, dict[str, Any]] = {"count": {"follow_up": 30}}


def _plan(kind: str = "binary", **rule: Any) -> dict[str, Any]:
    return {
        "arms": [{"name": "A", "control": True}, {"name": "B"}, {"name": "C"}],
        "endpoints": [{"kind": kind, "name": "y"} | FOLLOWED.get(kind, {})], "n": 120,
        "rule": {"kind": "response_adaptive", "looks": {"number": 3}, **rule},
    }


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (_plan(minimum=0.4), "minimum"),
        (_plan(inferiority=0.4), "inferiority"),
        (_plan(equivalence=0.9), "difference"),
        (_plan(prior=[0.5, 1.0]), "prior"),
        (_plan(looks={"by": "time", "at": [10, 20]}), "looks by patients"),
        (_plan("count"), "takes binary or continuous"),
        ({**_plan(), "hypotheses": [{"endpoint": "y", "arm": "B"}]}, "1 hypotheses"),
    ],
)
def test_designs_that_do_not_fit_are_refused(plan: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        TrialDesign.parse(plan)


def test_patients_who_came_before_a_look_keep_their_arm() -> None:
    """A patient a day, outcomes after 40 days: the first weights reach nobody before day 80."""
    plan = _plan() | {"enrolment": {"ramp": [{"start": 0, "rate": 1}], "process": "even"}}
    plan["endpoints"][0]["visit"] = 40.2
    law = {"y": {"kind": "binary", "probability": 0.5}}
    design = TrialDesign.parse(plan)
    result = simulate(design, ParametricPopulation(outcomes=law), 50)
    n, stage = result.table["n"][:, 0], result.table["stage"][:, 0]
    assert np.isin(n, [80, 120]).all()
    assert (n[stage == 0] == 80).all()
    assert [tested.name for tested in design.tested] == ["A: y", "B: y", "C: y"]
    assert "all other arms" in design.estimand(design.tested[0]).treatment
