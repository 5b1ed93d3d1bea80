"""How patients come into the trial: a ramp of arrivals, or sites that open and fill up."""

from typing import Literal, Self, final

from pydantic import Field, field_validator, model_validator

from simulation.trial.plan import Name, NotNegative, Plan, Positive


@final
class Step(Plan):
    """From a time on, so many patients are screened for each unit of time."""

    start: NotNegative = Field(default=0.0, description="since the first site opened")
    rate: NotNegative = Field(description="patients screened for each unit of time")


@final
class Site(Plan):
    """One site: when it opens, how fast it screens, how many it may randomise."""

    name: Name
    opens: NotNegative = 0.0
    rate: Positive = Field(description="patients screened for each unit of time")
    cap: int | None = Field(default=None, ge=1, description="most patients that it may screen")


@final
class Enrolment(Plan):
    """Arrival of candidates; those who are eligible are randomised until the trial is full.

    Give one of `ramp`, `sites` or `duration`; nothing at all means that everybody is there at
    once. Rates count screened candidates, so that narrower eligibility lengthens recruitment.
    """

    process: Literal["poisson", "even"] = Field(
        default="poisson", description="gaps drawn at random, or equal"
    )
    ramp: tuple[Step, ...] = Field(default=(), description="piecewise constant screening rate")
    sites: tuple[Site, ...] = Field(default=(), max_length=2000)
    duration: Positive | None = Field(
        default=None, description="all arrive uniformly within this time"
    )
    longest: Positive | None = Field(
        default=None, description="recruitment is closed at this time, full or not"
    )

    @field_validator("ramp")
    @classmethod
    def _rising(cls, ramp: tuple[Step, ...]) -> tuple[Step, ...]:
        starts = [step.start for step in ramp]
        if starts != sorted(set(starts)) or (starts and starts[0] != 0):
            raise ValueError("starts must rise from 0, each once")
        return ramp

    @field_validator("sites")
    @classmethod
    def _differing(cls, sites: tuple[Site, ...]) -> tuple[Site, ...]:
        names = [site.name for site in sites]
        if len(set(names)) < len(names):
            raise ValueError("a name stands twice; names must differ")
        return sites

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [bool(self.ramp), bool(self.sites), self.duration is not None]
        if sum(given) > 1:
            raise ValueError("give one of ramp, sites and duration, not several")
        if self.ramp and self.ramp[-1].rate == 0 and self.longest is None:
            raise ValueError("ramp: the last rate is 0, so nobody ever comes; raise it")
        return self

    @property
    def at_once(self) -> bool:
        """Whether everybody is there at time 0."""
        return not (self.ramp or self.sites or self.duration)
