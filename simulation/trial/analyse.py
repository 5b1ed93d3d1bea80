"""Analyse: ANCOVA of completers at every look of every replicate, by normal equations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from simulation.trial.population import Booleans, Floats

_RANK = 1e-10


@final
@dataclass(frozen=True)
class Fits:
    """Least-squares fits, each array (R, K) over replicates and looks.

    Attributes
    ----------
    estimate
        Treated minus control, in the endpoint's unit; NaN where an arm has fewer than two
        completers or the outcome does not vary.
    se
        Its standard error; infinite where there is no estimate.
    df
        Residual degrees of freedom.
    completers
        Patients in the fit.
    information
        Information about the effect in units of the residual variance: 1 / variance at a
        residual variance of 1. The estimated variance is left out, as looks that stop have a
        small one by selection. 0 where there is no estimate.
    """

    estimate: Floats
    se: Floats
    df: Floats
    completers: Floats
    information: Floats


def analyse(
    outcome: Floats,
    treated: Booleans,
    covariates: Floats,
    complete: Booleans,
    sizes: Sequence[int],
) -> Fits:
    """Fit outcome ~ 1 + treated + covariates on the completers among the first patients.

    Without covariates this is the two-sample t test with pooled variance.

    Parameters
    ----------
    outcome
        (R, N); ignored where not complete.
    treated, complete
        (R, N).
    covariates
        (P, R, N).
    sizes
        Patients at each of the K looks, rising to N.

    Returns
    -------
    Fits
        A rank-deficient fit (a level nobody has yet) uses the pseudo-inverse.
    """
    weight = complete.astype(np.float64)
    y = np.where(complete, outcome, 0.0)
    columns = [weight, treated * weight, *(covariate * weight for covariate in covariates), y]
    cross = _cross_products(columns, sizes)
    p = len(columns) - 1
    gram, moment, total = cross[..., :p, :p], cross[..., :p, p], cross[..., p, p]
    inverse, rank = _inverse(gram)
    beta = (inverse @ moment[..., None])[..., 0]
    df = gram[..., 0, 0] - rank
    rss = np.maximum(total - (beta * moment).sum(axis=-1), 0.0)
    arms = np.minimum(gram[..., 1, 1], gram[..., 0, 0] - gram[..., 1, 1])
    sound = (arms >= 2) & (df >= 1) & (rss > 0)
    unit = inverse[..., 1, 1]
    variance = rss / np.maximum(df, 1.0) * unit
    return Fits(
        estimate=np.where(sound, beta[..., 1], np.nan),
        se=np.where(sound, np.sqrt(variance), np.inf),
        df=df,
        completers=gram[..., 0, 0],
        information=np.divide(1.0, unit, out=np.zeros(unit.shape), where=sound),
    )


def _cross_products(columns: Sequence[Floats], sizes: Sequence[int]) -> Floats:
    """Sums of products over the first patients, (R, K, P, P), summed patient-wise by replicate.

    Each replicate's sums are taken along its own row, so a chunk's size cannot change a bit.
    """
    starts = [0, *sizes[:-1]]
    width = len(columns)
    out = np.empty((columns[0].shape[0], len(sizes), width, width))
    for i, left in enumerate(columns):
        for j, right in enumerate(columns[: i + 1]):
            parts = np.add.reduceat((left * right)[:, : sizes[-1]], starts, axis=1)
            out[:, :, i, j] = out[:, :, j, i] = np.cumsum(parts, axis=1)
    return out


def _inverse(gram: Floats) -> tuple[Floats, Floats]:
    """Pseudo-inverse and rank of symmetric matrices, scaled to a unit diagonal first."""
    diagonal = np.diagonal(gram, axis1=-2, axis2=-1)
    scale = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    values, vectors = np.linalg.eigh(gram * scale[..., :, None] * scale[..., None, :])
    held = values > _RANK * np.maximum(values[..., -1:], 1e-300)
    reciprocal = np.where(held, 1 / np.where(held, values, 1.0), 0.0)
    inverse = (vectors * reciprocal[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    scaled = inverse * scale[..., :, None] * scale[..., None, :]
    return scaled, held.sum(axis=-1).astype(np.float64)
