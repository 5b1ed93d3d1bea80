"""Group-sequential designs keep their meaning for any looks, families and errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.analysis.multiplicity import (
    Graph,
    closed_p_values,
    hochberg,
    holm,
    simes,
    weighted_bonferroni,
)
from simulation.analysis.sequential import group_sequential
from simulation.analysis.sequential.estimates import after_stopping
from simulation.analysis.sequential.observed import observed_bounds
from simulation.analysis.sequential.quadrature import crossing

RATES = st.sets(st.integers(1, 19), max_size=5).map(lambda s: [*(k / 20 for k in sorted(s)), 1.0])
SHAPES = ["obrien_fleming", "pocock", "wang_tsiatis"]
SPENDING = ["lan_demets_obrien_fleming", "lan_demets_pocock", "hwang_shih_decani", "kim_demets"]
FAMILY = st.sampled_from([*SHAPES, *SPENDING])
PROBABILITIES = st.lists(st.floats(1e-6, 1.0), min_size=3, max_size=3)


@settings(deadline=None, max_examples=60)
@given(
    kind=FAMILY, rates=RATES, alpha=st.floats(0.001, 0.2), drift=st.floats(0.0, 5.0),
    sided=st.sampled_from([1, 2]),
)
def test_alpha_is_spent_and_power_rises(
    kind: str, rates: list[float], alpha: float, drift: float, sided: int
) -> None:
    design = group_sequential(kind, rates, alpha, power=0.85, sided=sided)
    assert design.alpha_spent[-1] == pytest.approx(alpha, abs=1e-10)
    assert np.all(np.diff(design.alpha_spent) >= -1e-15)
    assert np.all(design.stages(drift) >= 0)
    assert design.stages(drift).sum() <= design.stages(drift + 0.5).sum() + 1e-10
    assert rates[0] - 1e-9 <= design.information(drift) <= 1 + 1e-9
    assert design.inflation >= 1 - 1e-9


@settings(deadline=None, max_examples=25)
@given(
    kind=st.sampled_from(SPENDING), rates=RATES, spending=st.sampled_from(SPENDING),
    binding=st.booleans(), power=st.floats(0.6, 0.97),
)
def test_futility_spends_beta_and_keeps_the_level(
    kind: str, rates: list[float], spending: str, binding: bool, power: float
) -> None:
    futility = {"family": "beta_spending", "spending": spending, "binding": binding}
    design = group_sequential(kind, rates, 0.025, power, futility=futility)
    free = group_sequential(kind, rates, 0.025, power)
    assert design.stages().sum() == pytest.approx(power, abs=1e-8)
    assert design.alpha_spent[-1] == pytest.approx(0.025, abs=1e-10)
    assert design.stages().sum() + design.stops_below().sum() <= 1 + 1e-10
    assert design.drift >= free.drift - 1e-8 or binding
    assert all(low <= high for low, high in zip(design.futility, design.critical, strict=False))


@settings(deadline=None, max_examples=40)
@given(rates=RATES, drift=st.floats(-4.0, 4.0), shift=st.floats(0.5, 2.5))
def test_swapping_the_sign_swaps_the_sides(
    rates: list[float], drift: float, shift: float
) -> None:
    upper = np.linspace(2.5, 1.8, len(rates))
    lower = np.linspace(-shift, 1.0, len(rates)) - 0.5
    up, down = crossing(upper, lower, rates, drift)
    other_up, other_down = crossing(-lower, -upper, rates, -drift)
    assert np.allclose(up, other_down, atol=1e-13)
    assert np.allclose(down, other_up, atol=1e-13)
    assert 0 <= up.sum() + down.sum() <= 1 + 1e-12


@settings(deadline=None, max_examples=30)
@given(
    kind=st.sampled_from([*SPENDING, "pocock"]),
    steps=st.lists(st.floats(0.02, 0.6), min_size=3, max_size=3),
)
def test_the_level_is_kept_whatever_information_comes(kind: str, steps: list[float]) -> None:
    times = np.cumsum(steps)
    critical = observed_bounds(group_sequential(kind, 3), [times]).critical[0]
    up, _ = crossing(critical, np.full(3, -np.inf), times, 0.0)
    assert up.sum() == pytest.approx(0.025, abs=1e-7)


@settings(deadline=None, max_examples=30)
@given(stage=st.integers(0, 2), z=st.floats(-4.0, 6.0), more=st.floats(0.05, 2.0))
def test_a_higher_z_moves_the_estimate_up(stage: int, z: float, more: float) -> None:
    design = group_sequential("pocock", 3)
    found = after_stopping([stage] * 2, [z, z + more], design.rates, design.critical)
    assert found.low[0] < found.estimate[0] < found.high[0]
    for name in ("low", "estimate", "high"):
        first, second = getattr(found, name)
        assert first < second + 1e-9
    assert found.p_value[1] <= found.p_value[0] + 1e-12


@settings(deadline=None, max_examples=60)
@given(
    p=PROBABILITIES, weights=st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3),
    shares=st.lists(st.floats(0.0, 1.0), min_size=6, max_size=6),
)
def test_a_graph_is_the_closed_test_of_its_weights(
    p: list[float], weights: list[float], shares: list[float]
) -> None:
    total = max(1.0, sum(weights))
    pairs = [(shares[k], shares[k + 1] * (1 - shares[k])) for k in (0, 2, 4)]
    (a, b), (c, d), (e, f) = pairs
    graph = Graph(
        weights=tuple(w / total for w in weights), transitions=((0, a, b), (c, 0, d), (e, f, 0))
    )
    closed = closed_p_values(weighted_bonferroni([p], graph))
    assert np.allclose(graph.adjusted([p]), closed, rtol=1e-9)
    for alpha in (0.01, 0.025, 0.2):
        near = np.isclose(closed, alpha, rtol=1e-9)
        assert np.array_equal(graph.reject([p], alpha) | near, (closed <= alpha) | near)


@settings(deadline=None, max_examples=60)
@given(p=PROBABILITIES)
def test_procedures_are_ordered_by_power(p: list[float]) -> None:
    by_simes = closed_p_values(simes([p]))  # Hommel
    assert np.all(by_simes <= hochberg([p]) + 1e-12)
    assert np.all(hochberg([p]) <= holm(3).adjusted([p]) + 1e-12)
    assert np.all(by_simes >= np.asarray(p) - 1e-12)
