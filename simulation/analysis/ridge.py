"""Closed-form ridge regression with its penalty by generalised cross-validation, batched.

One call fits R models on R subsets of the same patients, given as 0/1 masks, so that refitting a
score inside thousands of null trials is a handful of matrix products.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from simulation.analysis.arrays import Columns, FloatArray, IntArray

# Relative to the eigenvalues of a correlation matrix times n: from nearly least squares to nearly
# no score at all.
PENALTIES: FloatArray = np.concatenate([[1e-3], np.geomspace(1e-2, 1e3, 21)])
_MISSING = "(missing)"


def standardise(features: ArrayLike) -> FloatArray:
    """Centre and scale columns (N, P) over all patients; columns without spread are dropped."""
    table = np.asarray(features, dtype=np.float64)
    spread = table.std(axis=0)
    kept = spread > 0
    scaled: FloatArray = (table[:, kept] - table[:, kept].mean(axis=0)) / spread[kept]
    return scaled


def baseline_features(columns: Columns, factors: Columns | None = None,
                      flag_from: float = 0.05) -> FloatArray:
    """Feature table (N, P) out of baseline columns; no outcome is looked at.

    Missing numbers are set to the column's mean; a column that misses at least the share
    `flag_from` also gets a column of flags; a column without any number is left out. Factors become
    dummies, one per level but the most frequent; missing labels are a level of their own.
    """
    parts: list[FloatArray] = []
    for values in columns.values():
        column = np.asarray(values, dtype=np.float64)
        absent = ~np.isfinite(column)
        parts.append(np.zeros((column.size, 0)))  # keeps the rows where no column is left
        if absent.all():
            continue
        parts.append(np.where(absent, np.nanmean(np.where(absent, np.nan, column)), column))
        if absent.any() and absent.mean() >= flag_from:
            parts.append(absent.astype(np.float64))
    for values in (factors or {}).values():
        texts = np.asarray([_MISSING if v is None or v != v else str(v)
                            for v in np.asarray(values, dtype=object)])
        levels, counts = np.unique(texts, return_counts=True)
        parts.append(np.zeros((texts.size, 0)))
        parts += [(texts == level).astype(np.float64)
                  for level in np.delete(levels, int(counts.argmax()))]
    return np.column_stack(parts)


def ridge_batch(features: FloatArray, y: FloatArray, train: FloatArray,
                groups: IntArray | None = None, penalties: FloatArray = PENALTIES) -> FloatArray:
    """Predictions of R ridge models for all patients, each learnt on its own subset.

    Parameters
    ----------
    features
        Standardised columns (N, P).
    y
        Outcomes (R, N) or (N,).
    train
        1 where the patient is in the training subset (R, N).
    groups
        Arm codes 0..G-1 (R, N); each arm then has an unpenalised mean of its own, so that the
        slopes hold no treatment effect. None: one mean.
    penalties
        Candidates, relative to the training size.

    Returns
    -------
    FloatArray
        Predicted prognosis (R, N), centred at its mean over all N patients: the intercept of a
        held-out fold is negatively correlated with that fold's outcomes and says nothing about a
        patient, so it is left out.

    Notes
    -----
    Generalised cross-validation: Golub, Heath and Wahba (1979), doi 10.1080/00401706.1979.10489751.
    """
    n, p = features.shape
    outcome = np.broadcast_to(np.atleast_2d(y), train.shape)
    products = (features[:, :, None] * features[:, None, :]).reshape(n, p * p)
    gram = (train @ products).reshape(len(train), p, p)
    moment = (train * outcome) @ features
    energy = (train * outcome**2).sum(axis=1)
    arms = np.zeros(train.shape, np.int64) if groups is None else groups
    count = int(arms.max()) + 1
    for g in range(count):
        member = train * (arms == g)
        size = np.maximum(member.sum(axis=1), 1.0)
        x_sum, y_sum = member @ features, (member * outcome).sum(axis=1)
        gram -= x_sum[:, :, None] * x_sum[:, None, :] / size[:, None, None]
        moment -= x_sum * (y_sum / size)[:, None]
        energy = energy - y_sum**2 / size
    slopes = _slopes(gram, moment, energy, train.sum(axis=1), count, penalties)
    score = slopes @ features.T
    centred: FloatArray = score - score.mean(axis=1, keepdims=True)
    return centred


def _slopes(gram: FloatArray, moment: FloatArray, energy: FloatArray, size: FloatArray, means: int,
            penalties: FloatArray) -> FloatArray:
    """Slopes (R, P) at the penalty with the least generalised cross-validation score."""
    scale = np.sqrt(np.maximum(np.einsum("rpp->rp", gram), 0.0))
    flat = scale <= 1e-8 * np.sqrt(size)[:, None]
    scale = np.where(flat, 1.0, scale)
    values, vectors = np.linalg.eigh(gram / scale[:, :, None] / scale[:, None, :])
    values = np.maximum(values, 0.0)
    rotated = np.einsum("rpk,rp->rk", vectors, np.where(flat, 0.0, moment / scale))
    shrunk = 1.0 / (values[:, None, :] + penalties[None, :, None])
    residual = (energy[:, None] - 2 * (rotated[:, None] ** 2 * shrunk).sum(axis=2)
                + (rotated[:, None] ** 2 * values[:, None] * shrunk**2).sum(axis=2))
    freedom = size[:, None] - means - (values[:, None] * shrunk).sum(axis=2)
    criterion = np.where(freedom > 1, residual / np.maximum(freedom, 1) ** 2, np.inf)
    best = criterion.argmin(axis=1)
    chosen = np.take_along_axis(shrunk, best[:, None, None], axis=1)[:, 0]
    slopes = np.einsum("rpk,rk->rp", vectors, rotated * chosen)
    return np.where(flat, 0.0, slopes / scale)


def ridge_learner(x_train: FloatArray, y_train: FloatArray, x_test: FloatArray) -> FloatArray:
    """Ridge as a plain learner: predicted outcomes of the test patients (n_test,)."""
    table = np.vstack([x_train, x_test])
    spread = table.std(axis=0)
    table = (table - table.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    train = (np.arange(len(table)) < len(x_train)).astype(np.float64)[None]
    y = np.concatenate([y_train, np.zeros(len(x_test))])
    score = ridge_batch(table, y, train)[0]
    level = y_train.mean() - score[: len(x_train)].mean()
    predicted: FloatArray = level + score[len(x_train) :]
    return predicted
