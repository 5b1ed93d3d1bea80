"""Boundaries under constraints: equal power, least expected size."""

from typing import Any

import pytest

from extraction.records import InputError
from simulation.analysis.sample_size import sample_size_means
from simulation.analysis.sequential import group_sequential
from simulation.operating_characteristics import Effort, Goal, compare_boundaries
from simulation.trial import ParametricPopulation, TrialDesign

PLAN: dict[str, Any] = {
    "arms": [{"name": "P", "control": True}, {"name": "A"}],
    "endpoints": [{"kind": "continuous", "name": "y"}],
    "hypotheses": [{"endpoint": "y", "analysis": {"kind": "ancova"}}],
    "n": 200,
    "rule": {"kind": "group_sequential", "looks": {"number": 3}},
    "scenarios": [{"name": "real", "effects": [{"arm": "A", "endpoint": "y", "shift": 0.4}]}],
    "population": {"kind": "parametric", "outcomes": {"y": {"kind": "continuous"}}},
}
DESIGN = TrialDesign.parse(PLAN)
CANDIDATES = {
    name: {"rule.boundary": name} for name in ("obrien_fleming", "pocock")
}


def test_pocock_needs_more_patients_and_uses_fewer() -> None:
    """Simulated (4,000): E[N] over the fixed size is .7987 (O'Brien-Fleming) and .7210 (Pocock),
    sizes 1.0161 and 1.1506 times the fixed one (rpact 3.3.4); within 4 errors."""
    found = compare_boundaries(
        DESIGN, candidates=CANDIDATES, goal=Goal(at_least=0.9), effort=Effort(most=4000),
        limits=(Goal(scenario="no effect", at_most=0.04),),
    )
    fixed = sample_size_means(0.4)
    assert found.best == "pocock" and list(found.frame["candidate"]) == ["pocock", "obrien_fleming"]
    for row in found.frame.to_dict("records"):
        name = str(row["candidate"])
        searched, theory = found.found[name], group_sequential(name, 3)
        assert abs(searched.root - theory.inflation * fixed) < 4 * searched.root_se
        # The size itself was searched with error, and expected sizes follow it.
        expected = theory.expected_ratio() * fixed
        assert abs(row["mean n"] - expected) < 4 * (row["se"] + searched.root_se)
        assert row["limits"] == "met"
    other = found.frame.iloc[1]
    assert other["difference"] > 3 * other["difference se"] > 0


def test_the_limits_decide_and_faults_are_told() -> None:
    none = compare_boundaries(
        DESIGN, candidates=CANDIDATES, goal=Goal(at_least=0.9), effort=Effort(200, 200),
        limits=(Goal(figure="n", at_most=50),),
    )
    assert none.best is None and (none.frame["limits"] == "not met").all()
    people = ParametricPopulation(outcomes={"y": {"kind": "continuous"}})
    with pytest.raises(InputError) as caught:
        compare_boundaries(
            DESIGN, people, candidates={}, goal=Goal(at_least=0.9), least="power",  # type: ignore[arg-type]
        )
    assert len(caught.value.faults) == 2
    with pytest.raises(InputError, match="nothing there"):
        compare_boundaries(DESIGN, candidates={"a": {"rule.bounds": 1}}, goal=Goal(at_least=0.9))
