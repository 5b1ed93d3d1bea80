"""Stored notes are read back, and turned back by whoever has vault and key."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from extraction.notes import read_notes
from extraction.notes.deidentification import Vault, read_key
from extraction.records import InputError
from serving import service
from serving.cli import program
from serving.cli.outcome import run
from serving.service import Coding, Protection

TEXT = "Mr. Kowalski, seen 03/04/2021. Denies chest pain; BP 120/80."


@pytest.fixture
def made(tmp_path: Path) -> Path:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "P1@3.txt").write_text(TEXT, "utf-8")
    (notes / "P2.txt").write_text("No fever.", "utf-8")
    guard = Protection(key_file=tmp_path / "keys/k", vault=tmp_path / "safe/vault")
    out = tmp_path / "stored/facts"
    service.extract_notes(notes, out, protection=guard, coding=Coding(codes=False))
    return out


def test_an_extraction_and_its_notes_are_read_back(made: Path) -> None:
    first, second = read_notes(made).notes
    assert first.day == 3 and first.deidentified and "Kowalski" not in first.text
    assert second.text == "No fever."
    assert read_notes(str(made / "notes.parquet")).notes[0] == first


def test_an_extraction_is_not_extracted_again(made: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="extracted already"):
        service.extract_notes(made, tmp_path / "again")


def test_a_vault_takes_text(made: Path, tmp_path: Path) -> None:
    place, key = str(tmp_path / "safe/vault"), read_key(tmp_path / "keys/k")
    assert next(Vault(place, key.hex()).restore(read_notes(made).notes)).text == TEXT
    with pytest.raises(InputError, match="hexadecimal"):
        Vault(place, "no key")


def test_the_command_restores_and_prints_no_text(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "originals"
    safe = ["--vault", str(tmp_path / "safe/vault"), "--key-file", str(tmp_path / "keys/k")]
    assert run(program, ["extract", "restore", str(made), *safe, "--out", str(out)]) == 0
    told = "".join(capsys.readouterr())
    assert "2 notes" in told and "Kowalski" not in told
    back = read_notes(out / "notes.jsonl").notes
    assert [n.text for n in back] == [TEXT, "No fever."] and back[0].day == 3
    assert stat.S_IMODE((out / "notes.jsonl").stat().st_mode) == 0o600


def test_originals_never_go_into_the_stored_notes(made: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder of the stored notes"):
        service.restore_notes(made, tmp_path / "safe/vault", tmp_path / "keys/k", made / "back")


def test_another_key_leaves_nothing(made: Path, tmp_path: Path) -> None:
    other = tmp_path / "keys/other"
    other.write_text("ab" * 32)
    other.chmod(0o600)
    with pytest.raises(InputError, match="another key"):
        service.restore_notes(made, tmp_path / "safe/vault", other, tmp_path / "back")
    assert not list((tmp_path / "back").iterdir())
