"""Sample size and power of a comparison of means, with and without a prognostic score.

Savings are planned from the lower confidence limit of the score's correlation, and power is shown
for a score that turns out worthless.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from scipy import optimize

from extraction.records.errors import InputError
from simulation.analysis.continuous import welch_df
from simulation.analysis.estimate import Estimate


def variance_ratio(rho: float) -> float:
    """Variance with the score over without: 1 - rho^2 (Schuler et al. 2021).

    Schuler, Walsh, Hall et al., doi 10.1515/ijb-2021-0072; rho is the (partial) correlation of
    score and outcome, in (-1, 1).
    """
    return 1.0 - rho**2


def power(difference: float, sd: float, n: float, *, rho: float = 0.0, alpha: float = 0.05,
          treated_share: float = 0.5, covariates: int = 0) -> float:
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
    covariates
        Slopes that are estimated beside the arm (1 for a score): they take degrees of freedom, and
        chance imbalance widens the standard error by sqrt((n - 3) / (n - 3 - covariates)) on
        average (normal covariates). 0: both are left out, as in Schuler et al. (2021).
    """
    spread = sd * np.sqrt(variance_ratio(rho) / (n * treated_share * (1 - treated_share)))
    spread *= np.sqrt((n - 3) / (n - 3 - covariates)) if covariates else 1.0
    df = n - 2 - covariates
    critical = scipy.stats.t.ppf(1 - alpha / 2, df)
    shift = abs(difference) / spread
    return float(scipy.stats.nct.sf(critical, df, shift) + scipy.stats.nct.sf(critical, df, -shift))


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
    z = scipy.stats.norm.ppf(1 - alpha / 2) + scipy.stats.norm.ppf(power_wanted)
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


def procova_variance(sd_treated: float, sd_control: float, rho_treated: float, rho_control: float,
                     *, treated_share: float = 0.5) -> float:
    """Variance of the score-adjusted difference times the patients in all.

    sd1^2 / p + sd0^2 / (1 - p) - p (1 - p) (rho1 sd1 / p + rho0 sd0 / (1 - p))^2, with p the
    treated share: what adjustment for one score with its own slope in each arm leaves (Schuler et
    al. 2021, doi 10.1515/ijb-2021-0072). With equal arms it is 4 sd^2 (1 - rho^2).

    Parameters
    ----------
    sd_treated, sd_control
        Standard deviations of the outcome in each arm.
    rho_treated, rho_control
        Correlation of score and outcome in each arm, in [-1, 1].
    """
    p = treated_share
    slope = rho_treated * sd_treated / p + rho_control * sd_control / (1 - p)
    return sd_treated**2 / p + sd_control**2 / (1 - p) - p * (1 - p) * slope**2


@dataclass(frozen=True)
class SingleArmPlan:
    """A single-arm trial whose controls are twins made from historical patients.

    The variance of the effect is s1^2 / n + s0^2 (1 / n_train + 1 / (copies n_synthetic)) + tau2
    with s^2 = sd^2 (1 - rho^2). No number of treated or synthetic patients takes away what
    n_train and tau2 leave (`ceiling`).

    Parameters
    ----------
    sd_treated, sd_control
        Standard deviations of the outcome.
    n_train
        Real controls behind the twins, or their effective number where they are weighted.
    n_synthetic, copies
        Synthetic controls in each of `copies` independent syntheses.
    tau2
        Variance of the control mean between trials.
    rho
        Correlation of a twin's predicted outcome with the patient's, where each patient is
        compared with the own twin; plan from its lower confidence limit. 0: plain means.

    Raises
    ------
    InputError
        For figures outside their ranges.
    """

    sd_treated: float
    sd_control: float
    n_train: float
    n_synthetic: float
    copies: int = 1
    tau2: float = 0.0
    rho: float = 0.0

    def __post_init__(self) -> None:
        faults = [f"{name}: {getattr(self, name):g}; it must be above 0; correct it"
                  for name in ("sd_treated", "sd_control", "n_train", "n_synthetic", "copies")
                  if not getattr(self, name) > 0]
        if self.tau2 < 0:
            faults.append(f"tau2: {self.tau2:g}; a variance is at least 0")
        if not abs(self.rho) < 1:
            faults.append(f"rho: {self.rho:g}; allowed: -1 to 1, exclusive; correct it")
        if faults:
            raise InputError(faults)

    @property
    def control_variance(self) -> float:
        """What the controls add to the variance, however many patients are treated."""
        made = 1 / self.n_train + 1 / (self.copies * self.n_synthetic)
        return self.sd_control**2 * variance_ratio(self.rho) * made + self.tau2

    def variance(self, n: float) -> float:
        """Variance of the effect with n treated patients."""
        return self.sd_treated**2 * variance_ratio(self.rho) / n + self.control_variance

    def power(self, difference: float, n: float, *, alpha: float = 0.05,
              small_sample: bool = False) -> float:
        """Power of the two-sided test with n treated patients, by the normal law.

        `small_sample`: by the noncentral t law with Satterthwaite's degrees of freedom on n and
        n_train patients, as the test itself has them (`synthetic_arm.corrected`); about .01 lower
        with 60 treated patients.
        """
        if not small_sample:
            return self._power(difference, self.variance(n), alpha)
        own = self.variance(n) - self.control_variance
        df = float(welch_df(own, n, self.control_variance, self.n_train))
        critical, shift = scipy.stats.t.isf(alpha / 2, df), difference / np.sqrt(self.variance(n))
        law = scipy.stats.nct
        return float(law.sf(critical, df, abs(shift)) + law.sf(critical, df, -abs(shift)))

    def ceiling(self, difference: float, *, alpha: float = 0.05) -> float:
        """Power that no number of treated patients surpasses."""
        return self._power(difference, self.control_variance, alpha)

    def naive_type_one(self, n: float, *, alpha: float = 0.05) -> float:
        """Type I error of a test that counts synthetic controls as patients, for display."""
        left = variance_ratio(self.rho)
        claimed = (self.sd_treated**2 / n
                   + self.sd_control**2 / (self.copies * self.n_synthetic)) * left
        critical = scipy.stats.norm.isf(alpha / 2) * np.sqrt(claimed / self.variance(n))
        return float(2 * scipy.stats.norm.sf(critical))

    def detectable(self, n: float, *, alpha: float = 0.05, power_wanted: float = 0.9) -> float:
        """Least difference (above 0) found with the power wanted: the inverse of `power`."""
        spread = float(np.sqrt(self.variance(n)))
        roof = (scipy.stats.norm.isf(alpha / 2) + scipy.stats.norm.ppf(power_wanted)) * spread
        return float(optimize.brentq(
            lambda gap: self.power(gap, n, alpha=alpha) - power_wanted, 0.0, roof + spread))

    def sample_size(self, difference: float, *, alpha: float = 0.05, power_wanted: float = 0.9
                    ) -> float:
        """Treated patients, not rounded: the inverse of `power`.

        Raises
        ------
        InputError
            For a zero difference or figures outside their ranges, and where the controls' own
            variance keeps the power below the wanted: with `ceiling` and what would help.
        """
        self._check(difference, alpha, power_wanted)
        roof = self.ceiling(difference, alpha=alpha)
        if roof <= power_wanted:
            raise InputError(
                f"power_wanted: {power_wanted:g}; {self.n_train:g} training patients and tau2 = "
                f"{self.tau2:g} allow at most {roof:.3f} however many are treated; train on more "
                "patients, look for a larger difference or randomise controls")
        wanted = self._variance_for(difference, alpha, power_wanted)
        return self.sd_treated**2 * variance_ratio(self.rho) / (wanted - self.control_variance)

    def training_size(self, difference: float, n: float, *, alpha: float = 0.05,
                      power_wanted: float = 0.9) -> float:
        """Training patients that give the power wanted with n treated, not rounded.

        Raises
        ------
        InputError
            For figures outside their ranges, or where no number of them suffices.
        """
        self._check(difference, alpha, power_wanted)
        left = variance_ratio(self.rho)
        fixed = (self.sd_treated**2 * left / n + self.tau2
                 + self.sd_control**2 * left / (self.copies * self.n_synthetic))
        room = self._variance_for(difference, alpha, power_wanted) - fixed
        if room <= 0:
            raise InputError(f"n: {n:g} treated patients do not reach {power_wanted:g} with any "
                             "number of training patients; treat more")
        return self.sd_control**2 * left / room

    def _power(self, difference: float, variance: float, alpha: float) -> float:
        shift = abs(difference) / np.sqrt(variance)
        critical = scipy.stats.norm.isf(alpha / 2)
        return float(scipy.stats.norm.sf(critical - shift) + scipy.stats.norm.sf(critical + shift))

    def _variance_for(self, difference: float, alpha: float, power_wanted: float) -> float:
        """The variance at which the power is the wanted one; both tails count."""
        z = scipy.stats.norm.isf(alpha / 2) + scipy.stats.norm.ppf(power_wanted)
        first = (difference / z) ** 2 if z > 0 else difference**2
        return float(optimize.brentq(
            lambda v: self._power(difference, v, alpha) - power_wanted, first * 0.5,
            first * 1e6, xtol=1e-14 * first, rtol=1e-13))

    @staticmethod
    def _check(difference: float, alpha: float, power_wanted: float) -> None:
        faults = [] if difference != 0 else ["difference: 0; no trial finds it; choose another"]
        if not 0 < alpha < power_wanted < 1:
            faults.append(f"alpha, power_wanted: {alpha:g}, {power_wanted:g}; allowed: 0 < alpha < "
                          "power_wanted < 1")
        if faults:
            raise InputError(faults)
