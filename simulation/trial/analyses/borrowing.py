"""What analyses with external controls share: summaries of arms, weights, limits, verdicts."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, final

import numpy as np
from pydantic import Field
from scipy.special import ndtr, ndtri, stdtr

from simulation.analysis.borrowing import BorrowingRule
from simulation.analysis.continuous import welch_df
from simulation.analysis.external.borrowed_mean import MixtureBatch
from simulation.analysis.external.drift import broken_batch
from simulation.analysis.external.weights import WeightsBatch, weights_batch
from simulation.trial.analyses.ancova import Ancova
from simulation.trial.analyses.base import Analysis, External, Fit, LookData
from simulation.trial.analyses.proportions import Proportions
from simulation.trial.outcomes.base import Booleans, Floats, Indices
from simulation.trial.plan import NotNegative, Plan, Share

REASONS: Final = (
    "weights", "balance", "weighted balance", "overlap", "effective size", "conflict",
)  # fmt: skip
"""Limits that can refuse external controls; number k stands for 2^k in a verdict."""

_ALONE: Final[dict[str, Analysis]] = {
    "continuous": Ancova(),
    "binary": Proportions(measure="odds_ratio"),
}
"""What is done with own controls alone."""

_SHIPPED: Final = BorrowingRule()


class Limits(Plan):
    """Limits on the baseline, fixed before the trial; one that is broken refuses the controls.

    Balance, overlap and weights are looked at where the analysis has covariates.
    """

    max_smd: NotNegative = Field(
        default=_SHIPPED.max_smd, description="standardised mean difference, unweighted"
    )
    max_weighted_smd: NotNegative = Field(
        default=_SHIPPED.max_weighted_smd, description="the same after weighting"
    )
    min_overlap: Share = Field(
        default=_SHIPPED.min_overlap, description="of the trial in the controls' 1-99 % range"
    )
    min_ess: NotNegative = Field(
        default=_SHIPPED.min_ess, description="effective number of weighted external controls"
    )

    @property
    def rule(self) -> BorrowingRule:
        """As the diagnostics take it."""
        return BorrowingRule(
            self.max_smd, self.max_weighted_smd, self.min_overlap, self.min_ess, False
        )

    def told(self, covariates: bool) -> list[str]:
        """Each limit in words."""
        held = [f"fewer than {self.min_ess:g} effective external controls"]
        if covariates:
            held += [
                f"a standardised difference above {self.max_smd:g}",
                f"above {self.max_weighted_smd:g} after weighting",
                f"under {self.min_overlap:.0%} of the trial in the range of external controls",
            ]
        return held


@final
class BorrowingLimits(Limits):
    """Limits where own controls are there to be compared with."""

    min_conflict_p: float = Field(
        default=0.1, ge=0, le=1, description="own against external controls, two-sided p"
    )

    def told(self, covariates: bool) -> list[str]:
        """Each limit in words."""
        said = f"own and external controls differing with p under {self.min_conflict_p:g}"
        return [*super().told(covariates), *([said] if self.min_conflict_p else [])]


@final
@dataclass(frozen=True)
class Mean:
    """A group's mean, or log odds, (R,): value, variance, and patients it rests on.

    `of_one` is the variance that one patient's information would leave.
    """

    value: Floats
    variance: Floats
    n: Floats
    of_one: Floats

    @classmethod
    def of(cls, kind: str, n: Floats, mean: Floats, squares: Floats) -> "Mean":
        """From n patients, their mean and the squares about it (as of n).

        Log odds have half a patient added to each side (Haldane), so that they are finite.
        """
        if kind == "binary":
            hits, rest = n * mean + 0.5, n * (1 - mean) + 0.5
            variance = 1 / hits + 1 / rest
            return cls(np.log(hits / rest), variance, n, variance * n)
        of_one = squares / np.maximum(n - 1, 1.0)
        return cls(mean, of_one / np.maximum(n, 1.0), n, of_one)

    @property
    def se(self) -> Floats:
        """Standard error (R,)."""
        return np.sqrt(self.variance)

    @property
    def sound(self) -> Booleans:
        """Whether it has a standard error (R,)."""
        return (self.n >= 2) & (self.variance > 0) & np.isfinite(self.variance)


def arms_of(data: LookData, treated: int, control: int) -> tuple[Mean, Mean]:
    """Summaries of the treated and of own controls."""
    assert data.external is not None
    n, total, squares = data.moments(max(treated, control) + 1)
    mean = total / np.maximum(n, 1.0)
    one, zero = (
        Mean.of(data.external.kind, n[:, k], mean[:, k], squares[:, k]) for k in (treated, control)
    )
    return one, zero


def outside_of(external: External, weights: Floats) -> Mean:
    """Summary of the external controls (R, M) by weights; twins count as those behind them.

    k twins of a model of n patients leave 1 + k / n times the variance of k patients (Raab, Nowok
    and Dibben 2016).
    """
    known = np.isfinite(external.values)
    held = np.where(known, weights, 0.0)
    y = np.where(known, external.values, 0.0)
    share = held / np.maximum(held.sum(axis=1, keepdims=True), 1e-300)
    effective = 1 / np.maximum((share**2).sum(axis=1), 1e-300)
    effective = np.where(effective > known.sum(axis=1) + 0.5, 0.0, effective)
    mean = (share * y).sum(axis=1)
    squares = effective * (share * (y - mean[:, None]) ** 2).sum(axis=1)
    found = Mean.of(external.kind, effective, mean, squares)
    if external.n_train is None:
        return found
    wider = 1 + known.sum(axis=1) / external.n_train
    return Mean(found.value, found.variance * wider, found.n / wider, found.of_one)


@final
@dataclass(frozen=True)
class Joined:
    """The trial's patients and external controls in one table.

    Attributes
    ----------
    y, inside, count
        Outcomes, 1.0 for the trial's, and who counts, (R, N + M); y is 0 where unknown.
    x
        Covariates (R, N + M, P).
    """

    y: Floats
    inside: Floats
    count: Floats
    x: Floats

    @classmethod
    def of(cls, data: LookData, there: Booleans) -> "Joined":
        """Those of the trial who are there, and external controls whose outcome is known."""
        assert data.external is not None and data.observed.values is not None
        outside = data.external.values
        y = np.concatenate([data.observed.values[-1], outside], axis=1)
        inside = np.zeros(y.shape)
        inside[:, : there.shape[1]] = 1.0
        count = np.concatenate([there, np.isfinite(outside)], axis=1)
        x = np.concatenate([data.covariates, data.external.covariates], axis=2)
        return cls(
            np.where(np.isfinite(y), y, 0.0), inside, count.astype(np.float64),
            np.ascontiguousarray(np.moveaxis(x, 0, -1)),
        )  # fmt: skip

    def weights(self, target: Any) -> WeightsBatch:
        """Weights by which external controls resemble the trial."""
        return weights_batch(self.inside, self.x, target, self.count)

    def broken(self, found: WeightsBatch, limits: Limits) -> dict[str, Booleans]:
        """Limits on the baseline that are broken (R,), by name."""
        return broken_batch(self.inside, self.x, found, limits.rule, included=self.count)


def verdict_of(broken: dict[str, Booleans], replicates: int) -> Indices:
    """Numbers (R,) of what is broken; 0: nothing."""
    total = np.zeros(replicates, dtype=np.int64)
    for number, name in enumerate(REASONS):
        if name in broken:
            total |= broken[name].astype(np.int64) << number
    return total


def on_normal_scale(z: Floats, df: Floats) -> Floats:
    """Statistics of Student's law, taken to the normal quantile of the same level."""
    tail = np.maximum(stdtr(np.maximum(df, 1.0), -np.abs(z)), 1e-300)
    return np.where(np.isfinite(df), -np.sign(z) * ndtri(tail), z)


class ExternalAnalysis(Analysis, ABC):
    """An analysis of the last value that takes external controls."""

    summaries: ClassVar[dict[str, str]]
    """Population-level summary by kind of endpoint."""
    takes: ClassVar[tuple[str, ...]] = ("continuous", "binary")
    uses: ClassVar[tuple[str, ...]] = ("covariates",)
    covariates: tuple[str, ...] = Field(
        default=(), description="of which balance is judged, and by which controls are weighted"
    )

    @property
    def summary(self) -> str:
        """For the estimand, of any endpoint that it takes."""
        return " or ".join(self.summaries.values())


class Borrowing(ExternalAnalysis, ABC):
    """Own controls with external ones at a discount; where a limit is broken, own controls alone.

    External controls are weighted to resemble the trial's patients in the covariates. The normal
    law holds for the control mean, or log odds; the effect has a flat prior and is significant
    where its posterior probability says so. The verdict is that of the first look and is kept.
    """

    external: ClassVar[Literal["", "beside", "instead"]] = "beside"
    ratio: ClassVar[bool] = True
    summaries: ClassVar[dict[str, str]] = {
        "continuous": "difference in means",
        "binary": "marginal log odds ratio",
    }
    weighting: Literal["entropy", "att"] = "entropy"
    stop: BorrowingLimits | None = Field(
        default=BorrowingLimits(), description="limits fixed beforehand; none: always borrow"
    )

    def verdict(self) -> str:
        """When own controls are analysed alone, in words."""
        if self.stop is None:
            return "External controls are borrowed whatever the diagnostics say."
        told = "; ".join(self.stop.told(bool(self.covariates)))
        return (
            f"Nothing is borrowed, and own controls alone are analysed (t test, or Wald's test of "
            f"the log odds ratio), where the first look finds {told}."
        )

    @abstractmethod
    def posterior(self, own: Mean, outside: Mean) -> MixtureBatch:
        """Law of the control mean, after own and external controls."""

    def fit(self, data: LookData, treated: int, control: int, among: Booleans | None = None) -> Fit:
        """Compare a treated arm with own and external controls in every replicate."""
        external = data.external
        assert external is not None
        one, own = arms_of(data, treated, control)
        outside, broken = self._outside(data, treated, control)
        if external.refused is None:
            refused = self._refused(own, outside, broken)
        else:
            refused = external.refused
        alone = _ALONE[external.kind].fit(_plain(data), treated, control)
        sound = one.sound & own.sound & outside.sound & (refused == 0)
        one, own, outside = (_kept(held, sound) for held in (one, own, outside))
        return _joined(alone, self._borrowed(one, own, outside, external.kind), sound, refused)

    def _outside(
        self, data: LookData, treated: int, control: int
    ) -> tuple[Mean, dict[str, Booleans]]:
        external = data.external
        assert external is not None
        if not self.covariates:
            return outside_of(external, np.ones(external.values.shape)), {}
        there, _ = data.pair(treated, control)
        joined = Joined.of(data, there)
        found = joined.weights(self.weighting)
        broken = {} if self.stop is None else joined.broken(found, self.stop)
        broken["weights"] = ~found.converged
        return outside_of(external, found.weights[:, there.shape[1] :]), broken

    def _refused(self, own: Mean, outside: Mean, broken: dict[str, Booleans]) -> Indices:
        if self.stop is not None:
            apart = np.abs(own.value - outside.value)
            spread = np.sqrt(own.variance + outside.variance)
            p = 2 * ndtr(-np.divide(apart, spread, out=np.zeros_like(apart), where=spread > 0))
            broken["effective size"] = outside.n < self.stop.min_ess
            broken["conflict"] = p < self.stop.min_conflict_p
        return verdict_of(broken, len(own.value))

    def _borrowed(self, one: Mean, own: Mean, outside: Mean, kind: str) -> Fit:
        law = self.posterior(own, outside)
        effect = law.difference_from(one.value, one.se)
        below = effect.cdf(0.0)
        above = MixtureBatch(effect.weights, -effect.means, effect.sds).cdf(0.0)
        tail = np.maximum(np.minimum(below, above), 1e-300)
        z = np.where(below < above, -1.0, 1.0) * ndtri(tail)
        gained = own.n * (own.variance / law.sd**2 - 1)
        if kind == "continuous":
            behind = own.n + np.clip(gained, 0.0, outside.n)
            z = on_normal_scale(z, welch_df(one.variance, one.n, law.sd**2, behind))
        se = effect.sd
        return Fit(effect.mean, se, z, 1 / se**2, one.n + own.n, {"external_ess": gained})


def _plain(data: LookData) -> LookData:
    return LookData(data.observed, data.arm, data.covariates[:0])


def _kept(held: Mean, sound: Booleans) -> Mean:
    """The summary where it is sound; harmless figures elsewhere, which nobody reads."""
    return Mean(
        np.where(sound, held.value, 0.0), np.where(sound, held.variance, 1.0),
        np.where(sound, held.n, 2.0), np.where(sound, held.of_one, 1.0),
    )  # fmt: skip


def _joined(alone: Fit, borrowed: Fit, sound: Booleans, refused: Indices) -> Fit:
    """The borrowed fit where it is sound, else that of own controls alone."""

    def either(name: str) -> Floats:
        return np.asarray(np.where(sound, getattr(borrowed, name), getattr(alone, name)))

    more = {
        "refused": refused.astype(np.float64),
        "external_ess": np.where(sound, borrowed.more["external_ess"], 0.0),
    }
    se = either("se")
    return Fit(either("estimate"), se, either("z"), 1 / se**2, either("n"), more)
