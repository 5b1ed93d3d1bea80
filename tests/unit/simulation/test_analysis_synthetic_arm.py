"""Analyses with a synthetic arm: their parts against the plain analyses, and the corrections."""

from __future__ import annotations

import numpy as np
import pytest

from extraction.records import InputError
from simulation.analysis.continuous import ancova, two_sample_t
from simulation.analysis.cox import cox
from simulation.analysis.external_control import synthetic_control_test
from simulation.analysis.survival import restricted_mean_difference
from simulation.analysis.synthetic_arm import (
    Parts,
    ancova_parts,
    corrected,
    hazard_ratio_parts,
    mean_parts,
    naive,
    over_refits,
    restricted_mean_parts,
)

RNG = np.random.default_rng(8)
N1, N0 = 70, 90
ARM = np.r_[np.ones(N1), np.zeros(N0)]
TIME = RNG.exponential(300, N1 + N0).round() + 1
EVENT = (RNG.random(N1 + N0) < 0.7).astype(float)
Y1, Y0 = RNG.normal(1, 2, N1), RNG.normal(0, 1, N0)
X1, X0 = RNG.normal(size=(N1, 2)), RNG.normal(size=(N0, 2))


def test_a_mean_counted_naively_is_welchs_test() -> None:
    line, welch = naive(mean_parts(Y1, Y0)), two_sample_t(Y1, Y0)
    assert (line.estimate, line.se, line.p_value) == pytest.approx(
        (welch.estimate, welch.se, welch.p_value))
    assert line.extra["valid"] is False


def test_a_corrected_mean_is_the_corrected_test() -> None:
    line = corrected(mean_parts(Y1, Y0), 40, tau2=0.01)
    known = synthetic_control_test(Y1, Y0, 40, tau2=0.01)
    assert (line.estimate, line.se, line.df) == pytest.approx(
        (known.estimate, known.se, known.df))


def test_an_ancova_has_the_plain_effect_and_nearly_its_error() -> None:
    parts = ancova_parts(Y1, Y0, X1, X0)
    x = np.vstack([X1, X0])
    plain = ancova(np.r_[Y1, Y0], ARM, {"a": x[:, 0], "b": x[:, 1]}, control=0.0,
                   variance="hc3").effects["1.0"]
    assert parts.estimate == pytest.approx(plain.estimate)
    assert naive(parts).se == pytest.approx(plain.se, rel=0.05)


def test_a_hazard_ratio_is_coxs_and_its_parts_are_its_variance() -> None:
    parts = hazard_ratio_parts(TIME, EVENT, ARM)
    plain = cox(TIME, EVENT, {"arm": ARM})
    assert parts.estimate == pytest.approx(plain.coefficients[0])
    assert parts.treated_variance + parts.control_variance == pytest.approx(
        plain.covariance[0, 0])
    events = EVENT[ARM == 1].sum(), EVENT[ARM == 0].sum()
    assert parts.treated_variance == pytest.approx(1 / events[0], rel=0.2)
    assert parts.control_variance == pytest.approx(1 / events[1], rel=0.2)


def test_swapping_the_arms_swaps_the_parts() -> None:
    one, other = hazard_ratio_parts(TIME, EVENT, ARM), hazard_ratio_parts(TIME, EVENT, 1 - ARM)
    assert one.estimate == pytest.approx(-other.estimate)
    assert one.treated_variance == pytest.approx(other.control_variance)


def test_a_restricted_mean_is_the_plain_one() -> None:
    line = naive(restricted_mean_parts(TIME, EVENT, ARM, 200.0))
    plain = restricted_mean_difference(TIME, EVENT, ARM, 200.0)
    assert (line.estimate, line.se) == pytest.approx((plain.estimate, plain.se))


def test_only_the_control_part_grows_with_the_patients_behind() -> None:
    parts = hazard_ratio_parts(TIME, EVENT, ARM)
    line = corrected(parts, N0)
    assert line.se**2 == pytest.approx(parts.treated_variance + 2 * parts.control_variance)
    many = corrected([parts] * 10, N0)
    assert many.se**2 == pytest.approx(parts.treated_variance + 1.1 * parts.control_variance)
    assert corrected(parts, 20).se > line.se > naive(parts).se


def test_refits_measure_what_the_correction_assumes() -> None:
    draws = RNG.normal(0, np.sqrt(0.02 * (1 + 4)), 400)
    parts = [Parts("x", float(q), 0.03, 0.02, 60, 240, small_sample=False) for q in draws]
    found, assumed = over_refits(parts, 60), corrected(parts, 60)
    assert found.se == pytest.approx(assumed.se, rel=0.1)
    wide = [Parts("x", float(3 * q), 0.03, 0.02, 60, 240, small_sample=False) for q in draws]
    assert over_refits(wide, 60).se > 2 * assumed.se


def test_what_cannot_be_analysed_is_told() -> None:
    with pytest.raises(InputError, match="without an event"):
        hazard_ratio_parts(TIME, EVENT * ARM, ARM)
    with pytest.raises(InputError, match="no event before"):
        restricted_mean_parts(TIME, np.r_[EVENT[:N1], np.zeros(N0 - 1), 1], ARM, TIME[-1])
    with pytest.raises(InputError, match="at least 20"):
        over_refits([mean_parts(Y1, Y0)] * 5, 40)
    with pytest.raises(InputError) as caught:
        corrected([], 1, tau2=-1.0)
    assert len(caught.value.faults) == 3
    with pytest.raises(InputError, match="at least 2"):
        mean_parts([1.0], Y0)
