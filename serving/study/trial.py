"""`kind: trial`: one trial, from its records to the next trial's operating characteristics."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from .parts import Data, Name, PrimaryEndpoint, Section, StudyBase

Expected = dict[str, float]


class PublishedAncova(Section):
    """A published ANCOVA on last observations carried forward; for reproduction only."""

    kind: Literal["ancova_locf"]
    population_flags: tuple[Name, ...] = Field(
        (), description="flags that must be Y, e.g. ITTFL, EFFFL"
    )
    dose_by_arm: dict[str, float] | None = Field(
        None, description="dose of each arm, for the trend"
    )
    expected: Expected = Field(default_factory=dict, description="published figures by name")


class PublishedTimeToEvent(Section):
    """A published comparison of the time to an event over all arms."""

    kind: Literal["time_to_event"]
    endpoint: Name
    expected: Expected = Field(default_factory=dict, description="published figures by name")


Published = Annotated[PublishedAncova | PublishedTimeToEvent, Field(discriminator="kind")]


class CohortSection(Section):
    """Which patients, and how to show that they were read as published."""

    source: Data
    table_one: tuple[Name, ...] = Field(
        (), description="baseline variables of Table 1; all of them when none is named"
    )
    published: dict[str, Published] = Field(
        default_factory=dict, description="published analyses to reproduce, by name"
    )
    decimals: int = Field(4, ge=1, le=8, description="digits to which they must agree")


class NotesSection(Section):
    """Notes written out of the records, and facts extracted back out of them."""

    preset: Literal["fast", "accurate"] = Field(
        "fast", description="which pipeline reads the notes; rendered notes gain nothing by a model"
    )
    patients: int | None = Field(
        None, ge=1, description="patients whose notes are written; all when empty"
    )
    codes: bool = Field(True, description="whether facts get codes, of what is installed")
    vocabularies: tuple[str, ...] = Field(
        (), description="vocabularies of your own, each as KIND=PATH (docs/codes.md)"
    )
    examples: int = Field(
        3, ge=0, le=10, description="example notes, of synthetic patients only, for the report"
    )


class ModelsSection(Section):
    """The two fits: controls only, and all arms."""

    engine: str = Field("twin", description="twin, mixture, cart, an sdv engine or a plug-in")
    baseline: tuple[Name, ...] = Field(min_length=1, description="baseline variables to learn")
    longitudinal: tuple[Name, ...] = Field((), description="variables over time to learn")
    endpoints: tuple[Name, ...] = Field((), description="time-to-event endpoints to learn")
    options: dict[str, Any] = Field(default_factory=dict, description="the engine's own options")
    synthetic_controls: int = Field(
        500, ge=20, le=100_000, description="synthetic controls to sample for report and export"
    )


class EvaluationSection(Section):
    """Synthetic controls against real ones, by pooled cross-validation."""

    engines: tuple[Name, ...] = Field(min_length=1, description="the last one is the baseline")
    folds: int = Field(5, ge=2, le=20)
    options: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="options by engine; the study's engine has its own"
    )


class TwinsSection(Section):
    """Out-of-fold forecasts of each patient's endpoint, judged against what happened."""

    from_visit: Name = Field(description="last visit that a twin may look at, e.g. Week 8")
    folds: int = Field(5, ge=2, le=20)
    draws: int = Field(300, ge=50, le=10_000, description="futures drawn for each twin")
    examples: int = Field(4, ge=0, le=12, description="patients shown as fan charts")


class EffectsSection(Section):
    """Treatment effects, each with its estimand."""

    features: tuple[Name, ...] = Field(
        min_length=1, description="baseline variables of the prognostic score"
    )
    folds: int = Field(5, ge=2, le=20)
    repeats: int = Field(20, ge=1, le=200, description="random divisions into folds")
    null_trials: int = Field(
        200, ge=0, le=20_000, description="re-randomised nulls, score refitted inside each"
    )
    bootstrap: int = Field(
        50, ge=20, le=2_000, description="refits that check the corrected variance"
    )


class DesignSection(Section):
    """One design of the next trial; what it leaves out is shared by all designs."""

    name: Name
    looks: int = Field(1, ge=1, le=20)
    boundary: Literal["obrien_fleming", "pocock"] = "obrien_fleming"


class NextTrialSection(Section):
    """Operating characteristics of the next trial, its patients drawn from twins."""

    treated_arm: Name = Field(description="the arm to be tested again")
    n: int = Field(ge=40, le=20_000, description="patients randomised at the last look, both arms")
    effect: float = Field(description="assumed difference, treated minus control; not 0")
    further_effects: tuple[float, ...] = Field((), description="other differences, for the curve")
    alpha: float = Field(0.025, gt=0, lt=0.5, description="one-sided")
    covariates: tuple[Name, ...] = Field((), description="baseline covariates of the ANCOVA")
    dropout: Literal["as_learnt", "none"] | float = "as_learnt"
    twins: int = Field(2_000, ge=200, le=100_000, description="twins in the table drawn from")
    replicates: int = Field(10_000, ge=100, le=1_000_000)
    chunk_size: int = Field(500, ge=10, le=100_000, description="fixed grid of the simulation")
    designs: tuple[DesignSection, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [d.name for d in self.designs]
        if len(set(names)) < len(names):
            raise ValueError("two designs have the same name; names must differ")
        if not abs(self.effect) > 0:
            raise ValueError("effect must not be 0: its sign says which direction is a benefit")
        return self


class TrialStudy(StudyBase):
    """One trial through every stage; a section that is left out is not run."""

    kind: Literal["trial"]
    cohort: CohortSection
    endpoint: PrimaryEndpoint
    models: ModelsSection
    notes: NotesSection | None = None
    evaluation: EvaluationSection | None = None
    twins: TwinsSection | None = None
    effects: EffectsSection | None = None
    trial: NextTrialSection | None = None
    report: bool = Field(True, description="whether the HTML report is written")

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        learnt = set(self.models.longitudinal)
        if (self.twins or self.trial) and self.endpoint.variable not in learnt:
            raise ValueError(
                f"models.longitudinal must hold {self.endpoint.variable}: twins and the next trial "
                "need the endpoint"
            )
        if self.trial:
            lost = [c for c in self.trial.covariates if c not in self.models.baseline]
            if lost:
                raise ValueError(
                    f"trial.covariates names {', '.join(lost)}, which models.baseline does not "
                    "learn; add it there"
                )
        return self
