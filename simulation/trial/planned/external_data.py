"""The patients of a borrowing analysis: treated, own controls and external ones, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
import pandas as pd

from simulation.analysis.external.time_to_event import pseudo_values
from simulation.trial.outcomes.base import Booleans, Floats, Indices, Observed
from simulation.trial.planned.external import ExternalControls, scale_of
from simulation.trial.planned.plan import AnalysisPlan, Question
from simulation.trial.planned.reading import Data, coded
from simulation.trial.population.tables import DAYS

if TYPE_CHECKING:
    from extraction.records import Cohort


@final
@dataclass(frozen=True)
class Pool:
    """Patients of one borrowing analysis: treated, then own controls, then external ones.

    Attributes
    ----------
    treated, external
        1.0 or 0.0 (N,).
    source
        Number of the study (N,) that an external control comes from; -1 in the trial.
    x, names
        Covariates (N, P) and their names, categories as indicators.
    y
        Outcome (N,): a value, 0/1, or a pseudo-value of the restricted mean; NaN for hazards.
    time, event
        (N,) of a hazard; NaN otherwise.
    subjects
        Study and patient of each row.
    left_out
        Reason to counts: of the trial's treated, its controls, the external controls.
    """

    treated: Floats
    external: Floats
    source: Indices
    x: Floats
    names: tuple[str, ...]
    y: Floats
    time: Floats
    event: Floats
    subjects: pd.DataFrame
    left_out: dict[str, tuple[int, int, int]]

    @property
    def own(self) -> Booleans:
        """The trial's own controls (N,)."""
        return np.asarray((self.treated == 0) & (self.external == 0))

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Treated, own controls, external controls."""
        return int(self.treated.sum()), int(self.own.sum()), int(self.external.sum())

    def columns(self, rows: Booleans) -> dict[str, Floats]:
        """Covariates of some patients by name."""
        return {name: self.x[rows, k] for k, name in enumerate(self.names)}


@final
@dataclass(frozen=True)
class Lender:
    """The external cohort as a plan reads it.

    Attributes
    ----------
    cohort
        All of it.
    eligible
        Patients of the named arm who meet the condition (N,).
    outcomes
        By endpoint, over (1, N).
    """

    cohort: Cohort
    eligible: Booleans
    outcomes: dict[str, Observed]


def lender(plan: AnalysisPlan, given: ExternalControls, external: Cohort) -> Lender:
    """Read the external cohort; the plan has been checked against it."""
    eligible = (external.subjects["arm"] == given.arm).to_numpy(dtype=bool)
    if given.condition is not None:
        eligible = eligible & np.asarray(external.mask(given.condition) == 1)
    wanted = {q.endpoint.name for q in plan.questions if q.planned in given.borrows(plan)}
    wanted |= set(given.negative_controls)
    unit = DAYS[plan.time_unit]
    read = {e.name: e.read(external, unit) for e in plan.endpoints if e.name in wanted}
    return Lender(external, eligible, read)


def pool(
    cohort: Cohort, data: Data, given: ExternalControls, question: Question, held: Lender
) -> Pool:
    """Put the patients of one question together."""
    endpoint, scale = question.endpoint.name, scale_of(question.analysis)
    horizon = question.analysis.horizon if question.analysis.kind == "rmst" else None
    mine, theirs = data.outcomes[endpoint], held.outcomes[endpoint]
    groups = [
        _group(cohort, given, mine, data.counted & (data.arm == question.arm_number)),
        _group(cohort, given, mine, data.counted & (data.arm == 0)),
        _group(held.cohort, given, theirs, held.eligible, cohort),
    ]
    values = [_values(group, horizon) if scale == "mean" else group.y for group in groups]
    studies = held.cohort.subjects["study_id"].to_numpy()[groups[2].rows]
    sizes = [int(group.rows.sum()) for group in groups]
    table, names = _table([group.x for group in groups], given, cohort)
    reasons = dict.fromkeys(r for group in groups for r in group.left_out)
    return Pool(
        np.repeat([1.0, 0.0, 0.0], sizes),
        np.repeat([0.0, 0.0, 1.0], sizes),
        np.concatenate([np.full(sum(sizes[:2]), -1), np.unique(studies, return_inverse=True)[1]]),
        table,
        names,
        np.concatenate(values),
        np.concatenate([group.time for group in groups]),
        np.concatenate([group.event for group in groups]),
        pd.concat([group.subjects for group in groups], ignore_index=True),
        {r: tuple(g.left_out.get(r, 0) for g in groups) for r in reasons},  # type: ignore[misc]
    )


def negative(cohort: Cohort, data: Data, held: Lender, whole: Pool, name: str) -> Floats:
    """Values (N,) of a negative control among a pool's patients; NaN where unknown."""
    if name in held.outcomes:
        mine, theirs = data.outcomes[name].values, held.outcomes[name].values
        assert mine is not None and theirs is not None
        values = [np.where(o.included[0], v[-1, 0], np.nan) for o, v in (
            (data.outcomes[name], mine), (held.outcomes[name], theirs))]  # fmt: skip
    else:
        values = [coded(c, name, ()) for c in (cohort, held.cohort)]
    found = [
        pd.Series(v, index=pd.MultiIndex.from_frame(c.subjects[["study_id", "subject_id"]]))
        for v, c in zip(values, (cohort, held.cohort), strict=True)
    ]
    external = whole.external == 1
    keys = pd.MultiIndex.from_frame(whole.subjects)
    out = np.empty(len(keys))
    out[~external] = found[0].reindex(keys[~external])
    out[external] = found[1].reindex(keys[external])
    return out


@final
@dataclass(frozen=True)
class _Group:
    rows: Booleans
    x: dict[str, Floats]
    y: Floats
    time: Floats
    event: Floats
    subjects: pd.DataFrame
    left_out: dict[str, int]


def _group(
    cohort: Cohort, given: ExternalControls, seen: Observed, asked: Booleans, trial: Any = None
) -> _Group:
    """Those asked for whose covariates and outcome are known; categories as in the trial."""
    schema = (trial or cohort).schema
    x = {n: coded(cohort, n, schema.variable(n).categories or ()) for n in given.covariates}
    known = np.isfinite(np.stack(list(x.values()))).all(axis=0)
    there = seen.included[0] & (True if seen.values is None else np.isfinite(seen.values[-1, 0]))
    rows = asked & known & there
    nothing = np.full(int(rows.sum()), np.nan)
    return _Group(
        rows,
        {name: values[rows] for name, values in x.items()},
        nothing if seen.values is None else seen.values[-1, 0][rows],
        nothing if seen.time is None else seen.time[0][rows],
        nothing if seen.event is None else seen.event[0][rows],
        cohort.subjects.loc[rows, ["study_id", "subject_id"]],
        {
            reason: n
            for reason, n in (
                ("covariates unknown", int((asked & ~known).sum())),
                ("no outcome", int((asked & known & ~there).sum())),
            )
            if n
        },
    )


def _values(group: _Group, horizon: float | None) -> Floats:
    if horizon is None or not group.time.size:
        return group.y
    return pseudo_values(group.time, group.event, horizon)


def _table(
    groups: list[dict[str, Floats]], given: ExternalControls, cohort: Cohort
) -> tuple[Floats, tuple[str, ...]]:
    """Columns (N, P): numbers, and indicators of every level that occurs but the first."""
    columns, names = [], []
    for name in given.covariates:
        values = np.concatenate([group[name] for group in groups])
        variable = cohort.schema.variable(name)
        if variable.numeric:
            columns.append(values)
            names.append(name)
            continue
        for level in np.unique(values)[1:]:
            columns.append((values == level).astype(np.float64))
            names.append(f"{name}={(variable.categories or ())[int(level)]}")
    kept = [k for k, column in enumerate(columns) if np.ptp(column) > 0]
    table = np.stack([columns[k] for k in kept], axis=1) if kept else np.empty((values.size, 0))
    return table, tuple(names[k] for k in kept)
