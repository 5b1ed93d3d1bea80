"""Every rule that docs/trials.md documents has a page, whatever its boundaries leave out."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.cli.commands.simulate import _results
from serving.report import simulation_figures as drawings
from serving.report.figures import canvas
from serving.report.sensitivity_figures import curve_figure
from serving.report.simulation_page import shortfalls, simulation_page, with_limits, worst_error
from serving.service import TrialRequest, open_trial

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "trials.md").read_text("utf-8")
SECTION = PAGE.split("\n## Fields of each rule\n")[1].split("\n## ")[0]
BLOCKS = re.findall(r"```yaml\n(.*?)```", SECTION, flags=re.DOTALL)
SIZES = re.findall(r"size: (\{kind: .*?\})", SECTION)
FAMILIES: tuple[Any, ...] = (
    *re.findall(r"`(\w+)`", SECTION.split("| `boundary.family` |")[1].split("\n\n")[0]),
)
NAMES = [
    name
    for name in FAMILIES
    if name not in ("delta", "interim", "gamma", "rho", "cumulative", "at", "custom_spending")
]
ARMS = [{"name": "P", "control": True}, {"name": "A"}, {"name": "B"}]
CARRIER = {"kind": "category", "name": "carrier", "categories": ["no", "yes"], "shares": [0.5, 0.5]}
LAWS: dict[str, dict[str, Any]] = {
    "continuous": {"kind": "continuous", "sd": 1.0},
    "binary": {"kind": "binary", "probability": 0.3},
}
EFFECTS = {"continuous": {"shift": 0.3}, "binary": {"odds_ratio": 1.8}}


def _page(folder: Path, plan: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Simulate a design with the rule of a plan; return what was found and its page."""
    many = plan["rule"]["kind"] in ("multi_arm", "response_adaptive")
    kind = "binary" if many else "continuous"
    arms = ARMS if many else ARMS[:2]
    effects = [{"arm": arm["name"], "endpoint": "y"} | EFFECTS[kind] for arm in arms[1:]]
    design = {
        "name": "a rule",
        "arms": arms,
        "n": 300,
        "endpoints": [{"kind": kind, "name": "y"}],
        "population": {
            "kind": "parametric",
            "covariates": [CARRIER],
            "outcomes": {"y": LAWS[kind]},
        },
        "scenarios": [{"name": "works", "effects": effects}],
    }
    path = folder / "design.yaml"
    path.write_text(yaml.safe_dump(design | plan), "utf-8")
    done = open_trial(TrialRequest(design=path, replicates=24)).run()
    return done, simulation_page(done)


@pytest.mark.parametrize("block", BLOCKS)
def test_each_rule_as_documented_has_a_page(block: str, tmp_path: Path) -> None:
    done, page = _page(tmp_path, yaml.safe_load(block))
    assert done["digest"] in page and "nan" not in page.split("<main>")[1].lower().split("<svg")[0]


@pytest.mark.parametrize("size", SIZES)
def test_each_way_to_set_the_size_has_a_page(size: str, tmp_path: Path) -> None:
    rule = {
        "kind": "reestimation",
        "looks": {"at": [150, 300]},
        "boundary": "obrien_fleming",
        "size": yaml.safe_load(size),
        "maximum": 500,
    }
    _, page = _page(tmp_path, {"rule": rule})
    assert 'id="boundaries"' in page


@pytest.mark.parametrize("family", NAMES)
def test_each_boundary_has_a_page(family: str, tmp_path: Path) -> None:
    rule = {"kind": "group_sequential", "looks": {"number": 2}, "boundary": family}
    _, page = _page(tmp_path, {"rule": rule})
    assert "reject at or above" in page


def test_a_look_without_an_efficacy_stop_is_a_dash(tmp_path: Path) -> None:
    rule = {
        "kind": "group_sequential",
        "looks": {"number": 2},
        "boundary": {"family": "custom_spending", "cumulative": [0, 1]},
    }
    done, page = _page(tmp_path, {"rule": rule})
    first, last = done["boundaries"][0]["looks"]
    assert first["critical"] is None and first["p"] is None
    assert last["critical"] == pytest.approx(1.959964, abs=1e-6)
    table = page.split('id="boundaries"')[1]
    assert "no stop for efficacy" in table and "1.9600" in table


def test_the_bound_that_drops_arms_is_shown(tmp_path: Path) -> None:
    rule = {"kind": "multi_arm", "looks": {"number": 2}, "futility": [0.25]}
    done, page = _page(tmp_path, {"rule": rule})
    assert [look["lower"] for look in done["boundaries"][0]["looks"]] == [0.25, None]
    table = page.split('id="boundaries"')[1]
    assert '<td class="n">0.2500</td>' in table and "drops each arm" in table


def _short_of_events() -> dict[str, Any]:
    """A design whose final look waits for more events than can come by the latest time."""
    looks = {"by": "events", "at": [20, 250], "latest": 12}
    return {
        "endpoints": [{"kind": "time_to_event", "name": "y"}],
        "enrolment": {"ramp": [{"start": 0, "rate": 100}]},
        "rule": {"kind": "group_sequential", "looks": looks},
        "population": {
            "kind": "parametric",
            "outcomes": {"y": {"kind": "time_to_event", "median": 30}},
        },
        "scenarios": [
            {"name": "works", "effects": [{"arm": "A", "endpoint": "y", "hazard_ratio": 0.7}]}
        ],
    }


def test_scenarios_that_come_short_are_told_first(tmp_path: Path) -> None:
    done, page = _page(tmp_path, _short_of_events())
    told = shortfalls(done)
    assert [line.split(": in ")[0] for line in told] == ["no effect", "works"]
    assert set(told) <= set(done["limits"])
    top = page.split('<section id="design">')[0]
    assert 'class="badge bad">Looks come short' in top and top.count("<li>") == 2
    warnings = [line for line in _results(done) if line.startswith("  Warning: ")]
    assert warnings == [f"  Warning: {line}" for line in told]
    _, whole = _page(tmp_path, {"rule": {"kind": "fixed", "looks": {"number": 1}}})
    assert "Looks come short" not in whole


def test_the_first_tile_has_the_largest_error_without_effect(tmp_path: Path) -> None:
    two = {"arm": "A", "endpoint": "y"}
    scenarios = [
        {"name": "works", "effects": [two | {"shift": 0.3}]},
        {"name": "nothing again", "effects": [two | {"shift": 0.0}]},
    ]
    done, page = _page(tmp_path, {"rule": {"kind": "fixed"}, "scenarios": scenarios})
    worst = worst_error(with_limits(done["scenarios"], done["replicates"]))
    tile = page.split('<div class="tile">')[1]
    assert worst is not None and worst["familywise_error"]
    assert "over the scenarios without effect" in tile
    assert (f"“{worst['name']}”" in tile) == (worst["name"] != "no effect")
    assert worst_error(done["scenarios"][:2]) is None


def test_every_wide_table_scrolls(tmp_path: Path) -> None:
    _, page = _page(tmp_path, {"rule": {"kind": "multi_arm", "looks": {"number": 2}}})
    assert page.count('<table class="stack">') == page.count(
        '<div class="scroll"><table class="stack">'
    )
    assert page.count('<div class="scroll">') == page.count("</table></div>")


def test_large_figures_are_written_whole() -> None:
    rows = [{"factor": k, "size": None, "cost": 9e5 + k, "cost_se": 10.0} for k in (0.5, 1.0)]
    shown = {"name": "cost", "label": "expected cost", "share": False}
    drawn = curve_figure(rows, shown, None, "multiple")
    (axes,) = drawn.axes
    assert axes.yaxis.get_major_formatter()(1.2e6) == "1,200,000"


def test_arms_have_boxes_of_one_width() -> None:
    arms = [{"name": name, "control": name == "P", "allocation": 1} for name in "PABC"]
    _, axes = canvas(4.2, 4.0)
    drawings._arms_row(axes, arms, 0.0)
    boxes = [patch.get_width() for patch in axes.patches]
    assert len(boxes) == 4 and max(boxes) == pytest.approx(min(boxes))
