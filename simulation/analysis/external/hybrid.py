"""Exact operating characteristics of a two-arm binary trial that borrows controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike

from extraction.records.errors import InputError
from simulation.analysis.arrays import BoolArray, FloatArray
from simulation.analysis.external.mixtures import BetaMixture


@dataclass(frozen=True)
class HybridDesign:
    """Randomise n_treated : n_control, and add a prior to the controls.

    Success is P(treatment > control + margin | data) > threshold.

    Parameters
    ----------
    n_treated, n_control
        Patients randomised; fewer controls than treated where controls are borrowed.
    control_prior, treated_prior
        What is believed beforehand: a robust MAP prior for controls, a vague one for treated.
    threshold
        Posterior probability to exceed, 0 to 1.
    margin
        Difference to beat.

    Raises
    ------
    InputError
        For arms without patients or a threshold outside 0 to 1.
    """

    n_treated: int
    n_control: int
    control_prior: BetaMixture
    treated_prior: BetaMixture
    threshold: float = 0.975
    margin: float = 0.0

    def __post_init__(self) -> None:
        faults = [f"{name}: {value}; at least 1 patient" for name, value in
                  (("n_treated", self.n_treated), ("n_control", self.n_control)) if value < 1]
        if not 0 < self.threshold < 1:
            faults.append(f"threshold: {self.threshold:g}; allowed: 0 to 1, exclusive; 0.975 is "
                          "usual")
        if faults:
            raise InputError(faults)

    def success(self) -> BoolArray:
        """Whether each result is a success (n_control + 1, n_treated + 1)."""
        control = [self.control_prior.update(r, self.n_control) for r in range(self.n_control + 1)]
        treated = [self.treated_prior.update(r, self.n_treated) for r in range(self.n_treated + 1)]
        points, share = np.polynomial.legendre.leggauss(400)
        x = (points + 1) / 2
        below = np.stack([law.cdf(x - self.margin) for law in control])
        density = np.stack([np.exp(law.log_density(x)) for law in treated]) * share / 2
        chance = below @ (density / density.sum(axis=1, keepdims=True)).T
        return np.asarray(chance > self.threshold)

    def success_probability(self, treated_rate: ArrayLike, control_rate: ArrayLike) -> FloatArray:
        """Chance of success at true rates; both broadcast. Exact: summed over all results."""
        p1, p0 = np.broadcast_arrays(np.asarray(treated_rate, dtype=np.float64),
                                     np.asarray(control_rate, dtype=np.float64))
        one = scipy.stats.binom.pmf(np.arange(self.n_treated + 1), self.n_treated, p1[..., None])
        zero = scipy.stats.binom.pmf(np.arange(self.n_control + 1), self.n_control, p0[..., None])
        chance: FloatArray = np.einsum("...i,ij,...j->...", zero, self.success().astype(float), one)
        return chance


@dataclass(frozen=True)
class DriftTable:
    """Borrowing against not borrowing over a grid of drifts; all figures exact.

    Attributes
    ----------
    drift
        Control rate in the new trial less the historical one (D,).
    type_one, power
        With borrowing (D,).
    type_one_alone, power_alone
        With the vague prior for controls as well (D,).
    bias, coverage
        Of the posterior mean and the 95 % interval of the control rate (D,).
    """

    drift: FloatArray
    type_one: FloatArray
    power: FloatArray
    type_one_alone: FloatArray
    power_alone: FloatArray
    bias: FloatArray
    coverage: FloatArray

    @property
    def worst_type_one(self) -> float:
        """Greatest type I error over the grid; to be stated beside `gain`."""
        return float(self.type_one.max())

    @property
    def gain(self) -> float:
        """Power gained at the drift nearest to 0."""
        none = int(np.abs(self.drift).argmin())
        return float(self.power[none] - self.power_alone[none])

    def worthwhile(self, cap: float) -> bool:
        """Whether there is a gain while the type I error stays within `cap` over the grid."""
        return self.gain > 0 and self.worst_type_one <= cap


def drift_table(design: HybridDesign, historical_rate: float, difference: float,
                drifts: Sequence[float]) -> DriftTable:
    """Type I error and power over drifts of the control rate, borrowing or not.

    Parameters
    ----------
    historical_rate
        Control rate that the prior is about.
    difference
        Treated less control rate for the power.
    drifts
        Control rates are historical_rate + drift and must stay in (0, 1), with the difference.

    Raises
    ------
    InputError
        Where a rate leaves (0, 1).
    """
    drift = np.asarray(drifts, dtype=np.float64)
    rate = historical_rate + drift
    if drift.size == 0 or (rate <= 0).any() or (np.maximum(rate, rate + difference) >= 1).any():
        raise InputError("drifts: a control or treated rate leaves (0, 1), or none came; choose "
                         "smaller drifts")
    alone = HybridDesign(design.n_treated, design.n_control, design.treated_prior,
                         design.treated_prior, design.threshold, design.margin)
    results = np.arange(design.n_control + 1)
    laws = [design.control_prior.update(int(r), design.n_control) for r in results]
    means = np.array([law.mean for law in laws])
    below = np.stack([law.cdf(rate) for law in laws], axis=1)
    held = (below >= 0.025) & (below <= 0.975)
    chance = scipy.stats.binom.pmf(results, design.n_control, rate[:, None])
    margin = design.margin
    return DriftTable(drift, design.success_probability(rate + margin, rate),
                      design.success_probability(rate + difference, rate),
                      alone.success_probability(rate + margin, rate),
                      alone.success_probability(rate + difference, rate),
                      chance @ means - rate, (chance * held).sum(axis=1))
