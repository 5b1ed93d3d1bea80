"""The hook that fails a test which lets the canary out does so, and lets others pass."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.support import canary


def reported(printed: str, error: Exception | None, folder: Path) -> Any:
    """What the hook makes of a passing test that printed this."""
    item = SimpleNamespace(funcargs={"tmp_path": folder})
    info = None if error is None else SimpleNamespace(value=error)
    call = SimpleNamespace(excinfo=info, when="call")
    hook = canary.pytest_runtest_makereport(cast(pytest.Item, item), cast(Any, call))
    next(hook)
    report = SimpleNamespace(sections=[("Captured log", printed)], outcome="passed", longrepr=None)
    with pytest.raises(StopIteration) as ended:
        hook.send(cast(pytest.TestReport, report))
    return ended.value.value


def test_a_secret_fails_the_test_and_is_not_repeated(tmp_path: Path) -> None:
    for printed, error in ((f"saw {canary.SURNAME.upper()}", None), ("", ValueError(canary.MRN))):
        report = reported(printed, error, tmp_path)
        assert report.outcome == "failed"
        assert canary.leaks([report.longrepr, str(report.sections)]) == []


def test_what_is_silent_passes(tmp_path: Path) -> None:
    assert reported("3 notes read", None, tmp_path).outcome == "passed"


def test_names_of_files_and_logs_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / f"{canary.MRN}.json").touch()
    assert reported("", None, tmp_path).outcome == "failed"
    (tmp_path / f"{canary.MRN}.json").unlink()
    (tmp_path / "trialtwin.log").write_text(canary.NAME, "utf-8")
    assert reported("", None, tmp_path).outcome == "failed"
    (tmp_path / "trialtwin.log").unlink()
