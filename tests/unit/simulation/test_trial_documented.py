"""What docs/trials.md and examples/design.yaml say that a design may hold can be read."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from simulation.trial import TrialDesign
from simulation.trial.design.dropout import HazardDropout, ShareDropout
from simulation.trial.design.enrolment import Enrolment, Site, Step
from simulation.trial.design.lacking import population_faults

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "trials.md").read_text("utf-8")
BASE: dict[str, Any] = {
    "arms": [{"name": "P", "control": True}, {"name": "A"}],
    "n": 300,
    "endpoints": [{"kind": "continuous", "name": "y"}],
}
THREE: dict[str, Any] = {
    "arms": [*BASE["arms"], {"name": "B"}],
    "endpoints": [{"kind": "binary", "name": "y"}],
}


def _blocks(title: str) -> list[str]:
    """YAML blocks of a section."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"```yaml\n(.*?)```", section, flags=re.DOTALL)


@pytest.mark.parametrize("block", _blocks("Fields of each rule"))
def test_each_rule_as_documented_is_read(block: str) -> None:
    plan = yaml.safe_load(block)
    many = plan["rule"]["kind"] in ("multi_arm", "response_adaptive")
    design = TrialDesign.parse(BASE | (THREE if many else {}) | plan)
    assert design.rule.model_dump(include=set(plan["rule"])).keys() == plan["rule"].keys()
    assert design.describe()


@pytest.mark.parametrize("block", _blocks("Enrolment and dropout"))
def test_enrolment_and_dropout_as_documented_are_read(block: str) -> None:
    plan = yaml.safe_load(block)
    people = {
        "kind": "parametric",
        "covariates": [
            {"kind": "normal", "name": "age", "mean": 65, "sd": 9},
            {
                "kind": "category",
                "name": "carrier",
                "categories": ["no", "yes"],
                "shares": [0.6, 0.4],
            },
        ],
        "outcomes": {"y": {"kind": "continuous"}},
    }
    design = TrialDesign.parse(BASE | {"population": people} | plan)
    assert population_faults(design, design.population) == [] and design.describe()


def test_every_field_of_enrolment_and_dropout_is_documented() -> None:
    section = PAGE.split("\n## Enrolment and dropout\n")[1].split("\n## ")[0]
    for kind in (Enrolment, Site, Step, ShareDropout, HazardDropout):
        for name in kind.model_fields:
            assert f"`{name}`" in section or f"{name}:" in section, name
    for name in ("as_learnt", "none", "share", "hazard"):
        assert f"| `{name}` |" in section


def test_laws_as_documented_are_read() -> None:
    (block,) = _blocks("Laws of outcomes")
    design = TrialDesign.parse(BASE | yaml.safe_load(block))
    assert len(design.endpoints) == 4 and "leave at a rate of 0.002" in " ".join(design.describe())


def test_every_rule_and_boundary_is_documented() -> None:
    with pytest.raises(ValueError, match="must be one of") as rules:
        TrialDesign.parse(BASE | {"rule": {"kind": "?"}})
    with pytest.raises(ValueError, match="must be one of") as families:
        TrialDesign.parse(BASE | {"rule": {"kind": "group_sequential", "boundary": "?"}})
    for name in re.findall(r"'(\w+)'", f"{rules.value} {families.value}"):
        if name in ("kind", "family"):
            continue
        assert f"`{name}`" in PAGE or f"kind: {name}" in PAGE


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"futility": {"bounds": [0.0]}}, "one of 'beta_spending', 'z', 'conditional_power'"),
        ({"boundary": {"delta": 0.2}}, "one of 'obrien_fleming', 'pocock'"),
        ({"boundary": "obrien_flemming"}, "did you mean obrien_fleming"),
    ],
)
def test_families_are_listed_where_one_is_missing(rule: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TrialDesign.parse(BASE | {"rule": {"kind": "group_sequential"} | rule})


def test_links_into_the_page_lead_to_its_sections() -> None:
    titles = re.findall(r"^## (.+)$", PAGE, flags=re.MULTILINE)
    anchors = {title.lower().replace(" ", "-") for title in titles}
    assert {"simulating", "the-page", "replay", "credibility-report"} <= anchors
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")):
        wanted = set(re.findall(r"trials\.md#([\w-]+)", path.read_text("utf-8")))
        assert wanted <= anchors, path.name


def test_alternatives_in_the_example_are_read() -> None:
    text = (ROOT / "examples" / "design.yaml").read_text("utf-8")
    plan = yaml.safe_load(text)
    found = re.findall(r"^#   (rule|OUTCOME): (\{.*?\})(?: +#.*)?$", text, flags=re.MULTILINE)
    rules = [yaml.safe_load(given) for what, given in found if what == "rule"]
    assert {rule["kind"] for rule in rules} == {
        "fixed",
        "group_sequential",
        "reestimation",
        "multi_arm",
        "response_adaptive",
        "enrichment",
    }
    for rule in rules:
        many = rule["kind"] in ("multi_arm", "response_adaptive")
        group = {"name": "carriers", "where": {"carrier": "yes"}}
        both = [{"endpoint": "y"}, {"endpoint": "y", "subgroup": group}]
        more = {"hypotheses": both} if rule["kind"] == "enrichment" else {}
        TrialDesign.parse(BASE | (THREE if many else {}) | more | {"rule": rule})
    for part in ("enrolment", "dropout"):
        given = re.findall(rf"^#   {part}: (\{{.*?\}})(?: +#.*)?$", text, flags=re.MULTILINE)
        assert len(given) == 2
        for one in given:
            TrialDesign.parse(plan | {part: yaml.safe_load(one)})
    laws = [yaml.safe_load(given) for what, given in found if what == "OUTCOME"]
    kinds = {"continuous", "binary", "time_to_event", "count"}
    assert {law["kind"] for law in laws} == kinds
    for law in laws:
        TrialDesign.parse(plan | {"population": plan["population"] | {"outcomes": {"OS": law}}})
