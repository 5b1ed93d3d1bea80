"""How far a long reading of notes has come, told in lines or drawn in place."""

from __future__ import annotations

import io
import json
from pathlib import Path

from click.testing import CliRunner

from serving.cli.lazy import program
from serving.cli.notes_bar import NotesBar


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_pace_and_time_left_leave_out_what_an_earlier_run_did() -> None:
    out, clock = _Terminal(), _Clock()
    bar = NotesBar(out, clock)
    bar("looking through the notes", 0.5, 0)
    bar("", 0.5, 1000)
    clock.now = 10.0
    bar("", 0.75, 1000)
    assert "looking through the notes" in out.getvalue()
    assert out.getvalue().endswith(" 75% 750 of 1,000 notes, 25 notes/s, 0:10 left\033[K")
    clock.now = 20.0
    bar("", 1.0, 1000)
    assert "1,000 of 1,000 notes, 25 notes/s\033[K\n" in out.getvalue()


def test_a_slow_pace_is_no_pace_of_none() -> None:
    out, clock = io.StringIO(), _Clock()
    bar = NotesBar(out, clock)
    bar("", 0.0, 1)
    clock.now = 4.0
    bar("", 1.0, 1)
    assert out.getvalue().endswith("100% 1 of 1 notes, 0.2 notes/s\n")


def test_lines_elsewhere_come_now_and_then() -> None:
    out, clock = io.StringIO(), _Clock()
    bar = NotesBar(out, clock)
    for second in range(100):
        clock.now = float(second)
        bar("", second / 99, 7200)
    assert 6 <= len(out.getvalue().splitlines()) <= 9
    assert "\r" not in out.getvalue()


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    where, out = tmp_path / "notes.jsonl", tmp_path / "facts"
    rows = [{"subject": f"P{i % 3}", "text": "Well."} for i in range(7)]
    where.write_text("\n".join(map(json.dumps, rows)) + "\nbroken", "utf-8")
    words = ["extract", "notes", str(where), "--out", str(out), "--chunk", "3", "--dry-run"]
    told = CliRunner().invoke(program, words)
    assert told.exit_code == 0
    assert "7 notes of 3 subjects, in 3 chunks." in told.output
    assert "set aside, not a JSON object: 1" in told.output
    assert [p.name for p in tmp_path.iterdir()] == ["notes.jsonl"]
