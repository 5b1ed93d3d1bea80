"""Combination tests: stages are tested apart and combined by a rule fixed beforehand.

Later stages may then be changed by what earlier ones showed. Sources: inverse normal: Lehmacher
and Wassmer (1999), doi 10.1111/j.0006-341X.1999.01286.x; Fisher's product: Bauer and Koehne
(1994), doi 10.2307/2533441.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import numpy.typing as npt
import scipy
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from extraction.records.errors import Faults
from simulation.analysis.sequential.quadrature import Floats

Booleans = npt.NDArray[np.bool_]


def stage_weights(rates: ArrayLike) -> Floats:
    """Weights of stages, fixed beforehand, from the planned information rates: (S,).

    Their squares sum to 1, so that combined statistics have the joint law that the
    group-sequential bounds at these rates are made for.
    """
    return np.asarray(np.sqrt(np.diff(np.asarray(rates, dtype=np.float64), prepend=0.0)))


def inverse_normal(z: ArrayLike, weights: ArrayLike) -> Floats:
    """Combine stage-wise statistics cumulatively.

    Parameters
    ----------
    z
        Statistic of each stage's own patients, (..., S); or of single p values,
        `ndtri(1 - p)`.
    weights
        Weights fixed beforehand, (S,), above 0.

    Returns
    -------
    array
        Combined statistic after each stage, (..., S); standard normal without an effect.

    Examples
    --------
    >>> [round(float(x), 4) for x in inverse_normal([1.0, 2.0], [1.0, 1.0])]
    [1.0, 2.1213]
    """
    w = np.asarray(weights, dtype=np.float64)
    total = np.cumsum(np.asarray(z, dtype=np.float64) * w, axis=-1)
    return np.asarray(total / np.sqrt(np.cumsum(w**2)))


def stage_statistics(z: ArrayLike, information: ArrayLike) -> Floats:
    """Statistics of each stage's own data from cumulative ones, (R, K).

    Parameters
    ----------
    z, information
        Cumulative Z and information at each look, (R, K); information must rise.
    """
    times = np.asarray(information, dtype=np.float64)
    score = np.asarray(z, dtype=np.float64) * np.sqrt(times)
    steps = np.diff(times, axis=-1, prepend=0.0)
    return np.asarray(np.diff(score, axis=-1, prepend=0.0) / np.sqrt(steps))


@final
@dataclass(frozen=True)
class FisherDesign:
    """Two stages by the product of p values.

    Attributes
    ----------
    alpha
        One-sided level.
    first
        Reject after stage 1 if its p value is at most this.
    futility
        Stop after stage 1 if its p value is at least this; 1 is never.
    product
        Reject after stage 2 if the product is at most this.
    """

    alpha: float
    first: float
    futility: float
    product: float

    def reject(self, p_first: ArrayLike, p_second: ArrayLike) -> tuple[Booleans, Booleans]:
        """Whether the first stage rejects, and whether either does."""
        one = np.asarray(p_first, dtype=np.float64)
        two = np.asarray(p_second, dtype=np.float64)
        early = np.asarray(one <= self.first)
        late = (one < self.futility) & (one * two <= self.product)
        return early, np.asarray(early | late)

    def conditional_error(self, p_first: ArrayLike) -> Floats:
        """Chance of rejecting without an effect, given the first stage's p value."""
        one = np.asarray(p_first, dtype=np.float64)
        later = np.minimum(self.product / np.maximum(one, 1e-300), 1.0)
        return np.where(one <= self.first, 1.0, np.where(one >= self.futility, 0.0, later))


def fisher_design(
    alpha: float = 0.025,
    *,
    first: float | None = None,
    futility: float = 1.0,
    method: Literal["full_alpha", "equal_alpha"] = "full_alpha",
) -> FisherDesign:
    """Two-stage design by Fisher's product test (Bauer and Koehne 1994).

    Parameters
    ----------
    alpha
        One-sided level.
    first
        Level of the first stage, which sets the product; none: by the method.
    futility
        First-stage p value at which the trial stops (binding); 1 is never.
    method
        "full_alpha": the product has the whole level when tested alone, c (1 - log c) = alpha;
        "equal_alpha": it has the level of the first stage.

    Raises
    ------
    InputError
        If a level is out of range.

    Examples
    --------
    >>> round(fisher_design(0.025).product, 8)
    0.00380422
    """
    faults = Faults("fisher_design")
    if not 0 < alpha < 0.5:
        faults.add(f"alpha: {alpha} came; a one-sided level lies in (0, 0.5)")
    if not alpha < futility <= 1:
        faults.add(f"futility: {futility} came; it must lie above alpha, up to 1")
    if first is not None and not 0 < first < alpha:
        faults.add(f"first: {first} came; it must lie between 0 and alpha")
    faults.raise_if_any()
    if first is not None:
        product = (alpha - first) / (np.log(futility) - np.log(first))
        return FisherDesign(alpha, first, futility, float(product))
    if method == "full_alpha":
        product = float(np.exp(-scipy.stats.chi2.isf(alpha, 4) / 2))
        level = _first_level(alpha, futility, product)
    else:
        product = float(brentq(
            lambda c: _spent(c * (1 - np.log(c)), futility, c) - alpha, 1e-12,
            float(np.exp(-scipy.stats.chi2.isf(alpha, 4) / 2)), xtol=1e-15,
        ))
        level = product * (1 - float(np.log(product)))
    return FisherDesign(alpha, level, futility, product)


def _spent(first: float, futility: float, product: float) -> float:
    """Type I error of a two-stage product test, for a product no larger than the first level."""
    return float(first + product * (np.log(futility) - np.log(first)))


def _first_level(alpha: float, futility: float, product: float) -> float:
    if _spent(product, futility, product) >= alpha - 1e-15:
        return product
    return float(brentq(lambda p: _spent(p, futility, product) - alpha, product, alpha, xtol=1e-15))


def fisher_p_value(p: ArrayLike) -> Floats:
    """P value of the product of independent p values (..., S), without early stopping."""
    values = np.asarray(p, dtype=np.float64)
    statistic = -2 * np.log(np.maximum(values, 1e-300)).sum(axis=-1)
    return np.asarray(scipy.stats.chi2.sf(statistic, 2 * values.shape[-1]))


def inverse_normal_p_value(p: ArrayLike, weights: ArrayLike) -> Floats:
    """P value of the inverse normal combination of p values (..., S), without early stopping."""
    z = -ndtri(np.asarray(p, dtype=np.float64))
    return np.asarray(ndtr(-inverse_normal(z, weights)[..., -1]))
