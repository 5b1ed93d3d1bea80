"""Who the trial's patients are: draws that belong to (replicate, patient), whatever the design."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from extraction.records.errors import InputError, nearest
from extraction.records.schema import pydantic_faults
from generation.randomness import Stream, decision_id

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]

_COVARIATE = decision_id("trial.covariate")
_RESIDUAL = decision_id("trial.residual")
_LEAVES = decision_id("trial.leaves")


@final
@dataclass(frozen=True)
class Patients:
    """Patients of a batch of replicates under control.

    Attributes
    ----------
    covariates
        (P, R, N): baseline columns of the analysis.
    outcome
        (R, N): the endpoint under control, in its unit; NaN where it is not known.
    leaves
        (R, N): whether the population has the patient leave before the visit.
    """

    covariates: Floats
    outcome: Floats
    leaves: Booleans


class Population(ABC):
    """Where patients are drawn from."""

    @property
    @abstractmethod
    def centre(self) -> float:
        """A typical outcome, taken off before sums of squares are formed."""

    @abstractmethod
    def draw(
        self,
        stream: Stream,
        replicates: Indices,
        patients: Indices,
        covariates: tuple[str, ...],
        known_only: bool,
    ) -> Patients:
        """Draw patients for each pair of replicate and patient number.

        Parameters
        ----------
        stream
            Keyed draws.
        replicates, patients
            Numbers of the R replicates and the N patients.
        covariates
            Names of the covariates that the analysis uses.
        known_only
            Whether every patient must have an outcome (dropout is then not the population's).
        """

    @property
    @abstractmethod
    def covariates(self) -> tuple[str, ...]:
        """Covariates that an analysis may use."""

    def covariate_faults(self, covariates: tuple[str, ...]) -> list[str]:
        """Say which covariates the population lacks."""
        return [
            f"covariates: {name!r} is not in the population; it has "
            f"{', '.join(self.covariates) or 'none'}"
            f"{nearest(name, self.covariates)}"
            for name in covariates
            if name not in self.covariates
        ]

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Say what the population is, JSON-able, without a patient's value."""

    @abstractmethod
    def send(self, folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
        """Return what a worker needs: configuration, and paths of files written to the folder."""


@final
class ParametricPopulation(Population, BaseModel):
    """Normal endpoint with independent standard normal covariates.

    outcome = mean + sd (sum of r_j x_j + sqrt(1 - sum of r_j^2) e)

    Raises
    ------
    InputError
        With every fault of the configuration.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    mean: float = Field(default=0.0, description="mean under control, in the endpoint's unit")
    sd: float = Field(default=1.0, gt=0, description="standard deviation, in the endpoint's unit")
    correlations: dict[str, float] = Field(
        default_factory=dict, description="each covariate's correlation with the endpoint"
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, description="share that leaves")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise InputError(pydantic_faults(error, "population")) from None

    @model_validator(mode="after")
    def _possible(self) -> "ParametricPopulation":
        if sum(r * r for r in self.correlations.values()) > 1:
            raise ValueError("correlations: their squares sum to more than 1; lower them")
        return self

    @property
    def centre(self) -> float:
        """Mean under control."""
        return self.mean

    @property
    def covariates(self) -> tuple[str, ...]:
        """Those with a correlation."""
        return tuple(self.correlations)

    def draw(
        self,
        stream: Stream,
        replicates: Indices,
        patients: Indices,
        covariates: tuple[str, ...],
        known_only: bool,
    ) -> Patients:
        """Draw from the normal law; a covariate's draws do not depend on which others are used."""
        grid = (replicates[:, None], patients[None, :])
        explained = np.zeros((len(replicates), len(patients)))
        columns = {}
        for name, r in self.correlations.items():
            columns[name] = stream.normal(*grid, _COVARIATE, decision_id(name))
            explained = explained + r * columns[name]
        rest = np.sqrt(max(0.0, 1 - sum(r * r for r in self.correlations.values())))
        outcome = self.mean + self.sd * (explained + rest * stream.normal(*grid, _RESIDUAL))
        kept = np.empty((len(covariates), *outcome.shape))
        for place, name in enumerate(covariates):
            kept[place] = columns[name]
        if known_only:
            return Patients(kept, outcome, np.zeros(outcome.shape, dtype=bool))
        return Patients(kept, outcome, stream.uniform(*grid, _LEAVES) < self.dropout)

    def describe(self) -> dict[str, Any]:
        """Return the parameters."""
        return {"kind": "parametric", **self.model_dump()}

    def send(self, folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the parameters; nothing is written."""
        del folder
        return self.describe(), {}
