"""A generator that is known exactly: the linear-Gaussian oracle.

It refits a linear-Gaussian model to real controls and samples synthetic patients from it, so that
nothing but the counting of patients can go wrong, and every exact answer is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulation.analysis.arrays import FloatArray

SLOPES = np.array([0.5, 0.3, 0.0])
"""Slopes of the outcome on the covariates of `patients`."""
OUTCOME_VARIANCE = 1.0 + float(SLOPES @ SLOPES)
"""Variance of the outcome of `patients`: its noise and its covariates'."""


@dataclass(frozen=True)
class LinearOracle:
    """Linear-Gaussian generator of each replicate: X ~ N(mean, L L'), Y = X slopes + sd noise.

    Shapes: mean (R, P), root (R, P, P), slopes with intercept (R, P + 1), sd (R,).
    """

    mean: FloatArray
    root: FloatArray
    slopes: FloatArray
    sd: FloatArray

    @classmethod
    def fit(cls, x: FloatArray, y: FloatArray, weights: FloatArray | None = None) -> LinearOracle:
        """Unbiased fit in each replicate: x (R, N, P), y (R, N), weights (R, N).

        Weights are 0/1 for a subset, counts for a bootstrap resample, or any that sum to the
        number of patients (Bayesian bootstrap).
        """
        w = np.ones_like(y) if weights is None else weights
        n = w.sum(axis=1)
        mean = np.einsum("rn,rnp->rp", w, x) / n[:, None]
        centred = x - mean[:, None]
        covariance = np.swapaxes(centred * w[..., None], 1, 2) @ centred / (n - 1)[:, None, None]
        design = np.concatenate([np.ones((*y.shape, 1)), x], axis=2)
        weighted = np.swapaxes(design * w[..., None], 1, 2)
        slopes = np.linalg.solve(weighted @ design, weighted @ y[..., None])
        rss = (w * (y - (design @ slopes)[..., 0]) ** 2).sum(axis=1)
        return cls(mean, np.linalg.cholesky(covariance), slopes[..., 0],
                   np.sqrt(rss / (n - design.shape[2])))

    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Synthetic patients: x (R, n, P) and y (R, n)."""
        replicates, p = self.mean.shape
        x = self.mean[:, None] + rng.normal(size=(replicates, n, p)) @ np.swapaxes(self.root, 1, 2)
        y = self.slopes[:, :1] + np.einsum("rnp,rp->rn", x, self.slopes[:, 1:])
        return x, y + self.sd[:, None] * rng.normal(size=(replicates, n))


def patients(replicates: int, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Real patients x (R, n, 3) and y (R, n): the outcome depends on covariates, never on an arm.

    Its mean is 0 and its variance `OUTCOME_VARIANCE`.
    """
    x = rng.normal(size=(replicates, n, SLOPES.size))
    return x, x @ SLOPES + rng.normal(size=(replicates, n))
