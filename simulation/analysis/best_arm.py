"""Posterior probabilities that an arm is the best, and that all arms are equivalent.

Independent posteriors, many replicates at once, by Gauss-Legendre quadrature instead of draws.
The lowest value is the best. Tails of 1e-12 are cut off; the error is below 1e-8 as long as no
posterior is more than five times as wide as another of the same trial. Beta shapes below 2 that
are not whole have densities with an infinite slope: there it is up to 1e-4.

Distribution functions at the nodes are integrals of the densities' interpolating polynomials, a
tenth of the cost of the incomplete beta function; trials whose posteriors are too narrow for the
polynomial take the function itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

NODES: Final = 64
_MANY: Final = 128
"""Nodes where polynomials do not hold."""
_TAIL: Final = 1e-12
_NORMAL_TAIL: Final = 7.1

_NARROW: Final = 2.5
"""Range over the narrowest posterior up to which 64 nodes give its polynomial to 1e-10."""

_HIGH: Final = 10.0
"""Shape from which a density of any power is as good as analytic."""


class Posteriors(ABC):
    """Independent posteriors (R, A) of replicates' arms."""

    @cached_property
    def limits(self) -> tuple[Floats, Floats]:
        """Ends (R, A) beyond which 1e-12 lies on either side."""
        return self._limits()

    def rows(self, which: Booleans) -> "Posteriors":
        """Those of some replicates, with their limits."""
        low, high = self.limits
        some = self._rows(which)
        vars(some)["limits"] = low[which], high[which]
        return some

    @abstractmethod
    def _limits(self) -> tuple[Floats, Floats]: ...

    @abstractmethod
    def _rows(self, which: Booleans) -> "Posteriors": ...

    @abstractmethod
    def density(self, x: Floats) -> Floats:
        """Densities (R, A, G) at values (R, G)."""

    @abstractmethod
    def below(self, x: Floats) -> Floats:
        """Distribution functions (R, A, G) at values (R, G)."""

    @property
    @abstractmethod
    def top(self) -> float:
        """Where the densities' support ends."""

    @property
    def analytic(self) -> Booleans:
        """Rows (R,) whose densities polynomials can follow to the end of the support."""
        return np.ones(len(self.limits[0]), dtype=bool)


@final
@dataclass(frozen=True)
class BetaPosteriors(Posteriors):
    """Beta posteriors of probabilities; both shapes (R, A) are at least 1."""

    a: Floats
    b: Floats

    def _limits(self) -> tuple[Floats, Floats]:
        from scipy.special import betaincinv

        low = betaincinv(self.a, self.b, _TAIL)
        return np.asarray(low), np.asarray(1.0 - betaincinv(self.b, self.a, _TAIL))

    def density(self, x: Floats) -> Floats:
        """Densities (R, A, G)."""
        from scipy.special import betaln

        a, b = self.a[:, :, None], self.b[:, :, None]
        # Once for all arms; the ends are kept finite, for shapes of 1.
        log, left = (np.log(np.maximum(v, 1e-300))[:, None, :] for v in (x, 1.0 - x))
        return np.asarray(np.exp((a - 1) * log + (b - 1) * left - betaln(a, b)))

    def below(self, x: Floats) -> Floats:
        """Distribution functions (R, A, G)."""
        from scipy.special import betainc

        at = np.clip(x, 0.0, 1.0)[:, None, :]
        return np.asarray(betainc(self.a[:, :, None], self.b[:, :, None], at))

    @property
    def top(self) -> float:
        """The largest probability."""
        return 1.0

    @property
    def analytic(self) -> Booleans:
        """Rows (R,) without low powers that are not whole."""
        fine = [(shape >= _HIGH) | (shape % 1 == 0) for shape in (self.a, self.b)]
        return np.asarray((fine[0] & fine[1]).all(axis=1))

    def _rows(self, which: Booleans) -> "BetaPosteriors":
        return BetaPosteriors(self.a[which], self.b[which])


@final
@dataclass(frozen=True)
class NormalPosteriors(Posteriors):
    """Normal posteriors of means, (R, A)."""

    mean: Floats
    sd: Floats

    def _limits(self) -> tuple[Floats, Floats]:
        return self.mean - _NORMAL_TAIL * self.sd, self.mean + _NORMAL_TAIL * self.sd

    def density(self, x: Floats) -> Floats:
        """Densities (R, A, G)."""
        scale = self.sd[:, :, None] * np.sqrt(2 * np.pi)
        return np.asarray(np.exp(-0.5 * self._standard(x) ** 2) / scale)

    def below(self, x: Floats) -> Floats:
        """Distribution functions (R, A, G)."""
        from scipy.special import ndtr

        return np.asarray(ndtr(self._standard(x)))

    @property
    def top(self) -> float:
        """Means are not bounded."""
        return np.inf

    def _rows(self, which: Booleans) -> "NormalPosteriors":
        return NormalPosteriors(self.mean[which], self.sd[which])

    def _standard(self, x: Floats) -> Floats:
        return np.asarray((x[:, None, :] - self.mean[:, :, None]) / self.sd[:, :, None])


def probabilities_batch(
    posteriors: Posteriors, active: Booleans, difference: float | None = None
) -> tuple[Floats, Floats]:
    """Probabilities of being best and of equivalence, over the same nodes.

    Parameters
    ----------
    posteriors
        Of all arms.
    active
        Arms (R, A) that are compared; at least one in each row.
    difference
        Within which values are equivalent; None: not asked.

    Returns
    -------
    tuple of arrays
        Probability (R, A) that an arm's value is the lowest of the active arms, 0 for the others;
        and (R,) that all of theirs lie within the difference of each other, 0 where not asked.
    """
    best, alike = np.empty(active.shape), np.zeros(len(active))
    for which, grid in _grids(posteriors, active, difference or 0.0):
        some, arms = posteriors.rows(which), active[which]
        density = some.density(grid.x)
        below = grid.below(some, density)
        best[which] = _first(density, 1.0 - below, grid.weight, arms)
        if difference is not None:
            further = grid.shifted(difference)
            near = further.below(some, some.density(further.x)) - below
            alike[which] = _first(density, near, grid.weight, arms).sum(axis=1)
    return best, alike


def probability_best_batch(posteriors: Posteriors, active: Booleans) -> Floats:
    """Probability (R, A) that an arm's value is the lowest; see `probabilities_batch`."""
    return probabilities_batch(posteriors, active)[0]


def probability_equivalent_batch(
    posteriors: Posteriors, active: Booleans, difference: float
) -> Floats:
    """Probability (R,) that active arms are equivalent; see `probabilities_batch`."""
    return probabilities_batch(posteriors, active, difference)[1]


def _first(density: Floats, others: Floats, weight: Floats, active: Booleans) -> Floats:
    """Integral (R, A) of an arm's density times the product of the other arms' terms."""
    others = np.where(active[:, :, None], others, 1.0)
    arms = np.arange(active.shape[1])
    found = [
        (density[:, arm] * others[:, arms != arm].prod(axis=1) * weight).sum(axis=1)
        for arm in arms
    ]
    return np.where(active, np.stack(found, axis=1), 0.0)


def _grids(
    posteriors: Posteriors, active: Booleans, further: float
) -> "Iterator[tuple[Booleans, _Grid]]":
    """Nodes from the lowest beginning of an active arm to the lowest end, and of which rows.

    Rows are parted by whether polynomials hold, here and `further` on.
    """
    low, high = posteriors.limits
    start, stop, width = (
        np.where(active, value, np.inf).min(axis=1) for value in (low, high, high - low)
    )
    smooth = (stop - start <= _NARROW * width) & posteriors.analytic
    if further:
        smooth &= stop + further < posteriors.top
    for which, polynomials in ((smooth, True), (~smooth, False)):
        if which.any():
            yield which, _Grid.over(start[which, None], stop[which, None], polynomials)


@final
@dataclass(frozen=True)
class _Grid:
    """Nodes over where the lowest value can be.

    Attributes
    ----------
    x, weight
        Nodes and quadrature weights (R, G).
    start, half
        First value and half the length of the range, (R, 1).
    integral
        What integrates the polynomials through the nodes (G, G); None where they do not hold.
    """

    x: Floats
    weight: Floats
    start: Floats
    half: Floats
    integral: Floats | None

    @classmethod
    def over(cls, start: Floats, stop: Floats, polynomials: bool) -> "_Grid":
        """Grid over a range, with few nodes where polynomials hold."""
        node, weight, integral = _legendre(NODES if polynomials else _MANY)
        half = (stop - start) / 2
        x = start + half * (1 + node)
        return cls(x, half * weight, start, half, integral if polynomials else None)

    def shifted(self, by: float) -> "_Grid":
        """The same nodes further on."""
        return _Grid(self.x + by, self.weight, self.start + by, self.half, self.integral)

    def below(self, posteriors: Posteriors, density: Floats) -> Floats:
        """Distribution functions (R, A, G) at the nodes, whose densities are given."""
        if self.integral is None:
            return posteriors.below(self.x)
        begin = posteriors.below(self.start)
        return np.asarray(begin + self.half[:, :, None] * (density @ self.integral))


@lru_cache(maxsize=2)
def _legendre(nodes: int) -> Any:
    """Nodes and weights (G,) on [-1, 1], and the matrix that integrates from -1 to each node.

    A polynomial through values f has the coefficients (2n + 1) / 2 sum(w P_n f), and Legendre's
    P_n the integral (P_{n+1} - P_{n-1}) / (2n + 1).
    """
    node, weight = np.polynomial.legendre.leggauss(nodes)
    values = np.polynomial.legendre.legvander(node, nodes)
    n = np.arange(nodes)
    integral = np.empty((nodes, nodes))
    integral[0] = node + 1
    integral[1:] = ((values[:, 2:] - values[:, :-2]) / (2 * n[1:] + 1)).T
    to_coefficients = (weight[:, None] * values[:, :nodes]) * (2 * n + 1) / 2
    return node, weight, np.ascontiguousarray(to_coefficients @ integral)
