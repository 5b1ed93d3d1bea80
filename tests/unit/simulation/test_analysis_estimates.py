"""Estimands, borders of the analyses, and what their results say."""

import json

import numpy as np
import pytest

from extraction.records.errors import InputError
from simulation.analysis.continuous import ancova, ancova_batch, dose_response, two_sample_t
from simulation.analysis.cox import cox, cox_batch, fit_cox_score
from simulation.analysis.estimate import Estimand, Estimate, from_t
from simulation.analysis.logrank import logrank
from simulation.analysis.planning import plan_saving, sample_size
from simulation.analysis.procova import correlation
from simulation.analysis.survival import (
    concordance,
    kaplan_meier,
    restricted_mean,
    restricted_mean_difference,
)

ESTIMAND = Estimand("ITT", "drug v placebo", "change at week 24",
                    {"discontinuation": "treatment policy"}, "difference of means")


def test_estimand_names_every_empty_attribute():
    with pytest.raises(InputError) as error:
        Estimand("", "a v b", " ", {"death": "ignored"}, "mean")
    assert len(error.value.faults) == 3


def test_estimate_is_json_able():
    line = Estimate("m", ESTIMAND, 1.0, float("nan"), 0.0, float("inf"), 0.5, 3, None,
                    {"array": np.arange(2), "flag": np.bool_(True)})
    plain = json.loads(json.dumps(line.to_dict()))
    assert plain["se"] is None
    assert plain["extra"] == {"array": [0, 1], "flag": True}
    assert plain["estimand"]["intercurrent_events"] == {"discontinuation": "treatment policy"}


def test_ancova_reports_all_faults_together():
    y = np.asarray([1.0, np.nan, 2.0, 3.0])
    with pytest.raises(InputError) as error:
        ancova(y, ["a", "b", None, "a"], {"base": [1, 2, 3, 4]}, control="a")
    assert {fault.split(":")[0] for fault in error.value.faults} == {"y", "arm"}


def test_ancova_names_the_collinear_column():
    x = np.arange(8.0)
    with pytest.raises(InputError, match="twice"):
        ancova(x**2, list("abababab"), {"x": x, "twice": 2 * x}, control="a")


@pytest.mark.parametrize("control", ["c", 1])
def test_unknown_control_is_refused(control):
    with pytest.raises(InputError, match="control"):
        ancova(np.arange(4.0), list("abab"), control=control)


def test_contrast_must_sum_to_zero():
    fitted = ancova(np.asarray([1.0, 2, 4, 3]), list("abab"), control="a")
    with pytest.raises(InputError) as error:
        fitted.contrast({"a": 1.0, "z": 1.0})
    assert len(error.value.faults) == 2


def test_constant_dose_and_tiny_groups_are_refused():
    with pytest.raises(InputError, match="dose"):
        dose_response(np.arange(4.0), np.ones(4))
    with pytest.raises(InputError, match="treated"):
        two_sample_t([1.0], [1.0, 2.0])
    with pytest.raises(InputError, match="no spread"):
        two_sample_t([1.0, 1.0], [2.0, 2.0])


def test_batched_ancova_equals_one_by_one():
    rng = np.random.default_rng(1)
    x, score = rng.normal(size=(40, 2)), rng.normal(size=(3, 40))
    y = rng.normal(size=(3, 40))
    arm = np.stack([rng.permutation(40) % 2 for _ in range(3)])
    batch = ancova_batch(y, arm, x, score)
    for r in range(3):
        one = ancova(y[r], arm[r], {"a": x[:, 0], "b": x[:, 1], "s": score[r]}, control=0)
        assert batch.effect[r] == pytest.approx(one.effects["1"].estimate)
        assert batch.se[r] == pytest.approx(one.effects["1"].se)
        assert batch.p_value[r] == pytest.approx(one.effects["1"].p_value)


@pytest.mark.parametrize(("time", "event", "where"), [
    ([1.0, -1.0], [1, 0], "time"),
    ([1.0, np.nan], [1, 0], "time"),
    ([1.0, 2.0], [2, 0], "event"),
    ([1.0, 2.0], [0, 0], "no event"),
    ([1.0, 2.0], [1], "event"),
])
def test_faulty_times_are_refused(time, event, where):
    with pytest.raises(InputError, match=where):
        kaplan_meier(time, event)


def test_kaplan_meier_by_hand():
    curve = kaplan_meier([1, 2, 2, 3, 4], [1, 1, 0, 0, 1])
    np.testing.assert_allclose(curve.survival, [0.8, 0.6, 0.0])
    np.testing.assert_allclose(curve.at([0.5, 2, 3.9, 9]), [1, 0.6, 0.6, 0])
    assert curve.se[0] == pytest.approx(np.sqrt(0.8 * 0.2 / 5))
    assert (curve.low <= curve.survival).all()
    assert curve.median() == 4
    assert kaplan_meier([1, 2, 3], [1, 0, 0]).median() == float("inf")


def test_restricted_mean_without_censoring_is_a_mean():
    time = np.asarray([2.0, 4.0, 6.0, 8.0, 12.0])
    value, se = restricted_mean(time, np.ones(5), 10.0)
    capped = np.minimum(time, 10.0)
    assert value == pytest.approx(capped.mean())
    assert se == pytest.approx(capped.std() / np.sqrt(5))
    with pytest.raises(InputError, match="horizon"):
        restricted_mean_difference(time, np.ones(5), [1, 1, 0, 0, 0], 10.0)
    late = restricted_mean_difference(time, np.ones(5), [1, 1, 0, 0, 0], 3.0)
    assert late.estimate == pytest.approx(-0.5)


def test_restricted_mean_difference_with_an_arm_without_events():
    time, event = [2.0, 4.0, 6.0, 8.0, 9.0, 9.0], [1, 1, 1, 0, 0, 0]
    treated = [0, 0, 0, 1, 1, 1]
    found = restricted_mean_difference(time, event, treated, 5.0)
    assert found.estimate == pytest.approx(5 - (2 + 4 + 5) / 3)
    assert found.se == pytest.approx(restricted_mean(time[:3], event[:3], 5.0)[1])
    assert "treated arm" in found.extra["caution"]
    assert found.extra["events_before_horizon"] == {"treated": 0, "control": 2}
    with pytest.raises(InputError, match="either arm"):
        restricted_mean_difference(time, event, treated, 1.0)


def test_cox_refuses_what_has_no_finite_ratio():
    time, event = np.arange(1.0, 9.0), np.asarray([1.0, 1, 1, 1, 0, 0, 0, 0])
    with pytest.raises(InputError, match=r"columns\.x"):
        cox(time, event, {"x": event})
    with pytest.raises(InputError, match=r"columns\.x"):
        cox(time, event, {"x": np.ones(8)})


def test_cox_batch_flags_only_the_lost_replicate():
    rng = np.random.default_rng(2)
    time = np.tile(np.arange(1.0, 9.0), (2, 1))
    event = np.stack([np.ones(8), [1.0, 1, 1, 1, 0, 0, 0, 0]])
    x = np.stack([rng.normal(size=8), event[1]])[..., None]
    fitted = cox_batch(time, event, x)
    assert fitted.converged.tolist() == [True, False]
    alone = cox(time[0], event[0], {"x": x[0, :, 0]})
    assert fitted.coefficients[0, 0] == pytest.approx(alone.coefficients[0], abs=1e-9)


def test_cox_batch_survives_a_replicate_without_events():
    rng = np.random.default_rng(3)
    time, event = rng.exponential(size=(2, 20)), np.ones((2, 20))
    event[1] = 0.0
    fitted = cox_batch(time, event, rng.normal(size=(2, 20, 2)))
    assert fitted.converged.tolist() == [True, False]


def test_cox_unknown_column_and_flat_score():
    fitted = cox([1, 2, 3, 4], [1, 1, 1, 0], {"x": [1.0, -1.0, 0.5, 0.0]})
    with pytest.raises(InputError, match="allowed: x"):
        fitted.hazard_ratio("y")
    with pytest.raises(InputError, match="no spread"):
        fit_cox_score({"x": np.ones(4)}, [1, 2, 3, 4], [1, 1, 1, 0])
    score = fit_cox_score({"x": [1.0, -1.0, 0.5, 0.0]}, [1, 2, 3, 4], [1, 1, 1, 0])
    with pytest.raises(InputError, match=r"columns\.x: absent"):
        score.score({"z": [1.0]})


def test_logrank_with_one_arm_is_refused():
    with pytest.raises(InputError, match="arm"):
        logrank([1, 2], [1, 1], ["a", "a"])


def test_concordance_extremes():
    time, event = [1, 2, 3, 4], [1, 1, 1, 1]
    assert concordance([4, 3, 2, 1], time, event).estimate == 1.0
    assert concordance([1, 2, 3, 4], time, event).estimate == 0.0
    # Of six pairs, (1, 4) and (2, 3) tie, (2, 4) and (3, 4) are in order, two are not.
    assert concordance([1, 2, 2, 1], time, event).estimate == pytest.approx((2 + 2 / 2) / 6)
    with pytest.raises(InputError, match="pair"):
        concordance([1, 2], [1, 1], [1, 1])


def test_saving_is_planned_from_the_lower_limit():
    sure = plan_saving(correlation(0.5, 400), 0.5, 1.0)
    assert sure.rho_planned < 0.5
    assert sure.n_at_estimate < sure.n_planned < sure.n_without
    assert sure.power_planned >= 0.9 > sure.power_if_worthless
    vague = plan_saving(correlation(0.1, 50), 0.5, 1.0)
    assert vague.rho_planned == 0.0
    assert vague.saving == 0.0


def test_planning_lists_every_fault():
    with pytest.raises(InputError) as error:
        sample_size(0.0, -1.0, rho=1.0, power_wanted=0.01)
    assert len(error.value.faults) == 4
    with pytest.raises(InputError) as error:
        correlation(1.0, 3)
    assert len(error.value.faults) == 2


def test_missing_strata_and_single_numbers_are_told():
    strata = np.asarray(["a", None, "b", "a"], dtype=object)
    with pytest.raises(InputError, match="strata: holds missing labels"):
        logrank([1, 2, 3, 4], [1, 0, 1, 1], ["p", "q", "p", "q"], strata)
    with pytest.raises(InputError, match="at least 2"):
        two_sample_t(5.0, [1.0, 2.0])


def test_no_difference_without_spread_is_no_evidence():
    line = from_t("constant", 0.0, 0.0, 10, 8)
    assert (line.estimate, line.p_value) == (0.0, 1.0)
