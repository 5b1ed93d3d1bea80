"""`trialtwin analyse` with external controls: verdict, digest in the lock, a single-arm trial."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml

from extraction.records import Cohort
from serving.cli.lazy import program
from serving.cli.outcome import run
from serving.settings import settings
from tests.support.planned_support import invented, plan


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a trial of one arm and an older trial's patients; the log goes there too."""
    monkeypatch.setenv("TRIALTWIN_VAR", str(tmp_path / "var"))
    settings.cache_clear()
    high = invented().where({"arm": "High"})
    one = {"arms": ("High",), "control_arm": None, "allocation": None}
    replace(high, schema=high.schema.model_copy(update=one)).write(tmp_path / "trial")
    _older().write(tmp_path / "older")
    yield tmp_path
    settings.cache_clear()
    structlog.reset_defaults()


def _older(seed: int = 8) -> Cohort:
    cohort = invented(300, seed=seed)
    frames = ("subjects", "observations", "derived", "episodes", "events")
    named = {frame: getattr(cohort, frame).assign(study_id="OLDER") for frame in frames}
    schema = cohort.schema.model_copy(update={"study_id": "OLDER"})
    return replace(cohort, schema=schema, **named)


def write(folder: Path, **limits: Any) -> Path:
    given = plan(treated=["High"], multiplicity=None, missing_data=[])
    given["analyses"] = [
        {"name": "main", "endpoint": "score change", "role": "primary",
         "analysis": {"kind": "ancova"}}
    ]  # fmt: skip
    given["external_controls"] = {
        "cohort": "older", "arm": "Placebo", "design": "single_arm", "method": "overlap_weights",
        "covariates": ["SCOREBL", "SEX"], "limits": {"same_endpoint": False, **limits},
    }  # fmt: skip
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(given), "utf-8")
    return path


def analyse(folder: Path, *words: str) -> int:
    paths = [str(folder / name) for name in ("trial", "plan.yaml")]
    return run(program, ["analyse", *paths, "--out", str(folder / "out"), "--overwrite", *words])


def results(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "out" / "results.json").read_text("utf-8")))


def test_a_single_arm_trial_from_refusal_to_estimate(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(folder)
    assert run(program, ["analyse", "--lock", str(path)]) == 0
    assert analyse(folder) == 0
    shown = capsys.readouterr().out
    assert "main: Borrowing refused: " in shown and "prior-data conflict: not looked at" in shown
    assert "type I error over the drift grid" in shown
    told = results(folder)["analyses"][0]
    assert (
        told["estimate"] is None and told["external_controls"]["own_controls_alone"]["se"] is None
    )
    page = (folder / "out" / "report.html").read_text("utf-8")
    assert "Borrowing refused." in page and "nothing is estimated" in page
    write(folder, min_conflict_p=0, max_type_one=1, max_weighted_smd=0.3)
    assert run(program, ["analyse", "--lock", str(path), "--overwrite"]) == 0
    assert analyse(folder) == 0
    assert "main: Borrowing accepted" in capsys.readouterr().out
    told = results(folder)
    assert told["analyses"][0]["se"] > 0 and told["randomised"] == {"High": 50}
    assert told["lock"]["external"] == told["external_cohort_digest"]
    assert (folder / "out" / "borrowed.csv").is_file()
    assert "which holds those of the borrowing analyses" in (
        (folder / "out" / "report.html").read_text("utf-8")
    )


def test_an_exchanged_cohort_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(program, ["analyse", "--lock", str(write(folder))]) == 0
    (folder / "older").rename(folder / "before")
    assert analyse(folder) == 2 and "'older' is no cohort's folder" in capsys.readouterr().err
    _older(seed=9).write(folder / "older")
    assert analyse(folder) == 2
    assert "the external controls' cohort is" in capsys.readouterr().err
    assert not (folder / "out").exists()
    assert analyse(folder, "--exploratory") == 0
    told = results(folder)
    assert told["status"] == "exploratory" and "at the lock" in " ".join(told["deviations"])
