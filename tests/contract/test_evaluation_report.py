"""The form of an evaluation's JSON, which reports, HTTP and scripts rely on."""

from __future__ import annotations

import json

import pytest

from generation.evaluation import evaluate
from generation.evaluation.metric import Control, plain
from tests.support.evaluation_support import cohort

METRICS = {
    "marginals": "fidelity",
    "missingness": "fidelity",
    "pairs": "fidelity",
    "worst_pair": "fidelity",
    "lag_one": "fidelity",
    "kaplan_meier:death": "fidelity",
    "two_sample_auc": "fidelity",
    "utility:death": "utility",
    "utility:SCORE@Week 24": "utility",
    "membership_distance": "privacy",
    "dcr_share": "privacy",
    "exact_matches": "privacy",
    "impossible_rows": "validity",
}
VERDICTS = {"within real-against-real", "worse", "not shown", "insufficient to show"}


@pytest.fixture(scope="module")
def evaluation():
    return evaluate(cohort(80, 1, "S"), cohort(80, 2, "T"), cohort(60, 3, "H"))


def test_report_has_these_keys(evaluation):
    report = evaluation.to_dict()
    assert set(report) == {
        "report_version", "engine", "seed", "folds", "sizes", "caution", "metrics",
    }  # fmt: skip
    assert report["report_version"] == 1
    assert report["sizes"] == {"synthetic": 80, "train": 80, "holdout": 60, "compared": 80}
    assert "80 patients" in report["caution"]


def test_metrics_keep_their_names_and_groups(evaluation):
    metrics = evaluation.to_dict()["metrics"]
    assert {m["name"]: m["group"] for m in metrics} == METRICS


def test_every_metric_has_these_keys(evaluation):
    for metric in evaluation.to_dict()["metrics"]:
        assert set(metric) == {
            "name", "group", "label", "value", "se", "low", "high", "better", "controls",
            "verdict", "sentence", "details",
        }  # fmt: skip
        assert metric["verdict"] in VERDICTS
        assert metric["sentence"].endswith(".")
        assert set(metric["controls"]) <= {"copy", "independent", "real", "planted"}
        assert all(set(c) == {"value", "low", "high"} for c in metric["controls"].values())


def test_every_metric_stands_beside_real_patients(evaluation):
    assert all("real" in metric.controls for metric in evaluation.metrics)


def test_report_is_json_without_nan(evaluation):
    assert json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))


def test_frame_has_one_row_a_metric(evaluation):
    frame = evaluation.to_frame()
    assert frame["metric"].tolist() == list(METRICS)
    assert frame["sentence"].tolist() == list(evaluation.sentences)


def test_what_is_not_defined_becomes_none():
    assert plain(Control(float("nan")).value) is None
    assert plain({"a": [float("inf"), True]}) == {"a": [None, True]}
