"""External controls on resampled real patients: errors at no drift, and what the rule stops.

Simulated (500 null trials a drift, seed fixed beforehand). A rate above .05 + 3.3 SE = .082 fails;
over 12 methods a right method fails once in 170 runs.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.hidden_controls_grid import DRIFTS, Grid, replicates_of
from benchmarks.hidden_controls_methods import OWN_ONLY

REPLICATES, SEED, Z = 500, 4711, 3.3
SE = np.sqrt(0.05 * 0.95 / REPLICATES)
SHOWN = [("none", 0.0), ("measured", 0.5), ("measured", 1.0), ("unmeasured", 0.3),
         ("unmeasured", 0.75)]


@pytest.fixture(scope="module")
def grid() -> Grid:
    """The pilot's controls at five drifts."""
    payload = {"data": "pilot", "replicates": REPLICATES, "seed": SEED}
    parts = []
    for drift in SHOWN:
        start = DRIFTS.index(drift) * REPLICATES
        parts.append(replicates_of(payload, start, start + REPLICATES))
    return Grid("pilot", REPLICATES, {k: np.stack([p[k] for p in parts]) for k in parts[0]})


def test_type_one_error_is_held_without_drift(grid):
    for part in ("external", "hybrid"):
        for method in grid.methods(part):
            if method == "matching":  # its variance leaves out the fit of the propensity
                continue
            rate = grid.strategy(part, method, 0.1)[0].mean()
            assert rate <= 0.05 + Z * SE, (part, method, rate)


def test_p_stop_rises_with_either_drift(grid):
    hybrid = grid.stops("hybrid", 0.1).mean(axis=1)
    assert hybrid[0] < 0.2
    for low, high in ((0, 1), (1, 2), (0, 3), (3, 4)):
        spread = np.sqrt((hybrid[[low, high]] * (1 - hybrid[[low, high]])).sum() / REPLICATES)
        assert hybrid[high] - hybrid[low] > Z * spread


def test_baseline_limits_cannot_see_an_unmeasured_drift(grid):
    """The reason why a trial without own controls is refused: its error nears 1."""
    stops = grid.stops("external", 0.1).mean(axis=1)
    assert stops[2] > 0.8
    assert stops[4] < 0.2
    assert grid.strategy("external", "propensity weights", 0.1)[4].mean() > 0.8


def test_weights_mend_a_measured_drift_and_not_an_unmeasured_one(grid):
    plain, weighted = (grid.line("external", method, 1, 0.1)
                       for method in ("unadjusted", "propensity weights"))
    assert plain.bias > 3 * plain.bias_se
    assert abs(weighted.bias) < Z * weighted.bias_se
    hidden = grid.line("external", "propensity weights", 3, 0.1)
    assert hidden.bias == pytest.approx(0.3, abs=Z * hidden.bias_se + 0.02)


def test_borrowing_gains_power_without_drift_and_pooling_errs_with_it(grid):
    gain = (grid.strategy("hybrid", "robust MAP", 0.1, "power")[0].astype(float)
            - grid.rejected("hybrid", OWN_ONLY, "power")[0])
    assert gain.mean() > Z * gain.std() / np.sqrt(REPLICATES)
    worst = {m: grid.strategy("hybrid", m, 0.1).mean(axis=1).max()
             for m in ("pooled", "robust MAP")}
    assert worst["pooled"] > 0.1
    assert worst["robust MAP"] < worst["pooled"]


def test_a_chosen_limit_holds_the_cap_over_its_drifts(grid):
    found = grid.limit("pooled")
    assert found.worst[0] > found.cap
    if found.least_p is not None:
        at = found.candidates.index(found.least_p)
        assert found.worst[at] <= found.cap
        assert grid.strategy("hybrid", "pooled", found.least_p).mean(axis=1).max() \
            == found.worst[at]
