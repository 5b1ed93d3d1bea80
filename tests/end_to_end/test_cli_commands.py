"""The command line as a user meets it: help, the main job, resuming, machines' output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from serving.cli.lazy import COMMANDS, GROUPS, program
from tests.support.serving_support import (
    MAPPING,
    ROOT,
    artefacts,
    toy_study,
    toy_table,
    trialtwin,
)

HEAVY = (
    "extraction",
    "fastapi",
    "generation",
    "gradio",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "ray",
    "rich",
    "scipy",
    "sklearn",
    "spacy",
    "torch",
)
STAGES = ["cohort", "models", "effects", "trial", "report"]
LEAVES = [
    *([name] for name, (place, _) in COMMANDS.items() if place),
    *([group, name] for group, table in GROUPS.items() for name in table),
]


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from serving.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as stop:\n    assert stop.code == 0\n"
        f"print('LOADED', *sorted(set(sys.modules) & set({HEAVY!r})))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1].split() == ["LOADED"]


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_command_has_an_example_and_the_shared_options(words: list[str]) -> None:
    shown = CliRunner().invoke(program, [*words, "--help"], prog_name="trialtwin")
    assert shown.exit_code == 0, shown.output
    assert "Example" in shown.output
    assert f"trialtwin {' '.join(words)}" in shown.output
    assert "--json" in shown.output and "--seed" in shown.output


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Folder with a study that was run once, and what the run said as JSON."""
    folder = tmp_path_factory.mktemp("toy")
    config = toy_study(folder, report=True)
    done = trialtwin("run", config, "--json", folder=folder, check=0)
    return folder, json.loads(done.stdout)


def test_a_run_says_what_it_found(toy: tuple[Path, dict[str, Any]]) -> None:
    folder, said = toy
    assert said["ran"] == STAGES and said["cached"] == []
    assert any(line.startswith("TOY: 160 patients") for line in said["findings"])
    assert (folder / "runs" / "toy" / "config.resolved.yaml").is_file()
    again = trialtwin("run", "study.yaml", folder=folder, check=0)
    assert "What was found" in again.stdout and "Report: runs/toy/report.html" in again.stdout
    assert again.stderr.count("cached") == len(STAGES)


def test_a_dry_run_lists_the_stages(toy: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = toy
    cached = trialtwin("run", "study.yaml", "--dry-run", folder=folder, check=0).stdout
    assert [line.split()[:2] for line in cached.splitlines()] == [
        [name, "cached"] for name in STAGES
    ]
    fresh = trialtwin(
        "run", "study.yaml", "--dry-run", "--seed", 9, "--json", folder=folder, check=0
    )
    assert {p["stage"]: p["why"] for p in json.loads(fresh.stdout)}["models"].startswith("changed")


def test_a_killed_run_goes_on(toy: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    whole, _ = toy
    config = toy_study(tmp_path, report=True)
    manifest = tmp_path / "runs" / "toy" / "manifest.json"
    command = [sys.executable, "-c", "from serving.cli import main; main()", "run", str(config)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    running = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    while running.poll() is None and not manifest.exists():
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    done = json.loads(trialtwin("run", config, "--json", folder=tmp_path, check=0).stdout)
    assert "cohort" in done["cached"]
    assert artefacts(tmp_path / "runs" / "toy") == artefacts(whole / "runs" / "toy")
    assert not list((tmp_path / "runs" / "toy").glob(".stage-*"))


def test_from_a_table_to_synthetic_patients(tmp_path: Path) -> None:
    toy_table().to_csv(tmp_path / "trial.csv", index=False)
    (tmp_path / "mapping.json").write_text(json.dumps(MAPPING), "utf-8")

    def call(*arguments: object) -> dict[str, Any]:
        words = [str(a) for a in arguments]
        done = CliRunner().invoke(program, [*words, "--json"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    cohort, model, arm = (tmp_path / name for name in ("cohort", "model", "arm"))
    read = call(
        "ingest",
        "table",
        tmp_path / "trial.csv",
        "--mapping",
        tmp_path / "mapping.json",
        "--out",
        cohort,
    )
    assert read["summary"]["subjects"] == 160
    assert call("cohort", "validate", cohort)["faults"] == []
    assert call("cohort", "describe", cohort)["digest"] == read["digest"]
    call("cohort", "export", cohort, "--out", tmp_path / "csv")
    assert (tmp_path / "csv" / "dictionary.csv").is_file()
    card = call("train", cohort, "--out", model, "--engine", "cart", "--fit", "controls")
    assert card["n_train"] == 80 and card["fit"] == "controls_only"
    made = [
        call(
            "generate",
            model,
            "-n",
            40,
            "--out",
            arm / str(seed),
            "--given",
            "AGE=[60,90]",
            "--seed",
            seed,
        )
        for seed in (1, 2)
    ]
    assert made[0]["digest"] != made[1]["digest"]
    late = call(
        "generate", model, "-n", 20, "--out", arm / "late", "--given", "SCORE@Week 24=>=22"
    )
    table = pd.read_csv(arm / "late" / "csv" / "table.csv")
    assert (table["SCORE@Week 24"] >= 22).all()
    assert late["draws_per_patient"] > 1
    assert "SCORE@Week 24 >= 22" in late["method"]
    assert "n_train = 80" in (arm / "1" / "csv" / "README.txt").read_text("utf-8")


def test_a_trial_is_simulated_from_a_run(toy: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    design = tmp_path / "design.yaml"
    design.write_text(
        "name: next\n"
        "arms: [{name: Control, control: true}, {name: Active}]\n"
        "endpoints: [{kind: continuous, name: SCORE, visits: [168], at: [Week 24], "
        "higher_is_better: false}]\n"
        "hypotheses: [{endpoint: SCORE, analysis: {kind: ancova, covariates: [SCOREBL]}}]\n"
        "n: 100\nrule: {kind: group_sequential, looks: {number: 2}}\n"
        "scenarios: [{name: planned, effects: [{arm: Active, endpoint: SCORE, shift: -4}]}]\n",
        "utf-8",
    )
    words = [
        "simulate",
        str(design),
        "--population",
        str(toy[0] / "runs" / "toy"),
        "--replicates",
        "300",
        "--json",
    ]
    shown = [CliRunner().invoke(program, [*words, "--seed", seed]) for seed in ("1", "1", "2")]
    found = [json.loads(s.stdout) for s in shown]
    assert found[0]["digest"] == found[1]["digest"] != found[2]["digest"]
    power = found[0]["scenarios"][1]["any_rejection"]
    assert 0.3 < power["value"] <= 1 and power["se"] > 0


def test_doctor_looks_at_this_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(program, ["doctor", "--json"])
    found = json.loads(shown.stdout)
    assert shown.exit_code == (0 if found["good"] else 1)
    assert {"Python", "free disk"} <= {c["what"] for c in found["checks"]}
    assert not list(tmp_path.iterdir())


def test_our_own_fault_is_told_without_a_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from serving import service
    from serving.cli import outcome
    from serving.settings import settings

    def broken(*_: object, **__: object) -> None:
        raise ValueError("Mrs Miller, 84, has angina")

    settings.cache_clear()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(service, "describe", broken, raising=False)
    assert outcome.run(program, ["cohort", "describe", "x"]) == 1
    said = capsys.readouterr().err
    log = (tmp_path / "var" / "trialtwin.log").read_text("utf-8")
    assert "ValueError" in said and "var/trialtwin.log" in said
    assert "Miller" not in said + log and "broken" in log


def test_the_example_of_a_design_runs(tmp_path: Path) -> None:
    design = ROOT / "examples" / "design.yaml"
    done = trialtwin("simulate", design, "--replicates", 50, "--json", folder=tmp_path, check=0)
    told = [s["name"] for s in json.loads(done.stdout)["scenarios"]]
    assert told == ["no effect", "as planned", "late benefit", "in carriers only"]
