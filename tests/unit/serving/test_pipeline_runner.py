"""The runner: what is cached, what runs again and why, and what a failure leaves behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from extraction.records import InputError
from serving.pipeline import runner
from serving.pipeline.stage import AnyStudy, read_result
from serving.study import load_study
from tests.support.serving_support import artefacts, toy_study

ALL = ("cohort", "models", "effects", "trial")


def run(config: Path, folder: Path, **options: Any) -> runner.Finished:
    study: AnyStudy = load_study(config)
    return runner.run(study, config.parent, folder, **options)


def states(config: Path, folder: Path) -> dict[str, tuple[str, str]]:
    planned = runner.plan(load_study(config), config.parent, folder)
    return {p.stage: (p.state, p.why) for p in planned}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A study's file and its finished run; tests may not change the run."""
    folder = tmp_path_factory.mktemp("finished")
    config = toy_study(folder)
    done = run(config, folder / "run")
    assert done.ran == ALL
    return config, folder / "run"


def test_a_plan_writes_nothing_and_says_why(tmp_path: Path) -> None:
    config = toy_study(tmp_path / "study")
    found = states(config, tmp_path / "run")
    assert {state for state, _ in found.values()} == {"will run"}
    assert found["cohort"][1] == "it has not been run"
    assert not (tmp_path / "run").exists()


def test_a_second_run_is_cached(finished: tuple[Path, Path]) -> None:
    config, folder = finished
    before = (folder / "manifest.json").read_bytes()
    again = run(config, folder)
    assert again.ran == () and again.cached == ALL
    assert (folder / "manifest.json").read_bytes() == before


def test_the_same_seed_gives_the_same_artefacts_elsewhere(
    finished: tuple[Path, Path], tmp_path: Path
) -> None:
    _, folder = finished
    config = toy_study(tmp_path / "elsewhere" / "study")
    run(config, tmp_path / "elsewhere" / "run")
    assert artefacts(tmp_path / "elsewhere" / "run") == artefacts(folder)


@pytest.mark.long
def test_two_processes_give_the_same_artefacts(finished: tuple[Path, Path], tmp_path: Path) -> None:
    _, folder = finished
    config = toy_study(tmp_path / "study")
    run(config, tmp_path / "run", execution="processes", workers=2)
    assert artefacts(tmp_path / "run") == artefacts(folder)


def test_another_seed_gives_other_bytes(finished: tuple[Path, Path], tmp_path: Path) -> None:
    _, folder = finished
    config = toy_study(tmp_path / "study", seed=6)
    run(config, tmp_path / "run")
    ours, theirs = artefacts(tmp_path / "run"), artefacts(folder)
    assert ours["stages/cohort/result.json"] == theirs["stages/cohort/result.json"]
    for name in ("models/synthetic.parquet", "effects/result.json", "trial/result.json"):
        assert ours[f"stages/{name}"] != theirs[f"stages/{name}"]


def test_a_changed_setting_runs_what_depends_on_it(tmp_path: Path) -> None:
    config = toy_study(tmp_path / "study", trial=None)
    run(config, tmp_path / "run")
    toy_study(tmp_path / "study", trial=None, effects={"repeats": 4, "features": ["AGE"]})
    found = states(config, tmp_path / "run")
    assert found["models"] == ("will run", "unless cohort come out as before")
    assert found["effects"] == ("will run", "changed: settings")
    done = run(config, tmp_path / "run")
    assert "effects" in done.ran and "models" in done.cached


def test_a_changed_input_runs_again(tmp_path: Path) -> None:
    config = toy_study(tmp_path / "study", trial=None, effects=None)
    run(config, tmp_path / "run")
    table = tmp_path / "study" / "trial.csv"
    table.write_text(table.read_text("utf-8").replace("P000,C,", "P000,A,"), "utf-8")
    assert states(config, tmp_path / "run")["cohort"] == ("will run", "changed: data")


def test_a_damaged_output_runs_again(tmp_path: Path) -> None:
    config = toy_study(tmp_path / "study", trial=None, effects=None)
    run(config, tmp_path / "run")
    good = artefacts(tmp_path / "run")
    (tmp_path / "run" / "stages" / "models" / "synthetic.parquet").write_bytes(b"cut")
    found = states(config, tmp_path / "run")
    assert found["models"] == ("will run", "its files are missing or were changed")
    run(config, tmp_path / "run")
    assert artefacts(tmp_path / "run") == good


def test_a_section_that_is_left_out_is_not_run(tmp_path: Path) -> None:
    config = toy_study(tmp_path / "study", trial=None, effects=None)
    assert list(states(config, tmp_path / "run")) == ["cohort", "models"]


def test_a_section_taken_out_leaves_the_folder(tmp_path: Path) -> None:
    config = toy_study(tmp_path / "study", trial=None)
    run(config, tmp_path / "run")
    toy_study(tmp_path / "study", trial=None, effects=None)
    run(config, tmp_path / "run")
    assert {p.name for p in (tmp_path / "run" / "stages").iterdir()} == {"cohort", "models"}
    assert (
        "effects"
        not in json.loads((tmp_path / "run" / "manifest.json").read_text("utf-8"))["stages"]
    )


def test_finished_chunks_of_a_stopped_stage_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simulation.execution import streaming

    config = toy_study(tmp_path / "study")
    accept = streaming._accept
    done: list[int] = []

    def stopping(task: Any, outcome: Any) -> Any:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(task.index)
        return accept(task, outcome)

    monkeypatch.setattr(streaming, "_accept", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(config, tmp_path / "run")
    monkeypatch.setattr(
        streaming,
        "_accept",
        lambda task, outcome: (done.append(task.index), accept(task, outcome))[1],
    )
    assert run(config, tmp_path / "run").ran == ("trial",)
    # Two designs and two shares of dropout, four chunks each, none of them twice.
    assert len(done) == 16
    assert not (tmp_path / "run" / ".scratch").exists()


def test_bad_data_leave_no_folder(tmp_path: Path) -> None:
    config = toy_study(tmp_path / "study")
    (tmp_path / "study" / "trial.csv").write_bytes(b"")
    with pytest.raises(InputError, match="the file is empty"):
        run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_stage_that_fails_keeps_those_before_it(tmp_path: Path) -> None:
    config = toy_study(tmp_path / "study", trial=None, effects={"features": ["AGE"], "folds": 20})
    table = tmp_path / "study" / "trial.csv"
    lines = table.read_text("utf-8").splitlines()
    table.write_text("\n".join(lines[:45]) + "\n", "utf-8")
    with pytest.raises(InputError, match="at least 20"):
        run(config, tmp_path / "run")
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text("utf-8"))
    assert list(manifest["stages"]) == ["cohort", "models"]
    assert not list((tmp_path / "run").glob(".stage-*"))
    assert states(config, tmp_path / "run")["cohort"][0] == "cached"


def test_misspelt_names_are_told_together(tmp_path: Path) -> None:
    config = toy_study(
        tmp_path / "study",
        models={"baseline": ["AGE", "SEXX", "SITE", "SCOREBL"]},
        trial={"treated_arm": "Actve"},
    )
    with pytest.raises(InputError) as caught:
        run(config, tmp_path / "run")
    text = "\n".join(caught.value.faults)
    assert "models.baseline: SEXX is not" in text and "did you mean SEX?" in text
    assert "trial.treated_arm: Actve is not" in text and "did you mean Active?" in text


def test_artefacts_hold_no_time_and_no_path(finished: tuple[Path, Path]) -> None:
    _, folder = finished
    for name in artefacts(folder):
        content = (folder / name).read_bytes()
        assert str(folder.parent).encode() not in content, name
    assert "started" in json.loads((folder / "run.json").read_text("utf-8"))


def test_every_simulated_figure_has_its_error(finished: tuple[Path, Path]) -> None:
    _, folder = finished
    for design in read_result(folder, "trial")["designs"]:
        whole = design["operating_characteristics"]
        for name in ("power", "type_one_error"):
            assert set(whole[name]) >= {"value", "se"}


def test_the_naive_test_is_labelled_invalid(finished: tuple[Path, Path]) -> None:
    _, folder = finished
    rows = read_result(folder, "effects")["estimates"]
    naive = [r for r in rows if r["analysis"] == "naive_invalid"]
    assert naive and not any(r["valid"] for r in naive)
    others = [r for r in rows if r["analysis"] not in ("naive_invalid",)]
    assert all(r["valid"] and r["estimand"]["intercurrent_events"] for r in others)
