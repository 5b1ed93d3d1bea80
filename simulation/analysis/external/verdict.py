"""Borrow or do not: every diagnostic against limits that were written down beforehand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from extraction.records.errors import InputError, RefusedError
from simulation.analysis.arrays import Columns
from simulation.analysis.borrowing import BorrowingRule, BorrowingVerdict, assess_borrowing
from simulation.analysis.estimate import Estimate, jsonable
from simulation.analysis.external.sensitivity import TippingPoint


@dataclass(frozen=True)
class StoppingRule:
    """Limits fixed before outcomes are read; log `digest`.

    Parameters
    ----------
    baseline
        Limits on balance, overlap, effective sample size and the endpoint's definition.
    min_conflict_p
        Least prior-predictive p of the trial's own controls. The default holds `max_type_one` for
        few methods and sizes (docs/external-controls.md); choose it with `drift.conflict_limit`.
    negative_control_alpha
        Level at which negative-control outcomes, Bonferroni-corrected, may differ by chance.
    min_negative_controls
        How many must have been looked at.
    min_tipping_sd
        Least drift, in standard deviations of the outcome, that the conclusion must survive.
    min_e_value
        Least E-value of the confidence limit.
    max_type_one
        Cap on the type I error over the drift grid.

    Raises
    ------
    InputError
        For limits outside their ranges.
    """

    baseline: BorrowingRule = field(default_factory=BorrowingRule)
    min_conflict_p: float = 0.1
    negative_control_alpha: float = 0.05
    min_negative_controls: int = 0
    min_tipping_sd: float = 0.0
    min_e_value: float = 1.0
    max_type_one: float = 0.1

    def __post_init__(self) -> None:
        faults = [f"{name}: {getattr(self, name):g}; allowed: 0 to 1; correct it"
                  for name in ("min_conflict_p", "negative_control_alpha", "max_type_one")
                  if not 0 <= getattr(self, name) <= 1]
        if self.min_negative_controls < 0 or self.min_tipping_sd < 0:
            faults.append("min_negative_controls, min_tipping_sd: at least 0; raise them")
        if self.min_e_value < 1:
            faults.append(f"min_e_value: {self.min_e_value:g}; at least 1; raise it")
        if faults:
            raise InputError(faults)

    @property
    def digest(self) -> str:
        """SHA-256 of the limits, for the log."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Evidence:
    """What was found out; None where it was not.

    Parameters
    ----------
    conflict_p
        Prior-predictive p (`sensitivity.conflict_binary` and the like).
    negative_controls
        Effects, by name, on outcomes that treatment cannot change.
    tipping
        Of the main comparison.
    worst_type_one
        Over the drift grid (`hybrid.DriftTable.worst_type_one`, or simulated).
    """

    conflict_p: float | None = None
    negative_controls: Mapping[str, Estimate] = field(default_factory=dict)
    tipping: TippingPoint | None = None
    worst_type_one: float | None = None


@dataclass(frozen=True)
class Verdict:
    """Borrow or do not, with every reason against; `reasons` is empty when `borrow` is true."""

    borrow: bool
    reasons: tuple[str, ...]
    baseline: BorrowingVerdict
    evidence: Evidence
    rule: StoppingRule
    rule_digest: str

    def require(self) -> None:
        """Go on only when controls may be borrowed.

        Raises
        ------
        RefusedError
            With every reason.
        """
        if not self.borrow:
            raise RefusedError([f"borrowing refused: {reason}" for reason in self.reasons])

    def to_dict(self) -> dict[str, Any]:
        """JSON-able mapping."""
        plain: dict[str, Any] = jsonable(asdict(self))
        return plain


def judge(target: Columns, historical: Columns, endpoint_target: Mapping[str, str],
          endpoint_historical: Mapping[str, str], rule: StoppingRule, evidence: Evidence
          ) -> Verdict:
    """Judge external controls by all limits of a rule.

    Parameters
    ----------
    target, historical, endpoint_target, endpoint_historical
        As in `simulation.analysis.borrowing.assess_borrowing`.
    evidence
        Diagnostics that read outcomes. One that the rule limits but that is missing is a reason
        against: what was not looked at cannot be passed. The limits at their loosest
        (min_conflict_p 0, min_tipping_sd 0, min_e_value 1, max_type_one 1) ask for nothing.

    Raises
    ------
    InputError
        For missing values, or when the trials share no column.
    """
    baseline = assess_borrowing(target, historical, endpoint_target, endpoint_historical,
                                rule.baseline)
    reasons = (*baseline.reasons, *_conflict(rule, evidence), *_negative_controls(rule, evidence),
               *_tipping(rule, evidence), *_type_one(rule, evidence))
    return Verdict(not reasons, reasons, baseline, evidence, rule, rule.digest)


def _conflict(rule: StoppingRule, evidence: Evidence) -> list[str]:
    if rule.min_conflict_p == 0:
        return []
    if evidence.conflict_p is None:
        return ["prior-data conflict: not looked at; compare the trial's own controls, or another "
                "trial's, with the prior"]
    if evidence.conflict_p >= rule.min_conflict_p:
        return []
    return [f"prior-data conflict: prior-predictive p {evidence.conflict_p:.3g}; at least "
            f"{rule.min_conflict_p:g}"]


def _negative_controls(rule: StoppingRule, evidence: Evidence) -> list[str]:
    lines = evidence.negative_controls
    reasons = []
    if len(lines) < rule.min_negative_controls:
        reasons.append(f"negative-control outcomes: {len(lines)}; at least "
                       f"{rule.min_negative_controls}")
    limit = rule.negative_control_alpha / max(len(lines), 1)
    return reasons + [f"negative-control outcome {name}: p {line.p_value:.3g} although treatment "
                      f"cannot change it; at least {limit:.3g}"
                      for name, line in lines.items() if line.p_value < limit]


def _tipping(rule: StoppingRule, evidence: Evidence) -> list[str]:
    point = evidence.tipping
    wanted = {"difference": rule.min_tipping_sd > 0, "E-value": rule.min_e_value > 1}
    if not any(wanted.values()):
        return []
    if point is None or not wanted[point.kind]:
        return ["tipping point: not computed on the scale of the rule; find the drift that removes "
                "the effect"]
    if point.kind == "E-value" and point.to_insignificance < rule.min_e_value:
        return [f"tipping point: E-value of the confidence limit {point.to_insignificance:.2f}; "
                f"at least {rule.min_e_value:g}"]
    if point.kind == "difference" and not point.in_sd >= rule.min_tipping_sd:
        return [f"tipping point: a drift of {point.in_sd:.2f} standard deviations removes the "
                f"effect; at least {rule.min_tipping_sd:g}"]
    return []


def _type_one(rule: StoppingRule, evidence: Evidence) -> list[str]:
    if rule.max_type_one == 1:
        return []
    if evidence.worst_type_one is None:
        return ["type I error over the drift grid: not computed; no gain may be claimed without it"]
    if evidence.worst_type_one <= rule.max_type_one:
        return []
    return [f"type I error over the drift grid: {evidence.worst_type_one:.3f}; at most "
            f"{rule.max_type_one:g}"]
