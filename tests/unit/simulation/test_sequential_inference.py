"""After stopping, combination, conditional power and size changes: identities and coverage."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr, ndtri

from extraction.records.errors import InputError
from simulation.analysis.sequential import group_sequential
from simulation.analysis.sequential.combination import (
    fisher_design,
    fisher_p_value,
    inverse_normal,
    inverse_normal_p_value,
    stage_statistics,
    stage_weights,
)
from simulation.analysis.sequential.conditional import (
    conditional_error,
    conditional_power,
    predictive_power,
)
from simulation.analysis.sequential.estimates import (
    after_stopping,
    repeated_p_values,
    stagewise_p_value,
)
from simulation.analysis.sequential.quadrature import PRECISE
from simulation.analysis.sequential.reestimation import (
    blinded_size_events,
    blinded_size_means,
    blinded_size_rates,
    information_for_power,
    promising_zone,
    unblinded_size,
)

INFORMATION = np.array([10.0, 20.0, 30.0])


def test_a_stop_at_the_first_look_needs_no_correction_exact() -> None:
    found = after_stopping([0], [3.0], [4.0, 9.0], [2.5, 2.0])
    assert found.estimate[0] == pytest.approx(1.5, abs=1e-8)
    assert (found.low[0], found.high[0]) == pytest.approx(
        (1.5 + ndtri(0.025) / 2, 1.5 - ndtri(0.025) / 2), abs=1e-8
    )
    assert found.p_value[0] == pytest.approx(ndtr(-3.0), abs=1e-12)


def test_the_p_value_at_the_bound_is_what_was_spent_exact() -> None:
    design = group_sequential("lan_demets_pocock", (0.2, 0.6, 1.0))
    for stage in range(3):
        p = stagewise_p_value(stage, design.critical[stage], design.rates, design.critical)
        assert p == pytest.approx(design.alpha_spent[stage], abs=1e-11)


@pytest.mark.parametrize("boundary", ["obrien_fleming", "lan_demets_pocock"])
def test_repeated_p_values_are_levels_that_just_reject_fitted_1e6(boundary: str) -> None:
    for alpha in (1e-6, 0.001, 0.025, 0.3):
        design = group_sequential(boundary, (0.3, 0.7, 1.0), alpha, 0.99)
        for look in range(3):
            p = repeated_p_values(design.plan, look, [design.critical[look]])
            assert p == pytest.approx([alpha], rel=1e-6)
    with pytest.raises(InputError, match="interim"):
        repeated_p_values(group_sequential("haybittle_peto", 2).plan, 0, [3.5])


def test_intervals_agree_with_the_test_exact() -> None:
    design = group_sequential("pocock", 3)
    barely = np.asarray(design.critical) + 1e-6
    found = after_stopping([0, 1, 2], barely, INFORMATION, design.critical, level=0.95)
    assert np.all(found.p_value < 0.025)
    assert np.all(found.low[2:] > 0)
    short = after_stopping([2], [design.critical[2] - 1e-6], INFORMATION, design.critical)
    assert short.low[0] < 0
    assert short.p_value[0] > 0.025


def test_quick_and_precise_agree_and_rows_do_not_matter_exact() -> None:
    design = group_sequential("pocock", 3)
    rng = np.random.default_rng(8)
    stage, z = rng.integers(0, 3, 300), rng.normal(2.0, 1.0, 300)
    times = INFORMATION + rng.uniform(-2.0, 2.0, (300, 3))
    quick = after_stopping(stage, z, times, design.critical)
    precise = after_stopping(stage[::-1], z[::-1], times[::-1], design.critical, precision=PRECISE)
    for name in ("estimate", "low", "high", "p_value"):
        assert np.allclose(getattr(quick, name), getattr(precise, name)[::-1], atol=1e-7)


@pytest.mark.parametrize("binding", [True, False])
def test_coverage_and_median_simulated_8000(binding: bool) -> None:
    """Three proportions each, 1 % over 6 comparisons: normal quantile 3.14."""
    n, effect = 8_000, 0.5
    futility = {"family": "beta_spending", "binding": binding}
    design = group_sequential("lan_demets_pocock", 3, futility=futility)
    rng = np.random.default_rng(20261122)
    score = np.cumsum(rng.normal(effect * 10, np.sqrt(10), (n, 3)), axis=1)
    z = score / np.sqrt(INFORMATION)
    stop = (z >= design.critical) | (z <= design.level_lower)
    stop[:, -1] = True
    stage = stop.argmax(axis=1)
    found = after_stopping(
        stage, z[np.arange(n), stage], INFORMATION, design.critical, design.level_lower
    )
    for share, seen in (
        (0.025, found.low > effect), (0.025, found.high < effect), (0.5, found.estimate > effect)
    ):
        assert seen.mean() == pytest.approx(share, abs=3.14 * np.sqrt(share * (1 - share) / n))


def test_two_sided_p_values_are_symmetric_exact() -> None:
    critical = np.array([2.5, 2.2, 2.0])
    up = after_stopping([1, 2], [2.3, 1.0], INFORMATION, critical, -critical, sided=2)
    down = after_stopping([1, 2], [-2.3, -1.0], INFORMATION, critical, -critical, sided=2)
    assert up.p_value == pytest.approx(down.p_value, abs=1e-9)
    assert up.estimate == pytest.approx(-down.estimate, abs=1e-8)
    assert up.low == pytest.approx(-down.high, abs=1e-8)


def test_planned_weights_give_back_the_usual_statistic_exact() -> None:
    rates = np.array([0.3, 0.7, 1.0])
    z = np.array([[1.0, 1.4, 2.2], [-0.3, 0.4, 0.1]])
    stages = stage_statistics(z, np.tile(rates, (2, 1)))
    assert np.allclose(inverse_normal(stages, stage_weights(rates)), z, atol=1e-12)


def test_combined_p_values_are_uniform_simulated_20000() -> None:
    """Two rejection shares at .05, 1 %: normal quantile 2.81; Fisher keeps its level exactly."""
    n = 20_000
    p = np.random.default_rng(3).uniform(size=(n, 2))
    spread = 2.81 * np.sqrt(0.05 * 0.95 / n)
    assert (fisher_p_value(p) <= 0.05).mean() == pytest.approx(0.05, abs=spread)
    assert (inverse_normal_p_value(p, (1.0, 2.0)) <= 0.05).mean() == pytest.approx(0.05, abs=spread)
    for futility in (1.0, 0.5):
        for method in ("full_alpha", "equal_alpha"):
            design = fisher_design(0.025, futility=futility, method=method)  # type: ignore[arg-type]
            level = design.first + quad(design.conditional_error, design.first, futility)[0]
            assert level == pytest.approx(0.025, abs=1e-9)
    early, rejected = fisher_design(0.025).reject([0.001, 0.2, 0.02], [0.5, 0.01, 0.9])
    assert early.tolist() == [True, False, False]
    assert rejected.tolist() == [True, True, False]


def test_conditional_error_averages_to_the_level_exact() -> None:
    design = group_sequential("obrien_fleming", (0.4, 0.8, 1.0))
    first = design.critical[0]
    later = quad(
        lambda z: float(conditional_error(design, 0, [z])[0]) * np.exp(-z * z / 2)
        / np.sqrt(2 * np.pi), -9, first, limit=200,
    )[0]
    assert ndtr(-first) + later == pytest.approx(0.025, abs=1e-9)


def test_conditional_and_predictive_power_of_two_looks_exact() -> None:
    design = group_sequential("obrien_fleming", (0.6, 1.0))
    z, t, c = np.array([-0.5, 1.0, 2.0]), 0.6, design.critical[1]
    for theta in (0.0, design.drift):
        closed = ndtr((z * np.sqrt(t) + theta * (1 - t) - c) / np.sqrt(1 - t))
        assert conditional_power(design, 0, z, theta) == pytest.approx(closed, abs=1e-12)
    trend = ndtr((z / np.sqrt(t) - c) / np.sqrt(1 - t))
    assert conditional_power(design, 0, z) == pytest.approx(trend, abs=1e-12)
    predictive = ndtr((z / np.sqrt(t) - c) * np.sqrt(t / (1 - t)))
    assert predictive_power(design, 0, z) == pytest.approx(predictive, abs=1e-6)
    sure = predictive_power(design, 0, z, design.drift, 1e9)
    assert sure == pytest.approx(conditional_power(design, 0, z, design.drift), abs=1e-6)


def test_the_promising_zone_keeps_the_level_exact() -> None:
    """Type I error of the usual test, integrated over the interim statistic, is below alpha."""
    zone = promising_zone(50, 100, 200, power=0.9)
    z = np.linspace(-6, 6, 200_001)
    size = zone.size(z)
    assert size.min() == 100
    assert size.max() == 200
    needed = (ndtri(0.975) * np.sqrt(size) - z * np.sqrt(50)) / np.sqrt(size - 50)
    level = np.trapezoid(ndtr(-needed) * np.exp(-z * z / 2) / np.sqrt(2 * np.pi), z)
    assert 0.02 < level <= 0.025
    grown = zone.promising(z)
    assert np.all(zone.exact_critical(z[grown], size[grown]) <= ndtri(0.975) + 1e-9)
    between = grown & (size < 200)
    reached = zone.conditional_power(z[between], size[between])
    assert reached == pytest.approx(np.full(between.sum(), 0.9), abs=1e-9)


def test_sizes_reach_the_conditional_power_exact() -> None:
    needed = np.array([0.5, 1.5, -3.0])
    rest = information_for_power(needed, 0.3, 0.9)
    assert ndtr(0.3 * np.sqrt(rest[:2]) - needed[:2]) == pytest.approx([0.9, 0.9], abs=1e-12)
    assert rest[2] == 0.0
    assert information_for_power([1.0], [-0.1], 0.9)[0] == np.inf
    size = unblinded_size([1.5], 0.3, planned=(100, 100), critical=1.977, limits=(0, 1e9))
    needed = (1.977 * np.sqrt(2) - 1.5)
    assert ndtr(0.3 * np.sqrt(size[0] / 4) - needed) == pytest.approx(0.9, abs=1e-12)


def test_blinded_sizes_at_the_planned_nuisance_are_the_planned_sizes_exact() -> None:
    from simulation.analysis.sample_size import sample_size_means, sample_size_rates

    planned = sample_size_means(0.5, method="normal")
    assert blinded_size_means([1.0, 2.0], 0.5) == pytest.approx([planned, 2 * planned])
    lumped = 1.0 + 0.25 * 0.5**2
    assert blinded_size_means([lumped], 0.5, adjusted=True) == pytest.approx([planned])
    assert blinded_size_rates([0.5], 0.2) == pytest.approx([sample_size_rates(0.6, 0.4)])
    assert blinded_size_events(100, [0.5, 0.2], maximum=400).tolist() == [200.0, 400.0]


def test_wrong_rules_are_refused_at_once() -> None:
    with pytest.raises(InputError) as caught:
        unblinded_size([1.0], 0.3, planned=(100, 0), critical=2.0, power=0.4, limits=(3, 2))
    assert len(caught.value.faults) == 3
    with pytest.raises(InputError) as caught:
        promising_zone(100, 50, 200, power=0.3)
    assert len(caught.value.faults) == 2
    with pytest.raises(InputError, match="lowest"):
        promising_zone(50, 100, 200, lowest=0.1)
    with pytest.raises(InputError) as caught:
        fisher_design(0.6, futility=2.0, first=0.9)
    assert len(caught.value.faults) == 3
