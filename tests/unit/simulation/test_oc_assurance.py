"""Assurance against its closed form, and what it says of effects."""

from math import sqrt
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from extraction.records import InputError
from simulation.operating_characteristics import EffectPrior, simulate_assurance
from simulation.trial import ParametricPopulation, TrialDesign

PLAN: dict[str, Any] = {
    "arms": [{"name": "P", "control": True}, {"name": "A"}],
    "endpoints": [{"kind": "continuous", "name": "y", "visits": [30]}],
    "n": 200,
    "scenarios": [{"name": "real", "effects": [{"arm": "A", "endpoint": "y", "shift": 0.4}]}],
}
DESIGN = TrialDesign.parse(PLAN)
PEOPLE = ParametricPopulation(outcomes={"y": {"kind": "continuous"}})
PRIOR = EffectPrior(arm="A", endpoint="y", mean=0.4, sd=0.3)


def test_assurance_meets_its_closed_form() -> None:
    """Simulated (200 draws of 5): normal prior and z test; .01 allows for t against z.

    Assurance = Phi((mean - z se) / sqrt(se^2 + sd^2)): O'Hagan, Stevens and Campbell (2005).
    """
    found = simulate_assurance(DESIGN, [PRIOR], PEOPLE, draws=200, replicates=5, seed=1)
    se = sqrt(4 / 200)
    exact = norm.cdf((0.4 - norm.ppf(0.975) * se) / sqrt(se**2 + 0.3**2))
    assert abs(found.value.value - exact) <= 3.3 * found.value.se + 0.01
    assert 0 < found.value.se < 0.05


def test_draws_are_keyed_whatever_the_grid() -> None:
    one, other = (
        simulate_assurance(DESIGN, [PRIOR], PEOPLE, draws=n, replicates=3, chunk_size=c)
        for n, c in ((12, 12), (6, 4))
    )
    assert one.effects.head(6).equals(other.effects)


def test_success_rises_with_the_effect() -> None:
    found = simulate_assurance(DESIGN, [PRIOR], PEOPLE, draws=60, replicates=5)
    groups = found.by_effect(groups=3)
    assert list(groups["draws"]) == [20, 20, 20]
    assert np.all(np.diff(groups["mean"]) > 0)
    assert groups["success"].iloc[0] < groups["success"].iloc[-1]


def test_priors_that_fit_nothing_are_told_at_once() -> None:
    wrong = EffectPrior(arm="B", endpoint="y", mean=0, sd=1)
    with pytest.raises(InputError) as caught:
        simulate_assurance(DESIGN, [wrong, wrong], PEOPLE, draws=1)
    assert len(caught.value.faults) == 4
    with pytest.raises(InputError, match="prior"):
        EffectPrior(arm="A", endpoint="y", mean=0, sd=-1)
