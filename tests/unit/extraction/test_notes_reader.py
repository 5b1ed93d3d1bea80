from __future__ import annotations

import json
from math import isnan
from pathlib import Path

import pytest

from extraction.notes import read_notes
from extraction.records import InputError


def test_a_folder_of_text_files(tmp_path: Path) -> None:
    (tmp_path / "P1@14.txt").write_text("Denies fever.", encoding="utf-8")
    (tmp_path / "P2.txt").write_text("Pulse 60.", encoding="utf-8")
    (tmp_path / "P3.txt").write_bytes(b"\x00\x01\x02\x7fELF")
    read = read_notes(tmp_path)
    assert [(n.subject_id, n.text) for n in read.notes] == [
        ("P1", "Denies fever."),
        ("P2", "Pulse 60."),
    ]
    assert read.notes[0].day == 14 and isnan(read.notes[1].day)
    assert read.reasons() == {"it is not text": 1}


def test_json_lines_set_poisoned_notes_aside(tmp_path: Path) -> None:
    lines = [
        json.dumps({"id": "a", "subject": "P1", "day": 3, "text": "Secret words"}),
        "{broken",
        json.dumps({"id": "b", "subject": "P1", "text": "  "}),
        json.dumps({"id": "c", "subject": "", "text": "x"}),
        json.dumps({"id": "d", "subject": "P1", "day": "soon", "text": "x"}),
        json.dumps({"id": "a", "subject": "P1", "text": "again"}),
        json.dumps({"id": "e", "subject": "P1", "text": "\x00\x01\x02\x03"}),
        json.dumps([1, 2]),
    ]
    path = tmp_path / "notes.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    read = read_notes(path)
    assert [n.note_id for n in read.notes] == ["a"]
    assert len(read.set_aside) == 7
    assert not any("Secret" in s.reason or "again" in s.reason for s in read.set_aside)
    assert read.set_aside[0].where == "notes.jsonl: line 2"


def test_a_csv_names_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text("id,txt\n1,hello\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_notes(path)
    assert len(caught.value.faults) == 2
    assert "hello" not in str(caught.value)


def test_a_csv_with_lines_inside_a_note(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text('id,subject,day,text\n1,P1,0,"PMH: HTN\nROS: neg"\n', encoding="utf-8")
    (note,) = read_notes(path, study_id="S").notes
    assert (note.study_id, note.text) == ("S", "PMH: HTN\nROS: neg")


@pytest.mark.parametrize("name", ["none.csv", "none.jsonl", "none.doc"])
def test_a_missing_file_is_a_clear_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=name):
        read_notes(tmp_path / name)


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "P1.txt").write_text(" ", encoding="utf-8")
    with pytest.raises(InputError, match="no note can be used"):
        read_notes(tmp_path)
