"""A study's YAML: every fault at once, with its line and place."""

from __future__ import annotations

from pathlib import Path

import pytest

from extraction.records import InputError
from serving.study import HistoricalScoreStudy, TrialStudy, load_study, parse_study
from tests.support.serving_support import STUDY, toy_study

FIVE_MISTAKES = """\
kind: trial
name: toy
title: A trial
seed: -1
cohort:
  source: {kind: tabel, where: trial.csv}
endpoint: {variable: SCORE, visit: Week 24, baseline: SCOREBL, beter: lower}
models:
  baseline: []
trial:
  treated_arm: Active
  n: 120
  effect: 2
  designs: [{name: A, looks: 0}]
"""


def test_a_study_is_read_with_its_defaults(tmp_path: Path) -> None:
    study = load_study(toy_study(tmp_path))
    assert isinstance(study, TrialStudy)
    assert study.effects is not None and study.effects.folds == 5
    assert study.notes is None


def test_every_mistake_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(FIVE_MISTAKES, "utf-8")
    with pytest.raises(InputError) as caught:
        load_study(path)
    faults = "\n".join(caught.value.faults)
    assert all(f.startswith("wrong.yaml: ") for f in caught.value.faults)
    for part in (
        "seed (line 4): '-1' came",
        "cohort.source (line 6): kind is missing or unknown; allowed: cdisc, table, cohort, public",
        "endpoint.beter (line 7): unknown field; did you mean better?",
        "endpoint.better (line 7): missing",
        "models.baseline (line 9)",
        "trial.designs[0].looks (line 14): '0' came",
    ):
        assert part in faults, faults


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "empty or not a mapping"),
        ("- one\n- two\n", "empty or not a mapping"),
        ("kind: [trial\n", "not valid YAML (line"),
        ("kind: other\n", "allowed: trial, historical_score"),
    ],
)
def test_a_file_that_is_no_study(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError, match=r"study\.yaml") as caught:
        load_study(path)
    assert part in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file") as caught:
        load_study(tmp_path / "none.yaml")
    assert str(caught.value).startswith(str(tmp_path / "none.yaml"))


def test_twins_need_the_endpoint_in_the_model() -> None:
    values = STUDY | {"models": STUDY["models"] | {"longitudinal": []}}
    with pytest.raises(InputError, match=r"models\.longitudinal must hold SCORE"):
        parse_study(values)


def test_two_designs_of_one_name_are_refused() -> None:
    designs = [{"name": "A"}, {"name": "A", "looks": 2}]
    with pytest.raises(InputError, match="two designs have the same name"):
        parse_study(STUDY | {"trial": STUDY["trial"] | {"designs": designs}})


def test_a_historical_score_study_is_another_kind() -> None:
    side = {"source": {"kind": "public", "name": "actg175"}, "endpoint": "e", "definition": "d"}
    study = parse_study(
        {
            "kind": "historical_score",
            "name": "h",
            "title": "t",
            "historical": side,
            "target": side,
            "score": {"features": ["age"]},
            "borrowing": {"variables": ["age"]},
        }
    )
    assert isinstance(study, HistoricalScoreStudy)
    assert study.borrowing.min_overlap == 0.8
