"""Group-sequential designs: bounds, drift, and what to expect of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final, final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from simulation.analysis.sequential.plan import SequentialPlan
from simulation.analysis.sequential.quadrature import Floats, Journey
from simulation.analysis.sequential.solving import power_drift, solve

_SPAN: Final = 10.0


@final
@dataclass(frozen=True)
class GroupSequential:
    """A solved group-sequential design.

    Attributes
    ----------
    plan
        What was asked for.
    critical
        Critical value of Z at each look, (K,); two-sided designs reject below the negative too.
    futility
        Futility bound of Z at each interim look, (K - 1,), or none; -infinity where none.
    drift
        Mean of Z at full information at which the power is reached.
    """

    plan: SequentialPlan
    critical: tuple[float, ...]
    futility: tuple[float, ...]
    drift: float

    @property
    def rates(self) -> tuple[float, ...]:
        """Planned information rates, (K,)."""
        return self.plan.rates

    @property
    def alpha(self) -> float:
        """Type I error, of all sides together."""
        return self.plan.alpha

    @property
    def power(self) -> float:
        """Power at the drift."""
        return self.plan.power

    @cached_property
    def lower(self) -> Floats:
        """Bound below which a trial stops at each look, (K,): futility, or the other side."""
        if self.plan.sided == 2:
            return -np.asarray(self.critical)
        return np.array([*(self.futility or (-np.inf,) * (len(self.critical) - 1)), -np.inf])

    @cached_property
    def level_lower(self) -> Floats:
        """The part of `lower` that the type I error counts on, (K,)."""
        binding = self.plan.sided == 2 or getattr(self.plan.futility, "binding", False)
        return self.lower if binding else np.full(len(self.critical), -np.inf)

    @cached_property
    def _journey(self) -> Journey:
        return Journey.through(self.critical, self.lower, self.rates, (-_SPAN, _SPAN))

    def _stages(self, theta: ArrayLike | None) -> tuple[Floats, Floats]:
        given = np.asarray(self.drift if theta is None else theta, dtype=np.float64)
        drift = np.atleast_1d(given)
        journey, widest = self._journey, float(np.abs(drift).max())
        if widest > _SPAN:
            journey = Journey.through(self.critical, self.lower, self.rates, (-widest, widest))
        up, down = journey.stages(drift)
        return (up[0], down[0]) if given.ndim == 0 else (up, down)

    @cached_property
    def fixed_drift(self) -> float:
        """Drift of the fixed design of equal alpha and power."""
        return float(ndtri(1 - self.alpha / self.plan.sided) + ndtri(self.power))

    def drift_for(self, power: float) -> float:
        """Drift at which these bounds are crossed with another power, in (alpha, 1)."""
        if power == self.power:
            return self.drift
        return power_drift(self.critical, self.lower, self.rates, power)

    @property
    def inflation(self) -> float:
        """Maximum sample size over that of the fixed design."""
        return (self.drift / self.fixed_drift) ** 2

    def stages(self, theta: ArrayLike | None = None) -> Floats:
        """Probability of crossing the upper critical value first at each look.

        Parameters
        ----------
        theta
            Drift, a number or (T,); none: the design's.

        Returns
        -------
        array
            (K,) or (T, K).
        """
        return self._stages(theta)[0]

    def stops_below(self, theta: ArrayLike | None = None) -> Floats:
        """Probability of stopping for futility at each look, (K,) or (T, K).

        For a two-sided design: of rejecting on the other side.
        """
        return self._stages(theta)[1]

    def cumulative_power(self, theta: ArrayLike | None = None) -> Floats:
        """Probability of having crossed the upper critical value by each look."""
        return np.asarray(np.cumsum(self.stages(theta), axis=-1))

    @cached_property
    def alpha_spent(self) -> Floats:
        """Type I error used up by each look, (K,), both sides of a two-sided design."""
        journey = Journey.through(self.critical, self.level_lower, self.rates)
        up = journey.stages(np.zeros(1))[0][0]
        return np.asarray(np.cumsum(up) * self.plan.sided)

    @cached_property
    def beta_spent(self) -> Floats:
        """Probability at the drift of having stopped for futility by each interim look."""
        return np.asarray(np.cumsum(self.stops_below()[:-1]))

    def information(self, theta: ArrayLike | None = None) -> Any:
        """Expected share of the maximum information that is used; a float or (T,)."""
        up, down = self._stages(theta)
        stopped = (up + down)[..., :-1]
        share = 1 - stopped @ (1 - np.asarray(self.rates[:-1]))
        return float(share) if up.ndim == 1 else share

    def expected_ratio(self, theta: ArrayLike | None = None) -> Any:
        """Expected sample size over that of the fixed design; a float or (T,)."""
        return self.inflation * self.information(theta)


@lru_cache(maxsize=512)
def solved(plan: SequentialPlan) -> GroupSequential:
    """Solve a plan, once in a process.

    Raises
    ------
    InputError
        Where no design can keep to the plan.
    """
    critical, lower, drift = solve(plan)
    futility = tuple(float(z) for z in lower[:-1]) if plan.futility is not None else ()
    return GroupSequential(plan, tuple(float(z) for z in critical), futility, drift)


def group_sequential(
    boundary: str | Mapping[str, Any] = "obrien_fleming",
    looks: int | Sequence[float] = 1,
    alpha: float = 0.025,
    power: float = 0.9,
    *,
    futility: str | Mapping[str, Any] | None = None,
    sided: int = 1,
) -> GroupSequential:
    """Bounds and drift of a group-sequential design.

    Parameters
    ----------
    boundary
        Name of a family (`BOUNDARIES`), or a mapping with its `family` and parameters.
    looks
        Number of equally spaced looks (1 is the fixed design), or information rates rising to 1.
    alpha
        Type I error of all sides together, below 0.5 a side.
    power
        Power at the drift that is solved for, in (alpha, 1).
    futility
        A mapping such as `{"family": "beta_spending", "spending": "lan_demets_obrien_fleming",
        "binding": True}`, or none.
    sided
        1, or 2 for symmetric bounds on both sides; power counts the upper side.

    Raises
    ------
    InputError
        With every fault.

    Examples
    --------
    >>> [round(z, 4) for z in group_sequential("pocock", 2).critical]
    [2.1783, 2.1783]
    """
    return solved(
        SequentialPlan.parse(
            {
                "boundary": boundary, "futility": futility, "alpha": alpha, "power": power,
                "sided": sided, "rates": equal_rates(looks) if isinstance(looks, int) else
                tuple(looks),
            }
        )
    )


def equal_rates(looks: int) -> tuple[float, ...]:
    """Equally spaced information rates."""
    return tuple(k / looks for k in range(1, looks + 1))
