"""What has been spent on a cohort over all releases, and a budget that is not overdrawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from extraction.records import InputError, RefusedError
from generation.privacy.accountant import ORDERS, epsilon_of

Composition = Literal["basic", "advanced", "renyi"]


class Release(BaseModel):
    """One thing released about a cohort.

    ``renyi`` is its curve at the accountant's orders; without one, only the compositions that
    need none can count it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    mechanism: str = Field(min_length=1, description="how noise was added")
    what: str = Field(min_length=1, description="what was released")
    epsilon: float = Field(gt=0, allow_inf_nan=False)
    delta: float = Field(ge=0, lt=1)
    renyi: tuple[float, ...] | None = None


class PrivacyLedger(BaseModel):
    """Releases about one cohort, and the most that may be spent on it.

    Unit: one patient added to or removed from the cohort, with all of that patient's rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    epsilon_budget: float | None = Field(default=None, gt=0)
    delta_budget: float = Field(default=1e-5, gt=0, lt=1)
    releases: tuple[Release, ...] = ()
    noise_seeded: bool = Field(
        False, description="the noise came from a fixed seed, which voids the claim of privacy"
    )

    def total(self, delta: float | None = None, composition: Composition | None = None) -> float:
        """Epsilon of all releases together at a delta.

        Parameters
        ----------
        delta
            Whole failure probability; the budget's where None.
        composition
            ``basic`` adds epsilons and deltas; ``advanced`` is the k-fold bound of Kairouz, Oh
            and Viswanath (2015, "The composition theorem for differential privacy", theorem
            3.5); ``renyi`` adds curves. None takes the smallest that holds: each of them is a
            true bound.

        Returns
        -------
        float
            Infinite where a composition cannot hold at this delta.
        """
        delta = self.delta_budget if delta is None else delta
        if composition is not None:
            return self._bounds()[composition](delta)
        return min(bound(delta) for bound in self._bounds().values())

    def _bounds(self) -> Mapping[Composition, Callable[[float], float]]:
        return {"basic": self._basic, "advanced": self._advanced, "renyi": self._renyi}

    def _basic(self, delta: float) -> float:
        if not self.releases:
            return 0.0
        spent = sum(release.delta for release in self.releases)
        return sum(r.epsilon for r in self.releases) if spent <= delta * (1 + 1e-9) else np.inf

    def _advanced(self, delta: float) -> float:
        """Heterogeneous advanced composition; the slack is what the releases leave of delta."""
        if not self.releases:
            return 0.0
        kept = np.prod([1 - release.delta for release in self.releases])
        slack = 1 - (1 - delta) / float(kept)
        if slack <= 0:
            return np.inf
        each = np.array([release.epsilon for release in self.releases])
        drift = float(np.sum(each * np.tanh(each / 2)))
        squares = float(np.sum(each**2))
        return float(drift + np.sqrt(2 * squares * np.log(1 / slack)))

    def _renyi(self, delta: float) -> float:
        if not self.releases:
            return 0.0
        curves = [release.renyi for release in self.releases]
        if any(curve is None or len(curve) != len(ORDERS) for curve in curves):
            return np.inf
        return epsilon_of(np.sum(np.asarray(curves, dtype=np.float64), axis=0).tolist(), delta)

    def spend(self, release: Release) -> PrivacyLedger:
        """The ledger with one more release.

        Raises
        ------
        RefusedError
            If the budget would be overdrawn; nothing is spent then.
        """
        after = self.model_copy(update={"releases": (*self.releases, release)})
        total = after.total()
        if self.epsilon_budget is not None and total > self.epsilon_budget * (1 + 1e-6):
            raise RefusedError(
                f"privacy: this release would bring the total to epsilon {total:.3g} at delta "
                f"{self.delta_budget:g}; the budget is {self.epsilon_budget:g}, of which "
                f"{self.total():.3g} is spent; ask for a smaller epsilon, or reuse what was "
                "released before"
            )
        return after

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form, read back by :meth:`from_dict`."""
        return self.model_dump(mode="json")

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> PrivacyLedger:
        """Read what :meth:`to_dict` wrote.

        Raises
        ------
        InputError
            If it is no ledger.
        """
        try:
            return cls.model_validate(dict(saved))
        except ValueError:
            raise InputError(
                "privacy ledger: not readable; give the dictionary of PrivacyLedger.to_dict"
            ) from None
