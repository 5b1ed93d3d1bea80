"""Boundaries keep their meaning for any looks: the level is spent, power rises with the drift."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.trial.boundaries import group_sequential

RATES = st.sets(st.integers(1, 19), max_size=5).map(lambda s: [*(k / 20 for k in sorted(s)), 1.0])
FAMILY = st.sampled_from(["obrien_fleming", "pocock"])


@settings(deadline=None, max_examples=40)
@given(kind=FAMILY, rates=RATES, alpha=st.floats(0.001, 0.2), drift=st.floats(0.0, 5.0))
def test_level_power_and_information(
    kind: str, rates: list[float], alpha: float, drift: float
) -> None:
    design = group_sequential(kind, rates, alpha, power=0.85)  # type: ignore[arg-type]
    assert design.stages(0.0).sum() == pytest.approx(alpha, abs=1e-8)
    assert np.all(design.stages(drift) >= 0)
    assert design.stages(drift).sum() <= design.stages(drift + 0.5).sum() + 1e-9
    assert rates[0] - 1e-9 <= design.information(drift) <= 1 + 1e-9
    assert design.inflation >= 1 - 1e-9
