"""Enrichment with times to events: looks by events and time, and what the last look counts."""

from typing import Any

import numpy as np
import pytest

from extraction.records import InputError
from simulation.operating_characteristics.tables import long_table
from simulation.trial import ParametricPopulation, TrialDesign, simulate
from simulation.trial.analyses.base import Fit
from simulation.trial.replay import replay
from simulation.trial.rules import Evidence, State

CARRIERS = {"name": "carriers", "where": {"m": "yes"}}
PLAN: dict[str, Any] = {
    "time_unit": "month",
    "arms": [{"name": "C", "control": True}, {"name": "A"}],
    "endpoints": [{"kind": "time_to_event", "name": "os"}],
    "n": 200,
    "enrolment": {"ramp": [{"rate": 10}]},
    "hypotheses": [{"endpoint": "os"}, {"endpoint": "os", "subgroup": CARRIERS}],
    "rule": {"kind": "enrichment", "looks": {"by": "events", "at": [50, 120]},
             "selection": {"kind": "higher"}},
    "scenarios": [{"name": "harm to others", "effects": [
        {"arm": "A", "endpoint": "os", "hazard_ratio": 2.0},
        {"arm": "A", "endpoint": "os", "hazard_ratio": 0.8, "where": {"m": "yes"}}]}],
}
PEOPLE = ParametricPopulation(
    covariates=[
        {"kind": "category", "name": "m", "categories": ["no", "yes"], "shares": [0.5, 0.5]}
    ],
    outcomes={"os": {"kind": "time_to_event", "median": 12}},
)


def _ruled(**rule: Any) -> TrialDesign:
    return TrialDesign.parse(PLAN | {"rule": PLAN["rule"] | rule})


def _narrowed(design: TrialDesign) -> Any:
    """A replicate that goes on with carriers alone, patient by patient."""
    table = simulate(design, PEOPLE, 20, seed=4).table
    number = int(np.flatnonzero(table["stage"][:, 1] == 1)[0])
    return replay(design, PEOPLE, seed=4, replicate=number, scenario="harm to others")


def test_the_last_look_waits_for_the_events_of_whoever_goes_on() -> None:
    for design, due, of in (
        (_ruled(), 120, ["no", "yes"]),
        (_ruled(subgroup_events=80), 80, ["yes"]),
    ):
        shown = _narrowed(design)
        looks = shown.looks.set_index(["look", "hypothesis"])
        carriers = looks.loc[(2, "A: os in carriers"), "information"]
        assert looks.loc[(1, "A: os"), "information"] == 50
        assert carriers == 80 if of == ["yes"] else 50 < carriers < due
        first, last = looks.loc[(1, "A: os"), "time"], looks.loc[(2, "A: os"), "time"]
        later = shown.patients[shown.patients["entry"].to_numpy() >= first]
        assert first < last and (later["m"] == "yes").all() and len(later)


def test_a_last_look_is_never_before_the_first() -> None:
    """Fewer events are asked for in the subgroup than it has at the first look."""
    table = simulate(_ruled(subgroup_events=5), PEOPLE, 20, seed=4).table
    late = table["stage"] == 1
    assert late.any() and (table["information"][late][:, 1] >= 5).all()
    shown = _narrowed(_ruled(subgroup_events=5)).looks.set_index(["look", "hypothesis"])
    assert shown.loc[(2, "A: os"), "time"] == shown.loc[(1, "A: os"), "time"]


def test_looks_by_time_narrow_too() -> None:
    design = _ruled(looks={"by": "time", "at": [10, 30], "information": [0.3, 1.0]})
    shown = _narrowed(design)
    later = shown.patients[shown.patients["entry"].to_numpy() >= 10]
    assert len(later) and (later["m"] == "yes").all()
    whole = simulate(design, PEOPLE, 24, seed=5, chunk_size=24)
    assert whole.digest() == simulate(design, PEOPLE, 24, seed=5, chunk_size=7).digest()


def test_stages_of_survival_add_up_to_the_score() -> None:
    """z of a stage is what observed less expected events have grown by, in its own variance."""
    def fits(score: float, variance: float, events: float) -> tuple[Fit, ...]:
        one = np.array([1.0])
        z = one * score / variance**0.5
        return (Fit(one * score / variance, one / variance**0.5, z, one * events, one * 9),) * 2

    state = State.fresh(1, 2, (1, 1), 100)
    first = Evidence(0, fits(3.0, 9.0, 40.0), by_variance=True).stage_z(state)
    second = Evidence(1, fits(8.0, 25.0, 110.0), by_variance=True).stage_z(state)
    assert first[0] == pytest.approx([1.0, 1.0])
    assert second[0] == pytest.approx([5.0 / 4.0, 5.0 / 4.0])


def test_analyses_without_increments_are_refused() -> None:
    weighting = {"kind": "fleming_harrington", "gamma": 1}
    for analysis in ({"kind": "max_combo"}, {"kind": "log_rank", "weighting": weighting}):
        held = [each | {"analysis": analysis} for each in PLAN["hypotheses"]]
        with pytest.raises(InputError, match="no independent increments"):
            TrialDesign.parse(PLAN | {"hypotheses": held})


def test_the_choice_and_its_estimates_are_summed_up() -> None:
    design = _ruled(subgroup_events=80)
    found = simulate(design, PEOPLE, 60, seed=3)
    held = {name: values[:, 0] for name, values in found.table.items()}
    for number, tested in enumerate(found.scenarios[0].hypotheses):
        goes = (held["stage"] == 1) & (held["narrowed"] == bool(number))
        assert tested.chosen is not None and tested.chosen.naive is not None
        assert tested.chosen.share.value == pytest.approx(goes.mean())
        assert tested.chosen.naive.mean.value == pytest.approx(
            held["estimate"][goes, number].mean()
        )
        assert np.isfinite(tested.chosen.adjusted.mean.value)  # type: ignore[union-attr]
    assert found.scenarios[1].hypotheses[0].chosen.naive is None  # type: ignore[union-attr]
    figures = long_table(found)
    assert set(figures["figure"]) >= {"chosen", "chosen_naive_mean", "chosen_adjusted_mean"}
