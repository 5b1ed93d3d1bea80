"""Which codes notes are read with, and that a run goes on only with the same."""

import csv
from pathlib import Path

import pytest

from extraction.records import InputError
from serving import service
from serving.service import Coding


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def table(path: Path, *rows: tuple[str, ...]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return table(tmp_path / "notes.csv", ("subject", "text"), ("P1", "Zeptic fever."))


def test_what_differs_in_a_vocabulary_or_its_use_is_told_apart(tmp_path: Path) -> None:
    head = ("version", "code", "term")
    path = table(tmp_path / "own.csv", head, ("1", "1", "zeptic fever"))
    told = [
        Coding(False, (f"csv={path}",)).wanted(),
        Coding(False, (f"csv+condition={path}",)).wanted(),
    ]
    table(path, head, ("1", "2", "zeptic fever"))
    told.append(Coding(False, (f"csv={path}",)).wanted())
    assert told[0]["versions"] == told[1]["versions"] == told[2]["versions"]
    assert len({str(each["own"]) for each in told}) == 3


def test_a_stopped_run_does_not_go_on_with_another_vocabulary(
    tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = table(tmp_path / "own.csv", ("code", "term"), ("1", "zeptic fever"))

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("serving.service.notes._chunks", stopped)
        with pytest.raises(KeyboardInterrupt):
            service.extract_notes(notes, tmp_path / "out", coding=Coding(False, (f"csv={path}",)))
    with pytest.raises(InputError, match="whose vocabularies differs"):
        service.extract_notes(
            notes, tmp_path / "out", coding=Coding(False, (f"csv+condition={path}",))
        )


def test_faults_of_vocabularies_are_told_beside_the_others(tmp_path: Path, notes: Path) -> None:
    with pytest.raises(InputError) as told:
        service.extract_notes(
            notes,
            tmp_path / "out",
            preset="slow",
            dry_run=True,
            coding=Coding(False, ("csv=missing.csv", "icd=missing.xml")),
        )
    assert len(told.value.faults) == 4 and "preset 'slow'" in told.value.faults[0]
