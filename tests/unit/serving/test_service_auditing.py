"""The gate of synthetic controls for a trial: refused, audited, given with what was audited."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from extraction.records import InputError, RefusedError
from serving.cli import program
from serving.cli.outcome import run as command
from serving.registry import Registry
from serving.report.render import _read, render
from serving.service.auditing import AUDITS, audit_inference, run_folder
from serving.service.control_requests import ControlsRequest, controls
from serving.service.evaluations import _audit
from simulation.audit import InferenceAudit, read_audits
from simulation.audit.figures import Figure
from tests.support.server_support import NAME, make_run

PLAN = {"analysis": "mean", "target": "ALT@Week 8"}
ASKED = ControlsRequest(model=NAME, n=30, use="augment_control_arm")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("audits") / "runs", patients=120) / NAME


@pytest.fixture(scope="module")
def kept(folder: Path) -> dict[str, object]:
    return audit_inference(str(folder), PLAN, replicates=4, seed=2)


def pretend(folder: Path, kept: dict[str, object], **changes: object) -> InferenceAudit:
    """The kept audit with figures that pass, changed as said."""
    audit = read_audits(folder / AUDITS, str(kept["key"]))[0]
    good = replace(
        audit.performance["corrected"], replicates=400, failed=0, sd=1.0, bias=Figure(0.0, 0.05),
        se_ratio=Figure(1.0, 0.03), coverage=Figure(0.95, 0.01),
        type_one_error=Figure(0.05, 0.01),
    )
    figures = {**audit.performance, "corrected": replace(good, **changes)}  # type: ignore[arg-type]
    return replace(audit, performance=figures)


def test_without_an_audit_the_refusal_names_the_command(folder: Path) -> None:
    with pytest.raises(RefusedError, match=f"trialtwin evaluate inference {NAME} --target"):
        controls(ASKED, Registry({NAME: folder}))


def test_an_audit_that_did_not_pass_is_told(folder: Path, kept: dict[str, object]) -> None:
    assert kept["verdict"] == "not shown"
    with pytest.raises(RefusedError, match="mean of ALT@Week 8: not shown"):
        controls(ASKED, Registry({NAME: folder}))


def test_a_passing_audit_opens_the_gate_and_goes_with_the_rows(
    folder: Path, kept: dict[str, object]
) -> None:
    pretend(folder, kept).write(folder / AUDITS)
    arm = controls(ASKED, Registry({NAME: folder}))
    assert len(arm.cohort) == 30
    assert "mean of ALT@Week 8 (corrected): type I error 0.050" in arm.notice
    assert "Released for no other analysis" in arm.notice
    stated = ASKED.model_copy(update={"analysis": "mean of ALT@Week 8"})
    assert controls(stated, Registry({NAME: folder})).notice == arm.notice
    other = ASKED.model_copy(update={"analysis": "mean of ALT@Week 4"})
    with pytest.raises(RefusedError, match=r"for 'mean of ALT@Week 4'. Passed for: mean of ALT@W"):
        controls(other, Registry({NAME: folder}))
    explored = controls(ASKED.model_copy(update={"use": "exploration"}), Registry({NAME: folder}))
    assert "Audited" not in explored.notice
    pretend(folder, kept, type_one_error=Figure(0.2, 0.02)).write(folder / AUDITS)
    with pytest.raises(RefusedError, match="The type I error is"):
        controls(ASKED, Registry({NAME: folder}))


def test_an_analysis_is_stated_for_a_use_that_needs_it() -> None:
    with pytest.raises(ValidationError, match="only the use augment_control_arm takes one"):
        ControlsRequest(model=NAME, analysis="mean of ALT@Week 8")


def test_a_judgement_says_which_analyses_passed(
    folder: Path, kept: dict[str, object], tmp_path: Path
) -> None:
    good = pretend(folder, kept)
    other = {"analysis": "rmst", "target": "death", "covariates": [], "horizon_days": 90.0}
    second = replace(good, about={**good.about, "plan": other})
    assert second.analysis == "rmst of death to day 90"
    told = _audit([good, second], None)
    assert told is not None and told.passed
    assert told.analysis == "mean of ALT@Week 8; rmst of death to day 90"
    bad = replace(pretend(folder, kept, type_one_error=Figure(0.2, 0.02)), about=second.about)
    told = _audit([good, bad], second.analysis)
    assert told is not None and not told.passed
    with pytest.raises(InputError, match="was not audited; audited are: mean of ALT@Week 8"):
        _audit([good], second.analysis)


def test_an_audit_of_other_data_does_not_count(
    folder: Path, kept: dict[str, object], tmp_path: Path
) -> None:
    other = make_run(tmp_path / "runs", patients=140) / NAME
    pretend(folder, kept).write(other / AUDITS)
    with pytest.raises(RefusedError, match="no inference audit"):
        controls(ASKED, Registry({NAME: other}))


def test_the_command_audits_a_run(
    folder: Path, kept: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["evaluate", "inference", str(folder), "--target", "ALT@Week 8", "--replicates", "4",
             "--seed", "2", "--json"]
    assert command(program, asked) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == kept
    assert command(program, [*asked[:-1]]) == 0
    assert "Verdict: not shown" in capsys.readouterr().out


def test_the_command_audits_an_engine_on_a_cohort(
    folder: Path, kept: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cohort = folder / "stages" / "cohort" / "cohort"
    asked = ["evaluate", "inference", str(cohort), "--target", "ALT@Week 8", "--replicates", "4",
             "--seed", "2"]
    assert command(program, [*asked, "--engine", "cart", "--out", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["performance"] == kept["performance"] and told["key"] == kept["key"]
    assert read_audits(tmp_path, told["key"])[0].to_dict()["about"] == told["about"]
    assert command(program, [*asked, "--engine", "crt", "--control-arm", "Plcebo"]) == 2
    faults = capsys.readouterr().err
    assert "'crt' is unknown" in faults and "did you mean Placebo?" in faults
    asked = ["evaluate", "inference", str(folder), "--target", "x", "--out", "y"]
    assert command(program, asked) == 2
    assert "a run has its own" in capsys.readouterr().err


def test_faults_of_a_request_are_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a cohort's folder nor a run with a model"):
        run_folder(str(tmp_path))
    with pytest.raises(InputError, match="horizon_days"):
        audit_inference(str(folder), {**PLAN, "horizon_days": -1})


def test_the_report_shows_the_audits_of_its_model(folder: Path, kept: dict[str, object]) -> None:
    card = Registry({NAME: folder}).model(NAME).card.model_dump(mode="json")
    (folder / "stages" / "models" / "result.json").write_text(
        json.dumps({"controls": card}), "utf-8")
    manifest = {"versions": {"trialtwin": "0"}, "stages": {}}
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    config = {"kind": "trial", "name": "x", "title": "x", "seed": 1, "question": "x",
              "context_of_use": "x", "models": {"engine": "cart"}}
    (folder / "config.resolved.yaml").write_text(json.dumps(config), "utf-8")
    found = _read(folder)
    assert kept["key"] in [a["key"] for a in found["audits"]]
    page = render({k: v for k, v in found.items() if k in ("config", "manifest", "audits")})
    assert "Mean of ALT@Week 8" in page
    assert "rows counted as patients (invalid)" in page
