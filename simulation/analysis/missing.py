"""Reference-based multiple imputation and delta adjustment of repeated measurements.

Carpenter, Roger and Kenward (2013), doi 10.1080/10543406.2013.834911, on MMRM's normal model with
one covariance over visits for both arms. Each imputation takes its parameters from an MMRM under
Bayesian bootstrap weights (Rubin 1981, doi 10.1214/aos/1176345338), drawn by arm, and its
residuals from a keyed stream, so that a patient's do not depend on who else is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from extraction.records.errors import InputError
from generation.randomness import Stream
from simulation.analysis.arrays import Columns, FloatArray, IntArray, block, numeric, stop
from simulation.analysis.continuous import ancova_batch
from simulation.analysis.estimate import Estimand, Estimate, from_t
from simulation.analysis.longitudinal.batch import MmrmBatch, mmrm_batch

Assumption = Literal[
    "missing_at_random", "jump_to_reference", "copy_reference", "copy_increments"
]
ASSUMPTIONS: tuple[Assumption, ...] = (
    "missing_at_random", "jump_to_reference", "copy_reference", "copy_increments"
)


def _arm_means(fit: MmrmBatch, table: FloatArray, side: FloatArray) -> FloatArray:
    """Means (M, N, V) of patients with covariates (N, K), each under the arm `side` (N,)."""
    coefficients = fit.layout.means(fit.coefficients)
    figures = np.column_stack([side, table])
    moved = figures[None] - fit.centre[:, None, :-1]
    parts = np.einsum("mvk,mnk->mnv", coefficients[:, :, 1:], moved)
    return np.asarray(parts + coefficients[:, None, :, 0] + fit.centre[:, None, -1:])


def _reference_means(own: FloatArray, control: FloatArray, last: IntArray,
                     assumption: Assumption) -> FloatArray:
    """Means (M, N, V) of treated patients' values; `last` visit seen (N,), -1 for none."""
    if assumption == "missing_at_random":
        return own
    if assumption == "copy_reference":
        return control
    after = np.arange(own.shape[2])[None, :] > last[:, None]
    if assumption == "jump_to_reference":
        return np.where(after, control, own)
    held = np.maximum(last, 0)[None, :, None]
    step = np.take_along_axis(own - control, np.broadcast_to(held, (len(own), len(last), 1)), 2)
    return np.where(after, control + np.where((last >= 0)[:, None], step, 0.0), own)


def _fill(y: FloatArray, mean: FloatArray, sigma: FloatArray, noise: FloatArray) -> FloatArray:
    """Values (M, N, V) with the missing ones drawn given those seen, by pattern of visits."""
    filled = np.tile(y, (len(mean), 1, 1))
    seen = np.isfinite(y)
    for pattern in np.unique(seen, axis=0):
        if pattern.all():
            continue
        rows = np.flatnonzero((seen == pattern).all(axis=1))
        known, gone = np.flatnonzero(pattern), np.flatnonzero(~pattern)
        cross = sigma[:, gone[:, None], known]
        slope = cross @ np.linalg.inv(sigma[:, known[:, None], known])
        rest = sigma[:, gone[:, None], gone] - slope @ np.swapaxes(cross, 1, 2)
        root = np.linalg.cholesky((rest + np.swapaxes(rest, 1, 2)) / 2)
        off = y[rows][:, known][None] - mean[:, rows][:, :, known]
        drawn = mean[:, rows][:, :, gone] + np.einsum("mgk,mnk->mng", slope, off)
        drawn += np.einsum("mgh,mnh->mng", root, noise[:, rows][:, :, gone])
        filled[:, rows[:, None], gone] = drawn
    return filled


def _combined(effect: FloatArray, variance: FloatArray, df: float) -> tuple[float, float, float]:
    """Rubin's rules: estimate, standard error, Barnard and Rubin's (1999) degrees of freedom."""
    m = effect.size
    within, between = float(variance.mean()), float(effect.var(ddof=1))
    total = within + (1 + 1 / m) * between
    share = (1 + 1 / m) * between / total
    seen = (df + 1) / (df + 3) * df * (1 - share)
    whole = seen if share <= 0 else 1 / (share**2 / (m - 1) + 1 / seen)
    return float(effect.mean()), float(np.sqrt(total)), whole


def reference_based(values: ArrayLike, treated: ArrayLike, covariates: Columns | None = None, *,
                    assumption: Assumption = "jump_to_reference", deltas: Sequence[float] = (0.0,),
                    imputations: int = 100, seed: int = 0, level: float = 0.95,
                    estimand: Estimand | None = None) -> list[Estimate]:
    """Difference at the last visit with missing values imputed under an assumption.

    Each completed trial is analysed by ANCOVA and the results are combined by Rubin's rules, whose
    variance keeps the information lost at random (conservative in repeated sampling for
    reference-based assumptions; Cro, Carpenter and Kenward 2019, doi 10.1111/rssa.12423).

    Parameters
    ----------
    values
        Outcomes (N, V), NaN where missing.
    treated
        1 for treated, 0 for control (the reference), (N,).
    covariates
        Columns by name, each (N,), complete; with a coefficient at each visit.
    assumption
        What treated patients' values follow after their last one: their own arm's
        ("missing_at_random"), the control mean ("jump_to_reference"), the control mean throughout
        ("copy_reference"), or their own mean then the control's increments ("copy_increments").
        Control patients', and gaps before the last value, follow their own arm (gaps of treated
        patients the control's under "copy_reference").
    deltas
        Shifts of treated patients' imputed values after their last one, at the last visit, in the
        outcome's unit: one estimate for each, on the same draws. Where the interval first holds 0
        is the tipping point.
    imputations
        At least 2.

    Raises
    ------
    InputError
        For faulty inputs, or when the model does not converge.
    """
    faults: list[str] = []
    y = np.asarray(values, dtype=np.float64)
    if y.ndim != 2 or y.shape[1] < 1:
        raise InputError(f"values: shape {y.shape}; expected (N, V)")
    arm = numeric("treated", treated, faults, (len(y),))
    if set(arm.tolist()) != {0.0, 1.0}:
        faults.append("treated: must hold 0 (control) and 1 (treated), both")
    if assumption not in ASSUMPTIONS:
        faults.append(f"assumption: {assumption!r}; allowed: {', '.join(ASSUMPTIONS)}")
    if imputations < 2:
        faults.append(f"imputations: {imputations}; it must be at least 2")
    table, names = block(covariates, None, len(y), faults)
    stop(faults)
    last = np.where(np.isfinite(y), np.arange(y.shape[1]), -1).max(axis=1)
    filled = _imputed(y, arm, table, last, assumption, imputations, Stream(seed, "imputation"))
    moved = ((arm == 1) & (last < y.shape[1] - 1)).astype(np.float64)
    found = []
    for delta in deltas:
        fit = ancova_batch(filled[:, :, -1] + delta * moved, arm, table)
        effect, se, df = _combined(fit.effect, fit.se**2, float(fit.df))
        extra: dict[str, object] = {
            "assumption": assumption, "delta": float(delta), "imputations": imputations,
            "seed": seed, "adjusted_for": names,
            "imputed_at_last_visit": int(np.isnan(y[:, -1]).sum())}
        found.append(from_t(f"multiple imputation, {assumption.replace('_', ' ')}", effect, se,
                            len(y), df, level=level, estimand=estimand, extra=extra))
    return found


def _imputed(y: FloatArray, arm: FloatArray, table: FloatArray, last: IntArray,
             assumption: Assumption, imputations: int, stream: Stream) -> FloatArray:
    """Completed values (M, N, V)."""
    times, who = np.arange(imputations)[:, None], np.arange(len(y))[None, :]
    weight = -np.log(stream.uniform(times, who, 0))
    for side in (0.0, 1.0):
        inside = arm == side
        weight[:, inside] *= inside.sum() / weight[:, inside].sum(axis=1, keepdims=True)
    shape = (imputations, *y.shape)
    fit = mmrm_batch(np.broadcast_to(y, shape), np.broadcast_to(arm, shape[:2]),
                     np.broadcast_to(table, (*shape[:2], table.shape[1])), weights=weight)
    if not fit.converged.all():
        raise InputError(f"values: the model converged in {int(fit.converged.sum())} of "
                         f"{imputations} imputations; drop a visit or a covariate")
    own = _arm_means(fit, table, arm)
    control = _arm_means(fit, table, np.zeros(len(y)))
    mean = np.where((arm == 1)[:, None], _reference_means(own, control, last, assumption), own)
    index = np.arange(y.shape[1])[None, None, :]
    noise = stream.normal(times[..., None], who[..., None], 1, index)
    return _fill(y, mean, fit.sigma, noise)
