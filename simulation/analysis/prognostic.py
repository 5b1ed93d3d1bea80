"""Cross-fitted covariate adjustment: prognostic scores learnt inside the trial they adjust.

This is not PROCOVA, whose score is locked on historical data (`simulation.analysis.procova`). A
gain is quoted as the ratio of squared standard errors to an ANCOVA that already holds baseline and
site, and as a partial correlation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike

from extraction.records.errors import InputError
from simulation.analysis import linear
from simulation.analysis.arrays import (
    BoolArray,
    Columns,
    FloatArray,
    IntArray,
    block,
    labels,
    numeric,
    stop,
)
from simulation.analysis.estimate import Estimand, Estimate, from_t
from simulation.analysis.ridge import ridge_batch, standardise

Train = Literal["controls", "all_arms"]
Learner = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]


class Scorer(Protocol):
    """Cross-fitted scores of R labellings of one trial."""

    def __call__(self, arms: IntArray, folds: IntArray) -> FloatArray:
        """Scores (R, N) given arm codes (R, N; 0 control) and fold numbers (R, N).

        The score of a patient must come from one model that saw no patient of that fold.
        """
        ...


@dataclass(frozen=True)
class RidgeScorer:
    """Scores by closed-form ridge on standardised baseline columns.

    Parameters
    ----------
    features
        Baseline columns (N, P), complete (see `ridge.baseline_features`).
    y
        Outcomes (N,).
    train
        "controls", or "all_arms" with an unpenalised mean for each arm.
    """

    features: FloatArray
    y: FloatArray
    train: Train = "all_arms"

    def __call__(self, arms: IntArray, folds: IntArray) -> FloatArray:
        """Scores (R, N); see `Scorer`."""
        table = standardise(self.features)
        scores = np.zeros(arms.shape)
        for fold in range(int(folds.max()) + 1):
            held_out = folds == fold
            used = ~held_out & (arms == 0) if self.train == "controls" else ~held_out
            predicted = ridge_batch(table, self.y, used.astype(np.float64),
                                    arms if self.train == "all_arms" else None)
            scores = np.where(held_out, predicted, scores)
        return scores


@dataclass(frozen=True)
class LearnerScorer:
    """Scores by any learner (x_train, y_train, x_test) -> score, one fit per labelling and fold.

    With `train="all_arms"` one column per active arm is appended; test patients are scored at
    control, with those columns at zero. Scores are centred per model as in `ridge.ridge_batch`.
    """

    features: FloatArray
    y: FloatArray
    learner: Learner
    train: Train = "all_arms"

    def __call__(self, arms: IntArray, folds: IntArray) -> FloatArray:
        """Scores (R, N); see `Scorer`."""
        return np.stack([self._one(arm, fold) for arm, fold in zip(arms, folds, strict=True)])

    def _one(self, arm: IntArray, folds: IntArray) -> FloatArray:
        scores = np.zeros(arm.size)
        active = (arm[:, None] == np.arange(1, int(arm.max()) + 1)).astype(np.float64)
        table = self.features
        at_control = table
        if self.train == "all_arms":
            table = np.hstack([self.features, active])
            at_control = np.hstack([self.features, np.zeros_like(active)])
        for fold in np.unique(folds):
            held_out: BoolArray = folds == fold
            used = ~held_out & (arm == 0) if self.train == "controls" else ~held_out
            predicted = self.learner(table[used], self.y[used], at_control)
            scores[held_out] = (predicted - predicted.mean())[held_out]
        return scores


def stratified_folds(arms: IntArray, folds: int, rng: np.random.Generator) -> IntArray:
    """Random fold numbers (R, N), each arm of codes (R, N) spread evenly over the folds."""
    order = np.argsort(arms + rng.random(arms.shape), axis=1)
    numbers = np.empty(arms.shape, dtype=np.int64)
    np.put_along_axis(numbers, order, np.broadcast_to(np.arange(arms.shape[1]) % folds, arms.shape),
                      axis=1)
    return numbers


@dataclass(frozen=True)
class CrossFitted:
    """Cross-fitted covariate adjustment over repeated divisions into folds.

    Parameters
    ----------
    effects, plain
        Per active arm, with the score and without it (baseline and site in both).
    scores
        Prognostic scores (repeats, N).
    variance_ratio
        Per active arm (repeats,): squared standard error with the score over without.
    partial_correlation
        (repeats,): of score and outcome, given arm and everything else in the model.
    """

    effects: Mapping[str, Estimate]
    plain: Mapping[str, Estimate]
    scores: FloatArray
    variance_ratio: Mapping[str, FloatArray]
    partial_correlation: FloatArray

    def summary(self) -> dict[str, Any]:
        """Mean, least and greatest over the repeats, JSON-able."""
        figures = {"partial_correlation": self.partial_correlation}
        figures |= {f"variance_ratio[{arm}]": r for arm, r in self.variance_ratio.items()}
        return {name: {"mean": float(v.mean()), "low": float(v.min()), "high": float(v.max())}
                for name, v in figures.items()}


@dataclass(frozen=True)
class TrialData:
    """Complete outcomes of one trial, ready for adjustment (build with `trial_data`).

    Parameters
    ----------
    y
        Outcomes (N,).
    arms
        Arm codes (N,): 0 control, then the active arms in the order of `active`.
    active, control
        Arm labels.
    shared
        Intercept, covariates and factor dummies of the plain ANCOVA (N, P).
    """

    y: FloatArray
    arms: IntArray
    active: tuple[str, ...]
    control: str
    shared: FloatArray

    def fit(self, arms: IntArray, scores: FloatArray | None = None) -> linear.BatchFit:
        """ANCOVA for labellings (R, N), with scores (R, N) as a last covariate when given."""
        columns = (arms[..., None] == np.arange(1, len(self.active) + 1)).astype(np.float64)
        if scores is not None:
            columns = np.concatenate([columns, scores[..., None]], axis=2)
        return linear.fit_batch(self.y, columns, self.shared)


def trial_data(y: ArrayLike, arm: ArrayLike, covariates: Columns | None = None,
               factors: Columns | None = None, *, control: Any) -> TrialData:
    """Check a trial's outcomes (N,), arm labels (N,), covariates and factors by name.

    Raises
    ------
    InputError
        For missing values, wrong shapes, collinear columns, or a control label that is not among
        the arms.
    """
    faults: list[str] = []
    outcome = numeric("y", y, faults)
    n = outcome.shape[0]
    array = labels("arm", arm, faults, n)
    stop(faults)
    levels = np.unique(array).tolist()
    if control not in levels or len(levels) < 2:
        raise InputError(f"control: {control!r}; arms seen: {levels}; name one of at least two")
    active = [level for level in levels if level != control]
    arms = np.zeros(n, dtype=np.int64)
    for code, level in enumerate(active, start=1):
        arms[array == level] = code
    table, names = block(covariates, factors, n, faults)
    shared = np.hstack([np.ones((n, 1)), table])
    linear.require_full_rank(shared, ["intercept", *names])
    return TrialData(outcome, arms, tuple(map(str, active)), str(control), shared)


def cross_fitted_adjustment(trial: TrialData, scorer: Scorer, *, rng: np.random.Generator,
                            folds: int = 5, repeats: int = 20, level: float = 0.95,
                            estimand: Estimand | None = None) -> CrossFitted:
    """ANCOVA with a prognostic score that is cross-fitted within the trial.

    Parameters
    ----------
    trial
        Outcomes, arms and what the plain ANCOVA already holds, such as baseline and site.
    scorer
        `RidgeScorer(features, y)` by default choice; `LearnerScorer` for any other learner.
    rng
        Draws the folds.
    folds, repeats
        Folds per division, and how many random divisions are drawn.

    Returns
    -------
    CrossFitted
        The estimate is the median over repeats; its squared standard error is the median of
        se^2 + (estimate - median)^2 (Chernozhukov et al. 2018, doi 10.1111/ectj.12097).

    Raises
    ------
    InputError
        When an arm has fewer patients than folds.
    """
    smallest = int(np.bincount(trial.arms).min())
    if not 2 <= folds <= smallest:
        raise InputError(f"folds: {folds}; allowed: 2 to {smallest}, the size of the smallest arm")
    arms = np.broadcast_to(trial.arms, (repeats, trial.y.size))
    scores = scorer(arms, stratified_folds(arms, folds, rng))
    fitted, bare = trial.fit(arms, scores), trial.fit(trial.arms[None])
    effects, plain, ratios = {}, {}, {}
    for i, name in enumerate(trial.active):
        arm = {"arm": name, "control": trial.control}
        plain[name] = from_t("ANCOVA", bare.effect[0, i], bare.se[0, i], trial.y.size, bare.df,
                             level=level, estimand=estimand, extra=arm)
        middle = float(np.median(fitted.effect[:, i]))
        variance = float(np.median(fitted.se[:, i] ** 2 + (fitted.effect[:, i] - middle) ** 2))
        ratios[name] = fitted.se[:, i] ** 2 / bare.se[0, i] ** 2
        effects[name] = from_t(
            "cross-fitted covariate adjustment", middle, float(np.sqrt(variance)), trial.y.size,
            fitted.df, level=level, estimand=estimand,
            extra={**arm, "repeats": repeats, "folds": folds,
                   "variance_ratio_to_ancova": variance / float(bare.se[0, i]) ** 2,
                   "spread_of_estimates": float(fitted.effect[:, i].std())})
    t = fitted.statistic[:, -1]
    return CrossFitted(effects, plain, scores, ratios, t / np.sqrt(t**2 + fitted.df))


@dataclass(frozen=True)
class TypeOneError:
    """Share of null trials rejected at `alpha`, with its Monte Carlo standard error."""

    rate: float
    se: float
    replicates: int
    alpha: float

    @property
    def within_error(self) -> bool:
        """Whether the rate lies within three standard errors of alpha."""
        return bool(abs(self.rate - self.alpha)
                    <= 3 * np.sqrt(self.alpha * (1 - self.alpha) / self.replicates))


def null_labels(arms: IntArray, replicates: int, rng: np.random.Generator,
                strata: IntArray | None = None) -> IntArray:
    """Re-randomised arm codes (replicates, N): the trial's own labels, shuffled within strata."""
    n = arms.size
    groups = np.zeros(n, np.int64) if strata is None else strata
    source = np.argsort(groups, kind="stable")
    target = np.argsort(groups + rng.random((replicates, n)), axis=1)
    shuffled = np.empty((replicates, n), dtype=np.int64)
    np.put_along_axis(shuffled, target, np.broadcast_to(arms[source], (replicates, n)), axis=1)
    return shuffled


def null_p_values(trial: TrialData, scorer: Scorer, arms: IntArray, folds: IntArray) -> FloatArray:
    """Two-sided p values (R, active arms) for labellings (R, N), the score refitted inside each.

    Rows are independent of each other, so callers may cut labellings and folds into chunks and
    spread them over workers.
    """
    return trial.fit(arms, scorer(arms, folds)).p_value[:, : len(trial.active)]


def null_type_one_error(trial: TrialData, scorer: Scorer, *, rng: np.random.Generator,
                        replicates: int = 2_000, folds: int = 5, alpha: float = 0.05,
                        strata: IntArray | None = None, chunk: int = 200
                        ) -> dict[str, TypeOneError]:
    """Type I error of cross-fitted adjustment: labels shuffled, score refitted inside each.

    Parameters
    ----------
    trial, scorer, folds
        As in `cross_fitted_adjustment`; the scorer refits for every labelling.
    rng
        Draws labels and folds.
    replicates
        Null trials.
    strata
        Codes (N,) inside which the trial randomised; None shuffles over all patients.
    chunk
        Null trials fitted at once; the result does not depend on it.

    Returns
    -------
    dict
        Per active arm, the two-sided rejection rate against control.
    """
    arms = null_labels(trial.arms, replicates, rng, strata)
    numbers = stratified_folds(arms, folds, rng)
    p_values = np.concatenate([
        null_p_values(trial, scorer, arms[start : start + chunk], numbers[start : start + chunk])
        for start in range(0, replicates, chunk)])
    return {name: type_one_error(p_values[:, i], alpha) for i, name in enumerate(trial.active)}


def type_one_error(p_values: FloatArray, alpha: float = 0.05) -> TypeOneError:
    """Rejection rate of null p values (R,) at `alpha`."""
    rate = float((p_values <= alpha).mean())
    error = float(np.sqrt(rate * (1 - rate) / p_values.size))
    return TypeOneError(rate, error, p_values.size, alpha)
