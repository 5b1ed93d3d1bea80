"""Keyed draws follow their laws. False-alarm rate 1e-4 for each test (fixed seed: no flakiness)."""

import numpy as np
import pytest
from scipy import stats

from generation.randomness import Stream

ALARM = 1e-4


@pytest.mark.parametrize("axis", ["replicate", "patient", "decision", "index"])
def test_uniform_along_each_counter_word(axis: str) -> None:
    draws = Stream(11, "laws").uniform(**{axis: np.arange(20_000)})
    assert stats.kstest(draws, "uniform").pvalue > ALARM
    assert draws.min() > 0
    assert draws.max() < 1


def test_normal_law_and_independence_of_neighbours() -> None:
    draws = Stream(12, "laws").normal(np.arange(200)[:, None], np.arange(200)[None, :])
    assert stats.kstest(draws.ravel(), "norm").pvalue > ALARM
    for left, right in ((draws[1:], draws[:-1]), (draws[:, 1:], draws[:, :-1])):
        r = np.corrcoef(left.ravel(), right.ravel())[0, 1]
        assert abs(r) < stats.norm.isf(ALARM / 2) / np.sqrt(left.size)


def test_a_planted_error_fails() -> None:
    """Draws squeezed by two per cent are noticed by the same check."""
    draws = 0.98 * Stream(11, "laws").uniform(patient=np.arange(20_000))
    assert stats.kstest(draws, "uniform").pvalue < ALARM
