"""Inference after stopping, combination tests and size changes against R and the literature."""

import numpy as np
import pytest
from scipy.special import ndtr

from simulation.analysis.multiplicity_dunnett import dunnett_critical, stagewise_closed_dunnett
from simulation.analysis.sequential import group_sequential
from simulation.analysis.sequential.combination import fisher_design
from simulation.analysis.sequential.conditional import conditional_error
from simulation.analysis.sequential.estimates import (
    after_stopping,
    repeated_intervals,
    repeated_p_values,
)
from simulation.analysis.sequential.reestimation import (
    needed_statistic,
    promising_zone,
    unblinded_size,
)
from tests.support.reference_support import Z


def test_inference_after_stopping_exact() -> None:
    """rpact 3.3.4: getAnalysisResults(getDesignGroupSequential(kMax = 3, alpha = .025, beta = .1,
    typeOfDesign = "OF", informationRates = c(.3, .7, 1)), getDataset(n = 30, 40 an arm, means .6,
    .5 against 0, standard deviations 1), stage = 2, normalApproximation = TRUE)."""
    design = group_sequential("obrien_fleming", (0.3, 0.7, 1.0))
    # information: 1 / se^2, with rpact's standard errors: overall effect / overall statistic
    effects, z = np.array([0.6, 38 / 70]), np.array([2.32379000772, 3.23307757409])
    information = (z / effects) ** 2
    planned = np.array([*(information[1] * np.array([0.3, 0.7]) / 0.7), information[1] / 0.7])
    found = after_stopping([1], z[1:], planned, design.critical)
    assert found.p_value[0] == pytest.approx(0.000711517427022, abs=1e-11)
    assert found.low[0] == pytest.approx(0.210773825, abs=1e-6)
    assert found.high[0] == pytest.approx(0.871179091, abs=1e-6)
    assert found.estimate[0] == pytest.approx(0.541574766, abs=1e-6)
    low, high = repeated_intervals(z, information, design.critical[:2])
    assert low == pytest.approx((-0.346882223, 0.139748014), abs=2e-8)
    assert high == pytest.approx((1.546882229, 0.945966272), abs=2e-8)
    # $repeatedPValues .1229169758 .0036316309; the second is off by rpact's own root finding
    for look, p, digits in ((0, 0.1229169758, 1e-7), (1, 0.0036316309, 2e-6)):
        found_p = repeated_p_values(design.plan, look, z[look : look + 1])
        assert found_p[0] == pytest.approx(p, abs=digits)
    # $conditionalRejectionProbabilities
    assert conditional_error(design, 0, z[:1])[0] == pytest.approx(0.227216715, abs=2e-8)
    assert conditional_error(design, 1, z[1:])[0] == pytest.approx(0.898197647, abs=2e-8)


def test_fisher_product_exact() -> None:
    """rpact 3.3.4: getDesignFisher(kMax = 2, alpha = .025, method, alpha0Vec = .5)."""
    full = fisher_design(0.025, futility=0.5)
    assert (full.first, full.product) == pytest.approx((0.010189030470, 0.003804223466), abs=1e-11)
    equal = fisher_design(0.025, futility=0.5, method="equal_alpha")
    assert (equal.first, equal.product) == pytest.approx(
        (0.016870306914, 0.002398809657), abs=1e-11
    )
    never = fisher_design(0.025)
    assert never.first == never.product == pytest.approx(0.003804223466, abs=1e-11)


@pytest.mark.parametrize(
    ("power", "interim", "maximum", "lowest"),
    [(0.8, 0.25, 1.5, 0.42), (0.8, 0.5, 1.5, 0.41), (0.8, 0.75, 1.5, 0.38),
     (0.8, 0.25, 2.0, 0.37), (0.8, 0.5, 2.0, 0.36), (0.8, 0.75, 2.0, 0.33),
     (0.9, 0.25, 1.5, 0.42), (0.9, 0.5, 1.5, 0.41), (0.9, 0.75, 1.5, 0.38)],
)
def test_promising_zone_begins_exact(
    power: float, interim: float, maximum: float, lowest: float
) -> None:
    """Mehta and Pocock (2011), table I, two decimals."""
    zone = promising_zone(interim, 1.0, maximum, power=power)
    assert zone.lowest == pytest.approx(lowest, abs=0.0051)


@pytest.mark.parametrize(
    ("effect", "rejected", "expected"),
    [(0.0, 0.0241, 393.67), (0.2, 0.4613, 361.59), (0.3, 0.7963, 325.55), (0.4, 0.9619, 276.72)],
)
def test_size_changed_by_conditional_power_simulated_10000(
    effect: float, rejected: float, expected: float
) -> None:
    """rpact 3.3.4 getSimulationMeans, inverse normal OF k = 2, 100 then 200, at most 300 in stage
    2, conditional power .9 at .3: 10,000 replicates. Ours is integrated over the first stage.
    """
    first, last = group_sequential("obrien_fleming", 2).critical
    nodes, weights = np.polynomial.legendre.leggauss(400)
    low, mean = -9.0, effect * 5.0  # sqrt(100 / 4)
    z = low + (first - low) * (nodes + 1) / 2
    mass = weights * (first - low) / 2 * np.exp(-0.5 * (z - mean) ** 2) / np.sqrt(2 * np.pi)
    size = unblinded_size(z, 0.3, planned=(100, 100), critical=last, limits=(100, 300))
    needed = needed_statistic(z, 10.0, 10.0, last)
    power = ndtr(mean - first) + mass @ ndtr(effect * np.sqrt(size) / 2 - needed)
    patients = 100 + mass @ size
    spread = np.sqrt(ndtr(mean - first) * 100**2 + mass @ (100 + size) ** 2 - patients**2)
    assert rejected == pytest.approx(power, abs=Z * np.sqrt(power * (1 - power) / 10_000))
    assert expected == pytest.approx(patients, abs=Z * spread / 100 + 0.005)


def test_dunnett_critical_values_exact() -> None:
    """Dunnett (1955), one-sided .05, infinite degrees of freedom: 1.92, 2.06, 2.16, 2.23."""
    for arms, value in ((2, 1.92), (3, 2.06), (4, 2.16), (5, 2.23)):
        assert dunnett_critical(0.05, np.ones(arms)) == pytest.approx(value, abs=0.0051)


@pytest.mark.parametrize(
    ("effects", "rejected"),
    [((0.0, 0.0, 0.0), 0.029), ((0.1, 0.2, 0.3), 0.434), ((0.2, 0.3, 0.5), 0.873)],
)
def test_select_the_best_arm_simulated_20000(
    effects: tuple[float, ...], rejected: float
) -> None:
    """rpact 3.3.4 getSimulationMultiArmMeans: 3 arms against control, 50 then 100 an arm, best
    selected, Dunnett, inverse normal OF; 1,000 replicates."""
    n, rng = 20_000, np.random.default_rng(20261122)
    means = np.array([*effects, 0.0]) + rng.normal(0.0, 1 / np.sqrt(50), (n, 2, 4))
    z = (means[:, :, :3] - means[:, :, 3:]) * 5.0
    active = np.zeros(z.shape, dtype=bool)
    active[:, 0] = True
    active[np.arange(n), 1, z[:, 0].argmax(axis=1)] = True
    critical = group_sequential("obrien_fleming", 2).critical
    ours = stagewise_closed_dunnett(z, active, (1.0, 1.0), critical)[:, -1].any(axis=1).mean()
    spread = np.sqrt(ours * (1 - ours) * (1 / n + 1 / 1_000))
    assert rejected == pytest.approx(ours, abs=Z * spread + 0.0005)
