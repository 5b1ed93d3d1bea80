"""Inverse probability of censoring weights as an option of a planned analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import numpy as np
from pydantic import Field

from extraction.records.errors import InputError
from simulation.analysis.censoring_weights import (
    Line,
    censoring_model,
    dropout_weights,
    weighted_cox,
    weighted_curve,
    weighted_least_squares,
)
from simulation.trial.analyses import Fit, LookData
from simulation.trial.outcomes.base import Floats
from simulation.trial.plan import Name, Plan

if TYPE_CHECKING:
    from simulation.trial.planned.plan import Question

KINDS = ("ancova", "cox", "log_rank", "rmst", "landmark")


@final
class CensoringWeights(Plan):
    """What censoring, or dropout from visits, may depend on.

    Time to event: a Cox model of censoring with its own baseline in each arm. Visits: at each, a
    logistic regression of being seen on the arm, these covariates and the value at the visit
    before, among those seen at all earlier ones.
    """

    covariates: tuple[Name, ...] = Field(min_length=1, max_length=30)
    largest: float | None = Field(default=None, gt=1, description="weights above are cut to it")

    @property
    def cap(self) -> float:
        """Greatest weight."""
        return np.inf if self.largest is None else self.largest

    def fault(self, analysis: Any, endpoint: Any) -> str | None:
        """Say why an analysis cannot be weighted."""
        if analysis.kind not in KINDS:
            return f"{analysis.kind} takes no weights; allowed: {', '.join(KINDS)}"
        if analysis.strata:
            return "a weighted analysis has no strata; put them among the covariates"
        if getattr(analysis, "weighting", None) is not None:
            return "log_rank has either its own weighting or weights of censoring"
        if endpoint.kind == "time_to_event" and endpoint.causes:
            return "competing causes are no censoring; leave `causes` out"
        return None


def weighted_fit(seen: LookData, question: Question, x: Floats) -> Fit:
    """A planned analysis with weights; without an estimate where the weights have none.

    Parameters
    ----------
    seen
        Patients of one comparison, (1, n); of visits those without an outcome too.
    x
        Covariates (n, P) of the weights.
    """
    treated = (seen.arm[0] == question.arm_number).astype(np.float64)
    analysis, given = question.analysis, question.censoring
    columns = np.column_stack([treated, *seen.covariates[:, 0]])
    n = float(treated.size)
    try:
        if analysis.kind == "ancova":
            line, n = _visits(seen, columns, x, given.cap)
        else:
            line = _times(seen, analysis, columns, x, given.cap)
    except InputError:
        nothing = np.full(1, np.nan)
        return Fit(nothing, np.full(1, np.inf), np.zeros(1), np.zeros(1), np.full(1, n))
    one = np.ones(1)
    more = {"largest_weight": one * line.largest, "mean_weight": one * line.mean}
    return Fit(one * line.estimate, one * line.se, one * (line.estimate / line.se),
               one * line.se**-2, one * n, more)  # fmt: skip


def _times(seen: LookData, analysis: Any, columns: Floats, x: Floats, cap: float) -> Line:
    assert seen.observed.time is not None and seen.observed.event is not None
    time, event = seen.observed.time[0], seen.observed.event[0]
    if not event.any():
        raise InputError("no events")
    model = censoring_model(time, event, columns[:, 0], x, cap)
    if analysis.kind in ("cox", "log_rank"):
        return weighted_cox(time, event, columns, model, one_step=analysis.kind == "log_rank")
    horizon = analysis.horizon if analysis.kind == "rmst" else analysis.at
    return weighted_curve(time, event, columns[:, 0], model, horizon, analysis.kind == "rmst")


def _visits(seen: LookData, columns: Floats, x: Floats, cap: float) -> tuple[Line, float]:
    assert seen.observed.values is not None
    values = seen.observed.values[:, 0]
    there = np.isfinite(values)
    before = np.where(there, values, 0.0)  # of those who left, nothing is used
    history = [x, *(np.column_stack([x, before[k]]) for k in range(len(values) - 1))]
    weights = dropout_weights(there, history, columns[:, 0], cap)
    return weighted_least_squares(before[-1], columns, weights), float((weights > 0).sum())
