"""A population of twins: a table of simulated (or real) patients, drawn with replacement."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np
import pandas as pd

from extraction.records.errors import InputError
from extraction.records.files import write_atomically
from extraction.records.schema import CohortSchema
from generation.randomness import decision_id
from simulation.trial.outcomes import Endpoint, Latent
from simulation.trial.outcomes.base import NEVER, Floats, Indices
from simulation.trial.population.base import Baseline, Place, Population
from simulation.trial.population.tables import (
    LEAVES,
    TableHazard,
    hazard_of,
    outcome_columns,
    table_of,
)

if TYPE_CHECKING:
    from extraction.records import Cohort
    from generation.engine import Model
    from simulation.trial.design import TrialDesign

SMALLEST = 20
_ROW = decision_id("trial.twin")
_WITHIN = decision_id("trial.within")


@final
class TwinPopulation(Population):
    """Candidates drawn with replacement from a table of twins, by keyed draws.

    The table holds each twin's baseline (numbers, or category numbers), outcomes under control and
    the time at which the twin leaves. Drawing more patients than the table has rows adds no
    information, and a table from a model has none beyond the `n_train` patients behind it.

    Parameters
    ----------
    complete
        Whether twins without an outcome are replaced by others, because the design itself says
        who leaves. Replacing these alone keeps all other patients shared between dropout rules.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        schema: CohortSchema,
        origin: dict[str, Any],
        complete: bool = False,
    ) -> None:
        self._table = table
        self._schema = schema
        self._origin = origin
        self._complete = complete
        outcomes = [c for c in table.columns if c.startswith("outcome.")]
        self._known = np.flatnonzero(table[outcomes].notna().all(axis=1).to_numpy())
        if self._known.size < SMALLEST:
            raise InputError(
                f"population: {self._known.size} patients with all outcomes known; "
                f"{SMALLEST} are needed"
            )

    @classmethod
    def from_cohort(
        cls, cohort: Cohort, design: TrialDesign, origin: dict[str, Any] | None = None
    ) -> Self:
        """Build from a cohort: the design's endpoints and the baseline of its control patients.

        Patients of another arm are left out, since their outcomes are not those under control.

        Raises
        ------
        InputError
            If an endpoint's variable, visit or time is not in the cohort, or too few patients
            remain; all faults at once.
        """
        arms = cohort.subjects["arm"]
        if arms.notna().any():
            cohort = cohort.take((arms == design.control.name).to_numpy(dtype=bool))
        table = table_of(cohort, design.endpoints, design.time_unit)
        baseline = tuple(v for v in cohort.schema.baseline if v.name in table)
        schema = CohortSchema(study_id=cohort.schema.study_id, variables=baseline)
        return cls(
            table,
            schema,
            {"cohort_digest": cohort.digest(), **(origin or {})},
            complete=design.dropout.kind != "as_learnt",
        )

    @classmethod
    def from_model(
        cls, model: Model, design: TrialDesign, n: int = 2000, given: Any = None, seed: int = 0
    ) -> Self:
        """Build from a generative model: n twins under the control arm.

        The `n_train` of its origin are the training patients of the control arm.

        Raises
        ------
        InputError
            As `from_cohort`, or as the model's `sample`.
        """
        cohort = model.sample(n, given=given, arm=design.control.name, seed=seed)
        # Outcomes under control were learnt from the controls, not from everybody.
        behind = model.card.n_under(design.control.name)
        told = {"n_train_all_arms": model.card.n_train} if behind is None else {"n_train": behind}
        return cls.from_cohort(cohort, design, {"engine": model.card.engine, "seed": seed, **told})

    def complete(self) -> TwinPopulation:
        """The same twins where a design says itself who leaves."""
        return TwinPopulation(self._table, self._schema, self._origin, complete=True)

    @property
    def baseline_schema(self) -> CohortSchema:
        """Baseline variables."""
        return self._schema

    def known(self, column: str) -> Floats:
        """Finite values of a column of the table, for planning."""
        values = self._table[column].to_numpy(dtype=np.float64)
        known: Floats = values[np.isfinite(values)]
        return known

    def baseline(self, place: Place) -> Baseline:
        """Draw rows."""
        rows = _pick(place.uniform(_ROW), len(self._table))
        if self._complete:
            other = self._known[_pick(place.uniform(_ROW, 1), len(self._known))]
            lacking = np.ones(len(self._table), dtype=bool)
            lacking[self._known] = False
            rows = np.where(lacking[rows], other, rows)
        values = {
            v.name: self._table[v.name].to_numpy(dtype=np.float64)[rows]
            for v in self._schema.variables
        }
        return Baseline(values, rows)

    def latent(self, endpoint: Endpoint, place: Place, baseline: Baseline) -> Latent:
        """Look the outcomes of the rows up."""
        assert baseline.rows is not None
        held = [
            self._table[c].to_numpy(dtype=np.float64)[baseline.rows]
            for c in outcome_columns(endpoint)
        ]
        return coupled(endpoint, held, place, self)

    def hazard(self, endpoint: Endpoint) -> TableHazard:
        """Cumulative hazard of an endpoint in the table."""
        return hazard_of(self._table, endpoint)

    def leaves(self, place: Place, baseline: Baseline) -> Floats | None:
        """Times at which the twins left."""
        if self._complete:
            return None
        left = self._table[LEAVES].to_numpy(dtype=np.float64)[baseline.rows]
        return np.where(np.isnan(left), NEVER, left)

    def endpoint_faults(self, endpoint: Endpoint) -> list[str]:
        """Say whether the table lacks an endpoint."""
        if all(c in self._table for c in outcome_columns(endpoint)):
            return []
        return [
            f"endpoint {endpoint.name!r}: the population was built without it; build it with "
            "this design"
        ]

    def describe(self) -> dict[str, Any]:
        """Return sizes and origin."""
        left = self._table[LEAVES].notna().mean()
        return {
            "kind": "twins",
            "rows": len(self._table),
            "leave": float(left),
            "covariates": [v.name for v in self._schema.variables],
            "origin": self._origin,
        }

    def send(self, folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
        """Write the table; a worker gets its path and hash."""
        buffer = io.BytesIO()
        self._table.to_parquet(buffer, index=False)
        sha256 = hashlib.sha256(buffer.getvalue()).hexdigest()
        folder.mkdir(parents=True, exist_ok=True)
        # Named by its hash: another population sent to the same folder overwrites nothing.
        path = folder / f"population-{sha256[:16]}.parquet"
        write_atomically(path, buffer.getvalue())
        facts = {
            "kind": "twins",
            "sha256": sha256,
            "schema": self._schema.model_dump(mode="json"),
            "complete": self._complete,
        }
        return facts, {"population": str(path.resolve())}

    @classmethod
    def receive(cls, facts: dict[str, Any], path: str) -> Self:
        """Read in a worker what `send` wrote.

        Raises
        ------
        InputError
            If the file is missing or is not the one that was sent.
        """
        try:
            data = Path(path).read_bytes()
        except FileNotFoundError:
            raise InputError(
                "population: its file is missing; workers on other machines need a "
                "folder that all of them can read"
            ) from None
        if hashlib.sha256(data).hexdigest() != facts["sha256"]:
            raise InputError("population: its file has changed; run again from the start")
        schema = CohortSchema.model_validate(facts["schema"])
        return cls(pd.read_parquet(io.BytesIO(data)), schema, {}, facts["complete"])


def _pick(uniform: Floats, size: int) -> Indices:
    """Map uniform draws to rows 0 to size - 1."""
    return np.minimum((uniform * size).astype(np.int64), size - 1)


def coupled(
    endpoint: Endpoint, held: Sequence[Floats], place: Place, laws: TwinPopulation
) -> Latent:
    """Outcomes that are known under control as latent ones, so that effects can move them.

    Parameters
    ----------
    held
        The endpoint's columns, (R, N) each.
    laws
        Twins whose share of events, or hazard over time, is everybody's.
    """
    within = decision_id(f"within.{endpoint.name}") if endpoint.kind != "continuous" else 0
    if endpoint.kind == "continuous":
        return Latent(values=np.stack(held))
    if endpoint.kind == "binary":
        known = laws.known(outcome_columns(endpoint)[0])
        share = float(np.clip(known.mean(), 1e-6, 1 - 1e-6))
        drawn = place.uniform(within)
        uniform = np.where(held[0] > 0, drawn * share, share + drawn * (1 - share))
        odds = np.full(uniform.shape, np.log(share / (1 - share)))
        return Latent(uniform=np.where(np.isnan(held[0]), np.nan, uniform), log_odds=odds)
    time, event = held
    law = laws.hazard(endpoint)
    beyond = -np.log(place.uniform(within))
    hazard = law.at(time) + np.where(event > 0, 0.0, beyond)
    return Latent(hazard=hazard, scale=np.ones(1), law=law)
