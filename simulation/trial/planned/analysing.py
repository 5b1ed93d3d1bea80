"""Estimates and decisions of a plan on a cohort."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import numpy as np

from simulation.analysis.estimate import jsonable
from simulation.analysis.procova import AnalysisLog
from simulation.trial.outcomes.base import Booleans
from simulation.trial.planned.answering import Answer, answer
from simulation.trial.planned.departures import departures
from simulation.trial.planned.external_borrowing import borrow
from simulation.trial.planned.lock import Lock, State, plan_digest
from simulation.trial.planned.plan import AnalysisPlan
from simulation.trial.planned.reading import Data, read

if TYPE_CHECKING:
    from extraction.records import Cohort

_LATER = ("external controls", "subgroups", "departures from assumptions", "report")
"""What comes after the analyses."""
FEWEST_IN_SUBGROUP = 5
"""Patients of each arm below whom a subgroup gets no estimate, and their number is not told."""


@final
@dataclass(frozen=True)
class Analysed:
    """A plan's answers.

    Attributes
    ----------
    state
        "locked" or "exploratory".
    decisions
        By tested question: adjusted p value, whether rejected, and for whom.
    strategies
        What was done about each intercurrent event, by endpoint.
    deviations
        What differs from what was locked, in words.
    """

    plan: AnalysisPlan
    study: str
    digest: str
    state: State
    lock: Lock | None
    answers: tuple[Answer, ...]
    decisions: dict[str, dict[str, Any]]
    subgroups: tuple[dict[str, Any], ...]
    missing_data: tuple[dict[str, Any], ...]
    strategies: dict[str, dict[str, str]]
    deviations: tuple[str, ...]
    data: Data = field(repr=False)
    external_digest: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able results."""
        return dict(
            jsonable(
                {
                    "study": self.study,
                    "title": self.plan.title,
                    "status": self.state,
                    "plan": self.plan.model_dump(mode="json"),
                    "plan_sha256": plan_digest(self.plan),
                    "lock": None if self.lock is None else self.lock.to_dict(),
                    "deviations": list(self.deviations),
                    "cohort_digest": self.digest,
                    "randomised": {
                        arm: int((self.data.arm == k).sum())
                        for k, arm in enumerate(self.plan.arms)
                        if arm in self.plan.trial_arms
                    },
                    "external_cohort_digest": self.external_digest,
                    "analyses": [self._told(answer) for answer in self.answers],
                    "subgroups": list(self.subgroups),
                    "missing_data": list(self.missing_data),
                    "intercurrent_events": self.strategies,
                }
            )
        )

    def _told(self, answer: Answer) -> dict[str, Any]:
        question, chosen = answer.question, answer.chosen
        return {
            "id": question.id,
            "name": question.name,
            "role": question.role,
            "status": self.state,
            "endpoint": question.endpoint.name,
            "arm": question.arm,
            "control": self.plan.control,
            "analysis": question.analysis.model_dump(mode="json"),
            **answer.estimate.to_dict(),
            "p_one_sided": answer.one_sided,
            "n_by_arm": dict(zip((self.plan.control, question.arm), chosen.n, strict=True)),
            "left_out": {
                reason: dict(zip((self.plan.control, question.arm), counts, strict=True))
                for reason, counts in chosen.left_out.items()
            },
            "decision": self.decisions.get(question.id),
            "external_controls": None if answer.borrowed is None else answer.borrowed.to_dict(),
        }


def analyse(
    cohort: Cohort,
    plan: AnalysisPlan,
    state: State = "exploratory",
    lock: Lock | None = None,
    deviations: tuple[str, ...] = (),
    external: Cohort | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Analysed:
    """Estimate and decide everything that a plan asks for.

    Parameters
    ----------
    cohort
        The trial.
    state, lock
        As `lock.state_of` gives them.
    deviations
        Further differences from what was locked, in words.
    external
        The cohort of the plan's `external_controls`.
    progress
        Told before each analysis and each further part, and at the end.

    Raises
    ------
    InputError
        With everything that the cohort lacks.
    RefusedError
        When a score was learnt on this trial.
    """
    plan.check(cohort, external)
    for score in plan.scores:
        locked_at = "" if lock is None else lock.locked_at
        log = AnalysisLog().add("score locked", score.study_id, score.digest, locked_at)
        score.locked.check(log.add("outcomes read", plan.study), plan.study, cohort.digest())
    data = read(cohort, plan)
    tell = _steps([q.id for q in plan.questions], progress)
    answers = tuple(_answered(data, plan, tell))
    tell(_LATER[0])
    if external is not None and plan.external_controls is not None:
        answers = borrow(cohort, data, plan, answers, external)
    if lock is not None and lock.sha256 != plan_digest(plan):
        deviations = ("the plan differs from its lock", *deviations)
    tell(_LATER[1])
    parts = tuple(subgroups(data, plan, cohort))
    tell(_LATER[2])
    left = tuple(departures(data, plan))
    tell(_LATER[3])
    return Analysed(
        plan,
        cohort.schema.study_id,
        cohort.digest(),
        state,
        lock,
        answers,
        decide(plan, answers),
        parts,
        left,
        {e.name: e.applied(cohort.schema) for e in plan.endpoints},
        deviations,
        data,
        None if external is None else external.digest(),
    )


def _answered(data: Data, plan: AnalysisPlan, tell: Callable[[str], None]) -> Iterator[Answer]:
    for question in plan.questions:
        tell(question.id)
        yield answer(data, plan, question)


def _steps(
    names: list[str], progress: Callable[[str, float], None] | None
) -> Callable[[str], None]:
    """Give what tells which part begins, and how much of the work is behind it."""
    parts = [*names, *_LATER]
    share = {name: place / (len(parts) - 1) for place, name in enumerate(parts)}
    return lambda name: None if progress is None else progress(name, share[name])


def decide(plan: AnalysisPlan, answers: tuple[Answer, ...]) -> dict[str, dict[str, Any]]:
    """Decide the tested hypotheses at the plan's alpha, adjusted as it says.

    Two-sided plans test two-sided p values at alpha; one-sided ones test for benefit.
    """
    tested = [a for a in answers if a.question.tested]
    p = np.array([a.one_sided if plan.sides == 1 else a.estimate.p_value for a in tested])
    adjusted = p if plan.multiplicity is None else plan.multiplicity.adjusted(p)
    return {
        a.question.id: {
            "p": float(own),
            "adjusted_p": float(after),
            "alpha": plan.alpha,
            "sides": plan.sides,
            "rejected": bool(after <= plan.alpha),
            "favours": _favoured(a.one_sided),
        }
        for a, own, after in zip(tested, p, adjusted, strict=True)
    }


def _favoured(one_sided: float) -> str | None:
    if np.isnan(one_sided):
        return None
    return "the treated arm" if one_sided < 0.5 else "the control arm"


def subgroups(data: Data, plan: AnalysisPlan, cohort: Cohort) -> list[dict[str, Any]]:
    """Primary analyses in each subgroup, and a test of whether levels differ (Cochran's Q).

    Nothing here is adjusted for multiplicity.
    """
    from scipy.stats import chi2

    found = []
    for question in plan.questions:
        if question.role != "primary":
            continue
        for group in plan.subgroups:
            rows = [
                (label, answer(data, plan, question, inside, FEWEST_IN_SUBGROUP))
                for label, inside in _members(data, group, cohort)
            ]
            fits = [a.fit for _, a in rows if np.isfinite(a.fit.se[0])]
            heterogeneity = None
            if group.by is not None and len(fits) > 1:
                weight = np.array([1 / fit.se[0] ** 2 for fit in fits])
                value = np.array([fit.estimate[0] for fit in fits])
                q = float(weight @ (value - weight @ value / weight.sum()) ** 2)
                heterogeneity = {"q": q, "df": len(fits) - 1,
                                 "p_value": float(chi2.sf(q, len(fits) - 1))}  # fmt: skip
            found.append(
                {
                    "question": question.id,
                    "subgroup": group.by or group.name,
                    "levels": [
                        {"level": label, **a.estimate.to_dict(), "estimand": None,
                         "n_by_arm": [n if n >= FEWEST_IN_SUBGROUP else None for n in a.chosen.n]}
                        for label, a in rows
                    ],
                    "heterogeneity": heterogeneity,
                }
            )  # fmt: skip
    return found


def _members(data: Data, group: Any, cohort: Cohort) -> list[tuple[str, Booleans]]:
    if group.by is None:
        return [(group.name, np.asarray(cohort.mask(group.condition) == 1))]
    categories = cohort.schema.variable(group.by).categories or ()
    return [(c, data.baseline[group.by] == k) for k, c in enumerate(categories)]
