"""`kind: historical_score`: a score learnt on one trial, locked, and used in another."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .parts import Data, Name, Section, StudyBase


class TrialSide(Section):
    """One of the two trials."""

    source: Data
    endpoint: Name = Field(description="time-to-event endpoint of this trial")
    definition: str = Field(description="what counts as an event, in words")
    ascertainment: str = Field("as the trial's protocol", description="how events were found")


class TargetSide(TrialSide):
    """The new trial, whose outcomes are read only after the score is locked."""

    strata: Name | None = Field(None, description="stratum of its randomisation")
    expected: dict[str, float] = Field(
        default_factory=dict, description="published hazard ratio and its limits, by name"
    )
    further_endpoints: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="other endpoints to reproduce: name -> published figures"
    )


class ScoreSection(Section):
    """The prognostic score."""

    features: tuple[Name, ...] = Field(
        min_length=1, description="baseline variables of both trials"
    )
    penalty: float = Field(1.0, ge=0, description="ridge penalty on standardised columns")
    least_concordance: float = Field(
        0.6, ge=0.5, lt=1, description="the lower 95 % limit of C must exceed this to be accepted"
    )


class BorrowingSection(Section):
    """Limits for borrowing historical controls, to be fixed before data are compared."""

    variables: tuple[Name, ...] = Field(min_length=1, description="baseline variables compared")
    max_smd: float = Field(0.5, gt=0)
    max_weighted_smd: float = Field(0.1, gt=0)
    min_overlap: float = Field(0.8, gt=0, le=1)
    min_effective_patients: float = Field(50, ge=1)
    same_endpoint: bool = True


class HistoricalScoreStudy(StudyBase):
    """What may be carried from one trial into another, and what may not."""

    kind: Literal["historical_score"]
    historical: TrialSide
    target: TargetSide
    score: ScoreSection
    borrowing: BorrowingSection
    report: bool = Field(True, description="whether the HTML report is written")
