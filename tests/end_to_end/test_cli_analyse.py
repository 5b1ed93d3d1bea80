"""`trialtwin analyse` as a trial's statistician meets it: lock, analyse, change, be refused."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml

from serving.cli.lazy import program
from serving.cli.outcome import run
from serving.settings import settings
from tests.support.planned_support import invented, plan

FILES = {"analysis.csv", "plan.yaml", "rederive.R", "report.html", "results.csv", "results.json"}


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a cohort and a plan that is not locked; the log goes there too."""
    monkeypatch.setenv("TRIALTWIN_VAR", str(tmp_path / "var"))
    settings.cache_clear()
    invented().write(tmp_path / "trial")
    write(tmp_path)
    yield tmp_path
    settings.cache_clear()
    structlog.reset_defaults()


def write(folder: Path, **changes: Any) -> Path:
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(plan(**changes)), "utf-8")
    return path


def analyse(folder: Path, *words: str, out: str = "out") -> int:
    where = [str(folder / name) for name in ("trial", "plan.yaml")]
    return run(program, ["analyse", *where, "--out", str(folder / out), *words])


def lock(folder: Path, *words: str) -> int:
    return run(program, ["analyse", "--lock", str(folder / "plan.yaml"), *words])


def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text("utf-8"))
    return found


def test_from_the_lock_to_the_results(trial: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert analyse(trial) == 2 and "not locked" in capsys.readouterr().err
    assert not (trial / "out").exists()
    assert lock(trial) == 0 and "SHA-256" in capsys.readouterr().out
    assert analyse(trial) == 0
    shown = capsys.readouterr().out
    assert "main (primary)" in shown and "adjusted p" in shown and "patient data" in shown
    out = trial / "out"
    assert {path.name for path in out.iterdir()} == FILES
    held = results(out)
    assert held["status"] == "locked" and held["deviations"] == []
    assert held["plan_sha256"] == held["lock"]["sha256"]
    everything = "".join((out / name).read_text("utf-8") for name in FILES - {"analysis.csv"})
    assert "xploratory:" not in everything.replace("(exploratory): ", "")
    with (out / "results.csv").open(encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    for row, told in zip(rows, held["analyses"], strict=True):
        assert float(row["estimate"]) == told["estimate"]
        assert set(told["estimand"]) >= {"population", "treatment", "variable", "summary"}


def test_a_changed_plan_is_refused_and_marked(
    trial: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lock(trial) == 0
    write(trial, alpha=0.1)
    assert analyse(trial) == 2 and "differs from its lock" in capsys.readouterr().err
    assert lock(trial) == 2 and "another plan is locked" in capsys.readouterr().err
    assert analyse(trial, "--exploratory") == 0
    assert "exploratory" in capsys.readouterr().out.splitlines()[0]
    out = trial / "out"
    held = results(out)
    assert held["status"] == "exploratory"
    assert {told["status"] for told in held["analyses"]} == {"exploratory"}
    assert "the plan differs from its lock" in held["deviations"]
    page = (out / "report.html").read_text("utf-8")
    assert "<title>Exploratory: " in page
    assert page.count('<span class="badge bad">exploratory</span>') > len(held["analyses"])
    assert "Status of the analysis: exploratory" in (out / "rederive.R").read_text("utf-8")
    with (out / "results.csv").open(encoding="utf-8") as text:
        assert {row["status"] for row in csv.DictReader(text)} == {"exploratory"}
    assert lock(trial, "--overwrite") == 0
    assert analyse(trial, "--overwrite") == 0
    assert results(out)["status"] == "locked" and len(results(out)["lock"]["amended"]) == 1
    assert "amended 1 time before" in (out / "report.html").read_text("utf-8")


def test_the_same_bytes_again(trial: Path) -> None:
    assert lock(trial) == 0
    assert analyse(trial, out="one") == analyse(trial, out="two") == 0
    for name in FILES:
        assert (trial / "one" / name).read_bytes() == (trial / "two" / name).read_bytes(), name


def test_no_patient_outside_the_table(trial: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lock(trial) == 0 and analyse(trial, "--json") == 0
    shown = capsys.readouterr()
    told = shown.out + shown.err + (trial / "var" / "trialtwin.log").read_text("utf-8")
    told += "".join(
        (trial / "out" / name).read_text("utf-8") for name in FILES - {"analysis.csv"}
    )
    assert not re.search(r"P-\d{4}", told)


def test_the_page_loads_nothing_and_escapes(trial: Path) -> None:
    nasty = "<script>alert('x')</script>"
    write(trial, title=nasty)
    assert analyse(trial, "--exploratory") == 0
    page = (trial / "out" / "report.html").read_text("utf-8")
    assert "<script" not in page and not re.findall(r"(?:src|href)=[\"'](?!#)", page)
    sections = set(re.findall(r'<section id="([\w-]+)"', page))
    assert set(re.findall(r'<a href="#([\w-]+)"', page)) <= sections
    assert page.count("<svg") > 5 and "Kaplan-Meier" in page and "Heterogeneity" in page


def test_every_fault_comes_at_once(trial: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(trial, alpha=2, sides=3)
    (trial / "out").mkdir()
    (trial / "out" / "mine.txt").write_text("mine", "utf-8")
    words = ["analyse", str(trial / "none"), str(trial / "plan.yaml"), "--out", str(trial / "out")]
    assert run(program, [*words, "--overwrite"]) == 2
    told = capsys.readouterr().err
    for part in ("alpha", "sides", "none: this is no cohort", "the folder is not empty"):
        assert part in told
    write(trial, control="Plazebo", covariates=["SCORBL"])
    assert analyse(trial, "--exploratory", out="new") == 2
    told = capsys.readouterr().err
    assert "did you mean Placebo?" in told and "did you mean SCOREBL?" in told
    assert run(program, ["analyse"]) == 2
    told = capsys.readouterr().err
    assert all(name in told for name in ("COHORT", "PLAN", "--out"))
    assert run(program, ["analyse", "x", "--lock", "y"]) == 2


def test_options_that_would_do_nothing_are_refused_together(
    trial: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(trial / "trial"), "--out", str(trial / "out"), "--exploratory", "--seed", "3"]
    assert lock(trial, *words) == 2
    told = capsys.readouterr().err
    for part in ("3 faults", "COHORT", "--out", "--exploratory", "--seed"):
        assert part in told
    assert not (trial / "plan.lock.json").exists()
    assert run(program, ["analyse", "--seed", "3"]) == 2
    assert "4 faults" in capsys.readouterr().err


def test_the_hash_is_shown_whole_with_what_it_is_for(
    trial: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lock(trial) == 0
    told = capsys.readouterr().out
    held = json.loads((trial / "plan.lock.json").read_text("utf-8"))
    assert f"SHA-256  {held['sha256']}" in told and "Deposit this hash before unblinding" in told
    assert analyse(trial) == 0
    shown = capsys.readouterr()
    assert held["sha256"] in shown.out.splitlines()[0]
    # Lines where nobody sees a terminal: the first part, and the end.
    assert shown.err.startswith("  0% ") and "100% report" in shown.err


def test_a_report_that_cannot_be_made_costs_no_figure(
    trial: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from serving.report import analysis_page

    def broken(*given: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(analysis_page, "analysis_page", broken)
    assert lock(trial) == 0
    assert analyse(trial) == 1
    assert "The figures are safe" in capsys.readouterr().err
    assert {path.name for path in (trial / "out").iterdir()} == FILES - {"report.html"}
    assert results(trial / "out")["status"] == "locked"
