"""From a table that nobody described to a model, by the command line alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from serving.cli import outcome
from serving.cli.lazy import program

KNOWN = ["--arm", "arm", "--time", "days", "--event", "died", "--subject", "id"]


def call(*arguments: object) -> str:
    done = CliRunner().invoke(program, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert outcome.run(program, [str(a) for a in arguments]) == 2
    return capsys.readouterr().err


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of 80 patients with semicolons, NA, dates and free text."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "id": [f"P{k:02}" for k in range(80)],
            "arm": ["drug", "usual"] * 40,
            "age": np.round(rng.normal(60, 8, 80), 1),
            "sex": rng.choice(["f", "m"], 80),
            "entered": pd.date_range("2024-01-01", periods=80).strftime("%Y-%m-%d"),
            "remark": [f"remark {k}" for k in rng.integers(0, 60, 80)],
            "days": rng.integers(10, 400, 80),
            "died": rng.integers(0, 2, 80),
        }
    )
    frame.loc[:3, "age"] = np.nan
    frame.to_csv(tmp_path / "trial.csv", index=False, sep=";", na_rep="NA")
    return tmp_path / "trial.csv"


def test_a_table_becomes_a_cohort_and_a_model_of_its_controls(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draft, cohort = table.with_name("trial.yaml"), table.with_name("cohort")
    said = call("ingest", "table", table, "--draft", draft, *KNOWN)
    assert "column entered is left out: dates" in said
    assert "column remark is left out" in said and "remark 1" not in said
    assert "no control arm is known by its name; the arms are drug, usual" in said
    assert "--mapping" in said
    read = json.loads(
        call("ingest", "table", table, "--mapping", draft, "--out", cohort, "--json")
    )
    assert read["summary"]["subjects"] == 80
    asked = ["train", cohort, "--out", table.with_name("model"), "--engine", "cart",
             "--fit", "controls"]
    assert "none is named; the arms are drug, usual" in refused(capsys, *asked)
    assert "40 patients, controls (arm usual)" in call(*asked, "--control-arm", "usual")


def test_a_draft_that_is_there_is_kept(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draft = table.with_name("trial.yaml")
    draft.write_text("mine", "utf-8")
    asked = ["ingest", "table", table, "--draft", draft]
    said = refused(capsys, *asked, "--time", "day", "--event", "died")
    assert "trial.yaml is there already" in said and "did you mean days?" in said
    assert draft.read_text("utf-8") == "mine"
    call(*asked, *KNOWN, "--overwrite")
    assert "study_id: trial" in draft.read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ([], "Missing option '--out'"),
        (["--out", "x", "--draft", "y"], "--draft is for a table alone"),
        (["--out", "x", "--arm", "arm"], "--arm: only for --draft"),
    ],
)
def test_options_that_do_not_go_together_are_told(
    table: Path, capsys: pytest.CaptureFixture[str], words: list[str], fault: str
) -> None:
    assert fault in refused(capsys, "ingest", "table", table, *words)


def test_what_nobody_named_is_proposed_and_must_be_confirmed(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(table, sep=";")
    frame = frame.assign(pfs_days=frame["days"] // 2 + 1, pfs_event=1 - frame["died"])
    frame.to_csv(table, index=False)
    draft, cohort = table.with_name("trial.yaml"), table.with_name("cohort")
    said = call("ingest", "table", table, "--draft", draft)
    assert "PROPOSED arm: column arm" in said and "confirm what is proposed" in said
    assert "time days (read as days), event died" in said
    assert "time pfs_days (read as days), event pfs_event" in said
    text = draft.read_text("utf-8")
    assert text.startswith("# PROPOSED arm") and "\nproposed: [arm, endpoints]\n" in text
    read = ["ingest", "table", table, "--mapping", draft, "--out", cohort]
    assert "guessed by --draft; correct them, then delete this line" in refused(capsys, *read)
    draft.write_text(text.replace("proposed: [arm, endpoints]\n", ""), "utf-8")
    done = json.loads(call(*read, "--json"))
    assert done["summary"]["subjects"] == 80
    assert set(done["summary"]["endpoints"]) == {"died", "pfs_event"}
    call("ingest", "table", table, "--draft", draft, *KNOWN, "--overwrite")
    assert "proposed:" not in draft.read_text("utf-8")


def test_what_cannot_be_guessed_is_asked_for(table: Path) -> None:
    frame = pd.read_csv(table, sep=";").drop(columns=["arm", "days", "died"])
    frame.to_csv(table, index=False)
    said = call("ingest", "table", table, "--draft", table.with_name("trial.yaml"))
    assert "give --arm (columns with 2 to 6 values: sex)" in said
    assert "give --time and --event" in said and "confirm what is proposed" not in said
