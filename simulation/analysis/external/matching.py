"""One-to-one matching on a score, and the difference of matched pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from extraction.records.errors import InputError
from simulation.analysis.arrays import FloatArray, IntArray, numeric
from simulation.analysis.estimate import Estimand, Estimate, from_t
from simulation.analysis.external.propensity import patients, propensity

Order = Literal["largest", "smallest", "data"]


@dataclass(frozen=True)
class PairsBatch:
    """Matched differences over replicates, for the effect on the treated who found a match.

    Attributes
    ----------
    pair
        Index of each treated patient's control (R, N); -1 for controls and the unmatched.
    effect, se
        (R,); NaN with fewer than two pairs.
    pairs, controls
        Pairs and distinct controls in them (R,).
    """

    pair: IntArray
    effect: FloatArray
    se: FloatArray
    pairs: IntArray
    controls: IntArray


def nearest_batch(score: FloatArray, treated: FloatArray, *, caliper: float | None = None,
                  replace: bool = False, order: Order = "largest",
                  included: ArrayLike | None = None) -> IntArray:
    """Index (R, N) of the nearest control of each treated patient; -1 where there is none.

    Parameters
    ----------
    score, treated
        Score to match on, such as the propensity, and arms, each (R, N).
    caliper
        Greatest distance, in standard deviations of the score over all patients; None for any.
    replace
        Whether a control may be matched again.
    order
        Who chooses first: the "largest" score, the "smallest", or as in the "data".
    included
        Who counts (R, N); everyone by default.

    Notes
    -----
    Greedy, deterministic: equal scores choose in the order of the data, and of equally near
    controls the first in the data is taken, as `MatchIt` does where it computes distances
    (`mahvars = ~score`). `MatchIt` 4.5.1's faster path takes the next control *below* instead,
    however far, and does not apply a caliper (tests/reference/test_external_lalonde.py).
    """
    from simulation.kernels.matching import match_rows

    there = (np.ones(score.shape, dtype=np.bool_) if included is None
             else np.asarray(included).astype(np.bool_))
    key = {"largest": -score, "smallest": score, "data": np.zeros_like(score)}[order]
    counted = np.where(there, score, np.nan)
    limit = (np.full(len(score), np.inf) if caliper is None
             else caliper * np.nanstd(counted, axis=1, ddof=1))
    pair: IntArray = match_rows(score, treated, there, np.argsort(key, axis=1, kind="stable"),
                                limit, replace)
    return pair


def matched_batch(y: FloatArray, score: FloatArray, treated: FloatArray, *,
                  caliper: float | None = None, replace: bool = False, order: Order = "largest",
                  included: ArrayLike | None = None) -> PairsBatch:
    """Mean difference of matched pairs in each replicate; arguments as in `nearest_batch`.

    Notes
    -----
    Variance of Abadie and Imbens (2006, doi 10.1111/j.1468-0262.2006.00655.x) for one match: the
    spread of the pairs' differences, and K (K - 1) times the outcome's variance given the score
    for a control used K times. The score counts as given.
    """
    from simulation.kernels.matching import local_variance_rows

    pair = nearest_batch(score, treated, caliper=caliper, replace=replace, order=order,
                         included=included)
    matched = pair >= 0
    n = matched.sum(axis=1)
    partner = np.take_along_axis(y, np.maximum(pair, 0), axis=1)
    gap = np.where(matched, y - partner, 0.0)
    size = np.maximum(n, 1)
    effect = gap.sum(axis=1) / size
    used = _uses(pair)
    own = np.where(matched, (gap - effect[:, None]) ** 2, 0.0).sum(axis=1) / np.maximum(n - 1, 1)
    there = (np.ones(score.shape, dtype=np.bool_) if included is None
             else np.asarray(included).astype(np.bool_))
    again = np.zeros(len(y))
    if replace:
        spread = local_variance_rows(score, treated, there, y)
        again = (used * (used - 1) * spread).sum(axis=1) / size
    enough = n > 1
    se = np.sqrt((own + again) / size)
    return PairsBatch(pair, np.where(enough, effect, np.nan), np.where(enough, se, np.nan), n,
                      (used > 0).sum(axis=1))


def _uses(pair: IntArray) -> IntArray:
    """How often each patient is somebody's match (R, N)."""
    rows, n = pair.shape
    flat = np.where(pair >= 0, pair + n * np.arange(rows)[:, None], rows * n)
    counts = np.bincount(flat.ravel(), minlength=rows * n + 1)[:-1]
    return counts.reshape(rows, n).astype(np.int64)


def matched_difference(y: ArrayLike, treated: ArrayLike, x: ArrayLike, *,
                       caliper: float | None = None, replace: bool = False,
                       order: Order = "largest", score: ArrayLike | None = None,
                       level: float = 0.95, estimand: Estimand | None = None) -> Estimate:
    """Effect on the treated by 1:1 nearest-neighbour matching on the propensity score.

    Parameters
    ----------
    y, treated, x
        Outcomes (N,), arms (N,) and covariates (N, P).
    caliper, replace, order
        As in `nearest_batch`.
    score
        Another score (N,) to match on; the estimated propensity by default.

    Raises
    ------
    InputError
        For faulty arrays or options, separated groups, or fewer than two pairs.
    """
    arm, table, more = patients(treated, x, y=y)
    if order not in get_args(Order):
        raise InputError(f"order: {order!r}; allowed: {', '.join(get_args(Order))}; name one")
    if caliper is not None and caliper <= 0:
        raise InputError(f"caliper: {caliper:g}; it must be above 0; choose for instance 0.2")
    faults: list[str] = []
    e = propensity(arm, table) if score is None else numeric("score", score, faults, arm.shape)
    if faults:
        raise InputError(faults)
    found = matched_batch(more["y"][None], e[None], arm[None], caliper=caliper, replace=replace,
                          order=order)
    if found.pairs[0] < 2:
        raise InputError(f"caliper: {int(found.pairs[0])} pairs; at least 2 are needed; widen it "
                         "or compare other controls")
    n = int(found.pairs[0])
    return from_t("nearest-neighbour matching on the propensity", float(found.effect[0]),
                  float(found.se[0]), n + int(found.controls[0]), float(n - 1), level=level,
                  estimand=estimand,
                  extra={"pairs": n, "controls": int(found.controls[0]),
                         "unmatched": int(arm.sum()) - n, "replace": replace,
                         "caliper_sd": caliper})
