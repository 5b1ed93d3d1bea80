"""The form of an evaluation's JSON, which reports, HTTP and scripts rely on."""

from __future__ import annotations

import json

import pytest

from extraction.records import InputError
from generation.evaluation import evaluate
from generation.evaluation.metric import Control, plain
from tests.support.evaluation_support import cohort

METRICS = {
    "marginals": "fidelity",
    "pairs": "fidelity",
    "worst_pair": "fidelity",
    "two_sample_auc": "fidelity",
    "trajectories": "longitudinal",
    "lag_one": "longitudinal",
    "retention": "longitudinal",
    "visit_gaps": "longitudinal",
    "kaplan_meier:death": "survival",
    "rmst:death": "survival",
    "censoring:death": "survival",
    "hazard_ratios:death": "survival",
    "attenuation:death": "survival",
    "missingness": "missingness",
    "missing_patterns": "missingness",
    "missing_dependence": "missingness",
    "worst_subgroup": "subgroups",
    "utility:death": "utility",
    "utility_brier:death": "utility",
    "utility:SCORE@Week 24": "utility",
    "membership_distance": "privacy",
    "dcr_share": "privacy",
    "exact_matches": "privacy",
    "impossible_rows": "validity",
}
STEPS = (
    "fidelity", "longitudinal", "visit_gaps", "survival", "missing_values", "subgroups", "utility",
    "privacy", "combinations",
)  # fmt: skip
VERDICTS = {"within real-against-real", "worse", "not shown", "insufficient to show"}


@pytest.fixture(scope="module")
def evaluation():
    return evaluate(cohort(80, 1, "S"), cohort(80, 2, "T"), cohort(60, 3, "H"))


def test_report_has_these_keys(evaluation):
    report = evaluation.to_dict()
    assert set(report) == {
        "report_version", "engine", "seed", "folds", "sizes", "caution", "uses", "metrics",
    }  # fmt: skip
    assert report["report_version"] == 2
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


def test_sentences_say_which_way_is_good(evaluation):
    found = evaluation["marginals"]
    assert found.sentence.startswith("Single columns match real ones to 0.")
    assert "1 is identical; real against real 0." in found.sentence
    assert all(f": {metric.verdict}" in metric.sentence for metric in evaluation.metrics)
    assert all("\n" not in sentence for sentence in evaluation.sentences)


def test_an_evaluation_reads_in_one_line(evaluation):
    told = repr(evaluation)
    assert "80 synthetic against 60 held-out patients" in told and "\n" not in told
    assert "not shown" in told and f"{len(METRICS)} metrics" in told
    assert repr(evaluation["marginals"]).startswith("Metric(marginals 0.")
    assert "<table" in evaluation._repr_html_()


def test_a_metric_that_is_not_there_is_met_by_the_nearest_name(evaluation):
    with pytest.raises(InputError, match=r"'pair'; there are .* did you mean pairs\?"):
        evaluation["pair"]


def test_cohorts_of_other_schemas_are_named_a_line_each():
    real, other = cohort(60, 1, "T"), cohort(60, 2, "H")
    kept = real.schema.keep(["AGE", "SEX", "STAGE"])
    with pytest.raises(InputError) as caught:
        evaluate(cohort(60, 3, "S").with_schema(kept), real, other)
    assert len(caught.value.faults) == 1
    assert "synthetic lacks BMI, SCORE" in caught.value.faults[0]


def test_an_evaluation_runs_on_one_thread_and_tells_how_far_it_is(monkeypatch):
    from threadpoolctl import threadpool_info

    from generation.evaluation import evaluation as module

    told, threads = [], set()

    def look(*_):
        threads.update(pool["num_threads"] for pool in threadpool_info())
        return []

    for step in STEPS:
        monkeypatch.setattr(module, step, look)
    real = cohort(40, 1, "T"), cohort(40, 2, "H")
    evaluate(cohort(40, 3, "S"), *real, progress=lambda what, done: told.append((what, done)))
    assert threads == {1}
    assert [what.split()[0] for what, _ in told][:2] == ["fidelity", "courses"]
    assert told[-1][1] == 1.0 and [d for _, d in told] == sorted(d for _, d in told)


def test_report_is_json_without_nan(evaluation):
    assert json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))


def test_frame_has_one_row_a_metric(evaluation):
    frame = evaluation.to_frame()
    assert frame["metric"].tolist() == list(METRICS)
    assert frame["sentence"].tolist() == list(evaluation.sentences)


def test_what_is_not_defined_becomes_none():
    assert plain(Control(float("nan")).value) is None
    assert plain({"a": [float("inf"), True]}) == {"a": [None, True]}
