"""Estimates after stopping: simulated (20,000 trials, combined SE), and exact to the solver."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from simulation import TrialDesign, simulate
from simulation.analysis.sequential.estimates import after_stopping
from simulation.trial import ParametricPopulation
from simulation.trial.adjusted import adjusted, stops_of

REPLICATES = 20_000
TOLERANCE = float(norm.isf(0.01 / 6 / 2))
"""Standard errors: false alarms over six comparisons with probability 1 %."""
PLAN: dict[str, Any] = {
    "arms": [{"name": "P", "control": True}, {"name": "A"}],
    "endpoints": [{"kind": "continuous", "name": "y", "higher_is_better": False}],
    "n": 240,
    "rule": {
        "kind": "group_sequential",
        "boundary": {"family": "pocock"},
        "futility": {"family": "z", "bounds": [-0.5, 0.2]},
        "looks": {"number": 3},
    },
    "scenarios": [{"name": "planned", "effects": [{"arm": "A", "endpoint": "y", "shift": -0.33}]}],
}
PEOPLE = ParametricPopulation(outcomes={"y": {"kind": "continuous"}})


def test_the_adjusted_interval_holds_its_level_and_the_naive_one_does_not() -> None:
    result = simulate(TrialDesign.parse(PLAN), PEOPLE, REPLICATES, seed=20261122)
    planned = result.scenario("planned").hypotheses[0]
    assert planned.adjusted is not None and planned.bias is not None
    assert planned.adjusted.bias is not None and planned.coverage is not None
    assert abs(planned.adjusted.bias.value) < 0.75 * abs(planned.bias.value)
    for tested in (planned, result.scenarios[0].hypotheses[0]):
        assert tested.adjusted is not None and tested.adjusted.coverage is not None
        held = tested.adjusted.coverage
        assert abs(held.value - 0.95) <= TOLERANCE * held.se
    assert planned.coverage.value < 0.95 - TOLERANCE * planned.coverage.se


def test_half_of_the_estimates_lie_on_either_side() -> None:
    design = TrialDesign.parse(PLAN)
    result = simulate(design, PEOPLE, REPLICATES, seed=7)
    stops = stops_of(design)
    assert stops is not None
    table = result.held.read("stage", "estimate", "se")
    stage, estimate, se = (
        table[name][:, 1].reshape(REPLICATES) for name in ("stage", "estimate", "se")
    )
    found = adjusted(stops, design.tested[0], stage, estimate, se).estimate < -0.33
    naive = estimate < -0.33
    spread = 0.5 / np.sqrt(REPLICATES)
    assert abs(found.mean() - 0.5) <= TOLERANCE * spread
    assert abs(naive.mean() - 0.5) > TOLERANCE * spread


@pytest.mark.parametrize("look", [0, 1, 2])
def test_the_table_is_the_solver_within_its_tolerance(look: int) -> None:
    # Exact: 1e-5 standard errors, beyond the table too; less is better, so the sign turns.
    design = TrialDesign.parse(PLAN)
    stops = stops_of(design)
    assert stops is not None
    z = np.concatenate([np.linspace(-5.9, 8.9, 400), [-7.0, 9.5]])
    stage, se = np.full(len(z), look), np.full(len(z), 0.2)
    ours = adjusted(stops, design.tested[0], stage, -0.2 * z, se)
    rates = np.array(stops.rates)
    theirs = after_stopping(stage, z, rates / rates[look] / 0.04, stops.upper, stops.lower)
    for mine, other in (
        (ours.estimate, -theirs.estimate), (ours.low, -theirs.high), (ours.high, -theirs.low),
    ):  # fmt: skip
        assert np.abs(mine - other).max() <= 1e-5 * 0.2
    assert ours.p_value == pytest.approx(theirs.p_value, abs=1e-6)


def test_no_estimate_stays_none_and_other_designs_have_none() -> None:
    design = TrialDesign.parse(PLAN)
    stops = stops_of(design)
    assert stops is not None
    nothing = adjusted(
        stops, design.tested[0], np.array([1]), np.array([np.nan]), np.array([np.inf])
    )
    assert np.isnan(nothing.estimate[0]) and np.isnan(nothing.low[0])
    assert stops_of(TrialDesign.parse(PLAN | {"rule": {"kind": "fixed"}})) is None
    observed = {**PLAN["rule"], "information": "observed"}
    assert stops_of(TrialDesign.parse(PLAN | {"rule": observed})) is None
    three = [*PLAN["arms"], {"name": "B"}]
    assert stops_of(TrialDesign.parse(PLAN | {"arms": three})) is None
