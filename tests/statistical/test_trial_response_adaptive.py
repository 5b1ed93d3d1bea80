"""Response-adaptive randomisation in simulated trials, against the R package adaptr.

Source: adaptr 1.3.2, README (1,000 replicates, 5,000 posterior draws): 3 arms, looks after 300 to
2,000 outcomes by 100 with 100 patients more randomised, minimum allocation .2, superiority
.9814318, inferiority 1 - superiority, equivalence .9 within .05, undesirable binary outcome.
Figures lie within Z combined standard errors (1 % over all simulated reference figures,
Bonferroni). Seed 1 was fixed before the first run.
"""

from math import sqrt

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from simulation import TrialDesign, simulate
from simulation.trial import ParametricPopulation
from simulation.trial.rules.base import EFFICACY, END, FUTILITY
from tests.support.reference_support import Z

REPLICATES = 1_000
TOLERANCE = Z
LOOKS = list(range(300, 2001, 100))


def _design(
    endpoint: dict[str, object], effects: list[dict[str, object]], **rule: object
) -> TrialDesign:
    return TrialDesign.parse(
        {
            "arms": [{"name": "A", "control": True}, {"name": "B"}, {"name": "C"}],
            "endpoints": [endpoint],
            "n": 2000,
            # One patient a day, outcomes after 100 days: 400 are randomised at the first look.
            "enrolment": {"ramp": [{"start": 0, "rate": 1}], "process": "even"},
            "rule": {"kind": "response_adaptive", "looks": {"at": LOOKS}, **rule},
            "scenarios": [{"name": "different", "effects": effects}],
        }
    )


def _shares_close(ours: float, other: float) -> bool:
    pooled = (ours + other) / 2
    return abs(ours - other) <= TOLERANCE * sqrt(pooled * (1 - pooled) * 2 / REPLICATES)


def test_three_arms_as_in_adaptr_simulated_1000() -> None:
    effects = [
        {"arm": "B", "endpoint": "death", "odds_ratio": 0.75},  # .20 against .25
        {"arm": "C", "endpoint": "death", "odds_ratio": 9 / 7},  # .30
    ]
    death = {"kind": "binary", "name": "death", "visit": 100.4, "higher_is_better": False}
    design = _design(
        death, effects, minimum=0.2, superiority=0.9814318, equivalence=0.9, difference=0.05
    )
    population = ParametricPopulation(outcomes={"death": {"kind": "binary", "probability": 0.25}})
    result = simulate(design, population, REPLICATES, seed=1)
    table = result.table
    # mean and standard deviation of the size, superior, equivalent
    reference = [(1749.6, 373.74, 0.048, 0.381), (1242.3, 531.0, 0.731, 0.146)]
    for scenario, (size, spread, superior, alike) in enumerate(reference):
        n, reason = table["n"][:, scenario], table["reason"][:, scenario]
        assert n.min() >= 400
        assert abs(n.mean() - size) <= TOLERANCE * sqrt((n.var() + spread**2) / REPLICATES)
        assert _shares_close(float((reason == EFFICACY).mean()), superior)
        assert _shares_close(float((reason == FUTILITY).mean()), alike)
        assert _shares_close(float((reason != END).mean()), superior + alike)  # conclusive
        # The SE of a standard deviation, by the fourth moment of ours.
        error = sqrt((np.mean((n - n.mean()) ** 4) / n.var() - n.var()) * 2 / REPLICATES) / 2
        assert abs(n.std() - spread) <= TOLERANCE * error
        assert np.array_equal(reason == EFFICACY, table["rejected"][:, scenario].any(axis=1))
    # Selected: the superior arm, else that of the lowest risk; adaptr takes the likeliest best.
    rejected, estimate = table["rejected"][:, 1], table["estimate"][:, 1].copy()
    estimate[:, 0] = 0.0
    chosen = np.where(rejected.any(axis=1), rejected.argmax(axis=1), estimate.argmin(axis=1))
    assert _shares_close(float((chosen == 1).mean()), 0.962)


def test_continuous_outcomes_send_patients_to_the_better_arm_simulated_200() -> None:
    effects = [
        {"arm": "B", "endpoint": "y", "shift": 0.2}, {"arm": "C", "endpoint": "y", "shift": -0.2}
    ]
    y = {"kind": "continuous", "name": "y", "visits": [100.4]}
    population = ParametricPopulation(outcomes={"y": {"kind": "continuous", "mean": 0, "sd": 1}})
    result = simulate(
        _design(y, effects, minimum=0.1, superiority=0.98), population, 200, seed=1
    )
    rejected = result.table["rejected"][:, 1].mean(axis=0)
    # Fixed thirds of 2,000 patients have z = .2 / sqrt(2 / 667) = 3.7 for B against A.
    assert rejected[1] > 0.9
    assert rejected[0] + rejected[2] < 0.05


@pytest.mark.parametrize("shift", [0.0, 0.2])
def test_equal_allocation_of_two_arms_is_a_group_sequential_test_simulated_4000(
    shift: float,
) -> None:
    """P(best) > s is |Z| > the normal quantile of s: two looks, by the bivariate normal."""
    bound, sizes, n = norm.ppf(0.99), np.array([300, 600]), 4_000
    design = TrialDesign.parse(
        {
            "arms": [{"name": "A", "control": True}, {"name": "B"}],
            "endpoints": [{"kind": "continuous", "name": "y", "visits": [1]}],
            "n": 600,
            "rule": {
                "kind": "response_adaptive", "looks": {"at": sizes.tolist()}, "softening": 0.0,
            },
            "scenarios": [
                {"name": "better", "effects": [{"arm": "B", "endpoint": "y", "shift": shift}]}
            ],
        }
    )
    population = ParametricPopulation(outcomes={"y": {"kind": "continuous", "mean": 0, "sd": 1}})
    table = simulate(design, population, n, seed=1).table
    ours = float(table["rejected"][:, 1].any(axis=1).mean())
    law = multivariate_normal(shift * np.sqrt(sizes) / 2, [[1, sqrt(0.5)], [sqrt(0.5), 1]])
    exact = 1 - law.cdf([bound, bound], lower_limit=[-bound, -bound])
    assert abs(ours - exact) <= TOLERANCE * sqrt(exact * (1 - exact) / n)
