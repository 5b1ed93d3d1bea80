"""Group-sequential boundaries and sample sizes, by our own numerical integration.

At look k with information rate t_k the test statistic is Z_k = B(t_k) / sqrt(t_k), where B is
Brownian motion with drift theta. The densities of the statistic among trials still running are
carried from look to look by quadrature.

Sources: Armitage, McPherson and Rowe (1969), J. R. Stat. Soc. A 132:235-244,
doi 10.2307/2343787; Jennison and Turnbull (2000), Group Sequential Methods, ch. 19; O'Brien and
Fleming (1979), Biometrics 35:549-556, doi 10.2307/2530245; Pocock (1977), Biometrika 64:191-199,
doi 10.1093/biomet/64.2.191.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import ceil, sqrt
from typing import Final, Literal, final

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri
from scipy.stats import nct, t

from extraction.records.errors import Faults

Floats = npt.NDArray[np.float64]
Family = Literal["obrien_fleming", "pocock"]

# Shape of each family: the critical value at rate t is a constant times t to this power.
POWERS: Final[dict[str, float]] = {"obrien_fleming": -0.5, "pocock": 0.0}
_REACH: Final = 8.5  # standard deviations either side that the quadrature covers
_NODES: Final = 48  # for each standard deviation of a step that fits in that of the score
_CLOSEST: Final = 0.01
_TINY: Final = 1e-12


def stage_rejections(
    critical: Sequence[float] | Floats, rates: Sequence[float], theta: float
) -> Floats:
    """Probability of first crossing the upper boundary at each look.

    Parameters
    ----------
    critical
        Critical values of Z, one per look; infinity skips a look.
    rates
        Information rates, rising to 1.
    theta
        Drift: the mean of Z at full information.

    Returns
    -------
    array
        One probability per look; their sum is the power at theta.

    Examples
    --------
    >>> round(float(stage_rejections([1.959964], [1.0], 0.0)[0]), 6)
    0.025
    """
    nodes, weights = _quadrature(tuple(rates))
    out = np.empty(len(rates))
    points, mass, before = np.zeros(1), np.ones(1), 0.0
    for k, (rate, z) in enumerate(zip(rates, critical, strict=True)):
        # In the score scale B(t) increments are independent: B(t_k) ~ N(b + theta dt, dt).
        step = sqrt(rate - before)
        mean = points + theta * (rate - before)
        bound = z * sqrt(rate)
        out[k] = mass @ ndtr((mean - bound) / step)
        centre, spread = theta * rate, _REACH * sqrt(rate)
        low, high = centre - spread, min(bound, centre + spread)
        if high <= low:
            out[k + 1 :] = 0.0
            break
        grid = low + (high - low) * (nodes + 1) / 2
        density = np.exp(-0.5 * ((grid[:, None] - mean) / step) ** 2) / (step * sqrt(2 * np.pi))
        mass = (density @ mass) * weights * (high - low) / 2
        points, before = grid, rate
    return out


@lru_cache(maxsize=64)
def _quadrature(rates: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Choose Gauss-Legendre nodes fine enough for the smallest step between looks."""
    steps = np.diff([0.0, *rates])
    finest = float(np.sqrt(np.asarray(rates) / steps).max())
    nodes, weights = np.polynomial.legendre.leggauss(ceil(_NODES * max(2.0, finest)))
    return nodes, weights


@final
@dataclass(frozen=True)
class GroupSequential:
    """A one-sided group-sequential design that stops for efficacy only.

    Attributes
    ----------
    family
        Shape of the boundary.
    rates
        Information rates of the looks, rising to 1.
    alpha, power
        One-sided type I error and the power at `drift`.
    critical
        Critical value of Z at each look.
    drift
        Mean of Z at full information at which the power is reached.
    """

    family: Family
    rates: tuple[float, ...]
    alpha: float
    power: float
    critical: tuple[float, ...]
    drift: float

    @cached_property
    def fixed_drift(self) -> float:
        """Drift of the fixed design of equal alpha and power: z(1 - alpha) + z(power)."""
        return float(ndtri(1 - self.alpha) + ndtri(self.power))

    @property
    def inflation(self) -> float:
        """Maximum sample size over that of the fixed design."""
        return (self.drift / self.fixed_drift) ** 2

    def stages(self, theta: float | None = None) -> Floats:
        """Probability of rejecting at each look, under the drift theta (default: `drift`)."""
        return stage_rejections(self.critical, self.rates, self.drift if theta is None else theta)

    def information(self, theta: float | None = None) -> float:
        """Expected share of the maximum information that is used, under the drift theta."""
        stopped = self.stages(theta)[:-1]
        return float(1 - stopped @ (1 - np.asarray(self.rates[:-1])))

    def expected_ratio(self, theta: float | None = None) -> float:
        """Expected sample size over that of the fixed design, under the drift theta."""
        return self.inflation * self.information(theta)


def group_sequential(
    kind: Family = "obrien_fleming",
    looks: int | Sequence[float] = 1,
    alpha: float = 0.025,
    power: float = 0.9,
) -> GroupSequential:
    """Critical values and drift of an O'Brien-Fleming or Pocock design.

    Parameters
    ----------
    kind
        "obrien_fleming" (critical value c / sqrt(t)) or "pocock" (c).
    looks
        Number of equally spaced looks (1 is the fixed design), or information rates rising to 1.
    alpha
        One-sided type I error, in (0, 0.5).
    power
        Power, in (alpha, 1).

    Returns
    -------
    GroupSequential

    Raises
    ------
    InputError
        If an argument is out of range.

    Examples
    --------
    >>> [round(z, 4) for z in group_sequential("pocock", 2).critical]
    [2.1783, 2.1783]
    """
    rates = _rates(looks)
    _check(kind, rates, alpha, power)
    shape = np.asarray(rates) ** POWERS[kind]

    def excess(c: float) -> float:
        return float(stage_rejections(c * shape, rates, 0.0).sum()) - alpha

    # Between one test at level alpha and Bonferroni.
    lowest = float(ndtri(1 - alpha)) / float(shape.max()) - _TINY
    highest = float(ndtri(1 - alpha / len(rates))) / float(shape.min()) + _TINY
    constant = float(brentq(excess, lowest, highest, xtol=_TINY))
    critical = tuple(float(z) for z in constant * shape)
    return GroupSequential(kind, rates, alpha, power, critical, _drift(critical, rates, power))


def _drift(critical: Sequence[float], rates: Sequence[float], power: float) -> float:
    def excess(theta: float) -> float:
        return float(stage_rejections(critical, rates, theta).sum()) - power

    last = critical[-1] + float(ndtri(power))  # enough at the last look alone
    return float(brentq(excess, 0.0, last + _TINY, xtol=_TINY))


def _rates(looks: int | Sequence[float]) -> tuple[float, ...]:
    if isinstance(looks, int):
        return tuple(k / looks for k in range(1, looks + 1))
    return tuple(float(rate) for rate in looks)


def rate_faults(rates: Sequence[float], where: str) -> list[str]:
    """Say what is wrong with information rates."""
    steps = np.diff([0.0, *rates])
    if len(rates) and np.all(steps >= _CLOSEST - _TINY) and abs(rates[-1] - 1) < _TINY:
        return []
    return [
        f"{where}: {list(rates)} came; rates must rise to 1 by steps of at least {_CLOSEST}; "
        "give for example [0.5, 1.0]"
    ]


def _check(kind: str, rates: Sequence[float], alpha: float, power: float) -> None:
    faults = Faults("group_sequential")
    if kind not in POWERS:
        faults.add(f"kind: {kind!r} came; allowed are {', '.join(POWERS)}")
    if not 0 < alpha < 0.5:
        faults.add(f"alpha: {alpha} came; a one-sided level lies in (0, 0.5)")
    if not alpha < power < 1:
        faults.add(f"power: {power} came; it must lie between alpha and 1")
    for fault in rate_faults(rates, "looks"):
        faults.add(fault)
    faults.raise_if_any()


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
        Difference of means in standard deviations, not 0.
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
    if not 0 < alpha < 0.5:
        faults.add(f"alpha: {alpha} came; a one-sided level lies in (0, 0.5)")
    if not alpha < power < 1:
        faults.add(f"power: {power} came; it must lie between alpha and 1")
    if not 0 < allocation < 1:
        faults.add(f"allocation: {allocation} came; it must lie in (0, 1)")
    faults.raise_if_any()
    share = allocation * (1 - allocation)
    normal = float((ndtri(1 - alpha) + ndtri(power)) / effect) ** 2 / share
    if method == "normal":
        return normal

    def excess(n: float) -> float:
        return power_means(n, effect, alpha, allocation) - power

    return float(brentq(excess, max(2.001, normal / 2), 2 * normal + 20, xtol=1e-9))


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
    return float(nct.sf(t.isf(alpha, df), df, shift))


def rounded_up(n: float, arms: int = 2) -> int:
    """Smallest multiple of the number of arms that is at least n."""
    return arms * ceil(n / arms - 1e-9)
