"""Who the trial's candidates are: draws that belong to (replicate, candidate), whatever the design.

A candidate keeps his covariates and latent outcomes under every design, arm and scenario, so that
all comparisons are made on the same patients (common random numbers).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from extraction.records.conditions import All, Condition, Interval, Not, Test
from extraction.records.conditions import Any as AnyOf
from extraction.records.errors import InputError, nearest
from extraction.records.schema import CohortSchema
from generation.randomness import Stream
from simulation.trial.outcomes import Endpoint, Latent
from simulation.trial.outcomes.base import Booleans, Floats, Indices, rows_of


@final
@dataclass(frozen=True)
class Place:
    """Which candidates are meant: stream, replicates (R, 1) and candidates (1 or R, N)."""

    stream: Stream
    replicates: Indices
    patients: Indices

    def uniform(self, decision: int, index: int = 0) -> Floats:
        """Keyed uniforms (R, N)."""
        return self.stream.uniform(self.replicates, self.patients, decision, index)

    def normal(self, decision: int, index: int = 0) -> Floats:
        """Keyed standard normals (R, N)."""
        return self.stream.normal(self.replicates, self.patients, decision, index)

    def rows(self, which: Booleans) -> "Place":
        """Those of some replicates."""
        return Place(self.stream, self.replicates[which], rows_of(self.patients, which))


@final
@dataclass(frozen=True)
class Baseline:
    """Baseline of candidates.

    Attributes
    ----------
    values
        By variable (R, N): numbers, or the number of the category; NaN where unknown.
    rows
        Of a population of twins: the table's row of each candidate.
    outcomes
        Of candidates who are drawn whole: what becomes of them under control, by column (R, N).
    """

    values: dict[str, Floats]
    rows: Indices | None = None
    outcomes: dict[str, Floats] | None = None

    def take(self, chosen: Indices) -> "Baseline":
        """The candidates at positions (R, n) along axis 1."""
        return self._each(lambda array: np.take_along_axis(array, chosen, axis=1))

    def rows_of(self, which: Booleans) -> "Baseline":
        """The candidates of some replicates."""
        return self._each(lambda array: rows_of(array, which))

    def _each(self, change: Callable[[Any], Any]) -> "Baseline":
        held = {name: change(array) for name, array in self.values.items()}
        rows = None if self.rows is None else change(self.rows)
        outcomes = self.outcomes and {name: change(a) for name, a in self.outcomes.items()}
        return Baseline(held, rows, outcomes)


class Population(ABC):
    """Where candidates are drawn from."""

    @property
    @abstractmethod
    def baseline_schema(self) -> CohortSchema:
        """Baseline variables, for eligibility, subgroups and covariates."""

    @abstractmethod
    def baseline(self, place: Place) -> Baseline:
        """Draw the baseline of candidates."""

    @abstractmethod
    def latent(self, endpoint: Endpoint, place: Place, baseline: Baseline) -> Latent:
        """Draw an endpoint's outcome under control."""

    @abstractmethod
    def leaves(self, place: Place, baseline: Baseline) -> Floats | None:
        """Times (R, N) at which the population has patients leave; None if it has none leave."""

    @abstractmethod
    def endpoint_faults(self, endpoint: Endpoint) -> list[str]:
        """Say what an endpoint asks for that the population lacks."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Say what the population is, JSON-able, without a patient's value."""

    @abstractmethod
    def send(self, folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
        """Return what a worker needs: configuration, and paths of files written to the folder."""

    def covariate_faults(self, names: tuple[str, ...]) -> list[str]:
        """Say which baseline variables the population lacks."""
        known = [variable.name for variable in self.baseline_schema.baseline]
        return [
            f"covariates: {name!r} is not in the population; it has {', '.join(known) or 'none'}"
            f"{nearest(name, known)}"
            for name in names
            if name not in known
        ]

    def columns(self, name: str, baseline: Baseline) -> list[Floats]:
        """Columns (R, N) of a covariate in a model: a number, or indicators of later categories."""
        variable = self.baseline_schema.variable(name)
        values = baseline.values[name]
        if variable.numeric:
            return [np.where(np.isfinite(values), values, 0.0)]
        levels = range(1, len(variable.categories or ()))
        return [(values == level).astype(np.float64) for level in levels]

    def meets(self, condition: Condition, baseline: Baseline) -> Booleans:
        """Whether candidates meet a condition; unknown counts as not met."""
        return np.asarray(met(condition, baseline, self.baseline_schema) == 1)


def met(condition: Condition, baseline: Baseline, schema: CohortSchema) -> Floats:
    """1 met, 0 not met, NaN unknown, (R, N); Kleene's logic as for cohorts."""
    match condition:
        case All(parts):
            return _least([met(part, baseline, schema) for part in parts])
        case AnyOf(parts):
            return 1 - _least([1 - met(part, baseline, schema) for part in parts])
        case Not(part):
            return 1 - met(part, baseline, schema)
        case Test(target, check) if target.visit is None and target.name in baseline.values:
            values = baseline.values[target.name]
            if isinstance(check, Interval):
                inside = check.contains(values)
            else:
                categories = schema.variable(target.name).categories or ()
                inside = np.isin(values, [k for k, c in enumerate(categories) if c in check])
            return np.where(np.isnan(values), np.nan, inside.astype(np.float64))
    raise InputError(
        "condition: only baseline variables of the population can be tested before randomisation; "
        "leave out visits, endpoints and episodes"
    )


def _least(parts: list[Floats]) -> Floats:
    """Kleene's "and": 0 where any part is 0, else NaN where any is unknown, else 1."""
    out: Floats = np.ones(1)
    for part in parts:
        zero = (out == 0) | (part == 0)
        out = np.where(zero, 0.0, out * part)
    return out
