"""Adaptive rules in simulated trials, against R, quadrature and the level they promise.

Figures from simulation must lie within Z combined standard errors (1 % over all simulated
reference figures, Bonferroni); all seeds were fixed before the first run.
"""

from math import sqrt
from typing import Any

import numpy as np
import pytest

from simulation import TrialDesign, simulate
from simulation.analysis.sequential import group_sequential
from simulation.trial import ParametricPopulation
from tests.support.reference_support import Z

REPLICATES = 10_000
TOLERANCE = Z
POPULATION = ParametricPopulation(outcomes={"y": {"kind": "continuous", "mean": 0, "sd": 1}})


def _design(rule: dict[str, Any], n: int, effects: list[tuple[float, ...]]) -> TrialDesign:
    treated = [f"T{k + 1}" for k in range(len(effects[0]))]
    return TrialDesign.parse(
        {
            "arms": [{"name": "C", "control": True}, *({"name": name} for name in treated)],
            "endpoints": [{"kind": "continuous", "name": "y", "visits": [1]}],
            "hypotheses": [{"endpoint": "y", "analysis": {"kind": "ancova"}}],
            "scenarios": [
                {
                    "name": f"effect {k}",
                    "effects": [
                        {"arm": name, "endpoint": "y", "shift": shift}
                        for name, shift in zip(treated, shifts, strict=True)
                    ],
                }
                for k, shifts in enumerate(effects)
            ],
            "n": n,
            "rule": rule,
        }
    )


def _share(table: dict[str, Any], scenario: int) -> float:
    return float(table["rejected"][:, scenario].any(axis=1).mean())


def _close(ours: float, other: float, n_other: float) -> bool:
    spread = sqrt(max(ours, 1e-3) * (1 - ours) * (1 / REPLICATES + 1 / n_other))
    return abs(ours - other) <= TOLERANCE * spread + 0.0005


def test_size_by_conditional_power_simulated_10000() -> None:
    """rpact 3.3.4 getSimulationMeans (10,000): inverse normal OF k = 2, 100 to 200, second stage
    at most 300, conditional power .9 at theta .3. At effect 0 and beyond, ours tests by t."""
    rule = {
        "kind": "reestimation", "looks": {"at": [100, 200]}, "maximum": 400,
        "size": {"kind": "conditional_power", "power": 0.9, "planned_z": 0.3 * sqrt(200) / 2},
    }
    design = _design(rule, 200, [(0.2,), (0.3,), (0.4,)])
    table = simulate(design, POPULATION, REPLICATES).table
    reference = [(0.0241, 393.67), (0.4613, 361.59), (0.7963, 325.55), (0.9619, 276.72)]
    for scenario, (rejected, patients) in enumerate(reference):
        assert _close(_share(table, scenario), rejected, 10_000)
        n = table["n"][:, scenario]
        assert abs(n.mean() - patients) <= TOLERANCE * n.std() * sqrt(2 / REPLICATES) + 0.5
        assert n.max() <= 400


def test_promising_zone_and_variance_keep_the_level_simulated_10000() -> None:
    zone = {
        "kind": "reestimation", "looks": {"at": [100, 200]}, "maximum": 400,
        "size": {"kind": "promising_zone", "power": 0.9},
    }
    table = simulate(_design(zone, 200, [(0.3,)]), POPULATION, REPLICATES).table
    assert _share(table, 0) <= 0.025 + TOLERANCE * sqrt(0.025 * 0.975 / REPLICATES)
    fixed = 0.5641  # power of the planned 200 patients: Phi(.3 * sqrt(200) / 2 - 1.96)
    assert _share(table, 1) > fixed + 0.02
    assert np.median(table["n"][:, 1]) == 200
    # The standard deviation was planned as 0.8 and is 1: the size grows by (1 / .8)^2.
    variance = {
        "kind": "reestimation", "looks": {"at": [63, 126]}, "maximum": 400,
        "boundary": "lan_demets_obrien_fleming",
        "size": {"kind": "variance", "power": 0.9, "effect": 0.46},
    }
    result = simulate(_design(variance, 126, [(0.46,)]), POPULATION, REPLICATES).table
    assert _close(_share(result, 0), 0.025, np.inf)
    assert _share(result, 1) == pytest.approx(0.9, abs=0.015)
    late = result["stage"][:, 0] == 1
    wanted = group_sequential("lan_demets_obrien_fleming", 2).drift ** 2 * 4 / 0.46**2
    assert result["n"][late, 0].mean() == pytest.approx(wanted, rel=0.03)


def test_best_of_three_arms_simulated_10000() -> None:
    """rpact 3.3.4 getSimulationMultiArmMeans (1,000): 50 then 100 an arm, select the best, closed
    Dunnett test, inverse normal OF; at least one rejected .029, .434, .873."""
    rule = {"kind": "multi_arm", "looks": {"at": [200, 300], "information": [0.5, 1.0]}}
    design = _design(rule, 300, [(0.1, 0.2, 0.3), (0.2, 0.3, 0.5)])
    table = simulate(design, POPULATION, REPLICATES).table
    for scenario, rejected in enumerate((0.029, 0.434, 0.873)):
        assert _close(_share(table, scenario), rejected, 1_000)
    assert _share(table, 0) <= 0.025 + TOLERANCE * sqrt(0.025 * 0.975 / REPLICATES)


@pytest.mark.parametrize(
    "selection",
    [{"kind": "all"}, {"kind": "within", "distance": 0.5}, {"kind": "best", "number": 2}],
)
def test_dropping_arms_keeps_the_familywise_level_simulated_4000(
    selection: dict[str, Any]
) -> None:
    rule = {
        "kind": "multi_arm", "looks": {"at": [160, 320]}, "selection": selection,
        "futility": [-0.5], "boundary": "lan_demets_pocock",
    }
    table = simulate(_design(rule, 320, [(0.4, 0.4, 0.4)]), POPULATION, 4_000).table
    assert _share(table, 0) <= 0.025 + TOLERANCE * sqrt(0.025 * 0.975 / 4_000)
    assert _share(table, 1) > 0.6


def test_futility_and_sides_stop_as_the_design_says_simulated_10000() -> None:
    futility = {"family": "beta_spending", "spending": "lan_demets_obrien_fleming", "binding": True}
    rule = {
        "kind": "group_sequential", "looks": {"number": 3}, "futility": futility,
        "boundary": "lan_demets_obrien_fleming",
    }
    theory = group_sequential("lan_demets_obrien_fleming", 3, futility=futility)
    n = 180
    shift = theory.drift * 2 / sqrt(n)
    table = simulate(_design(rule, n, [(shift,)]), POPULATION, REPLICATES).table
    for scenario, theta in enumerate((0.0, theory.drift)):
        up, down = theory.stages(theta), theory.stops_below(theta)
        for look in range(3):
            at = table["stage"][:, scenario] == look
            rejected = (at & table["rejected"][:, scenario, 0]).mean()
            # t statistics on estimated variances: the power of the design less about .01
            assert abs(rejected - up[look]) <= 0.01 + TOLERANCE * sqrt(
                max(up[look], 1e-3) / REPLICATES
            )
            stopped = (at & (table["reason"][:, scenario] == 2)).mean()
            assert abs(stopped - down[look]) <= 0.01 + TOLERANCE * sqrt(
                max(down[look], 1e-3) / REPLICATES
            )
    both = {"kind": "group_sequential", "looks": {"number": 2}, "boundary": "pocock", "sided": 2}
    table = simulate(_design(both, n, [(-0.5,)]), POPULATION, 4_000).table
    mirrored = group_sequential("pocock", 2, alpha=0.05, sided=2)
    early = (table["stage"][:, 0] == 0).mean()
    expected = mirrored.stages(0.0)[0] * 2
    assert abs(early - expected) <= TOLERANCE * sqrt(expected / 4_000)
    assert not table["rejected"][:, 1].any()
    assert (table["reason"][:, 1] == 2).mean() > 0.5
