"""Small ridge regressions whose penalty is chosen by leave-one-out error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from generation.tokenizer import FloatArray

_GRID = np.logspace(-2, 4, 13)


@dataclass(frozen=True)
class Ridge:
    """A linear predictor: ``x @ weights + intercept`` (weights (p,) or (p, k))."""

    weights: FloatArray
    intercept: FloatArray

    def predict(self, x: FloatArray) -> FloatArray:
        """Linear predictor, shape (n,) or (n, k)."""
        return np.asarray(x @ self.weights + self.intercept)

    def state(self) -> dict[str, Any]:
        """Return the arrays."""
        return {"weights": self.weights, "intercept": self.intercept}


def fit_ridge(x: FloatArray, y: FloatArray, free: np.ndarray) -> Ridge:
    """Least squares with a ridge on the columns that are not `free`.

    Parameters
    ----------
    x, y
        Features (n, p) and target (n,).
    free
        True for columns that carry no penalty, shape (p,).

    The penalty minimises the leave-one-out error, which ridge regression has in closed
    form (Allen, 1974, Technometrics 16).
    """
    centre, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 1e-9, scale, np.inf)
    z = (x - centre) / scale
    mean = float(y.mean())
    basis = _orthonormal(z[:, free])
    rest = z[:, ~free] - basis @ (basis.T @ z[:, ~free])
    target = y - mean - basis @ (basis.T @ (y - mean))
    fixed = 1 / len(y) + (basis**2).sum(axis=1)
    left, singular, right = _decompose(rest)
    along = left.T @ target
    best, best_error = np.zeros(len(singular)), np.inf
    for strength in _GRID if len(singular) else ():
        shrink = singular**2 / (singular**2 + strength)
        leverage = np.clip(fixed + left**2 @ shrink, 0.0, 0.95)
        error = float(np.mean(((target - left @ (shrink * along)) / (1 - leverage)) ** 2))
        if error < best_error - 1e-12:
            best, best_error = along * singular / (singular**2 + strength), error
    weights = np.zeros(x.shape[1])
    weights[~free] = right.T @ best
    remainder = y - mean - z[:, ~free] @ weights[~free]
    weights[free] = np.linalg.lstsq(z[:, free], remainder, rcond=1e-8)[0]
    weights = weights / scale
    return Ridge(weights, np.asarray(mean - centre @ weights))


def _orthonormal(x: FloatArray) -> FloatArray:
    """Orthonormal basis of the columns of x."""
    return _decompose(x)[0]


def _decompose(x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Thin singular value decomposition through the Gram matrix, null directions dropped."""
    values, vectors = np.linalg.eigh(x.T @ x)
    kept = values > 1e-10 * max(float(values.max(initial=0.0)), 1e-12)
    singular = np.sqrt(values[kept])
    return x @ vectors[:, kept] / singular, singular, vectors[:, kept].T


def fit_logistic(x: FloatArray, codes: np.ndarray, classes: int, penalty: float = 1.0) -> Ridge:
    """Multinomial logistic regression with a ridge on standardised columns (Newton).

    Parameters
    ----------
    x, codes
        Features (n, p) and classes 0..classes-1 (n,).
    penalty
        Ridge on the standardised coefficients; the intercepts carry none.

    Returns
    -------
    Weights (p, classes) whose softmax gives the class probabilities.
    """
    centre, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 1e-9, scale, np.inf)
    z = np.column_stack([np.ones(len(x)), (x - centre) / scale])
    target = (codes[:, None] == np.arange(classes)).astype(np.float64)
    p = z.shape[1]
    weights = np.zeros((p, classes))
    weights[0] = np.log((target.sum(axis=0) + 0.5) / (len(x) + 0.5 * classes))
    ridge = np.diag(np.append(1e-3, np.full(p - 1, penalty)))
    for _ in range(30):
        chance = softmax(z @ weights)
        largest = 0.0
        for k in range(classes):
            w = np.maximum(chance[:, k] * (1 - chance[:, k]), 1e-6)
            gradient = z.T @ (target[:, k] - chance[:, k]) - ridge @ weights[:, k]
            step = np.linalg.solve((z * w[:, None]).T @ z + ridge, gradient)
            step *= min(1.0, 1.0 / max(float(np.abs(step).max()), 1e-12))
            weights[:, k] += step / (1.0 if classes == 1 else 2.0)
            largest = max(largest, float(np.abs(step).max()))
        if largest < 1e-4:
            break
    slopes = weights[1:] / scale[:, None]
    return Ridge(slopes, weights[0] - centre @ slopes)


def softmax(logits: FloatArray) -> FloatArray:
    """Class probabilities of logits along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))
