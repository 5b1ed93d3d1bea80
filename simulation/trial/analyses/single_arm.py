"""What analyses with external controls in place of randomised ones share."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from simulation.trial.analyses.base import Fit, LookData, no_fit
from simulation.trial.analyses.borrowing import (
    ExternalAnalysis,
    Joined,
    Limits,
    on_normal_scale,
    verdict_of,
)
from simulation.trial.outcomes.base import Booleans, Floats, Indices
from simulation.trial.plan import NotNegative


class SingleArm(ExternalAnalysis, ABC):
    """Treated patients against external controls; where a limit is broken, no claim is made.

    Nothing here shows whether the controls drift: there are no own ones to compare with.
    """

    external: ClassVar[Literal["", "beside", "instead"]] = "instead"
    ratio: ClassVar[bool] = False
    summaries: ClassVar[dict[str, str]] = {
        "continuous": "difference in means",
        "binary": "difference in proportions",
    }
    stop: Limits | None = Field(
        default=Limits(), description="limits fixed beforehand; none: always compare"
    )
    tau: NotNegative = Field(
        default=0.0, description="SD between trials that the variance counts, as the outcome's unit"
    )

    def verdict(self) -> str:
        """When no claim is made, in words."""
        if self.stop is None:
            return "External controls are compared with whatever the diagnostics say."
        told = "; ".join(self.stop.told(bool(self.covariates)))
        return f"There is no estimate, and no claim is made, where the first look finds {told}."

    @abstractmethod
    def effect(self, joined: Joined, data: LookData) -> tuple[Fit, dict[str, Booleans]]:
        """The comparison in each replicate, and limits of its own that are broken."""

    def fit(self, data: LookData, treated: int, control: int, among: Booleans | None = None) -> Fit:
        """Compare treated patients with external controls in every replicate."""
        external = data.external
        assert external is not None and data.observed.values is not None
        there, _ = data.pair(treated, control)
        joined = Joined.of(data, there & np.isfinite(data.observed.values[-1]))
        fit, broken = self.effect(joined, data)
        refused = external.refused
        if refused is None:
            refused = self._refused(joined, fit, broken)
        return _claimed(fit, refused)

    def _refused(self, joined: Joined, fit: Fit, broken: dict[str, Booleans]) -> Indices:
        if self.stop is not None:
            if self.covariates:
                weights = joined.weights("entropy" if self.kind != "external_aipw" else "att")
                broken = joined.broken(weights, self.stop) | broken
            broken["effective size"] = fit.more["external_ess"] < self.stop.min_ess
        return verdict_of(broken, len(fit.estimate))


def _claimed(fit: Fit, refused: Indices) -> Fit:
    """The fit where nothing is refused; else none."""
    on = (refused == 0) & np.isfinite(fit.estimate) & np.isfinite(fit.se) & (fit.se > 0)
    none = no_fit(len(on))
    held = {name: np.where(on, getattr(fit, name), none[name]) for name in none}
    more = {
        "refused": refused.astype(np.float64),
        "external_ess": np.where(on, fit.more["external_ess"], 0.0),
    }
    return Fit(**held, information=1 / held["se"] ** 2, n=fit.n, more=more)


def compared(effect: Floats, variance: Floats, df: Floats, n: Floats, ess: Floats) -> Fit:
    """Wald's test of an effect by Student's law; infinite degrees of freedom: the normal one."""
    sound = (variance > 0) & np.isfinite(variance) & np.isfinite(effect)
    se = np.sqrt(np.where(sound, variance, np.inf))
    z = on_normal_scale(np.where(sound, effect, 0.0) / se, df)
    return Fit(np.where(sound, effect, np.nan), se, z, 1 / se**2, n, {"external_ess": ess})
