"""Controls who were not randomised: who they are, how far they drift, and what must fit them."""

from collections.abc import Sequence
from typing import Any, Self, final

from pydantic import Field, model_validator

from extraction.records import conditions
from extraction.records.errors import InputError
from simulation.trial.design.sources import Source
from simulation.trial.plan import Finite, NotNegative, Plan

_RULES = ("fixed", "group_sequential")
"""Rules whose decisions rest on one verdict about the external controls."""


@final
class ExternalControls(Plan):
    """Patients under control from elsewhere, all there with their outcome before the first look.

    They meet the trial's eligibility. Drift is on the outcome's scale: its unit, or log odds.
    """

    n: int = Field(ge=2, le=1_000_000, description="external controls of a replicate")
    population: Source | None = Field(
        default=None, description="who they are; none: the trial's own population"
    )
    drift: Finite = Field(
        default=0.0, description="external less own control outcome; unit of the outcome, log odds"
    )
    spread: NotNegative = Field(
        default=0.0, description="SD of a further drift that each replicate draws: between trials"
    )
    fixed: bool = Field(
        default=False, description="one cohort for all replicates, as where it is in hand already"
    )
    n_train: int | None = Field(
        default=None, ge=2, description="of twins: real patients whom their model has learnt from"
    )

    @model_validator(mode="after")
    def _one_drift(self) -> Self:
        if self.fixed and self.spread > 0:
            raise ValueError("spread: one fixed cohort has one drift; state it as `drift`")
        return self


def rule_faults(design: Any) -> list[str]:
    """Say what of the rule does not go with external controls."""
    if design.external_controls is None:
        return []
    faults = []
    if design.rule.kind not in _RULES:
        faults.append(
            f"rule: {design.rule.kind} adapts to patients of the trial alone; with "
            f"external_controls choose {' or '.join(_RULES)}"
        )
    if getattr(design.rule, "information", "planned") == "observed":
        faults.append(
            "rule.information: what external controls add hangs on the verdict about them, so "
            "that observed information is not well defined; leave it at planned"
        )
    return faults


def drift_faults(design: Any) -> list[str]:
    """Say which drifts nobody has."""
    if design.external_controls is not None:
        return []
    return [
        f"scenarios.{s.name}.external_drift: nobody drifts without external_controls; state them "
        "or leave it out"
        for s in design.scenarios
        if s.external_drift is not None
    ]


def allocation_faults(design: Any) -> list[str]:
    """Say to which arm somebody must be randomised."""
    faults = [
        f"arms.{arm.name}.allocation: 0 came; at least one part of the patients must be treated"
        for arm in design.arms
        if not arm.allocation and not arm.control
    ]
    if not design.control.allocation and design.external_controls is None:
        faults.append(
            f"arms.{design.control.name}.allocation: nobody is randomised to the control, and "
            "there are no external_controls to compare with; state them, or randomise controls"
        )
    return faults


def analysis_faults(design: Any) -> list[str]:
    """Say which analyses do not go with the external controls that there are, or are not."""
    given = design.external_controls
    if given is None:
        return [
            f"hypotheses[{k}].analysis: {held.analysis.kind} needs external_controls; state them, "
            "or choose another analysis"
            for k, held in enumerate(design.hypotheses)
            if held.analysis and held.analysis.external
        ]
    alone = not design.control.allocation
    faults = [fault for tested in design.tested for fault in _misfits(tested, given, alone)]
    if not alone and not any(tested.analysis.external for tested in design.tested):
        faults.append(
            f"external_controls: no analysis uses them; choose {_kinds('beside')} for a hypothesis"
        )
    return faults


def _misfits(tested: Any, given: ExternalControls, alone: bool) -> list[str]:
    analysis, place = tested.analysis, f"hypotheses: {tested.name}"
    kind, wanted = analysis.external, "instead" if alone else "beside"
    if not kind:
        told = f"{analysis.kind} needs randomised controls, and there are none"
        return [f"{place}: {told}; choose {_kinds(wanted)}"] if alone else []
    faults = analysis.misfits(given.n_train)
    if kind != wanted:
        where = "in place of own ones, and there are some"
        where = "beside own ones, and there are none" if alone else where
        faults.append(f"{analysis.kind} takes external controls {where}; choose {_kinds(wanted)}")
    if tested.subgroup is not None:
        faults.append("external controls go with all patients; leave `subgroup` out")
    return [f"{place}: {fault}" for fault in faults]


def _kinds(wanted: str) -> str:
    from simulation.trial.analyses import KINDS

    return ", ".join(name for name, held in KINDS.items() if held.external == wanted)


def tell_external(design: Any) -> list[str]:
    """Sentences about the external controls, none where there are none."""
    given = design.external_controls
    if given is None:
        return []
    anew = (
        "They are one cohort, the same in all replicates: figures hold for those very patients."
        if given.fixed
        else "Each replicate draws them anew: figures are means over cohorts of that size."
    )
    told = [
        f"{given.n:,} patients who were not randomised stand {_beside(design)}, all with their "
        f"outcome before the first look; they come from {_origin(given.population)}.",
        anew,
        _drift(given),
    ]
    if given.n_train is not None:
        told.append(
            f"They are twins from a model of {given.n_train:,} patients, whose error all twins of "
            "a replicate share and the analysis counts."
        )
    verdicts = [t.analysis.verdict() for t in design.tested if t.analysis.external]
    return [sentence for sentence in (*told, *dict.fromkeys(verdicts)) if sentence]


def external_limits(design: Any) -> list[str]:
    """What figures of a design with external controls leave out."""
    if design.external_controls is None:
        return []
    said = [
        "external controls: figures hold for the drifts that the scenarios state; no trial's data "
        "show which of them is true"
    ]
    if not design.control.allocation:
        said.append("nothing in a single-arm trial shows that its external controls drift")
    if design.rule.looks.count > 1:
        said.append(
            "bounds take information to come as planned; external controls are all there at the "
            "first look, so that the level is what simulation shows at each drift"
        )
    return said


def _beside(design: Any) -> str:
    if design.control.allocation:
        return f"beside the randomised {design.control.name}"
    return f"in place of {design.control.name}, to which nobody is randomised"


def _origin(source: Any) -> str:
    if source is None:
        return "the trial's own population"
    if source.kind == "parametric":
        return "a population by formula of their own"
    return f"the {source.kind} {source.model if source.kind == 'model' else source.where}"


def _drift(given: ExternalControls) -> str:
    told = f"Their outcome lies {given.drift:+g} from that of own controls" if given.drift else ""
    told = told or "Their outcome does not drift from that of own controls"
    if given.spread:
        told += f", give or take a standard deviation of {given.spread:g} between replicates"
    return f"{told} (in its unit, or in log odds), where a scenario does not say otherwise."


def population_faults(design: Any, population: Any) -> list[str]:
    """Say what the analyses ask for that the population of external controls lacks."""
    from simulation.trial.external import population_of

    given, people = design.external_controls, population_of(design, population)
    if given is None or people is None:
        return []
    using = [tested for tested in design.tested if tested.analysis.external]
    faults = _trained(given, people)
    if people is population:
        return [f"external_controls.{fault}" for fault in faults]
    for endpoint in {tested.endpoint.name: tested.endpoint for tested in using}.values():
        faults += [f"population: {fault}" for fault in people.endpoint_faults(endpoint)]
    faults += _unlike([n for t in using for n in t.analysis.covariates], population, people)
    if design.eligibility is not None:
        try:
            conditions.parse(design.eligibility, people.baseline_schema)
        except InputError as error:
            faults += [f"population: eligibility: {fault}" for fault in error.faults]
    return [f"external_controls.{fault}" for fault in faults]


def _trained(given: ExternalControls, people: Any) -> list[str]:
    """Twins are not patients: how many are behind them must be said, and not too many."""
    behind = people.describe().get("origin", {}).get("n_train")
    if behind is None or (given.n_train is not None and given.n_train <= behind):
        return []
    return [
        f"n_train: {'none' if given.n_train is None else given.n_train} came, and {behind} "
        f"patients are behind the model of these twins; state n_train: {behind} or fewer, so that "
        "no twin counts as a patient"
    ]


def _unlike(names: Sequence[str], own: Any, outside: Any) -> list[str]:
    """Say which covariates differ between the trial's population and the external one."""
    faults = []
    mine, theirs = ({v.name: v for v in held.baseline_schema.baseline} for held in (own, outside))
    for name in dict.fromkeys(names):
        if name not in theirs:
            faults.append(f"{name!r} is not in it; it has {', '.join(theirs) or 'none'}")
        elif name in mine and mine[name].categories != theirs[name].categories:
            faults.append(f"{name!r} has other categories than in the trial; make them equal")
    return [f"population: {fault}" for fault in faults]
