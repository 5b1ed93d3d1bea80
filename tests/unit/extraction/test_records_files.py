"""A file is flushed before it takes its name, and its name before anybody relies on it."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from extraction.records.files import write_atomically
from extraction.records.storage import atomic_folder


def _watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note what is flushed, and each renaming, in order."""
    done: list[str] = []
    fsync, rename = os.fsync, Path.replace

    def flushed(handle: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def renamed(fresh: Path, target: Path) -> Path:
        done.append("name")
        return rename(fresh, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "replace", renamed)
    return done


def test_a_file_is_flushed_then_named_then_its_folder_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = _watched(monkeypatch)
    write_atomically(tmp_path / "figures.json", b"{}")
    assert done == ["file", "name", "folder"]
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]


def test_a_folder_is_flushed_with_all_that_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = _watched(monkeypatch)
    with atomic_folder(tmp_path / "made") as fresh:
        (fresh / "a.csv").write_text("a")
        (fresh / "deep").mkdir()
        (fresh / "deep" / "b.csv").write_text("b")
    assert sorted(done[:4]) == ["file", "file", "folder", "folder"] and done[4:] == ["folder"]


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("import os; os.name = 'nt'; import extraction.records", 1),
        (
            "import os, sys; from serving.cli import outcome, program; os.name = 'nt'; "
            "sys.exit(outcome.run(program, ['doctor']))",
            2,
        ),
    ],
)
def test_windows_is_refused_in_words(program: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.returncode == code
    assert "runs on Linux and macOS" in done.stderr and "WSL 2" in done.stderr
    assert ("Traceback" in done.stderr) == (code == 1)
