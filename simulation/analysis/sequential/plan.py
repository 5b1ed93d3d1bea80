"""A group-sequential design as data, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, Self, final

import numpy as np
from pydantic import Field, ValidationError, model_validator

from extraction.records.errors import InputError
from extraction.records.schema import pydantic_faults
from simulation.analysis.sequential.families import (
    BetaSpending,
    Boundary,
    Config,
    CustomSpending,
    Futility,
    OBrienFleming,
    Spending,
)

CLOSEST: Final = 0.005
"""Smallest step between planned information rates."""
_TINY: Final = 1e-12


def rate_faults(rates: Sequence[float], where: str) -> list[str]:
    """Say what is wrong with information rates."""
    steps = np.diff([0.0, *rates])
    if len(rates) and np.all(steps >= CLOSEST - _TINY) and abs(rates[-1] - 1) < _TINY:
        return []
    return [
        f"{where}: {list(rates)} came; rates must rise to 1 by steps of at least {CLOSEST}; "
        "give for example [0.5, 1.0]"
    ]


@final
class SequentialPlan(Config):
    """What a group-sequential design should be.

    Examples
    --------
    >>> plan = SequentialPlan.parse({"boundary": {"family": "kim_demets", "rho": 2},
    ...     "futility": {"family": "beta_spending", "spending": "lan_demets_pocock"},
    ...     "rates": [0.4, 0.7, 1.0]})
    >>> plan.boundary.rho
    2.0
    """

    boundary: Boundary = OBrienFleming()
    futility: Futility | None = None
    rates: tuple[float, ...] = Field(
        default=(1.0,), min_length=1, max_length=20, description="information rates, rising to 1"
    )
    alpha: float = Field(default=0.025, gt=0, description="type I error, of all sides together")
    power: float = Field(default=0.9, lt=1, description="power at the design's drift")
    sided: Literal[1, 2] = Field(default=1, description="two-sided boundaries are symmetric")

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        faults = rate_faults(self.rates, "rates") + self._error_faults() + self._custom_faults()
        faults += self._futility_faults()
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def _error_faults(self) -> list[str]:
        faults = []
        if not self.alpha / self.sided < 0.5:
            faults.append(f"alpha: {self.alpha} came; the level of one side lies in (0, 0.5)")
        if not self.alpha < self.power:
            faults.append(f"power: {self.power} came; it must lie between alpha and 1")
        return faults

    def _custom_faults(self) -> list[str]:
        looks, faults = len(self.rates), []
        beta = self.futility.spending if isinstance(self.futility, BetaSpending) else None
        for where, spending in (("boundary", self.boundary), ("futility.spending", beta)):
            if not isinstance(spending, CustomSpending) or spending.at is not None:
                continue
            if len(spending.cumulative) != looks:
                faults.append(
                    f"{where}.cumulative: {len(spending.cumulative)} shares came for {looks} looks;"
                    " give one for each look, or their rates in `at`"
                )
        return faults

    def _futility_faults(self) -> list[str]:
        if self.futility is None:
            return []
        faults = []
        if self.sided == 2:
            faults.append("futility: two-sided designs take none; use sided 1 or leave it out")
        if isinstance(self.futility, BetaSpending):
            if self.futility.binding and not isinstance(self.boundary, Spending):
                faults.append(
                    f"futility.binding: {self.boundary.family} spends no alpha step by step; "
                    "choose a spending boundary, or futility that does not bind"
                )
        elif len(self.futility.bounds) != len(self.rates) - 1:
            faults.append(
                f"futility.bounds: {len(self.futility.bounds)} came for {len(self.rates)} looks; "
                "give one for each interim look"
            )
        return faults

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Build a plan; InputError lists every fault."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise InputError(pydantic_faults(error, "group-sequential design", cls)) from None

    @property
    def looks(self) -> int:
        """Number of looks."""
        return len(self.rates)

    def resolved(self, spending: Spending) -> Spending:
        """A spending function with the rates of the looks, where it asks for them."""
        if isinstance(spending, CustomSpending) and spending.at is None:
            return CustomSpending(cumulative=spending.cumulative, at=self.rates)
        return spending
