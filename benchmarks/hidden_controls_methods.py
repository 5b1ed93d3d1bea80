"""Every method of external controls on batches of trials, for the benchmark of hidden controls.

One batch is R trials: treated, own controls (in the hybrid) and external controls. The same code
answers a real trial (R = 1) and a replicate of the drift grid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from simulation.analysis.arrays import BoolArray, FloatArray, IntArray
from simulation.analysis.borrowing import BorrowingRule
from simulation.analysis.continuous import welch_df
from simulation.analysis.external.borrowed_mean import (
    MixtureBatch,
    commensurate_batch,
    map_batch,
    normalised_power_batch,
    power_prior_batch,
)
from simulation.analysis.external.doubly_robust import aipw_batch
from simulation.analysis.external.drift import stop_batch
from simulation.analysis.external.matching import matched_batch
from simulation.analysis.external.weighted import weighted_batch, weighted_with
from simulation.analysis.external.weights import Target, WeightsBatch, weights_batch
from simulation.analysis.external_control import control_mean_variance
from simulation.audit.oracle import LinearOracle

CALIPER = 0.2
TAU_SCALE = 0.25
VAGUE = 0.2
OWN_ONLY = "own controls only"


@dataclass(frozen=True)
class Answer:
    """Estimates (R,), treated less controls, and their (posterior or confidence) law.

    `below` gives the law's share below a value, or below each replicate's own.
    """

    estimate: FloatArray
    below: Callable[[FloatArray | float], FloatArray]

    def covers(self, truth: float, alpha: float = 0.05) -> BoolArray:
        """Whether the equal-tailed interval holds the truth (R,)."""
        share = self.below(truth)
        held: BoolArray = (share >= alpha / 2) & (share <= 1 - alpha / 2)
        return held

    def interval(self, alpha: float = 0.05) -> tuple[FloatArray, FloatArray]:
        """Limits (R,) of the equal-tailed interval, by bisection."""
        return self._quantile(alpha / 2), self._quantile(1 - alpha / 2)

    def _quantile(self, share: float) -> FloatArray:
        reach = np.full(self.estimate.shape, 1e-3)
        for _ in range(60):
            far = (self.below(self.estimate - reach) > share) | (
                self.below(self.estimate + reach) < share
            )
            reach = np.where(far, 2 * reach, reach)
        low, high = self.estimate - reach, self.estimate + reach
        for _ in range(60):
            middle = (low + high) / 2
            under = self.below(middle) < share
            low, high = np.where(under, middle, low), np.where(under, high, middle)
        return (low + high) / 2


@dataclass(frozen=True)
class Trials:
    """R trials: outcomes (R, n) and baseline (R, n, P) of each group.

    `source` (n0,) numbers the sites or trials that the external controls come from. Groups without
    patients have n = 0.
    """

    y1: FloatArray
    x1: FloatArray
    own: FloatArray
    x_own: FloatArray
    y0: FloatArray
    x0: FloatArray
    source: IntArray


def _student(estimate: FloatArray, se: FloatArray, df: FloatArray | float) -> Answer:
    return Answer(estimate, lambda v: np.asarray(stats.t.cdf((v - estimate) / se, df)))


def _normal(estimate: FloatArray, se: FloatArray) -> Answer:
    return Answer(estimate, lambda v: np.asarray(special.ndtr((v - estimate) / se)))


def _mean_se(y: FloatArray) -> tuple[FloatArray, FloatArray]:
    return y.mean(axis=1), y.std(axis=1, ddof=1) / np.sqrt(y.shape[1])


def _welch(y1: FloatArray, y0: FloatArray) -> Answer:
    (m1, s1), (m0, s0) = _mean_se(y1), _mean_se(y0)
    df = welch_df(s1**2, y1.shape[1], s0**2, y0.shape[1])
    return _student(m1 - m0, np.hypot(s1, s0), df)


def _arms(first: FloatArray, second: FloatArray) -> FloatArray:
    arm = np.zeros((len(first), first.shape[1] + second.shape[1]))
    arm[:, : first.shape[1]] = 1.0
    return arm


def external_only(trials: Trials, rng: np.random.Generator) -> dict[str, Answer]:
    """Answers of a trial without own controls, by method; `rng` is for the synthetic patients."""
    y = np.concatenate([trials.y1, trials.y0], axis=1)
    x = np.concatenate([trials.x1, trials.x0], axis=1)
    arm = _arms(trials.y1, trials.y0)
    answers = {"unadjusted": _welch(trials.y1, trials.y0)}
    att = weights_batch(arm, x, "att")
    line = weighted_with(y, arm, x, att, "att")
    answers["propensity weights"] = _normal(line.effect, line.se)
    targets: tuple[Target, ...] = ("overlap", "entropy")
    for target in targets:
        line = weighted_batch(y, arm, x, target)
        answers[f"{target} weights"] = _normal(line.effect, line.se)
    pairs = matched_batch(y, att.propensity, arm, caliper=CALIPER)
    answers["matching"] = _student(pairs.effect, pairs.se, np.maximum(pairs.pairs - 1, 1))
    robust = aipw_batch(y, arm, x, "att")
    answers["AIPW"] = _student(robust.effect, robust.se, robust.df)
    answers["synthetic, linear model"] = _synthetic(trials, rng)
    return answers


def _synthetic(trials: Trials, rng: np.random.Generator) -> Answer:
    """As many synthetic controls as external ones, from a linear model of those; corrected."""
    n0 = trials.y0.shape[1]
    made = LinearOracle.fit(trials.x0, trials.y0).sample(n0, rng)[1]
    (m1, s1) = _mean_se(trials.y1)
    behind = control_mean_variance(trials.y0.var(axis=1, ddof=1), n0, n0)
    df = welch_df(s1**2, trials.y1.shape[1], behind, n0)
    return _student(m1 - made.mean(axis=1), np.sqrt(s1**2 + behind), df)


@dataclass(frozen=True)
class External:
    """External controls weighted to the trial: mean, standard error and SD (R,), and by source."""

    mean: FloatArray
    se: FloatArray
    sd: FloatArray
    means: FloatArray
    ses: FloatArray


def weighted_external(y0: FloatArray, weights: FloatArray, source: IntArray) -> External:
    """Weighted means of external controls (R, n0), whole and by source; ESS for the patients."""
    groups = [np.ones(source.size, dtype=bool), *(source == s for s in np.unique(source))]
    lines = [_weighted_mean(y0[:, rows], weights[:, rows]) for rows in groups]
    mean, se, sd = lines[0]
    return External(
        mean,
        se,
        sd,
        np.column_stack([line[0] for line in lines[1:]]),
        np.column_stack([line[1] for line in lines[1:]]),
    )


def _weighted_mean(y: FloatArray, w: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    share = w / np.maximum(w.sum(axis=1, keepdims=True), 1e-300)
    mean = (share * y).sum(axis=1)
    gone = (share**2).sum(axis=1)
    variance = (share * (y - mean[:, None]) ** 2).sum(axis=1) / np.maximum(1 - gone, 1e-12)
    return mean, np.sqrt(variance * gone), np.sqrt(variance)


def hybrid(trials: Trials, external: External) -> dict[str, Answer]:
    """Answers of a trial with own controls that borrows, by method; first without borrowing."""
    m1, s1 = _mean_se(trials.y1)
    own, own_se = _mean_se(trials.own)
    prior = map_batch(external.means, external.ses, TAU_SCALE * external.sd)
    laws: dict[str, MixtureBatch] = {
        "pooled": power_prior_batch(external.mean, external.se, 1.0).update(own, own_se),
        "power prior 0.5": power_prior_batch(external.mean, external.se, 0.5).update(own, own_se),
        "normalised power prior": normalised_power_batch(own, own_se, external.mean, external.se),
        "commensurate": commensurate_batch(
            external.mean, external.se, slab_sd=external.sd
        ).update(own, own_se),
        "MAP": prior.update(own, own_se),
        "robust MAP": prior.robust(VAGUE, external.mean, external.sd).update(own, own_se),
    }
    answers = {OWN_ONLY: _welch(trials.y1, trials.own)}
    for name, law in laws.items():
        effect = law.difference_from(m1, s1)
        answers[name] = Answer(effect.mean, effect.cdf)
    return answers


@dataclass(frozen=True)
class Checks:
    """What the stopping rule looks at.

    Attributes
    ----------
    baseline
        Whether balance, overlap or effective size stop borrowing (R,).
    conflict_p
        Two-sided p that own and weighted external controls have the same mean (R,).
    weights
        Of the external controls, to resemble the trial (R, n0).
    """

    baseline: BoolArray
    conflict_p: FloatArray
    weights: FloatArray


def checks(trials: Trials, rule: BorrowingRule) -> Checks:
    """Diagnostics of the trial's patients against the external controls; no treated outcome."""
    inside = np.concatenate([trials.x1, trials.x_own], axis=1)
    x = np.concatenate([inside, trials.x0], axis=1)
    arm = _arms(inside[..., 0], trials.y0)
    found: WeightsBatch = weights_batch(arm, x, "att")
    n = inside.shape[1]
    weights = found.weights[:, n:]
    p = np.full(len(arm), np.nan)
    if trials.own.shape[1] > 1:
        external = weighted_external(trials.y0, weights, trials.source)
        own, se = _mean_se(trials.own)
        p = 2 * special.ndtr(-np.abs(own - external.mean) / np.hypot(se, external.se))
    return Checks(stop_batch(arm, x, found, rule), p, weights)
