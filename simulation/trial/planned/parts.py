"""Parts of an analysis plan beside its endpoints and analyses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self, final

import numpy as np
from pydantic import Field, ValidationError, model_validator

from extraction.records.errors import nearest
from simulation.analysis.missing import Assumption
from simulation.analysis.multiplicity import Graph, fixed_sequence, hochberg, holm
from simulation.analysis.procova import LockedScore
from simulation.trial.outcomes.base import Floats
from simulation.trial.plan import Finite, Name, Plan

if TYPE_CHECKING:
    from extraction.records import CohortSchema


@final
class Patients(Plan):
    """Who the question is about."""

    words: str = Field(default="all randomised patients", min_length=1)
    condition: dict[str, Any] | None = Field(
        default=None, description="who counts, e.g. {ITTFL: Y}; none: everybody"
    )


@final
class Multiplicity(Plan):
    """How several tested hypotheses share alpha."""

    procedure: Literal["graph", "holm", "hochberg", "fixed_sequence", "bonferroni"]
    weights: tuple[float, ...] = Field(default=(), description="of a graph, by hypothesis")
    transitions: tuple[tuple[float, ...], ...] = Field(default=(), description="of a graph")

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.procedure != "graph":
            if self.weights or self.transitions:
                raise ValueError("weights, transitions: go with procedure graph only")
            return self
        try:
            Graph(weights=self.weights, transitions=self.transitions)
        except ValidationError as error:
            raise ValueError(
                "\n".join(str(e["msg"]).removeprefix("Value error, ") for e in error.errors())
            ) from None
        return self

    def adjusted(self, p: Floats) -> Floats:
        """Adjusted p values (H,)."""
        h = p.size
        if self.procedure == "hochberg":
            return np.asarray(hochberg(p)[0])
        graph = {
            "graph": lambda: Graph(weights=self.weights, transitions=self.transitions),
            "holm": lambda: holm(h),
            "fixed_sequence": lambda: fixed_sequence(h),
            "bonferroni": lambda: Graph(weights=(1 / h,) * h),
        }[self.procedure]()
        return np.asarray(graph.adjusted(p)[0])


@final
class Subgroup(Plan):
    """Patients in whom an analysis is repeated: levels of a variable, or a condition."""

    by: Name | None = Field(default=None, description="categorical baseline variable: each level")
    name: Name | None = None
    condition: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.by is None) == (self.condition is None) or (self.condition and not self.name):
            raise ValueError("give either by, or name and condition")
        return self


@final
class MissingData(Plan):
    """Sensitivity of an analysis of visits to values that are not missing at random.

    Reference-based multiple imputation; see `simulation.analysis.missing.reference_based`.
    """

    analysis: Name = Field(description="name of an mmrm or ancova analysis")
    assumptions: tuple[Assumption, ...] = Field(default=("jump_to_reference",), min_length=1)
    deltas: tuple[Finite, ...] = Field(
        default=(0.0,), min_length=1, max_length=50, description="shifts of imputed values"
    )
    imputations: int = Field(default=100, ge=2, le=1000)
    seed: int = Field(default=0, ge=0)


@final
class Score(Plan):
    """A prognostic score locked on a historical trial (PROCOVA), used like a covariate.

    Its definition stands in the plan, so that the plan's lock holds it. Fields are those of
    `simulation.analysis.procova.LockedScore`; columns are numbers, or "variable=category".
    """

    name: Name
    study_id: Name = Field(description="the historical trial")
    data_digest: str = Field(default="", description="of the historical data")
    content: dict[str, Any] = Field(description="kind, names, coefficients, centre, scale, n")
    digest: str = Field(description="SHA-256 that locks it")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        lists = [self.content.get(k) for k in ("names", "coefficients", "centre", "scale")]
        if not all(isinstance(held, list) and held for held in lists) or len(
            {len(held) for held in lists if isinstance(held, list)}
        ) != 1:
            raise ValueError("content: names, coefficients, centre and scale, one each a column")
        if LockedScore.of(self.study_id, self.data_digest, self.content).digest != self.digest:
            raise ValueError("its content does not match its hash; restore the locked score")
        return self

    @property
    def locked(self) -> LockedScore:
        """As `simulation.analysis.procova` takes it."""
        return LockedScore(self.study_id, self.data_digest, self.content, self.digest)

    @property
    def columns(self) -> dict[str, tuple[str, str | None]]:
        """Variable and category behind each column."""
        split = {name: name.partition("=") for name in map(str, self.content["names"])}
        return {name: (of, level if sign else None) for name, (of, sign, level) in split.items()}

    def faults(self, schema: CohortSchema) -> list[str]:
        """Say which columns the cohort lacks."""
        known = {v.name: v for v in schema.baseline}
        faults = []
        for name, (variable, level) in self.columns.items():
            if variable not in known:
                faults.append(f"{variable!r} is no baseline variable{nearest(variable, known)}")
            elif known[variable].numeric != (level is None):
                faults.append(f"{name!r}: a number, or variable=category, is needed")
            elif level is not None and level not in (known[variable].categories or ()):
                faults.append(f"{name!r}: there is no such category")
        if self.name in known:
            faults.append("the cohort has a variable of this name; give the score another")
        return [f"score {self.name!r}: {fault}" for fault in faults]

    def values(self, baseline: dict[str, Floats], schema: CohortSchema) -> Floats:
        """Score of each patient (N,), NaN where a column is unknown.

        `baseline` holds numbers, or the numbers of categories, by variable.
        """
        table = {}
        for name, (variable, level) in self.columns.items():
            held = baseline[variable]
            if level is not None:
                number = (schema.variable(variable).categories or ()).index(level)
                held = np.where(np.isfinite(held), (held == number).astype(np.float64), np.nan)
            table[name] = held
        known = np.isfinite(np.stack(list(table.values()))).all(axis=0)
        out = np.full(known.shape, np.nan)
        if known.any():
            out[known] = self.locked.score({name: v[known] for name, v in table.items()})
        return out
