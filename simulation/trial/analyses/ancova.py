"""Analysis of covariance of the deciding visit; without covariates the two-sample t test."""

from typing import ClassVar, Literal, final

import numpy as np
from scipy.special import ndtri, stdtr

from simulation.trial.analyses.base import Analysis, Fit, LookData
from simulation.trial.outcomes.base import Booleans, Floats

_RANK = 1e-10


@final
class Ancova(Analysis):
    """Least squares of the last visit's value on the arm and baseline covariates, in completers.

    A rank-deficient fit (a level nobody has yet) uses the pseudo-inverse. Without covariates it is
    the two-sample t test with pooled variance. With outcomes missing at random given the
    covariates it estimates the hypothetical effect had nobody left.
    """

    takes: ClassVar[tuple[str, ...]] = ("continuous",)
    ratio: ClassVar[bool] = False
    kind: Literal["ancova"] = "ancova"
    covariates: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """For the estimand."""
        return "difference in means"

    def fit(self, data: LookData, treated: int, control: int, among: Booleans | None = None) -> Fit:
        """Compare two arms in every replicate."""
        there, arm = data.pair(treated, control, among)
        assert data.observed.values is not None
        outcome = data.observed.values[-1]
        complete = there & np.isfinite(outcome)
        # Sums of squares lose digits far from zero: one constant for all keeps the bytes.
        y = np.where(complete, outcome, 0.0)
        return least_squares(y, arm, data.covariates, complete)


def least_squares(y: Floats, treated: Floats, covariates: Floats, complete: Booleans) -> Fit:
    """Fit y ~ 1 + treated + covariates among the complete, in each replicate.

    Parameters
    ----------
    y, treated, complete
        (R, N); y is 0 where not complete.
    covariates
        (P, R, N).
    """
    weight = complete.astype(np.float64)
    n = weight.sum(axis=1)
    centre = (y.sum(axis=1) / np.maximum(n, 1))[:, None]
    y = np.where(complete, y - centre, 0.0)
    columns = [weight, treated * weight, *(c * weight for c in covariates), y]
    cross = np.empty((len(n), len(columns), len(columns)))
    for i, left in enumerate(columns):
        for j, right in enumerate(columns[: i + 1]):
            # One row a sum: a chunk's size cannot change a bit of it.
            cross[:, i, j] = cross[:, j, i] = np.einsum("rn,rn->r", left, right)
    p = len(columns) - 1
    gram, moment, total = cross[:, :p, :p], cross[:, :p, p], cross[:, p, p]
    inverse, rank = pseudo_inverse(gram)
    beta = (inverse @ moment[..., None])[..., 0]
    df = n - rank
    rss = np.maximum(total - (beta * moment).sum(axis=-1), 0.0)
    arms = np.minimum(gram[:, 1, 1], n - gram[:, 1, 1])
    unit = inverse[:, 1, 1]
    sound = (arms >= 2) & (df >= 1) & (rss > 0) & (unit > 0)
    se = np.sqrt(rss / np.maximum(df, 1) * unit, where=sound, out=np.full(n.shape, np.inf))
    estimate = np.where(sound, beta[:, 1], np.nan)
    t = np.where(sound, beta[:, 1] / se, 0.0)
    z = -np.sign(t) * ndtri(stdtr(np.maximum(df, 1.0), -np.abs(t)))
    information = np.divide(1.0, unit, out=np.zeros(n.shape), where=sound)
    return Fit(estimate, se, z, information, n, {"df": df})


def pseudo_inverse(gram: Floats) -> tuple[Floats, Floats]:
    """Pseudo-inverse and rank of symmetric matrices, scaled to a unit diagonal first."""
    diagonal = np.diagonal(gram, axis1=-2, axis2=-1)
    scale = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    values, vectors = np.linalg.eigh(gram * scale[..., :, None] * scale[..., None, :])
    held = values > _RANK * np.maximum(values[..., -1:], 1e-300)
    reciprocal = np.where(held, 1 / np.where(held, values, 1.0), 0.0)
    inverse = (vectors * reciprocal[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    scaled = inverse * scale[..., :, None] * scale[..., None, :]
    return scaled, held.sum(axis=-1).astype(np.float64)
