"""Log-rank tests, plain, stratified and weighted, for one trial or one per replicate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy
from numpy.typing import ArrayLike
from scipy.special import ndtr

from extraction.records.errors import InputError
from simulation.analysis.arrays import BoolArray, FloatArray, IntArray, labels, stop
from simulation.analysis.risk_sets import checked, codes, sorted_rows

WeightKind = Literal["fleming_harrington", "gehan", "tarone_ware", "modest"]


@dataclass(frozen=True)
class Weight:
    """Weight of an event at time t in a log-rank test.

    With S the pooled Kaplan-Meier curve just before t (of the stratum) and n the patients at risk:

    - "fleming_harrington": S^rho (1 - S)^gamma (Fleming and Harrington 1991); (0, 0) is the plain
      test, (0, 1) looks for late effects;
    - "gehan": n (Gehan 1965, doi 10.1093/biomet/52.1-2.203);
    - "tarone_ware": sqrt(n) (Tarone and Ware 1977, doi 10.1093/biomet/64.1.156);
    - "modest": 1 / S until the time `until`, then constant, and never above `cap` (Magirr and
      Burman 2019, doi 10.1002/sim.8186).

    Raises
    ------
    InputError
        For negative powers, a time that is not above 0, or a cap below 1.
    """

    kind: WeightKind = "fleming_harrington"
    rho: float = 0.0
    gamma: float = 0.0
    until: float = float("inf")
    cap: float = float("inf")

    def __post_init__(self) -> None:
        faults = []
        if self.rho < 0 or self.gamma < 0:
            faults.append("weight.rho, weight.gamma: at least 0; raise them")
        if self.until <= 0:
            faults.append(f"weight.until: {self.until:g}; it must lie above 0; choose the delay")
        if self.cap < 1:
            faults.append(f"weight.cap: {self.cap:g}; at least 1, the first weight; raise it")
        stop(faults)

    @property
    def plain(self) -> bool:
        """Whether all events weigh the same."""
        return self.kind == "fleming_harrington" and self.rho == self.gamma == 0

    @property
    def row(self) -> tuple[float, float, float]:
        """Code and figures for the compiled loop."""
        from simulation.kernels import survival

        if self.kind == "fleming_harrington":
            return survival.FLEMING_HARRINGTON, self.rho, self.gamma
        if self.kind == "modest":
            return survival.MODEST, self.until, self.cap
        return (survival.GEHAN if self.kind == "gehan" else survival.TARONE_WARE), 0.0, 0.0

    @property
    def name(self) -> str:
        """In words."""
        if self.plain:
            return "log-rank"
        if self.kind == "fleming_harrington":
            return f"Fleming-Harrington({self.rho:g}, {self.gamma:g})"
        return {"gehan": "Gehan", "tarone_ware": "Tarone-Ware"}.get(self.kind, "modestly weighted")


PLAIN = Weight()
_BLOCK = 16_000
"""Patients whose keys are sorted at a time, so that they stay in the processor's cache."""


@dataclass(frozen=True)
class LogRank:
    """Log-rank test of one trial, or of one per replicate.

    Attributes
    ----------
    difference
        Observed minus expected events of the treated arm, weighted.
    variance
        Its hypergeometric variance.
    z
        Negative when the treated have fewer events than expected.
    chi2, p_value
        Two-sided test.
    log_ratio, se
        One-step log hazard ratio (Peto et al. 1977, doi 10.1038/bjc.1977.1), under a weight an
        average over time by that weight; NaN and infinite where there is nothing to compare.
    events
        Events of both arms.
    """

    difference: Any
    variance: Any
    z: Any
    chi2: Any
    p_value: Any
    log_ratio: Any = float("nan")
    se: Any = float("nan")
    events: Any = float("nan")


def logrank_batch(time: FloatArray, event: FloatArray, treated: FloatArray | BoolArray,
                  strata: IntArray | None = None, *, weight: Weight = PLAIN,
                  included: BoolArray | None = None) -> LogRank:
    """Two-arm log-rank test in each of R replicates.

    Parameters
    ----------
    time, event, treated
        Days, event indicator and arm indicator, each (R, N).
    strata
        Integer codes (R, N), or (1, N) when shared; None for the unstratified test.
    weight
        How events weigh.
    included
        Who counts (R, N); everyone by default.

    Returns
    -------
    LogRank
        Arrays (R,). Trials without an event have z = 0 and p = 1.
    """
    if weight.plain and strata is None:
        u, v, events = _plain_sums(time, event, treated, included)
        return _tested(u, v, v, events)
    several = weighted_sums(time, event, treated, strata, (weight,), included)
    return _tested(several[0][:, 0], several[1][:, 0], several[2][:, 0, 0], several[3])


def logrank_looks(time: FloatArray, entry: FloatArray, leaves: FloatArray, cut: FloatArray,
                  randomised: BoolArray, longest: float, arm: IntArray, treated: int, control: int
                  ) -> tuple[LogRank, FloatArray]:
    """Plain test of two arms at a look, as of `logrank_batch` on what `cut_rows` sees.

    Parameters
    ----------
    time, entry, leaves, cut, randomised, longest
        As in `simulation.kernels.survival.cut_rows`.
    arm
        Number of each patient's arm (R, N).
    treated, control
        Numbers of the two arms.

    Returns
    -------
    tuple
        The tests, and the patients (R,) in them.
    """
    from simulation.kernels.survival import cut_keys

    n = np.empty(len(time))

    def keys(rows: slice) -> IntArray:
        packed: IntArray
        packed, n[rows] = cut_keys(time[rows], entry[rows], leaves[rows], cut[rows],
                                   randomised[rows], longest, arm[rows], treated, control)
        return packed

    u, v, events = _sums(time.shape, keys)
    return _tested(u, v, v, events), n


def _tested(u: FloatArray, slope: FloatArray, v: FloatArray, events: FloatArray) -> LogRank:
    """Tests and estimates from sums."""
    z, log_ratio, se = one_step(u, slope, v)
    return LogRank(u, v, z, z**2, 2 * ndtr(-np.abs(z)), log_ratio, se, events)


def _plain_sums(time: FloatArray, event: FloatArray, treated: FloatArray | BoolArray,
                included: BoolArray | None) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Score, variance and events (R,) of the plain test, on times packed with their facts."""
    from simulation.kernels.survival import pack_rows

    shape = time.shape
    time = np.ascontiguousarray(time, dtype=np.float64)
    arm = np.ascontiguousarray(np.broadcast_to(treated, shape))
    there = np.ones(shape, dtype=np.bool_) if included is None else included

    def keys(rows: slice) -> IntArray:
        packed: IntArray = pack_rows(time[rows], event[rows], arm[rows], there[rows])
        return packed

    return _sums(shape, keys)


def _sums(shape: tuple[int, ...], keys: Callable[[slice], IntArray]
          ) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Score, variance and events (R,) of the keys of some rows at a time."""
    from simulation.kernels.survival import packed_rows

    sums = np.empty((3, shape[0]))
    step = max(1, _BLOCK // max(shape[1], 1))
    for start in range(0, shape[0], step):
        rows = slice(start, start + step)
        packed = keys(rows)
        packed.view(np.float64).sort(axis=1)
        sums[:, rows] = packed_rows(packed)
    return sums[0], sums[1], sums[2]


def weighted_sums(time: FloatArray, event: FloatArray, treated: FloatArray | BoolArray,
                  strata: IntArray | None, weights: tuple[Weight, ...],
                  included: BoolArray | None) -> tuple[FloatArray, FloatArray, FloatArray,
                                                       FloatArray]:
    """Scores (R, W), slopes (R, W), covariances (R, W, W) and events (R,) of several tests."""
    from simulation.kernels.survival import weighted_rows

    order, stratum = sorted_rows(time, strata)
    rows = np.array([weight.row for weight in weights], dtype=np.float64)
    shape = time.shape
    arm = np.ascontiguousarray(np.broadcast_to(treated, shape), dtype=np.float64)
    there = np.ones(shape, dtype=np.bool_) if included is None else included
    found: tuple[FloatArray, FloatArray, FloatArray, FloatArray] = weighted_rows(
        time, event, arm, there, order, stratum, rows)
    return found


def one_step(score: FloatArray, slope: FloatArray, variance: FloatArray
             ) -> tuple[FloatArray, FloatArray, FloatArray]:
    """z, one-step log hazard ratio and its standard error, in the scores' shape."""
    sound = (variance > 0) & (slope > 0)
    root = np.sqrt(np.where(sound, variance, 1.0))
    slope = np.where(sound, slope, 1.0)
    return (np.where(sound, score / root, 0.0), np.where(sound, score / slope, np.nan),
            np.where(sound, root / slope, np.inf))


def logrank(time: ArrayLike, event: ArrayLike, arm: ArrayLike, strata: ArrayLike | None = None, *,
            weight: Weight = PLAIN) -> LogRank:
    """Log-rank test over two or more arms, stratified when `strata` (N,) is given.

    With two arms, `z` has the sign of the second in sorted order against the first; with more,
    `difference` and `variance` leave the first arm out and `z` is NaN.

    Raises
    ------
    InputError
        For faulty times, missing labels, fewer than two arms, or a weight with more than two.
    """
    times, events = checked(time, event)
    faults: list[str] = []
    array = labels("arm", arm, faults, times.size)
    stop(faults)
    levels, number = np.unique(array, return_inverse=True)
    if levels.size < 2:
        raise InputError(f"arm: {levels.size} arm; a comparison needs at least two; check the arm")
    groups = codes(strata, times.size)
    if levels.size > 2:
        if not weight.plain:
            raise InputError(f"weight: {weight.name} compares two arms; {levels.size} came; "
                             "leave the weight out, or select two arms")
        return _several(times, events, number.astype(np.int64), groups, levels.size)
    found = logrank_batch(times[None], events[None], number[None].astype(np.float64), groups,
                          weight=weight)
    return LogRank(*(float(getattr(found, name)[0]) for name in found.__dataclass_fields__))


def _several(time: FloatArray, event: FloatArray, arm: IntArray, groups: IntArray | None,
             arms: int) -> LogRank:
    """Test of more than two arms."""
    from simulation.kernels.survival import arms_table

    order, stratum = sorted_rows(time[None], groups)
    events, at_risk = arms_table(time, event, arm, order[0], stratum[0], arms)
    n, d = at_risk.sum(axis=1, keepdims=True), events.sum(axis=1, keepdims=True)
    share = (at_risk / n)[:, 1:]
    difference = (events[:, 1:] - d * share).sum(axis=0)
    spread = (d * (n - d) / np.maximum(n - 1, 1))[:, 0]
    variance = np.diag(spread @ share) - (share * spread[:, None]).T @ share
    chi2 = float(difference @ np.linalg.pinv(variance) @ difference)
    return LogRank(difference, variance, float("nan"), chi2,
                   float(scipy.stats.chi2.sf(chi2, arms - 1)), events=float(event.sum()))
