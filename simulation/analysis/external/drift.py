"""What a stopping rule does over replicates: P(stop), and the errors of what goes on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike

from extraction.records.errors import InputError
from simulation.analysis.arrays import BoolArray, FloatArray
from simulation.analysis.borrowing import BorrowingRule
from simulation.analysis.external.balance import difference_batch
from simulation.analysis.external.propensity import columns_batch
from simulation.analysis.external.weights import WeightsBatch, effective_size_batch


def stop_batch(treated: FloatArray, x: FloatArray, found: WeightsBatch, rule: BorrowingRule, *,
               included: ArrayLike | None = None, conflict_p: FloatArray | None = None,
               min_conflict_p: float = 0.0) -> BoolArray:
    """Whether the rule stops borrowing in each replicate (R,), by baseline and conflict alone.

    Parameters
    ----------
    treated, x
        Arms (R, N) and covariates (R, N, P) or (N, P).
    found
        Weights of `weights.weights_batch` on the same rows; no weights is a stop.
    rule
        Limits on balance before and after weighting, overlap and effective sample size.
    conflict_p, min_conflict_p
        Prior-predictive p of the trial's own controls (R,), and its least value.
    """
    broken = broken_batch(treated, x, found, rule, included=included)
    stops: BoolArray = np.logical_or.reduce(list(broken.values()))
    if conflict_p is not None:
        stops = stops | (conflict_p < min_conflict_p)
    return stops


def broken_batch(treated: FloatArray, x: FloatArray, found: WeightsBatch, rule: BorrowingRule, *,
                 included: ArrayLike | None = None) -> dict[str, BoolArray]:
    """Which limits on the baseline are broken in each replicate (R,), by name; see `stop_batch`."""
    arm = np.asarray(treated, dtype=np.float64)
    count = np.ones(arm.shape) if included is None else np.asarray(included, dtype=np.float64)
    before = np.abs(difference_batch(arm, x, None, count)).max(axis=1)
    after = np.abs(difference_batch(arm, x, found.weights, count)).max(axis=1)
    size = effective_size_batch(found.weights, arm, count)[:, 0]
    return {"weights": ~found.converged, "balance": before > rule.max_smd,
            "weighted balance": after > rule.max_weighted_smd,
            "effective size": size < rule.min_ess,
            "overlap": overlap_batch(arm, x, count).min(axis=1) < rule.min_overlap}


def overlap_batch(treated: FloatArray, x: FloatArray, included: ArrayLike | None = None
                  ) -> FloatArray:
    """Share of treated within the controls' 1 to 99 % range, per column (R, P)."""
    arm = np.asarray(treated, dtype=np.float64)
    count = np.ones(arm.shape) if included is None else np.asarray(included, dtype=np.float64)
    table = columns_batch(np.asarray(x, dtype=np.float64), len(arm))
    controls = np.where(((count > 0) & (arm == 0))[..., None], table, np.nan)
    low, high = np.nanquantile(controls, [0.01, 0.99], axis=1)
    inside = (table >= low[:, None]) & (table <= high[:, None])
    one = count * (arm == 1)
    share: FloatArray = np.einsum("rn,rnp->rp", one, inside) / one.sum(axis=1)[:, None]
    return share


@dataclass(frozen=True)
class StopSummary:
    """A rule's behaviour at one drift, each figure with its Monte Carlo standard error.

    `bias`, `coverage` and `rejection` are given that borrowing was not stopped, NaN where it
    always was; `rejection` is the type I error where the true effect is 0, the power elsewhere.
    """

    replicates: int
    went_on: int
    p_stop: float
    p_stop_se: float
    bias: float
    bias_se: float
    coverage: float
    coverage_se: float
    rejection: float
    rejection_se: float


def summarise(stopped: BoolArray, effect: FloatArray, se: FloatArray, truth: float, *,
              alpha: float = 0.05) -> StopSummary:
    """P(stop), and bias, coverage and rejections of the replicates that went on.

    Parameters
    ----------
    stopped, effect, se
        Of each replicate (R,), with the normal law.
    truth
        The true effect, on the estimate's scale.

    Raises
    ------
    InputError
        Without replicates, or where one that went on has no estimate.
    """
    if stopped.size == 0:
        raise InputError("stopped: no replicates; simulate some")
    on = ~stopped
    if not (np.isfinite(effect[on]) & np.isfinite(se[on])).all():
        raise InputError("effect, se: a replicate that was not stopped has no estimate; count it "
                         "as stopped")
    wide = scipy.stats.norm.isf(alpha / 2) * se
    error = effect - truth
    return summarise_decisions(stopped, error, np.abs(error) <= wide, np.abs(effect) > wide)


def summarise_decisions(stopped: BoolArray, error: FloatArray, covered: BoolArray,
                        rejected: BoolArray) -> StopSummary:
    """`summarise` where the law is not the normal one: each replicate's error and decisions (R,).

    Parameters
    ----------
    stopped
        Whether the rule stopped borrowing.
    error
        Estimate less truth.
    covered, rejected
        Whether the interval holds the truth, and whether it leaves out no effect.
    """
    on = ~stopped
    kept = error[on]
    share, share_se = _share(stopped)
    bias_se = float(kept.std(ddof=1) / np.sqrt(kept.size)) if kept.size > 1 else float("nan")
    return StopSummary(stopped.size, int(on.sum()), share, share_se,
                       float(kept.mean()) if kept.size else float("nan"), bias_se,
                       *_share(covered[on]), *_share(rejected[on]))


def strategy_rejections(stopped: BoolArray, borrowed: BoolArray, alone: BoolArray) -> BoolArray:
    """Rejections of the whole strategy: borrow, or where the rule stops, use `alone`.

    `alone` are the rejections of the trial's own controls, or all False where a trial without any
    makes no claim. Shapes broadcast.

    Notes
    -----
    This is the error that a sponsor's strategy makes. The error *given not stopped* is larger at
    a large drift for every method, borrowing or not: a conflict check passes there only the trials
    whose own controls happen to be as wrong as the external ones.
    """
    return np.asarray(np.where(stopped, alone, borrowed), dtype=np.bool_)


CONFLICT_LIMITS = (0.1, 0.2, 0.3, 0.5, 0.7)


@dataclass(frozen=True)
class ConflictLimit:
    """The least conflict p that holds a strategy's type I error over a drift grid.

    Attributes
    ----------
    least_p
        None where no candidate holds it: do not borrow by this method.
    candidates, worst, worst_se
        Limits tried, each with its greatest type I error over the drifts and Monte Carlo SE (C,).
    cap
        What `worst` may be.
    """

    least_p: float | None
    candidates: tuple[float, ...]
    worst: FloatArray
    worst_se: FloatArray
    cap: float


def conflict_limit(stopped: BoolArray, conflict_p: FloatArray, borrowed: BoolArray,
                   alone: BoolArray, cap: float = 0.1,
                   candidates: tuple[float, ...] = CONFLICT_LIMITS) -> ConflictLimit:
    """Choose, before the trial, how well own and external controls must agree.

    Parameters
    ----------
    stopped
        Whether baseline limits stop borrowing, over drifts and replicates (D, R).
    conflict_p
        P of own against external controls (D, R).
    borrowed, alone
        False rejections with and without borrowing (D, R); the true effect is 0.
    cap
        Greatest type I error allowed at any drift; that of `verdict.StoppingRule.max_type_one`.
    candidates
        Limits to try, rising.

    Returns
    -------
    ConflictLimit
        The greatest of noisy rates errs upwards, so that the choice is the careful one; state the
        error on other seeds.

    Raises
    ------
    InputError
        Without candidates, or where they do not rise.
    """
    if not candidates or list(candidates) != sorted(set(candidates)):
        raise InputError(f"candidates: {candidates}; allowed: at least one, rising; sort them")
    worst, spread = [], []
    for least in candidates:
        hits = strategy_rejections(stopped | (conflict_p < least), borrowed, alone)
        rate = hits.mean(axis=1)
        top = int(rate.argmax())
        worst.append(float(rate[top]))
        spread.append(_share(hits[top])[1])
    held = [p for p, rate in zip(candidates, worst, strict=True) if rate <= cap]
    return ConflictLimit(held[0] if held else None, candidates, np.array(worst),
                         np.array(spread), cap)


def _share(hits: BoolArray) -> tuple[float, float]:
    if hits.size == 0:
        return float("nan"), float("nan")
    rate = float(hits.mean())
    return rate, float(np.sqrt(rate * (1 - rate) / hits.size))
