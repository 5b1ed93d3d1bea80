"""What a continuous analysis says if values are not missing at random."""

from __future__ import annotations

from typing import Any

import numpy as np

from extraction.records.errors import InputError
from simulation.analysis.estimate import Estimate
from simulation.analysis.missing import reference_based
from simulation.trial.planned.answering import FEWEST, level_of
from simulation.trial.planned.parts import MissingData
from simulation.trial.planned.plan import AnalysisPlan, Question
from simulation.trial.planned.reading import Data, choose, look


def departures(data: Data, plan: AnalysisPlan) -> list[dict[str, Any]]:
    """Multiple imputation under each assumption and delta that the plan names.

    Everybody of the plan's patients whose covariates are known counts, also without any value.

    Returns
    -------
    list of dict
        By question and assumption: ``estimates``, one a delta, and ``tips_at``: the first delta
        in the plan's order whose interval holds 0 (None where none does); ``note`` where the
        model does not converge.
    """
    found = []
    for asked in plan.missing_data:
        for question in plan.questions:
            if question.planned == asked.analysis:
                found += [_assumed(data, plan, question, asked, a) for a in asked.assumptions]
    return found


def _assumed(
    data: Data, plan: AnalysisPlan, question: Question, asked: MissingData, assumption: Any
) -> dict[str, Any]:
    note = None
    estimates: list[Estimate] = []
    try:
        estimates = _estimates(data, plan, question, asked, assumption)
    except InputError as error:  # the other results stand
        note = "no estimate: " + "; ".join(error.faults)
    held = [e.extra["delta"] for e in estimates if e.low <= 0 <= e.high]
    named = {"adjusted_for": list(question.analysis.covariates)}
    return {
        "question": question.id,
        "name": question.name,
        "assumption": assumption,
        "estimates": [{**e.to_dict(), "extra": {**e.extra, **named}} for e in estimates],
        "note": note,
        "tips_at": held[0] if held else None,
    }


def _estimates(
    data: Data, plan: AnalysisPlan, question: Question, asked: MissingData, assumption: Any
) -> list[Estimate]:
    chosen = choose(data, question, outcome=False)
    if min(chosen.n) < FEWEST:
        raise InputError(f"fewer than {FEWEST} patients in an arm")
    seen = look(data, question, chosen)
    assert seen.observed.values is not None
    return reference_based(
        np.moveaxis(seen.observed.values[:, 0], 0, -1),
        (seen.arm[0] > 0).astype(np.float64),
        {f"column {k}": column[0] for k, column in enumerate(seen.covariates)},
        assumption=assumption,
        deltas=asked.deltas,
        imputations=asked.imputations,
        seed=asked.seed,
        level=level_of(plan),
        estimand=plan.estimand(question),
    )
