"""MMRM in each of R replicates: REML, fallbacks counted, Kenward and Roger's standard errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, stdtr

from extraction.records.errors import InputError
from simulation.analysis.arrays import BoolArray, FloatArray, IntArray, stop
from simulation.analysis.longitudinal.design import (
    FAMILIES,
    MOST_VISITS,
    USUAL,
    Layout,
    Method,
    layout,
)

ITERATIONS = 50


@dataclass(frozen=True)
class MmrmBatch:
    """Fits over R replicates, with L contrasts of the treatment differences at V visits.

    Attributes
    ----------
    estimate, se, df
        Contrasts (R, L), treated minus control; NaN where no family converged.
    statistic, p_value, z
        Student's t, its two-sided p-value, and the normal quantile of the same level, (R, L);
        0, 1 and 0 where no family converged.
    naive_se
        Standard errors (R, L) that take the covariance over visits as known.
    adjusted
        Whether `se` is Kenward and Roger's, (R, L); else it is `naive_se` (Satterthwaite).
    family
        Place in `FAMILIES` of the family that converged, (R,); -1 for none.
    fallback
        Where the first family asked for did not converge and another did, (R,).
    coefficients, covariance
        Of the design's columns, (R, P) and (R, P, P), the covariance over visits taken as known.
    sigma
        Covariance over visits (R, V, V).
    centre
        Means (R, M + 1) taken off the M figures treated, covariates; the last off the values.
    log_likelihood
        REML log likelihood (R,) with its constant, as nlme gives it.
    n, iterations
        Patients with at least one value, and Newton steps over all families tried, (R,).
    layout
        The design.
    """

    estimate: FloatArray
    se: FloatArray
    df: FloatArray
    statistic: FloatArray
    p_value: FloatArray
    z: FloatArray
    naive_se: FloatArray
    adjusted: BoolArray
    family: IntArray
    fallback: BoolArray
    coefficients: FloatArray
    covariance: FloatArray
    sigma: FloatArray
    centre: FloatArray
    log_likelihood: FloatArray
    n: FloatArray
    iterations: IntArray
    layout: Layout

    @property
    def converged(self) -> BoolArray:
        """Whether any family converged, (R,)."""
        found: BoolArray = self.family >= 0
        return found

    def counts(self) -> dict[str, int]:
        """Replicates by the family used; "none" did not converge."""
        counted = [int((self.family == k).sum()) for k in range(len(FAMILIES))]
        return dict(zip((*FAMILIES, "none"), (*counted, int((self.family < 0).sum())), strict=True))


def _table(name: str, columns: ArrayLike | None, rows: tuple[int, int], faults: list[str]
           ) -> FloatArray:
    if columns is None:
        return np.empty((*rows, 0))
    table = np.asarray(columns, dtype=np.float64)
    if table.ndim != 3 or table.shape[:2] != rows:
        faults.append(f"{name}: shape {table.shape}; expected {(*rows, 'K')}")
        return np.empty((*rows, 0))
    return table


def _orders(method: Method, faults: list[str]) -> IntArray:
    names = method.covariance
    faults += [f"method.covariance: {name!r}; allowed: {', '.join(FAMILIES)}"
               for name in names if name not in FAMILIES]
    if not names:
        faults.append("method.covariance: none; name at least one family")
    return np.array([FAMILIES.index(name) for name in names if name in FAMILIES], dtype=np.int64)


def mmrm_batch(values: ArrayLike, treated: ArrayLike, covariates: ArrayLike | None = None,
               common: ArrayLike | None = None, *, included: BoolArray | None = None,
               weights: FloatArray | None = None, contrasts: ArrayLike | None = None,
               method: Method = USUAL) -> MmrmBatch:
    """Fit a mixed model for repeated measures in each replicate by REML.

    Means by visit, treatment by visit, covariates by visit (the baseline value belongs there) and
    covariates with one coefficient; a patient's values are normal with one covariance over visits
    for all. Values may be missing at any visit (at random given the model); patients without any
    are left out. Families of covariance are tried in the order given until one converges.

    Parameters
    ----------
    values
        Outcomes (R, N, V), NaN where missing; up to 12 visits.
    treated
        1 for treated, 0 for control, (R, N).
    covariates, common
        Columns (R, N, K) with a coefficient at each visit, and with one for all, complete.
    included
        Who counts (R, N); everyone by default.
    weights
        Weight of each patient (R, N), at least 0, as counts of a bootstrap; 1 by default.
    contrasts
        Weights (L, V) of the treatment differences at the visits; by default each visit's.
    method
        Families of covariance in order, and the kind of standard errors.

    Returns
    -------
    MmrmBatch
        Figures by replicate.

    Raises
    ------
    InputError
        For shapes that do not fit, or an unknown family.

    Notes
    -----
    Kenward and Roger (1997), doi 10.2307/2533558, in the form for covariances linear in their
    parameters; for the two structured families that form leaves second derivatives out, as SAS's
    ddfm=kr(linear) does.
    """
    y = np.ascontiguousarray(values, dtype=np.float64)
    if y.ndim != 3 or not 1 <= y.shape[2] <= MOST_VISITS:
        raise InputError(f"values: shape {y.shape}; expected (R, N, V) with 1 to {MOST_VISITS} "
                         "visits")
    rows, visits = (y.shape[0], y.shape[1]), y.shape[2]
    faults: list[str] = []
    arm = np.asarray(treated, dtype=np.float64)
    mask = np.ones(rows) if included is None else np.asarray(included, dtype=np.float64)
    for name, array in (("treated", arm), ("included", mask), ("weights", weights)):
        if array is not None and array.shape != rows:
            faults.append(f"{name}: shape {array.shape}; expected {rows}")
    parts = [_table("covariates", covariates, rows, faults), _table("common", common, rows, faults)]
    order = _orders(method, faults)
    differences = np.eye(visits) if contrasts is None else np.atleast_2d(
        np.asarray(contrasts, dtype=np.float64))
    if differences.shape[1] != visits:
        faults.append(f"contrasts: shape {differences.shape}; expected (L, {visits})")
    stop(faults)
    plan = layout(visits, parts[0].shape[2], parts[1].shape[2])
    figures = np.concatenate([arm[..., None], *parts], axis=2)
    weight = mask if weights is None else mask * weights
    return _fit(y, figures, weight, plan, differences, order, method)


def _fit(y: FloatArray, figures: FloatArray, weight: FloatArray, plan: Layout,
         differences: FloatArray, order: IntArray, method: Method) -> MmrmBatch:
    """Run the kernel and bring its figures into shape."""
    from simulation.kernels.mmrm_rows import mmrm_rows

    found = mmrm_rows(y, figures, weight, plan.source, plan.visit, plan.effects(differences),
                      order, ITERATIONS, method.information == "observed")
    estimate, naive, adjusted, df = (found.effects[..., k] for k in range(4))
    kept = np.isfinite(adjusted) & (method.small_sample == "kenward_roger")
    se = np.where(kept, adjusted, naive)
    t = np.divide(estimate, se, out=np.zeros(se.shape), where=np.isfinite(estimate) & (se > 0))
    tail = stdtr(np.where(np.isfinite(df), np.clip(df, 1e-3, 1e10), 1e10), -np.abs(t))
    known = ((weight > 0)[..., None] & np.isfinite(y)).sum(axis=(1, 2))
    constant = 0.5 * (known - plan.size) * np.log(2 * np.pi)
    converged = found.family >= 0
    value = np.where(converged, found.value - constant, np.nan)
    return MmrmBatch(estimate, se, df, t, 2 * tail, -np.sign(t) * ndtri(tail), naive, kept,
                     found.family, converged & (found.family != order[0]), found.beta, found.phi,
                     found.sigma, found.centre, value, found.people, found.steps, plan)
