"""The design of a two-arm, group-sequential trial with a continuous endpoint."""

from collections.abc import Mapping
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Annotated, Any, Literal, Self, final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from extraction.records.errors import InputError
from extraction.records.schema import pydantic_faults
from simulation.analysis.estimate import Estimand
from simulation.trial.boundaries import (
    Family,
    GroupSequential,
    group_sequential,
    rate_faults,
    rounded_up,
    sample_size_means,
)

Rate = Annotated[float, Field(ge=0, lt=1)]


class _Plan(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


@final
class Arm(_Plan):
    """One arm of the trial."""

    name: str = Field(min_length=1)
    allocation: int = Field(default=1, ge=1, le=10, description="parts of the randomisation ratio")
    control: bool = False


@final
class ContinuousEndpoint(_Plan):
    """A continuous variable at a visit, or its change from an earlier visit."""

    kind: Literal["continuous"] = "continuous"
    variable: str = Field(min_length=1)
    visit: str = Field(min_length=1)
    change_from: str | None = Field(default=None, description="visit of the baseline value")


@final
class TrialDesign(_Plan):
    """A trial as its protocol would state it.

    The effect is a shift of every treated patient's endpoint against the patient's control twin;
    its sign says which direction is a benefit. The null (shift 0) is always simulated beside it.

    **Estimand.** Patients who leave before the visit have no outcome, here as in most trials, and
    the analysis uses completers. With outcomes missing at random given the covariates in the
    model, it estimates the *hypothetical* effect had nobody left. It does not estimate the
    *treatment-policy* effect, for which outcomes after discontinuation would have to be
    collected. With `dropout: none` the two are the same. `estimand` names the five attributes.

    Raises
    ------
    InputError
        With every fault of the plan.

    Examples
    --------
    >>> design = TrialDesign(
    ...     arms=({"name": "Placebo", "control": True}, {"name": "Active"}),
    ...     endpoint={"variable": "ADAS", "visit": "Week 24"}, n=200, looks=2, effect=-2.0)
    >>> [round(z, 3) for z in design.sequential.critical]
    [2.797, 1.977]
    """

    name: str = "trial"
    arms: tuple[Arm, ...] = Field(description="one control arm and one treated arm")
    endpoint: ContinuousEndpoint
    n: int = Field(ge=4, le=100_000, description="patients randomised at the last look, both arms")
    looks: Annotated[int, Field(ge=1, le=20)] | tuple[float, ...] = Field(
        default=1, description="number of equally spaced looks, or information rates rising to 1"
    )
    boundary: Family = "obrien_fleming"
    alpha: float = Field(default=0.025, gt=0, lt=0.5, description="one-sided type I error")
    analysis: Literal["ancova", "t"] = "ancova"
    covariates: tuple[str, ...] = Field(
        default=(), description="baseline covariates of the ANCOVA: a name, or name@visit"
    )
    dropout: Literal["as_learnt", "none"] | Rate = Field(
        default="as_learnt", description="as the population has it, none, or a share of patients"
    )
    effect: float = Field(description="shift of the endpoint on the treated, in its unit; not 0")
    further_effects: tuple[float, ...] = Field(
        default=(), description="further shifts to simulate with the same patients"
    )
    block_repeats: int = Field(
        default=2, ge=1, le=20, description="length of a randomisation block over the ratio's sum"
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise InputError(pydantic_faults(error, "design", TrialDesign)) from None

    @field_validator("arms")
    @classmethod
    def _two_arms(cls, arms: tuple[Arm, ...]) -> tuple[Arm, ...]:
        if len(arms) != 2 or sum(arm.control for arm in arms) != 1:
            raise ValueError("two arms are needed, one of them with control: true")
        if arms[0].name == arms[1].name:
            raise ValueError("both arms have the same name; names must differ")
        return arms

    @field_validator("looks")
    @classmethod
    def _rising(cls, looks: int | tuple[float, ...]) -> int | tuple[float, ...]:
        faults = [] if isinstance(looks, int) else rate_faults(looks, "information rates")
        if faults:
            raise ValueError(faults[0])
        return looks

    @field_validator("effect")
    @classmethod
    def _some_effect(cls, effect: float) -> float:
        if not abs(effect) > 0:
            raise ValueError(
                "an effect other than 0 is needed: its sign is the benefit's direction"
            )
        return effect

    @field_validator("covariates")
    @classmethod
    def _no_repeats(cls, covariates: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(covariates)) < len(covariates):
            raise ValueError("a covariate is named twice; name each once")
        return covariates

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.analysis == "t" and self.covariates:
            raise ValueError("covariates: a t test takes none; choose analysis: ancova")
        smallest = 2 * (2 + len(self.covariates))
        if self.sizes[0] < smallest:
            raise ValueError(
                f"looks: the first look has {self.sizes[0]} patients; at least {smallest} are "
                "needed for this analysis; raise n or look later"
            )
        return self

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Build a design from a dictionary (as YAML gives it); InputError lists every fault."""
        return cls(**{str(key): value for key, value in values.items()})

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a design from a YAML file.

        Raises
        ------
        InputError
            If the file is missing, is not YAML, or the plan has faults.
        """
        name = Path(path).name
        try:
            values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"{name}: there is no such file; check the path") from None
        except (yaml.YAMLError, UnicodeDecodeError):
            raise InputError(f"{name}: it cannot be read as YAML; check its form") from None
        if not isinstance(values, dict):
            raise InputError(
                f"{name}: must be a mapping of names to values; see examples/design.yaml"
            )
        try:
            return cls.parse(values)
        except InputError as error:
            raise InputError(f"{name}: {fault}" for fault in error.faults) from None

    @property
    def control(self) -> Arm:
        """The control arm."""
        return next(arm for arm in self.arms if arm.control)

    @property
    def treated(self) -> Arm:
        """The treated arm."""
        return next(arm for arm in self.arms if not arm.control)

    @cached_property
    def sequential(self) -> GroupSequential:
        """Boundary of the looks."""
        return group_sequential(self.boundary, self.looks, self.alpha, power=0.9)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Patients at each look: those whose visit is due, whether they come or have left."""
        return tuple(ceil(rate * self.n - 1e-9) for rate in self.sequential.rates)

    @cached_property
    def effects(self) -> tuple[float, ...]:
        """Shifts that are simulated: 0, the assumed one, further ones, each once."""
        return tuple(dict.fromkeys((0.0, self.effect, *self.further_effects)))

    @property
    def estimand(self) -> Estimand:
        """The question that the analysis answers, by the five attributes of ICH E9(R1)."""
        change = f", change from {self.endpoint.change_from}" if self.endpoint.change_from else ""
        return Estimand(
            population="patients as drawn from the simulated population",
            treatment=f"{self.treated.name} against {self.control.name}",
            variable=f"{self.endpoint.variable} at {self.endpoint.visit}{change}",
            intercurrent_events={
                "discontinuation": "treatment policy" if self.dropout == "none" else "hypothetical"
            },
            summary="difference in means",
        )

    def required_size(self, sd: float, r_squared: float = 0.0, power: float = 0.9) -> int:
        """Patients to randomise for a power, by formula.

        The fixed t-test size is multiplied by (1 - r_squared), by the inflation of the looks, and
        divided by the share of completers where `dropout` is a number.

        Parameters
        ----------
        sd
            Standard deviation of the endpoint, in its unit.
        r_squared
            Share of variance that the covariates explain; plan with its lower confidence limit.
        power
            Power at `effect`.

        Raises
        ------
        InputError
            If an argument is out of range.
        """
        if not (sd > 0 and 0 <= r_squared < 1):
            raise InputError("required_size: sd must exceed 0 and r_squared lie in [0, 1)")
        residual = sd * (1 - r_squared) ** 0.5
        ratio = sum(arm.allocation for arm in self.arms)
        share = self.treated.allocation / ratio
        fixed = sample_size_means(abs(self.effect) / residual, self.alpha, power, share)
        plan = group_sequential(self.boundary, self.looks, self.alpha, power)
        lost = self.dropout if isinstance(self.dropout, float) else 0.0
        return rounded_up(fixed * plan.inflation / (1 - lost), ratio)
