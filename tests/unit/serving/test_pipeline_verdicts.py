"""What a run says of itself: verdicts by fixed rules, one denominator, all patients told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from serving.analyses.historical import sharpening
from serving.analyses.published import analysed, locf_estimand
from serving.pipeline.findings import counted, dropout_told, membership
from serving.pipeline.stages.twins import _verdict, against_carrying
from serving.study.parts import PrimaryEndpoint
from simulation.analysis.survival_score import assess_survival_score


@pytest.mark.parametrize(
    ("mean", "start"), [(-0.5, "better than"), (0.5, "worse than"), (-0.05, "about as good as")]
)
def test_better_needs_an_interval_below_zero(mean: float, start: str) -> None:
    told = against_carrying({"twin_minus_peer": mean, "difference_se": 0.16})
    assert told.startswith(start)
    assert ("not shown" in told) == (start == "about as good as")


def test_what_a_visit_knows_is_not_credited_to_the_twin() -> None:
    r = {"r": 0.54, "low": 0.39, "high": 0.66}
    carried = {"r": 0.51, "low": 0.36, "high": 0.64}
    main: dict[str, Any] = {
        "correlation": r,
        "correlations": {"twin": r, "carry_forward": carried, "ridge": carried},
        "mae": {"carry_forward": {"twin_minus_peer": -0.05, "difference_se": 0.16}},
    }
    baseline = {"correlation": {"r": 0.26, "low": 0.08, "high": 0.42}}
    told = _verdict(main, baseline, "Week 8", "Week 24")
    assert "known at Week 8 predicts" in told and "baseline alone hardly does" in told
    assert "carrying the Week 8 value forward reaches r = 0.51" in told
    assert "not shown to be better" in told


def test_the_plain_findings_say_whose_dropout_was_simulated() -> None:
    plan = {
        "name": "Fixed",
        "arms": [{"name": "Placebo", "control": True}, {"name": "High", "control": False}],
    }
    scenario = {"what": "each arm its own share", "power": {"value": 0.7, "se": 0.005}}
    found = {
        "rule": "as_learnt",
        "simulated": 0.39,
        "real": {"Placebo": 0.24, "High": 0.51},
        "scenarios": [scenario],
    }
    told = dropout_told(found, plan)
    assert "39% learnt" not in told and "39%, learnt from Placebo and the same in both arms" in told
    assert "24% on Placebo, 51% on High" in told and "0.700 (0.005)" in told


def test_privacy_is_counted_apart_and_a_leak_is_told() -> None:
    metrics = [
        {"group": "fidelity", "name": "pairs", "verdict": "worse"},
        {"group": "validity", "name": "rows", "verdict": "within real-against-real"},
        {"group": "privacy", "name": "membership_ratio", "verdict": "worse"}
        | {"value": 0.68, "low": 0.62, "high": 0.75},
    ]
    assert counted(metrics, privacy=False).startswith("of 2 measures 1 within")
    assert counted(metrics, privacy=True).startswith("of 1 measures 0 within")
    assert "AUC ratio 0.68 (0.62 to 0.75)" in membership(metrics)
    assert "clears nothing" in membership(metrics[:2]).replace("\n", " ")


def test_a_score_that_only_orders_does_not_sharpen() -> None:
    time, event = [float(k) for k in range(1, 41)], [1.0] * 40
    worth = assess_survival_score(
        [float(7 * k % 40) for k in range(40)], time, event, [0.0, 1.0] * 20
    )
    same = replace(worth, adjusted=worth.without, z_without=-3.23, z_with=-3.19)
    assert sharpening(same)["verdict"] == "does not sharpen this analysis"
    assert sharpening(replace(same, z_with=-3.6))["verdict"] == "sharpens this analysis"


def test_the_published_estimand_says_who_and_that_later_outcomes_count() -> None:
    end = PrimaryEndpoint(variable="ADAS", visit="Week 24", baseline="ADASBL", better="lower")
    who = analysed(end, ("EFFFL", "ITTFL"), 234, 254)
    assert "EFFFL, ITTFL = Y" in who and who.endswith("234 of 254 patients")
    question = locf_estimand(end, who)
    assert dict(question.intercurrent_events) == {"discontinuation": "treatment policy"}
    assert "after stopping" in question.variable
