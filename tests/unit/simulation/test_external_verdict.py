"""Tipping points, unmeasured confounding and the verdict on borrowing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from extraction.records.errors import InputError, RefusedError
from simulation.analysis.borrowing import BorrowingRule
from simulation.analysis.estimate import from_t, ratio_from_log
from simulation.analysis.external.mixtures import beta_mixture, normal_mixture
from simulation.analysis.external.sensitivity import (
    Confounder,
    allowed_drift,
    bias_adjusted,
    bounding_factor,
    conflict_binary,
    conflict_normal,
    conflict_of_means,
    e_value,
    tipping_difference,
    tipping_ratio,
)
from simulation.analysis.external.verdict import Evidence, StoppingRule, judge

ENDPOINT = {"event": "death", "time_zero": "first dose"}


def test_e_values_are_those_of_the_paper():
    """VanderWeele and Ding (2017): RR 3.9 [1.8, 8.7] has E-values 7.26 and 3.0; exact."""
    assert e_value(3.9) == pytest.approx(7.26, abs=5e-3)
    assert e_value(1.8) == pytest.approx(3.0, abs=5e-3)
    assert e_value(1 / 3.9) == pytest.approx(e_value(3.9))
    assert e_value(1.0) == 1.0
    assert e_value(4.0, "odds", common=True) == e_value(2.0)
    assert e_value(0.5, "hazard", common=True) == pytest.approx(e_value(2.0, "hazard", common=True))
    with pytest.raises(InputError, match="ratio"):
        e_value(0.0)


def test_a_confounder_as_strong_as_the_e_value_explains_the_ratio():
    for ratio in (1.3, 2.0, 5.0):
        assert bounding_factor(e_value(ratio), e_value(ratio)) == pytest.approx(ratio)


def test_tipping_points_of_differences_and_ratios():
    clear = from_t("t", -4.0, 1.0, 100)
    point = tipping_difference(clear, sd=8.0)
    assert point.to_insignificance == pytest.approx(-4 + 1.959964, abs=1e-6)
    assert point.in_sd == pytest.approx(2.040036 / 8, abs=1e-6)
    assert tipping_difference(from_t("t", 1.0, 1.0, 100)).to_insignificance == 0
    ratio = ratio_from_log("cox", np.log(0.5), 0.1, 100)
    assert tipping_ratio(ratio).to_insignificance == pytest.approx(e_value(ratio.high))
    assert tipping_ratio(ratio_from_log("cox", 0.1, 0.2, 100)).to_insignificance == 1


def test_the_allowed_drift_is_where_the_interval_touches_zero():
    line = from_t("t", 4.0, 1.0, 100)
    tau = allowed_drift(line)
    assert 4.0 / np.hypot(1.0, tau) == pytest.approx(1.959964, abs=1e-6)
    assert allowed_drift(from_t("t", 1.0, 1.0, 100)) == 0


def test_bias_of_an_unmeasured_confounder_is_taken_off():
    line = from_t("t", 4.0, 1.0, 100)
    known = bias_adjusted(line, Confounder(5.0, 0.6, 0.2))
    assert (known.estimate, known.se) == pytest.approx((2.0, 1.0))
    assert bias_adjusted(line, Confounder(5.0, 0.6, 0.2, sd=0.75)).se == pytest.approx(1.25)
    ratio = bias_adjusted(ratio_from_log("cox", np.log(2.0), 0.1, 50), Confounder(3.0, 0.5, 0.0),
                          ratio=True)
    assert ratio.estimate == pytest.approx(1.0)
    with pytest.raises(InputError) as caught:
        Confounder(1.0, 1.2, -0.1, sd=-1.0)
    assert len(caught.value.faults) == 3


def test_conflict_is_the_prior_predictive_tail():
    """Exact: under its own prior the p of a whole law is at most nominal."""
    prior = beta_mixture([1], [10], [30])
    chance = prior.predictive(20)
    p = np.array([conflict_binary(prior, r, 20) for r in range(21)])
    for level in (0.05, 0.1, 0.5):
        assert chance[p <= level].sum() <= level + 1e-12
    assert p[18] < 0.001
    assert p[5] > 0.5
    normal = normal_mixture([1], [0], [1])
    assert conflict_normal(normal, 3.0, 1.0) == pytest.approx(2 * stats.norm.sf(3 / 2**0.5))
    assert conflict_of_means(3.0, 1.0, 0.0, 1.0) == pytest.approx(conflict_normal(normal, 3.0, 1.0))
    assert conflict_of_means(3.0, 1.0, 0.0, 1.0, tau2=7.0) == pytest.approx(2 * stats.norm.sf(1))


def groups(shift=0.0, seed=1):
    rng = np.random.default_rng(seed)
    return ({"age": rng.normal(60, 8, 150), "score": rng.normal(20, 5, 150)},
            {"age": rng.normal(60 + 8 * shift, 8, 300), "score": rng.normal(20, 5, 300)})


def good():
    return Evidence(0.6, {"fracture": from_t("t", 0.1, 0.2, 400)},
                    tipping_difference(from_t("t", -4.0, 1.0, 400), sd=6.0), 0.06)


RULE = StoppingRule(min_tipping_sd=0.2, min_negative_controls=1)


def test_controls_that_pass_every_limit_may_be_borrowed():
    target, historical = groups()
    found = judge(target, historical, ENDPOINT, ENDPOINT, RULE, good())
    assert found.borrow
    assert found.reasons == ()
    found.require()
    assert json.loads(json.dumps(found.to_dict()))["rule_digest"] == RULE.digest


def test_every_reason_against_is_told():
    target, historical = groups(shift=1.5)
    bad = Evidence(0.001, {"fracture": from_t("t", 1.0, 0.2, 400)},
                   tipping_difference(from_t("t", -2.0, 1.0, 400), sd=6.0), 0.3)
    found = judge(target, historical, ENDPOINT, {**ENDPOINT, "time_zero": "consent"}, RULE, bad)
    text = " ".join(found.reasons)
    for word in ("age: standardised", "endpoint time_zero", "conflict", "fracture", "tipping",
                 "type I error"):
        assert word in text
    with pytest.raises(RefusedError) as caught:
        found.require()
    assert len(caught.value.faults) == len(found.reasons)


def test_what_was_not_looked_at_is_not_passed():
    target, historical = groups()
    found = judge(target, historical, ENDPOINT, ENDPOINT, RULE, Evidence())
    assert len(found.reasons) == 4
    lenient = StoppingRule(min_conflict_p=0.0, max_type_one=1.0)
    assert judge(target, historical, ENDPOINT, ENDPOINT, lenient, Evidence()).borrow


def test_a_weak_e_value_stops_borrowing():
    target, historical = groups()
    rule = StoppingRule(min_conflict_p=0.0, max_type_one=1.0, min_e_value=1.5)
    weak = Evidence(tipping=tipping_ratio(ratio_from_log("cox", np.log(0.8), 0.1, 100)))
    assert "E-value" in judge(target, historical, ENDPOINT, ENDPOINT, rule, weak).reasons[0]
    other = StoppingRule(min_conflict_p=0.0, max_type_one=1.0, min_tipping_sd=0.1)
    assert "not computed" in judge(target, historical, ENDPOINT, ENDPOINT, other, weak).reasons[0]


def test_rules_are_checked_and_hashed():
    with pytest.raises(InputError) as caught:
        StoppingRule(min_conflict_p=2.0, min_e_value=0.5, min_tipping_sd=-1.0)
    assert len(caught.value.faults) == 3
    assert StoppingRule(baseline=BorrowingRule(min_ess=40)).digest != StoppingRule().digest
