"""The statistical analysis plan of a trial, as data."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, final

from pydantic import Field, ValidationError, model_validator

from extraction.records.errors import Faults, nearest
from simulation.analysis.estimate import Estimand
from simulation.trial.analyses import DEFAULTS
from simulation.trial.analyses import Choice as AnalysisChoice
from simulation.trial.design.competing import summary_of
from simulation.trial.design.partial import checked, salvaged
from simulation.trial.plan import Filed, Name, Plan
from simulation.trial.planned.censoring import CensoringWeights
from simulation.trial.planned.coherence import CHECKS
from simulation.trial.planned.endpoints import Endpoint, condition_faults
from simulation.trial.planned.external import ExternalControls
from simulation.trial.planned.parts import MissingData, Multiplicity, Patients, Score, Subgroup

if TYPE_CHECKING:
    from extraction.records import Cohort, CohortSchema

Role = Literal["primary", "secondary", "sensitivity", "exploratory"]
TESTED: tuple[Role, ...] = ("primary", "secondary")


@final
class PlannedAnalysis(Plan):
    """One analysis of one endpoint, for one treated arm or for each."""

    name: Name
    endpoint: Name
    role: Role = Field(description="primary and secondary are tested, the rest supports")
    arm: Name | None = Field(default=None, description="none: each treated arm")
    analysis: AnalysisChoice | None = Field(default=None, description="none: the endpoint's usual")
    censoring_weights: CensoringWeights | None = Field(
        default=None, description="inverse probabilities of censoring or dropout"
    )


@final
class Question(Plan):
    """An analysis for one treated arm, with everything filled in."""

    id: str
    planned: str
    name: str
    role: Role
    endpoint: Any
    arm: str
    arm_number: int
    analysis: Any
    censoring: Any = None

    @property
    def baseline(self) -> tuple[str, ...]:
        """Covariates of the analysis and of its weights, each once."""
        more = () if self.censoring is None else self.censoring.covariates
        return tuple(dict.fromkeys((*self.analysis.covariates, *more)))

    @property
    def tested(self) -> bool:
        """Whether it decides something."""
        return self.role in TESTED


@final
class AnalysisPlan(Filed):
    """What will be estimated and decided, fixed before outcomes are read.

    Raises
    ------
    InputError
        With every fault of the plan.

    Examples
    --------
    >>> plan = AnalysisPlan(
    ...     study="ACTG320", treated=("IDV + ZDV + 3TC",), control="ZDV + 3TC",
    ...     endpoints=({"kind": "time_to_event", "name": "aids",
    ...                 "intercurrent_events": {"discontinuation": "treatment policy"}},),
    ...     analyses=({"name": "primary", "endpoint": "aids", "role": "primary",
    ...                "analysis": {"kind": "cox", "strata": ["strat2"]}},))
    >>> [question.id for question in plan.questions]
    ['primary']
    """

    EXAMPLE: ClassVar[str] = "examples/analysis-plan.yaml"

    study: Name = Field(description="study_id of the cohort")
    title: str = ""
    time_unit: Literal["day", "week", "month", "year"] = "day"
    treated: tuple[Name, ...] = Field(min_length=1, max_length=10)
    control: Name
    patients: Patients = Patients()
    endpoints: tuple[Endpoint, ...] = Field(min_length=1, max_length=20)
    analyses: tuple[PlannedAnalysis, ...] = Field(min_length=1, max_length=60)
    covariates: tuple[Name, ...] = Field(default=(), description="of analyses that name none")
    strata: tuple[Name, ...] = Field(default=(), description="of analyses that name none")
    scores: tuple[Score, ...] = Field(
        default=(), max_length=10, description="locked on other trials; then covariates by name"
    )
    alpha: float = Field(default=0.05, gt=0, lt=0.5, description="for all tested hypotheses")
    sides: Literal[1, 2] = 2
    multiplicity: Multiplicity | None = Field(
        default=None, description="needed where more than one hypothesis is tested"
    )
    subgroups: tuple[Subgroup, ...] = Field(default=(), description="of the primary analyses")
    missing_data: tuple[MissingData, ...] = Field(
        default=(), max_length=10, description="what if values are not missing at random"
    )
    external_controls: ExternalControls | None = Field(
        default=None, description="of another cohort, borrowed where limits hold"
    )

    @classmethod
    def _where(cls) -> str:
        return "plan"

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        faults, _ = checked(CHECKS, (), self)
        if faults:
            raise ValueError("\n".join(faults))
        return self

    @classmethod
    def _faults(cls, values: dict[str, Any], error: ValidationError) -> list[str]:
        """Beside faults of fields those of all that can be judged without them."""
        held, at_fault = salvaged(cls, values, error)
        return super()._faults(values, error) + checked(CHECKS, at_fault, held)[0]

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms by number: the control is 0."""
        return (self.control, *self.treated)

    @cached_property
    def questions(self) -> tuple[Question, ...]:
        """Analyses by treated arm, in the plan's order."""
        endpoints = {endpoint.name: endpoint for endpoint in self.endpoints}
        out = []
        for held in self.analyses:
            endpoint = endpoints[held.endpoint]
            arms = self.treated if held.arm is None else (held.arm,)
            for arm in arms:
                several = f": {arm}" if len(arms) > 1 else ""
                out.append(
                    Question(
                        id=_slug(held.name + several),
                        planned=held.name,
                        name=held.name + several,
                        role=held.role,
                        endpoint=endpoint,
                        arm=arm,
                        arm_number=self.arms.index(arm),
                        analysis=self._filled(held.analysis or DEFAULTS[endpoint.kind]),
                        censoring=held.censoring_weights,
                    )
                )
        return tuple(out)

    def _filled(self, analysis: Any) -> Any:
        """An analysis with the plan's covariates and strata where it uses and names none."""
        given = {
            name: getattr(self, name)
            for name in analysis.uses
            if name not in analysis.model_fields_set and getattr(self, name)
        }
        return analysis.model_copy(update=given)

    def estimand(self, question: Question) -> Estimand:
        """The question by the five attributes of ICH E9(R1)."""
        return Estimand(
            population=self.patients.words,
            treatment=f"{question.arm} against {self.control}",
            variable=question.endpoint.words,
            intercurrent_events=question.endpoint.intercurrent_events,
            summary=summary_of(question.analysis, question.endpoint),
        )

    @property
    def trial_arms(self) -> tuple[str, ...]:
        """Arms that the trial itself must have."""
        given = self.external_controls
        return self.treated if given is not None and given.design == "single_arm" else self.arms

    def check(self, cohort: Cohort, external: Cohort | None = None) -> None:
        """Check the plan against a cohort; no outcome is read.

        Parameters
        ----------
        cohort
            The trial.
        external
            The cohort of `external_controls`.

        Raises
        ------
        InputError
            With everything that the cohort lacks.
        """
        schema = cohort.schema
        faults = Faults("plan")
        if self.study != schema.study_id:
            faults.add(f"study: {self.study!r}, and the cohort is {schema.study_id!r}; give the "
                       "cohort that the plan is for")  # fmt: skip
        for arm in self.trial_arms:
            if arm not in schema.arms:
                faults.add(f"arms: {arm!r} is no arm of the cohort; there are "
                           f"{', '.join(schema.arms)}{nearest(arm, schema.arms)}")  # fmt: skip
        for fault in [*self._condition_faults(schema), *self._variable_faults(schema)]:
            faults.add(fault)
        for endpoint in self.endpoints:
            for fault in endpoint.faults(schema):
                faults.add(fault)
        if self.external_controls is not None:
            if external is None:
                faults.add("external_controls.cohort: it was not given")
            else:
                for fault in self.external_controls.faults(self, cohort, external):
                    faults.add(fault)
        faults.raise_if_any()

    def _condition_faults(self, schema: CohortSchema) -> list[str]:
        held = {"patients": self.patients.condition}
        held |= {f"subgroup {s.name!r}": s.condition for s in self.subgroups if s.name}
        return [
            f"{where}: {fault}"
            for where, condition in held.items()
            if condition is not None
            for fault in condition_faults(condition, schema)
        ]

    def _variable_faults(self, schema: CohortSchema) -> list[str]:
        """Covariates, strata and subgroups that are no baseline variable, or of the wrong kind."""
        known = {v.name: v for v in schema.baseline}
        scores = {s.name for s in self.scores}
        asked = {(f"{q.name}.covariates", n) for q in self.questions for n in q.baseline}
        grouping = {(f"{q.name}.strata", n) for q in self.questions for n in q.analysis.strata}
        grouping |= {("subgroups.by", s.by) for s in self.subgroups if s.by}
        asked = {(where, name) for where, name in asked if name not in scores}
        faults = [
            f"{where}: {name!r} is no baseline variable; there are {', '.join(known) or 'none'}"
            f"{nearest(name, known)}"
            for where, name in sorted(asked | grouping)
            if name not in known
        ]
        faults += [fault for score in self.scores for fault in score.faults(schema)]
        return faults + [
            f"{where}: {name!r} is a number; a variable with categories is needed"
            for where, name in sorted(grouping)
            if name in known and known[name].numeric
        ]


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "analysis"
