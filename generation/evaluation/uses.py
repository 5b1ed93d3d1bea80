"""Whether synthetic patients suit a stated use: explicit rules, never one score.

A use is suited when every rule that applies is met, not suited when one is broken, and otherwise
not shown. `RULES` is the whole of it; docs/evaluation.md gives the same table in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np

from extraction.records.errors import InputError, nearest
from generation.evaluation.disclosure import PASS_BELOW

if TYPE_CHECKING:
    from generation.evaluation.metric import Evaluation, Metric

Use = Literal["exploration", "software_testing", "augment_control_arm"]
USES: tuple[Use, ...] = get_args(Use)
Suitability = Literal["suited", "not suited", "not shown"]
_LARGE = 1.96


class Audit(Protocol):
    """What is needed of an inference audit (`simulation.audit`)."""

    @property
    def passed(self) -> bool:
        """Whether the planned analysis keeps its level and coverage on synthetic controls."""
        ...

    @property
    def verdict(self) -> str:
        """"passed", "failed" or "not shown"."""
        ...

    @property
    def analysis(self) -> str:
        """The planned analysis that it speaks for, in words."""
        ...


@dataclass(frozen=True)
class Rule:
    """What a use asks of a metric.

    Parameters
    ----------
    metric
        Name, or the part before the colon of metrics that exist once an endpoint or outcome.
    need
        "shown": the metric must be within real-against-real (or within the margin); "not worse":
        a metric that is not shown passes.
    margin
        Largest amount by which the value may be worse than real against real, at the end of its
        95 % interval, for this use: a difference that is shown and small does no harm to it.
        None: any shown difference does.
    always
        Whether the use is not shown where the metric was not measured.
    """

    metric: str
    need: Literal["shown", "not worse"]
    margin: float | None = None
    always: bool = False


RULES: dict[Use, tuple[Rule, ...]] = {
    "software_testing": (
        Rule("impossible_rows", "not worse", always=True),
        Rule("excluded_pairs", "not worse", 0.01),
        Rule("marginals", "not worse", 0.2, always=True),
        Rule("missingness", "not worse", 0.2),
        Rule("exact_matches", "not worse", always=True),
        Rule("dcr_share", "not worse", 0.05),
        Rule("membership_distance", "not worse", always=True),
        Rule("membership_loss", "not worse"),
    ),
    "exploration": (
        Rule("impossible_rows", "not worse", 0.01, always=True),
        Rule("excluded_pairs", "not worse", 0.02),
        Rule("marginals", "shown", 0.05, always=True),
        Rule("pairs", "shown", 0.05),
        Rule("worst_pair", "not worse", 0.15),
        Rule("two_sample_auc", "not worse", 0.15, always=True),
        Rule("missingness", "not worse", 0.05),
        Rule("missing_patterns", "not worse", 0.1),
        Rule("missing_dependence", "not worse", 0.1),
        Rule("trajectories", "shown", 0.1),
        Rule("lag_one", "shown", 0.1),
        Rule("retention", "not worse", 0.05),
        Rule("kaplan_meier", "not worse", 0.05),
        Rule("incidence", "not worse", 0.05),
        Rule("attenuation", "not worse"),
        Rule("worst_subgroup", "not worse", 1.0),
        Rule("utility", "not worse", 0.1),
        Rule("utility_brier", "not worse", 0.1),
        Rule("exact_matches", "not worse", always=True),
        Rule("dcr_share", "not worse", 0.05),
        Rule("membership_distance", "not worse", always=True),
    ),
    "augment_control_arm": (
        Rule("impossible_rows", "not worse", always=True),
        Rule("excluded_pairs", "not worse"),
        Rule("marginals", "shown", 0.02, always=True),
        Rule("pairs", "shown", 0.02),
        Rule("worst_pair", "shown", 0.1),
        Rule("two_sample_auc", "shown", 0.05, always=True),
        Rule("missingness", "not worse", 0.02),
        Rule("missing_patterns", "not worse", 0.05),
        Rule("missing_dependence", "not worse", 0.05),
        Rule("trajectories", "shown", 0.1),
        Rule("lag_one", "shown", 0.05),
        Rule("retention", "shown", 0.03),
        Rule("visit_gaps", "not worse", 0.05),
        Rule("kaplan_meier", "shown", 0.03),
        Rule("rmst", "not worse"),
        Rule("censoring", "not worse", 0.05),
        Rule("incidence", "shown", 0.03),
        Rule("hazard_ratios", "not worse"),
        Rule("attenuation", "shown"),
        Rule("worst_subgroup", "not worse", 0.5),
        Rule("utility", "shown"),
        Rule("utility_brier", "not worse"),
        Rule("exact_matches", "not worse", always=True),
        Rule("dcr_share", "not worse", 0.05),
        Rule("membership_distance", "shown", always=True),
        Rule("membership_loss", "shown"),
    ),
}
"""The rules of each use."""


@dataclass(frozen=True)
class UseVerdict:
    """Whether synthetic patients suit a use.

    Parameters
    ----------
    use, verdict
        What was asked, and the answer.
    reasons
        Why: one plain sentence each, what speaks against it first; where it is suited, what was
        met and what was let pass.
    """

    use: Use
    verdict: Suitability
    reasons: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {"use": self.use, "verdict": self.verdict, "reasons": list(self.reasons)}


FEWEST_PATIENTS = 20
"""With fewer real patients on either side no use is called suited."""


def verdict_for(evaluation: Evaluation, use: str, audit: Audit | None = None) -> UseVerdict:
    """Judge a use by its rules; see `Evaluation.verdict_for`."""
    known = checked_use(use)
    against: list[str] = []
    unclear: list[str] = []
    let_pass: list[str] = []
    met = 0
    for rule in RULES[known]:
        for state, words in _judged(rule, evaluation):
            {"broken": against, "open": unclear, "let pass": let_pass, "met": []}[state].append(
                words
            )
            met += state == "met"
    if known == "augment_control_arm":
        _audited(audit, against, unclear, let_pass)
    if (fewest := min(evaluation.sizes["train"], evaluation.sizes["holdout"])) < FEWEST_PATIENTS:
        unclear.append(
            f"Patients: {fewest} on the smaller real side; with fewer than {FEWEST_PATIENTS} "
            "nothing is shown."
        )
    if against or unclear:
        verdict: Suitability = "not suited" if against else "not shown"
        return UseVerdict(known, verdict, (*against, *unclear))
    return UseVerdict(known, "suited", (f"{met} measures meet the rules of this use.", *let_pass))


def checked_use(use: str) -> Use:
    """Return a known use; InputError otherwise."""
    for known in USES:
        if use == known:
            return known
    raise InputError(f"use: {use!r} came; uses are {', '.join(USES)}{nearest(use, USES)}")


def _audited(
    audit: Audit | None, against: list[str], unclear: list[str], let_pass: list[str]
) -> None:
    if audit is None:
        unclear.append(
            "Inference audit: none was given; what the synthetic controls do to bias, coverage and "
            "type I error is not known."
        )
    elif audit.verdict == "not shown":
        unclear.append(
            f"Inference audit of {audit.analysis}: too few replicates to show that it holds."
        )
    elif not audit.passed:
        against.append(f"Inference audit of {audit.analysis}: not passed; it keeps no level.")
    else:
        let_pass.append(f"Inference audit: passed for {audit.analysis}, and for nothing else.")


def _judged(rule: Rule, evaluation: Evaluation) -> list[tuple[str, str]]:
    """State ("met", "let pass", "open", "broken") and words of every metric of a rule."""
    found = [m for m in evaluation.metrics if m.name.partition(":")[0] == rule.metric]
    if not found:
        words = f"{rule.metric}: not measured, and this use needs it."
        return [("open", words)] if rule.always else []
    return [_state(rule, metric) for metric in found]


def _state(rule: Rule, metric: Metric) -> tuple[str, str]:
    label = metric.label[:1].upper() + metric.label[1:]
    if metric.verdict == "within real-against-real":
        return "met", label
    shortfall, error = _shortfall(metric)
    margin = rule.margin
    if margin is not None and np.isfinite(shortfall) and shortfall + _LARGE * error <= margin:
        return "met", label
    figures = _figures(metric, shortfall, margin)
    if metric.verdict == "worse":
        surely = margin is None or shortfall - _LARGE * error > margin
        if surely:
            return "broken", f"{label}: {figures}."
        return "open", f"{label}: {figures}; whether by more than the margin is not shown."
    if rule.need == "not worse":
        return "let pass", f"{label}: {metric.verdict}, which this use lets pass."
    return "open", f"{label}: {metric.verdict}, and this use needs it shown."


def _figures(metric: Metric, shortfall: float, margin: float | None) -> str:
    if metric.name.startswith("membership"):
        return (
            f"training patients can be told from others (AUC {metric.value:.3f}, upper bound "
            f"{metric.high:.3f}; at most {PASS_BELOW})"
        )
    real = metric.controls["real"].value
    told = f"{metric.value:.3f} against {real:.3f} between real patients"
    if metric.better == "chance":
        return f"{metric.value:.3f}, 0.5 is chance; this use allows up to {0.5 + (margin or 0):.2f}"
    if margin is None or not np.isfinite(shortfall):
        return f"worse than real patients are, {told}"
    return f"worse by {shortfall:.3f} (this use allows {margin:g}), {told}"


def _shortfall(metric: Metric) -> tuple[float, float]:
    """By how much the value is worse than real against real, and its standard error."""
    if "loss" in metric.details:
        loss = float(metric.details["loss"])
        return loss, (float(metric.details["loss_high"]) - loss) / _LARGE
    real = metric.controls["real"].value
    gap = metric.value - real
    if metric.better == "higher":
        gap = -gap
    if metric.better == "chance":
        gap = metric.value - 0.5
    return gap, metric.se
