"""What the commands on notes tell people: what is left out, set aside, guessed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from serving.cli import program
from serving.cli.outcome import run

QUICK = ["--no-codes", "--keep-identifiers"]


def folder(path: Path, **texts: str) -> Path:
    path.mkdir()
    for name, text in texts.items():
        (path / f"{name}.txt").write_text(text, "utf-8")
    return path


def test_values_without_a_day_are_counted_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = folder(tmp_path / "notes", P1="BP 128/76, K 3.2 mmol/L.", P2="Denies fever.")
    assert run(program, ["extract", "notes", str(notes), "--out", str(tmp_path / "f"), *QUICK]) == 0
    told = capsys.readouterr().out
    assert "3 values left out of the cohort: their notes have no day" in told
    assert "subject@day.txt" in told
    kept = json.loads((tmp_path / "f/extraction.json").read_text("utf-8"))
    assert kept["left_out"] == {"left out: the note has no day": 3}


def test_values_with_a_day_are_not_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = folder(tmp_path / "notes", **{"P1@3": "BP 128/76."})
    assert run(program, ["extract", "notes", str(notes), "--out", str(tmp_path / "f"), *QUICK]) == 0
    told = capsys.readouterr()
    assert "left out" not in told.out
    assert "100% gathering the facts into a cohort\n" in told.err


def test_a_dry_run_counts_one_chunk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notes = folder(tmp_path / "notes", P1="No fever.", P2="")
    arguments = ["extract", "notes", str(notes), "--out", str(tmp_path / "f"), "--dry-run"]
    assert run(program, arguments) == 0
    told = capsys.readouterr().out
    assert "1 note of 1 subject, in 1 chunk." in told
    assert "P2.txt: it has no text" in told
    assert run(program, [*arguments, "--code-ids"]) == 0
    told = capsys.readouterr().out
    assert "record 2: it has no text" in told and "P2" not in told


def test_a_dry_run_names_the_first_that_would_be_set_aside_in_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = tmp_path / "notes.jsonl"
    row = json.dumps({"id": "n", "subject": "P", "text": "No fever."})
    where.write_text("\n".join([row, "broken", row, *["broken"] * 30]), "utf-8")
    arguments = ["extract", "notes", str(where), "--out", str(tmp_path / "f"), "--dry-run"]
    assert run(program, arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    first = lines.index("    notes.jsonl: line 2: not a JSON object")
    assert lines[first + 1] == "    record 3: its id repeats an earlier note's"
    assert lines[first + 20] == "    and 12 more"


def test_a_guessed_encoding_is_told_and_a_misread_one_set_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = folder(tmp_path / "notes", P1="No fever.")
    (notes / "P2.txt").write_bytes("Température 37, naïve patient.".encode("cp1252"))
    (notes / "P3.txt").write_bytes(("患者は発熱なし。" * 3).encode("shift-jis"))
    arguments = ["extract", "notes", str(notes), "--out", str(tmp_path / "f"), "--dry-run"]
    assert run(program, arguments) == 0
    told = capsys.readouterr().out
    assert "set aside, its encoding is not known: save it as UTF-8: 1" in told
    assert "encoding guessed, in files or lines: 2" in told


def test_a_cohort_tells_terms_that_five_patients_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rare = {"P9": "Takes lithium. Denies pneumonia.", "P8": "Denies pneumonia."}
    texts = {f"P{i}": "Has pneumonia, takes aspirin." for i in range(1, 6)}
    notes = folder(tmp_path / "notes", **texts, **rare)
    assert run(program, ["extract", "notes", str(notes), "--out", str(tmp_path / "f"), *QUICK]) == 0
    capsys.readouterr()
    assert run(program, ["cohort", "describe", str(tmp_path / "f/cohort")]) == 0
    told = capsys.readouterr().out
    assert "episodes, condition: 7; patients with the commonest: pneumonia 5" in told
    assert "aspirin 5" in told and "lithium" not in told
    assert "observations: 0" in told and "events: 0" in told
