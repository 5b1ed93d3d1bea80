"""The inference audit: its plan, planted effects, figures, verdict, key and resuming."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, InputError
from generation import fit
from simulation.analysis.cox import cox
from simulation.audit import (
    InferenceAudit,
    PlannedAnalysis,
    inference_audit,
    key_of,
    read_audits,
    speaking,
)
from simulation.audit.audit import inference_audits
from simulation.audit.figures import Figure, Performance
from simulation.audit.plan import Outcomes, plant, truth, usual_effect
from simulation.audit.result import MINIMUM_REPLICATES, audit_key
from tests.support.records_support import small_cohort

MEAN = PlannedAnalysis(analysis="mean", target="ALT@Week 8")


@pytest.fixture(scope="module")
def controls() -> Cohort:
    return small_cohort(160, 3).controls()


@pytest.fixture(scope="module")
def audit(controls: Cohort) -> InferenceAudit:
    return inference_audit(controls, "cart", "ALT@Week 8", replicates=6, seed=1)


def performance(**changes: object) -> Performance:
    good = Performance(
        replicates=400, failed=0, bias=Figure(0.0, 0.05), sd=1.0, se_ratio=Figure(1.0, 0.035),
        coverage=Figure(0.95, 0.011), type_one_error=Figure(0.05, 0.011),
        bias_planted=Figure(0.0, 0.05), coverage_planted=Figure(0.95, 0.011),
        power=Figure(0.8, 0.02), expected_type_one_error=0.05,
    )
    return replace(good, **changes)  # type: ignore[arg-type]


def judged(audit: InferenceAudit, **changes: object) -> InferenceAudit:
    found = {**audit.performance, "corrected": performance(**changes)}
    return replace(audit, performance=found)


def test_an_audit_tells_every_method_beside_real_controls(audit: InferenceAudit) -> None:
    assert set(audit.performance) == {"real", "naive", "corrected"}
    assert all(p.replicates == 6 for p in audit.performance.values())
    naive, corrected = audit.performance["naive"], audit.performance["corrected"]
    assert naive.se_ratio.value < corrected.se_ratio.value
    assert naive.expected_type_one_error > 0.1
    assert corrected.expected_type_one_error == pytest.approx(0.05)
    assert naive.bias == corrected.bias


def test_few_replicates_show_nothing(audit: InferenceAudit) -> None:
    assert audit.verdict == "not shown"
    assert not audit.passed
    assert str(MINIMUM_REPLICATES) in audit.sentences[-1]


@pytest.mark.parametrize(
    ("changes", "verdict", "said"),
    [
        ({}, "passed", ""),
        ({"type_one_error": Figure(0.03, 0.01)}, "passed", ""),
        ({"type_one_error": Figure(0.08, 0.013)}, "failed", "type I error"),
        ({"coverage": Figure(0.87, 0.017)}, "failed", "coverage"),
        ({"se_ratio": Figure(0.78, 0.03)}, "failed", "SE ratio"),
        ({"se_ratio": Figure(1.3, 0.03)}, "failed", "SE ratio"),
        ({"failed": 20}, "failed", "gave no estimate"),
        ({"bias": Figure(-0.35, 0.05)}, "failed", "The bias is 0.35 SD"),
        ({"bias": Figure(0.2, 0.05)}, "passed", ""),
        ({"sd": 0.0}, "failed", "The bias is nan SD"),
        ({"replicates": 150}, "not shown", ""),
        ({"se_ratio": Figure(float("nan"), float("nan"))}, "failed", "SE ratio"),
    ],
)
def test_the_verdict_follows_the_stated_rules(
    audit: InferenceAudit, changes: dict[str, object], verdict: str, said: str
) -> None:
    found = judged(audit, **changes)
    assert found.verdict == verdict
    assert said in " ".join(found.reasons)


def test_a_verdict_says_what_it_would_have_seen(audit: InferenceAudit) -> None:
    few, many = judged(audit, replicates=200), judged(audit, replicates=10_000)
    assert few.detectable == pytest.approx(0.10, abs=0.005)
    assert many.detectable < 0.06


def test_bias_and_too_small_errors_explain_a_type_one_error() -> None:
    assert performance().explained_type_one_error == pytest.approx(0.05, abs=1e-6)
    assert performance(bias=Figure(0.5, 0.05)).explained_type_one_error == pytest.approx(
        0.0791, abs=1e-4)
    small = performance(se_ratio=Figure(1 / np.sqrt(2), 0.03)).explained_type_one_error
    assert small == pytest.approx(0.1658, abs=1e-4)


def test_reading_back_judges_the_figures_again(audit: InferenceAudit, tmp_path: Path) -> None:
    file = judged(audit).write(tmp_path)
    found = read_audits(tmp_path, audit.key)
    assert [a.to_dict() for a in found] == [json.loads(file.read_text("utf-8"))]
    assert found[0].passed
    forged = json.loads(file.read_text("utf-8"))
    forged["performance"]["corrected"]["type_one_error"]["value"] = 0.5
    file.write_text(json.dumps(forged), "utf-8")
    assert not read_audits(tmp_path, audit.key)[0].passed
    file.write_text("{", "utf-8")
    assert read_audits(tmp_path, audit.key) == []


def test_an_audit_run_until_it_passes_does_not_pass(audit: InferenceAudit, tmp_path: Path) -> None:
    def run(seed: int, replicates: int, **changes: object) -> None:
        about = {**audit.about, "seed": seed, "replicates": replicates}
        replace(judged(audit, **changes), about=about).write(tmp_path)

    def passes() -> bool:
        [found] = speaking(read_audits(tmp_path, audit.key))
        return found.passed

    run(1, 400, type_one_error=Figure(0.2, 0.02))
    for seed in (2, 3, 4):
        run(seed, 400)
        assert not passes()
    run(5, 1000)
    assert passes()


def test_the_key_is_that_of_a_model_of_the_same_engine_options_and_data(
    audit: InferenceAudit, controls: Cohort
) -> None:
    assert key_of(fit(controls, "cart", seed=9).card) == audit.key
    assert key_of(fit(controls, "cart", leaf_patients=8).card) != audit.key
    assert key_of(fit(controls.take(np.arange(len(controls)) > 0), "cart").card) != audit.key


def test_where_a_fit_is_kept_is_not_part_of_the_key() -> None:
    one, two = (json.dumps({"engine": "twin", "engine_version": "3",
                            "options": {"members": 1, "checkpoint": c}}) for c in (None, "a"))
    assert audit_key(one, "d") == audit_key(two, "d")


def test_a_stopped_audit_goes_on(controls: Cohort, tmp_path: Path, audit: InferenceAudit) -> None:
    one = inference_audit(controls, "cart", "ALT@Week 8", replicates=6, seed=1, folder=tmp_path)
    chunks = sorted((tmp_path / "chunks").glob("chunk-*"))
    times = [chunk.stat().st_mtime_ns for chunk in chunks]
    two = inference_audit(controls, "cart", "ALT@Week 8", replicates=6, seed=1, folder=tmp_path)
    assert [chunk.stat().st_mtime_ns for chunk in chunks] == times
    assert one.to_dict() == two.to_dict() == audit.to_dict()


def test_several_plans_share_the_fits(controls: Cohort, audit: InferenceAudit) -> None:
    rate = PlannedAnalysis(analysis="log_hazard_ratio", target="death")
    both = inference_audits(controls, "cart", (MEAN, rate), replicates=6, seed=1)
    assert both[0].performance == audit.performance
    assert both[1].about["plan"]["target"] == "death"
    assert both[1].performance["real"].replicates > 0


def test_refits_are_judged_where_they_are_asked_for(controls: Cohort) -> None:
    found = inference_audit(controls, "cart", "ALT@Week 8", replicates=2, refits=20)
    assert found.judged == "over_refits"
    assert found.performance["over_refits"].se_ratio.value > 0


def test_every_fault_of_a_request_is_told_at_once(controls: Cohort) -> None:
    with pytest.raises(InputError) as caught:
        inference_audit(controls, "none", "ALTT@Week 9", replicates=1, fraction=0.01, refits=3)
    said = " ".join(caught.value.faults)
    for word in ("none", "ALTT", "Week 9", "replicates", "fraction", "refits"):
        assert word in said
    with pytest.raises(InputError, match="covariates"):
        PlannedAnalysis(analysis="ancova", target="ALT@Week 8").check(controls)
    with pytest.raises(InputError, match="no endpoint"):
        PlannedAnalysis(analysis="rmst", target="deth").check(controls)
    with pytest.raises(InputError, match="log hazard ratio"):
        inference_audit(controls, "cart", "death", "rmst", effect=0.5)


def test_the_horizon_of_a_restricted_mean_is_filled_in(controls: Cohort) -> None:
    plan = PlannedAnalysis(analysis="rmst", target="death").check(controls)
    days = controls.endpoint("death")["day"].median()
    assert plan.horizon_days == np.floor(days)


def _exponential(n: int, rng: np.random.Generator) -> Outcomes:
    time, end = rng.exponential(300, n), rng.uniform(100, 400, n)
    return Outcomes(np.minimum(time, end), (time <= end).astype(float), np.zeros((n, 0)))


def test_a_planted_hazard_ratio_is_what_cox_finds() -> None:
    rng = np.random.default_rng(4)
    controls = _exponential(6000, rng)
    plan = PlannedAnalysis(analysis="log_hazard_ratio", target="x")
    treated = plant(plan, _exponential(6000, rng), np.log(0.6), controls, rng)
    assert treated.event is not None and controls.event is not None
    arm = np.r_[np.ones(6000), np.zeros(6000)]
    found = cox(np.r_[treated.y, controls.y], np.r_[treated.event, controls.event], {"arm": arm})
    assert abs(found.coefficients[0] - np.log(0.6)) < 4 * np.sqrt(found.covariance[0, 0])
    restricted = PlannedAnalysis(analysis="rmst", target="x", horizon_days=250)
    expected = truth(restricted, np.log(0.6), controls)
    parts = restricted.compare(treated, controls)
    assert abs(parts.estimate - expected) < 4 * np.sqrt(parts.treated_variance + 4.0)


def test_the_usual_effect_has_a_power_of_four_fifths() -> None:
    rng = np.random.default_rng(5)
    y = Outcomes(rng.normal(0, 3, 400), None, np.zeros((400, 0)))
    assert usual_effect(MEAN, y, 0.5) == pytest.approx(2.8 * 3 * np.sqrt(2 / 200), rel=0.1)


def test_performance_counts_replicates_without_an_estimate() -> None:
    rows = pd.DataFrame({
        "planted": [False] * 4 + [True] * 4,
        "estimate": [0.1, -0.2, np.nan, 0.1, 1.1, 0.8, np.nan, 1.1],
        "se": 0.1, "low": [-0.1, -0.4, np.nan, -0.1] * 2, "high": [0.3, 0.0, np.nan, 0.3] * 2,
        "p_value": [0.5, 0.04, np.nan, 0.5, 0.0, 0.0, np.nan, 0.0], "missing_variance": 0.0,
    })
    found = Performance.of(rows, 1.0)
    assert (found.replicates, found.failed) == (3, 1)
    assert found.type_one_error.value == pytest.approx(1 / 3)
    assert found.power.value == 1.0
    assert found.coverage.value == 1.0
