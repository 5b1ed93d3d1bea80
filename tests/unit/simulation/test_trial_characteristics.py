"""Monte Carlo errors of simulated shares."""

from __future__ import annotations

import numpy as np
import pytest

from simulation.trial.characteristics import _share


@pytest.mark.parametrize("hit", [0.0, 1.0])
def test_a_share_of_none_or_all_still_has_an_error(hit: float) -> None:
    found = _share(np.full(400, hit))
    assert found.value == hit
    assert found.se == pytest.approx(np.sqrt(1 / 400 * (1 - 1 / 400) / 400))


def test_any_other_share_has_the_binomial_error() -> None:
    found = _share(np.repeat([0.0, 1.0], [300, 100]))
    assert found.se == pytest.approx(np.sqrt(0.25 * 0.75 / 400))
