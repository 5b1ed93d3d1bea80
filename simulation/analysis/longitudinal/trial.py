"""MMRM of one trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from extraction.records.errors import InputError
from simulation.analysis.arrays import Columns, FloatArray, block, numeric, stop
from simulation.analysis.estimate import Estimand, Estimate, from_t
from simulation.analysis.longitudinal.batch import MmrmBatch, mmrm_batch
from simulation.analysis.longitudinal.design import FAMILIES, MOST_VISITS, USUAL, Family, Method


@dataclass(frozen=True)
class Mmrm:
    """Mixed model for repeated measures of one trial.

    Attributes
    ----------
    effects
        Treated minus control at each visit by name, then the contrasts asked for.
    visits, names
        Names of visits, and of the design's columns.
    coefficients, covariance
        (P,) and (P, P), covariates centred at their means.
    sigma
        Covariance over visits (V, V).
    means
        Adjusted means (2, V) of control and treated at the covariates' means.
    family
        The covariance's family that converged.
    log_likelihood
        REML log likelihood.
    n
        Patients with at least one value.
    """

    effects: Mapping[str, Estimate]
    visits: tuple[str, ...]
    names: tuple[str, ...]
    coefficients: FloatArray
    covariance: FloatArray
    sigma: FloatArray
    means: FloatArray
    family: Family
    log_likelihood: float
    n: int


def _outcomes(values: ArrayLike, treated: ArrayLike, visits: Sequence[str] | None,
              faults: list[str]) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    y = np.asarray(values, dtype=np.float64)
    if y.ndim != 2 or not 1 <= y.shape[1] <= MOST_VISITS:
        raise InputError(f"values: shape {y.shape}; expected (N, V), 1 to {MOST_VISITS} visits")
    names = tuple(visits) if visits is not None else tuple(f"visit {k + 1}"
                                                           for k in range(y.shape[1]))
    if len(names) != y.shape[1] or len(set(names)) != len(names):
        faults.append(f"visits: {len(names)} names; expected {y.shape[1]}, each once")
    if np.isinf(y).any():
        faults.append("values: some are infinite; leave a missing value NaN")
    arm = numeric("treated", treated, faults, (y.shape[0],))
    if arm.shape != y.shape[:1] or set(arm.tolist()) != {0.0, 1.0}:
        faults.append("treated: must hold 0 (control) and 1 (treated), both")
        return y, arm, names
    empty = [name for name, column in zip(names, y.T, strict=False)
             if not all(np.isfinite(column[arm == side]).any() for side in (0, 1))]
    faults += [f"values[{name}]: no value in one of the arms; leave the visit out"
               for name in empty]
    return y, arm, names


def _weights(contrasts: Mapping[str, Sequence[float]] | None, visits: tuple[str, ...],
             faults: list[str]) -> tuple[tuple[str, ...], FloatArray]:
    rows = [*np.eye(len(visits))]
    for name, weights in (contrasts or {}).items():
        if len(weights) != len(visits) or name in visits:
            faults.append(f"contrasts[{name}]: needs a name of its own and {len(visits)} weights")
        else:
            rows.append(np.asarray(weights, dtype=np.float64))
    return (*visits, *(contrasts or {})), np.stack(rows)


def mmrm(values: ArrayLike, treated: ArrayLike, covariates: Columns | None = None,
         common: Columns | None = None, factors: Columns | None = None, *,
         visits: Sequence[str] | None = None,
         contrasts: Mapping[str, Sequence[float]] | None = None,
         method: Method = USUAL, level: float = 0.95, estimand: Estimand | None = None) -> Mmrm:
    """Fit a mixed model for repeated measures by REML, unstructured over visits.

    Parameters
    ----------
    values
        Outcomes (N, V), NaN where missing (at random given the model).
    treated
        1 for treated, 0 for control, (N,).
    covariates
        Columns by name, each (N,), with a coefficient at each visit, such as the baseline value.
    common, factors
        Numeric columns and label columns by name, each (N,), with one coefficient for all visits.
    visits
        Names of the visits (V,).
    contrasts
        Further effects by name: weights (V,) of the visits' differences, for instance an average.
    method
        Families of covariance in the pre-specified order of fallback, and the kind of standard
        errors.
    level
        Confidence level in (0, 1).

    Returns
    -------
    Mmrm
        Effects with t intervals; `extra` of each names the family and the standard error's kind.

    Raises
    ------
    InputError
        For faulty inputs, all at once, or when no family converges.
    """
    faults: list[str] = []
    y, arm, names = _outcomes(values, treated, visits, faults)
    labels, weights = _weights(contrasts, names, faults)
    by_visit, first = block(covariates, None, len(y), faults)
    shared, second = block(common, factors, len(y), faults)
    stop(faults)
    batch = mmrm_batch(y[None], arm[None], by_visit[None], shared[None], contrasts=weights,
                       method=method)
    if not batch.converged[0]:
        raise InputError("values: no covariance family converged, or columns are collinear; drop "
                         "a column or a visit, or report the ANCOVA of the last visit")
    family = FAMILIES[int(batch.family[0])]
    extra = {"covariance": family, "fallback": bool(batch.fallback[0]),
             "information": method.information,
             "adjusted_for": [*first, *second], "n_by_arm": _by_arm(y, arm)}
    effects = {label: _effect(batch, k, family, level, estimand, extra)
               for k, label in enumerate(labels)}
    columns = [f"{figure} at {visit}" for figure in ("mean", "treated", *first) for visit in names]
    table = batch.layout.means(batch.coefficients[0])
    control = table[:, 0] - table[:, 1] * batch.centre[0, 0] + batch.centre[0, -1]
    return Mmrm(effects, names, (*columns, *second), batch.coefficients[0], batch.covariance[0],
                batch.sigma[0], np.stack([control, control + table[:, 1]]), family,
                float(batch.log_likelihood[0]), int(batch.n[0]))


def _by_arm(y: FloatArray, arm: FloatArray) -> dict[str, int]:
    any_value = np.isfinite(y).any(axis=1)
    return {"treated": int((any_value & (arm == 1)).sum()),
            "control": int((any_value & (arm == 0)).sum())}


def _effect(batch: MmrmBatch, place: int, family: Family, level: float,
            estimand: Estimand | None, extra: Mapping[str, object]) -> Estimate:
    adjusted = bool(batch.adjusted[0, place])
    df = float(batch.df[0, place])
    method = f"MMRM, {family.replace('_', ' ')}, {'Kenward-Roger' if adjusted else 'Satterthwaite'}"
    return from_t(method, float(batch.estimate[0, place]), float(batch.se[0, place]),
                  int(batch.n[0]), df if np.isfinite(df) else None, level=level,
                  estimand=estimand,
                  extra={**extra, "naive_se": float(batch.naive_se[0, place]),
                         "standard_error": "Kenward-Roger" if adjusted else "Satterthwaite"})
