"""What every analysis returns: a named estimand and an estimate with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import scipy

from extraction.records.errors import InputError

STRATEGIES = (
    "treatment policy",
    "hypothetical",
    "composite",
    "while on treatment",
    "principal stratum",
)


@dataclass(frozen=True)
class Estimand:
    """The question an analysis answers, by the five attributes of ICH E9(R1) (2019).

    Parameters
    ----------
    population
        Who the question is about.
    treatment
        The conditions compared.
    variable
        What is measured in each patient, and when.
    intercurrent_events
        Each intercurrent event with its strategy, one of `STRATEGIES`.
    summary
        The population-level summary; for hazard and odds ratios, "marginal" or "conditional".

    Raises
    ------
    InputError
        When an attribute is empty or a strategy is unknown.
    """

    population: str
    treatment: str
    variable: str
    intercurrent_events: Mapping[str, str]
    summary: str

    def __post_init__(self) -> None:
        faults = [
            f"estimand.{name}: empty; ICH E9(R1) asks for all five attributes; write it out"
            for name in ("population", "treatment", "variable", "summary")
            if not getattr(self, name).strip()
        ]
        if not self.intercurrent_events:
            faults.append("estimand.intercurrent_events: none; name at least one with its strategy")
        faults += [
            f"estimand.intercurrent_events[{event}]: {strategy!r}; allowed: {', '.join(STRATEGIES)}"
            for event, strategy in self.intercurrent_events.items()
            if strategy not in STRATEGIES
        ]
        if faults:
            raise InputError(faults)


@dataclass(frozen=True)
class Estimate:
    """One result with its uncertainty.

    Parameters
    ----------
    method
        How it was computed, in words.
    estimate, se, low, high
        Point estimate, standard error and confidence interval. For ratios `estimate`, `low`, `high`
        are on the ratio scale and `se` is that of the logarithm (`extra["scale"]` says so).
    p_value
        Two-sided, of no effect.
    n
        Patients used.
    df
        Residual degrees of freedom; None where the normal law is used.
    extra
        Further figures by name, JSON-able.
    """

    method: str
    estimand: Estimand | None
    estimate: float
    se: float
    low: float
    high: float
    p_value: float
    n: int
    df: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able mapping; figures that do not exist (NaN, infinite) become None."""
        plain: dict[str, Any] = jsonable(asdict(self))
        return plain


def jsonable(value: Any) -> Any:
    """Plain JSON types out of nested mappings, sequences and numpy values."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if isinstance(value, np.generic):
        return jsonable(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def from_t(method: str, estimate: float, se: float, n: int, df: float | None = None, *,
           level: float = 0.95, estimand: Estimand | None = None,
           extra: Mapping[str, Any] | None = None) -> Estimate:
    """Wald estimate with Student's law on `df`, or the normal law when `df` is None."""
    law = scipy.stats.norm if df is None else scipy.stats.t(df)
    width = float(law.ppf(0.5 + level / 2)) * se
    statistic = estimate / se if se > 0 else (float(np.copysign(np.inf, estimate)) if estimate
                                              else 0.0)
    p_value = float(2 * law.sf(abs(statistic)))
    more = {"statistic": float(statistic), "level": level, **(extra or {})}
    return Estimate(method, estimand, float(estimate), float(se), float(estimate - width),
                    float(estimate + width), p_value, int(n), None if df is None else float(df),
                    more)


def ratio_from_log(method: str, log_ratio: float, se: float, n: int, *, level: float = 0.95,
                   estimand: Estimand | None = None, extra: Mapping[str, Any] | None = None
                   ) -> Estimate:
    """Estimate on the ratio scale out of a logarithm and its standard error (normal law)."""
    line = from_t(method, log_ratio, se, n, level=level)
    more = {"scale": "ratio; se is that of the logarithm", "log": float(log_ratio),
            "statistic": line.extra["statistic"], "level": level, **(extra or {})}
    return Estimate(method, estimand, float(np.exp(log_ratio)), float(se),
                    float(np.exp(line.low)), float(np.exp(line.high)), line.p_value, int(n), None,
                    more)
