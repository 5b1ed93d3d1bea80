"""Sizes reach their power; expected events agree with quadrature; refusals."""

import numpy as np
import pytest
from scipy.integrate import quad

from extraction.records.errors import InputError
from simulation.analysis.sample_size import (
    constrained_rates,
    power_counts,
    power_means,
    power_rates,
    rounded_up,
    sample_size_counts,
    sample_size_means,
    sample_size_rates,
)
from simulation.analysis.sample_size_events import EventProcess, Piecewise, exponential
from simulation.analysis.sample_size_survival import (
    power_at_looks,
    power_events,
    proportional,
    sample_size_events,
    sample_size_survival,
)
from simulation.analysis.sequential import group_sequential


def test_each_size_has_its_power_exact() -> None:
    means = sample_size_means(0.3, alpha=0.05, power=0.8, allocation=2 / 3)
    assert power_means(means, 0.3, alpha=0.05, allocation=2 / 3) == pytest.approx(0.8, abs=1e-9)
    for pooled in (True, False):
        rates = sample_size_rates(0.35, 0.5, power=0.8, allocation=0.6, pooled=pooled)
        reached = power_rates(
            rates, 0.35, 0.5, allocation=0.6, pooled=pooled, lower_is_better=True
        )
        assert reached == pytest.approx(0.8, abs=1e-9)
    margin = sample_size_rates(0.5, 0.5, margin=-0.1)
    assert power_rates(margin, 0.5, 0.5, margin=-0.1) == pytest.approx(0.9, abs=1e-9)
    counts = sample_size_counts(2.0, 0.6, dispersion=0.4, exposure=1.5, allocation=0.4)
    reached = power_counts(counts, 2.0, 0.6, dispersion=0.4, exposure=1.5, allocation=0.4)
    assert reached == pytest.approx(0.9, abs=1e-9)
    for method in ("schoenfeld", "freedman"):
        events = sample_size_events(0.65, allocation=0.6, method=method)  # type: ignore[arg-type]
        reached = power_events(events, 0.65, allocation=0.6, method=method)  # type: ignore[arg-type]
        assert reached == pytest.approx(0.9, abs=1e-9)
    assert rounded_up(170.0626) == 172
    assert rounded_up(170.0) == 170


def test_constrained_rates_maximise_the_likelihood_exact() -> None:
    for treated, control, share, margin in ((0.4, 0.4, 0.5, -0.1), (0.9, 0.2, 0.3, 0.05)):
        p, q = constrained_rates(treated, control, share, margin)
        assert p - q == pytest.approx(margin, abs=1e-12)

        def likelihood(
            q: float, treated: float = treated, control: float = control, share: float = share,
            margin: float = margin,
        ) -> float:
            p = q + margin
            return share * (treated * np.log(p) + (1 - treated) * np.log(1 - p)) + (1 - share) * (
                control * np.log(q) + (1 - control) * np.log(1 - q)
            )

        assert likelihood(q) >= max(likelihood(q + 1e-4), likelihood(q - 1e-4))


def _process() -> EventProcess:
    hazard = Piecewise((0.0, 4.0, 9.0), (0.05, 0.0, 0.08))
    return EventProcess(
        Piecewise((0.0, 3.0), (5.0, 12.0), 10.0), hazard, Piecewise((0.0, 6.0), (0.04, 0.06)),
        Piecewise((0.0, 2.0), (0.0, 0.02)), Piecewise.constant(0.01), 0.4,
    )


@pytest.mark.parametrize("time", [1.0, 8.0, 12.5, 30.0])
def test_expected_events_agree_with_quadrature_exact(time: float) -> None:
    process = _process()
    arms = ((process.control, process.dropout_control, 0.6),
            (process.treated, process.dropout_treated, 0.4))
    for found, (hazard, dropout, share) in zip(process.by_arm(time), arms, strict=True):

        def left(u: float, hazard: Piecewise = hazard, dropout: Piecewise = dropout) -> float:
            return float(hazard.at(u) * np.exp(-hazard.until(u) - dropout.until(u)))

        def entered(u: float) -> float:  # patients who can have been followed for u
            return float(process.enrolment.until(time - u)) if u < time else 0.0

        breaks = [b for b in (2, 4, 6, 9, time - 10, time - 3) if 0 < b < time]
        exact = quad(
            lambda u, left=left: left(u) * entered(u), 0, time, points=breaks, limit=200,
            epsabs=1e-12,
        )[0]
        assert found == pytest.approx(share * exact, rel=1e-8)


def test_the_time_of_an_expected_number_exact() -> None:
    process = _process()
    for events in (1.0, 20.0, 45.0):
        assert process.events(process.time_of(events)) == pytest.approx(events, abs=1e-7)
    assert process.with_patients(500).patients == pytest.approx(500)
    assert process.enrolled([0.0, 3.0, 99.0]) == pytest.approx([0.0, 15.0, 99.0])
    with pytest.raises(InputError, match="never"):
        process.time_of(1_000)


def test_power_of_proportional_hazards_is_near_the_plan_fitted_one_hundredth() -> None:
    median = exponential(12.0)
    process = EventProcess(Piecewise.constant(1.0, 12.0), median, median.times(0.7))
    design = group_sequential("lan_demets_obrien_fleming", 3)
    size = sample_size_survival(process, design, 18.0)
    assert proportional(process) == pytest.approx(0.7)
    found = power_at_looks(process.with_patients(size.patients), design.critical,
                           times=size.look_times)
    assert found.events == pytest.approx(size.events, rel=1e-9)
    assert found.hazard_ratio == pytest.approx([0.7] * 3)
    assert found.power[-1] == pytest.approx(0.9, abs=0.01)
    assert sum(size.stages) == pytest.approx(0.9, abs=1e-9)
    assert size.expected_duration < 30


def test_wrong_figures_are_named_at_once() -> None:
    with pytest.raises(InputError) as caught:
        sample_size_means(0.0, 0.0, 2.0, 1.0)
    assert len(caught.value.faults) == 4
    with pytest.raises(InputError) as caught:
        sample_size_rates(1.0, 0.0, margin=3.0)
    assert len(caught.value.faults) == 3
    with pytest.raises(InputError) as caught:
        sample_size_counts(0.0, -1.0, exposure=0.0, dispersion=-1.0, margin=0.0)
    assert len(caught.value.faults) == 5
    with pytest.raises(InputError) as caught:
        Piecewise((1.0, 0.5), (0.1,))
    assert len(caught.value.faults) == 2
    with pytest.raises(InputError) as caught:
        EventProcess(Piecewise.constant(1.0), exponential(1.0), exponential(1.0), allocation=1.0)
    assert len(caught.value.faults) == 2
    with pytest.raises(InputError, match="proportional"):
        proportional(_process())
    with pytest.raises(InputError, match="hazard_ratio"):
        sample_size_events(1.0)
