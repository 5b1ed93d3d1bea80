"""How much privacy a chain of mechanisms spends, by Renyi differential privacy.

Curves and their conversion are opacus's own (Mironov, 2017, "Renyi differential privacy";
Mironov, Talwar and Zhang, 2019, "Renyi differential privacy of the sampled Gaussian
mechanism"; conversion of Canonne, Kamath and Steinke, 2020). Neighbouring cohorts differ by one
patient added or removed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

ORDERS: tuple[float, ...] = (*(1 + x / 10.0 for x in range(1, 100)), *map(float, range(12, 64)))
"""Renyi orders of opacus's accountant."""

SEARCH_ORDERS: tuple[float, ...] = (2.5, 3.5, 4.5, *map(float, range(2, 64)))
"""Orders that opacus computes quickly; fewer orders only overstate what is spent."""

_TOLERANCE = 1e-3
_MOST_NOISE = 1e6


@dataclass(frozen=True)
class Mechanism:
    """One private step.

    Attributes
    ----------
    kind
        ``gaussian``: noise of `noise` times the sensitivity, on a Poisson sample of rate
        `sample_rate`, repeated `steps` times. ``exponential``: a choice of pure epsilon `noise`
        (bounded range), repeated `steps` times.
    what
        What it measured, in words.
    """

    kind: str
    noise: float
    what: str
    sample_rate: float = 1.0
    steps: int = 1

    def curve(self) -> tuple[float, ...]:
        """Renyi divergence at each of :data:`ORDERS`."""
        if self.kind == "gaussian":
            return gaussian_curve(self.noise, self.sample_rate, self.steps)
        return exponential_curve(self.noise, self.steps)


def gaussian_curve(
    noise_multiplier: float,
    sample_rate: float = 1.0,
    steps: int = 1,
    orders: Sequence[float] = ORDERS,
) -> tuple[float, ...]:
    """Renyi curve of the (sampled) Gaussian mechanism, computed by opacus."""
    if sample_rate == 1.0:  # the closed form that opacus itself uses; it needs no import
        return tuple(steps * order / (2 * noise_multiplier**2) for order in orders)
    from opacus.accountants.analysis.rdp import compute_rdp

    found = compute_rdp(
        q=sample_rate, noise_multiplier=noise_multiplier, steps=steps, orders=list(orders)
    )
    return tuple(float(x) for x in np.asarray(found))


def exponential_curve(epsilon: float, steps: int = 1) -> tuple[float, ...]:
    """Renyi curve of a choice by the exponential mechanism.

    Its privacy loss has a range of epsilon, so that order * epsilon^2 / 8 bounds the divergence
    (Cesar and Rogers, 2021, "Bounding, concentrating, and truncating").
    """
    return tuple(steps * min(order * epsilon**2 / 8.0, epsilon) for order in ORDERS)


def epsilon_of(
    curve: Sequence[float], delta: float, at: Sequence[float] = ORDERS
) -> float:
    """Epsilon of a Renyi curve at a delta, by opacus's conversion; 0 of an empty curve."""
    values = np.asarray(curve, dtype=np.float64)
    if not values.any():
        return 0.0
    orders = np.asarray(at)
    terms = values - (np.log(delta) + np.log(orders)) / (orders - 1) + np.log(
        (orders - 1) / orders
    )
    return float(max(np.nanmin(terms), 0.0))


def total_curve(mechanisms: Sequence[Mechanism]) -> tuple[float, ...]:
    """Curve of several mechanisms one after the other."""
    total = np.zeros(len(ORDERS))
    for mechanism in mechanisms:
        total += mechanism.curve()
    return tuple(float(x) for x in total)


def smallest_noise(
    epsilon: float,
    delta: float,
    build: Callable[[float], Sequence[float]],
    at: Sequence[float] = ORDERS,
) -> float:
    """Smallest scale of noise whose curve stays within epsilon at delta.

    Parameters
    ----------
    epsilon, delta
        What may be spent.
    build
        The whole curve for a scale of noise; it must fall as the scale rises.
    at
        Orders of the curve.

    Raises
    ------
    ValueError
        If no noise is enough.
    """
    low, high = 0.0, 1.0
    while epsilon_of(build(high), delta, at) > epsilon:
        low, high = high, 2 * high
        if high > _MOST_NOISE:
            raise ValueError("the privacy budget is too small for any noise")
    while high - low > _TOLERANCE * high:
        middle = (low + high) / 2
        if epsilon_of(build(middle), delta, at) > epsilon:
            low = middle
        else:
            high = middle
    return high
