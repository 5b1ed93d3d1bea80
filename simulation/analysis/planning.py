"""Sample size and power of a comparison of means, with and without a prognostic score.

Savings are planned from the lower confidence limit of the score's correlation, and power is shown
for a score that turns out worthless.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from extraction.records.errors import InputError
from simulation.analysis.estimate import Estimate


def variance_ratio(rho: float) -> float:
    """Variance with the score over without: 1 - rho^2 (Schuler et al. 2021).

    Schuler, Walsh, Hall et al., doi 10.1515/ijb-2021-0072; rho is the (partial) correlation of
    score and outcome, in (-1, 1).
    """
    return 1.0 - rho**2


def power(difference: float, sd: float, n: float, *, rho: float = 0.0, alpha: float = 0.05,
          treated_share: float = 0.5) -> float:
    """Power of the two-sided t test on n patients in all (noncentral t law).

    Parameters
    ----------
    difference, sd
        Difference of means and residual standard deviation before the score, same unit.
    n
        Patients in both arms together; fractions are allowed in planning.
    rho
        Correlation of score and outcome given the other covariates.
    treated_share
        Share randomised to treatment, in (0, 1).
    """
    spread = sd * np.sqrt(variance_ratio(rho) / (n * treated_share * (1 - treated_share)))
    df = n - 2
    critical = stats.t.ppf(1 - alpha / 2, df)
    shift = abs(difference) / spread
    return float(stats.nct.sf(critical, df, shift) + stats.nct.sf(critical, df, -shift))


def sample_size(difference: float, sd: float, *, rho: float = 0.0, alpha: float = 0.05,
                power_wanted: float = 0.9, treated_share: float = 0.5,
                normal: bool = False) -> float:
    """Patients in all, not rounded; by the noncentral t law, or the `normal` formula.

    Raises
    ------
    InputError
        For a zero difference or figures outside their ranges.
    """
    checks = (
        ("difference", difference, "not 0", difference != 0),
        ("sd", sd, "above 0", sd > 0), ("rho", rho, "-1 to 1, exclusive", abs(rho) < 1),
        ("alpha", alpha, "0 to 1, exclusive", 0 < alpha < 1),
        ("power_wanted", power_wanted, "alpha to 1, exclusive", alpha < power_wanted < 1),
        ("treated_share", treated_share, "0 to 1, exclusive", 0 < treated_share < 1),
    )
    faults = [f"{name}: {value:g}; allowed: {allowed}; correct it"
              for name, value, allowed, good in checks if not good]
    if faults:
        raise InputError(faults)
    z = stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power_wanted)
    first = float(z**2 * sd**2 * variance_ratio(rho)
                  / (difference**2 * treated_share * (1 - treated_share)))
    if normal:
        return first

    def gap(n: float) -> float:
        return power(difference, sd, n, rho=rho, alpha=alpha,
                     treated_share=treated_share) - power_wanted

    return float(optimize.brentq(gap, 2.5, 2 * first + 50))


@dataclass(frozen=True)
class SavingPlan:
    """What a prognostic score may save, and what it costs if it does not.

    Sample sizes are patients in all, rounded up. `n_planned` uses the lower confidence limit of
    the correlation's size (0 when the interval holds 0); `power_if_worthless` is its power when the
    correlation is 0.
    """

    rho: float
    rho_planned: float
    n_without: int
    n_planned: int
    n_at_estimate: int
    saving: float
    power_planned: float
    power_if_worthless: float


def plan_saving(rho: Estimate, difference: float, sd: float, *, alpha: float = 0.05,
                power_wanted: float = 0.9, treated_share: float = 0.5) -> SavingPlan:
    """Plan from the confidence limit of `rho` nearer to zero (see `procova.correlation`).

    Parameters
    ----------
    rho
        Partial correlation of score and outcome beyond baseline and site, with its interval.
    difference, sd
        Difference to detect and residual standard deviation of that ANCOVA, same unit.
    """
    same_sign = rho.low * rho.high > 0
    limit = min(abs(rho.low), abs(rho.high)) if same_sign else 0.0

    def size(r: float) -> int:
        return int(np.ceil(sample_size(difference, sd, rho=r, alpha=alpha,
                                       power_wanted=power_wanted, treated_share=treated_share)))

    without, planned = size(0.0), size(limit)

    def reached(r: float) -> float:
        return power(difference, sd, planned, rho=r, alpha=alpha, treated_share=treated_share)

    return SavingPlan(rho.estimate, limit, without, planned, size(abs(rho.estimate)),
                      1 - planned / without, reached(limit), reached(0.0))
