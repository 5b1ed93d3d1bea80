"""Bayesian borrowing of a control mean over replicates: the single-trial rooms, batched.

Each replicate has its own controls' mean and an external one, with standard errors that count as
known (the normal law). Priors of the own mean and posteriors are normal mixtures, exact as in
`mixtures`, `power_prior` and `map_prior`, which the tests compare row by row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from simulation.analysis.arrays import FloatArray
from simulation.analysis.external.map_prior import tau_nodes
from simulation.analysis.external.mixtures import NormalMixture
from simulation.analysis.external.power_prior import powers


@dataclass(frozen=True)
class MixtureBatch:
    """One normal mixture in each replicate; weights, means and sds are (R, K)."""

    weights: FloatArray
    means: FloatArray
    sds: FloatArray

    @property
    def mean(self) -> FloatArray:
        """Mean of each replicate's mixture (R,)."""
        value: FloatArray = (self.weights * self.means).sum(axis=1)
        return value

    @property
    def sd(self) -> FloatArray:
        """Standard deviation of each replicate's mixture (R,)."""
        away = self.means - self.mean[:, None]
        value: FloatArray = np.sqrt((self.weights * (self.sds**2 + away**2)).sum(axis=1))
        return value

    def update(self, estimate: FloatArray, se: FloatArray) -> MixtureBatch:
        """Posterior after estimates (R,) with known standard errors (R,)."""
        precision = 1 / self.sds**2 + 1 / se[:, None] ** 2
        mean = (self.means / self.sds**2 + (estimate / se**2)[:, None]) / precision
        weights = _tempered(self.weights, self.means, np.hypot(self.sds, se[:, None]), estimate)
        return MixtureBatch(weights, mean, 1 / np.sqrt(precision))

    def robust(self, weight: float, mean: FloatArray, sd: FloatArray) -> MixtureBatch:
        """The mixture with a vague component of the given weight, mean (R,) and sd (R,)."""
        share = np.full((len(mean), 1), weight)
        return MixtureBatch(np.hstack([(1 - weight) * self.weights, share]),
                            np.hstack([self.means, mean[:, None]]),
                            np.hstack([self.sds, sd[:, None]]))

    def cdf(self, x: FloatArray | float) -> FloatArray:
        """Distribution function (R,) at one value, or at each replicate's own (R,)."""
        point = np.broadcast_to(np.asarray(x, dtype=np.float64), len(self.means))[:, None]
        value: FloatArray = (self.weights * special.ndtr((point - self.means) / self.sds)
                             ).sum(axis=1)
        return value

    def difference_from(self, treated: FloatArray, se: FloatArray) -> MixtureBatch:
        """Law of treated mean less this mean: treated (R,) with a flat prior and known se (R,)."""
        return MixtureBatch(self.weights, treated[:, None] - self.means,
                            np.hypot(self.sds, se[:, None]))

    def row(self, r: int) -> NormalMixture:
        """The mixture of one replicate."""
        return NormalMixture(self.weights[r], self.means[r], self.sds[r])


def _tempered(weights: FloatArray, means: FloatArray, spread: FloatArray, estimate: FloatArray
              ) -> FloatArray:
    """Component weights after an estimate whose predictive sds are `spread` (R, K)."""
    log_weight = (np.log(weights) - np.log(spread)
                  - 0.5 * ((estimate[:, None] - means) / spread) ** 2)
    value: FloatArray = special.softmax(log_weight, axis=1)
    return value


def power_prior_batch(mean: FloatArray, se: FloatArray, power: float) -> MixtureBatch:
    """`power_prior.power_prior_normal` in each replicate; mean and se (R,), power above 0 to 1."""
    return MixtureBatch(np.ones((len(mean), 1)), mean[:, None], (se / np.sqrt(power))[:, None])


def normalised_power_batch(own: FloatArray, own_se: FloatArray, mean: FloatArray, se: FloatArray,
                           *, shape: tuple[float, float] = (1.0, 1.0)) -> MixtureBatch:
    """Posteriors of `power_prior.normalised_power_normal`; every array is (R,)."""
    power, prior = powers(shape)
    size = (len(mean), power.size)
    before = MixtureBatch(np.broadcast_to(prior, size), np.broadcast_to(mean[:, None], size),
                          se[:, None] / np.sqrt(power))
    return before.update(own, own_se)


def map_batch(means: FloatArray, ses: FloatArray, tau_scale: FloatArray) -> MixtureBatch:
    """MAP priors of the next trial's mean from H historical ones, half-normal prior of tau.

    Parameters
    ----------
    means, ses
        Historical estimates and standard errors (R, H).
    tau_scale
        Scale of the prior of tau in each replicate (R,).

    Notes
    -----
    One component for each quadrature node of tau: the law that `map_prior.map_normal` describes
    by weighted points, with a flat prior of the mean.
    """
    unit, prior = tau_nodes("half_normal", 1.0, 3.0)
    tau = tau_scale[:, None] * unit
    spread = ses[:, None, :] ** 2 + tau[..., None] ** 2
    precision = (1 / spread).sum(axis=2)
    centre = (means[:, None, :] / spread).sum(axis=2) / precision
    fit = ((means[:, None, :] - centre[..., None]) ** 2 / spread + np.log(spread)).sum(axis=2)
    weights = special.softmax(np.log(prior) - 0.5 * (fit + np.log(precision)), axis=1)
    return MixtureBatch(weights, centre, np.sqrt(1 / precision + tau**2))


def commensurate_batch(mean: FloatArray, se: FloatArray, *, slab_sd: FloatArray,
                       spike: float = 0.5, spike_sd: float = 0.0) -> MixtureBatch:
    """`power_prior.commensurate_normal` in each replicate; mean, se and slab_sd are (R,)."""
    share = np.broadcast_to(np.array([spike, 1 - spike]), (len(mean), 2))
    sds = np.column_stack([np.hypot(se, spike_sd), np.hypot(se, slab_sd)])
    return MixtureBatch(share, np.column_stack([mean, mean]), sds)
