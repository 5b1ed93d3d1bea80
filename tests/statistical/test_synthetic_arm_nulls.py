"""Survival against synthetic controls in an exponential world that is known: 700 null trials.

The generator estimates the rate from 60 controls and draws 300 patients, censored as the real
ones. A rate from events over time is a little more efficient than a Kaplan-Meier curve, so the
corrected restricted mean may only be conservative.
"""

from __future__ import annotations

import numpy as np
import pytest

from generation.randomness import generator
from simulation.analysis.arrays import FloatArray
from simulation.analysis.synthetic_arm import (
    Parts,
    corrected,
    hazard_ratio_parts,
    naive,
    restricted_mean_parts,
)

REPLICATES, N, SYNTHETIC, ALPHA = 700, 60, 300, 0.05
SE = np.sqrt(ALPHA * (1 - ALPHA) / REPLICATES)


def _arm(rate: float, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    time, end = rng.exponential(1 / rate, n), rng.uniform(0.3, 2.0, n)
    return np.minimum(time, end), (time <= end).astype(float)


def _null(kind: str, r: int) -> Parts:
    rng = generator(13, "exponential", r)
    real, treated = _arm(1.0, N, rng), _arm(1.0, N, rng)
    made = _arm(real[1].sum() / real[0].sum(), SYNTHETIC, rng)
    time, event = (np.concatenate(pair) for pair in zip(treated, made, strict=True))
    arm = np.r_[np.ones(N), np.zeros(SYNTHETIC)]
    if kind == "hazard ratio":
        return hazard_ratio_parts(time, event, arm)
    return restricted_mean_parts(time, event, arm, 1.0)


@pytest.mark.parametrize("kind", ["hazard ratio", "restricted mean"])
def test_the_corrected_level_holds_and_the_naive_one_does_not(kind: str) -> None:
    parts = [_null(kind, r) for r in range(REPLICATES)]
    rejected = np.mean([corrected(p, N).p_value <= ALPHA for p in parts])
    plain = np.mean([naive(p).p_value <= ALPHA for p in parts])
    assert ALPHA - 4 * SE < rejected < ALPHA + 3.5 * SE
    assert plain > ALPHA + 5 * SE
    spread = np.std([p.estimate for p in parts], ddof=1)
    ratio = np.mean([corrected(p, N).se for p in parts]) / spread
    assert 0.9 < ratio < 1.15
