"""The page and the credibility report of a design with external controls tell the verdict."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from extraction.records import InputError
from generation import fit
from serving.report.credibility import credibility
from serving.report.credibility_context import Context
from serving.report.credibility_html import as_html
from serving.report.external_controls import drift_groups
from serving.report.simulation_page import simulation_page
from serving.service import TrialRequest, open_trial
from tests.support.generation_support import simulated_trial

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


HYBRID: dict[str, Any] = {
    "name": "hybrid",
    "arms": [{"name": "Placebo", "control": True}, {"name": "Active", "allocation": 2}],
    "n": 60,
    "endpoints": [
        {"kind": "continuous", "name": "week 8", "variable": "SCORE", "visits": [56],
         "at": ["Week 8"]}
    ],
    "dropout": {"kind": "none"},
}  # fmt: skip


def _hybrid(folder: Path, **external: Any) -> Path:
    analysis = {"kind": "robust_map", "covariates": ["AGE"], "stop": {"min_ess": 10}}
    plan = HYBRID | {
        "external_controls": {"n": 40} | external,
        "hypotheses": [{"endpoint": "week 8", "analysis": analysis}],
        "population": {"kind": "cohort", "where": str(folder / "cohort")},
    }
    path = folder / "hybrid.yaml"
    path.write_text(yaml.safe_dump(plan), "utf-8")
    return path


def test_twins_stand_beside_the_controls_of_a_cohort(tmp_path: Path) -> None:
    cohort = simulated_trial(200)
    cohort.write(tmp_path / "cohort")
    model = fit(cohort, engine="mixture", seed=0)
    model.save(tmp_path / "model")
    behind = model.card.n_under("Placebo")
    twins = {"kind": "model", "model": str(tmp_path / "model"), "twins": 300}
    asked = TrialRequest(_hybrid(tmp_path, population=twins, n_train=behind), replicates=20)
    trial = open_trial(asked)
    done = trial.run()
    assert done["population"]["external"]["origin"]["n_train"] == behind
    assert done["scenarios"][0]["hypotheses"][0]["borrowing"]["stopped"]["value"] < 1
    assert f"twins from a model of {behind} patients" in simulation_page(done)
    unstated = TrialRequest(_hybrid(tmp_path, population=twins), replicates=20)
    with pytest.raises(InputError, match="no twin counts as a patient"):
        open_trial(unstated)


def test_controls_of_another_cohort_are_opened(tmp_path: Path) -> None:
    simulated_trial(200).write(tmp_path / "cohort")
    simulated_trial(160, seed=5).write(tmp_path / "older")
    older = {"kind": "cohort", "where": str(tmp_path / "older")}
    done = open_trial(TrialRequest(_hybrid(tmp_path, population=older), replicates=20)).run()
    assert done["population"]["external"]["kind"] == "twins"
