"""Blinded sizes in simulated trials, against a program of their own.

Tolerance: 3.5 combined standard errors, below 1 % false alarms over the ten figures here
(Bonferroni); all seeds were fixed before the first run.
"""

from math import ceil, sqrt
from typing import Any

import numpy as np
import pytest
from scipy import stats

from extraction.records import InputError
from simulation import TrialDesign, simulate
from simulation.trial import ParametricPopulation

REPLICATES = 10_000
TOLERANCE = 3.5
TREATED = {"name": "T"}


def _plan(kind: str, first: int, planned: int, most: int, effect: float) -> dict[str, Any]:
    endpoint = {"kind": kind, "name": "y"} | ({"visits": [1]} if kind == "continuous" else {})
    return {
        "arms": [{"name": "C", "control": True}, TREATED],
        "endpoints": [endpoint],
        "n": planned,
        "rule": {
            "kind": "reestimation", "looks": {"at": [first, planned]}, "maximum": most,
            "size": {"kind": "blinded", "power": 0.9, "effect": effect},
        },
    }


def _means(effect: float, sd: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rejections and sizes of 80 of 160 to 600 patients for an effect of 5, by numpy and scipy."""
    rng = np.random.default_rng(seed)
    wins, sizes = np.zeros(REPLICATES, dtype=bool), np.zeros(REPLICATES)
    factor = 4 * (stats.norm.isf(0.025) + stats.norm.isf(0.1)) ** 2 / 5.0**2
    for k in range(REPLICATES):
        c, t = rng.normal(0, sd, 300), rng.normal(effect, sd, 300)
        variance = np.concatenate([c[:40], t[:40]]).var(ddof=1)
        n = int(min(max(ceil(factor * variance), 160), 600))
        sizes[k] = n
        of_control = n // 2 + n % 2 * (k % 2)
        wins[k] = stats.ttest_ind(
            t[: n - of_control], c[:of_control], alternative="greater"
        ).pvalue <= 0.025
    return wins, sizes


def test_blinded_variance_gives_the_power_planned_for_simulated_10000() -> None:
    """The standard deviation is 12, not the 9.7 that 160 patients are for."""
    plan = _plan("continuous", 80, 160, 600, 5.0) | {
        "scenarios": [{"name": "five", "effects": [{"arm": "T", "endpoint": "y", "shift": 5.0}]}],
        "hypotheses": [{"endpoint": "y", "analysis": {"kind": "ancova"}}],
    }
    people = ParametricPopulation(outcomes={"y": {"kind": "continuous", "mean": 0, "sd": 12}})
    found = simulate(TrialDesign.parse(plan), people, REPLICATES, seed=7)
    for effect, scenario in ((0.0, "no effect"), (5.0, "five")):
        wins, sizes = _means(effect, 12.0, seed=11)
        ours = found.scenario(scenario)
        spread = ours.any_rejection.se * sqrt(2)
        assert abs(ours.any_rejection.value - wins.mean()) <= TOLERANCE * spread
        spread = float(np.hypot(ours.n.se, sizes.std() / sqrt(REPLICATES)))
        assert abs(ours.n.value - sizes.mean()) <= TOLERANCE * spread
        raised = ours.decisions["raises the size"]
        spread = max(raised.se, 1 / REPLICATES) * sqrt(2)
        assert abs(raised.value - (sizes > 160).mean()) <= TOLERANCE * spread
    assert abs(found.type_one_error.value - 0.025) <= TOLERANCE * found.type_one_error.se
    assert found.power.value > 0.88  # with 160 patients it is .74


def test_blinded_rate_sets_the_size_of_rates_simulated_4000() -> None:
    """Rates of .3 and .15: at a middle of .225 the size for .15 is known without simulation."""
    plan = _plan("binary", 150, 200, 900, 0.15) | {
        "scenarios": [
            {"name": "works", "effects": [{"arm": "T", "endpoint": "y", "odds_ratio": 7 / 17}]}
        ],
    }
    plan["endpoints"] = [{"kind": "binary", "name": "y", "higher_is_better": False}]
    people = ParametricPopulation(outcomes={"y": {"kind": "binary", "probability": 0.3}})
    found = simulate(TrialDesign.parse(plan), people, 4_000, seed=3)
    held = found.scenario("works")
    middle = 0.225
    null = sqrt(2 * middle * (1 - middle))
    truth = sqrt(sum(p * (1 - p) for p in (middle + 0.075, middle - 0.075)))
    wanted = 2 * ((stats.norm.isf(0.025) * null + stats.norm.isf(0.1) * truth) / 0.15) ** 2
    assert held.n.value == pytest.approx(wanted, rel=0.03)


def test_what_blinded_sizes_cannot_be_is_refused_at_once() -> None:
    plan = _plan("time_to_event", 80, 160, 600, 0.0)
    plan["rule"]["looks"] = {"at": [40, 80, 160]}
    with pytest.raises(InputError) as refused:
        TrialDesign.parse(plan)
    told = " ".join(refused.value.faults)
    assert "two looks" in told and "size.effect" in told and "binary or continuous" in told
