"""A design: all faults at once, reading from YAML, derived figures."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from extraction.records.errors import InputError
from simulation import TrialDesign

PLAN: dict[str, Any] = {
    "arms": [{"name": "Placebo", "control": True}, {"name": "Active", "allocation": 2}],
    "endpoint": {"variable": "ADAS", "visit": "Week 24", "change_from": "Baseline"},
    "n": 180,
    "looks": [0.5, 1.0],
    "effect": -2.0,
}


def test_a_plan_is_read_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(
        "name: next trial\n"
        "arms: [{name: Placebo, control: true}, {name: Active, allocation: 2}]\n"
        "endpoint: {variable: ADAS, visit: Week 24, change_from: Baseline}\n"
        "n: 180\nlooks: [0.5, 1.0]\nboundary: pocock\neffect: -2\ndropout: 0.2\n"
    )
    design = TrialDesign.read(path)
    assert design == TrialDesign.parse(
        PLAN | {"name": "next trial", "boundary": "pocock", "dropout": 0.2}
    )
    assert design.sizes == (90, 180)
    assert (design.control.name, design.treated.name) == ("Placebo", "Active")
    assert design.effects == (0.0, -2.0)


def test_all_faults_come_at_once() -> None:
    wrong = {
        "arms": [{"name": "A"}, {"name": "B"}],
        "n": 0,
        "looks": [0.5, 0.4],
        "alpha": 0.7,
        "dropout": 1.5,
        "effect": 0,
        "colour": "red",
    }
    with pytest.raises(InputError) as caught:
        TrialDesign.parse(wrong)
    text = str(caught.value)
    for place in ("arms", "endpoint", "n", "looks", "alpha", "dropout", "effect", "colour"):
        assert f"design: {place}" in text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"analysis": "t", "covariates": ["AGE"]}, "a t test takes none"),
        ({"n": 4, "covariates": ["AGE"]}, "the first look has 2 patients"),
        ({"covariates": ["AGE", "AGE"]}, "named twice"),
        ({"arms": [{"name": "A", "control": True}, {"name": "A"}]}, "names must differ"),
        ({"looks": [0.5, 0.9]}, "rise to 1"),
    ],
)
def test_a_plan_must_make_sense(change: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        TrialDesign.parse(PLAN | change)


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "n: 5"])
def test_a_bad_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(InputError, match=r"bad\.yaml"):
        TrialDesign.read(tmp_path / "bad.yaml")
    with pytest.raises(InputError, match="no such file"):
        TrialDesign.read(tmp_path / "none.yaml")


def test_the_estimand_follows_the_dropout_rule() -> None:
    strategy = {
        rule: TrialDesign.parse(PLAN | {"dropout": rule}).estimand.intercurrent_events
        for rule in ("as_learnt", "none", 0.1)
    }
    assert strategy["as_learnt"] == strategy[0.1] == {"discontinuation": "hypothetical"}
    assert strategy["none"] == {"discontinuation": "treatment policy"}


def test_required_size_grows_with_looks_and_dropout_and_falls_with_a_score() -> None:
    plan = PLAN | {
        "effect": 0.5,
        "looks": 1,
        "arms": [{"name": "P", "control": True}, {"name": "A"}],
    }
    fixed = TrialDesign.parse(plan)
    assert fixed.required_size(1.0) == 172
    assert fixed.required_size(1.0, r_squared=0.25) == 130
    assert TrialDesign.parse(plan | {"looks": 3}).required_size(1.0) == 174
    assert TrialDesign.parse(plan | {"dropout": 0.2}).required_size(1.0) == 214
    with pytest.raises(InputError, match="required_size"):
        fixed.required_size(0.0)


def test_the_example_teaches_every_field(root: Path) -> None:
    path = root / "examples" / "design.yaml"
    assert set(yaml.safe_load(path.read_text("utf-8"))) == set(TrialDesign.model_fields)
    assert TrialDesign.read(path).sizes == (134, 267, 400)


def test_faults_of_a_design_are_told_in_plain_words() -> None:
    with pytest.raises(InputError) as caught:
        TrialDesign.parse({"arms": 2, "endpoint": "ADAS", "n": 9, "efect": 1, "looks": "x"})
    assert set(caught.value.faults) == {
        "design: arms: must be a list",
        "design: endpoint: must be a mapping of names to values",
        "design: efect: field efect is not known; did you mean effect?",
        "design: effect: missing; this field is needed",
        "design: looks: must be a whole number, or must be a list",
    }
