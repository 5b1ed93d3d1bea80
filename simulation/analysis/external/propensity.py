"""Probability of belonging to the treated group, by logistic regression over replicates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from extraction.records.errors import InputError
from simulation.analysis.arrays import BoolArray, FloatArray, numeric, stop

ITERATIONS = 60
_TINY = 1e-12  # keeps a singular Newton step solvable; far below the printed digits of a result
_EDGE = 30.0


@dataclass(frozen=True)
class LogisticBatch:
    """Logistic regressions over replicates.

    Attributes
    ----------
    fitted
        Probabilities (R, N), for patients that do not count as well.
    coefficients
        Intercept and slopes (R, 1 + P), on the scale of the columns given.
    converged
        False (R,) where a combination of columns separates the groups: no finite maximum.
    """

    fitted: FloatArray
    coefficients: FloatArray
    converged: BoolArray


def columns_batch(x: FloatArray, replicates: int) -> FloatArray:
    """Covariates (R, N, P) of every replicate from (R, N, P) or shared (N, P)."""
    table = x[None] if x.ndim == 2 else x
    return np.broadcast_to(table, (replicates, *table.shape[1:]))


def with_intercept(x: FloatArray) -> FloatArray:
    """Design (R, N, 1 + P): a column of ones before the covariates (R, N, P)."""
    return np.concatenate([np.ones((*x.shape[:2], 1)), x], axis=2)


def logistic_batch(member: FloatArray, x: FloatArray, included: ArrayLike | None = None, *,
                   penalty: float = 0.0) -> LogisticBatch:
    """Fit one logistic regression per replicate by Newton's method.

    Parameters
    ----------
    member
        0/1 outcome (R, N).
    x
        Covariates (R, N, P), or (N, P) when all replicates share them.
    included
        Who counts, or how often (R, N), at least 0; everyone once by default.
    penalty
        Ridge penalty on half the squared slopes of standardised columns; above 0 it keeps the
        probabilities inside (0, 1) where the groups are separated.
    """
    outcome = np.asarray(member, dtype=np.float64)
    count = np.ones(outcome.shape) if included is None else np.asarray(included, dtype=np.float64)
    table = columns_batch(np.asarray(x, dtype=np.float64), len(outcome))
    total = count.sum(axis=1)[:, None]
    centre = np.einsum("rn,rnp->rp", count, table) / total
    away = table - centre[:, None]
    spread = np.sqrt(np.einsum("rn,rnp->rp", count, away**2) / total)
    scale = np.where(spread > 0, spread, 1.0)
    design = with_intercept(away / scale[:, None])
    ridge = np.full(design.shape[::2], penalty) + _TINY * total
    ridge[:, 0] = _TINY
    beta, step = _newton(outcome, design, count, ridge)
    chance = _expit(np.einsum("rnp,rp->rn", design, beta))
    slopes = beta[:, 1:] / scale
    level = beta[:, 0] - (slopes * centre).sum(axis=1)
    told = (count * chance * (1 - chance)).sum(axis=1) > 1e-4
    inside = told & (np.linalg.norm(beta, axis=1) < _EDGE)
    return LogisticBatch(chance, np.column_stack([level, slopes]), (step < 1e-6) & inside)


def _newton(outcome: FloatArray, design: FloatArray, count: FloatArray, ridge: FloatArray
            ) -> tuple[FloatArray, FloatArray]:
    """Coefficients (R, P) and the size of each replicate's last step (R,).

    A replicate rests once it has converged, so that none hangs on the others it is fitted with.
    """
    beta = np.zeros((len(outcome), design.shape[2]))
    last = np.full(len(outcome), np.inf)
    moving = np.ones(len(outcome), dtype=np.bool_)
    for _ in range(ITERATIONS):
        chance = _expit(np.einsum("rnp,rp->rn", design, beta))
        score = np.einsum("rnp,rn->rp", design, count * (outcome - chance)) - ridge * beta
        weighted = design * (count * chance * (1 - chance))[..., None]
        curvature = np.swapaxes(weighted, 1, 2) @ design
        curvature += ridge[:, :, None] * np.eye(ridge.shape[1])
        step = np.linalg.solve(curvature, score[..., None])[..., 0]
        size = np.abs(step).max(axis=1)
        length = np.where(moving, np.minimum(1.0, 3.0 / np.maximum(size, 1e-300)), 0.0)
        beta = beta + step * length[:, None]
        last = np.where(moving, size, last)
        moving &= (last >= 1e-11) & ~(np.abs(beta) > 2 * _EDGE).any(axis=1)
        if not moving.any():
            break
    return beta, last


def _expit(value: FloatArray) -> FloatArray:
    chance: FloatArray = 1 / (1 + np.exp(-np.clip(value, -_EDGE, _EDGE)))
    return chance


def patients(treated: ArrayLike, x: ArrayLike, **outcomes: ArrayLike
             ) -> tuple[FloatArray, FloatArray, dict[str, FloatArray]]:
    """Checked arms (N,), covariates (N, P) and outcome columns (N,) of one comparison.

    Raises
    ------
    InputError
        For missing values, wrong shapes, other arm codes than 0 and 1, or fewer than two patients
        in a group.
    """
    faults: list[str] = []
    arm = numeric("treated", treated, faults)
    table = numeric("x", x, faults)
    table = table[:, None] if table.ndim == 1 else table
    columns = {name: numeric(name, values, faults, arm.shape) for name, values in outcomes.items()}
    if len(table) != arm.size:
        faults.append(f"x: {len(table)} rows; expected {arm.size}; pass one row per patient")
    if not np.isin(arm, (0.0, 1.0)).all():
        faults.append("treated: other codes than 0 and 1; code treated 1, controls 0")
    elif min(arm.sum(), (1 - arm).sum()) < 2:
        faults.append(f"treated: {int(arm.sum())} treated and {int((1 - arm).sum())} controls; at "
                      "least 2 each")
    stop(faults)
    return arm, table, columns


def propensity(treated: ArrayLike, x: ArrayLike, *, penalty: float = 0.0) -> FloatArray:
    """Propensity scores (N,) of one comparison; x is (N, P).

    Raises
    ------
    InputError
        For faulty arrays, or where the groups are separated and no penalty is given.
    """
    arm, table, _ = patients(treated, x)
    fitted = logistic_batch(arm[None], table, penalty=penalty)
    if not fitted.converged[0]:
        raise InputError("x: the columns separate treated and controls, so that nobody is alike; "
                         "compare other controls, or describe the lack of overlap with a penalty")
    score: FloatArray = fitted.fitted[0]
    return score
