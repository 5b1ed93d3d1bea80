"""Use cases under the command line, HTTP and the page: models, twins, notes, cohorts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from extraction.records import Cohort, InputError, RefusedError
from generation import load_model
from serving import service
from serving.cli.lazy import program
from serving.service.data import note_of
from serving.service.forecasts import _fitted_to
from serving.service.marked_notes import parse_marked, read_marked
from serving.service.models import Only, find_model
from serving.settings import settings
from tests.support.serving_support import MAPPING, toy_table


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the toy trial as a cohort, and models of it."""
    folder = tmp_path_factory.mktemp("place")
    toy_table().to_csv(folder / "trial.csv", index=False)
    (folder / "mapping.yaml").write_text(json.dumps(MAPPING), "utf-8")
    service.ingest("table", str(folder / "trial.csv"), folder / "cohort", folder / "mapping.yaml")
    service.train(folder / "cohort", folder / "controls", engine="cart", fit="controls", seed=1)
    service.train(folder / "cohort", folder / "twin", engine="twin", seed=1)
    return folder


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of runs that the settings point to."""
    folder = tmp_path / "runs"
    folder.mkdir()
    monkeypatch.setenv("TRIALTWIN_RUNS", str(folder))
    settings.cache_clear()
    yield folder
    settings.cache_clear()


def request(place: Path, **changes: Any) -> service.TwinRequest:
    values: dict[str, Any] = {
        "model": str(place / "twin"),
        "cohort": place / "cohort",
        "subject_id": "P004",
        "days": (168.0,),
        "until_day": 63.0,
        "variables": ("SCORE",),
        "draws": 100,
    }
    return service.TwinRequest(**(values | changes))


def test_a_twin_says_what_was_asked_and_that_it_was_seen(place: Path) -> None:
    found = service.forecast(request(place))
    assert "under Control, continuing from day 63" in found["question"]
    bands = next(q for q in found["quantiles"] if q["variable"] == "SCORE")
    assert bands["q0.05"] < bands["q0.5"] < bands["q0.95"]
    assert found["seen"] is not None and found["n_train"] == 160
    assert found == service.forecast(request(place))


def test_a_model_of_controls_has_seen_the_controls_alone(place: Path) -> None:
    card = load_model(place / "controls").card
    cohort = Cohort.read(place / "cohort").with_schema(card.schema_)
    control = (cohort.subjects["arm"] == "Control").to_numpy()
    first = {side: cohort.take(control == side).subject_ids[0] for side in (True, False)}
    assert _fitted_to(card, cohort, first[True])
    assert not _fitted_to(card, cohort, first[False])
    assert not _fitted_to(card, cohort.take(np.arange(len(cohort)) > 0), first[True])


def test_another_arm_needs_its_question(place: Path) -> None:
    with pytest.raises(RefusedError, match="say which is meant"):
        service.forecast(request(place, arm="Active"))
    assert (
        "switched" in service.forecast(request(place, arm="Active", estimand="switch"))["question"]
    )


def test_a_twin_of_a_patient_who_is_not_there(place: Path) -> None:
    with pytest.raises(InputError, match="1 of 1 ids are not in the cohort"):
        service.forecast(request(place, subject_id="P999"))


def test_a_cohort_without_the_models_variables(place: Path, tmp_path: Path) -> None:
    cohort = Cohort.read(place / "cohort")
    kept = [v.name for v in cohort.schema.variables if v.name != "AGE"]
    cohort.with_schema(cohort.schema.keep(kept)).write(tmp_path / "less")
    with pytest.raises(InputError, match="the model needs AGE"):
        service.forecast(request(place, cohort=tmp_path / "less"))


def test_generated_patients_say_what_they_are(place: Path, tmp_path: Path) -> None:
    done = service.generate(str(place / "controls"), 30, tmp_path / "arm", seed=4)
    flat = pd.read_csv(tmp_path / "arm" / "csv" / "table.csv")
    assert set(flat["synthetic_from_n_train"]) == {done["n_train"]} and len(flat) == 30
    made = Cohort.read(tmp_path / "arm" / "cohort")
    assert len(made) == 30 and done["n_train"] == 80
    assert "invalid" in done["notice"] and "invalid" in note_of(made)
    assert note_of(Cohort.read(place / "cohort")) == "Real patients. Treat as confidential."


def test_models_are_found_by_folder_run_and_name(place: Path, runs: Path) -> None:
    models = runs / "toy" / "stages" / "models"
    models.mkdir(parents=True)
    for name, source in (("controls", "controls"), ("all_arms", "twin")):
        (models / name).symlink_to(place / source)
    assert find_model(str(place / "twin")) == place / "twin"
    assert find_model("toy") == find_model(str(runs / "toy")) == models / "controls"
    assert find_model("toy/all_arms") == models / "all_arms"
    with pytest.raises(InputError, match="runs are toy"):
        find_model("other")


def test_synthetic_patients_are_judged(place: Path, tmp_path: Path) -> None:
    first, second = Cohort.read(place / "cohort").where({"arm": "Control"}).split(0.5, 1)
    first.write(tmp_path / "train")
    second.write(tmp_path / "holdout")
    service.generate(str(place / "controls"), 40, tmp_path / "arm", seed=4)
    found = service.evaluate_cohort(
        tmp_path / "arm" / "cohort", tmp_path / "train", tmp_path / "holdout"
    )
    assert found["metrics"] and all("verdict" in m for m in found["metrics"])
    with pytest.raises(InputError, match="are in train as well"):
        service.evaluate_cohort(tmp_path / "arm" / "cohort", tmp_path / "train", tmp_path / "train")


def test_controls_need_a_control_arm(place: Path, tmp_path: Path) -> None:
    cohort = Cohort.read(place / "cohort")
    cohort.with_schema(cohort.schema.replace(control_arm=None)).write(tmp_path / "open")
    with pytest.raises(InputError, match="none is named; the arms are Active, Control; set"):
        service.train(tmp_path / "open", tmp_path / "model", engine="cart", fit="controls")
    with pytest.raises(InputError, match=r"--control-arm: Actve is no arm.*did you mean Active"):
        service.train(tmp_path / "open", tmp_path / "model", engine="cart",
                      only=Only(control_arm="Actve"))
    done = service.train(tmp_path / "open", tmp_path / "model", engine="cart", fit="controls",
                         only=Only(control_arm="Control"))
    assert done["arms"] == ["Control"] and done["fit"] == "controls_only"


def test_marks_are_taken_out_of_a_text() -> None:
    text, facts = parse_marked(
        "BP [[128|vital|name=systolic_blood_pressure;value=128;unit=mm[Hg]]], no "
        "[[angina|symptom|assertion=absent]]."
    )
    assert text == "BP 128, no angina."
    assert [(f.name, f.unit, f.assertion) for f in facts] == [
        ("systolic_blood_pressure", "mm[Hg]", "present"),
        ("angina", None, "absent"),
    ]
    assert all(text[f.start : f.stop] == f.text for f in facts)


@pytest.mark.parametrize(
    ("mark", "part"),
    [
        ("[[angina|symptom", "never closed"),
        ("[[angina]]", "1 parts"),
        ("[[angina|complaint]]", "type is unknown"),
        ("[[angina|symptom|assertion=maybe]]", "attribute or assertion is unknown"),
        ("[[7|vital|value=x]]", "its value is not a number"),
    ],
)
def test_a_faulty_mark_is_named(mark: str, part: str, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text(f"Fine.\n\nThen {mark}\n", "utf-8")
    with pytest.raises(InputError, match=r"note\.txt: block 2: ") as caught:
        read_marked(tmp_path)
    assert part in str(caught.value) and "angina" not in str(caught.value)


def test_notes_are_judged_and_extracted(tmp_path: Path) -> None:
    bank, notes = tmp_path / "bank", tmp_path / "notes"
    bank.mkdir()
    notes.mkdir()
    (bank / "a.txt").write_text("Denies [[angina|symptom|assertion=absent]].\n", "utf-8")
    found = service.evaluate_notes(bank)
    assert found["strict"]["f1"] == found["types"]["symptom"]["f1"] == 1.0
    (notes / "S1@3.txt").write_text("A 70-year-old woman. BP 120/80 mmHg.\n", "utf-8")
    done = service.extract_notes(notes, tmp_path / "facts")
    assert done["subjects"] == 1 and done["by_type"]["vital"] == 2
    assert len(pd.read_parquet(tmp_path / "facts" / "facts.parquet")) == done["n_facts"]
    assert len(Cohort.read(tmp_path / "facts" / "cohort").observations) == 2


def test_wrong_environment_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIALTWIN_LOG_LEVEL", "loud")
    settings.cache_clear()
    with pytest.raises(InputError, match="log_level"):
        settings()
    settings.cache_clear()


def test_a_bank_without_a_mark_is_refused_and_types_without_a_fact_are_not_praised(
    tmp_path: Path,
) -> None:
    bank = tmp_path / "bank.txt"
    bank.write_text("Nothing is marked here.\n", "utf-8")
    with pytest.raises(InputError, match=r"bank\.txt: no fact is marked"):
        service.evaluate_notes(bank)
    bank.write_text("No [[angina|symptom|assertion=absent]].\n", "utf-8")
    shown = CliRunner().invoke(program, ["evaluate", "notes", str(bank)]).output
    assert "symptom: " in shown and "(1 marked, 1 found)" in shown
    assert "medication" not in shown
