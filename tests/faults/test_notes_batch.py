"""Many notes: killed and resumed, poisoned, over processes: the same bytes and no lost note."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from spacy.language import Language

from extraction.notes import load_pipeline
from extraction.notes.batch import chunk as chunks
from extraction.records import Cohort, InputError
from generation.randomness import generator
from serving import service
from serving.service import Pace, Protection
from serving.service.unfinished import Unfinished
from tests.support.canary import SURNAME

ROOT = Path(__file__).parents[2]
KEPT = Protection(keep_identifiers=True)
POISON = SURNAME  # of the canary, whom the whole run looks for

# A driver that kills itself as soon as two chunks are safe: at no particular time.
DRIVER = """
import os, signal, sys
from pathlib import Path
from serving import service
def killed(what, share, notes):
    if notes and share >= 0.4:
        os.kill(os.getpid(), signal.SIGKILL)
if __name__ == "__main__":
    service.extract_notes(
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        protection=service.Protection(key_file=Path(sys.argv[3])),
        pace=service.Pace(sys.argv[4], 1, chunk=5, progress=killed),
    )
"""


def _notes(path: Path, n: int = 24, poisoned: int | None = None) -> Path:
    words = "Mr. Kowalski, seen 03/04/2021. Denies chest pain; on Aricept 10 mg daily. BP 1{}/88."
    rows = [
        {"id": f"n{i}", "subject": f"P{i // 3}", "day": i, "text": words.format(10 + i)}
        for i in range(n)
    ]
    if poisoned is not None:
        rows[poisoned]["text"] = f"{POISON} denies fever."
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


def _bytes(folder: Path) -> dict[str, bytes]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def _read(where: Path, out: Path, *args: Any, **more: Any) -> dict[str, bytes]:
    service.extract_notes(where, out, *args, **more)
    assert not list(out.parent.glob(f".{out.name}*"))
    return _bytes(out)


@pytest.mark.parametrize("execution", [pytest.param("serial", marks=pytest.mark.long), "processes"])
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path, execution: str) -> None:
    where, key = _notes(tmp_path / "notes.jsonl"), tmp_path / "keys" / "key"
    plain = _read(
        where, tmp_path / "plain", protection=Protection(key_file=key), pace=Pace(chunk=5)
    )
    out, script = tmp_path / "out", tmp_path / "driver.py"
    script.write_text(DRIVER, "utf-8")
    words = [sys.executable, str(script), str(where), str(out), str(key), execution]
    ended = subprocess.run(words, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not out.exists()
    work = Unfinished(out)
    assert 0 < work.finished_chunks() < 5
    text = b"".join(p.read_bytes() for p in work.folder.rglob("*") if p.is_file())
    assert b"Kowalski" not in text
    (work.folder / "facts.parquet" / "part-000000.parquet").write_bytes(b"damaged")
    (work.folder / "facts.parquet" / ".part-000004.parquet.77").write_bytes(b"half")
    done = _read(where, out, protection=Protection(key_file=key), pace=Pace(chunk=5))
    assert done == plain
    assert {n for n in plain if "/" not in n} == {"extraction.json", "set_aside.jsonl"}


def test_a_stopped_run_is_not_taken_for_another(tmp_path: Path) -> None:
    where = _notes(tmp_path / "notes.jsonl")
    out = tmp_path / "out"
    work = Unfinished(out)

    def stop(what: str, share: float, notes: int) -> None:
        if notes and share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        service.extract_notes(where, out, pace=Pace(chunk=5, progress=stop))
    assert work.key.exists()  # drawn for this run, and needed to go on
    plan = service.extract_notes(where, out, pace=Pace(chunk=5), dry_run=True)
    assert plan["finished_chunks"] == 3 and plan["chunks"] == 5 and not out.exists()
    with pytest.raises(InputError, match="whose chunk differs"):
        service.extract_notes(where, out, pace=Pace(chunk=6))
    _read(where, out, pace=Pace(chunk=5))
    assert len(pd.read_parquet(out / "notes.parquet")) == 24


def test_processes_and_any_chunk_find_the_same(tmp_path: Path) -> None:
    where = _notes(tmp_path / "notes.jsonl")
    one = _read(where, tmp_path / "a", protection=KEPT, pace=Pace(chunk=5))
    two = _read(where, tmp_path / "b", protection=KEPT, pace=Pace("processes", workers=2, chunk=5))
    assert one == two
    whole = service.extract_notes(where, tmp_path / "c", protection=KEPT)
    parts, one_part = (pd.read_parquet(tmp_path / name / "facts.parquet") for name in "ac")
    pd.testing.assert_frame_equal(parts, one_part)
    assert whole["digest"] == Cohort.read(tmp_path / "a" / "cohort").digest()


def _broken_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = load_pipeline("fast")

    @Language.component("test_poisoned")
    def poisoned(doc: Any) -> Any:
        if POISON in doc.text:
            raise ValueError(doc.text)
        return doc

    plain.add_pipe("test_poisoned")
    monkeypatch.setattr(chunks, "_nlp", lambda *wanted: plain)


def test_a_poisoned_note_is_set_aside_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    _broken_pipeline(monkeypatch)
    where = _notes(tmp_path / "notes.jsonl", poisoned=7)
    out = tmp_path / "out"
    done = service.extract_notes(where, out, protection=KEPT, pace=Pace(chunk=10))
    assert done["n_notes"] == 23
    assert done["set_aside"] == {"the pipeline failed (ValueError)": 1}
    assert json.loads((out / "set_aside.jsonl").read_text("utf-8")) == {
        "record": 8,
        "where": "notes.jsonl: line 8",
        "reason": "the pipeline failed (ValueError)",
    }
    told = capfd.readouterr()
    assert POISON.encode() not in b"".join(_bytes(out).values())
    assert POISON not in told.out + told.err


def test_no_name_of_a_file_is_told_where_ids_are_coded(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "Kowalski@1.txt").write_text("Well.", "utf-8")
    (folder / "Nowak@2.txt").write_text(" ", "utf-8")
    done = service.extract_notes(folder, tmp_path / "out", protection=Protection(code_ids=True))
    assert done["set_aside"] == {"it has no text": 1}
    held = b"".join(_bytes(tmp_path / "out").values())
    assert b"Nowak" not in held and b"Kowalski" not in held and b"record 2" in held


def test_identifiers_stay_in_no_file_by_default(tmp_path: Path) -> None:
    service.extract_notes(_notes(tmp_path / "notes.jsonl"), tmp_path / "out")
    for path in (tmp_path / "out").rglob("*.parquet"):
        assert "Kowalski" not in pd.read_parquet(path).to_string()


def _broken(rng: np.random.Generator, text: str) -> bytes:
    """Return a note as the world hands it over."""
    encodings = ["utf-8", "utf-16", "cp1252", "utf-8-sig", "utf-16-le"]
    data = text.encode(encodings[rng.integers(5)], "replace")
    place, few = int(rng.integers(len(data))), int(rng.integers(1, 40))
    ways = [
        data[:place],
        data[:place] + rng.bytes(few) + data[place:],
        b"<html><body><p>" + text.encode() + b"</p><!-- <td>"[: few % 13],
        (r"{\rtf1\ansi{\fonttbl x;}" + text + r"\par").encode()[: 5 * few],
        ("\u202e" + text + "\u200f\u2066" * few).encode(),
        bytes(rng.integers(0, 32, few, dtype=np.uint8)) + data,
        data * (few % 3),
    ]
    return ways[rng.integers(len(ways))]


@pytest.mark.parametrize("n", [150, pytest.param(5000, marks=pytest.mark.long)])
def test_fuzzed_notes_are_read_or_set_aside_and_no_good_note_is_lost(
    tmp_path: Path, n: int
) -> None:
    rng, folder = generator(20261122, "fuzzed notes"), tmp_path / "notes"
    folder.mkdir()
    text = "Mr. Nowak, naïve. Denies fever; on Aricept 10 mg daily. BP 120/80. Na 138 mmol/L.\n"
    for i in range(n):
        (folder / f"B{i:05d}.txt").write_bytes(_broken(rng, text))
    for i in range(20):
        (folder / f"G{i:05d}.txt").write_text(text, "utf-8")
    done = service.extract_notes(folder, tmp_path / "out", protection=KEPT, pace=Pace(chunk=1000))
    assert done["n_notes"] + sum(done["set_aside"].values()) == n + 20
    assert not any("failed" in reason or "cannot" in reason for reason in done["set_aside"])
    notes = pd.read_parquet(tmp_path / "out" / "notes.parquet")
    good = notes[notes["note_id"].str.startswith("G")]
    assert good["text"].tolist() == [text] * 20
    facts = pd.read_parquet(tmp_path / "out" / "facts.parquet")
    assert facts.groupby("note_id").size()[list(good["note_id"])].nunique() == 1
