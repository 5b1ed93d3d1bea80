"""Two proportions: difference, ratio and odds ratio with Wald, Newcombe and score intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from extraction.records.errors import InputError
from simulation.analysis.arrays import Columns, FloatArray, block, numeric, stop
from simulation.analysis.estimate import Estimand, Estimate, ratio_from_log
from simulation.analysis.regression import regression_batch

Measure = Literal["difference", "ratio", "odds_ratio"]
Interval = Literal["wald", "newcombe", "miettinen_nurminen"]
_HALVINGS = 70
_FAR = 25.0  # |log ratio| at which a score interval counts as unbounded


@dataclass(frozen=True)
class ProportionsBatch:
    """Two proportions over replicates, each (R,).

    Attributes
    ----------
    estimate
        Treated minus control, or the log of the ratio; NaN or infinite where an arm lacks events.
    se
        Wald's, of the difference or of the log.
    low, high
        Interval on the scale of `estimate`.
    z, p_value
        Test of no effect: Wald's, or the score test for the other intervals.
    """

    estimate: FloatArray
    se: FloatArray
    low: FloatArray
    high: FloatArray
    z: FloatArray
    p_value: FloatArray


@dataclass(frozen=True)
class _Table:
    """Events and patients of the two arms, each (R,)."""

    x1: FloatArray
    n1: FloatArray
    x0: FloatArray
    n0: FloatArray

    @property
    def p1(self) -> FloatArray:
        return self.x1 / self.n1

    @property
    def p0(self) -> FloatArray:
        return self.x0 / self.n0


def _wald(t: _Table, measure: Measure) -> tuple[FloatArray, FloatArray]:
    """Estimate and standard error."""
    if measure == "difference":
        variance = t.p1 * (1 - t.p1) / t.n1 + t.p0 * (1 - t.p0) / t.n0
        return t.p1 - t.p0, np.sqrt(variance)
    if measure == "ratio":
        variance = 1 / t.x1 - 1 / t.n1 + 1 / t.x0 - 1 / t.n0
        return np.log(t.p1) - np.log(t.p0), np.sqrt(variance)
    f1, f0 = t.n1 - t.x1, t.n0 - t.x0
    odds = np.log(t.x1) - np.log(f1) - np.log(t.x0) + np.log(f0)
    return odds, np.sqrt(1 / t.x1 + 1 / f1 + 1 / t.x0 + 1 / f0)


def _score_difference(t: _Table, delta: FloatArray) -> FloatArray:
    """Score statistic of a difference; restricted estimates by Farrington and Manning's cubic."""
    theta = t.n0 / t.n1
    a = 1 + theta
    b = -(1 + theta + t.p1 + theta * t.p0 + delta * (theta + 2))
    c = delta**2 + delta * (2 * t.p1 + theta + 1) + t.p1 + theta * t.p0
    d = -t.p1 * delta * (1 + delta)
    v = (b / (3 * a)) ** 3 - b * c / (6 * a**2) + d / (2 * a)
    root = np.sqrt(np.maximum((b / (3 * a)) ** 2 - c / (3 * a), 0.0))
    u = np.where(v < 0, -root, root)
    w = (np.pi + np.arccos(np.clip(v / np.where(u == 0, 1.0, u) ** 3, -1, 1))) / 3
    p1 = np.clip(2 * u * np.cos(w) - b / (3 * a), 0, 1)
    p0 = np.clip(p1 - delta, 0, 1)
    n = t.n1 + t.n0
    variance = (p1 * (1 - p1) / t.n1 + p0 * (1 - p0) / t.n0) * n / (n - 1)
    return np.asarray((t.p1 - t.p0 - delta) / np.sqrt(np.maximum(variance, 1e-300)))


def _score_ratio(t: _Table, log_ratio: FloatArray) -> FloatArray:
    """Score statistic of a ratio of proportions."""
    phi = np.exp(log_ratio)
    n = t.n1 + t.n0
    b = t.n1 * phi + t.x1 + t.n0 + t.x0 * phi
    total = t.x1 + t.x0
    # The smaller root of n phi p^2 - b p + total, in the form that keeps its digits.
    p0 = np.clip(2 * total / (b + np.sqrt(np.maximum(b**2 - 4 * n * phi * total, 0.0))), 0, 1)
    p1 = np.clip(phi * p0, 0, 1)
    variance = (p1 * (1 - p1) / t.n1 + phi**2 * p0 * (1 - p0) / t.n0) * n / (n - 1)
    return np.asarray((t.p1 - phi * t.p0) / np.sqrt(np.maximum(variance, 1e-300)))


def _score_odds(t: _Table, log_odds: FloatArray) -> FloatArray:
    """Score statistic of an odds ratio."""
    psi = np.exp(log_odds)
    n = t.n1 + t.n0
    total = t.x1 + t.x0
    a, b = t.n0 * (psi - 1), t.n1 * psi + t.n0 - total * (psi - 1)
    p0 = np.clip(2 * total / (b + np.sqrt(b**2 + 4 * a * total)), 0, 1)
    p1 = p0 * psi / (1 + p0 * (psi - 1))
    spread1, spread0 = t.n1 * p1 * (1 - p1), t.n0 * p0 * (1 - p0)
    inverse = 1 / np.maximum(spread1, 1e-300) + 1 / np.maximum(spread0, 1e-300)
    return np.asarray(t.n1 * (t.p1 - p1) * np.sqrt(inverse * (n - 1) / n))


_SCORES: dict[Measure, Callable[[_Table, FloatArray], FloatArray]] = {
    "difference": _score_difference,
    "ratio": _score_ratio,
    "odds_ratio": _score_odds,
}


def _score_limit(t: _Table, measure: Measure, wanted: float) -> FloatArray:
    """Where the score statistic, which falls, comes to a value; infinite where it never does."""
    far = 1.0 if measure == "difference" else _FAR
    low, high = np.full(t.x1.shape, -far), np.full(t.x1.shape, far)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = _SCORES[measure](t, middle) > wanted
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    if measure == "difference":
        return np.asarray((low + high) / 2)
    found = np.where(high <= -far + 1e-6, -np.inf, (low + high) / 2)
    return np.where(low >= far - 1e-6, np.inf, found)


def _newcombe(t: _Table, z: float) -> tuple[FloatArray, FloatArray]:
    """Newcombe's (1998) method 10 out of Wilson's intervals."""
    def wilson(x: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
        middle = (x + z**2 / 2) / (n + z**2)
        half = z * np.sqrt(x * (n - x) / n + z**2 / 4) / (n + z**2)
        return middle - half, middle + half

    low1, high1 = wilson(t.x1, t.n1)
    low0, high0 = wilson(t.x0, t.n0)
    d = t.p1 - t.p0
    return (d - np.hypot(t.p1 - low1, high0 - t.p0), d + np.hypot(high1 - t.p1, t.p0 - low0))


def proportions_batch(x1: ArrayLike, n1: ArrayLike, x0: ArrayLike, n0: ArrayLike, *,
                      measure: Measure = "difference", interval: Interval = "miettinen_nurminen",
                      level: float = 0.95) -> ProportionsBatch:
    """Compare two proportions in each replicate.

    Parameters
    ----------
    x1, n1, x0, n0
        Events and patients of treated and control, each (R,); at least one patient in each arm.
    measure
        "difference", or "ratio" and "odds_ratio" on the log scale.
    interval
        "wald"; "newcombe" (1998, doi 10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;
        2-I; differences only); "miettinen_nurminen" (1985, doi 10.1002/sim.4780040211).
    level
        Confidence level in (0, 1).

    Raises
    ------
    InputError
        For impossible counts, or Newcombe's interval of a ratio.
    """
    arrays = [np.atleast_1d(np.asarray(a, dtype=np.float64)) for a in (x1, n1, x0, n0)]
    t = _Table(*np.broadcast_arrays(*arrays))
    faults = [f"x{arm}, n{arm}: each needs 0 <= events <= patients and at least one patient"
              for arm, x, n in ((1, t.x1, t.n1), (0, t.x0, t.n0))
              if not ((x >= 0) & (x <= n) & (n >= 1)).all()]
    if interval == "newcombe" and measure != "difference":
        faults.append("interval: newcombe is for differences; use wald or miettinen_nurminen")
    stop(faults)
    z = float(ndtri(0.5 + level / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate, se = _wald(t, measure)
        if interval == "wald":
            low, high, statistic = estimate - z * se, estimate + z * se, estimate / se
        else:
            statistic = _SCORES[measure](t, np.zeros(t.x1.shape))
            low, high = (_newcombe(t, z) if interval == "newcombe"
                         else (_score_limit(t, measure, z), _score_limit(t, measure, -z)))
    statistic = np.where(np.isfinite(statistic), statistic, 0.0)
    return ProportionsBatch(estimate, se, low, high, statistic, 2 * ndtr(-np.abs(statistic)))


def two_proportions(x1: int, n1: int, x0: int, n0: int, *, measure: Measure = "difference",
                    interval: Interval = "miettinen_nurminen", level: float = 0.95,
                    estimand: Estimand | None = None) -> Estimate:
    """Compare the proportions x1 / n1 (treated) and x0 / n0 (control) of one trial.

    Ratios come on the ratio scale, with the standard error of the logarithm; an odds ratio without
    covariates is marginal. See `proportions_batch` for the choices.

    Raises
    ------
    InputError
        For impossible counts, or Newcombe's interval of a ratio.

    Examples
    --------
    >>> found = two_proportions(56, 70, 48, 80, interval="newcombe")
    >>> print(f"{found.estimate:.4f} ({found.low:.4f} to {found.high:.4f})")
    0.2000 (0.0524 to 0.3339)
    """
    found = proportions_batch(x1, n1, x0, n0, measure=measure, interval=interval, level=level)
    ratio = measure != "difference"
    extra: dict[str, object] = {
        "measure": measure, "interval": interval, "level": level,
        "events": {"treated": x1, "control": x0}, "statistic": float(found.z[0])}
    if ratio:
        extra |= {"scale": "ratio; se is that of the logarithm", "log": float(found.estimate[0])}
    values = [float(a[0]) for a in (found.estimate, found.low, found.high)]
    with np.errstate(over="ignore"):
        estimate, low, high = [float(np.exp(v)) for v in values] if ratio else values
    method = f"{measure.replace('_', ' ')} of proportions, {interval.replace('_', '-')} interval"
    return Estimate(method, estimand, estimate, float(found.se[0]), low, high,
                    float(found.p_value[0]), n1 + n0, None, extra)


def logistic_odds_ratio(y: ArrayLike, treated: ArrayLike, covariates: Columns | None = None,
                        factors: Columns | None = None, *, robust: bool = False,
                        level: float = 0.95, estimand: Estimand | None = None) -> Estimate:
    """Odds ratio of treatment by logistic regression, conditional on covariates if there are any.

    `y` holds 0 or 1, `treated` 1 or 0, each (N,); covariates and factors are columns by name.

    Raises
    ------
    InputError
        For faulty inputs, or when no finite odds ratio exists.
    """
    faults: list[str] = []
    outcome = numeric("y", y, faults)
    arm = numeric("treated", treated, faults, outcome.shape)
    if not np.isin(outcome, (0.0, 1.0)).all():
        faults.append("y: values other than 0 and 1; pass an indicator of the event")
    table, names = block(covariates, factors, outcome.size, faults)
    stop(faults)
    found = regression_batch("logistic", outcome[None], arm[None], table[None])
    if not found.converged[0]:
        raise InputError("y: no finite odds ratio exists (an arm all or none with events, or "
                         "collinear columns); drop a column, or report the score interval")
    variance = (found.robust if robust else found.naive)[0, 1, 1]
    kind = "conditional" if names else "marginal"
    return ratio_from_log(f"logistic regression{', robust variance' if robust else ''}",
                          float(found.coefficients[0, 1]), float(np.sqrt(variance)), outcome.size,
                          level=level, estimand=estimand,
                          extra={"odds_ratio": kind, "adjusted_for": names})
