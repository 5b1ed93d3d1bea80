"""Estimates after a size chosen by the effect seen: unbiased in the median, intervals that hold.

Tolerance: 3.6 standard errors, below 1 % false alarms over the thirty shares of this file
(Bonferroni); all seeds were fixed before the first run.
"""

from math import sqrt
from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from simulation import TrialDesign, simulate
from simulation.analysis.sequential.after_combination import after_combination
from simulation.trial import ParametricPopulation
from simulation.trial.adjusted import adjusts, estimates_of

REPLICATES = 6_000
TOLERANCE = 3.6
EFFECT = 0.3
PEOPLE = ParametricPopulation(outcomes={"y": {"kind": "continuous", "mean": 0, "sd": 1}})
SIZES = {
    "seen": {"kind": "conditional_power", "power": 0.9},
    "planned": {"kind": "conditional_power", "power": 0.9, "planned_z": 3.0},
    "promising": {"kind": "promising_zone", "power": 0.9},
}


def _design(size: dict[str, Any], higher: bool = True) -> TrialDesign:
    shift = EFFECT if higher else -EFFECT
    return TrialDesign.parse(
        {
            "arms": [{"name": "C", "control": True}, {"name": "T"}],
            "n": 400,
            "endpoints": [{"kind": "continuous", "name": "y", "higher_is_better": higher}],
            "hypotheses": [{"endpoint": "y", "analysis": {"kind": "ancova"}}],
            "rule": {
                "kind": "reestimation", "looks": {"at": [200, 400]}, "maximum": 800, "size": size,
                "boundary": "pocock",
            },
            "scenarios": [
                {"name": "works", "effects": [{"arm": "T", "endpoint": "y", "shift": shift}]}
            ],
        }
    )


def _near(share: float, wanted: float, n: int = REPLICATES) -> bool:
    return abs(share - wanted) <= TOLERANCE * sqrt(wanted * (1 - wanted) / n)


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("higher", [True, False])
def test_half_of_the_estimates_lie_below_and_intervals_hold_simulated_6000(
    kind: str, higher: bool
) -> None:
    design = _design(SIZES[kind], higher)
    found = simulate(design, PEOPLE, REPLICATES, seed=17)
    for place, truth in ((0, 0.0), (1, EFFECT if higher else -EFFECT)):
        table = {name: values[:, place] for name, values in found.table.items()}
        ours = estimates_of(design, table)
        assert np.isfinite(ours.estimate).all()
        assert _near(float(np.mean(ours.estimate < truth)), 0.5)
        assert _near(float(np.mean(ours.low > truth)), 0.025)
        assert _near(float(np.mean(ours.high < truth)), 0.025)
        told = found.scenarios[place].hypotheses[0].adjusted
        assert told is not None and told.coverage is not None
        assert told.coverage.value == np.mean((ours.low <= truth) & (truth <= ours.high))


def test_the_interval_agrees_with_the_test_where_the_stages_are_combined() -> None:
    design = _design(SIZES["seen"])
    found = simulate(design, PEOPLE, 2_000, seed=3)
    table = {name: values[:, 1] for name, values in found.table.items()}
    ours = estimates_of(design, table)
    # Stagewise ordering decides as the bounds do, but for Student's t and Pocock's spent alpha.
    agree = (ours.p_value <= 0.025) == table["rejected"][:, 0]
    assert agree.mean() > 0.995


def test_the_ordinary_estimate_is_biased_where_the_size_follows_the_effect() -> None:
    told = simulate(_design(SIZES["seen"]), PEOPLE, REPLICATES, seed=17).scenario("works")
    naive, adjusted = told.hypotheses[0], told.hypotheses[0].adjusted
    assert naive.bias is not None and adjusted is not None and adjusted.bias is not None
    assert naive.bias.value > 4 * naive.bias.se
    assert abs(adjusted.bias.value) < naive.bias.value


def test_probabilities_are_those_of_the_bivariate_normal_law_exact() -> None:
    """At the limits a stop or a higher combination has its tail probability, by scipy."""
    first, second, errors, weights, critical = 0.31, 0.12, (0.2, 0.15), (0.6, 0.8), 2.2
    found = after_combination([first], [errors[0]], [second], [errors[1]], weights, critical)
    for effect, tail in ((found.low[0], 0.025), (found.estimate[0], 0.5), (found.high[0], 0.975)):
        z = ((first - effect) / errors[0], (second - effect) / errors[1])
        edge, combined = critical - effect / errors[0], weights[0] * z[0] + weights[1] * z[1]
        law = multivariate_normal([0, 0], [[1, weights[0]], [weights[0], 1]])
        higher = norm.cdf(edge) - law.cdf([edge, combined])
        assert norm.sf(edge) + higher == pytest.approx(tail, abs=1e-6)
    flat = after_combination([first], [errors[0]], [second], [errors[1]], weights)
    slopes = np.array(weights) / errors
    middle = (slopes * (first, second)).sum() / slopes.sum()
    wanted = (middle, middle - 1.959963985 / slopes.sum(), middle + 1.959963985 / slopes.sum())
    assert (flat.estimate[0], flat.low[0], flat.high[0]) == pytest.approx(wanted, abs=1e-7)


def test_sizes_that_do_not_look_at_the_effect_need_no_correction() -> None:
    assert not adjusts(_design({"kind": "blinded", "power": 0.9, "effect": 0.3}))
    assert not adjusts(_design({"kind": "variance", "power": 0.9, "effect": 0.3}))
