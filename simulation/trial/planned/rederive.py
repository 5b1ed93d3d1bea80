"""An R script that computes every estimate anew from the table of analysed data."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np

from simulation.trial.planned.analysing import Analysed
from simulation.trial.planned.answering import Answer
from simulation.trial.planned.external import WEIGHTS, scale_of
from simulation.trial.planned.table import Columns

TOLERANCES = {"mmrm": 1e-4, "count_regression": 1e-5}
"""Relative differences from which a check fails, by kind; `TOLERANCE` for the others.

nlme::gls climbs by a general optimiser, and a negative binomial's dispersion is searched for on a
line; both stop a little before the maximum.
"""

TOLERANCE = 1e-6

_HEAD = """\
# Estimates of {study} computed anew by R {about}.
#
#   Rscript rederive.R
#
# Reads analysis.csv (one row a patient: patient data) and results.csv beside it, prints each
# estimate, its standard error and their differences from results.csv, whose figures are those of
# results.json, and leaves with status 1 if one is beyond its tolerance. Needs R with its
# recommended packages survival and nlme. Estimates are on the analyses' own scales: logarithms of
# ratios. Of repeated measures the model-based standard error is checked, not Kenward and Roger's.
# Multiple imputations draw at random and are not computed anew; subgroups are these analyses among
# fewer patients. Where external controls were borrowed, borrowed.csv holds the patients.
# Status of the analysis: {state}. Plan: {digest}.

"""
_FOOT = """
if (length(failed)) {
  cat("Different:", paste(failed, collapse = ", "), "\\n")
  quit(status = 1)
}
cat("All that was checked is the same within tolerance.\\n")
"""


def script(done: Analysed) -> str:
    """Return the script for a plan's answers."""
    columns = Columns.of(done)
    result = done.to_dict()
    head = _HEAD.format(
        study=_comment(done.study),
        about="from the table of analysed data",
        state=done.state,
        digest=result["plan_sha256"],
    )
    names = ["rederive.R", *(["rederive_external.R"] if any(map(_lent, done.answers)) else [])]
    names += ["rederive_weights.R"] if any(q.censoring for q in done.plan.questions) else []
    functions = "".join(files(__package__).joinpath(n).read_text("utf-8") for n in names)
    blocks = [_block(done, answer, columns) for answer in done.answers]
    return head + functions + "# ---- the checks ----\n\n" + "\n".join(blocks) + _FOOT


def _block(done: Analysed, answer: Answer, columns: Columns) -> str:
    question = answer.question
    told = f"# {_comment(question.name)} ({question.role}): {question.analysis.kind}\n"
    if not np.isfinite(answer.estimate.se) or not np.isfinite(answer.fit.estimate[0]):
        return told + f'not_checked("{question.id}", "there is no estimate")\n'
    if question.analysis.competing:
        return told + f'not_checked("{question.id}", "no R code for {question.analysis.kind}")\n'
    if _lent(answer):
        return told + _borrowed(answer)
    tolerance = TOLERANCES.get(question.analysis.kind, TOLERANCE)
    asked = _categories(done, answer, columns)
    lines = [f'  d <- those("{columns.included[question.id]}"{asked})']
    lines += [f"  {line}" for line in _lines(done, answer, columns)]
    return told + f'check("{question.id}", {tolerance:g}, {{\n' + "\n".join(lines) + "\n})\n"


def _lent(answer: Answer) -> bool:
    return answer.borrowed is not None and answer.borrowed.accepted


def _borrowed(answer: Answer) -> str:
    """Check of an estimate with external controls, from borrowed.csv."""
    assert answer.borrowed is not None
    given, name = answer.borrowed.given, answer.question.id
    if given.method == "power_prior":
        call = f"power_prior(d, {given.power:.17g})"
    elif given.method in ("map", "robust_map"):
        vague = given.vague_weight if given.method == "robust_map" else 0.0
        call = f"map_prior(d, {given.tau_scale:.17g}, {vague:.17g})"
    elif given.method == "propensity_matching":
        call = f"matched_pairs(d, {given.caliper:.17g})"
    elif given.method == "aipw":
        kind = "binomial" if answer.question.endpoint.kind == "binary" else "gaussian"
        call = f"augmented(d, {kind}())"
    elif given.method in WEIGHTS:
        hazard = scale_of(answer.question.analysis) == "hazard"
        call = f'weighted_{"cox" if hazard else "means"}(d, "{WEIGHTS[given.method]}")'
    else:
        return f'not_checked("{name}", "no R code for external controls by {given.method}")\n'
    return f'check("{name}", {TOLERANCE:g}, {{\n  d <- lent("{name}")\n  {call}\n}})\n'


def _categories(done: Analysed, answer: Answer, columns: Columns) -> str:
    varied = _varied(done, answer, answer.question.baseline)
    named = [name for name in varied if done.data.levels[name]]
    if not named:
        return ""
    words = ", ".join(f'"{columns.baseline[name]}"' for name in named)
    return f", c({words})"


def _covariates(done: Analysed, answer: Answer) -> list[str]:
    """Covariates that vary among those who count; R stops at a factor with one level."""
    return _varied(done, answer, answer.question.analysis.covariates)


def _varied(done: Analysed, answer: Answer, names: tuple[str, ...]) -> list[str]:
    rows = answer.chosen.rows
    return [n for n in names if np.ptp(done.data.baseline[n][rows])]


def _lines(done: Analysed, answer: Answer, columns: Columns) -> list[str]:
    """R code whose last value is c(estimate, standard error)."""
    question = answer.question
    analysis, outcome = question.analysis, columns.outcomes[question.endpoint.name]
    covariates = [columns.baseline[name] for name in _covariates(done, answer)]
    right = " + ".join(["treated", *covariates])
    strata = [f"d${columns.baseline[name]}" for name in analysis.strata]
    groups = f"interaction({', '.join(strata)}, drop = TRUE)" if strata else "rep(1, nrow(d))"
    if question.censoring is not None:
        return _weighted(done, answer, outcome, covariates, columns)
    write = {
        "ancova": _ancova,
        "mmrm": _mmrm,
        "proportions": _binary,
        "standardised": _binary,
        "rates": _counts,
        "count_regression": _counts,
    }.get(analysis.kind, _survival)
    return write(answer, outcome, covariates, right, groups)


def _weighted(
    done: Analysed, answer: Answer, outcome: tuple[str, ...], covariates: list[str],
    columns: Columns,
) -> list[str]:  # fmt: skip
    """Analyses with inverse probability of censoring weights."""
    given, analysis = answer.question.censoring, answer.question.analysis
    cap = "Inf" if given.largest is None else f"{given.largest:.17g}"
    named = [columns.baseline[n] for n in _varied(done, answer, given.covariates)]
    of, own = (f"c({', '.join(_quoted(n) for n in names)})" for names in (named, covariates))
    if analysis.kind == "ancova":
        visits = f"c({', '.join(_quoted(n) for n in outcome)})"
        return [f"dropout_means(d, {visits}, {of}, {own}, {cap})"]
    lines = [f"d$time <- d${outcome[0]}", f"d$event <- d${outcome[1]}",
             f"long <- censoring_rows(d, {of}, {cap})"]  # fmt: skip
    if analysis.kind in ("cox", "log_rank"):
        one_step = "TRUE" if analysis.kind == "log_rank" else "FALSE"
        return [*lines, f"censoring_cox(long, {own}, {one_step})"]
    end, what = (
        (analysis.horizon, "mean") if analysis.kind == "rmst" else (analysis.at, "survival")
    )
    return [*lines, f'censoring_curve(long, {end:.17g}, "{what}")']


def _quoted(name: str) -> str:
    """A column's name as R reads it."""
    return f'"{name}"'


def _ancova(
    answer: Answer, outcome: tuple[str, ...], covariates: list[str], right: str, groups: str
) -> list[str]:
    return [
        f"fit <- lm({outcome[-1]} ~ {right}, d)",
        'c(coef(fit)[["treated"]], sqrt(vcov(fit)["treated", "treated"]))',
    ]


def _mmrm(
    answer: Answer, outcome: tuple[str, ...], covariates: list[str], right: str, groups: str
) -> list[str]:
    visits = ", ".join(f'"{column}"' for column in outcome)
    named = ", ".join(f'"{column}"' for column in covariates)
    family = answer.estimate.extra["covariance"]
    return [f'repeated(d, c({visits}), c({named}), "{family}")']


def _binary(
    answer: Answer, outcome: tuple[str, ...], covariates: list[str], right: str, groups: str
) -> list[str]:
    analysis = answer.question.analysis
    if analysis.kind == "proportions":
        return [f'proportions(d${outcome[0]}, d$treated, "{analysis.measure}")']
    return [f"d$y <- d${outcome[0]}", f'standardised(y ~ {right}, d, "{analysis.measure}")']


def _counts(
    answer: Answer, outcome: tuple[str, ...], covariates: list[str], right: str, groups: str
) -> list[str]:
    count, exposure = outcome
    analysis = answer.question.analysis
    if analysis.kind == "rates":
        return [f"rates(d${count}, d${exposure}, d$treated)"]
    return [
        f"d$y <- d${count}",
        f"d$exposure <- d${exposure}",
        f'count_regression(~ {right}, d, "{analysis.law}")',
    ]


def _survival(
    answer: Answer, outcome: tuple[str, ...], covariates: list[str], right: str, groups: str
) -> list[str]:
    time, event = outcome
    analysis = answer.question.analysis
    strata = f" + strata({groups})" if analysis.strata else ""
    data = f"d${time}, d${event}, d$treated"
    if analysis.kind == "cox" and "fallback" not in answer.estimate.extra:
        robust = ", robust = TRUE, cluster = seq_len(nrow(d))" if analysis.robust else ""
        return [
            f"fit <- coxph(Surv({time}, {event}) ~ {right}{strata}, d, "
            f'ties = "{analysis.ties}"{robust},',
            "             control = coxph.control(eps = 1e-11, iter.max = 50))",
            'c(coef(fit)[["treated"]], sqrt(vcov(fit)["treated", "treated"]))',
        ]
    if analysis.kind in ("rmst", "landmark"):
        end, what = (
            (analysis.horizon, "mean") if analysis.kind == "rmst" else (analysis.at, "survival")
        )
        return [f'by_arm({data}, {end:.17g}, "{what}")']
    if analysis.kind == "max_combo":
        weights = ", ".join(_weight(test) for test in analysis.tests)
        return [f"max_combo({data}, {groups}, c({weights}))"]
    if analysis.kind == "log_rank" and analysis.weighting is not None:
        return [f"log_rank({data}, {groups}, {_weight(analysis.weighting)})"]
    return [
        f"fit <- survdiff(Surv({time}, {event}) ~ treated{strata}, d)",
        "gap <- sum(as.matrix(fit$obs)[2, ]) - sum(as.matrix(fit$exp)[2, ])",
        "c(gap / fit$var[2, 2], 1 / sqrt(fit$var[2, 2]))",
    ]


def _weight(weighting: Any) -> str:
    if weighting.kind == "fleming_harrington":
        return f"fleming_harrington({weighting.rho:.17g}, {weighting.gamma:.17g})"
    if weighting.kind == "modest":
        until = "Inf" if weighting.until is None else f"{weighting.until:.17g}"
        cap = "Inf" if weighting.cap is None else f"{weighting.cap:.17g}"
        return f"modest({until}, {cap})"
    return str(weighting.kind)


def _comment(text: str) -> str:
    return " ".join(text.split())
