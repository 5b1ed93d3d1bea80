"""A trial as its protocol would state it."""

from collections.abc import Mapping
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Any, Literal, Self, final

import yaml
from pydantic import Field, model_validator

from extraction.records.errors import InputError, nearest
from simulation.analysis.estimate import Estimand
from simulation.trial.analyses import DEFAULTS
from simulation.trial.analyses import Choice as AnalysisChoice
from simulation.trial.design.arms import Arm, arm_faults
from simulation.trial.design.competing import (
    cause_fault,
    competing_faults,
    summary_of,
)
from simulation.trial.design.discontinuation import Discontinuation, stopping_faults
from simulation.trial.design.dropout import AsLearnt, Dropout
from simulation.trial.design.enrolment import Enrolment
from simulation.trial.design.scenarios import NO_EFFECT, Scenario
from simulation.trial.design.sources import Source
from simulation.trial.outcomes import Endpoint
from simulation.trial.outcomes.base import Strategies
from simulation.trial.outcomes.effects import FIELDS
from simulation.trial.plan import Name, Plan, Stated
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
class TrialDesign(Stated):
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
    scenarios: tuple[Scenario, ...] = ()

    @classmethod
    def _where(cls) -> str:
        return "design"

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        faults = arm_faults(self.arms)
        faults += self._endpoint_faults()
        faults += self._hypothesis_faults()
        faults += self._scenario_faults()
        faults += self._stopping_faults()
        if not faults:
            faults += self.rule.faults(self.n, len(self.arms), len(self.tested))
            faults += self._look_faults()
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def _endpoint_faults(self) -> list[str]:
        names = [endpoint.name for endpoint in self.endpoints]
        return [
            f"endpoints: the name {name!r} stands twice; names must differ"
            for name in sorted({n for n in names if names.count(n) > 1})
        ] + competing_faults(self.endpoints)

    def _hypothesis_faults(self) -> list[str]:
        faults = []
        known = {endpoint.name: endpoint for endpoint in self.endpoints}
        treated = [arm.name for arm in self.arms if not arm.control]
        for k, held in enumerate(self.hypotheses):
            where = f"hypotheses[{k}]"
            if held.endpoint not in known:
                faults.append(
                    f"{where}.endpoint: {held.endpoint!r} is none; there are {', '.join(known)}"
                    f"{nearest(held.endpoint, known)}"
                )
            elif held.analysis and known[held.endpoint].kind not in held.analysis.takes:
                faults.append(
                    f"{where}.analysis: {held.analysis.kind} takes "
                    f"{' or '.join(held.analysis.takes)}, and {held.endpoint!r} is "
                    f"{known[held.endpoint].kind}"
                )
            elif held.analysis and (fault := cause_fault(held.analysis, known[held.endpoint])):
                faults.append(f"{where}.analysis: {fault}")
            if held.arm is not None and held.arm not in treated:
                faults.append(f"{where}.arm: {held.arm!r} is no treated arm: {', '.join(treated)}")
        if sum(held.share for held in self.hypotheses if held.share < 1) > 1 + 1e-9:
            faults.append("hypotheses: shares of alpha sum to more than 1; lower them")
        return faults

    def _scenario_faults(self) -> list[str]:
        faults = []
        kinds = {endpoint.name: endpoint.kind for endpoint in self.endpoints}
        arms = {arm.name: arm for arm in self.arms}
        names = [scenario.name for scenario in self.scenarios]
        faults += [
            f"scenarios: the name {name!r} stands twice; names must differ"
            for name in sorted({n for n in names if names.count(n) > 1})
        ]
        for scenario in self.scenarios:
            for k, effect in enumerate(scenario.effects):
                where = f"scenarios.{scenario.name}.effects[{k}]"
                if effect.arm not in arms or arms[effect.arm].control:
                    faults.append(f"{where}.arm: {effect.arm!r} is no treated arm")
                kind = kinds.get(effect.endpoint)
                if kind is None:
                    faults.append(
                        f"{where}.endpoint: {effect.endpoint!r} is none; there are "
                        f"{', '.join(kinds)}"
                    )
                elif effect.field != FIELDS[kind]:
                    faults.append(
                        f"{where}: {effect.endpoint!r} is {kind} and takes {FIELDS[kind]}, "
                        f"not {effect.field}"
                    )
        return faults

    def _stopping_faults(self) -> list[str]:
        given = {"discontinuation": self.discontinuation}
        given |= {f"scenarios.{s.name}.discontinuation": s.discontinuation for s in self.scenarios}
        analyses: dict[str, set[str]] = {}
        for held in self.hypotheses:
            if held.analysis is not None:
                analyses.setdefault(held.endpoint, set()).add(held.analysis.kind)
        return stopping_faults(
            {where: law for where, law in given.items() if law is not None},
            [arm.name for arm in self.arms],
            self.endpoints,
            {endpoint.name: self.strategies(endpoint) for endpoint in self.endpoints},
            analyses,
        )

    def _look_faults(self) -> list[str]:
        looks, faults = self.rule.looks, []
        kind = self.tested[0].endpoint.kind
        if self.rule.every_arm and kind not in ("binary", "continuous"):
            faults.append(
                f"rule: {self.rule.kind} takes binary or continuous outcomes, and "
                f"{self.tested[0].endpoint.name!r} is {kind}"
            )
        if looks.by == "events":
            found = next((e for e in self.endpoints if e.name == looks.endpoint), self.endpoints[0])
            if found.kind != "time_to_event":
                faults.append("rule.looks: looks by events need a time-to-event endpoint")
            else:
                faults += self._event_faults()
        if self.rule.narrows:
            faults += self._narrowing_faults()
        if looks.by == "time" and self.enrolment.at_once:
            faults.append("rule.looks: looks by time need an enrolment")
        if looks.by == "patients" and (looks.at or (0,))[-1] > self.n:
            faults.append(f"rule.looks: the last look is beyond the {self.n} patients of the trial")
        if looks.by == "patients" and self.sizes[0] < 2 * len(self.arms):
            faults.append(
                f"rule.looks: the first look has {self.sizes[0]} patients; at least "
                f"{2 * len(self.arms)} are needed; raise n or look later"
            )
        return faults

    def _event_faults(self) -> list[str]:
        """Say which look waits for more events than there are patients: it would never come."""
        beyond = [
            (number, at) for number, at in enumerate(self.rule.looks.at or (), 1) if at > self.n
        ]
        if not beyond:
            return []
        number, at = beyond[0]
        return [
            f"rule.looks: look {number} waits for {at:g} events and the trial has {self.n} "
            "patients; each has one event at most; raise n or lower `at`"
        ]

    def _narrowing_faults(self) -> list[str]:
        faults = []
        if [tested.subgroup is None for tested in self.tested] != [True, False]:
            faults.append("hypotheses: the first is about all patients, the second has a subgroup")
        elif len({tested.endpoint.name for tested in self.tested}) > 1:
            faults.append("hypotheses: both are about one endpoint; name the same")
        if any(e.duration for e in (self.enrolment, *(s.enrolment for s in self.scenarios)) if e):
            faults.append("enrolment.duration: the subgroup's pace follows from a ramp or sites")
        return faults

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
            If the file is missing, is not YAML, or the design has faults.
        """
        name = Path(path).name
        try:
            values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"{path}: there is no such file; check the path") from None
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
