"""Sample sizes changed at an interim look.

Blinded rules look at a nuisance only (variance, event rate) and keep the level. Unblinded rules
look at the effect: test with `combination.inverse_normal`, or stay in the promising zone, where
the usual test keeps the level. "Information" is 1 / variance of the effect's estimate; for two
equal arms of n / 2 each and standard deviation s it is n / (4 s^2). All arrays are (R,).

Sources: Kieser and Friede (2003), doi 10.1002/sim.1585; Gould and Shih (1992),
doi 10.1080/03610929208830947; Mehta and Pocock (2011), doi 10.1002/sim.4102.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from extraction.records.errors import Faults
from simulation.analysis.sequential.quadrature import Floats

_FINEST: Final = 4001


def blinded_size_means(
    variance: ArrayLike,
    effect: float,
    *,
    alpha: float = 0.025,
    power: float = 0.9,
    allocation: float = 0.5,
    inflation: float = 1.0,
    adjusted: bool = False,
    minimum: float = 0.0,
    maximum: float = np.inf,
) -> Floats:
    """Total size from the variance of all patients taken together.

    Parameters
    ----------
    variance
        One-sample variance of the outcome, arms not told apart, (R,).
    effect
        Difference of means planned for, not 0.
    alpha, power
        One-sided level and power.
    allocation
        Share of the treated arm.
    inflation
        Of a group-sequential design over the fixed one.
    adjusted
        Take off what the planned effect adds to the variance: allocation (1 - allocation)
        effect^2 (Gould and Shih 1992).
    minimum, maximum
        Limits of the total size.

    Returns
    -------
    array
        Not rounded, (R,).
    """
    share = allocation * (1 - allocation)
    within = np.asarray(variance, dtype=np.float64) - (share * effect**2 if adjusted else 0.0)
    quantiles = (ndtri(1 - alpha) + ndtri(power)) ** 2
    size = quantiles * np.maximum(within, 0.0) / (effect**2 * share) * inflation
    return np.asarray(np.clip(size, minimum, maximum))


def blinded_size_rates(
    rate: ArrayLike,
    difference: float,
    *,
    alpha: float = 0.025,
    power: float = 0.9,
    inflation: float = 1.0,
    minimum: float = 0.0,
    maximum: float = np.inf,
) -> Floats:
    """Total size of two equal arms from the rate of all patients together and the difference.

    The arms' rates are taken as rate +- difference / 2, and the variance of the test as pooled.
    """
    middle = np.asarray(rate, dtype=np.float64)
    high = np.clip(middle + abs(difference) / 2, 0.0, 1.0)
    low = np.clip(middle - abs(difference) / 2, 0.0, 1.0)
    null = np.sqrt(2 * middle * (1 - middle))
    truth = np.sqrt(high * (1 - high) + low * (1 - low))
    root = (ndtri(1 - alpha) * null + ndtri(power) * truth) / difference
    return np.asarray(np.clip(2 * root**2 * inflation, minimum, maximum))


def blinded_size_events(
    events: float,
    probability: ArrayLike,
    *,
    minimum: float = 0.0,
    maximum: float = np.inf,
) -> Floats:
    """Patients needed for a number of events, given the pooled chance of an event by the end.

    Parameters
    ----------
    events
        Wanted at the end.
    probability
        Chance, estimated from all patients together, that one has had the event by the end, (R,).
    """
    chance = np.maximum(np.asarray(probability, dtype=np.float64), 1e-12)
    return np.asarray(np.clip(events / chance, minimum, maximum))


def needed_statistic(
    combined: ArrayLike, weight_before: float, weight_after: float, critical: float
) -> Floats:
    """Statistic that the rest must reach, so that the weighted combination is critical.

    Parameters
    ----------
    combined
        Weighted statistic so far, standard normal without an effect, (R,).
    weight_before, weight_after
        Roots of the planned information so far and of the rest.
    critical
        Critical value at the end.
    """
    total = np.hypot(weight_before, weight_after)
    so_far = weight_before * np.asarray(combined, dtype=np.float64)
    return np.asarray((critical * total - so_far) / weight_after)


def information_for_power(needed: ArrayLike, effect: ArrayLike, power: float) -> Floats:
    """Information of the rest at which it reaches the needed statistic with a chance.

    Parameters
    ----------
    needed
        Statistic that the rest must reach, (R,).
    effect
        Effect believed in, (R,) or one; infinite information where it is not above 0.
    power
        Wanted conditional power, above 0.5.

    Returns
    -------
    array
        (R,); 0 where the chance is there with none.
    """
    belief = np.asarray(effect, dtype=np.float64)
    root = np.maximum(np.asarray(needed, dtype=np.float64) + ndtri(power), 0.0)
    hopeful = belief > 0
    information = np.where(hopeful, (root / np.where(hopeful, belief, 1.0)) ** 2, np.inf)
    return np.asarray(np.where(root > 0, information, 0.0))


def unblinded_size(
    combined: ArrayLike,
    effect: ArrayLike,
    *,
    planned: tuple[float, float],
    critical: float,
    power: float = 0.9,
    per_patient: float = 0.25,
    limits: tuple[float, float],
) -> Floats:
    """Size of the last stage by conditional power, within limits.

    Test with the inverse normal combination under the planned weights.

    Parameters
    ----------
    combined
        Statistic at the interim look, (R,).
    effect
        Effect believed in: planned, or estimated at the look; (R,) or one.
    planned
        Patients planned up to the look, and in the stage after it.
    critical
        Critical value of the last look.
    power
        Wanted conditional power.
    per_patient
        Information that one patient adds: 1 / (4 s^2) for two equal arms.
    limits
        Fewest and most patients of the last stage.

    Returns
    -------
    array
        Patients of the last stage, not rounded, (R,).
    """
    faults = Faults("unblinded_size")
    if not 0 <= limits[0] <= limits[1]:
        faults.add(f"limits: {limits} came; give the fewest patients first, then the most")
    if not 0.5 < power < 1:
        faults.add(f"power: {power} came; it must lie between 0.5 and 1")
    if not (min(planned) > 0 and per_patient > 0):
        faults.add("planned, per_patient: they must be above 0")
    faults.raise_if_any()
    before, after = (float(np.sqrt(n)) for n in planned)
    needed = needed_statistic(combined, before, after, critical)
    return np.asarray(
        np.clip(information_for_power(needed, effect, power) / per_patient, *limits)
    )


@final
@dataclass(frozen=True)
class PromisingZone:
    """One interim look and a size that may rise, with the usual test at the end.

    Attributes
    ----------
    interim, planned, maximum
        Patients at the look, planned in all, and at most.
    alpha
        One-sided level.
    power
        Conditional power aimed at.
    lowest
        Conditional power at the observed trend from which the zone begins; below it the size
        stays. `promising_zone` finds the lowest one that keeps the level.
    """

    interim: float
    planned: float
    maximum: float
    alpha: float
    power: float
    lowest: float

    def conditional_power(self, z: ArrayLike, size: ArrayLike | None = None) -> Floats:
        """Conditional power of the usual test at the observed trend, (R,).

        Parameters
        ----------
        z
            Statistic at the look.
        size
            Patients in all; none: as planned. The critical value is that of the planned size, as
            the rule of Mehta and Pocock has it.
        """
        value = np.asarray(z, dtype=np.float64)
        rest = (self.planned if size is None else np.asarray(size)) - self.interim
        return np.asarray(ndtr(value * np.sqrt(rest / self.interim) - self._needed(value)))

    def _needed(self, z: Floats) -> Floats:
        end = ndtri(1 - self.alpha) * np.sqrt(self.planned) - z * np.sqrt(self.interim)
        return np.asarray(end / np.sqrt(self.planned - self.interim))

    def wanted(self, z: ArrayLike) -> Floats:
        """Patients in all at which the conditional power is reached, at most the maximum, (R,)."""
        value = np.asarray(z, dtype=np.float64)
        root = np.maximum(self._needed(value) + ndtri(self.power), 0.0)
        rise = value > 0
        rest = np.where(rise, self.interim * (root / np.where(rise, value, 1.0)) ** 2, np.inf)
        return np.asarray(np.clip(self.interim + rest, self.planned, self.maximum))

    def size(self, z: ArrayLike) -> Floats:
        """Patients in all by the rule, not rounded, (R,)."""
        return np.asarray(np.where(self.promising(z), self.wanted(z), self.planned))

    def promising(self, z: ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether the result lies in the zone, (R,)."""
        chance = self.conditional_power(z)
        return np.asarray((chance >= self.lowest) & (chance < self.power))

    def exact_critical(self, z: ArrayLike, size: ArrayLike) -> Floats:
        """Critical value of the usual statistic at a changed size that keeps the level exactly.

        At or below the usual one throughout the zone, so that the usual test keeps the level too.
        """
        value, total = np.asarray(z, dtype=np.float64), np.asarray(size, dtype=np.float64)
        rest = np.sqrt(total - self.interim)
        return np.asarray(
            (rest * self._needed(value) + value * np.sqrt(self.interim)) / np.sqrt(total)
        )


def promising_zone(
    interim: float,
    planned: float,
    maximum: float,
    *,
    alpha: float = 0.025,
    power: float = 0.9,
    lowest: float | None = None,
) -> PromisingZone:
    """Rule of Mehta and Pocock (2011), with the lowest zone that keeps the level.

    Parameters
    ----------
    interim, planned, maximum
        Patients (or events) at the look, planned in all, and at most.
    alpha, power
        One-sided level; conditional power aimed at.
    lowest
        Conditional power from which the zone begins; none: the lowest allowed.

    Raises
    ------
    InputError
        If sizes do not rise, or the zone would begin where the usual test exceeds the level.

    Examples
    --------
    >>> round(promising_zone(50, 100, 200, power=0.8).lowest, 2)
    0.36
    """
    faults = Faults("promising_zone")
    if not 0 < interim < planned < maximum:
        faults.add(f"interim, planned, maximum: {interim}, {planned}, {maximum} came; they rise")
    if not 0 < alpha < 0.5 < power < 1:
        faults.add(f"alpha, power: {alpha}, {power} came; alpha is below 0.5, power above it")
    faults.raise_if_any()
    rule = PromisingZone(interim, planned, maximum, alpha, power, 0.0)
    least = _least(rule)
    if lowest is not None and lowest < least - 1e-6:
        faults.add(f"lowest: {lowest} came; below {least:.4f} the usual test exceeds the level")
    faults.raise_if_any()
    begins = least if lowest is None else lowest
    return PromisingZone(interim, planned, maximum, alpha, power, begins)


def _least(rule: PromisingZone) -> float:
    """Conditional power above which the usual test keeps the level."""
    usual = float(ndtri(1 - rule.alpha))

    def excess(z: float) -> float:
        value = np.array([z])
        return float(rule.exact_critical(value, rule.wanted(value))[0]) - usual

    top = float(brentq(lambda z: float(rule.conditional_power(z)) - rule.power, 0.0, 20.0))
    grid = np.linspace(1e-3, top - 1e-6, _FINEST)
    over = rule.exact_critical(grid, rule.wanted(grid)) > usual + 1e-12
    last = int(np.flatnonzero(over).max(initial=-1))
    if last < 0:
        return 0.0
    root = float(brentq(excess, grid[last], grid[min(last + 1, _FINEST - 1)], xtol=1e-12))
    return float(rule.conditional_power(root))
