"""Notes over which their reader dies or never ends: set aside and counted, the others are read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from extraction.notes import Note
from extraction.notes.batch import trial
from extraction.notes.components import FactsComponent
from extraction.notes.deidentification import Deidentifier
from serving import service
from serving.service import Pace, Protection
from tests.support import deadly_reader

ROOT = Path(__file__).parents[2]
KEPT = Protection(keep_identifiers=True)
PLAIN = "Denies chest pain; on Aricept 10 mg daily."


def _notes(path: Path, deadly: tuple[int, ...]) -> Path:
    rows = [
        {"id": f"n{i}", "subject": f"P{i}", "text": f"{PLAIN} Pulse 6{i % 10}."} for i in range(16)
    ]
    for i in deadly:
        rows[i]["text"] = f"Denies fever. {deadly_reader.DIES}."
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


@pytest.fixture
def poisoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every process that is started from here on die over the notes that say so."""
    paths = (str(deadly_reader.write(tmp_path / "hook")), str(ROOT))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.syspath_prepend(paths[0])


def _command(where: Path, out: Path, *more: str) -> list[str]:
    words = [sys.executable, "-c", "from serving.cli import main; main()", "extract", "notes"]
    return [*words, str(where), "--out", str(out), "--keep-identifiers", "--chunk", "8", *more]


@pytest.mark.usefixtures("poisoned")
def test_a_note_that_kills_its_worker_is_set_aside(tmp_path: Path) -> None:
    where, out = _notes(tmp_path / "notes.jsonl", deadly=(3, 6)), tmp_path / "out"
    told = service.extract_notes(where, out, protection=KEPT, pace=Pace("processes", 1, chunk=8))
    assert (told["set_aside"], told["n_notes"]) == ({trial.DIED: 2}, 14)
    rows = [json.loads(line) for line in (out / "set_aside.jsonl").read_text("utf-8").splitlines()]
    assert [row["record"] for row in rows] == [4, 7]
    assert not [p for p in out.rglob("*") if p.name.startswith(".")]


@pytest.mark.long
@pytest.mark.usefixtures("poisoned")
def test_a_note_that_kills_its_ray_worker_is_set_aside(tmp_path: Path) -> None:
    """In a process of its own: Ray's workers have the surroundings in which Ray was started."""
    where, out = _notes(tmp_path / "notes.jsonl", deadly=(3, 6)), tmp_path / "out"
    words = _command(where, out, "--execution", "ray", "--workers", "1")
    subprocess.run(words, cwd=ROOT, capture_output=True, check=True)
    told = json.loads((out / "extraction.json").read_text("utf-8"))
    assert (told["notes"], told["reasons"]) == (14, {trial.DIED: 2})


@pytest.mark.long
@pytest.mark.usefixtures("poisoned")
def test_a_serial_run_that_died_goes_on_without_the_note(tmp_path: Path) -> None:
    where, out = _notes(tmp_path / "notes.jsonl", deadly=(5,)), tmp_path / "out"
    words = _command(where, out)
    first = subprocess.run(words, cwd=ROOT, capture_output=True, check=False)
    assert first.returncode == 9
    assert not out.exists()
    again = subprocess.run(words, cwd=ROOT, capture_output=True, check=True)
    assert (
        deadly_reader.DIES.encode() not in first.stdout + first.stderr + again.stdout + again.stderr
    )
    told = json.loads((out / "extraction.json").read_text("utf-8"))
    assert (told["notes"], told["reasons"]) == (15, {trial.DIED: 1})


@pytest.mark.usefixtures("poisoned")
def test_a_note_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = deadly_reader.HANGS
    monkeypatch.setattr(trial, "allowed", lambda *notes: 0.1 if hangs in notes[0].text else 600.0)
    texts = (PLAIN, f"{hangs} denies fever.", PLAIN)
    notes = [Note(f"n{i}", "S", "P", 0.0, "visit", text) for i, text in enumerate(texts)]
    payload = {"preset": "fast", "code_ids": False, "paths": {}}
    assert trial.deadly(payload, notes) == {1: trial.SLOW}


@pytest.mark.long
@pytest.mark.usefixtures("poisoned")
def test_a_worker_whose_first_reading_never_ends_is_given_up(tmp_path: Path) -> None:
    where, out = _notes(tmp_path / "notes.jsonl", deadly=()), tmp_path / "out"
    text = where.read_text("utf-8").replace("Pulse 63", deadly_reader.HANGS, 1)
    where.write_text(text, "utf-8")
    told = service.extract_notes(where, out, protection=KEPT, pace=Pace("processes", 1, chunk=8))
    assert (told["set_aside"], told["n_notes"]) == ({trial.SLOW: 1}, 15)


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        (Deidentifier, "identifiers could not be replaced (ValueError)"),
        (FactsComponent, "the pipeline failed (ValueError)"),
    ],
)
def test_a_page_shows_the_rest_and_says_what_was_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: type, reason: str
) -> None:
    name = "apply" if where is Deidentifier else "__call__"
    finish = getattr(where, name)

    def failing(self: object, given: Any) -> Any:
        if deadly_reader.DIES in given.text:
            raise ValueError(given.text)
        return finish(self, given)

    monkeypatch.setattr(where, name, failing)
    notes, page = _notes(tmp_path / "notes.jsonl", deadly=(2,)), tmp_path / "page.html"
    told = service.show_notes(notes, page, most=4)
    assert (told["n_notes"], told["total"]) == (3, 16)
    assert told["set_aside"] == [{"where": "note 3", "reason": reason}]
    shown = page.read_text("utf-8")
    assert "1 set aside" in shown
    assert deadly_reader.DIES not in shown
