"""Replicates by precision: the wanted error is reached, and the result is that of one run."""

from typing import Any

import pytest

from extraction.records import InputError
from simulation.operating_characteristics import estimate_cost, simulate_to_precision
from simulation.trial import ParametricPopulation, TrialDesign, simulate

PLAN: dict[str, Any] = {
    "arms": [{"name": "P", "control": True}, {"name": "A"}],
    "endpoints": [{"kind": "continuous", "name": "y", "visits": [30]}],
    "n": 40,
    "rule": {"kind": "group_sequential", "looks": {"number": 2}},
    "scenarios": [{"name": "real", "effects": [{"arm": "A", "endpoint": "y", "shift": 0.8}]}],
}
DESIGN = TrialDesign.parse(PLAN)
PEOPLE = ParametricPopulation(outcomes={"y": {"kind": "continuous"}})


def test_batches_give_the_bytes_of_one_run() -> None:
    precise = simulate_to_precision(DESIGN, PEOPLE, wanted=0.025, first=60, seed=3, chunk_size=50)
    total = precise.totals[-1]
    assert precise.reached and precise.measured.se <= 0.025
    assert len(precise.totals) > 1 and all(t % 50 == 0 for t in precise.totals)
    whole = simulate(DESIGN, PEOPLE, total, seed=3, chunk_size=50)
    assert precise.result.digest() == whole.digest()
    assert precise.result.to_dict() == whole.to_dict()
    assert precise.measured == whole.power


def test_a_mean_is_made_precise_under_a_named_truth() -> None:
    precise = simulate_to_precision(
        DESIGN, PEOPLE, wanted=0.6, figure="n", scenario="no effect", first=50, chunk_size=50
    )
    assert precise.measured == precise.result.scenario("no effect").n
    assert precise.scenario == "no effect" and precise.reached


def test_every_scenario_is_precise_unless_one_is_named() -> None:
    sure = {"arm": "A", "endpoint": "y", "shift": 3.0}
    plan = PLAN | {"scenarios": [{"name": "sure", "effects": [sure]}, *PLAN["scenarios"]]}
    design = TrialDesign.parse(plan)
    precise = simulate_to_precision(design, PEOPLE, wanted=0.03, first=50, chunk_size=50)
    errors = {s.name: s.any_rejection.se for s in precise.result.scenarios}
    assert max(errors, key=lambda name: errors[name]) == precise.scenario == "real"
    assert precise.measured.se == errors["real"] <= 0.03
    one = simulate_to_precision(
        design, PEOPLE, wanted=0.03, scenario="sure", first=50, chunk_size=50
    )
    assert one.scenario == "sure" and one.totals[-1] < precise.totals[-1]


def test_the_most_replicates_allowed_end_it_short_of_the_wish() -> None:
    precise = simulate_to_precision(DESIGN, PEOPLE, wanted=1e-4, first=50, most=130, chunk_size=50)
    assert not precise.reached and precise.totals[-1] == 130
    assert precise.result.replicates == 130


def test_cost_is_that_of_the_pilot_times_the_replicates() -> None:
    cost = estimate_cost(DESIGN, PEOPLE, 5000, pilot=20)
    assert cost.seconds_per_replicate > 0 and cost.pilot == 20
    assert cost.expected_seconds == pytest.approx(5000 * cost.seconds_per_replicate)
    spread = estimate_cost(DESIGN, PEOPLE, 100, pilot=5, execution="processes", workers=2)
    assert spread.workers == 2 and spread.expected_bytes == 2 * spread.bytes_per_worker
    assert spread.bytes_per_worker > 5 * 40 * 8
    assert spread.expected_seconds == pytest.approx(50 * spread.seconds_per_replicate)


def test_wrong_wishes_are_refused_with_all_faults() -> None:
    with pytest.raises(InputError) as caught:
        simulate_to_precision(DESIGN, PEOPLE, wanted=0, first=0)
    assert len(caught.value.faults) == 2
    with pytest.raises(InputError, match="did you mean duration"):
        simulate_to_precision(DESIGN, PEOPLE, wanted=0.1, figure="durations")
    with pytest.raises(InputError, match="did you mean real"):
        simulate_to_precision(DESIGN, PEOPLE, wanted=0.1, scenario="rael")
    with pytest.raises(InputError, match="pilot: 0 came"):
        estimate_cost(DESIGN, PEOPLE, pilot=0)


def test_the_least_of_a_few_runs_is_the_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exact: a clock by which the runs take .9, .3 and .6 seconds."""
    ticks = iter([0.0, 0.9, 1.0, 1.3, 2.0, 2.6])
    monkeypatch.setattr("simulation.operating_characteristics.cost.perf_counter", ticks.__next__)
    cost = estimate_cost(DESIGN, PEOPLE, 100, pilot=3)
    assert cost.seconds_per_replicate == pytest.approx(0.1)
