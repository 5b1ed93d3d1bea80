"""One question's estimate, by the analysis that the simulator uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from simulation.analysis.binary import proportions_batch
from simulation.analysis.estimate import Estimate
from simulation.analysis.longitudinal.design import FAMILIES
from simulation.trial.analyses import Fit, LookData
from simulation.trial.outcomes.base import Booleans
from simulation.trial.planned.censoring import weighted_fit
from simulation.trial.planned.plan import AnalysisPlan, Question
from simulation.trial.planned.reading import Chosen, Data, choose, look, table_of

if TYPE_CHECKING:
    from simulation.trial.planned.external_borrowing import Borrowed

FEWEST = 2
"""Patients of each arm below whom nothing is estimated."""


@final
@dataclass(frozen=True)
class Answer:
    """One question's estimate.

    Attributes
    ----------
    estimate
        NaN where there is none; `extra["note"]` says why.
    one_sided
        p of no benefit of the treated arm.
    chosen
        Who counted.
    fit
        On the analysis's own scale, as the simulator has it.
    borrowed
        External controls, where the plan asks for them.
    """

    question: Question
    estimate: Estimate
    one_sided: float
    chosen: Chosen
    fit: Fit
    borrowed: Borrowed | None = None


def answer(
    data: Data,
    plan: AnalysisPlan,
    question: Question,
    among: Booleans | None = None,
    fewest: int = FEWEST,
) -> Answer:
    """Answer one question, among some of the patients if asked.

    Nothing is estimated where an arm has fewer patients than `fewest`.
    """
    chosen = choose(data, question, among)
    if min(chosen.n) < fewest:
        nothing = np.full(1, np.nan)
        fit = Fit(nothing, np.full(1, np.inf), np.zeros(1), np.zeros(1), np.zeros(1))
        seen = None
    else:
        seen = look(data, question, chosen)
        if question.censoring is not None:
            x = table_of(data, question.censoring.covariates, chosen.rows).T
            fit = weighted_fit(seen, question, x)
        else:
            with np.errstate(divide="ignore"):
                fit = question.analysis.fit(seen, question.arm_number, 0)
    known = bool(np.isfinite(fit.estimate[0]) and np.isfinite(fit.se[0]))
    turned = float(fit.z[0]) * question.endpoint.sign * question.analysis.sign
    estimate = _estimate(plan, question, fit, chosen, seen)
    return Answer(question, estimate, float(ndtr(-turned)) if known else np.nan, chosen, fit)


def level_of(plan: AnalysisPlan) -> float:
    """Confidence level that goes with alpha and sides."""
    return 1 - plan.alpha * (2 if plan.sides == 1 else 1)


def _estimate(
    plan: AnalysisPlan,
    question: Question,
    fit: Fit,
    chosen: Chosen,
    seen: LookData | None,
) -> Estimate:
    value, se = float(fit.estimate[0]), float(fit.se[0])
    df = float(fit.more["df"][0]) if "df" in fit.more else None
    level = level_of(plan)
    low, high, interval = _interval(question, value, se, df, level, seen)
    sound = bool(np.isfinite(value) and np.isfinite(se))
    extra: dict[str, Any] = {
        "level": level,
        "interval": interval,
        "statistic": float(fit.z[0]),
        "information": float(fit.information[0]),
        "adjusted_for": list(question.analysis.covariates),
        "strata": list(question.analysis.strata),
        **_more(question, fit, seen),
    }
    if not sound:
        extra["note"] = (
            "no estimate: too few patients in an arm" if seen is None
            else "no estimate: the outcomes of an arm do not vary, follow-up is too short, or the "
            "model does not converge"
        )  # fmt: skip
    if question.analysis.ratio:
        extra |= {"scale": "ratio; se is that of the logarithm", "log": value}
        with np.errstate(over="ignore"):
            value, low, high = (float(np.exp(x)) for x in (value, low, high))
    p = float(2 * ndtr(-abs(float(fit.z[0])))) if sound else np.nan
    return Estimate(
        question.analysis.kind + ("" if question.censoring is None else ", weighted for censoring"),
        plan.estimand(question),
        value,
        se,
        low,
        high,
        p,
        int(fit.n[0]),
        df,
        extra,
    )


def _interval(
    question: Question, value: float, se: float, df: float | None, level: float,
    seen: LookData | None,
) -> tuple[float, float, str]:  # fmt: skip
    """Interval on the analysis's scale, and its name."""
    if question.analysis.kind == "proportions" and seen is not None:
        x1, n1, x0, n0 = _table(question, seen)
        if min(n1, n0) > 0:
            found = proportions_batch(
                x1, n1, x0, n0, measure=question.analysis.measure, level=level
            )
            return float(found.low[0]), float(found.high[0]), "Miettinen-Nurminen"
    if df is None or not np.isfinite(df):
        width = float(ndtri(0.5 + level / 2)) * se
        return value - width, value + width, "Wald"
    width = float(stdtrit(df, 0.5 + level / 2)) * se
    return value - width, value + width, "Wald, Student's t"


def _table(question: Question, seen: LookData) -> tuple[int, int, int, int]:
    """Events and patients of treated and control."""
    assert seen.observed.values is not None
    value = seen.observed.values[-1, 0]
    treated = seen.arm[0] == question.arm_number
    return (
        int(value[treated].sum()),
        int(treated.sum()),
        int(value[~treated].sum()),
        int((~treated).sum()),
    )


def _more(question: Question, fit: Fit, seen: LookData | None) -> dict[str, Any]:
    """Figures of single kinds of analysis."""
    found: dict[str, Any] = {}
    if seen is None:
        return found
    treated = seen.arm[0] == question.arm_number
    if seen.observed.event is not None:
        event = seen.observed.event[0]
        found["events"] = {
            "control": int(event[~treated].sum()),
            "treated": int(event[treated].sum()),
        }
    if question.analysis.kind == "proportions":
        x1, _, x0, _ = _table(question, seen)
        found["events"] = {"control": x0, "treated": x1}
    if question.censoring is not None:
        found["weights"] = {
            "covariates": list(question.censoring.covariates),
            **{k: float(v[0]) for k, v in fit.more.items()},
        }
        found["standard_error"] = "robust, weights as known"
        return found
    if question.analysis.kind == "cox" and fit.more["log_rank"][0]:
        found["fallback"] = "log_rank"
        found["caution"] = (
            "Cox's model has no finite maximum here: this is the log-rank test's one-step hazard "
            "ratio in the same strata, without covariates"
        )
    if question.analysis.kind == "mmrm":
        family = int(fit.more["family"][0])
        found["naive_se"] = float(fit.more["naive_se"][0])
        found["covariance"] = None if family < 0 else FAMILIES[family]
        found["standard_error"] = (
            "Kenward-Roger" if fit.more["adjusted"][0] else "Satterthwaite"
        )
    if question.analysis.kind == "max_combo":
        chosen = question.analysis.tests[int(fit.more["chosen"][0])]
        found["chosen"] = chosen.weight.name
        found["caution"] = "the interval is that of the chosen test alone and too narrow"
    return found
