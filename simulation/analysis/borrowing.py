"""May controls of another trial be borrowed? Diagnostics with a stopping rule fixed beforehand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from extraction.records.errors import InputError, RefusedError
from simulation.analysis.arrays import Columns, FloatArray, block
from simulation.analysis.estimate import jsonable


@dataclass(frozen=True)
class BorrowingRule:
    """Limits written down before the target trial's data are looked at.

    Parameters
    ----------
    max_smd
        Greatest absolute standardised mean difference before weighting.
    max_weighted_smd
        The same after weighting.
    min_overlap
        Least share of target patients within the 1 to 99 % range of the historical controls, for
        each column.
    min_ess
        Least effective sample size of the weighted controls.
    same_endpoint
        Whether the endpoint must be defined and ascertained alike.
    """

    max_smd: float = 0.5
    max_weighted_smd: float = 0.1
    min_overlap: float = 0.8
    min_ess: float = 50.0
    same_endpoint: bool = True

    @property
    def digest(self) -> str:
        """SHA-256 of the limits, for the log."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class BorrowingVerdict:
    """Diagnostics and what the rule says; `reasons` is empty when borrowing is accepted."""

    accepted: bool
    reasons: tuple[str, ...]
    smd: Mapping[str, float]
    weighted_smd: Mapping[str, float]
    overlap: Mapping[str, float]
    ess: float
    n_target: int
    n_historical: int
    rule: BorrowingRule
    rule_digest: str

    def require(self) -> None:
        """Go on only when borrowing is accepted.

        Raises
        ------
        RefusedError
            With every reason of the refusal.
        """
        if not self.accepted:
            raise RefusedError([f"borrowing refused: {reason}" for reason in self.reasons])

    def to_dict(self) -> dict[str, Any]:
        """JSON-able mapping."""
        plain: dict[str, Any] = jsonable(asdict(self))
        return plain


def standardised_difference(target: FloatArray, historical: FloatArray,
                            weights: FloatArray | None = None) -> FloatArray:
    """Target mean less (weighted) historical mean over the root mean of both variances, (P,).

    The denominator is always that of the unweighted groups (Austin 2009, doi 10.1002/sim.3697).
    """
    scale = np.sqrt((target.var(axis=0, ddof=1) + historical.var(axis=0, ddof=1)) / 2)
    gap = target.mean(axis=0) - np.average(historical, axis=0, weights=weights)
    smd: FloatArray = np.divide(gap, scale, out=np.zeros_like(gap), where=scale > 0)
    return smd


def range_overlap(target: FloatArray, historical: FloatArray) -> FloatArray:
    """Share of target patients within the historical 1 to 99 % range, per column (P,)."""
    low, high = np.quantile(historical, [0.01, 0.99], axis=0)
    share: FloatArray = ((target >= low) & (target <= high)).mean(axis=0)
    return share


def odds_weights(target: FloatArray, historical: FloatArray, penalty: float = 1.0) -> FloatArray:
    """Weights e/(1 - e) of real controls (n0,) that make them like the target, summing to n0.

    Logistic regression of belonging to the target on standardised columns by Newton's method, with
    a ridge `penalty` on half the squared slopes so that weights stay finite without overlap.
    """
    both = np.vstack([target, historical])
    spread = both.std(axis=0)
    x = (both - both.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    design = np.hstack([np.ones((len(x), 1)), x])
    member = (np.arange(len(x)) < len(target)).astype(np.float64)
    ridge = penalty * np.eye(design.shape[1])
    ridge[0, 0] = 1e-8
    beta = np.zeros(design.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        hessian = (design * (chance * (1 - chance))[:, None]).T @ design + ridge
        step = np.linalg.solve(hessian, design.T @ (member - chance) - ridge @ beta)
        beta = beta + step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-10:
            break
    log_odds = (design @ beta)[len(target):]
    weights = np.exp(log_odds - log_odds.max())
    scaled: FloatArray = weights * len(weights) / weights.sum()
    return scaled


def effective_size(weights: FloatArray) -> float:
    """Kish's effective sample size, (sum w)^2 / sum w^2."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def assess_borrowing(target: Columns, historical: Columns, endpoint_target: Mapping[str, str],
                     endpoint_historical: Mapping[str, str], rule: BorrowingRule
                     ) -> BorrowingVerdict:
    """Judge whether historical controls may stand beside a target trial.

    Parameters
    ----------
    target, historical
        The same baseline columns by name, of the target trial's patients and of the historical
        controls. No outcome is looked at.
    endpoint_target, endpoint_historical
        Definitions by attribute, such as {"event": ..., "ascertainment": ..., "time_zero": ...}.
    rule
        Limits fixed beforehand; log `rule.digest`.

    Raises
    ------
    InputError
        For missing values, or when the trials share no column.
    """
    names = [name for name in target if name in historical]
    if not names:
        raise InputError("target, historical: no baseline column in common; name them alike")
    faults: list[str] = []
    n_target = np.asarray(next(iter(target.values()))).shape[0]
    n_historical = np.asarray(next(iter(historical.values()))).shape[0]
    new, _ = block({name: target[name] for name in names}, None, n_target, faults)
    old, _ = block({name: historical[name] for name in names}, None, n_historical, faults)
    weights = odds_weights(new, old)
    figures = {"smd": standardised_difference(new, old),
               "weighted_smd": standardised_difference(new, old, weights),
               "overlap": range_overlap(new, old)}
    named = {key: dict(zip(names, value.tolist(), strict=True)) for key, value in figures.items()}
    ess = effective_size(weights)
    absent = sorted(set(target) ^ set(historical))
    reasons = [f"{name}: recorded in one trial only; its balance cannot be shown"
               for name in absent]
    reasons += _imbalance(named, rule)
    if ess < rule.min_ess:
        reasons.append(f"effective sample size of the weighted controls {ess:.1f}; at least "
                       f"{rule.min_ess:g}")
    if rule.same_endpoint:
        reasons += _endpoint(endpoint_target, endpoint_historical)
    return BorrowingVerdict(not reasons, tuple(reasons), named["smd"], named["weighted_smd"],
                            named["overlap"], ess, n_target, n_historical, rule, rule.digest)


def _imbalance(named: Mapping[str, Mapping[str, float]], rule: BorrowingRule) -> list[str]:
    reasons = [f"{name}: standardised mean difference {value:.2f}; at most {rule.max_smd:g}"
               for name, value in named["smd"].items() if abs(value) > rule.max_smd]
    reasons += [f"{name}: standardised mean difference after weighting {value:.2f}; at most "
                f"{rule.max_weighted_smd:g}"
                for name, value in named["weighted_smd"].items()
                if abs(value) > rule.max_weighted_smd]
    return reasons + [f"{name}: {value:.0%} of target patients within the historical 1-99 % range; "
                      f"at least {rule.min_overlap:.0%}"
                      for name, value in named["overlap"].items() if value < rule.min_overlap]


def _endpoint(target: Mapping[str, str], historical: Mapping[str, str]) -> list[str]:
    if not target and not historical:
        return ["endpoint: stated for neither trial; that it is the same cannot be shown"]
    return [f"endpoint {key}: {target.get(key, 'not stated')!r} in the target, "
            f"{historical.get(key, 'not stated')!r} in the historical trial; they must be equal"
            for key in sorted(set(target) | set(historical))
            if target.get(key) != historical.get(key)]
