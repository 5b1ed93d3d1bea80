"""Every combining rule, in the linear-Gaussian oracle: 60 patients, 20 syntheses, exact answers.

1,500 replicates a cell. A rule that holds may not cover less than .95 by more than 4 Monte Carlo
SE (one false alarm in 30,000 cells); the standard errors of one that fails must lie where the
formulas put them.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import stats

from extraction.records import InputError
from generation.randomness import generator
from simulation.analysis.arrays import FloatArray
from simulation.analysis.combining import (
    RULES,
    Combined,
    combine,
    combine_batch,
)
from simulation.audit.oracle import OUTCOME_VARIANCE, SLOPES, LinearOracle, patients

N, M, REPLICATES = 60, 20, 1500
VARIANCE = OUTCOME_VARIANCE / N
SE = np.sqrt(0.95 * 0.05 / REPLICATES)


@cache
def syntheses(drawn: str, ratio: int) -> tuple[FloatArray, FloatArray]:
    """Estimates and naive variances (R, m) of the outcome's mean, whose truth is 0."""
    rng = generator(7, "combining", ratio, len(drawn))
    x, y = patients(REPLICATES, N, rng)
    plain = LinearOracle.fit(x, y)
    means, variances = np.empty((REPLICATES, M)), np.empty((REPLICATES, M))
    for i in range(M):
        weights = {
            "one_fit": None,
            "refits": rng.multinomial(N, np.full(N, 1 / N), size=REPLICATES).astype(float),
            "posterior": N * rng.dirichlet(np.ones(N), size=REPLICATES),
        }[drawn]
        model = plain if weights is None else LinearOracle.fit(x, y, weights)
        made = model.sample(ratio * N, rng)[1]
        means[:, i], variances[:, i] = made.mean(axis=1), made.var(axis=1, ddof=1) / (ratio * N)
    return means, variances


def combined(rule: str, drawn: str, ratio: int) -> Combined:
    return combine_batch(*syntheses(drawn, ratio), rule, N, ratio * N)


def coverage(found: Combined) -> float:
    half = stats.t.ppf(0.975, found.df) * np.sqrt(found.variance)
    return float((np.abs(found.estimate) <= half).mean())


HOLDING = [
    (rule.name, drawn, ratio)
    for rule in RULES.values()
    for drawn in ("one_fit", "refits", "posterior")
    for ratio in (1, 4)
    if ("refits" if drawn == "posterior" else drawn) in rule.drawn
    or (rule.name == "reiter_partially" and ratio == 1)
]


@pytest.mark.parametrize(("rule", "drawn", "ratio"), HOLDING)
def test_a_rule_that_holds_covers(rule: str, drawn: str, ratio: int) -> None:
    found = combined(rule, drawn, ratio)
    assert coverage(found) > 0.95 - 4 * SE
    ratio_of_se = np.sqrt(found.variance.mean() / found.estimate.var())
    assert 0.92 < ratio_of_se < (1.2 if ratio == 1 else 1.13)


@pytest.mark.parametrize("drawn", ["one_fit", "refits"])
def test_the_mean_of_the_syntheses_varies_as_the_formulas_say(drawn: str) -> None:
    for ratio in (1, 4):
        noise = (1 / ratio + (drawn == "refits")) / M
        expected = VARIANCE * (1 + noise)
        spread = combined("raab", drawn, ratio).estimate.var()
        assert abs(spread / expected - 1) < 4 * np.sqrt(2 / REPLICATES)


def test_reiters_rule_fails_as_predicted_with_more_rows_than_patients() -> None:
    found = combined("reiter_partially", "one_fit", 4)
    # Fitted slopes explain P/N of the noise by chance, which the synthetic outcomes inherit.
    inherited = 1 + SLOPES.size / N / OUTCOME_VARIANCE
    predicted = VARIANCE * inherited * (1 / 4 + 1 / (4 * M))
    assert found.variance.mean() == pytest.approx(predicted, rel=0.03)
    shortfall = np.sqrt(predicted / (VARIANCE * (1 + 1 / (4 * M))))
    expected = 2 * stats.norm.cdf(1.96 * shortfall) - 1  # .68
    assert abs(coverage(found) - expected) < 4 * np.sqrt(expected * (1 - expected) / REPLICATES)


def test_raghunathans_rule_fails_as_predicted_on_one_fit() -> None:
    between = stats.chi2(M - 1)
    drawn = np.linspace(0.0005, 0.9995, 1000)
    total = (1 + 1 / M) * between.ppf(drawn) / (M - 1) - 1
    predicted = VARIANCE / 4 * np.where(total > 0, total, 4.0).mean()
    found = combined("raghunathan_fully", "one_fit", 4)
    assert found.variance.mean() == pytest.approx(predicted, rel=0.08)
    assert np.sqrt(found.variance).mean() < 0.75 * found.estimate.std()


def test_counting_synthetic_rows_as_patients_covers_as_predicted() -> None:
    means, variances = syntheses("one_fit", 4)
    covered = np.abs(means[:, 0]) <= 1.96 * np.sqrt(variances[:, 0])
    expected = 2 * stats.norm.cdf(1.96 / np.sqrt(1 + 4)) - 1  # .62
    assert abs(covered.mean() - expected) < 4 * np.sqrt(0.62 * 0.38 / REPLICATES)


@pytest.mark.parametrize("folds", [3, 5, 10])
def test_k_fold_members_vary_too_little_by_the_stated_factor(folds: int) -> None:
    rng = generator(3, "k fold", folds)
    y = patients(REPLICATES, N, rng)[1]
    home = np.arange(N) % folds
    members = np.stack([y[:, home != k].mean(axis=1) for k in range(folds)])
    seen = members.var(axis=0, ddof=1).mean() / VARIANCE
    assert seen == pytest.approx(folds / (folds - 1) ** 2, rel=0.2)


def test_a_fixed_part_adds_its_variance_and_its_degrees_of_freedom() -> None:
    means, variances = syntheses("refits", 4)
    rng = generator(5, "treated")
    treated = patients(REPLICATES, N, rng)[1]
    whole = combine_batch(means, variances, "bootstrap_refits", N, 4 * N)
    joint = whole.with_fixed(treated.var(axis=1, ddof=1) / N, N - 1)
    effect = treated.mean(axis=1) - joint.estimate
    half = stats.t.ppf(0.975, joint.df) * np.sqrt(joint.variance)
    assert abs((np.abs(effect) <= half).mean() - 0.955) < 4 * SE


def test_one_estimate_names_its_rule_and_source() -> None:
    means, variances = syntheses("refits", 4)
    line = combine(means[0], variances[0], "bootstrap_refits", n_train=N, n_synthetic=4 * N,
                   drawn="refits", fixed_variance=0.02, fixed_df=50.0)
    assert line.low < line.estimate < line.high
    assert line.extra["source"].startswith("Trialtwin")
    assert line.se**2 == pytest.approx(0.02 + line.extra["synthetic_variance"])


@pytest.mark.parametrize(
    ("rule", "drawn", "m", "said"),
    [
        ("rubin", "refits", 20, "unknown"),
        ("raab", "refits", 20, "does not hold"),
        ("bootstrap_refits", "one_fit", 20, "does not hold"),
        ("bootstrap_refits", "refits", 5, "at least 20"),
        ("reiter_partially", "one_fit", 20, "does not hold"),
    ],
)
def test_a_rule_outside_its_conditions_is_refused(
    rule: str, drawn: str, m: int, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        combine(np.arange(m) * 0.1, np.full(m, 0.1), rule, n_train=60, n_synthetic=240,
                drawn=drawn)  # type: ignore[arg-type]
