"""From a cohort to the arrays of one analysis; everybody who is left out is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from simulation.trial.analyses import LookData
from simulation.trial.outcomes.base import Booleans, Floats, Indices, Observed
from simulation.trial.planned.plan import AnalysisPlan, Question
from simulation.trial.population.tables import DAYS

if TYPE_CHECKING:
    from extraction.records import Cohort


@final
@dataclass(frozen=True)
class Data:
    """A cohort as a plan reads it, all patients in row order.

    Attributes
    ----------
    arm
        Number of each patient's arm (N,): 0 control, -1 none of the plan's.
    counted
        Who belongs to the plan's patients (N,).
    outcomes
        By endpoint, over (1, N).
    baseline
        By variable (N,): numbers, or the number of the category; NaN where unknown.
    levels
        Number of categories; 0 of a number.
    """

    arm: Indices
    counted: Booleans
    outcomes: dict[str, Observed]
    baseline: dict[str, Floats]
    levels: dict[str, int]

    def known(self, question: Question) -> Booleans:
        """Who has an outcome (N,)."""
        seen = self.outcomes[question.endpoint.name]
        if seen.values is None:
            return np.asarray(seen.included[0])
        finite = np.isfinite(seen.values[:, 0])
        some = finite.any(axis=0) if question.analysis.kind == "mmrm" else finite[-1]
        return np.asarray(seen.included[0] & some)


@final
@dataclass(frozen=True)
class Chosen:
    """Who counts in one analysis, and why others do not.

    Attributes
    ----------
    rows
        (N,): in the analysis.
    left_out
        Reason to counts by arm, control first; reasons in order, each among those still in.
    n
        By arm, control first.
    """

    rows: Booleans
    left_out: dict[str, tuple[int, int]]
    n: tuple[int, int]


def read(cohort: Cohort, plan: AnalysisPlan) -> Data:
    """Read all that a plan needs; the plan has been checked against the cohort."""
    numbers = {arm: k for k, arm in enumerate(plan.arms)}
    arm = np.asarray(cohort.subjects["arm"].map(numbers).fillna(-1), dtype=np.int64)
    counted = np.ones(len(cohort), dtype=bool)
    if plan.patients.condition is not None:
        counted = np.asarray(cohort.mask(plan.patients.condition) == 1)
    unit = DAYS[plan.time_unit]
    outcomes = {endpoint.name: endpoint.read(cohort, unit) for endpoint in plan.endpoints}
    asked = {n for q in plan.questions for n in (*q.baseline, *q.analysis.strata)}
    asked |= {s.by for s in plan.subgroups if s.by}
    scores = {s.name: s for s in plan.scores if s.name in asked}
    asked |= {name for score in scores.values() for name, _ in score.columns.values()}
    baseline, levels = {}, {}
    for name in sorted(asked - set(scores)):
        variable = cohort.schema.variable(name)
        baseline[name] = coded(cohort, name, variable.categories or ())
        levels[name] = 0 if variable.numeric else len(variable.categories or ())
    for name, score in scores.items():
        baseline[name], levels[name] = score.values(baseline, cohort.schema), 0
    return Data(arm, counted, outcomes, baseline, levels)


def coded(cohort: Cohort, name: str, categories: tuple[str, ...]) -> Floats:
    """A baseline variable (N,): numbers, or the numbers of its categories; NaN where unknown."""
    values = cohort.subjects[name]
    if not cohort.schema.variable(name).numeric:
        values = values.map({c: float(k) for k, c in enumerate(categories)})
    return values.to_numpy(dtype=np.float64)


def choose(
    data: Data, question: Question, among: Booleans | None = None, outcome: bool = True
) -> Chosen:
    """Who counts in an analysis: both arms, the plan's patients, covariates and outcome known.

    With `outcome` False, those without an outcome count too.
    """
    left = (data.arm == 0) | (data.arm == question.arm_number)
    if among is not None:
        left = left & among
    tests = {"not among the plan's patients": data.counted}
    for what, names in (("covariates", question.baseline), ("strata", question.analysis.strata)):
        known = np.ones(left.shape, dtype=bool)
        for name in names:
            known &= np.isfinite(data.baseline[name])
        tests[f"{what} unknown"] = known
    # Standardisation and the weights of visits use those without an outcome too.
    weighted = question.censoring is not None and question.analysis.kind == "ancova"
    if outcome and question.analysis.kind != "standardised" and not weighted:
        tests["no outcome"] = data.known(question)
    reasons = {}
    for reason, kept in tests.items():
        gone = _by_arm(data, left & ~kept)
        if any(gone):
            reasons[reason] = gone
        left = left & kept
    return Chosen(left, reasons, _by_arm(data, left))


def _by_arm(data: Data, rows: Booleans) -> tuple[int, int]:
    return int((rows & (data.arm == 0)).sum()), int((rows & (data.arm > 0)).sum())


def look(data: Data, question: Question, chosen: Chosen) -> LookData:
    """Arrays (1, n) of those who count, as the simulator's analyses take them."""
    rows = chosen.rows
    seen = data.outcomes[question.endpoint.name]
    observed = Observed(
        np.ones((1, int(rows.sum())), dtype=bool),
        values=None if seen.values is None else seen.values[:, :, rows],
        time=None if seen.time is None else seen.time[:, rows],
        event=None if seen.event is None else seen.event[:, rows],
        exposure=None if seen.exposure is None else seen.exposure[:, rows],
        other=None if seen.other is None else seen.other[:, rows],
    )
    covariates = table_of(data, question.analysis.covariates, rows)[:, None, :]
    return LookData(observed, data.arm[None, rows], covariates, _strata(data, question, rows))


def table_of(data: Data, names: tuple[str, ...], rows: Booleans) -> Floats:
    """Columns (P, n) of some covariates."""
    columns = [
        column
        for name in names
        for column in columns_of(data.baseline[name][rows], data.levels[name])
    ]
    return np.stack(columns) if columns else np.empty((0, int(rows.sum())))


def columns_of(values: Floats, levels: int) -> list[Floats]:
    """Columns (n,) of a covariate: a number, or indicators of the levels that occur.

    A covariate without spread gives none.
    """
    if not levels:
        return [values] if np.ptp(values) > 0 else []
    return [(values == level).astype(np.float64) for level in np.unique(values)[1:]]


def _strata(data: Data, question: Question, rows: Booleans) -> Indices | None:
    if not question.analysis.strata:
        return None
    total = np.zeros(int(rows.sum()), dtype=np.int64)
    for name in question.analysis.strata:
        total = total * data.levels[name] + data.baseline[name][rows].astype(np.int64)
    return total[None]
