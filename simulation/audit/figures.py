"""Figures of an audit: how an analysis performed over replicates, each with its Monte Carlo SE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy import stats

ALPHA = 0.05
LEVEL = 0.95


@dataclass(frozen=True)
class Figure:
    """A figure and its Monte Carlo standard error."""

    value: float
    se: float

    @classmethod
    def share(cls, hits: Any) -> Self:
        """Share of hits among replicates."""
        values = np.asarray(hits, dtype=np.float64)
        if not values.size:
            return cls(float("nan"), float("nan"))
        rate = float(values.mean())
        return cls(rate, float(np.sqrt(rate * (1 - rate) / values.size)))

    def __str__(self) -> str:
        return f"{self.value:.3f} (Monte Carlo SE {self.se:.3f})"


@dataclass(frozen=True)
class Performance:
    """One analysis over the replicates.

    Attributes
    ----------
    replicates, failed
        Replicates in which it gave an estimate, and in which it could not.
    bias
        Mean estimate less the truth, without an effect.
    sd
        Standard deviation of the estimates.
    se_ratio
        Mean reported standard error over `sd`; 1 is honest, below 1 too small.
    coverage, type_one_error
        Of .95 intervals and two-sided tests at .05, without an effect.
    coverage_planted, bias_planted, power
        The same with the planted effect.
    expected_type_one_error
        What formulas predict: .05 for a right variance.
    """

    replicates: int
    failed: int
    bias: Figure
    sd: float
    se_ratio: Figure
    coverage: Figure
    type_one_error: Figure
    bias_planted: Figure
    coverage_planted: Figure
    power: Figure
    expected_type_one_error: float

    @property
    def explained_type_one_error(self) -> float:
        """Type I error that the bias and the SE ratio found here explain, by the normal law."""
        reach = float(stats.norm.ppf(1 - ALPHA / 2)) * self.se_ratio.value
        shift = self.bias.value / self.sd if self.sd > 0 else float("nan")
        return float(stats.norm.sf(reach - shift) + stats.norm.cdf(-reach - shift))

    @classmethod
    def of(cls, rows: pd.DataFrame, truth: float) -> Self:
        """Sum up the rows of one analysis (`simulation.audit.replicates`)."""
        null = rows[~rows["planted"]]
        planted = rows[rows["planted"] & rows["estimate"].notna()]
        known = null[null["estimate"].notna()]
        n = len(known)
        q, se = known["estimate"].to_numpy(), known["se"].to_numpy()
        sd = float(q.std(ddof=1)) if n > 1 else float("nan")
        return cls(
            replicates=n,
            failed=len(null) - n,
            bias=_mean(q),
            sd=sd,
            se_ratio=_ratio(se, sd, n),
            coverage=Figure.share(_covers(known, 0.0)),
            type_one_error=Figure.share(known["p_value"] <= ALPHA),
            bias_planted=_mean(planted["estimate"].to_numpy() - truth),
            coverage_planted=Figure.share(_covers(planted, truth)),
            power=Figure.share(planted["p_value"] <= ALPHA),
            expected_type_one_error=_expected(known),
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read back what `to_dict` wrote."""
        parsed: dict[str, Any] = {
            k: Figure(**v) if isinstance(v, Mapping) else v for k, v in values.items()
        }
        return cls(**parsed)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able mapping."""
        return asdict(self)

    def interval(self, name: str) -> tuple[float, float]:
        """Wilson's .95 interval of a share such as `coverage` (Wilson, 1927)."""
        n, z = self.replicates, float(stats.norm.ppf(0.975))
        rate = getattr(self, name).value
        middle = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
        return float(middle - half), float(middle + half)


def _covers(rows: pd.DataFrame, truth: float) -> pd.Series:
    return (rows["low"] <= truth) & (rows["high"] >= truth)


def _mean(values: Any) -> Figure:
    if len(values) < 2:
        return Figure(float("nan"), float("nan"))
    return Figure(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))


def _ratio(se: Any, sd: float, n: int) -> Figure:
    """Mean standard error over the SD of estimates; its SE by the delta method."""
    if n < 2 or not sd > 0:
        return Figure(float("nan"), float("nan"))
    value = float(se.mean()) / sd
    spread = 1 / (2 * (n - 1)) + float(se.var(ddof=1)) / (n * float(se.mean()) ** 2)
    return Figure(value, value * float(np.sqrt(spread)))


def _expected(rows: pd.DataFrame) -> float:
    """Type I error of a normal test whose variance leaves `missing_variance` out."""
    if not len(rows):
        return float("nan")
    reported = float((rows["se"] ** 2).mean())
    true = reported + float(rows["missing_variance"].mean())
    z = float(stats.norm.ppf(1 - ALPHA / 2))
    return float(2 * stats.norm.sf(z * np.sqrt(reported / true)))
