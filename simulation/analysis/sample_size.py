"""Sample size and power of two arms: means, rates and counts.

Sizes are of both arms together and not rounded; of a group-sequential design, multiply by its
`inflation`. Survival is in `sample_size_survival`. Levels are one-sided.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, sqrt
from typing import Literal

import numpy as np
import scipy
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from extraction.records.errors import Faults


def error_faults(faults: Faults, alpha: float, power: float, allocation: float) -> None:
    """Note what is wrong with a level, a power and the share of the treated arm."""
    if not 0 < alpha < 0.5:
        faults.add(f"alpha: {alpha} came; a one-sided level lies in (0, 0.5)")
    if not alpha < power < 1:
        faults.add(f"power: {power} came; it must lie between alpha and 1")
    if not 0 < allocation < 1:
        faults.add(f"allocation: {allocation} came; it must lie in (0, 1)")


def quantile_sum(alpha: float, power: float) -> float:
    """Drift of a fixed design: z(1 - alpha) + z(power)."""
    return float(ndtri(1 - alpha) + ndtri(power))


def sample_size_means(
    effect: float,
    alpha: float = 0.025,
    power: float = 0.9,
    allocation: float = 0.5,
    method: Literal["t", "normal"] = "t",
) -> float:
    """Total size, not rounded, of a fixed two-arm trial that compares means.

    Parameters
    ----------
    effect
        Difference of means in standard deviations, not 0; with a margin, the distance from it.
    alpha, power
        One-sided level and power.
    allocation
        Share of patients in the treated arm, in (0, 1).
    method
        "t" (noncentral t; solved over real degrees of freedom) or "normal".

    Returns
    -------
    float
        Both arms together.

    Raises
    ------
    InputError
        If an argument is out of range.

    Examples
    --------
    >>> round(sample_size_means(0.5), 4)
    170.0626
    """
    faults = Faults("sample_size_means")
    if not abs(effect) > 0:
        faults.add(f"effect: {effect} came; it must differ from 0")
    error_faults(faults, alpha, power, allocation)
    faults.raise_if_any()
    share = allocation * (1 - allocation)
    normal = (quantile_sum(alpha, power) / effect) ** 2 / share
    if method == "normal":
        return normal
    return _size(
        lambda n: power_means(n, abs(effect), alpha, allocation), power, max(2.001, normal / 2),
        2 * normal + 20,
    )


def power_means(n: float, effect: float, alpha: float = 0.025, allocation: float = 0.5) -> float:
    """Power of the one-sided two-sample t test with n patients in all.

    Parameters
    ----------
    n
        Both arms together, above 2.
    effect
        Difference of means in standard deviations; positive is in the alternative's direction.
    alpha
        One-sided level.
    allocation
        Share of patients in the treated arm.
    """
    df = n - 2
    shift = effect * sqrt(n * allocation * (1 - allocation))
    return float(scipy.stats.nct.sf(scipy.stats.t.isf(alpha, df), df, shift))


def sample_size_rates(
    treated: float,
    control: float,
    alpha: float = 0.025,
    power: float = 0.9,
    allocation: float = 0.5,
    *,
    margin: float = 0.0,
    pooled: bool = True,
) -> float:
    """Total size of a fixed two-arm trial that compares rates by their difference.

    Parameters
    ----------
    treated, control
        Rates under the alternative, in (0, 1); their difference is not the margin.
    alpha, power, allocation
        As in `sample_size_means`.
    margin
        Difference, treated minus control, under the null hypothesis.
    pooled
        Variance under the null from its own rates (pooled; with a margin as Farrington and
        Manning 1990, doi 10.1002/sim.4780091208), or from the alternative's.

    Examples
    --------
    >>> round(sample_size_rates(0.6, 0.4), 4)
    258.5058
    """
    faults = Faults("sample_size_rates")
    _rate_faults(faults, treated, control, margin)
    error_faults(faults, alpha, power, allocation)
    if treated - control == margin:
        faults.add("treated, control: their difference is the margin; no size has any power")
    faults.raise_if_any()
    null, truth = _rate_spreads(treated, control, allocation, margin, pooled)
    root = ndtri(1 - alpha) * null + ndtri(power) * truth
    return float((root / (treated - control - margin)) ** 2)


def power_rates(
    n: float,
    treated: float,
    control: float,
    alpha: float = 0.025,
    allocation: float = 0.5,
    *,
    margin: float = 0.0,
    pooled: bool = True,
    lower_is_better: bool = False,
) -> float:
    """Power with n patients in all, by the normal approximation that `sample_size_rates` uses."""
    faults = Faults("power_rates")
    _rate_faults(faults, treated, control, margin)
    faults.raise_if_any()
    null, truth = _rate_spreads(treated, control, allocation, margin, pooled)
    distance = (treated - control - margin) * (-1 if lower_is_better else 1)
    return float(ndtr((distance * sqrt(n) - ndtri(1 - alpha) * null) / truth))


def _rate_faults(faults: Faults, treated: float, control: float, margin: float) -> None:
    for name, rate in (("treated", treated), ("control", control)):
        if not 0 < rate < 1:
            faults.add(f"{name}: {rate} came; a rate lies in (0, 1)")
    if not -1 < margin < 1:
        faults.add(f"margin: {margin} came; a difference of rates lies in (-1, 1)")


def _rate_spreads(
    treated: float, control: float, allocation: float, margin: float, pooled: bool
) -> tuple[float, float]:
    """Standard deviations of the difference times root n, under the null and the truth."""

    def spread(p: float, q: float) -> float:
        return sqrt(p * (1 - p) / allocation + q * (1 - q) / (1 - allocation))

    truth = spread(treated, control)
    if not pooled:
        return truth, truth
    return spread(*constrained_rates(treated, control, allocation, margin)), truth


def constrained_rates(
    treated: float, control: float, allocation: float, margin: float
) -> tuple[float, float]:
    """Maximum-likelihood rates whose difference is the margin (Farrington and Manning 1990).

    Parameters
    ----------
    treated, control
        Observed (or expected) rates.
    allocation
        Share of the treated arm.
    margin
        Wanted difference, treated minus control.
    """
    low, high = max(0.0, -margin), min(1.0, 1.0 - margin)  # of the control's rate

    def score(q: float) -> float:
        p = q + margin
        of_treated = allocation * (treated - p) / max(p * (1 - p), 1e-300)
        return of_treated + (1 - allocation) * (control - q) / max(q * (1 - q), 1e-300)

    edge = 1e-12 * (high - low)
    if score(low + edge) <= 0:
        return low + margin, low
    if score(high - edge) >= 0:
        return high + margin, high
    q = float(brentq(score, low + edge, high - edge, xtol=1e-15))
    return q + margin, q


def sample_size_counts(
    rate_control: float,
    ratio: float,
    alpha: float = 0.025,
    power: float = 0.9,
    allocation: float = 0.5,
    *,
    exposure: float = 1.0,
    dispersion: float = 0.0,
    margin: float = 1.0,
) -> float:
    """Total size of a trial that compares event rates by a negative binomial model.

    Zhu and Lakkis (2014), doi 10.1002/sim.5947, their variance under the alternative.

    Parameters
    ----------
    rate_control
        Events in a unit of time under control, above 0.
    ratio
        Rate of treated over control, not the margin.
    exposure
        Time that each patient is watched, in the rate's unit.
    dispersion
        Variance is mean + dispersion times mean squared; 0 is Poisson.
    margin
        Rate ratio under the null hypothesis.

    Examples
    --------
    >>> round(sample_size_counts(1.4, 0.7, dispersion=0.5), 3)
    451.741
    """
    faults = Faults("sample_size_counts")
    _count_faults(faults, rate_control, ratio, exposure, dispersion, margin)
    error_faults(faults, alpha, power, allocation)
    if ratio == margin:
        faults.add("ratio: it is the margin; no size has any power")
    faults.raise_if_any()
    spread = _count_spread(rate_control, ratio, allocation, exposure, dispersion)
    return (quantile_sum(alpha, power) * spread / float(np.log(ratio / margin))) ** 2


def power_counts(
    n: float,
    rate_control: float,
    ratio: float,
    alpha: float = 0.025,
    allocation: float = 0.5,
    *,
    exposure: float = 1.0,
    dispersion: float = 0.0,
    margin: float = 1.0,
) -> float:
    """Power to show a ratio below the margin with n patients in all."""
    faults = Faults("power_counts")
    _count_faults(faults, rate_control, ratio, exposure, dispersion, margin)
    faults.raise_if_any()
    spread = _count_spread(rate_control, ratio, allocation, exposure, dispersion)
    return float(ndtr(-np.log(ratio / margin) * sqrt(n) / spread - ndtri(1 - alpha)))


def _count_faults(
    faults: Faults, rate: float, ratio: float, exposure: float, dispersion: float, margin: float
) -> None:
    for name, value in (
        ("rate_control", rate), ("ratio", ratio), ("exposure", exposure), ("margin", margin)
    ):
        if not value > 0:
            faults.add(f"{name}: {value} came; it must be above 0")
    if not dispersion >= 0:
        faults.add(f"dispersion: {dispersion} came; it must be 0 or above")


def _count_spread(
    rate: float, ratio: float, allocation: float, exposure: float, dispersion: float
) -> float:
    """Standard deviation of the log rate ratio times root n."""
    treated = (1 / (rate * ratio * exposure) + dispersion) / allocation
    return sqrt(treated + (1 / (rate * exposure) + dispersion) / (1 - allocation))


def _size(power_at: Callable[[float], float], power: float, low: float, high: float) -> float:
    return float(brentq(lambda n: power_at(n) - power, low, high, xtol=1e-9))


def rounded_up(n: float, arms: int = 2) -> int:
    """Smallest multiple of the number of arms that is at least n."""
    return arms * ceil(n / arms - 1e-9)
