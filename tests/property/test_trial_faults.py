"""Whatever is broken in a design's file comes as faults that name it, all at once."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extraction.records import InputError
from serving.cli import main
from simulation.operating_characteristics.sweeps import SweepPlan
from simulation.trial import TrialDesign, simulate
from simulation.trial.planned import AnalysisPlan

EXAMPLES = Path(__file__).parents[2] / "examples"
DESIGNS = {
    name: yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8"))
    for name in ("design", "delayed-effect", "enrichment")
}
NONSENSE: tuple[Any, ...] = (
    None,
    "?",
    -1,
    0,
    1e9,
    float("nan"),
    True,
    [],
    {},
    [{}],
    {"kind": "?"},
    ["?", "?"],
)

PLANTED: dict[str, tuple[tuple[Any, ...], Any, str]] = {
    "allocation zero": (("arms", 1, "allocation"), 0, ".allocation: 0 came"),
    "alpha over 1": (("rule", "alpha"), 1.2, "alpha: must be below"),
    "looks out of order": (("rule", "looks", "at"), [200, 100], "rising order"),
    "an endpoint that the population lacks": (
        ("endpoints", 0, "name"),
        "elsewhere",
        "the population has no such outcome",
    ),
    "impossible eligibility": (
        ("population", "covariates", -1),
        {"kind": "normal", "name": "weight"},
        "this trial cannot recruit",
    ),
    "a stratum that nobody has": (("strata",), ["colour"], "'colour' is not in the population"),
    "too few patients": (("n",), 2, "n: must be at least 4"),
    "sites that are full too early": (
        ("enrolment",),
        {"sites": [{"name": "A", "rate": 2, "cap": 3}]},
        "caps sum to 3",
    ),
    "dropout of nobody's arm": (
        ("dropout",),
        {"kind": "share", "share": 0.1, "by": 9, "arms": {"Other": 0.2}},
        "'Other' is no arm",
    ),
    "a strategy that is none": (
        ("intercurrent_events", "discontinuation"),
        "hope",
        "'hope' is no strategy",
    ),
    "a field that is none": (("enrollment",), {}, "did you mean enrolment"),
}
"""What is planted: where, what, and words of its fault."""


def put(plan: dict[str, Any], where: tuple[Any, ...], value: Any) -> None:
    """Put a value at a place of a plan; places on the way are made."""
    *path, last = where
    held: Any = plan
    for step in path:
        held = held.setdefault(step, {}) if isinstance(held, dict) else held[step]
    held[last] = value


def broken(name: str, faults: list[str]) -> dict[str, Any]:
    """An example with faults planted."""
    plan = copy.deepcopy(DESIGNS[name])
    plan["population"].setdefault("covariates", []).append({"kind": "normal", "name": "weight"})
    plan["strata"] = []
    plan["scenarios"] = []
    for fault in faults:
        where, value, _ = PLANTED[fault]
        put(plan, where, value)
        if fault == "impossible eligibility":
            plan["eligibility"] = {"weight": [500, 600]}
    if "an endpoint that the population lacks" in faults:
        for held in plan["hypotheses"]:
            held["endpoint"] = "elsewhere"
        plan["rule"]["looks"].pop("endpoint", None)
    return plan


def faults_of(plan: dict[str, Any]) -> tuple[str, ...]:
    """Every fault that a plan is refused with, before anything is simulated."""
    with pytest.raises(InputError) as caught:
        simulate(TrialDesign.parse(plan), replicates=1)
    return caught.value.faults


def test_five_bad_things_are_told_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the command line: exit code 2, five faults, no traceback, nothing written."""
    named = list(PLANTED)[:5]
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(broken("design", named)), encoding="utf-8")
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as left:
        main(["simulate", str(path), "--out", str(out)])
    text = capsys.readouterr().err
    assert left.value.code == 2
    assert "5 faults" in text and "Traceback" not in text
    for fault in named:
        assert PLANTED[fault][2] in text
    assert not out.exists()
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    with pytest.raises(InputError) as caught:
        TrialDesign(**values)
    assert len(caught.value.faults) == 5


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(DESIGNS)), st.sets(st.sampled_from(sorted(PLANTED)), min_size=1))
def test_every_planted_fault_is_named(name: str, planted: set[str]) -> None:
    """Whatever faults come together, none hides another, and there are no others."""
    # A field that is misspelt may stand for the one that another fault is in.
    if {"a field that is none", "sites that are full too early"} <= planted:
        planted = planted - {"a field that is none"}
    # Without the outcome nothing is known of what is seen of it.
    told = faults_of(broken(name, sorted(planted)))
    missing = [fault for fault in planted if not any(PLANTED[fault][2] in line for line in told)]
    hidden = {"sites that are full too early"} if "too few patients" in planted else set()
    assert set(missing) <= hidden
    assert len(told) <= len(planted) + 2


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a plan."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, held in inside:
        found.append((*path, key))
        if isinstance(held, dict | list):
            found += places(held, (*path, key))
    return found


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_random_breakages_end_in_faults_and_nothing_else(data: st.DataObject) -> None:
    """Any value at any place of any example is taken or refused in words."""
    name = data.draw(st.sampled_from(sorted(DESIGNS)))
    plan = copy.deepcopy(DESIGNS[name])
    for _ in range(data.draw(st.integers(1, 3))):
        where = data.draw(st.sampled_from(places(plan)))
        put(plan, where, copy.deepcopy(data.draw(st.sampled_from(NONSENSE))))
    try:
        TrialDesign.parse(plan)
    except InputError as error:
        told = error.faults
    else:
        return
    assert told and all(fault.startswith("design: ") for fault in told)
    assert not any("validation error" in fault for fault in told)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_other_files_are_refused_in_words(data: st.DataObject) -> None:
    """The plan of an analysis and that of a sweep, broken at one place."""
    name, kind = data.draw(st.sampled_from([("analysis-plan", AnalysisPlan), ("sweep", SweepPlan)]))
    plan = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8"))
    put(plan, data.draw(st.sampled_from(places(plan))), data.draw(st.sampled_from(NONSENSE)))
    try:
        kind.parse(plan)
    except InputError as error:
        told = error.faults
    else:
        return
    assert told
