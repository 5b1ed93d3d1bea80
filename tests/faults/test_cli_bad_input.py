"""Bad input by the command line: one clear message, exit code 2, nothing half written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner, Result

from serving.cli import outcome
from serving.cli.lazy import program
from tests.support.serving_support import MAPPING, toy_study, toy_table
from tests.support.sources_support import Study, small_study, write_study

FIVE_MISTAKES = """\
kind: trial
name: toy
title: A trial
seed: -1
cohort:
  source: {kind: tabel, where: trial.csv}
endpoint: {variable: SCORE, visit: Week 24, baseline: SCOREBL, beter: lower, better: lower}
models:
  baseline: []
trial:
  treated_arm: Active
  n: 120
  effect: 2
  designs: [{name: A, looks: 0}]
"""


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Exit code of a command line, and what it said on standard error."""
    code = outcome.run(program, [str(a) for a in arguments])
    return code, capsys.readouterr().err


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a refused command line says; no traceback, exit code 2."""
    code, text = call(capsys, *arguments)
    assert code == 2, text
    assert "Traceback" not in text
    return text


def _without(*names: str) -> Callable[[Study], None]:
    def change(study: Study) -> None:
        for name in names:
            del study[name]

    return change


def _impossible_date(study: Study) -> None:
    study["ae"]["AESTDTC"] = "2014-13-45"


def _misspelt(study: Study) -> None:
    study["vs"] = study["vs"].rename(columns={"VSSTRESN": "VSSTRESM"})


def _twice(study: Study) -> None:
    study["adsl"] = pd.concat([study["adsl"], study["adsl"].head(2)], ignore_index=True)


def _wrong_unit(study: Study) -> None:
    rows = study["vs"]["VSTESTCD"] == "WEIGHT"
    study["vs"].loc[rows, "VSSTRESU"] = "cm"


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (_without("dm", "suppdm", "adsl"), ("DM or ADSL is needed",)),
        (_misspelt, ("vs.parquet", "VSSTRESN")),
        (_twice, ("adsl.parquet", "USUBJID", "repeat a subject")),
        (_impossible_date, ("ae.parquet", "AESTDTC")),
        (_wrong_unit, ("vs.parquet", "WEIGHT")),
    ],
)
def test_bad_cdisc_data(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    change: Callable[[Study], None],
    parts: tuple[str, ...],
) -> None:
    study = small_study()
    change(study)
    folder = write_study(study, tmp_path / "sdtm")
    text = refused(capsys, "ingest", "cdisc", folder, "--out", tmp_path / "cohort")
    assert all(part in text for part in parts), text
    assert not (tmp_path / "cohort").exists()


def test_a_folder_that_cannot_be_made_is_the_users_to_change(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("a file", "utf-8")
    folder = write_study(small_study(), tmp_path / "sdtm")
    text = refused(capsys, "ingest", "cdisc", folder, "--out", tmp_path / "notes.txt" / "cohort")
    assert "notes.txt" in text and "give a place" in text


def _table(folder: Path, frame: pd.DataFrame) -> Path:
    (folder / "mapping.yaml").write_text(yaml.safe_dump(MAPPING), "utf-8")
    frame.to_csv(folder / "trial.csv", index=False)
    return folder / "trial.csv"


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda t: t.assign(arm=t["arm"].where(t.index > 3, "X")), ("arm", "4 row(s)")),
        (lambda t: pd.concat([t, t.head(3)]), ("trial.csv", "id", "3")),
        (lambda t: t.assign(AGE=t["AGE"] * 100), ("AGE", "120")),
        (lambda t: t.rename(columns={"score24": "scre24"}), ("score24", "did you mean scre24?")),
    ],
)
def test_bad_tables(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    change: Callable[[pd.DataFrame], pd.DataFrame],
    parts: tuple[str, ...],
) -> None:
    table = _table(tmp_path, change(toy_table()))
    text = refused(
        capsys,
        "ingest",
        "table",
        table,
        "--mapping",
        tmp_path / "mapping.yaml",
        "--out",
        tmp_path / "cohort",
    )
    assert all(part in text for part in parts), text
    assert not (tmp_path / "cohort").exists()


def test_a_unit_that_is_none(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    table = _table(tmp_path, toy_table())
    text = (tmp_path / "mapping.yaml").read_text("utf-8").replace("unit: a\n", "unit: years old\n")
    (tmp_path / "mapping.yaml").write_text(text, "utf-8")
    said = refused(
        capsys,
        "ingest",
        "table",
        table,
        "--mapping",
        tmp_path / "mapping.yaml",
        "--out",
        tmp_path / "cohort",
    )
    assert "not a UCUM code" in said


def test_an_empty_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    table = _table(tmp_path, toy_table())
    table.write_bytes(b"")
    text = refused(
        capsys,
        "ingest",
        "table",
        table,
        "--mapping",
        tmp_path / "mapping.yaml",
        "--out",
        tmp_path / "cohort",
    )
    assert "trial.csv: the file is empty (0 bytes)" in text


def test_a_cut_parquet_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _table(tmp_path, toy_table())
    path = tmp_path / "trial.parquet"
    toy_table().to_parquet(path)
    path.write_bytes(path.read_bytes()[:-100])
    text = refused(
        capsys,
        "ingest",
        "table",
        path,
        "--mapping",
        tmp_path / "mapping.yaml",
        "--out",
        tmp_path / "cohort",
    )
    assert "trial.parquet: not a whole Parquet file" in text
    assert not (tmp_path / "cohort").exists()


def test_a_cut_cohort(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    table = _table(tmp_path, toy_table())
    code, _ = call(
        capsys,
        "ingest",
        "table",
        table,
        "--mapping",
        tmp_path / "mapping.yaml",
        "--out",
        tmp_path / "cohort",
    )
    assert code == 0
    for name in ("subjects", "events"):
        path = tmp_path / "cohort" / f"{name}.parquet"
        path.write_bytes(path.read_bytes()[:-10])
    text = refused(capsys, "cohort", "validate", tmp_path / "cohort")
    assert "2 faults" in text and "subjects.parquet" in text and "events.parquet" in text


def test_a_study_with_five_mistakes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(FIVE_MISTAKES, "utf-8")
    text = refused(capsys, "run", path, "--out", tmp_path / "run")
    assert "5 faults; nothing was written" in text
    for place in (
        "seed (line 4)",
        "cohort.source (line 6)",
        "endpoint.beter (line 7)",
        "models.baseline (line 9)",
        "trial.designs[0].looks (line 14)",
    ):
        assert f"study.yaml: {place}: " in text, text
    assert not (tmp_path / "run").exists()


def test_the_faults_as_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(FIVE_MISTAKES, "utf-8")
    assert len(json.loads(refused(capsys, "run", path, "--json"))["faults"]) == 5


def test_a_misspelt_variable_of_a_study(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    models = {"baseline": ["AGEE", "SCOREBL"]}
    config = toy_study(tmp_path / "study", models=models, trial=None, effects=None)
    text = refused(capsys, "run", config, "--out", tmp_path / "run")
    assert "models.baseline: AGEE is not a baseline variable" in text
    assert "did you mean AGE?" in text
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a model of the toy trial's controls."""
    folder = tmp_path_factory.mktemp("model")
    table = _table(folder, toy_table())
    made: Result = CliRunner().invoke(
        program,
        [
            "ingest",
            "table",
            str(table),
            "--mapping",
            str(folder / "mapping.yaml"),
            "--out",
            str(folder / "cohort"),
        ],
    )
    assert made.exit_code == 0, made.output
    made = CliRunner().invoke(
        program,
        [
            "train",
            str(folder / "cohort"),
            "--out",
            str(folder / "model"),
            "--engine",
            "cart",
            "--fit",
            "controls",
        ],
    )
    assert made.exit_code == 0, made.output
    return folder / "model"


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ("AGE=[84,85]", "20 are needed"),
        ("AEG=[60,80]", "did you mean AGE?"),
        ("SEX=W", "SEX"),
        ("AGE", "write NAME=VALUE"),
        ("SCORE@Week 24='>=900'", "widen"),
    ],
)
def test_conditions_that_cannot_be_met(
    capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path, given: str, part: str
) -> None:
    """Three of the toy trial's controls are 84 or 85 years old."""
    text = refused(capsys, "generate", model, "-n", 10, "--out", tmp_path / "arm", "--given", given)
    assert part in text, text
    assert not (tmp_path / "arm").exists()


def test_an_arm_that_the_model_never_saw(
    capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path
) -> None:
    text = refused(
        capsys, "generate", model, "-n", 10, "--out", tmp_path / "arm", "--arm", "Active"
    )
    assert "'Active' is absent from the training cohort" in text


def test_a_model_that_is_not_there(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = refused(capsys, "generate", "none", "-n", 10, "--out", tmp_path / "arm")
    assert "none is neither a model's folder nor a run" in text


def test_a_folder_with_other_files_is_left_alone(
    capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine", "utf-8")
    text = refused(capsys, "generate", model, "-n", 10, "--out", tmp_path)
    assert "is not empty" in text
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_marked_notes_with_a_broken_mark(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("No [[angina|symptom|assertion=absent.\n", "utf-8")
    (tmp_path / "b.txt").write_text("Has [[angina|complaint]].\n", "utf-8")
    text = refused(capsys, "evaluate", "notes", tmp_path)
    assert "a.txt: block 1" in text and "b.txt: block 1" in text
    assert "angina" not in text


def test_notes_without_their_columns(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text("subjectid,txt\n1,well\n", "utf-8")
    text = refused(capsys, "extract", "notes", path, "--out", tmp_path / "facts")
    assert "column subject_id is missing" in text
    assert "column text is missing" in text


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "example.org"])
def test_only_this_machine_is_served(capsys: pytest.CaptureFixture[str], host: str) -> None:
    assert host in refused(capsys, "serve", "--host", host)


def test_an_unknown_command_or_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert "No such command" in refused(capsys, "rnu")
    assert "No such option" in refused(capsys, "run", "x.yaml", "--wrokers", 2)


def test_a_cohort_is_replaced_only_when_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table = _table(tmp_path, toy_table())
    words = ["ingest", "table", table, "--mapping", tmp_path / "mapping.yaml"]
    words += ["--out", tmp_path / "cohort"]
    assert call(capsys, *words)[0] == 0
    toy_table().head(30).to_csv(table, index=False)
    before = (tmp_path / "cohort" / "cohort.json").read_bytes()
    assert "cohort: the folder is not empty" in refused(capsys, *words)
    assert (tmp_path / "cohort" / "cohort.json").read_bytes() == before
    assert call(capsys, *words, "--overwrite")[0] == 0
    assert (tmp_path / "cohort" / "cohort.json").read_bytes() != before


def test_only_an_earlier_result_may_be_overwritten(
    capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path
) -> None:
    cohort = model.parent / "cohort"
    assert "--overwrite" in refused(capsys, "train", cohort, "--out", model, "--engine", "cart")
    (tmp_path / "mine.txt").write_text("mine", "utf-8")
    notes = model.parent / "trial.csv"
    for words in (["train", cohort], ["extract", "notes", notes]):
        text = refused(capsys, *words, "--out", tmp_path, "--overwrite")
        assert "is not empty; give a new folder" in text
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_all_mistakes_of_a_training_at_once(
    capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path
) -> None:
    wrong = ["--engine", "twim", "--seed", -1, "--option", "depth"]
    text = refused(capsys, "train", tmp_path / "none", "--out", model, *wrong)
    assert "5 faults" in text, text
    for part in ("NAME=VALUE", "not empty", "'twim' is unknown", "seed: -1", "not a cohort folder"):
        assert part in text, text
