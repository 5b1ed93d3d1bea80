"""Small ridge regressions whose penalty is chosen by leave-one-out error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from generation.tokenizer import FloatArray, IntArray
from generation.twin_model.hazards import by_tiles

_ENOUGH_ROWS = 4000
_FOLDS = 3
_TRIAL_STEPS = 8
_LIGHT = 0.02
_HALVINGS = 6
_GRID = np.logspace(-2, 4, 13)


@dataclass(frozen=True)
class Ridge:
    """A linear predictor: ``x @ weights + intercept`` (weights (p,) or (p, k))."""

    weights: FloatArray
    intercept: FloatArray

    def predict(self, x: FloatArray) -> FloatArray:
        """Linear predictor, shape (n,) or (n, k)."""
        wide = self.weights if self.weights.ndim == 2 else self.weights[:, None]
        linear = by_tiles(x, wide)
        return np.asarray(
            (linear if self.weights.ndim == 2 else linear[:, 0]) + self.intercept
        )

    def state(self) -> dict[str, Any]:
        """Return the arrays."""
        return {"weights": self.weights, "intercept": self.intercept}


def fit_ridge(
    x: FloatArray, y: FloatArray, free: np.ndarray, weights: FloatArray | None = None
) -> Ridge:
    """Least squares with a ridge on the columns that are not `free`.

    Parameters
    ----------
    x, y
        Features (n, p) and target (n,).
    free
        True for columns that carry no penalty, shape (p,).
    weights
        Of the rows' squared errors, shape (n,); None weighs all alike.

    The penalty minimises the leave-one-out error, which ridge regression has in closed
    form (Allen, 1974, Technometrics 16).
    """
    share = np.full(len(y), 1 / len(y)) if weights is None else weights / weights.sum()
    centre = share @ x
    scale = np.sqrt(np.maximum(share @ (x - centre) ** 2, 0.0))
    scale = np.where(scale > 1e-9, scale, np.inf)
    root = np.sqrt(share * len(y))
    z = (x - centre) / scale * root[:, None]
    mean = float(share @ y)
    y = (y - mean) * root
    basis = _orthonormal(z[:, free])
    rest = z[:, ~free] - basis @ (basis.T @ z[:, ~free])
    target = y - basis @ (basis.T @ y)
    fixed = share + (basis**2).sum(axis=1)
    left, singular, right = _decompose(rest)
    along = left.T @ target
    best, best_error = np.zeros(len(singular)), np.inf
    for strength in _GRID if len(singular) else ():
        shrink = singular**2 / (singular**2 + strength)
        leverage = np.clip(fixed + left**2 @ shrink, 0.0, 0.95)
        error = float(np.mean(((target - left @ (shrink * along)) / (1 - leverage)) ** 2))
        if error < best_error - 1e-12:
            best, best_error = along * singular / (singular**2 + strength), error
    slopes = np.zeros(x.shape[1])
    slopes[~free] = right.T @ best
    remainder = y - z[:, ~free] @ slopes[~free]
    slopes[free] = np.linalg.lstsq(z[:, free], remainder, rcond=1e-8)[0]
    slopes = slopes / scale
    return Ridge(slopes, np.asarray(mean - centre @ slopes))


def _orthonormal(x: FloatArray) -> FloatArray:
    """Orthonormal basis of the columns of x."""
    return _decompose(x)[0]


def _decompose(x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Thin singular value decomposition through the Gram matrix, null directions dropped."""
    values, vectors = np.linalg.eigh(x.T @ x)
    kept = values > 1e-10 * max(float(values.max(initial=0.0)), 1e-12)
    singular = np.sqrt(values[kept])
    return x @ vectors[:, kept] / singular, singular, vectors[:, kept].T


def fit_logistic(
    x: FloatArray, codes: np.ndarray, classes: int, penalty: float | FloatArray = 1.0,
    steps: int = 30,
) -> Ridge:
    """Multinomial logistic regression with a ridge on standardised columns (Newton).

    Parameters
    ----------
    x, codes
        Features (n, p) and classes 0..classes-1 (n,).
    penalty
        Ridge on the standardised coefficients, one for all or one each (p,); the intercepts
        carry none.
    steps
        Most Newton steps.

    Returns
    -------
    Weights (p, classes) whose softmax gives the class probabilities.
    """
    if classes == 2:
        return _two_classes(x, codes, penalty, steps)
    centre, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 1e-9, scale, np.inf)
    z = np.column_stack([np.ones(len(x)), (x - centre) / scale])
    target = (codes[:, None] == np.arange(classes)).astype(np.float64)
    p = z.shape[1]
    weights = np.zeros((p, classes))
    weights[0] = np.log((target.sum(axis=0) + 0.5) / (len(x) + 0.5 * classes))
    ridge = np.diag(np.append(1e-3, np.broadcast_to(penalty, p - 1)))
    for _ in range(steps):
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


def _two_classes(
    x: FloatArray, codes: np.ndarray, penalty: float | FloatArray, steps: int
) -> Ridge:
    """Binary logistic regression; the first class has the weights 0."""
    half = np.asarray(penalty) / 2
    slopes, intercept = fit_binary(x, codes.astype(np.float64), half, steps)
    weights = np.column_stack([np.zeros(x.shape[1]), slopes])
    return Ridge(weights, np.array([0.0, intercept]))


def fit_binary(
    x: FloatArray, target: FloatArray, penalty: float | FloatArray, steps: int = 30
) -> tuple[FloatArray, float]:
    """Slopes (p,) and intercept of a logistic regression, ridge on standardised columns."""
    centre, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 1e-9, scale, np.inf)
    z = np.column_stack([np.ones(len(x)), (x - centre) / scale])
    ridge = np.append(1e-3, np.broadcast_to(penalty, x.shape[1]))
    weights = np.zeros(z.shape[1])
    share = (target.sum() + 0.5) / (len(x) + 1)
    weights[0] = np.log(share / (1 - share))
    loss = _binary_loss(z, target, ridge, weights)
    for _ in range(steps):
        chance = expit(z @ weights)
        w = np.maximum(chance * (1 - chance), 1e-6)
        gradient = z.T @ (target - chance) - ridge * weights
        step = np.linalg.solve((z * w[:, None]).T @ z + np.diag(ridge), gradient)
        step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        # Where classes are nearly separated, a full Newton step can leap to and fro.
        for _ in range(_HALVINGS):
            moved = _binary_loss(z, target, ridge, weights + step)
            if moved <= loss:
                break
            step = step / 2
        else:
            break
        weights, loss = weights + step, moved
        if np.abs(step).max() < 1e-4:
            break
    slopes = weights[1:] / scale
    return slopes, float(weights[0] - centre @ slopes)


def _binary_loss(
    z: FloatArray, target: FloatArray, ridge: FloatArray, weights: FloatArray
) -> float:
    """Penalised negative log-likelihood of a binary logistic regression."""
    linear = z @ weights
    lost = np.logaddexp(0.0, linear).sum() - target @ linear
    return float(lost + 0.5 * (ridge * weights) @ weights)


def choose_logistic(
    x: FloatArray, codes: np.ndarray, classes: int, groups: IntArray,
    penalties: tuple[float, ...] = (2.0, 12.0, 72.0), light: int = 0,
) -> Ridge:
    """`fit_logistic` with the penalty of the least deviance over three folds of patients.

    Parameters
    ----------
    groups
        Number of each row's patient: a patient's rows stay in one fold. Above 4,000 rows, every
        k-th patient is enough to choose.
    light
        How many of the first columns carry a fiftieth of the penalty.
    """
    if classes < 2:
        return fit_logistic(x, codes, classes)
    weight = np.where(np.arange(x.shape[1]) < light, _LIGHT, 1.0)
    thin = max(1, len(x) // _ENOUGH_ROWS)
    kept = groups // _FOLDS % thin == 0
    z, y, fold = x[kept], codes[kept], groups[kept] % _FOLDS
    best, best_deviance = penalties[0], np.inf
    for penalty in penalties:
        deviance = 0.0
        for k in range(_FOLDS):
            out = fold == k
            if not out.any() or out.all():
                continue
            fitted = fit_logistic(z[~out], y[~out], classes, penalty * weight, _TRIAL_STEPS)
            found = softmax(fitted.predict(z[out]))[np.arange(int(out.sum())), y[out]]
            deviance -= float(np.log(np.maximum(found, 1e-9)).sum())
        if deviance < best_deviance:
            best, best_deviance = penalty, deviance
    return fit_logistic(x, codes, classes, best * weight)


def softmax(logits: FloatArray) -> FloatArray:
    """Class probabilities of logits along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))
