"""The gate of synthetic controls for a trial: refused, audited, given with what was audited."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from extraction.records import InputError, RefusedError
from serving.cli import program
from serving.cli.outcome import run as command
from serving.registry import Registry
from serving.report.render import _read, render
from serving.service.auditing import AUDITS, audit_inference, run_folder
from serving.service.control_requests import ControlsRequest, controls
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
    assert "Other analyses were not audited" in arm.notice
    explored = controls(ASKED.model_copy(update={"use": "exploration"}), Registry({NAME: folder}))
    assert "Audited" not in explored.notice
    pretend(folder, kept, type_one_error=Figure(0.2, 0.02)).write(folder / AUDITS)
    with pytest.raises(RefusedError, match="The type I error is"):
        controls(ASKED, Registry({NAME: folder}))


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


def test_faults_of_a_request_are_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no model of controls"):
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
