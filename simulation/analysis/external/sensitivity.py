"""How wrong an external comparison would have to be before its conclusion fell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy
from scipy import special

from extraction.records.errors import InputError
from simulation.analysis.estimate import Estimand, Estimate, from_t, ratio_from_log
from simulation.analysis.external.mixtures import BetaMixture, NormalMixture

Ratio = Literal["risk", "odds", "hazard"]


@dataclass(frozen=True)
class TippingPoint:
    """Strength of bias at which a conclusion falls.

    Attributes
    ----------
    to_null, to_insignificance
        Bias that brings the estimate, and the confidence limit nearer to no effect, to no effect.
        For differences in their unit, signed like the estimate; for ratios the E-value, at least 1.
    in_sd
        `to_insignificance` in standard deviations of the outcome; NaN where none was given.
    kind
        "difference" or "E-value".
    """

    to_null: float
    to_insignificance: float
    in_sd: float
    kind: str


def tipping_difference(estimate: Estimate, sd: float | None = None) -> TippingPoint:
    """Drift between trials, or confounding, that removes an effect on a mean.

    Controls whose outcomes differ by `to_insignificance` from what concurrent ones would have had
    leave an interval that touches 0; it is 0 where the interval holds 0 already.
    """
    limit = estimate.low if estimate.low > 0 else min(estimate.high, 0.0)
    return TippingPoint(estimate.estimate, limit, float("nan") if sd is None else abs(limit) / sd,
                        "difference")


def e_value(ratio: float, kind: Ratio = "risk", common: bool = False) -> float:
    """E-value of a ratio: how strongly a confounder must be tied to both group and outcome.

    Parameters
    ----------
    ratio
        Above 0.
    kind, common
        Odds and hazard ratios of a common outcome (over 15 %) are first turned into an approximate
        risk ratio.

    Raises
    ------
    InputError
        For a ratio that is not above 0.

    Notes
    -----
    VanderWeele and Ding (2017), doi 10.7326/M16-2607: RR + sqrt(RR (RR - 1)); odds ratios by their
    square root, hazard ratios by (1 - .5^sqrt(HR)) / (1 - .5^sqrt(1/HR)).
    """
    if not ratio > 0:
        raise InputError(f"ratio: {ratio:g}; it must be above 0; correct it")
    risk = ratio
    if common and kind == "odds":
        risk = float(np.sqrt(ratio))
    elif common and kind == "hazard":
        risk = float((1 - 0.5 ** np.sqrt(ratio)) / (1 - 0.5 ** np.sqrt(1 / ratio)))
    risk = max(risk, 1 / risk)
    return float(risk + np.sqrt(risk * (risk - 1)))


def tipping_ratio(estimate: Estimate, kind: Ratio = "risk", common: bool = False) -> TippingPoint:
    """E-values of a ratio and of its limit nearer to 1; 1 where the interval holds 1."""
    if estimate.low <= 1 <= estimate.high:
        limit = 1.0
    else:
        limit = e_value(estimate.low if estimate.low > 1 else estimate.high, kind, common)
    return TippingPoint(e_value(estimate.estimate, kind, common), limit, float("nan"), "E-value")


def bounding_factor(with_group: float, with_outcome: float) -> float:
    """Greatest ratio that a confounder of two risk ratios can make (Ding and VanderWeele 2016).

    Doi 10.1097/EDE.0000000000000457; both risk ratios are at least 1.

    Raises
    ------
    InputError
        For risk ratios below 1.
    """
    if min(with_group, with_outcome) < 1:
        raise InputError("with_group, with_outcome: each is at least 1; turn ratios below 1 over")
    return with_group * with_outcome / (with_group + with_outcome - 1)


@dataclass(frozen=True)
class Confounder:
    """An unmeasured binary confounder, for quantitative bias analysis.

    Parameters
    ----------
    effect
        On the outcome: a difference of means, or a ratio above 0.
    prevalence_treated, prevalence_controls
        0 to 1.
    sd
        Standard deviation of what it does to the estimate, on the estimate's (log) scale: 0 takes
        the figures as known.

    Raises
    ------
    InputError
        For prevalences outside 0 to 1 or a negative sd.
    """

    effect: float
    prevalence_treated: float
    prevalence_controls: float
    sd: float = 0.0

    def __post_init__(self) -> None:
        faults = [f"{name}: {value:g}; allowed: 0 to 1; correct it"
                  for name, value in (("prevalence_treated", self.prevalence_treated),
                                      ("prevalence_controls", self.prevalence_controls))
                  if not 0 <= value <= 1]
        if self.sd < 0:
            faults.append(f"sd: {self.sd:g}; at least 0")
        if faults:
            raise InputError(faults)


def bias_adjusted(estimate: Estimate, confounder: Confounder, *, ratio: bool = False,
                  level: float = 0.95, estimand: Estimand | None = None) -> Estimate:
    """The estimate with the bias of one unmeasured confounder taken off.

    The bias of a difference is effect x (difference in prevalence); that of a ratio is
    (1 + (effect - 1) p1) / (1 + (effect - 1) p0) (Lin, Psaty and Kronmal 1998, doi
    10.2307/2533848). With `sd` the bias is a normal law and widens the interval
    (probabilistic bias analysis in closed form).

    Raises
    ------
    InputError
        For a ratio effect that is not above 0.
    """
    p1, p0 = confounder.prevalence_treated, confounder.prevalence_controls
    se = float(np.hypot(estimate.se, confounder.sd))
    more = {"bias_sd": confounder.sd, "unadjusted": estimate.estimate}
    if not ratio:
        bias = confounder.effect * (p1 - p0)
        return from_t(f"{estimate.method}, less an unmeasured confounder", estimate.estimate - bias,
                      se, estimate.n, level=level, estimand=estimand, extra={"bias": bias, **more})
    if confounder.effect <= 0:
        raise InputError(f"effect: {confounder.effect:g}; a ratio is above 0; correct it")
    bias = (1 + (confounder.effect - 1) * p1) / (1 + (confounder.effect - 1) * p0)
    log_ratio = float(np.log(estimate.estimate) - np.log(bias))
    return ratio_from_log(f"{estimate.method}, less an unmeasured confounder", log_ratio, se,
                          estimate.n, level=level, estimand=estimand, extra={"bias": bias, **more})


def conflict_binary(prior: BetaMixture, events: int, n: int) -> float:
    """Prior-predictive p of a trial's own controls (Box 1980, doi 10.2307/2982063).

    Chance, before they were seen, of a count no likelier than the one seen; small in conflict.

    Raises
    ------
    InputError
        For counts outside 0 to n.
    """
    if not 0 <= events <= n or n < 1:
        raise InputError(f"events, n: {events}, {n}; allowed: 0 <= events <= n, n >= 1")
    chance = prior.predictive(n)
    return float(min(chance[chance <= chance[events] * (1 + 1e-9)].sum(), 1.0))


def conflict_normal(prior: NormalMixture, estimate: float, se: float) -> float:
    """Two-sided prior-predictive p of a trial's own control mean with its standard error."""
    below = prior.predictive_cdf(estimate, se)
    return float(2 * min(below, 1 - below))


def conflict_of_means(own: float, own_se: float, other: float, other_se: float, *,
                      tau2: float = 0.0) -> float:
    """Two-sided p that two groups' control means are alike, but for tau2 between trials."""
    spread = np.sqrt(own_se**2 + other_se**2 + tau2)
    return float(2 * special.ndtr(-abs(own - other) / spread))


def allowed_drift(estimate: Estimate, alpha: float = 0.05) -> float:
    """Standard deviation between trials (tau) at which a difference stops being significant.

    0 where it is not significant; the normal law.

    Raises
    ------
    InputError
        For alpha outside 0 to 1.
    """
    if not 0 < alpha < 1:
        raise InputError(f"alpha: {alpha:g}; allowed: 0 to 1, exclusive")
    room = (estimate.estimate / scipy.stats.norm.isf(alpha / 2)) ** 2 - estimate.se**2
    return float(np.sqrt(max(room, 0.0)))
