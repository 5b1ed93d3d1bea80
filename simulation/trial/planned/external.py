"""Controls of another cohort in a plan: which, how they are borrowed, and when they are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, final

from pydantic import Field, model_validator

from extraction.records import Cohort
from extraction.records.errors import InputError, RefusedError, nearest
from simulation.analysis.borrowing import BorrowingRule
from simulation.analysis.external.verdict import StoppingRule
from simulation.trial.analyses import DEFAULTS
from simulation.trial.plan import Name, NotNegative, Plan, Positive
from simulation.trial.planned.endpoints import condition_faults

if TYPE_CHECKING:
    from extraction.records import CohortSchema
    from simulation.trial.planned.plan import AnalysisPlan, PlannedAnalysis

Method = Literal[
    "overlap_weights", "iptw", "propensity_matching", "aipw", "g_computation",
    "power_prior", "map", "robust_map",
]  # fmt: skip
BAYESIAN = ("power_prior", "map", "robust_map")
WEIGHTS = {"overlap_weights": "overlap", "iptw": "att"}
SYNTHETIC = "synthetic:"
"""How the sources of a cohort that a model made begin."""

Chance = Annotated[float, Field(ge=0, le=1)]


@final
class Limits(Plan):
    """When borrowing stops: `simulation.analysis.external.verdict.StoppingRule`, as a plan has it.

    What is not looked at cannot be passed: a limit is switched off only by its loosest value.
    """

    max_smd: Positive = Field(default=0.5, description="standardised mean difference, unweighted")
    max_weighted_smd: Positive = Field(default=0.1, description="the same after weighting")
    min_overlap: Chance = Field(default=0.8, description="patients in the externals' 1-99 % range")
    min_ess: NotNegative = Field(default=50.0, description="of the weighted external controls")
    same_endpoint: bool = Field(default=True, description="`definitions` must be equal")
    min_conflict_p: Chance = Field(default=0.1, description="own against external; 0: not asked")
    negative_control_alpha: Chance = 0.05
    min_negative_controls: int = Field(default=0, ge=0)
    min_tipping_sd: NotNegative = Field(default=0.0, description="drift that must be survived")
    min_e_value: float = Field(default=1.0, ge=1)
    max_type_one: Chance = Field(default=0.1, description="over `drifts`; 1: not asked")

    @property
    def rule(self) -> StoppingRule:
        """As the diagnostics take it."""
        held = self.model_dump()
        baseline = {k: held.pop(k) for k in BorrowingRule.__dataclass_fields__}
        return StoppingRule(BorrowingRule(**baseline), **held)


@final
class Definitions(Plan):
    """What the endpoint is in each trial, attribute by attribute (event, ascertainment, ...)."""

    trial: dict[str, str] = Field(min_length=1)
    external: dict[str, str] = Field(min_length=1)


@final
class ExternalControls(Plan):
    """Controls of another cohort, and the rule that decides whether they are borrowed."""

    cohort: str = Field(min_length=1, description="its folder, from the plan's own folder on")
    arm: Name = Field(description="whose patients are the controls there")
    design: Literal["hybrid", "single_arm"] = Field(
        default="hybrid", description="single_arm: the trial has no controls of its own"
    )
    analyses: tuple[Name, ...] = Field(default=(), description="that borrow; none: primary ones")
    method: Method
    covariates: tuple[Name, ...] = Field(min_length=1, max_length=30)
    endpoints: dict[str, str] = Field(
        default={}, description="names there of the trial's times to event, if they differ"
    )
    condition: dict[str, Any] | None = Field(
        default=None, description="who of the arm may be borrowed, e.g. the trial's criteria"
    )
    definitions: Definitions | None = Field(default=None, description="of the endpoint")
    negative_controls: tuple[Name, ...] = Field(
        default=(), max_length=10, description="endpoints or numbers that treatment cannot change"
    )
    drifts: tuple[NotNegative, ...] = Field(
        default=(0.0, 0.1, 0.2, 0.3, 0.5, 0.75), min_length=1, max_length=30,
        description="by which externals may fare worse: SDs of the outcome, or log hazards",
    )  # fmt: skip
    power: float = Field(default=0.5, gt=0, le=1, description="of power_prior")
    tau_scale: Positive = Field(default=0.25, description="of the map priors, in SDs")
    vague_weight: float = Field(default=0.2, gt=0, lt=1, description="of robust_map")
    caliper: Positive = Field(default=0.2, description="of matching, in SDs of the score")
    replicates: int = Field(default=500, ge=100, le=5000, description="of g_computation")
    seed: int = Field(default=0, ge=0)
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        faults = []
        if self.design == "single_arm" and self.method in BAYESIAN:
            faults.append(f"method: {self.method} needs own controls; a single-arm trial takes "
                          "another")  # fmt: skip
        twice = sorted({n for n in self.covariates if self.covariates.count(n) > 1})
        faults += [f"covariates: {name!r} stands twice" for name in twice]
        faults += [
            f"negative_controls: {name!r} is a covariate too; the weights would hide its difference"
            for name in self.negative_controls
            if name in self.covariates
        ]
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def borrows(self, plan: AnalysisPlan) -> tuple[str, ...]:
        """Names of the analyses that borrow."""
        return self.analyses or tuple(a.name for a in plan.analyses if a.role == "primary")

    def plan_faults(self, plan: AnalysisPlan) -> list[str]:
        """Say what does not fit the plan."""
        known = {a.name: a for a in plan.analyses}
        times = [e.endpoint or e.name for e in plan.endpoints if e.kind == "time_to_event"]
        faults = [
            f"endpoints: {name!r} is no time to event of the plan{nearest(name, times)}"
            for name in self.endpoints
            if name not in times
        ]
        faults += [
            f"analyses: {name!r} is no analysis; there are {', '.join(known)}{nearest(name, known)}"
            for name in self.borrows(plan)
            if name not in known
        ]
        for name in self.borrows(plan):
            if name in known:
                faults += self._unfit(plan, known[name])
        return [f"external_controls.{fault}" for fault in faults]

    def _unfit(self, plan: AnalysisPlan, held: PlannedAnalysis) -> list[str]:
        kinds = {e.name: e.kind for e in plan.endpoints}
        if held.endpoint not in kinds:
            return []
        scale = scale_of(held.analysis or DEFAULTS[kinds[held.endpoint]])
        if scale is None:
            return [
                f"analyses: {held.name!r} has no scale to borrow on; allowed: ancova, "
                "proportions or standardised with measure difference, rmst, cox, log_rank"
            ]
        if scale == "hazard" and self.method not in WEIGHTS:
            return [
                f"method: {self.method} has no hazard ratio; {held.name!r} takes "
                f"{' or '.join(WEIGHTS)}, or an rmst analysis"
            ]
        return []

    def place(self, plan: Path) -> Path:
        """Folder of the external cohort of the plan in a file.

        Raises
        ------
        InputError
            When there is none.
        """
        place = plan.parent / self.cohort
        if not (place / "cohort.json").is_file():
            raise InputError(
                f"external_controls.cohort: {self.cohort!r} is no cohort's folder; paths are read "
                f"from the folder of {plan.name} on"
            )
        return place

    def read(self, plan: Path) -> Cohort:
        """Read the external cohort of the plan in a file.

        Raises
        ------
        InputError
            When there is none.
        RefusedError
            When a model made it.
        """
        found = Cohort.read(self.place(plan))
        if is_synthetic(found):
            raise RefusedError(
                "external_controls.cohort: a model made these patients. They are not data, a test "
                "that counts them is invalid, and weights against them measure the model's error; "
                "name the real controls that the model was fitted to"
            )
        return found

    def adapted(self, external: Cohort) -> Cohort:
        """The external cohort with its endpoints under the trial's names."""
        if not self.endpoints:
            return external
        names = {there: here for here, there in self.endpoints.items()}
        schema = external.schema
        endpoints = tuple(
            e.model_copy(update={"name": names.get(e.name, e.name)}) for e in schema.endpoints
        )
        events = external.events.assign(endpoint=external.events["endpoint"].replace(names))
        return replace(
            external, schema=schema.model_copy(update={"endpoints": endpoints}), events=events
        )

    def faults(self, plan: AnalysisPlan, cohort: Cohort, external: Cohort) -> list[str]:
        """Say what the trial and the external cohort lack."""
        schema, other = cohort.schema, self.adapted(external).schema
        faults = []
        if self.arm not in other.arms:
            faults.append(
                f"arm: {self.arm!r} is none of the external cohort's: "
                f"{', '.join(other.arms)}{nearest(self.arm, other.arms)}"
            )
        if self.design == "single_arm" and plan.control in schema.arms:
            faults.append(f"design: the trial has the arm {plan.control!r}; say hybrid")
        if self.condition is not None:
            faults += [f"condition: {f}" for f in condition_faults(self.condition, other)]
        for name in self.covariates:
            faults += _unlike(name, schema, other)
        known = [e.name for e in external.schema.endpoints]
        faults += [
            f"endpoints: {there!r} is no endpoint of the external cohort{nearest(there, known)}"
            for there in self.endpoints.values()
            if there not in known
        ]
        keys = ["study_id", "subject_id"]
        both = cohort.subjects[keys].merge(external.subjects[keys])
        if len(both):
            faults.append(
                f"cohort: {len(both)} of its patients are the trial's own; leave them out"
            )
        faults += self._endpoint_faults(plan, schema, other)
        return [f"external_controls.{fault}" for fault in faults]

    def _endpoint_faults(
        self, plan: AnalysisPlan, schema: CohortSchema, other: CohortSchema
    ) -> list[str]:
        endpoints = {e.name: e for e in plan.endpoints}
        wanted = {a.endpoint for a in plan.analyses if a.name in self.borrows(plan)}
        faults = []
        for name in self.negative_controls:
            if name in endpoints:
                wanted.add(name)
                if endpoints[name].kind not in ("continuous", "binary"):
                    faults.append(f"negative_controls: {name!r} must be continuous or binary")
            else:
                faults += [f"negative_controls: {f}" for f in _unlike(name, schema, other, True)]
        for name in sorted(wanted):
            faults += [f"cohort: {f}" for f in endpoints[name].faults(other)]
        return faults


def is_synthetic(cohort: Cohort) -> bool:
    """Whether a model made a cohort's patients."""
    names = cohort.sources["name"].dropna().astype(str)
    return bool(names.str.startswith(SYNTHETIC).any())


def scale_of(analysis: Any) -> Literal["mean", "hazard"] | None:
    """Scale on which an analysis can borrow: means (also of pseudo-values), or log hazards."""
    if analysis.kind in ("ancova", "rmst"):
        return "mean"
    if analysis.kind in ("proportions", "standardised"):
        return "mean" if analysis.measure == "difference" else None
    if analysis.kind == "cox" or (analysis.kind == "log_rank" and analysis.weighting is None):
        return "hazard"
    return None


def _unlike(
    name: str, schema: CohortSchema, other: CohortSchema, number: bool = False
) -> list[str]:
    """Say how a baseline variable differs between two cohorts."""
    known = [{v.name: v for v in s.baseline} for s in (schema, other)]
    missing = [
        f"covariates: {name!r} is no baseline variable of the {whose}{nearest(name, held)}"
        for whose, held in zip(("trial", "external cohort"), known, strict=True)
        if name not in held
    ]
    if missing:
        return missing
    mine, theirs = known[0][name], known[1][name]
    if number and not (mine.numeric and theirs.numeric):
        return [f"{name!r} must be an endpoint or a number in both cohorts"]
    if mine.numeric != theirs.numeric:
        return [f"covariates: {name!r} is a number in one cohort and has categories in the other"]
    if not mine.numeric and set(mine.categories or ()) != set(theirs.categories or ()):
        return [f"covariates: {name!r} has other categories in the external cohort; recode it"]
    if mine.unit and theirs.unit and mine.unit != theirs.unit:
        return [f"covariates: {name!r} is in {mine.unit} and {theirs.unit}; convert one"]
    return []
