"""A population of twins: a table of simulated (or real) patients, drawn with replacement."""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np
import pandas as pd

from extraction.records.errors import Faults, InputError
from generation.randomness import Stream, decision_id
from simulation.execution.manifest import write_atomically
from simulation.trial.population import Floats, Indices, Patients, Population

if TYPE_CHECKING:
    from extraction.records import Cohort, CohortSchema
    from generation.engine import Model
    from simulation.trial.design import TrialDesign

SMALLEST = 20
_ROW = decision_id("trial.twin")
_OUTCOME = "outcome"
_LEAVES = "leaves"


@final
class TwinPopulation(Population):
    """Patients drawn with replacement from a table of twins, by keyed draws.

    The table holds each twin's baseline columns, the endpoint under control and whether the twin
    leaves before the visit. Drawing more patients than the table has rows adds no information,
    and a table from a model has none beyond the `n_train` patients behind it.
    """

    def __init__(
        self, table: pd.DataFrame, columns: dict[str, tuple[str, ...]], origin: dict[str, Any]
    ) -> None:
        self._table = table
        self._columns = columns
        self._origin = origin
        self._leaves = table[_LEAVES].to_numpy(dtype=bool)
        self._outcome = table[_OUTCOME].to_numpy(dtype=np.float64)
        self._known = np.flatnonzero(np.isfinite(self._outcome))

    @classmethod
    def from_table(
        cls,
        table: pd.DataFrame,
        outcome: str,
        covariates: Sequence[str] = (),
        leaves: str | None = None,
        origin: dict[str, Any] | None = None,
    ) -> Self:
        """Build from a flat table.

        Parameters
        ----------
        table
            One row per twin.
        outcome
            Column of the endpoint under control; missing values mean that the twin left.
        covariates
            Baseline columns. Numbers are standardised, text is coded as indicators; a missing
            number becomes the mean, as randomisation allows (White and Thompson 2005,
            doi 10.1002/sim.1981), a missing text its own level.
        leaves
            Column of True where a twin with a known outcome leaves before the visit.
        origin
            What is known of the table's origin, JSON-able; shown in results.

        Raises
        ------
        InputError
            If columns are missing or constant, or fewer than 20 outcomes are known.
        """
        wanted = [outcome, *covariates, *([leaves] if leaves else [])]
        missing = [name for name in wanted if name not in table.columns]
        if missing:
            raise InputError(f"population: column {m!r} is not in the table" for m in missing)
        faults = Faults("population")
        known = pd.to_numeric(table[outcome], errors="coerce").to_numpy(dtype=np.float64)
        if np.isfinite(known).sum() < SMALLEST:
            faults.add(f"{int(np.isfinite(known).sum())} outcomes known; {SMALLEST} are needed")
        left = np.isnan(known)
        if leaves:
            left = left | table[leaves].fillna(False).to_numpy(dtype=bool)
        data: dict[str, Any] = {_OUTCOME: known, _LEAVES: left}
        columns: dict[str, tuple[str, ...]] = {}
        for name in covariates:
            coded = _coded(table[name])
            if not coded:
                faults.add(f"covariate {name!r} has one value only; leave it out")
            columns[name] = tuple(f"{name}|{level}" for level in coded)
            data |= {f"{name}|{level}": values for level, values in coded.items()}
        faults.raise_if_any()
        return cls(pd.DataFrame(data), columns, origin or {})

    @classmethod
    def from_cohort(
        cls, cohort: "Cohort", design: "TrialDesign", origin: dict[str, Any] | None = None
    ) -> Self:
        """Build from a cohort: the design's endpoint and covariates of its control patients.

        Patients of another arm are left out, since their outcomes are not those under control.

        Raises
        ------
        InputError
            If a variable or visit is not in the schema, a covariate is not known at
            randomisation, or too few patients remain.
        """
        arms = cohort.subjects["arm"]
        if arms.notna().any():
            cohort = cohort.take((arms == design.control.name).to_numpy(dtype=bool))
        endpoint = design.endpoint
        outcome = cohort.at_visit(endpoint.variable, endpoint.visit)
        if endpoint.change_from:
            outcome = outcome - cohort.at_visit(endpoint.variable, endpoint.change_from)
        _check_covariates(design.covariates, cohort.schema)
        table = {_OUTCOME: outcome.to_numpy()}
        for name in design.covariates:
            variable, _, visit = name.partition("@")
            known = cohort.at_visit(variable, visit) if visit else cohort.subjects[name]
            table[name] = known.to_numpy()
        facts = {"cohort_digest": cohort.digest(), **(origin or {})}
        return cls.from_table(pd.DataFrame(table), _OUTCOME, design.covariates, origin=facts)

    @classmethod
    def from_model(
        cls,
        model: "Model",
        design: "TrialDesign",
        n: int = 2000,
        given: Any = None,
        seed: int = 0,
    ) -> Self:
        """Build from a generative model: n twins under the control arm.

        The `n_train` of its origin are the training patients of the control arm.

        Raises
        ------
        InputError
            As `from_cohort`, or as the model's `sample`.
        """
        _check_covariates(design.covariates, model.schema)
        cohort = model.sample(n, given=given, arm=design.control.name, seed=seed)
        # Outcomes under control were learnt from the controls, not from everybody.
        behind = model.card.n_under(design.control.name)
        told = {"n_train_all_arms": model.card.n_train} if behind is None else {"n_train": behind}
        return cls.from_cohort(cohort, design, {"engine": model.card.engine, "seed": seed, **told})

    @property
    def centre(self) -> float:
        """Mean of the known outcomes."""
        return float(np.nanmean(self._outcome))

    @property
    def covariates(self) -> tuple[str, ...]:
        """Those of the table."""
        return tuple(self._columns)

    @property
    def sd(self) -> float:
        """Standard deviation of the known outcomes."""
        return float(np.nanstd(self._outcome, ddof=1))

    def draw(
        self,
        stream: Stream,
        replicates: Indices,
        patients: Indices,
        covariates: tuple[str, ...],
        known_only: bool,
    ) -> Patients:
        """Draw rows; with `known_only`, a row without outcome is replaced by one that has it.

        Replacing such rows alone keeps all other patients shared between dropout rules.
        """
        grid = (replicates[:, None], patients[None, :])
        rows = _pick(stream.uniform(*grid, _ROW, 0), len(self._table))
        if known_only:
            other = self._known[_pick(stream.uniform(*grid, _ROW, 1), len(self._known))]
            rows = np.where(np.isnan(self._outcome[rows]), other, rows)
        names = [column for name in covariates for column in self._columns[name]]
        values = self._table[names].to_numpy(dtype=np.float64).T
        return Patients(values[:, rows], self._outcome[rows], self._leaves[rows])

    def describe(self) -> dict[str, Any]:
        """Return sizes and origin."""
        return {
            "kind": "twins",
            "rows": len(self._table),
            "left_before_visit": float(self._leaves.mean()),
            "covariates": list(self._columns),
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
            "columns": {name: list(columns) for name, columns in self._columns.items()},
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
                "population: its file is missing; workers on other machines need a folder that "
                "all of them can read"
            ) from None
        if hashlib.sha256(data).hexdigest() != facts["sha256"]:
            raise InputError("population: its file has changed; run again from the start")
        columns = {name: tuple(held) for name, held in facts["columns"].items()}
        return cls(pd.read_parquet(io.BytesIO(data)), columns, {})


def _check_covariates(covariates: Sequence[str], schema: "CohortSchema") -> None:
    """Refuse what is not known at randomisation: later visits, and flags set in hindsight."""
    faults = Faults("population")
    baseline = {v.name for v in schema.baseline}
    for name in covariates:
        variable, _, visit = name.partition("@")
        with faults.catch():
            schema.variable(variable)
            if visit and schema.visit(visit).day > 0:
                faults.add(f"covariate {name!r} is measured after randomisation; leave it out")
            if not visit and name not in baseline:
                faults.add(f"covariate {name!r} is no baseline variable; leave it out")
    faults.raise_if_any()


def _pick(uniform: Floats, size: int) -> Indices:
    """Map uniform draws to rows 0 to size - 1."""
    return np.minimum((uniform * size).astype(np.int64), size - 1)


def _coded(values: pd.Series) -> dict[str, Floats]:
    """Code a covariate as columns: a standardised number, or indicators of all levels but one."""
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        held = numbers[np.isfinite(numbers)]
        if not held.size or np.ptp(held) == 0:
            return {}
        scaled = (numbers - held.mean()) / held.std()
        return {"standardised": np.where(np.isfinite(scaled), scaled, 0.0)}
    texts = values.astype(object).where(values.notna(), "(missing)").astype(str)
    levels = sorted(set(texts))
    held_texts = texts.to_numpy()
    return {level: np.asarray(held_texts == level, dtype=np.float64) for level in levels[1:]}
