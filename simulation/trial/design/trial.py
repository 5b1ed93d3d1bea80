"""A trial as its protocol would state it."""

from functools import cached_property
from math import ceil
from typing import Any, ClassVar, Literal, Self, final

from pydantic import Field, ValidationError, model_validator

from simulation.analysis.estimate import Estimand
from simulation.trial.analyses import DEFAULTS
from simulation.trial.analyses import Choice as AnalysisChoice
from simulation.trial.design.arms import Arm
from simulation.trial.design.checks import bound_faults
from simulation.trial.design.coherence import CHECKS
from simulation.trial.design.competing import summary_of
from simulation.trial.design.costs import Costs
from simulation.trial.design.discontinuation import Discontinuation
from simulation.trial.design.dropout import AsLearnt, Dropout
from simulation.trial.design.enrolment import Enrolment
from simulation.trial.design.external import ExternalControls
from simulation.trial.design.lacking import CHECKS as LACKING
from simulation.trial.design.lacking import covariates_alone
from simulation.trial.design.partial import checked, salvaged
from simulation.trial.design.scenarios import NO_EFFECT, Scenario
from simulation.trial.design.sources import Source
from simulation.trial.outcomes import Endpoint
from simulation.trial.outcomes.base import Strategies
from simulation.trial.plan import Filed, Name, Plan
from simulation.trial.population.base import Population
from simulation.trial.rules import Choice as RuleChoice
from simulation.trial.rules.group_sequential import Fixed


@final
class Subgroup(Plan):
    """Patients who meet a condition on the baseline."""

    name: Name
    where: dict[str, Any] = Field(min_length=1)


@final
class Hypothesis(Plan):
    """A null hypothesis: an arm is no better than control on an endpoint."""

    endpoint: Name
    arm: Name | None = Field(default=None, description="none: each treated arm")
    analysis: AnalysisChoice | None = Field(default=None, description="none: the endpoint's usual")
    share: float = Field(default=1.0, gt=0, le=1, description="share of alpha")
    subgroup: Subgroup | None = Field(default=None, description="whom it is about; none: all")


@final
class Tested(Plan):
    """A hypothesis with everything filled in."""

    name: str
    endpoint: Any
    arm: int
    analysis: Any
    share: float
    subgroup: Subgroup | None = None


@final
class TrialDesign(Filed):
    """A trial: arms, patients, endpoints, looks, decisions, and what may be true.

    The null (no effect) is always simulated beside the scenarios, on the same patients.

    Raises
    ------
    InputError
        With every fault of the design.

    Examples
    --------
    >>> design = TrialDesign(
    ...     arms=({"name": "Placebo", "control": True}, {"name": "Active"}),
    ...     endpoints=({"kind": "continuous", "name": "ADAS", "higher_is_better": False},),
    ...     n=200, rule={"kind": "group_sequential", "looks": {"number": 2}},
    ...     scenarios=({"name": "planned", "effects": (
    ...         {"arm": "Active", "endpoint": "ADAS", "shift": -2.0},)},))
    >>> [round(z, 3) for z in design.rule.critical(design.rule.alpha)]
    [2.797, 1.977]
    """

    EXAMPLE: ClassVar[str] = "examples/design.yaml"

    name: Name = "trial"
    time_unit: Literal["day", "week", "month", "year"] = "day"
    arms: tuple[Arm, ...]
    n: int = Field(ge=4, le=1_000_000, description="patients randomised, all arms together")
    population: Source | None = Field(
        default=None, description="who the patients are; none: given when it is simulated"
    )
    eligibility: dict[str, Any] | None = Field(
        default=None, description="condition on the baseline; none: everybody"
    )
    enrolment: Enrolment = Enrolment()
    endpoints: tuple[Endpoint, ...] = Field(min_length=1, max_length=20)
    external_controls: ExternalControls | None = Field(
        default=None, description="patients who were not randomised; none: nobody else"
    )
    dropout: Dropout = AsLearnt()
    discontinuation: Discontinuation | None = Field(
        default=None, description="stopping of treatment; none: nobody stops"
    )
    intercurrent_events: Strategies = Field(
        default={"discontinuation": "hypothetical"}, description="strategy of each, ICH E9(R1)"
    )
    strata: tuple[Name, ...] = Field(default=(), description="categories that randomisation holds")
    block: int = Field(default=2, ge=1, le=50, description="length of a block over the ratio's sum")
    hypotheses: tuple[Hypothesis, ...] = Field(
        default=(), description="what is tested; none: the first endpoint, all treated arms"
    )
    rule: RuleChoice = Fixed()
    costs: Costs | None = Field(default=None, description="amounts; none: no cost is told")
    scenarios: tuple[Scenario, ...] = ()

    @classmethod
    def _where(cls) -> str:
        return "design"

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        faults, _ = checked(CHECKS, (), self)
        if faults:
            raise ValueError("\n".join(faults))
        return self

    @classmethod
    def _faults(cls, values: dict[str, Any], error: ValidationError) -> list[str]:
        """Beside faults of fields those of all that can be judged without them."""
        held, at_fault = salvaged(cls, values, error, lists=("scenarios",))
        told, at_fault = checked(CHECKS, at_fault, held)
        told += bound_faults(values.get("rule"))
        population = getattr(held, "population", None)
        if population is None:
            population = covariates_alone(values.get("population"))
            at_fault = {place for place in at_fault if place[0] != "population"}
            at_fault |= {("population", "outcomes")}
        if isinstance(population, Population):
            told += checked(LACKING, at_fault, held, population)[0]
        return super()._faults(values, error) + told

    @property
    def enrolments(self) -> dict[str, Enrolment]:
        """Enrolment of the design and of scenarios with one of their own, by place."""
        own = {f"scenarios.{s.name}.enrolment": s.enrolment for s in self.scenarios}
        return {"enrolment": self.enrolment} | {k: v for k, v in own.items() if v is not None}

    @property
    def leaving_laws(self) -> dict[str, Any]:
        """Laws of dropout and of stopping, of the design and of scenarios, by place."""
        laws: dict[str, Any] = {}
        own: dict[str, TrialDesign | Scenario] = {f"scenarios.{s.name}.": s for s in self.scenarios}
        for where, held in {"": self, **own}.items():
            laws[f"{where}dropout"] = held.dropout
            if held.discontinuation is not None:
                laws[f"{where}discontinuation.when"] = held.discontinuation.when
        return laws

    @property
    def control(self) -> Arm:
        """The control arm."""
        return next(arm for arm in self.arms if arm.control)

    @cached_property
    def control_number(self) -> int:
        """Number of the control arm."""
        return self.arms.index(self.control)

    @cached_property
    def tested(self) -> tuple[Tested, ...]:
        """Hypotheses, each with its endpoint, arm and analysis."""
        given = self.hypotheses or (Hypothesis(endpoint=self.endpoints[0].name),)
        out = []
        for held in given:
            endpoint = next(e for e in self.endpoints if e.name == held.endpoint)
            analysis = held.analysis or DEFAULTS[endpoint.kind]
            arms = [
                k
                for k, arm in enumerate(self.arms)
                if (self.rule.every_arm or not arm.control) and held.arm in (None, arm.name)
            ]
            share = held.share
            out += [
                Tested(
                    name=f"{self.arms[k].name}: {endpoint.name}"
                    + ("" if held.subgroup is None else f" in {held.subgroup.name}"),
                    endpoint=endpoint,
                    arm=k,
                    analysis=analysis,
                    share=share / (len(arms) if held.arm is None else 1),
                    subgroup=held.subgroup,
                )
                for k in arms
            ]
        return tuple(out)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Patients whose outcome is due at each look, for looks by patients."""
        looks = self.rule.looks
        if looks.at is not None and looks.by == "patients":
            return tuple(ceil(at - 1e-9) for at in looks.at)
        return tuple(ceil(rate * self.n - 1e-9) for rate in looks.rates)

    @cached_property
    def truths(self) -> tuple[Scenario, ...]:
        """Scenarios that are simulated: no effect first, then the others."""
        others = tuple(s for s in self.scenarios if s.name != NO_EFFECT)
        return (Scenario(name=NO_EFFECT), *others)

    def describe(self) -> list[str]:
        """The design in plain language; `telling.tell` gives it by topic."""
        from simulation.trial.design.telling import tell

        return [sentence for sentences in tell(self).values() for sentence in sentences]

    def strategies(self, endpoint: Any) -> dict[str, str]:
        """Strategy of each intercurrent event for an endpoint of the design."""
        own: dict[str, str] = endpoint.intercurrent_events
        return self.intercurrent_events | own

    def estimand(self, tested: Tested) -> Estimand:
        """The question of a hypothesis, by the five attributes of ICH E9(R1)."""
        return Estimand(
            population="patients as drawn from the simulated population"
            + ("" if tested.subgroup is None else f", {tested.subgroup.name}"),
            treatment=f"{self.arms[tested.arm].name} against "
            + ("all other arms" if self.rule.every_arm else self.control.name),
            variable=tested.endpoint.name,
            intercurrent_events=self.strategies(tested.endpoint),
            summary=summary_of(tested.analysis, tested.endpoint),
        )
