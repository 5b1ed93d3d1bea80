"""The page of an evaluation: self-contained, safe, and all that is known on it."""

from __future__ import annotations

import re

import pytest

from generation.evaluation import evaluate
from generation.evaluation.views import views
from serving.report.evaluation_page import evaluation_page
from tests.support.evaluation_support import cohort

NASTY = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def judged() -> tuple[dict, dict]:
    synthetic, train, holdout = cohort(80, 1, "S"), cohort(80, 2, "T"), cohort(80, 3, "H")
    found = evaluate(synthetic, train, holdout)
    told = found.to_dict() | {
        "use": None,
        "compared": {
            "kind": "cohort",
            "study": f"SIM {NASTY}",
            "groups": [
                {"name": "holdout", "patients": 80, "arms": {"Active": 40}, "digest": "ab" * 32}
            ],
            "notes": [f"column {NASTY} is left out: it is empty"],
        },
    }
    return told, views([synthetic], holdout, found)


@pytest.fixture(scope="module")
def page(judged: tuple[dict, dict]) -> str:
    return evaluation_page(*judged)


def test_nothing_is_loaded_and_nothing_runs(page: str) -> None:
    assert "<script" not in page and "javascript:" not in page
    assert not re.findall(r"(?:src|href)=[\"'](?!#)", page)
    assert "url(http" not in page and "@import" not in page
    assert len(page.encode()) < 2 * 2**20


def test_every_measure_has_its_sentence_and_its_verdict(
    page: str, judged: tuple[dict, dict]
) -> None:
    for metric in judged[0]["metrics"]:
        # Apostrophes and the like are escaped.
        assert metric["sentence"].split("'")[0].split("&")[0][:60] in page
    assert page.count('class="badge') >= len(judged[0]["metrics"])


def test_every_use_and_every_group_has_its_place(page: str) -> None:
    for use in ("Exploration", "Software testing", "Augment control arm"):
        assert use in page
    sections = set(re.findall(r'<section id="(\w+)"', page))
    links = set(re.findall(r'<a href="#(\w+)"', page))
    assert links <= sections
    assert {"use", "overview", "fidelity", "longitudinal", "survival", "privacy"} <= sections


def test_figures_are_there(page: str) -> None:
    figures = page.count("<figure")
    assert figures >= 10
    for text in ("synthetic minus real", "Still seen at the visit", "passes up to .56"):
        assert text in page


def test_a_stated_use_stands_alone(judged: tuple[dict, dict]) -> None:
    told, shown = judged
    page = evaluation_page(told | {"use": told["uses"]["exploration"]}, shown)
    assert "Are they good enough for exploration?" in page
    assert "<b>Software testing</b>" not in page


def test_the_same_figures_give_the_same_bytes(page: str, judged: tuple[dict, dict]) -> None:
    assert evaluation_page(*judged) == page


def test_calibration_is_shown_where_there_is_any(judged: tuple[dict, dict]) -> None:
    told, shown = judged
    level = {"level": 0.8, "share": 0.78, "se": 0.02}
    metric = {
        "name": "coverage:SCORE", "group": "calibration", "label": "coverage of SCORE",
        "value": 0.78, "se": 0.02, "low": 0.74, "high": 0.82, "better": "chance", "controls": {},
        "verdict": "not shown", "sentence": "Said.",
        "details": {"pit": [0.1] * 10, "levels": [level]},
    }  # fmt: skip
    page = evaluation_page(told | {"metrics": [*told["metrics"], metric]}, shown)
    assert '<section id="calibration">' in page and "Flat is calibrated" in page
