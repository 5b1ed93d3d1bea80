"""The doubly robust effect where few controls resemble the treated: 1,500 null trials each.

Treated and controls differ by a shift of one covariate; weights are the true odds and the control
model is a cross-fitted line, which is right. The rates in the docstring of `effect_batch` are of
2,000 trials of the same kind.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from generation.randomness import generator
from simulation.analysis.arrays import FloatArray
from simulation.analysis.external_control import (
    POOR_OVERLAP,
    doubly_robust_effect,
    effect_batch,
)
from simulation.analysis.linear import predict_masked

REPLICATES, N, FOLDS, ALPHA = 1500, 100, 5, 0.05
SE = np.sqrt(ALPHA * (1 - ALPHA) / REPLICATES)


def trials(shift: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Residuals of treated and controls (R, N), and the controls' odds weights."""
    rng = generator(11, "overlap", int(10 * shift))
    x = rng.normal(size=(REPLICATES, 2 * N, 2))
    x[:, N:, 0] += shift
    y = x @ np.array([0.5, 0.3]) + rng.normal(size=(REPLICATES, 2 * N))
    held_out, treated = np.zeros((REPLICATES, N)), np.zeros((REPLICATES, N))
    for fold in range(FOLDS):
        out = np.arange(N) % FOLDS == fold
        train = np.zeros((REPLICATES, 2 * N))
        train[:, :N] = ~out
        predicted = predict_masked(x, y, train)
        held_out[:, out] = predicted[:, :N][:, out]
        treated += predicted[:, N:] / FOLDS
    return y[:, N:] - treated, y[:, :N] - held_out, np.exp(shift * x[:, :N, 0])


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.5])
def test_the_level_holds_where_the_control_model_is_right(shift: float) -> None:
    rate = effect_batch(*trials(shift)).rejection_rate(ALPHA)[0]
    assert rate < ALPHA + 3.5 * SE


def test_the_plain_influence_function_does_not_hold_it() -> None:
    treated, controls, weights = trials(1.5)
    found = effect_batch(treated, controls, weights)
    share = weights / weights.sum(axis=1, keepdims=True)
    centred = controls - (share * controls).sum(axis=1, keepdims=True)
    variance = treated.var(axis=1, ddof=1) / N + (share**2 * centred**2).sum(axis=1)
    rate = (2 * stats.norm.sf(np.abs(found.effect / np.sqrt(variance))) < ALPHA).mean()
    assert rate > ALPHA + 5 * SE


def test_few_effective_controls_are_cautioned_against() -> None:
    treated, controls, weights = (part[0] for part in trials(1.5))
    zero = np.zeros(N)
    found = doubly_robust_effect(treated, zero, controls, zero, weights)
    assert found.extra["caution"] == POOR_OVERLAP
    assert "caution" not in doubly_robust_effect(treated, zero, controls, zero).extra
