"""Graphs, closed tests and Dunnett: known procedures, brute force, and several stages."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from extraction.records.errors import InputError
from simulation.analysis.multiplicity import (
    Graph,
    bonferroni,
    closed_p_values,
    closed_rejections,
    fallback,
    fixed_sequence,
    hochberg,
    holm,
    intersections,
    simes,
    weighted_bonferroni,
)
from simulation.analysis.multiplicity_dunnett import (
    dunnett_critical,
    dunnett_intersections,
    dunnett_p_value,
    stagewise_closed_dunnett,
)
from simulation.analysis.sequential import group_sequential

P = np.array([[0.01, 0.02, 0.005, 0.5], [0.03, 0.001, 0.04, 0.2], [0.5, 0.6, 0.7, 0.8]])


def test_holm_and_hochberg_by_hand_exact() -> None:
    assert holm(3).adjusted([[0.01, 0.04, 0.03]])[0] == pytest.approx([0.03, 0.06, 0.06])
    assert hochberg([[0.01, 0.04, 0.03]])[0] == pytest.approx([0.03, 0.04, 0.04])
    assert bonferroni((0.5, 0.3, 0.2)).adjusted([[0.01, 0.04, 0.03]])[0] == pytest.approx(
        [0.02, 0.04 / 0.3, 0.15]
    )


def test_fixed_sequence_stops_at_the_first_failure_exact() -> None:
    assert fixed_sequence(4).reject(P, 0.025).tolist() == [
        [True, True, True, False], [False] * 4, [False] * 4
    ]
    assert fixed_sequence(4).adjusted(P)[0] == pytest.approx([0.01, 0.02, 0.02, 0.5])
    found = fallback((0.5, 0.5, 0.0, 0.0)).reject(P, 0.025)
    assert found[1].tolist() == [False, True, False, False]


def test_weights_after_rejections_exact() -> None:
    """Bretz et al. (2009), figure 5's shape: two primaries, each with a secondary."""
    graph = Graph(
        weights=(0.5, 0.5, 0, 0),
        transitions=((0, 0.5, 0.5, 0), (0.5, 0, 0, 0.5), (0, 1, 0, 0), (1, 0, 0, 0)),
    )
    assert graph.left([[True, False, False, False]])[0] == pytest.approx([0, 0.75, 0.25, 0])
    both = graph.left([[True, True, False, False]])[0]
    assert both == pytest.approx([0, 0, 0.5, 0.5])
    assert graph.left([[True, True, True, False]])[0] == pytest.approx([0, 0, 0, 1])


def test_a_missing_p_value_is_never_rejected() -> None:
    assert holm(2).reject([[np.nan, 0.001]], 0.025).tolist() == [[False, True]]


def test_faults_of_a_graph_come_together() -> None:
    with pytest.raises(InputError) as caught:
        Graph.parse({"weights": (0.9, 0.9), "transitions": ((0.5, 0.8), (1.0, 0.0))})
    assert len(str(caught.value).splitlines()) == 3
    with pytest.raises(InputError, match="hypotheses"):
        intersections(40)


def test_closed_tests_agree_with_brute_force_exact() -> None:
    rng = np.random.default_rng(4)
    p = rng.uniform(size=(200, 3)) ** 2
    members = intersections(3)
    of_sets = simes(p)
    adjusted = closed_p_values(of_sets)
    for h in range(3):
        brute = np.max([of_sets[:, s] for s in range(7) if members[s, h]], axis=0)
        assert np.array_equal(adjusted[:, h], brute)
    assert np.array_equal(closed_rejections(of_sets <= 0.1), adjusted <= 0.1)
    assert np.allclose(closed_p_values(weighted_bonferroni(p, holm(3))), holm(3).adjusted(p))


def test_dunnett_is_the_multivariate_normal_law_exact() -> None:
    ratios = np.array([0.5, 1.0, 2.0])
    root = np.sqrt(ratios / (1 + ratios))
    law = np.outer(root, root)
    np.fill_diagonal(law, 1.0)
    for z in (0.5, 2.1):
        exact = 1 - multivariate_normal(
            np.zeros(3), law, abseps=1e-8, releps=1e-8, maxpts=1_000_000
        ).cdf([z] * 3)
        assert dunnett_p_value(z, ratios) == pytest.approx(exact, abs=1e-6)
    assert dunnett_p_value(1.96, [1.0]) == pytest.approx(0.0249979, abs=1e-7)
    assert dunnett_p_value(-np.inf, ratios) == pytest.approx(1.0, abs=1e-12)
    assert dunnett_p_value(12.0, ratios) > 0


def test_closed_dunnett_is_stepwise_exact() -> None:
    """For equal arms the closed test is the step-down one."""
    rng = np.random.default_rng(9)
    z = rng.normal(1.5, 1.2, (300, 3))
    rejected = closed_rejections(dunnett_intersections(z) <= 0.025)
    critical = [dunnett_critical(0.025, np.ones(k)) for k in (3, 2, 1)]
    ordered = -np.sort(-z, axis=1)
    number = np.cumprod(ordered >= critical, axis=1).sum(axis=1)
    assert np.array_equal(rejected.sum(axis=1), number)


def test_arms_without_patients_are_left_out() -> None:
    z = np.array([[[1.0, 2.0]], [[5.0, 5.0]]])
    active = np.array([[[True, True]], [[False, True]]])
    found = stagewise_closed_dunnett(z, active, [1.0], [1.959964])
    assert found[1, 0].tolist() == [False, True]
    p = dunnett_intersections([[9.0, 1.0]], active=[[False, False]])
    assert np.all(p == 1.0)


def test_one_arm_in_stages_is_the_group_sequential_test_exact() -> None:
    design = group_sequential("pocock", 2)
    rng = np.random.default_rng(2)
    z = rng.normal(0.8, 1.0, (500, 2, 1))
    found = stagewise_closed_dunnett(z, np.ones(z.shape, bool), [1.0, 1.0], design.critical)
    combined = (z[:, 0, 0] + z[:, 1, 0]) / np.sqrt(2)
    first = z[:, 0, 0] >= design.critical[0]
    assert np.array_equal(found[:, 0, 0], first)
    assert np.array_equal(found[:, 1, 0], first | (combined >= design.critical[1]))


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        stagewise_closed_dunnett(np.zeros((5, 2, 3)), np.ones((5, 2, 3)), [1.0, 0.0], [2.0])
    assert len(caught.value.faults) == 2
