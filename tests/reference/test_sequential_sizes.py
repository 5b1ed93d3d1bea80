"""Sample sizes, events and calendar times, exact to the printed digits of R.

Source: R package rpact 3.3.4, calls beside the values; alpha = .025, beta = .1 unless said.
"""

import numpy as np
import pytest

from simulation.analysis.sample_size import (
    sample_size_counts,
    sample_size_means,
    sample_size_rates,
)
from simulation.analysis.sample_size_events import (
    EventProcess,
    Piecewise,
    dropout_hazard,
    exponential,
)
from simulation.analysis.sample_size_survival import (
    power_at_looks,
    sample_size_events,
    sample_size_survival,
)
from simulation.analysis.sequential import group_sequential


@pytest.mark.parametrize(
    ("ratio", "schoenfeld", "freedman", "patients"),
    [
        (0.6, 161.0686, 168.1188, 246.56),
        (0.7, 330.3779, 337.405, 485.03),
        (0.75, 507.8443, 514.8637, 732.07),
    ],
)
def test_survival_exact(
    ratio: float, schoenfeld: float, freedman: float, patients: float
) -> None:
    """getSampleSizeSurvival(median2 = 12, hazardRatio, accrualTime = 12, followUpTime = 18)."""
    assert sample_size_events(ratio) == pytest.approx(schoenfeld, abs=5e-5)
    assert sample_size_events(ratio, method="freedman") == pytest.approx(freedman, abs=6e-5)
    process = _process(ratio)
    size = sample_size_survival(process, group_sequential(looks=1), 18.0)
    assert size.patients == pytest.approx(patients, abs=0.005)


def _process(ratio: float) -> EventProcess:
    median = exponential(12.0)
    return EventProcess(Piecewise.constant(1.0, 12.0), median, median.times(ratio))


def test_group_sequential_survival_exact() -> None:
    """The same with getDesignGroupSequential(kMax = 3, typeOfDesign = "asOF")."""
    design = group_sequential("lan_demets_obrien_fleming", 3)
    size = sample_size_survival(_process(0.7), design, 18.0)
    assert size.patients == pytest.approx(490.77565, abs=5e-6)
    assert size.events == pytest.approx((111.4313, 222.8625, 334.2938), abs=5e-5)
    assert size.look_times == pytest.approx((11.55644690, 18.74448841, 30.0), abs=1e-7)
    assert size.critical_hazard_ratios == pytest.approx(
        (0.4951134109, 0.7142951947, 0.8041145498), abs=1e-8
    )
    assert size.stages == pytest.approx((0.03379320, 0.52651371, 0.33969309), abs=1e-7)
    assert size.expected_events == pytest.approx(268.0924757, abs=1e-6)
    assert size.expected_duration == pytest.approx(23.45055213, abs=1e-6)


def _piecewise() -> EventProcess:
    hazard = Piecewise((0.0, 6.0, 14.0), (0.05, 0.08, 0.03))
    return EventProcess(
        Piecewise((0.0, 3.0, 9.0), (10.0, 30.0, 60.0), 15.0), hazard, hazard.times(0.65),
        dropout_hazard(0.08, 12.0), dropout_hazard(0.05, 12.0), 2 / 3,
    )


def test_piecewise_hazards_enrolment_and_dropout_exact() -> None:
    """getEventProbabilities and getSampleSizeSurvival(beta = .2, piecewiseSurvivalTime =
    c(0, 6, 14), lambda2 = c(.05, .08, .03), hazardRatio = .65, accrualTime = c(0, 3, 9, 15),
    accrualIntensity 1:3:6, followUpTime = 12, dropoutRate1 = .05, dropoutRate2 = .08,
    dropoutTime = 12, allocationRatioPlanned = 2). rpact integrates these by quadrature (ours are
    closed forms, checked in the unit tests), hence 3e-8."""
    process = _piecewise()
    share = process.events([5.0, 11.0, 20.0]) / process.patients
    assert share == pytest.approx((0.01041486, 0.08125313, 0.35880279), abs=3e-8)
    size = sample_size_survival(process, group_sequential(looks=1, power=0.8), 12.0)
    assert size.events[0] == pytest.approx(190.328245762, abs=1e-8)
    assert size.patients == pytest.approx(367.7435007, abs=1e-4)


def test_freedman_two_to_one_exact() -> None:
    """typeOfComputation = "Freedman", hazardRatio = .7, beta = .2, allocationRatioPlanned = 2."""
    events = sample_size_events(0.7, power=0.8, allocation=2 / 3, method="freedman")
    assert events == pytest.approx(251.164151499, abs=1e-8)


@pytest.mark.parametrize(
    ("allocation", "superior", "other", "margin"),
    [
        (0.5, 258.505773978, 433.639870521, 1003.39019139),
        (2 / 3, 290.030840006, 484.288452422, 1144.87997295),
    ],
)
def test_rates_exact(allocation: float, superior: float, other: float, margin: float) -> None:
    """getSampleSizeRates: .6 v .4; .3 v .45; .4 v .4 with thetaH0 = -.1; allocation 1 and 2."""
    assert sample_size_rates(0.6, 0.4, allocation=allocation) == pytest.approx(superior, abs=1e-8)
    assert sample_size_rates(0.3, 0.45, allocation=allocation) == pytest.approx(other, abs=1e-8)
    found = sample_size_rates(0.4, 0.4, allocation=allocation, margin=-0.1)
    assert found == pytest.approx(margin, abs=1e-7)


@pytest.mark.parametrize(("method", "size"), [("t", 170.0626), ("normal", 168.1188)])
def test_means_exact(method: str, size: float) -> None:
    """getSampleSizeMeans(alternative = .5, normalApproximation = FALSE / TRUE)."""
    assert sample_size_means(0.5, method=method) == pytest.approx(  # type: ignore[arg-type]
        size, abs=1e-4
    )
    if method == "t":  # allocationRatioPlanned = 2
        assert sample_size_means(0.5, allocation=2 / 3) == pytest.approx(191.0748, abs=2e-4)


def test_counts_exact() -> None:
    """Zhu and Lakkis (2014), equation 8 with method 2, by hand: control 1.4, ratio .7."""
    variance = 2 * (1 / 0.98 + 0.5) + 2 * (1 / 1.4 + 0.5)
    by_hand = 10.507423 * variance / np.log(0.7) ** 2
    assert sample_size_counts(1.4, 0.7, dispersion=0.5) == pytest.approx(by_hand, abs=1e-4)


def test_delayed_effect_fitted_within_a_hundredth() -> None:
    """simtrial vignette "Simulate group sequential designs with ease": 362 patients over 12
    months, control median 10, no effect for 3 months, then .6, dropout .001; events 106, 227, 287
    at months 12, 24, 36; cumulative power .01, .66, .90 (two decimals, simulated)."""
    control = exponential(10.0)
    rate = control.values[0]
    process = EventProcess(
        Piecewise.constant(362 / 12, 12.0), control, Piecewise((0.0, 3.0), (rate, 0.6 * rate)),
        Piecewise.constant(0.001), Piecewise.constant(0.001),
    )
    found = power_at_looks(process, (3.508, 2.269, 2.023), events=(106, 227, 287))
    assert found.times == pytest.approx((12, 24, 36), abs=0.15)
    assert found.power == pytest.approx((0.01, 0.66, 0.90), abs=0.0125)
