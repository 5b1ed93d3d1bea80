"""Priors and posteriors as mixtures of beta or normal laws, with exact updates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy
from numpy.typing import ArrayLike
from scipy import optimize, special

from extraction.records.errors import InputError
from simulation.analysis.arrays import FloatArray, numeric, stop

NODES = 200


@dataclass(frozen=True)
class _Mixture(ABC):
    """What both laws share; `first` and `second` are the components' parameters (K,)."""

    weights: FloatArray
    first: FloatArray
    second: FloatArray

    @abstractmethod
    def _component_means(self) -> FloatArray: ...

    @abstractmethod
    def _component_variances(self) -> FloatArray: ...

    @abstractmethod
    def _component_cdf(self, x: FloatArray) -> FloatArray: ...

    @abstractmethod
    def _log_components(self, x: FloatArray) -> FloatArray: ...

    @property
    def mean(self) -> float:
        """Mean of the mixture."""
        return float(self.weights @ self._component_means())

    @property
    def sd(self) -> float:
        """Standard deviation of the mixture."""
        means = self._component_means()
        second = self.weights @ (self._component_variances() + means**2)
        return float(np.sqrt(second - self.mean**2))

    def cdf(self, x: ArrayLike) -> FloatArray:
        """Distribution function at x, of x's shape."""
        point = np.asarray(x, dtype=np.float64)
        value: FloatArray = self._component_cdf(point[..., None]) @ self.weights
        return value

    def log_density(self, x: ArrayLike) -> FloatArray:
        """Logarithm of the density at x, of x's shape."""
        point = np.asarray(x, dtype=np.float64)
        terms = self._log_components(point[..., None]) + np.log(self.weights)
        return np.asarray(special.logsumexp(terms, axis=-1), dtype=np.float64)

    def quantile(self, p: float) -> float:
        """The value below which the share p (0 to 1, exclusive) lies."""
        low, high = self._ends(min(p, 1 - p) / 1e3)
        return float(optimize.brentq(lambda x: float(self.cdf(x)) - p, low, high, xtol=1e-12))

    @abstractmethod
    def _ends(self, tail: float) -> tuple[float, float]: ...

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Equal-tailed credible interval."""
        return self.quantile(0.5 - level / 2), self.quantile(0.5 + level / 2)

    def robust(self, weight: float, first: float, second: float) -> Self:
        """The mixture with a vague component of the given weight (Schmidli et al. 2014).

        `first` and `second` are its parameters: a and b (1, 1 is uniform), or mean and standard
        deviation. Schmidli et al., doi 10.1111/biom.12242.

        Raises
        ------
        InputError
            For a weight outside 0 to 1.
        """
        if not 0 <= weight < 1:
            raise InputError(f"weight: {weight:g}; allowed: 0 to below 1; choose for instance 0.2")
        return type(self)(np.r_[(1 - weight) * self.weights, weight], np.r_[self.first, first],
                          np.r_[self.second, second])


@dataclass(frozen=True)
class BetaMixture(_Mixture):
    """Law of a probability: `weights` sum to 1, `first` are a and `second` b, all above 0."""

    def _component_means(self) -> FloatArray:
        return self.first / (self.first + self.second)

    def _component_variances(self) -> FloatArray:
        mean, total = self._component_means(), self.first + self.second
        return mean * (1 - mean) / (total + 1)

    def _component_cdf(self, x: FloatArray) -> FloatArray:
        return np.asarray(special.betainc(self.first, self.second, np.clip(x, 0, 1)))

    def _log_components(self, x: FloatArray) -> FloatArray:
        a, b = self.first, self.second
        value: FloatArray = (special.xlogy(a - 1, x) + special.xlog1py(b - 1, -x)
                             - special.betaln(a, b))
        return value

    def _ends(self, tail: float) -> tuple[float, float]:
        return 0.0, 1.0

    def update(self, events: float, n: float) -> BetaMixture:
        """Posterior after `events` of `n` patients (exact)."""
        a, b = self.first + events, self.second + n - events
        evidence = (np.log(self.weights) + special.betaln(a, b)
                    - special.betaln(self.first, self.second))
        return BetaMixture(special.softmax(evidence), a, b)

    def predictive(self, n: int) -> FloatArray:
        """Probability of 0 to n events among n patients (n + 1,)."""
        r = np.arange(n + 1)[:, None]
        terms = (special.betaln(self.first + r, self.second + n - r)
                 - special.betaln(self.first, self.second))
        chosen = -special.betaln(r + 1, n - r + 1) - np.log(n + 1)
        chance: FloatArray = np.exp(terms + chosen) @ self.weights
        return chance

    def ess_moment(self) -> float:
        """Patients in the one beta law with this mean and variance."""
        return self.mean * (1 - self.mean) / self.sd**2 - 1

    def ess_elir(self) -> float:
        """Expected local-information-ratio effective sample size.

        Mean over the prior of its own information, -d2 log p / dθ2, over that of one patient,
        1 / (θ (1 - θ)). Neuenschwander et al. (2020), doi 10.1111/biom.13252. NaN where a
        component has no mode inside (0, 1) and is not flat.
        """
        flat = (self.first == 1) & (self.second == 1)
        if not (((self.first > 1) & (self.second > 1)) | flat).all():
            return float("nan")
        total = 0.0
        for weight, a, b in zip(self.weights, self.first, self.second, strict=True):
            x, share = _beta_nodes(float(a), float(b))
            total += float(weight) * float(share @ (self._information(x) * x * (1 - x)))
        return total

    def _information(self, x: FloatArray) -> FloatArray:
        point = x[..., None]
        held = np.exp(self._log_components(point) + np.log(self.weights)
                      - self.log_density(x)[..., None])
        slope = (self.first - 1) / point - (self.second - 1) / (1 - point)
        bend = -(self.first - 1) / point**2 - (self.second - 1) / (1 - point) ** 2
        value: FloatArray = ((held * slope).sum(axis=-1) ** 2
                             - (held * (bend + slope**2)).sum(axis=-1))
        return value

    def probability_above(self, other: BetaMixture, margin: float = 0.0) -> float:
        """P(this > other + margin), the two independent.

        By Gauss-Jacobi quadrature component by component: exact to 12 digits without a margin.
        """
        total = 0.0
        for weight, a, b in zip(self.weights, self.first, self.second, strict=True):
            x, share = _beta_nodes(float(a), float(b))
            total += float(weight) * float(share @ other.cdf(x - margin))
        return total


@dataclass(frozen=True)
class NormalMixture(_Mixture):
    """Law of a mean or log ratio: `first` are the components' means, `second` their sds."""

    def _component_means(self) -> FloatArray:
        return self.first

    def _component_variances(self) -> FloatArray:
        return self.second**2

    def _component_cdf(self, x: FloatArray) -> FloatArray:
        return np.asarray(special.ndtr((x - self.first) / self.second))

    def _log_components(self, x: FloatArray) -> FloatArray:
        return np.asarray(scipy.stats.norm.logpdf(x, self.first, self.second))

    def _ends(self, tail: float) -> tuple[float, float]:
        reach = float(scipy.stats.norm.isf(min(tail, 1e-3))) + 1
        return (float((self.first - reach * self.second).min()),
                float((self.first + reach * self.second).max()))

    def update(self, estimate: float, se: float) -> NormalMixture:
        """Posterior after an estimate with a known standard error (exact)."""
        precision = 1 / self.second**2 + 1 / se**2
        mean = (self.first / self.second**2 + estimate / se**2) / precision
        evidence = np.log(self.weights) + scipy.stats.norm.logpdf(estimate, self.first,
                                                            np.hypot(self.second, se))
        return NormalMixture(special.softmax(evidence), mean, 1 / np.sqrt(precision))

    def predictive_cdf(self, estimate: float, se: float) -> float:
        """Chance of an estimate at most this one before it is seen."""
        return float(self.weights @ special.ndtr((estimate - self.first)
                                                 / np.hypot(self.second, se)))

    def ess_moment(self, sigma: float) -> float:
        """Patients with standard deviation sigma that are worth this variance."""
        return sigma**2 / self.sd**2

    def ess_elir(self, sigma: float) -> float:
        """Expected local-information-ratio effective sample size (see `BetaMixture.ess_elir`)."""
        z, share = np.polynomial.hermite_e.hermegauss(NODES)
        share = share / share.sum()
        total = 0.0
        for weight, mean, sd in zip(self.weights, self.first, self.second, strict=True):
            total += float(weight) * float(share @ self._information(mean + sd * z))
        return sigma**2 * total

    def _information(self, x: FloatArray) -> FloatArray:
        point = x[..., None]
        held = np.exp(self._log_components(point) + np.log(self.weights)
                      - self.log_density(x)[..., None])
        slope = -(point - self.first) / self.second**2
        value: FloatArray = ((held * slope).sum(axis=-1) ** 2
                             - (held * (slope**2 - 1 / self.second**2)).sum(axis=-1))
        return value

    def probability_above(self, other: NormalMixture, margin: float = 0.0) -> float:
        """P(this > other + margin), the two independent; exact."""
        gap = self.first[:, None] - other.first - margin
        spread = np.hypot(self.second[:, None], other.second)
        return float(self.weights @ special.ndtr(gap / spread) @ other.weights)


def _beta_nodes(a: float, b: float) -> tuple[FloatArray, FloatArray]:
    """Gauss-Jacobi nodes in (0, 1) and weights that sum to 1, for means over Beta(a, b).

    The rule is made for Beta with both parameters at most 30 and the rest of the density taken as
    part of the integrand, since high powers overflow.
    """
    x, share = special.roots_jacobi(NODES, min(b, 30.0) - 1, min(a, 30.0) - 1)
    x = (1 + x) / 2
    log_share = np.log(np.maximum(share, 1e-320))
    log_share += special.xlogy(max(a - 30.0, 0.0), x) + special.xlog1py(max(b - 30.0, 0.0), -x)
    return x, special.softmax(log_share)


def beta_mixture(weights: ArrayLike, a: ArrayLike, b: ArrayLike) -> BetaMixture:
    """Mixture of beta laws; weights (K,) are scaled to sum to 1.

    Raises
    ------
    InputError
        For unequal lengths, weights that are not above 0, or parameters that are not above 0.
    """
    return BetaMixture(*_checked(weights, ("a", a), ("b", b), positive=("a", "b")))


def normal_mixture(weights: ArrayLike, means: ArrayLike, sds: ArrayLike) -> NormalMixture:
    """Mixture of normal laws; weights (K,) are scaled to sum to 1.

    Raises
    ------
    InputError
        For unequal lengths, weights or standard deviations that are not above 0.
    """
    return NormalMixture(*_checked(weights, ("means", means), ("sds", sds), positive=("sds",)))


def _checked(weights: ArrayLike, *parameters: tuple[str, ArrayLike], positive: tuple[str, ...]
             ) -> tuple[FloatArray, FloatArray, FloatArray]:
    faults: list[str] = []
    w = numeric("weights", weights, faults)
    first, second = (numeric(name, values, faults, w.shape) for name, values in parameters)
    if not (w > 0).all():
        faults.append("weights: not all above 0; leave such components out")
    for (name, _), values in zip(parameters, (first, second), strict=True):
        if name in positive and not (values > 0).all():
            faults.append(f"{name}: not all above 0; correct them")
    stop(faults)
    return w / w.sum(), first, second


def fit_beta_mixture(points: FloatArray, weights: FloatArray, components: int = 3, *,
                     iterations: int = 3000, tolerance: float = 1e-9) -> BetaMixture:
    """Mixture of betas nearest to a weighted set of probabilities, by EM.

    Parameters
    ----------
    points, weights
        Probabilities in (0, 1) and their weights, each (M,), such as a `MapPrior`'s.
    components
        How many; each M step solves the beta likelihood equations by Newton's method.

    Returns
    -------
    BetaMixture
        Components in falling order of weight; the fit minimises the Kullback-Leibler divergence.
    """
    w = weights / weights.sum()
    x = np.clip(points, 1e-9, 1 - 1e-9)
    logs = np.stack([np.log(x), np.log1p(-x)])
    mean = float(w @ x)
    strength = mean * (1 - mean) / float(w @ (x - mean) ** 2) - 1
    cuts = np.quantile(x, (np.arange(components) + 0.5) / components, weights=w,
                       method="inverted_cdf")
    cuts = mean + 0.7 * (cuts - mean)
    scale = strength * np.geomspace(0.5, 3.0, components)
    fitted = BetaMixture(np.full(components, 1 / components), cuts * scale, (1 - cuts) * scale)
    last = -np.inf
    for _ in range(iterations):
        terms = fitted._log_components(x[:, None]) + np.log(fitted.weights)
        total = special.logsumexp(terms, axis=1)
        now = float(w @ total)
        held = w[:, None] * np.exp(terms - total[:, None])
        share = held.sum(axis=0)
        target = logs @ held / share
        a, b = _beta_newton(fitted.first, fitted.second, target)
        fitted = BetaMixture(share / share.sum(), a, b)
        if now - last < tolerance:
            break
        last = now
    order = np.argsort(-fitted.weights, kind="stable")
    return BetaMixture(fitted.weights[order], fitted.first[order], fitted.second[order])


def _beta_newton(a: FloatArray, b: FloatArray, target: FloatArray
                 ) -> tuple[FloatArray, FloatArray]:
    """Parameters whose mean logarithms are `target` (2, K), by Newton on their logarithms."""
    for _ in range(30):
        joint = special.digamma(a + b)
        gap = np.stack([target[0] - special.digamma(a) + joint,
                        target[1] - special.digamma(b) + joint])
        if np.abs(gap).max() < 1e-12:
            break
        both = special.polygamma(1, a + b)
        one, two = special.polygamma(1, a) - both, special.polygamma(1, b) - both
        size = one * two - both**2
        step_a = (two * gap[0] + both * gap[1]) / size / a
        step_b = (both * gap[0] + one * gap[1]) / size / b
        a = a * np.exp(np.clip(step_a, -1, 1))
        b = b * np.exp(np.clip(step_b, -1, 1))
    return a, b


def fit_normal_mixture(points: FloatArray, weights: FloatArray, components: int = 2, *,
                       iterations: int = 3000, tolerance: float = 1e-10) -> NormalMixture:
    """Mixture of normals nearest to a weighted set of points (M,), by EM."""
    w = weights / weights.sum()
    mean = float(w @ points)
    sd = float(np.sqrt(w @ (points - mean) ** 2))
    fitted = NormalMixture(np.full(components, 1 / components),
                           mean + 0.1 * sd * np.linspace(-1, 1, components),
                           sd * np.geomspace(0.5, 1.5, components))
    last = -np.inf
    for _ in range(iterations):
        terms = fitted._log_components(points[:, None]) + np.log(fitted.weights)
        total = special.logsumexp(terms, axis=1)
        now = float(w @ total)
        held = w[:, None] * np.exp(terms - total[:, None])
        share = held.sum(axis=0)
        means = points @ held / share
        spread = (held * (points[:, None] - means) ** 2).sum(axis=0) / share
        fitted = NormalMixture(share / share.sum(), means, np.sqrt(np.maximum(spread, 1e-12)))
        if now - last < tolerance:
            break
        last = now
    order = np.argsort(-fitted.weights, kind="stable")
    return NormalMixture(fitted.weights[order], fitted.first[order], fitted.second[order])
