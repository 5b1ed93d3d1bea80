"""`trialtwin evaluate cohort`: folders and tables, an engine over folds, a page, every fault."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from extraction.records.errors import InputError
from serving.cli.lazy import program
from tests.support.evaluation_support import cohort, frame


def call(*words: object) -> str:
    done = CliRunner().invoke(
        program, ["evaluate", "cohort", *map(str, words)], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return done.stdout


def refused(*words: object) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        CliRunner().invoke(
            program,
            ["evaluate", "cohort", *map(str, words)],
            catch_exceptions=False,
            standalone_mode=False,
        )
    return caught.value.faults


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sides")
    for seed, name in enumerate(("made", "train", "held")):
        cohort(60, seed, name).write(place / name)
    return place


def sides(folder: Path, form: str = "") -> list[object]:
    made, train, held = (folder / f"{name}{form}" for name in ("made", "train", "held"))
    return [made, "--train", train, "--holdout", held]


def test_a_cohort_is_judged_and_a_page_and_a_file_are_written(folder: Path, tmp_path: Path) -> None:
    page, file = tmp_path / "judged.html", tmp_path / "judged.json"
    said = call(*sides(folder), "--use", "exploration", "--html", page, "--json", file)
    assert "exploration: " in said and "longitudinal" in said and str(page) in said
    found = json.loads(file.read_text("utf-8"))
    assert found["use"]["use"] == "exploration" and len(found["uses"]) == 3
    assert [g["patients"] for g in found["compared"]["groups"]] == [60, 60, 60]
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert not list(tmp_path.glob("*.tmp"))


def test_json_is_printed_wherever_the_word_stands(folder: Path) -> None:
    found = json.loads(call("--json", *sides(folder)))
    assert found["files"] == {} and found["use"] is None


def test_tables_that_both_number_their_patients_are_told_apart(tmp_path: Path) -> None:
    import numpy as np

    for seed, name in enumerate(("made", "train", "held")):
        table = frame(60, np.random.default_rng(seed), name)
        flat = [c for c in table if "@" not in c]
        numbered = table[flat].assign(subject_id=np.arange(1, 61))
        numbered.to_csv(tmp_path / f"{name}.csv", index=False)
    found = json.loads(call("--json", *sides(tmp_path, ".csv")))
    (note,) = (n for n in found["compared"]["notes"] if "names" in n)
    assert note.startswith("60 names are in train and in holdout, with other values")


def test_tables_are_read_by_a_guessed_schema(tmp_path: Path) -> None:
    import numpy as np

    for seed, name in enumerate(("made", "train", "held")):
        table = frame(60, np.random.default_rng(seed), name)
        flat = [c for c in table if "@" not in c]
        table[flat].drop(columns="subject_id").to_csv(tmp_path / f"{name}.csv", index=False)
    columns = ["--arm", "arm", "--time", "death_time", "--event", "death_event"]
    found = json.loads(call(*sides(tmp_path, ".csv"), *columns, "--json"))
    names = {m["name"] for m in found["metrics"]}
    assert "kaplan_meier:death_event" in names and "worst_pair" in names
    assert found["sizes"]["train"] == 60


def test_exported_synthetic_patients_are_read_beside_tables_with_other_headings(
    tmp_path: Path,
) -> None:
    import numpy as np

    ours = {"death_time": "days", "death_event": "death", "subject_id": "patient"}
    for seed, name in enumerate(("made", "train", "held")):
        table = frame(60, np.random.default_rng(seed), name)
        table = table[[c for c in table if "@" not in c]]
        table = table if name == "made" else table.rename(columns=ours)
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    columns = ["--arm", "arm", "--time", "days", "--event", "death", "--subject", "patient"]
    found = json.loads(call(*sides(tmp_path, ".csv"), *columns, "--json"))
    assert "kaplan_meier:death" in {m["name"] for m in found["metrics"]}


def test_faults_of_tables_are_told_with_the_tables_name(tmp_path: Path) -> None:
    columns = ["--time", "days", "--event", "died"]
    good = pd.DataFrame({"age": range(30), "days": range(1, 31), "died": [0, 1] * 15})
    for name in ("made", "train", "held"):
        good.to_csv(tmp_path / f"{name}.csv", index=False)
    words = good.astype({"age": object})
    words.loc[:2, "age"] = "unknown"
    words.to_csv(tmp_path / "train.csv", index=False)
    assert refused(*sides(tmp_path, ".csv"), *columns) == (
        "train.csv: column age: 3 row(s) are no numbers; correct them, or leave the cells empty",
    )
    good.assign(died=[None, *good["died"][1:]]).to_csv(tmp_path / "train.csv", index=False)
    faults = refused(*sides(tmp_path, ".csv"), *columns)
    assert all(fault.startswith("train.csv: column died: 1 row(s)") for fault in faults)
    commas = good.astype({"age": str})
    commas["age"] += ",5"
    commas.to_csv(tmp_path / "train.csv", index=False, sep=";")
    assert refused(*sides(tmp_path, ".csv"), *columns) == (
        "train.csv: column age: 30 row(s) hold a decimal comma; write a decimal point",
    )


def test_an_engine_is_judged_over_folds(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "engine.html"
    words = ["--cohort", folder / "train", "--engine", "cart", "--folds", 2, "--html", page]
    found = json.loads(call(*words, "--json"))
    assert (found["engine"], found["folds"]) == ("cart", 2)
    assert "judged on 60 patients in 2 folds" in page.read_text("utf-8")


def test_every_fault_of_a_request_is_told_at_once(folder: Path, tmp_path: Path) -> None:
    faults = refused(
        folder / "made", "--train", tmp_path / "none", "--holdout", folder / "held",
        "--use", "explore", "--folds", 1, "--html", tmp_path / "no" / "page.html",
    )  # fmt: skip
    assert len(faults) == 4
    assert any("did you mean exploration" in fault for fault in faults)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "SYNTHETIC, --train, --holdout missing"),
        (["--cohort", "{train}", "{made}"], "--cohort came with SYNTHETIC"),
        (["--cohort", "{train}", "--engine", "twinn"], "choose one of twin"),
        (["--cohort", "{train}", "--model", "m"], "leave it out with --cohort"),
        (["{made}", "--train", "{train}", "--holdout", "{train}"], "60 patients are in train"),
        (["{made}", "--train", "{train}", "--holdout", "{held}", "--arm", "x"], "none came"),
        (["{made}", "--train", "{train}", "--holdout", "{held}", "--model", "m"], "neither"),
    ],
)
def test_a_fault_says_what_to_do(folder: Path, words: list[str], told: str) -> None:
    places = {name: folder / name for name in ("made", "train", "held")}
    assert told in " ".join(refused(*(word.format(**places) for word in words)))


def test_a_table_without_the_named_columns_is_told_with_its_name(tmp_path: Path) -> None:
    for name in ("made", "train", "held"):
        pd.DataFrame({"age": range(20)}).to_csv(tmp_path / f"{name}.csv", index=False)
    faults = refused(*sides(tmp_path, ".csv"), "--time", "days", "--event", "died")
    assert len(faults) == 6 and faults[0].startswith("made.csv: the time column days")
