"""Leaving stopped replicates behind changes no result, whichever rule stops them (exact)."""

from typing import Any

import pytest

from simulation import TrialDesign, simulate
from simulation.trial import ParametricPopulation, replicate

PEOPLE = ParametricPopulation(
    covariates=[
        {"kind": "normal", "name": "age"},
        {"kind": "category", "name": "sex", "categories": ["F", "M"], "shares": [0.6, 0.4]},
    ],
    outcomes={
        "y": {"kind": "continuous", "correlations": {"age": 0.4}},
        "b": {"kind": "binary", "probability": 0.3, "log_odds_ratios": {"age": 0.2}},
        "t": {"kind": "time_to_event", "median": 12},
    },
)
ENDPOINTS: dict[str, dict[str, Any]] = {
    "y": {"kind": "continuous", "name": "y", "visits": [30]},
    "b": {"kind": "binary", "name": "b", "visit": 20},
    "t": {"kind": "time_to_event", "name": "t"},
}
SIZES: dict[str, dict[str, float]] = {
    "y": {"shift": 0.9}, "b": {"odds_ratio": 4.0}, "t": {"hazard_ratio": 0.4}
}  # fmt: skip


def _design(endpoint: str, arms: int, rule: dict[str, Any], **changes: Any) -> TrialDesign:
    names = ["P", "A", "B"][:arms]
    where = {"where": {"sex": "F"}} if rule["kind"] == "enrichment" else {}
    effect = {"arm": "A", "endpoint": endpoint, **SIZES[endpoint], **where}
    return TrialDesign.parse(
        {
            "arms": [{"name": name, "control": name == "P"} for name in names],
            "endpoints": [ENDPOINTS[endpoint]],
            "n": 120,
            "enrolment": {"ramp": [{"start": 0, "rate": 2}]},
            "rule": rule,
            "scenarios": [{"name": "s", "effects": [effect]}],
            **changes,
        }
    )


ADAPTIVE = {
    "kind": "response_adaptive", "looks": {"number": 6}, "minimum": 0.1, "superiority": 0.95,
    "equivalence": 0.7, "difference": 0.3,
}  # fmt: skip
SUBGROUP = {"endpoint": "b", "subgroup": {"name": "women", "where": {"sex": "F"}}}
DESIGNS = {
    "group sequential": _design(
        "y", 2, {"kind": "group_sequential", "looks": {"number": 4}}, strata=["sex"],
        hypotheses=[{"endpoint": "y", "analysis": {"kind": "ancova", "covariates": ["age"]}}],
    ),
    "events": _design(
        "t", 2, {"kind": "group_sequential", "looks": {"by": "events", "at": [20, 40, 60]}}
    ),
    "multi-arm": _design("y", 3, {"kind": "multi_arm", "looks": {"number": 3}}),
    "reestimation": _design(
        "b", 2, {"kind": "reestimation", "looks": {"number": 3}, "maximum": 200}
    ),
    "enrichment": _design(
        "b", 2, {"kind": "enrichment", "looks": {"number": 2}},
        hypotheses=[{"endpoint": "b"}, SUBGROUP],
    ),
    "response-adaptive": _design("b", 3, ADAPTIVE),
    "response-adaptive, leaving by outcome": _design(
        "y", 3, ADAPTIVE,
        dropout={"kind": "hazard", "rate": 0.01, "log_hazard_ratio_of_outcome": 0.5},
    ),
}  # fmt: skip


@pytest.mark.parametrize("design", DESIGNS.values(), ids=list(DESIGNS))
def test_results_are_the_same(design: TrialDesign, monkeypatch: pytest.MonkeyPatch) -> None:
    digests, stopped = set(), 0
    for share, chunk in ((0.0, 40), (0.6, 40), (2.0, 40), (2.0, 7)):
        monkeypatch.setattr(replicate, "_WORTH", share)
        found = simulate(design, PEOPLE, 40, seed=4, chunk_size=chunk)
        digests.add(found.digest())
        stopped = int((found.table["stage"] < design.rule.looks.count - 1).sum())
    assert len(digests) == 1
    assert stopped > 0
