"""Options of the `mixture` engine."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from extraction.records import InputError
from generation.engine import Options


class MixtureOptions(Options):
    """Options of the mixture engine; the defaults need no tuning."""

    classes: Annotated[int, Field(ge=1, le=100)] | Literal["auto"] = Field(
        "auto", description="latent classes; auto takes the best held-out likelihood"
    )
    bins: int = Field(24, ge=4, le=100, description="most quantile bins of a numeric column")
    epsilon: float | None = Field(
        None, gt=0, le=100, description="privacy budget of a private fit; None is not private"
    )
    delta: float | None = Field(
        None, gt=0, lt=1, description="failure probability of a private fit; None is 1/(10 n)"
    )
    follow_up_days: float | None = Field(
        None, gt=0, description="planned length of follow-up, which a private fit may not learn"
    )
    noise_seed: int | None = Field(
        None, description="for tests alone: who knows the noise's seed can take the noise off"
    )


def check_options(chosen: MixtureOptions) -> None:
    """Refuse options that would be left out: a delta alone does not make a model private.

    Raises
    ------
    InputError
        For options of a private fit without epsilon, and of the other fit with one.
    """
    plain = chosen.epsilon is None
    unused = ("delta", "follow_up_days", "noise_seed") if plain else ("classes", "bins")
    advice = "without epsilon; give epsilon or" if plain else "with epsilon;"
    default = MixtureOptions.model_fields
    faults = [
        f"engine 'mixture', option {name}: has no effect {advice} leave it out"
        for name in unused if getattr(chosen, name) != default[name].default
    ]
    if faults:
        raise InputError(faults)
