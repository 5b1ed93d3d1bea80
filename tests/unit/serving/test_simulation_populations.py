"""Twins and real patients as the population of a simulated trial: lineage told, rows withheld."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.report.credibility import credibility
from serving.report.credibility_html import as_html
from serving.service import TrialRequest, open_trial, replay_trial
from tests.support.generation_support import simulated_trial

ROOT = Path(__file__).parents[3]
PLAN: dict[str, Any] = {
    "name": "next",
    "arms": [{"name": "Placebo", "control": True}, {"name": "Active"}],
    "n": 40,
    "enrolment": {"duration": 180},
    "endpoints": [{"kind": "time_to_event", "name": "event", "follow_up": 180}],
    "dropout": {"kind": "none"},
    "scenarios": [
        {"name": "works", "effects": [{"arm": "Active", "endpoint": "event", "hazard_ratio": 0.5}]}
    ],
}


@pytest.fixture
def design(tmp_path: Path) -> Path:
    path = tmp_path / "design.yaml"
    path.write_text(yaml.safe_dump(PLAN), "utf-8")
    return path


def test_a_models_card_and_the_patients_behind_it_are_in_the_report(
    design: Path, tmp_path: Path
) -> None:
    from generation import fit

    cohort = simulated_trial(120, visits=False)
    model = fit(cohort, engine="cart", seed=0)
    model.save(tmp_path / "model")
    context = yaml.safe_load((ROOT / "examples" / "context.yaml").read_text("utf-8"))
    del context["design"]  # that of the example's own design
    (tmp_path / "context.yaml").write_text(yaml.safe_dump(context), "utf-8")
    request = TrialRequest(
        design,
        population=str(tmp_path / "model"),
        replicates=20,
        credibility=tmp_path / "context.yaml",
        out=tmp_path / "out",
    )
    trial = open_trial(request)
    assert trial.context is not None
    done = trial.run()
    page = as_html(credibility(done, trial.context))
    behind = model.card.n_under("Placebo")
    assert f"<p>{behind}</p>" in page and "<p>cart " in page
    assert "Twins carry no information beyond the patients behind them" in page
    assert (tmp_path / "out" / "credibility.pdf").stat().st_size > 10_000


def test_rows_of_real_patients_are_not_shown(design: Path, tmp_path: Path) -> None:
    cohort = simulated_trial(120, visits=False)
    cohort.write(tmp_path / "cohort")
    asked: dict[str, Any] = {"population": str(tmp_path / "cohort"), "out": tmp_path / "out"}
    told = replay_trial(open_trial(TrialRequest(design, **asked)), 0)
    assert told["patients_table"] == "" and "kept as patient data" in told["withheld"]
    assert (tmp_path / "out" / "replay-0-patients.csv").is_file()
