"""Who leaves the trial, and when: completely at random, by baseline, or by what is not seen."""

from typing import Annotated, Literal, final

from pydantic import Field

from simulation.trial.plan import Finite, Name, NotNegative, Plan, Positive, Share


@final
class AsLearnt(Plan):
    """As the population has it."""

    kind: Literal["as_learnt"] = "as_learnt"


@final
class NoDropout(Plan):
    """Everybody stays."""

    kind: Literal["none"] = "none"


@final
class ShareDropout(Plan):
    """A share of patients leaves by a time, uniformly before it, completely at random (MCAR)."""

    kind: Literal["share"] = "share"
    share: Share
    by: Positive | None = Field(default=None, description="none: by the last visit or follow-up")
    arms: dict[Name, Share] = Field(default_factory=dict, description="shares of single arms")


@final
class HazardDropout(Plan):
    """Exponential leaving times; the hazard may depend on baseline (MAR) or on outcomes (MNAR).

    `log_hazard_ratios` are for each unit of a baseline number or for a category (`name=level`).
    `log_hazard_ratio_of_outcome` is for each standard deviation of the patient's own outcome at
    the deciding visit, which is not seen when he leaves: missing not at random. It counts from the
    mean of the eligible under control, in their standard deviations.
    """

    kind: Literal["hazard"] = "hazard"
    rate: NotNegative = Field(description="for each unit of time")
    arms: dict[Name, NotNegative] = Field(default_factory=dict, description="rates of single arms")
    log_hazard_ratios: dict[str, Finite] = Field(default_factory=dict)
    log_hazard_ratio_of_outcome: Finite = 0.0


Dropout = Annotated[
    AsLearnt | NoDropout | ShareDropout | HazardDropout, Field(discriminator="kind")
]
