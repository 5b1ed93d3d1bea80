"""Borrow external controls for the analyses that a plan names, or say why not."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np
import pandas as pd
from scipy.special import ndtr

from extraction.records.errors import InputError
from simulation.analysis.estimate import Estimand, Estimate, jsonable
from simulation.analysis.external.verdict import Evidence, Verdict, judge
from simulation.trial.planned.answering import Answer, level_of
from simulation.trial.planned.external import BAYESIAN, WEIGHTS, ExternalControls, scale_of
from simulation.trial.planned.external_data import Lender, Pool, lender, negative, pool
from simulation.trial.planned.external_evidence import conflict, negative_lines, tipping, type_one
from simulation.trial.planned.external_methods import Summaries, estimate, fit_of, summarised
from simulation.trial.planned.plan import AnalysisPlan, Question
from simulation.trial.planned.reading import Data

if TYPE_CHECKING:
    from extraction.records import Cohort

REFUSED = "Borrowing refused"
WHOM = {
    "overlap_weights": "those who could be in either group (overlap weights)",
    "propensity_matching": "treated patients who found a match",
}
"""For whom the effect is, by method; the others': as the treated patients are."""


@final
@dataclass(frozen=True)
class Borrowed:
    """One question's external controls.

    Attributes
    ----------
    accepted
        Whether the borrowed estimate answers the question.
    reasons
        Against it; none where accepted.
    verdict
        Every diagnostic; None where there were too few patients for any.
    alone
        What the trial's own controls say; NaN in a single-arm trial.
    estimate
        The borrowed one; None where it was refused.
    share
        Of the controls' weight that is external.
    drifts
        Type I error of the whole strategy by drift.
    pool
        The patients.
    """

    given: ExternalControls
    accepted: bool
    reasons: tuple[str, ...]
    verdict: Verdict | None
    alone: Estimate
    estimate: Estimate | None
    share: float | None
    drifts: tuple[dict[str, float], ...]
    pool: Pool = field(repr=False)

    @property
    def word(self) -> str:
        """The verdict in one line."""
        if self.accepted:
            return "Borrowing accepted: every limit of the plan holds"
        return f"{REFUSED}: {'; '.join(self.reasons)}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-able results."""
        found = None if self.verdict is None else self.verdict.to_dict()
        n1, own, external = self.pool.sizes
        return dict(
            jsonable(
                {
                    "accepted": self.accepted,
                    "verdict": self.word,
                    "reasons": list(self.reasons),
                    "method": self.given.method,
                    "design": self.given.design,
                    "n": {"treated": n1, "own_controls": own, "external_controls": external},
                    "left_out": {
                        reason: dict(zip(("treated", "own_controls", "external_controls"), counts,
                                         strict=True))
                        for reason, counts in self.pool.left_out.items()
                    },
                    "balance": None if found is None else found["baseline"],
                    "conflict_p": None if found is None else found["evidence"]["conflict_p"],
                    "negative_controls": {} if found is None else {
                        name: {k: line[k] for k in ("estimate", "low", "high", "p_value")}
                        for name, line in found["evidence"]["negative_controls"].items()
                    },
                    "tipping": None if found is None else found["evidence"]["tipping"],
                    "type_one": list(self.drifts),
                    "external_share": self.share,
                    "own_controls_alone": self.alone.to_dict(),
                    "rule_digest": None if found is None else found["rule_digest"],
                }
            )
        )  # fmt: skip


def borrow(
    cohort: Cohort,
    data: Data,
    plan: AnalysisPlan,
    answers: tuple[Answer, ...],
    external: Cohort,
) -> tuple[Answer, ...]:
    """Answers of a plan with external controls where it asks for them and its limits hold.

    Elsewhere the fall-back stands: the trial's own controls alone, or no estimate in a single-arm
    trial.
    """
    given = plan.external_controls
    assert given is not None
    held = lender(plan, given, given.adapted(external))
    asked = given.borrows(plan)
    return tuple(
        _answered(cohort, data, plan, answer, held) if answer.question.planned in asked else answer
        for answer in answers
    )


def _answered(
    cohort: Cohort, data: Data, plan: AnalysisPlan, answer: Answer, held: Lender
) -> Answer:
    given, question = plan.external_controls, answer.question
    assert given is not None
    patients = pool(cohort, data, given, question, held)
    values = {
        name: negative(cohort, data, held, patients, name) for name in given.negative_controls
    }
    found = _judged(plan, given, answer, patients, values, held.cohort.schema.study_id)
    if found.accepted and found.estimate is not None:
        fit = fit_of(found.estimate)
        turned = float(fit.z[0]) * question.endpoint.sign * question.analysis.sign
        return Answer(question, found.estimate, float(ndtr(-turned)), answer.chosen, fit, found)
    own = answer.estimate
    if given.design == "single_arm":
        extra = {**own.extra, "note": f"no estimate. {found.word}"}
    else:
        caution = "Borrowing refused (see External controls). Own controls alone"
        extra = {**own.extra, "caution": caution}
    return replace(answer, estimate=replace(own, extra=extra), borrowed=found)


def _judged(
    plan: AnalysisPlan, given: ExternalControls, answer: Answer, held: Pool,
    values: dict[str, Any], study: str,
) -> Borrowed:  # fmt: skip
    """All diagnostics of one question, and the estimate if none stands against it."""
    few = [
        f"{words}: {n} patients; at least 5"
        for words, n in zip(("treated", "own controls", "external controls"), held.sizes,
                            strict=True)
        if n < 5 and not (words == "own controls" and given.design == "single_arm")
    ]  # fmt: skip
    if few:
        return Borrowed(given, False, tuple(few), None, answer.estimate, None, None, (), held)
    question = answer.question
    hazard = scale_of(question.analysis) == "hazard"
    reasons: list[str] = []
    made: tuple[Estimate, float] | None = None
    means: Summaries | None = None
    try:
        means = None if hazard else summarised(held)
        made = estimate(given, held, hazard, question.endpoint.kind == "binary", level_of(plan),
                        _estimand(plan, given, question, study))  # fmt: skip
    except InputError as error:
        reasons += [f"no estimate: {fault}" for fault in error.faults]
    drifts: list[dict[str, float]] = []
    evidence = Evidence(negative_controls=negative_lines(held, values))
    if made is not None:
        se = made[0].se
        drifts = type_one(given, held, means, se, made[1], 1 - level_of(plan))
        evidence = replace(
            evidence,
            conflict_p=conflict(held, means),
            tipping=tipping(made[0], held, None if means is None else means.sd),
            worst_type_one=max(line["type_one"] for line in drifts),
        )
    verdict = _verdict(given, held, evidence)
    reasons = [*verdict.reasons, *reasons]
    accepted = not reasons and made is not None
    return Borrowed(
        given,
        accepted,
        tuple(reasons),
        verdict,
        answer.estimate,
        _told(given, made, verdict) if accepted else None,
        None if made is None else made[1],
        tuple(drifts),
        held,
    )


def _verdict(given: ExternalControls, held: Pool, evidence: Evidence) -> Verdict:
    external = held.external == 1
    stated = given.definitions
    return judge(
        held.columns(~external),
        held.columns(external),
        {} if stated is None else stated.trial,
        {} if stated is None else stated.external,
        given.limits.rule,
        evidence,
    )


def _estimand(
    plan: AnalysisPlan, given: ExternalControls, question: Question, study: str
) -> Estimand:
    own = plan.estimand(question)
    whom = WHOM.get(given.method, "as the treated patients are")
    if given.method in BAYESIAN:
        whom = "external controls weighted to them"
    partly = "" if given.design == "single_arm" else " and the trial"
    return replace(
        own,
        population=f"{own.population}; {whom}",
        treatment=f"{own.treatment} ({given.arm} of {study}{partly})",
        summary="marginal hazard ratio" if scale_of(question.analysis) == "hazard" else (
            f"difference in restricted mean up to {question.analysis.horizon:g} {plan.time_unit}s"
            if question.analysis.kind == "rmst" else "difference in means"
            if question.analysis.kind == "ancova" else "difference in proportions"
        ),
    )  # fmt: skip


def _told(
    given: ExternalControls, made: tuple[Estimate, float] | None, verdict: Verdict
) -> Estimate | None:
    """The estimate with what the results and the page say of every one."""
    if made is None:
        return None
    found, share = made
    held = "weighted, " if given.method in WEIGHTS or given.method in BAYESIAN else ""
    extra = {
        "interval": "Wald",
        "statistic": found.extra.get("statistic", found.estimate / found.se),
        "information": found.se**-2,
        "strata": [],
        **found.extra,
        "adjusted_for": list(given.covariates),
        "external_share": share,
        "controls": f"{held}{verdict.baseline.n_historical} external",
    }
    return replace(found, extra=extra)


def borrowed_table(answers: tuple[Answer, ...]) -> pd.DataFrame | None:
    """Patients of the borrowing analyses, one row a patient and question; None without any.

    Patient data of both cohorts.
    """
    tables = []
    for answer in answers:
        if answer.borrowed is None:
            continue
        held = answer.borrowed.pool
        table = held.subjects.reset_index(drop=True)
        table.insert(0, "question", answer.question.id)
        table["treated"] = held.treated.astype(np.int64)
        table["external"] = held.external.astype(np.int64)
        table["y"], table["time"], table["event"] = held.y, held.time, held.event
        for k in range(held.x.shape[1]):
            table[f"c{k + 1}"] = held.x[:, k]
        tables.append(table)
    return pd.concat(tables, ignore_index=True) if tables else None
