"""Brownian motion watched at looks: densities among trials still running, by quadrature.

At information t the score B(t) has mean theta t and variance t, and Z = B(t) / sqrt(t). The density
of the score among trials that have not stopped is carried from look to look by Gauss-Legendre
panels. It is carried once, without drift: under a drift theta it is the same density times
exp(theta b - theta^2 t / 2), so that any number of drifts cost one sum each.

Sources: Armitage, McPherson and Rowe (1969), J. R. Stat. Soc. A 132:235-244,
doi 10.2307/2343787; Jennison and Turnbull (2000), Group Sequential Methods, ch. 19. All arrays
have a leading axis of length B over trials (or 1 for one design) that broadcasts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

Floats = npt.NDArray[np.float64]

_ROOT_2PI: Final = float(np.sqrt(2 * np.pi))
_MOST_PANELS: Final = 96
_STEPS: Final = 40
_SMALL: Final = 1e-6


@final
@dataclass(frozen=True)
class Precision:
    """How finely the density is kept.

    Attributes
    ----------
    nodes, weights
        Gauss-Legendre rule of one panel, on (-1, 1).
    width
        Length of a panel in standard deviations of the sharpest feature.
    reach
        Standard deviations of the score either side that are covered.
    """

    nodes: Floats
    weights: Floats
    width: float
    reach: float

    @classmethod
    def of(cls, points: int, width: float, reach: float) -> Precision:
        """Build the rule of so many points."""
        return cls(*np.polynomial.legendre.leggauss(points), width, reach)


PRECISE: Final = Precision.of(16, 5.0, 8.0)
"""For designs: probabilities within 1e-13."""
QUICK: Final = Precision.of(12, 7.0, 6.0)
"""For many trials at once: probabilities within 1e-8."""


@final
@dataclass(frozen=True)
class Walk:
    """Trials still running at one information: where their scores are.

    Attributes
    ----------
    rate
        Information now, (B,).
    points
        Scores, (B, n).
    mass
        Probability without drift of each point, (B, n); their sum is the share still running.
    precision
        How finely the density is kept.
    """

    rate: Floats
    points: Floats
    mass: Floats
    precision: Precision = PRECISE

    @classmethod
    def start(cls, trials: int = 1, precision: Precision = PRECISE) -> Walk:
        """No information yet, all running."""
        return cls(np.zeros(trials), np.zeros((trials, 1)), np.ones((trials, 1)), precision)

    def _tilted(self, theta: Floats) -> Floats:
        drift = theta[..., None]
        return np.asarray(
            self.mass * np.exp(drift * self.points - drift**2 * self.rate[..., None] / 2)
        )

    def above(self, z: Floats, rate: Floats, theta: Floats) -> Floats:
        """Probability under drift theta of running until now and then Z >= z at `rate`, (B,)."""
        return self._beyond(z, rate, theta, 1.0)

    def below(self, z: Floats, rate: Floats, theta: Floats) -> Floats:
        """Probability under drift theta of running until now and then Z <= z at `rate`, (B,)."""
        return self._beyond(z, rate, theta, -1.0)

    def _beyond(self, z: Floats, rate: Floats, theta: Floats, side: float) -> Floats:
        step = rate - self.rate
        ahead = self.points + (theta * step)[..., None] - (z * np.sqrt(rate))[..., None]
        chance = ndtr(side * ahead / np.sqrt(step)[..., None])
        return np.asarray((self._tilted(theta) * chance).sum(axis=-1))

    def running(self, theta: Floats) -> Floats:
        """Probability under drift theta of running until now, (B,)."""
        return np.asarray(self._tilted(theta).sum(axis=-1))

    def advance(
        self,
        rate: Floats,
        lower: Floats,
        upper: Floats,
        next_rate: Floats,
        drifts: tuple[float, float] = (0.0, 0.0),
    ) -> Walk:
        """Go on to the next look and keep the trials with lower < Z < upper.

        Parameters
        ----------
        rate, next_rate
            Information of that look and of the one after it (which sets the fineness), (B,).
        lower, upper
            Bounds of Z, (B,); infinite where there is none.
        drifts
            Lowest and highest drift at which the result will be asked for.
        """
        rule, root = self.precision, np.sqrt(rate)
        low = np.maximum(lower * root, -rule.reach * root + min(drifts[0], 0.0) * rate)
        high = np.minimum(upper * root, rule.reach * root + max(drifts[1], 0.0) * rate)
        high = np.maximum(high, low)
        step = rate - self.rate
        sharpest = np.sqrt(1 / (1 / step + 1 / (next_rate - rate)))
        panels = int(np.clip(np.ceil((high - low) / (rule.width * sharpest)).max(), 1,
                             _MOST_PANELS))
        offsets = (np.arange(panels)[:, None] + (rule.nodes + 1) / 2).ravel() / panels
        points = low[:, None] + (high - low)[:, None] * offsets
        weights = np.tile(rule.weights / (2 * panels), panels) * (high - low)[:, None]
        gap = (points[:, :, None] - self.points[:, None, :]) / np.sqrt(step)[:, None, None]
        kernel = np.exp(-0.5 * gap * gap)
        density = np.matmul(kernel, self.mass[:, :, None])[:, :, 0]
        mass = density * weights / (np.sqrt(step)[:, None] * _ROOT_2PI)
        return Walk(rate, points, mass, rule)

    def upper_bound(self, probability: Floats, rate: Floats, theta: Floats) -> Floats:
        """Z at `rate` that is exceeded, after running until now, with a probability, (B,).

        Newton's method on the logarithm, which is concave, from the quantile of the normal law,
        which lies above: it comes down to the root without overshooting. Infinite where the
        probability is 0 (below 1e-300).
        """
        return self._bound(probability, rate, theta, 1.0)

    def lower_bound(self, probability: Floats, rate: Floats, theta: Floats) -> Floats:
        """Z at `rate` that is undershot, after running until now, with a probability, (B,)."""
        return self._bound(probability, rate, theta, -1.0)

    def _bound(self, probability: Floats, rate: Floats, theta: Floats, side: float) -> Floats:
        mass = self._tilted(theta)
        total = mass.sum(axis=-1)
        wanted = np.broadcast_to(probability, np.broadcast_shapes(probability.shape, total.shape))
        possible = (wanted > 1e-300) & (wanted < total * (1 - 1e-12))
        goal = np.where(possible, wanted, np.maximum(0.5 * total, 1e-300))
        step = np.sqrt(rate - self.rate)
        ahead = (self.points + (theta * step**2)[..., None]) / step[..., None]
        scale = np.sqrt(rate) / step
        z = side * -ndtri(np.minimum(goal, 1 - 1e-16)) + theta * np.sqrt(rate)
        for _ in range(_STEPS):
            gap = ahead - (z * scale)[..., None]
            chance = (mass * ndtr(side * gap)).sum(axis=-1)
            density = (mass * np.exp(-0.5 * gap * gap)).sum(axis=-1) * scale / _ROOT_2PI
            change = np.log(np.maximum(chance, 1e-320) / goal) * chance
            change = np.clip(change / np.maximum(density, 1e-320), -4.0, 4.0)
            z = z + side * change
            if np.abs(change).max() < _SMALL:  # the error is now of the order of its square
                break
        outside = np.where(wanted > 1e-300, -np.inf, np.inf) * side
        return np.where(possible, z, outside)


@final
@dataclass(frozen=True)
class Journey:
    """A design walked through once; probabilities at any drift follow.

    Attributes
    ----------
    upper, lower, rates
        Bounds of Z and information at each look, (B, K).
    walks
        Trials running before each look.
    """

    upper: Floats
    lower: Floats
    rates: Floats
    walks: tuple[Walk, ...]

    @classmethod
    def through(
        cls,
        upper: ArrayLike,
        lower: ArrayLike,
        rates: ArrayLike,
        drifts: tuple[float, float] = (0.0, 0.0),
        precision: Precision = PRECISE,
    ) -> Journey:
        """Walk through looks with bounds (K,) or (B, K); `drifts` will be asked for."""
        given = [np.atleast_2d(np.asarray(x, dtype=np.float64)) for x in (upper, lower, rates)]
        trials = max(len(x) for x in given)
        high, low, times = (np.broadcast_to(x, (trials, x.shape[1])) for x in given)
        walks = [Walk.start(trials, precision)]
        for k in range(times.shape[1] - 1):
            walks.append(
                walks[-1].advance(times[:, k], low[:, k], high[:, k], times[:, k + 1], drifts)
            )
        return cls(high, low, times, tuple(walks))

    def stages(self, theta: Floats) -> tuple[Floats, Floats]:
        """Probability of leaving first at each look, up and down, under drifts (T,): (T, K)."""
        ups = [
            walk.above(self.upper[:, k], self.rates[:, k], theta)
            for k, walk in enumerate(self.walks)
        ]
        downs = [
            walk.below(self.lower[:, k], self.rates[:, k], theta)
            for k, walk in enumerate(self.walks)
        ]
        return np.stack(ups, axis=-1), np.stack(downs, axis=-1)


def crossing(
    upper: ArrayLike,
    lower: ArrayLike,
    rates: ArrayLike,
    theta: ArrayLike,
    precision: Precision = PRECISE,
) -> tuple[Floats, Floats]:
    """Probability of leaving first at each look, upwards and downwards.

    Parameters
    ----------
    upper, lower
        Bounds of Z, (K,) or (B, K); infinite where there is none.
    rates
        Information at each look, rising, (K,) or (B, K).
    theta
        Drift, the mean of Z at information 1: a number or (T,), with T = B unless B is 1.
    precision
        `PRECISE` or `QUICK`.

    Returns
    -------
    tuple
        Upwards and downwards, each (K,) if everything is one design at one drift, else (T, K) or
        (B, K).

    Examples
    --------
    >>> up, down = crossing([1.959964], [-1.959964], [1.0], 0.0)
    >>> round(float(up[0]), 6), round(float(down[0]), 6)
    (0.025, 0.025)
    """
    drift = np.atleast_1d(np.asarray(theta, dtype=np.float64))
    span = (float(drift.min()), float(drift.max()))
    journey = Journey.through(upper, lower, rates, span, precision)
    up, down = journey.stages(drift)
    single = np.ndim(theta) == 0 and max(np.ndim(x) for x in (upper, lower, rates)) == 1
    return (up[0], down[0]) if single else (up, down)
