"""Sources are read forwards; a broken record costs no good one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest

from extraction.notes import Note
from extraction.notes.batch import LONGEST, SetAside, open_source, scan
from extraction.notes.batch.records import REPEATED
from extraction.notes.batch.sources import read_raw
from extraction.records import InputError


def _read(path: Path) -> tuple[list[tuple[str, str]], list[str]]:
    source = open_source(path)
    made = [read_raw(source, raw, "S") for raw in source.raw()]
    notes = [(m.subject_id, m.text) for m in made if isinstance(m, Note)]
    return notes, [m.reason for m in made if isinstance(m, SetAside)]


def test_a_quote_that_never_closes_costs_its_row_only(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    rows = ["id,subject,text", '1,P1,"No fever', "2,P2,BP 120/80", '3,P3,"One\ntwo"', "4,P4,Well"]
    path.write_text("\n".join(rows), "utf-8")
    notes, aside = _read(path)
    assert notes == [("P2", "BP 120/80"), ("P3", "One\ntwo"), ("P4", "Well")]
    assert aside == ["a quote in it is never closed"]


def test_rows_of_too_many_cells_and_odd_quotes(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text('subject;text\nP1;a;b\n\nP2;5" scar\nP3;"a ""b"""\n', "utf-8")
    notes, aside = _read(path)
    assert notes == [("P2", '5" scar'), ("P3", 'a "b"')]
    assert aside == ["it has more cells than the table has columns"]


def test_an_endless_line_is_passed_over_and_never_held(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    with path.open("w", encoding="utf-8") as file:
        file.write('{"subject": "P1", "text": "well"}\n{"subject": "P2", "text": "')
        for _ in range(9 * LONGEST // 1000):
            file.write("x" * 1000)
        file.write('"}\n' + json.dumps({"subject": "P3", "text": "x" * (LONGEST + 1)}))
        file.write('\n{"subject": "P4", "text": "fine"}')
    notes, aside = _read(path)
    assert notes == [("P1", "well"), ("P4", "fine")]
    assert aside == [f"it is longer than {LONGEST} characters"] * 2


def test_parquet_and_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "notes.parquet"
    frame = pd.DataFrame(
        {
            "patient_id": ["P1", None, "P3", "P4"],
            "note": ["No fever.", "x", None, "BP 120/80"],
            "day": [1.0, 2.0, 3.0, None],
            "more": 1,
        }
    )
    frame.to_parquet(path, index=False)
    notes, aside = _read(path)
    assert notes == [("P1", "No fever."), ("P4", "BP 120/80")]
    assert aside == ["it names no subject", "it has no text"]
    frame[["note"]].to_parquet(path, index=False)
    with pytest.raises(InputError, match="column subject_id is missing"):
        _read(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="not readable as Parquet"):
        _read(path)


def test_json_lines_in_utf16_with_separators_inside(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    line = json.dumps({"subject": "P1", "text": "One\u2028two\x85three"}, ensure_ascii=False)
    path.write_text(f"{line}\n{line.replace('P1', 'P2')}\n", "utf-16")
    assert _read(path) == ([("P1", "One\ntwo\nthree"), ("P2", "One\ntwo\nthree")], [])


def test_what_is_no_file_is_set_aside_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "P1.txt").write_text("One.", "utf-8")
    (tmp_path / "P2.txt").mkdir()
    os.mkfifo(tmp_path / "P3.txt")
    assert _read(tmp_path) == ([("P1", "One.")], ["the file cannot be read"] * 2)


def test_deep_and_odd_records(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    odd = [
        "[" * 100_000,
        '{"subject": {"a": 1}, "text": 7}',
        '{"subject": "P", "text": ["x"]}',
        "1",
    ]
    path.write_text("\n".join([*odd, '{"subject": "P", "text": "x", "day": NaN}']), "utf-8")
    notes, aside = _read(path)
    assert notes == [("P", "x")]
    assert aside == ["nested too deeply", "it has no text", "it has no text", "not a JSON object"]


def test_a_scan_counts_what_will_be_read(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    rows = [
        {"id": "a", "subject": "P1", "text": " "},
        {"id": "a", "subject": "P1", "text": "x"},
        {"id": "b", "subject": "P1", "text": "y"},
        {"id": "a", "subject": "P2", "text": "z"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    found = scan(open_source(path))
    assert (found.records, found.notes, found.subjects) == (4, 2, 2)
    assert found.repeats.tolist() == [3]
    assert found.reasons == {"it has no text": 1, REPEATED: 1}
    assert scan(open_source(path)).sha256 == found.sha256
    path.write_text(path.read_text("utf-8").replace('"y"', '"w"'), "utf-8")
    assert scan(open_source(path)).sha256 != found.sha256
