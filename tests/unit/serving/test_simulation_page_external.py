"""The page and the credibility report of a design with external controls tell the verdict."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.report.credibility import credibility
from serving.report.credibility_context import Context
from serving.report.credibility_html import as_html
from serving.report.external_controls import drift_groups
from serving.report.simulation_page import simulation_page
from serving.service import TrialRequest, open_trial

EXAMPLE = Path(__file__).parents[3] / "examples" / "hybrid.yaml"


@pytest.fixture(scope="module")
def done() -> dict[str, Any]:
    return open_trial(TrialRequest(design=EXAMPLE, replicates=40)).run()


def test_the_page_shows_the_verdict_by_drift(done: dict[str, Any]) -> None:
    page = simulation_page(done)
    section = re.sub(r"<svg.*?</svg>", "", page.split('id="external"')[1].split("</section>")[0])
    for words in ("P(stop)", "Coverage given on", "conflict", "Controls 4 worse"):
        assert words in section
    assert "<svg" in page.split('id="external"')[1].split("</figure>")[0]
    assert "external controls, not randomised" in page


def test_drifts_are_grouped_by_what_else_is_true(done: dict[str, Any]) -> None:
    groups = drift_groups(done)
    assert [[row["drift"] for row in rows] for rows in groups.values()] == [
        [-4, -2, -1, 0, 2], [-2, -1, 0],
    ]  # fmt: skip
    assert list(groups) == ["type I error", "“works”"]


def test_the_credibility_report_does_not_say_that_nothing_is_borrowed(
    done: dict[str, Any], tmp_path: Path
) -> None:
    stated = {
        "question": "q", "context_of_use": "c", "decision": "d", "responsible": "r",
        "model_risk": {"influence": "low", "consequence": "low"},
    }  # fmt: skip
    path = tmp_path / "context.yaml"
    path.write_text(yaml.safe_dump(stated), "utf-8")
    asked = TrialRequest(design=EXAMPLE, replicates=40, credibility=path, out=tmp_path / "out")
    told = as_html(credibility(open_trial(asked).run(), Context.read(path)))
    assert "it borrows none" not in told and "Given not stopped" in told


def test_a_single_arm_is_drawn_without_its_control(tmp_path: Path) -> None:
    plan = yaml.safe_load(EXAMPLE.read_text("utf-8"))
    plan["arms"][0]["allocation"] = 0
    plan["hypotheses"][0]["analysis"] = {"kind": "external_difference", "stop": None}
    path = tmp_path / "single.yaml"
    path.write_text(yaml.safe_dump(plan), "utf-8")
    page = simulation_page(open_trial(TrialRequest(design=path, replicates=20)).run())
    assert "150 patients, all treated" in page and "nobody is randomised" in page
