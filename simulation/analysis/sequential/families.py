"""Shapes of boundaries and of error spending, as data with the tag `family`.

A spending function says how much of an error (alpha or beta) may be used up by information t. A
shape says how critical values relate to each other.

Sources: O'Brien and Fleming (1979), doi 10.2307/2530245; Pocock (1977),
doi 10.1093/biomet/64.2.191; Wang and Tsiatis (1987), doi 10.2307/2531959; Haybittle (1971),
doi 10.1259/0007-1285-44-526-793; Lan and DeMets (1983), doi 10.1093/biomet/70.3.659; Hwang, Shih
and De Cani (1990), doi 10.1002/sim.4780091207; Kim and DeMets (1987), doi 10.1093/biomet/74.1.149.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Any, Literal, Self, final

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from scipy.special import ndtr, ndtri

from simulation.analysis.sequential.quadrature import Floats

FiniteZ = Annotated[float, Field(ge=-20, le=20)]
OpenShare = Annotated[float, Field(gt=0, lt=1)]


class Config(BaseModel):
    """A part of a design, as YAML gives it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Spending(Config, ABC):
    """An error-spending function."""

    family: str

    @abstractmethod
    def spent(self, rates: Floats, error: float, sides: int = 1) -> Floats:
        """Error used up by each information rate (any shape, in [0, 1]; all of it at 1)."""


@final
class LanDeMetsOBrienFleming(Spending):
    """2 - 2 Phi(z(1 - error/2) / sqrt(t)) for each side: next to nothing early."""

    family: Literal["lan_demets_obrien_fleming"] = "lan_demets_obrien_fleming"

    def spent(self, rates: Floats, error: float, sides: int = 1) -> Floats:
        """Error used up."""
        with np.errstate(divide="ignore"):
            z = -ndtri(error / (2 * sides)) / np.sqrt(rates)
        return np.asarray(2 * sides * ndtr(-z))


@final
class LanDeMetsPocock(Spending):
    """Error times log(1 + (e - 1) t)."""

    family: Literal["lan_demets_pocock"] = "lan_demets_pocock"

    def spent(self, rates: Floats, error: float, sides: int = 1) -> Floats:
        """Error used up."""
        return np.asarray(error * np.log1p((np.e - 1) * rates))


@final
class HwangShihDeCani(Spending):
    """Error times (1 - exp(-gamma t)) / (1 - exp(-gamma)): late if gamma < 0, early if above."""

    family: Literal["hwang_shih_decani"] = "hwang_shih_decani"
    gamma: float = Field(default=-4.0, ge=-40, le=40)

    def spent(self, rates: Floats, error: float, sides: int = 1) -> Floats:
        """Error used up."""
        if abs(self.gamma) < 1e-9:
            return error * rates
        return np.asarray(error * np.expm1(-self.gamma * rates) / np.expm1(-self.gamma))


@final
class KimDeMets(Spending):
    """Error times t to the power rho."""

    family: Literal["kim_demets"] = "kim_demets"
    rho: float = Field(default=3.0, gt=0, le=50)

    def spent(self, rates: Floats, error: float, sides: int = 1) -> Floats:
        """Error used up."""
        return np.asarray(error * rates**self.rho)


@final
class CustomSpending(Spending):
    """Cumulative shares of the error at given rates, with straight lines between them.

    Without `at` the shares belong to the looks of the design, in order; the rates of the looks are
    then put in by the design.
    """

    family: Literal["custom_spending"] = "custom_spending"
    cumulative: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(
        min_length=1, max_length=20, description="shares of the error used up, rising to 1"
    )
    at: tuple[Annotated[float, Field(gt=0, le=1)], ...] | None = Field(
        default=None, description="information rates of the shares; none: those of the looks"
    )

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if list(self.cumulative) != sorted(self.cumulative) or self.cumulative[-1] != 1:
            raise ValueError("cumulative: shares of the error must rise to 1")
        if self.at is not None:
            if len(self.at) != len(self.cumulative):
                raise ValueError("at: one rate for each share")
            if list(self.at) != sorted(set(self.at)) or self.at[-1] != 1:
                raise ValueError("at: rates must rise to 1")
        return self

    def spent(self, rates: Floats, error: float, sides: int = 1) -> Floats:
        """Error used up; needs `at`."""
        at = self.at or tuple((k + 1) / len(self.cumulative) for k in range(len(self.cumulative)))
        return np.asarray(error * np.interp(rates, (0.0, *at), (0.0, *self.cumulative)))


class Shape(Config, ABC):
    """Critical values in a fixed relation, multiplied up until the level is kept."""

    family: str

    @abstractmethod
    def shape(self, rates: Floats) -> Floats:
        """Relation of the critical values at the rates."""


@final
class WangTsiatis(Shape):
    """Critical value c t^(delta - 1/2): O'Brien-Fleming at delta 0, Pocock at 1/2."""

    family: Literal["wang_tsiatis"] = "wang_tsiatis"
    delta: float = Field(default=0.25, ge=-1, le=1)

    def shape(self, rates: Floats) -> Floats:
        """Power of the rates."""
        return np.asarray(rates ** (self.delta - 0.5))


@final
class OBrienFleming(Shape):
    """Critical value c / sqrt(t): hard to cross early."""

    family: Literal["obrien_fleming"] = "obrien_fleming"

    def shape(self, rates: Floats) -> Floats:
        """Inverse root of the rates."""
        return np.asarray(rates**-0.5)


@final
class Pocock(Shape):
    """The same critical value at every look."""

    family: Literal["pocock"] = "pocock"

    def shape(self, rates: Floats) -> Floats:
        """Ones."""
        return np.ones_like(rates)


@final
class HaybittlePeto(Config):
    """A constant critical value at interim looks; the last one uses up what is left."""

    family: Literal["haybittle_peto"] = "haybittle_peto"
    interim: float = Field(default=3.0, gt=0, le=10, description="critical z of interim looks")


@final
class GivenFutility(Config):
    """Stop for futility where Z falls to a bound, one for each interim look."""

    family: Literal["z"] = "z"
    bounds: tuple[FiniteZ, ...] = Field(min_length=1, max_length=19)
    binding: bool = Field(default=False, description="whether the level counts on stopping")


@final
class ConditionalPowerFutility(Config):
    """Stop for futility where the conditional power at the planned drift is this low."""

    family: Literal["conditional_power"] = "conditional_power"
    bounds: tuple[OpenShare, ...] = Field(min_length=1, max_length=19)
    binding: bool = Field(default=False, description="whether the level counts on stopping")


def _named(value: Any) -> Any:
    """Let a bare name stand for a family with its usual parameters."""
    return {"family": value} if isinstance(value, str) else value


AnySpending = Annotated[
    LanDeMetsOBrienFleming | LanDeMetsPocock | HwangShihDeCani | KimDeMets | CustomSpending,
    Field(discriminator="family"),
    BeforeValidator(_named),
]


@final
class BetaSpending(Config):
    """Spend the type II error at the planned drift, by a spending function."""

    family: Literal["beta_spending"] = "beta_spending"
    spending: AnySpending = LanDeMetsOBrienFleming()
    binding: bool = Field(default=False, description="whether the level counts on stopping")


Boundary = Annotated[
    OBrienFleming | Pocock | WangTsiatis | HaybittlePeto | LanDeMetsOBrienFleming
    | LanDeMetsPocock | HwangShihDeCani | KimDeMets | CustomSpending,
    Field(discriminator="family"),
    BeforeValidator(_named),
]
"""Efficacy boundary of a design; a bare name stands for the family's usual parameters."""

Futility = Annotated[
    BetaSpending | GivenFutility | ConditionalPowerFutility,
    Field(discriminator="family"),
    BeforeValidator(_named),
]
"""Futility boundary of a design."""

BOUNDARIES = (
    "obrien_fleming", "pocock", "wang_tsiatis", "haybittle_peto", "lan_demets_obrien_fleming",
    "lan_demets_pocock", "hwang_shih_decani", "kim_demets", "custom_spending",
)
