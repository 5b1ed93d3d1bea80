"""Enrichment: nested tests, the choice at the interim look, and who is recruited afterwards."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from extraction.records import InputError
from simulation.analysis.multiplicity_nested import nested_intersections, nested_p_value
from simulation.trial import ParametricPopulation, TrialDesign, simulate
from simulation.trial.analyses.base import Fit
from simulation.trial.replay import replay
from simulation.trial.rules import Evidence, State
from simulation.trial.rules.enrichment import EnrichmentRule, Higher, Thresholds

CARRIERS = {"name": "carriers", "where": {"m": "yes"}}
PLAN: dict[str, Any] = {
    "arms": [{"name": "C", "control": True}, {"name": "A"}],
    "endpoints": [{"kind": "continuous", "name": "y", "visits": [10]}],
    "n": 120,
    "enrolment": {"ramp": [{"rate": 2}]},
    "hypotheses": [{"endpoint": "y"}, {"endpoint": "y", "subgroup": CARRIERS}],
    "rule": {"kind": "enrichment", "looks": {"number": 2}, "selection": {"kind": "higher"}},
    "scenarios": [
        {"name": "carriers only", "effects": [
            {"arm": "A", "endpoint": "y", "shift": 2.0, "where": {"m": "yes"}},
            ]},
        {"name": "harm to others", "effects": [
            {"arm": "A", "endpoint": "y", "shift": -2.0},
            {"arm": "A", "endpoint": "y", "shift": 0.3, "where": {"m": "yes"}}]},
    ],
}
PEOPLE = ParametricPopulation(
    covariates=[
        {"kind": "category", "name": "m", "categories": ["no", "yes"], "shares": [0.6, 0.4]}
    ],
    outcomes={"y": {"kind": "continuous"}},
)


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.5**0.5, 0.95, 1.0])
def test_the_nested_p_value_is_that_of_two_normals(correlation: float) -> None:
    """Exact: against scipy's bivariate normal law (singular at 1)."""
    law = multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], allow_singular=True)
    for z in (-1.0, 0.0, 1.5, 2.5):
        expected = 1 - law.cdf([z, z])
        assert float(nested_p_value(z, correlation)) == pytest.approx(expected, abs=1e-6)


def test_intersections_use_what_is_still_tested() -> None:
    z = np.array([[2.0, 1.0], [2.0, 1.0], [2.0, 1.0]])
    active = np.array([[True, True], [False, True], [True, False]])
    p = nested_intersections(z, active, np.full(3, 0.7))
    alone = [float(nested_p_value(v, 1.0)) for v in (2.0, 1.0)]
    assert p[0, 2] == pytest.approx(float(nested_p_value(2.0, 0.7)))
    assert p[1].tolist() == pytest.approx([1.0, alone[1], alone[1]])
    assert p[2].tolist() == pytest.approx([alone[0], 1.0, alone[0]])
    # Dunnett's is the sharpest; Simes lies between it and Bonferroni's.
    both = active | True
    sharp, simes, weak = (
        nested_intersections(z, both, np.full(3, 0.7), method)[0, 2]
        for method in ("dunnett", "simes", "bonferroni")
    )
    assert sharp < simes <= weak


def test_the_choice_follows_its_rule() -> None:
    z = np.array([[2.0, 1.0], [1.0, 2.0], [1.0, 1.2], [-1.0, -2.0]])
    whole, part = Higher(margin=0.5, futility=0.0).chosen(z, np.zeros(4))
    assert whole.tolist() == [True, False, True, False]
    assert part.tolist() == [False, True, False, False]
    rest = np.array([1.0, -1.0, 1.0, 0.0])
    whole, part = Thresholds(all=0.5, rest=0.0, subgroup=1.5).chosen(z, rest)
    assert whole.tolist() == [True, False, True, False]
    assert part.tolist() == [False, True, False, False]


def _evidence(look: int, z: list[list[float]], information: list[float]) -> Evidence:
    values = np.asarray(z)
    n = len(values)
    fits = tuple(
        Fit(values[:, h], np.ones(n), values[:, h], np.full(n, information[h]), np.full(n, 10.0))
        for h in range(2)
    )
    return Evidence(look, fits, (1, 1))


def test_a_hypothesis_needs_the_intersection_too() -> None:
    """At the last look z of 2.0 in the subgroup alone is not enough beside its intersection."""
    rule = EnrichmentRule.model_validate(
        {"looks": {"number": 2}, "selection": {"kind": "higher"}, "boundary": "pocock"}
    )
    bound = rule.critical(0.025)[0]
    z = [[0.0, bound + 0.01], [0.0, bound + 1.0], [bound + 1.0, 0.0], [-9.0, -9.0]]
    state = State.fresh(4, 2, (1, 1), 100)
    rule.decide(_evidence(0, z, [50.0, 25.0]), state, (1.0, 1.0))
    assert state.rejected.tolist() == [[False, False], [False, True], [True, False], [False, False]]
    assert state.running.tolist() == [True, False, False, True]
    assert state.narrowed is not None and state.narrowed.tolist() == [True, False, False, False]
    naive = rule.model_copy(update={"test": "naive"})
    state = State.fresh(4, 2, (1, 1), 100)
    naive.decide(_evidence(0, z, [50.0, 25.0]), state, (1.0, 1.0))
    assert state.rejected[0].tolist() == [False, True]


def test_only_the_subgroup_is_recruited_after_it_was_chosen() -> None:
    design = TrialDesign.parse(PLAN)
    table = simulate(design, PEOPLE, 30, seed=2).table
    late = table["stage"][:, 2] == 1
    assert late.any() and (table["n"][late, 2] == 120).all()
    assert (table["screened"][late, 2] > 130).all()
    number = int(np.flatnonzero(late)[0])
    shown = replay(design, PEOPLE, seed=2, replicate=number, scenario="harm to others")
    patients = shown.patients
    interim = shown.looks.loc[shown.looks["look"] == 1, "time"].iloc[0]
    before, after = (patients[patients["entry"].to_numpy() < interim],
                     patients[patients["entry"].to_numpy() >= interim])
    assert len(patients) == 120 and len(before) > 60 and (before["m"] == "no").any()
    assert (after["m"] == "yes").all() and patients["entry"].is_monotonic_increasing
    # Waiting patients stay, and arms of those before the look do not change.
    alone = replay(design, PEOPLE, seed=2, replicate=number, scenario="no effect").patients
    assert before["arm"].tolist() == alone["arm"].iloc[: len(before)].tolist()
    # The estimate in all patients rests on those recruited while all could come.
    last = shown.looks[shown.looks["look"] == 2].set_index("hypothesis")
    assert last.loc["A: y", "estimate"] < 0 < last.loc["A: y in carriers", "information"]


def test_results_do_not_depend_on_chunks() -> None:
    design = TrialDesign.parse(PLAN | {"eligibility": {"m": ["no", "yes"]}, "strata": ["m"]})
    whole = simulate(design, PEOPLE, 24, seed=5, chunk_size=24)
    assert whole.digest() == simulate(design, PEOPLE, 24, seed=5, chunk_size=5).digest()
    assert design.tested[1].name == "A: y in carriers"
    assert "carriers" in design.estimand(design.tested[1]).population
    assert any("in carriers" in line for line in design.describe())


def test_faults_of_an_enrichment_design_come_at_once() -> None:
    with pytest.raises(InputError) as caught:
        TrialDesign.parse(PLAN | {"hypotheses": [{"endpoint": "y"}, {"endpoint": "y"}],
                                  "enrolment": {"duration": 9}})
    told = "\n".join(caught.value.faults)
    assert "the second has a subgroup" in told and "enrolment.duration" in told
    with pytest.raises(InputError, match="3 looks came; enrichment has two"):
        TrialDesign.parse(PLAN | {"rule": {"kind": "enrichment", "looks": {"number": 3}}})
    with pytest.raises(InputError, match="subgroup_events: it goes with looks by events"):
        TrialDesign.parse(PLAN | {"rule": PLAN["rule"] | {"subgroup_events": 50}})
    lacking = {"name": "s", "where": {"gene": "yes"}}
    design = TrialDesign.parse(
        PLAN | {"hypotheses": [{"endpoint": "y"}, {"endpoint": "y", "subgroup": lacking}]}
    )
    with pytest.raises(InputError, match="hypotheses: subgroup 's'"):
        simulate(design, PEOPLE, 2)
