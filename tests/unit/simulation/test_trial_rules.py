"""Decision rules on given statistics: graphs, observed information, futility, selection."""

from typing import Any

import numpy as np
import pytest

from extraction.records.errors import InputError
from simulation import TrialDesign
from simulation.analysis.multiplicity import Graph
from simulation.analysis.sequential import group_sequential
from simulation.analysis.sequential.observed import observed_bounds
from simulation.trial.analyses.base import Fit
from simulation.trial.rules import Evidence, State
from simulation.trial.rules.group_sequential import GroupSequentialRule
from simulation.trial.rules.multi_arm import Best, MultiArmRule, Within
from simulation.trial.rules.reestimation import ReestimationRule


def _evidence(look: int, z: Any, information: Any, arms: tuple[int, ...] = (1,)) -> Evidence:
    values = np.atleast_2d(np.asarray(z, dtype=np.float64))
    amount = np.broadcast_to(np.asarray(information, dtype=np.float64), values.shape)
    fits = tuple(
        Fit(values[:, h] / np.sqrt(amount[:, h]), 1 / np.sqrt(amount[:, h]), values[:, h],
            amount[:, h], amount[:, h])
        for h in range(values.shape[1])
    )
    return Evidence(look, fits, arms)


def _state(z: Any, arms: int = 2, size: int = 100) -> State:
    values = np.atleast_2d(np.asarray(z))
    return State.fresh(len(values), values.shape[1], (1,) * arms, size)


def test_a_graph_passes_weight_on_within_a_look() -> None:
    graph = {"weights": [1.0, 0.0], "transitions": [[0, 1], [1, 0]]}
    rule = GroupSequentialRule.model_validate(
        {"kind": "group_sequential", "looks": {"number": 2}, "boundary": "pocock", "graph": graph}
    )
    critical = group_sequential("pocock", 2).critical[0]
    z = [[critical + 0.1, critical + 0.1], [critical - 0.1, 9.0], [critical + 0.1, 0.0]]
    state = _state(z)
    rule.decide(_evidence(0, z, 50.0, (1, 1)), state, (1.0, 1.0))
    assert state.rejected.tolist() == [[True, True], [False, False], [True, False]]
    assert state.running.tolist() == [False, True, True]
    assert rule.graph == Graph(weights=(1.0, 0.0), transitions=((0, 1), (1, 0)))


def test_observed_information_sets_the_bounds() -> None:
    rule = GroupSequentialRule.model_validate(
        {"kind": "group_sequential", "looks": {"by": "events", "at": [50, 100]},
         "boundary": "lan_demets_obrien_fleming", "information": "observed"}
    )
    design = rule.design(0.025)
    rates = np.array([[0.4, 0.9], [0.6, 1.1]])
    bounds = observed_bounds(design, rates).critical
    state = _state(np.zeros((2, 1)))
    rule.decide(_evidence(0, bounds[:, :1] - 1e-6, 100 * rates[:, :1]), state, (1.0,))
    assert state.running.all()
    rule.decide(_evidence(1, bounds[:, 1:] + [[1e-6], [-1e-6]], 100 * rates[:, 1:]), state, (1.0,))
    assert state.rejected[:, 0].tolist() == [True, False]


def test_futility_stops_only_where_nothing_is_left() -> None:
    rule = GroupSequentialRule.model_validate(
        {"kind": "group_sequential", "looks": {"number": 2},
         "futility": {"family": "z", "bounds": [0.0]}}
    )
    z = [[-0.1, -0.5], [0.1, -0.5], [9.0, -0.5], [np.nan, 0.2]]
    state = _state(z)
    rule.decide(_evidence(0, z, 50.0, (1, 1)), state, (0.5, 0.5))
    assert state.running.tolist() == [False, True, False, True]
    # With a rejection the trial is no futile one, whatever becomes of the rest.
    assert state.reason.tolist()[:3] == [2, 0, 1]
    assert state.rejected[2].tolist() == [True, False]


def test_selection() -> None:
    z = np.array([[1.0, 2.0, -np.inf], [3.0, 2.9, 0.0]])
    assert Best().kept(z).tolist() == [[False, True, False], [True, False, False]]
    assert Best(number=3).kept(z).tolist() == [[True, True, False], [True, True, True]]
    assert Within(distance=0.5).kept(z).tolist() == [[False, True, False], [True, True, False]]


def test_dropped_arms_get_no_more_patients_and_are_never_rejected() -> None:
    rule = MultiArmRule.model_validate({"kind": "multi_arm", "looks": {"number": 2}})
    first = [[0.5, 1.5], [1.4, 0.2]]
    state = _state(first, arms=3)
    rule.decide(_evidence(0, first, 50.0, (1, 2)), state, (0.5, 0.5))
    assert state.weights.tolist() == [[1, 0, 1], [1, 1, 0]]
    second = [[9.0, 3.5], [0.0, 9.0]]
    rule.decide(_evidence(1, second, 100.0, (1, 2)), state, (0.5, 0.5))
    assert state.rejected.tolist() == [[False, True], [False, False]]
    assert not state.running.any()


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"kind": "reestimation", "looks": {"at": [20, 40]}, "maximum": 30}, "maximum"),
        ({"kind": "reestimation", "maximum": 300}, "two or more"),
        ({"kind": "reestimation", "looks": {"at": [20, 40]}, "maximum": 300,
          "size": {"kind": "promising_zone", "lowest": 0.05}}, "lowest"),
        ({"kind": "multi_arm", "looks": {"number": 2}, "futility": [0.0, 0.0]}, "futility"),
        ({"kind": "group_sequential", "looks": {"number": 2}, "sided": 2,
          "futility": {"family": "z", "bounds": [0.0]}}, "two-sided"),
        ({"kind": "group_sequential", "looks": {"number": 2}, "graph": {"weights": [0.5, 0.5]}},
         "2 weights"),
        ({"kind": "group_sequential", "looks": {"number": 3}, "boundary":
          {"family": "custom_spending", "cumulative": [0.5, 1.0]}}, "shares"),
    ],
)
def test_rules_that_do_not_fit_are_refused(rule: dict[str, Any], words: str) -> None:
    plan = {
        "arms": [{"name": "C", "control": True}, {"name": "T"}],
        "endpoints": [{"kind": "continuous", "name": "y", "visits": [1]}], "n": 40, "rule": rule,
    }
    with pytest.raises(InputError, match=words):
        TrialDesign.parse(plan)


def test_a_size_is_set_once_within_its_limits() -> None:
    rule = ReestimationRule.model_validate(
        {"kind": "reestimation", "looks": {"at": [50, 100]}, "maximum": 200,
         "size": {"kind": "conditional_power"}}
    )
    z = [[-1.0], [0.8], [1.5], [9.0]]
    state = _state(z)
    rule.decide(_evidence(0, z, 50.0), state, (1.0,))
    assert state.size.tolist()[0] == 200  # nothing seen: the most
    assert 100 < state.size[2] < 200
    assert state.size[3] == 100
    assert state.running.tolist() == [True, True, True, False]
