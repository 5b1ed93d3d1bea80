"""A patient who must never be seen: names and numbers that no log, error or file name may hold.

Tests put them into notes; a hook looks for them in everything that any test of the run prints or
logs, in the names of the files it leaves, and in its log files.
"""

from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest

GIVEN = "Zephyrine"
SURNAME = "Quillfeather"
NAME = f"{GIVEN} {SURNAME}"
MRN = "77-CANARY-4410"
PHONE = "(212) 555-7741"
NOTE = (
    f"Patient: {NAME}   MRN: {MRN}   DOB: 03/04/1951\n"
    f"Mrs. {SURNAME} is a 70-year-old female with hypertension, seen on 03/04/2021. "
    f"Her daughter may be reached at {PHONE}."
)
SECRETS = (GIVEN, SURNAME, MRN, PHONE)


def leaks(texts: Iterable[str]) -> list[str]:
    """Return the secrets that stand in any of the texts, whatever their case."""
    low = [text.casefold() for text in texts]
    return [s for s in SECRETS if any(s.casefold() in text for text in low)]


def left_in(folder: Path) -> list[str]:
    """Return the secrets in names of files under a folder, and in its logs."""
    files = list(folder.rglob("*"))
    logs = [f.read_text("utf-8", "replace") for f in files if f.suffix == ".log" and f.is_file()]
    return leaks([*(str(f.relative_to(folder)) for f in files), *logs])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that lets a secret out."""
    report = yield
    found = leaks(text for _, text in report.sections)
    found += leaks([str(call.excinfo.value)] if call.excinfo is not None else [])
    folder: Any = getattr(item, "funcargs", {}).get("tmp_path")
    if call.when == "call" and isinstance(folder, Path) and folder.is_dir():
        found += left_in(folder)
    if found:
        report.outcome = "failed"
        report.sections = []
        report.longrepr = f"{len(set(found))} secret(s) of the canary came out in {call.when}"
    return report
