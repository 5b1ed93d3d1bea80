"""Boundaries: invariants, unequal looks against the bivariate normal law, refusals."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from extraction.records.errors import InputError
from simulation.trial.boundaries import (
    group_sequential,
    power_means,
    rounded_up,
    sample_size_means,
    stage_rejections,
)

FAMILIES = ["obrien_fleming", "pocock"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("rates", [(0.3, 0.95, 1.0), (0.1, 0.11, 0.6, 1.0), (0.99, 1.0)])
def test_level_and_power_are_kept_at_any_looks(family: str, rates: tuple[float, ...]) -> None:
    design = group_sequential(family, rates, alpha=0.01, power=0.8)  # type: ignore[arg-type]
    assert design.stages(0.0).sum() == pytest.approx(0.01, abs=1e-9)
    assert design.stages().sum() == pytest.approx(0.8, abs=1e-9)
    assert 1.0 <= design.inflation < 1.3
    assert design.information() < design.information(0.0) <= 1.0


@pytest.mark.parametrize("rates", [(0.3, 1.0), (0.5, 1.0), (0.9, 1.0), (0.99, 1.0)])
@pytest.mark.parametrize("theta", [-1.0, 0.0, 3.2])
def test_two_looks_follow_the_bivariate_normal_law(
    rates: tuple[float, float], theta: float
) -> None:
    critical = (2.4, 2.0)
    means = theta * np.sqrt(rates)
    cov = [[1.0, np.sqrt(rates[0])], [np.sqrt(rates[0]), 1.0]]
    stay = multivariate_normal(means, cov).cdf(critical)
    assert stage_rejections(critical, rates, theta).sum() == pytest.approx(1 - stay, abs=1e-7)


def test_a_skipped_look_changes_nothing() -> None:
    skipped = stage_rejections([np.inf, 1.96], [0.5, 1.0], 1.0)
    assert skipped == pytest.approx([0.0, stage_rejections([1.96], [1.0], 1.0)[0]], abs=1e-10)


def test_all_wrong_arguments_are_named_at_once() -> None:
    with pytest.raises(InputError) as caught:
        group_sequential("haybittle", (0.5, 0.9), alpha=0.6, power=1.5)  # type: ignore[arg-type]
    assert len(caught.value.faults) == 4
    with pytest.raises(InputError) as caught:
        sample_size_means(0.0, 0.0, 2.0, 1.0)
    assert len(caught.value.faults) == 4


def test_the_size_has_the_power() -> None:
    size = sample_size_means(0.3, alpha=0.05, power=0.8, allocation=2 / 3)
    assert power_means(size, 0.3, alpha=0.05, allocation=2 / 3) == pytest.approx(0.8, abs=1e-9)
    assert rounded_up(170.0626) == 172
    assert rounded_up(170.0) == 170
