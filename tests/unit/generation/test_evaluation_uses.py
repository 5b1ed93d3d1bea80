"""Verdicts for a use: each rule, what is let pass, and the audit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import pytest

from extraction.records import InputError
from generation.evaluation.metric import (
    NOT_SHOWN,
    WITHIN,
    WORSE,
    Control,
    Evaluation,
    Metric,
)
from generation.evaluation.uses import RULES, USES, Use

NEEDED = (
    ("impossible_rows", "lower", 0.0),
    ("marginals", "higher", 0.95),
    ("pairs", "higher", 0.95),
    ("two_sample_auc", "chance", 0.5),
    ("exact_matches", "lower", 0.0),
    ("membership_distance", "chance", 0.5),
)


@dataclass(frozen=True)
class Audit:
    verdict: str
    analysis: str = "mean of ADAS@Week 24"

    @property
    def passed(self) -> bool:
        return self.verdict == "passed"


def metric(name: str, better="lower", value=0.0, verdict=WITHIN, real=None, se=0.01) -> Metric:
    control = Control(value if real is None else real)
    return Metric(name, "fidelity", name, value, se, better, {"real": control}, verdict, "Said.")


def evaluation(*changed: Metric) -> Evaluation:
    found = {name: metric(name, better, value) for name, better, value in NEEDED}
    found |= {m.name: m for m in changed}
    return Evaluation("", 0, 1, {"train": 100, "holdout": 40}, tuple(found.values()))


@pytest.mark.parametrize("use", ["exploration", "software_testing"])
def test_what_meets_every_rule_is_suited(use):
    found = evaluation().verdict_for(use)
    assert (found.use, found.verdict) == (use, "suited")
    assert "meet the rules" in found.reasons[0]


def test_a_control_arm_needs_an_audit_that_passed():
    verdicts = {
        audit: evaluation().verdict_for("augment_control_arm", Audit(audit) if audit else None)
        for audit in ("", "not shown", "failed", "passed")
    }
    assert [v.verdict for v in verdicts.values()] == [
        "not shown", "not shown", "not suited", "suited",
    ]  # fmt: skip
    for audit in ("not shown", "failed", "passed"):
        assert any("mean of ADAS@Week 24" in reason for reason in verdicts[audit].reasons)
    assert "none was given" in verdicts[""].reasons[0]


def test_one_broken_rule_outweighs_everything_else():
    found = evaluation(metric("impossible_rows", value=0.2, verdict=WORSE, real=0.0))
    assert found.verdict_for("exploration").verdict == "not suited"
    assert "worse" in found.verdict_for("exploration").reasons[0]


def test_a_small_difference_that_is_shown_does_no_harm_within_the_margin():
    small = metric("marginals", "higher", 0.93, WORSE, real=0.95, se=0.005)
    assert evaluation(small).verdict_for("exploration").verdict == "suited"
    unsure = metric("marginals", "higher", 0.91, WORSE, real=0.95, se=0.02)
    found = evaluation(unsure).verdict_for("exploration")
    assert found.verdict == "not shown" and "not shown" in found.reasons[0]
    large = metric("marginals", "higher", 0.80, WORSE, real=0.95, se=0.01)
    assert evaluation(large).verdict_for("exploration").verdict == "not suited"


def test_what_is_not_shown_passes_where_the_rule_says_so():
    attenuation = metric("attenuation:death", value=0.1, verdict=NOT_SHOWN)
    found = evaluation(attenuation)
    assert found.verdict_for("exploration").verdict == "suited"
    assert "lets pass" in found.verdict_for("exploration").reasons[1]
    needed = found.verdict_for("augment_control_arm", Audit("passed"))
    assert needed.verdict == "not shown" and "needs it shown" in needed.reasons[0]


def test_a_leak_suits_no_use():
    leak = metric("membership_distance", "chance", 0.7, WORSE)
    for use in USES:
        found = evaluation(leak).verdict_for(use, Audit("passed"))
        assert found.verdict == "not suited"
        assert "at most 0.56" in found.reasons[0]


def test_a_metric_that_is_always_needed_and_was_not_measured():
    without = Evaluation("", 0, 1, {"train": 100, "holdout": 40}, ())
    found = without.verdict_for("software_testing")
    assert found.verdict == "not shown"
    assert any("marginals: not measured" in reason for reason in found.reasons)


def test_an_unknown_use_is_met_by_the_nearest():
    with pytest.raises(InputError, match="did you mean exploration"):
        evaluation().verdict_for("explore")


def test_every_use_has_rules_and_stricter_ones_for_a_control_arm():
    assert set(RULES) == set(get_args(Use))
    loose = {r.metric: r for r in RULES["exploration"]}
    for rule in RULES["augment_control_arm"]:
        other = loose.get(rule.metric)
        if other is not None and other.margin is not None:
            assert rule.margin is None or rule.margin <= other.margin, rule.metric


def test_a_dozen_patients_show_nothing() -> None:
    from dataclasses import replace

    few = replace(evaluation(), sizes={"train": 12, "holdout": 40})
    found = few.verdict_for("software_testing")
    assert found.verdict == "not shown"
    assert "12 on the smaller real side" in " ".join(found.reasons)
