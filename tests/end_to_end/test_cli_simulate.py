"""`trialtwin simulate` from the command line: told first, files, replay, all faults at once."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from serving.cli import outcome, program

ROOT = Path(__file__).parents[2]
DESIGN = str(ROOT / "examples" / "design.yaml")


def _run(*words: object) -> Result:
    return CliRunner().invoke(program, ["simulate", *map(str, words)])


def test_a_dry_run_tells_the_design_and_its_cost() -> None:
    shown = _run(DESIGN, "--dry-run")
    assert shown.exit_code == 0
    assert "362 patients are randomised 1:1" in shown.output
    assert "Cost: " in shown.output and "MB of memory" in shown.output
    assert "rejects" not in shown.output


def test_a_run_tells_first_and_leaves_its_files(tmp_path: Path) -> None:
    out = tmp_path / "trial"
    context = ROOT / "examples" / "context.yaml"
    shown = _run(DESIGN, "--replicates", 40, "--out", out, "--credibility", context)
    assert shown.exit_code == 0, shown.output
    assert shown.output.index("Scenarios") < shown.output.index("Cost: ")
    assert shown.output.index("Cost: ") < shown.output.index("rejects")
    assert {path.name for path in out.iterdir()} == {
        "characteristics.csv",
        "credibility.html",
        "credibility.pdf",
        "report.html",
        "results.json",
    }
    told = json.loads((out / "results.json").read_text("utf-8"))
    assert told["digest"] in (out / "report.html").read_text("utf-8")
    assert all(check["agrees"] for check in told["verification"])
    again = _run(DESIGN, "--replicates", 40, "--json")
    assert json.loads(again.stdout)["digest"] == told["digest"]


def test_a_replicate_is_replayed(tmp_path: Path) -> None:
    words = (DESIGN, "--replay", 17, "--scenario", "late benefit", "--json", "--out", tmp_path)
    told = json.loads(_run(*words).stdout)
    assert told["scenario"] == "late benefit" and told["looks"][0]["look"] == 1
    assert (tmp_path / "replay-17-patients.csv").is_file()


def test_faults_come_together_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: x\narms: []\nn: 1\nendpoints: []\n", "utf-8")
    out = tmp_path / "out"
    words = ["simulate", str(bad), "--precision", "7", "--credibility", "none.yaml"]
    assert outcome.run(program, [*words, "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert "faults; nothing was written" in said
    for part in ("--precision", "none.yaml", "bad.yaml"):
        assert part in said
    assert not out.exists()
