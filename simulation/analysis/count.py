"""Counts: Poisson and negative binomial regression, one trial or one fit per replicate."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from extraction.records.errors import InputError
from simulation.analysis.arrays import Columns, block, numeric, stop
from simulation.analysis.estimate import Estimand, Estimate, ratio_from_log
from simulation.analysis.regression import RegressionBatch, regression_batch

CountLaw = Literal["poisson", "negative_binomial"]


def rate_ratio_batch(y: ArrayLike, treated: ArrayLike, covariates: ArrayLike | None = None, *,
                     exposure: ArrayLike | None = None, law: CountLaw = "negative_binomial",
                     included: ArrayLike | None = None) -> RegressionBatch:
    """Regress counts (R, N) on the arm and covariates (R, N, K) in each replicate.

    Column 1 of the coefficients is the log rate ratio. `exposure` (R, N) is time at risk; patients
    with none do not count. Where the negative binomial's dispersion has its maximum at 0 the fit
    is Poisson's.

    Raises
    ------
    InputError
        For shapes that do not fit.
    """
    counts = np.asarray(y, dtype=np.float64)
    mask = np.ones(counts.shape, dtype=bool) if included is None else np.asarray(included, bool)
    if exposure is None:
        return regression_batch(law, counts, treated, covariates, included=mask)
    time = np.asarray(exposure, dtype=np.float64)
    mask = mask & (time > 0)
    return regression_batch(law, counts, treated, covariates, included=mask,
                            offset=np.log(np.where(mask, time, 1.0)))


def rate_ratio(y: ArrayLike, treated: ArrayLike, covariates: Columns | None = None,
               factors: Columns | None = None, *, exposure: ArrayLike | None = None,
               law: CountLaw = "negative_binomial", robust: bool = True, level: float = 0.95,
               estimand: Estimand | None = None) -> Estimate:
    """Ratio of event rates, treated over control, by regression with a log link.

    Parameters
    ----------
    y
        Counts (N,), complete.
    treated
        1 for treated, 0 for control, (N,).
    covariates, factors
        Numeric and label columns by name, each (N,). With a log link and no interaction the
        conditional ratio is also the marginal one.
    exposure
        Time at risk (N,), above 0.
    law
        "negative_binomial" (variance = mean + alpha mean^2) or "poisson".
    robust
        Whether the standard error is the sandwich's (HC0), which holds for any variance.

    Raises
    ------
    InputError
        For faulty inputs, or when no finite ratio exists.
    """
    faults: list[str] = []
    counts = numeric("y", y, faults)
    arm = numeric("treated", treated, faults, counts.shape)
    time = None if exposure is None else numeric("exposure", exposure, faults, counts.shape)
    if (counts < 0).any() or (counts != np.round(counts)).any():
        faults.append("y: some are not whole numbers of 0 or more; pass counts")
    if time is not None and (time <= 0).any():
        faults.append("exposure: some are 0 or less; leave those patients out")
    table, names = block(covariates, factors, counts.size, faults)
    stop(faults)
    found = rate_ratio_batch(counts[None], arm[None], table[None], law=law,
                             exposure=None if time is None else time[None])
    if not found.converged[0]:
        raise InputError("y: no finite rate ratio exists (an arm without events, or collinear "
                         "columns); drop a column, or report an exact bound")
    variance = (found.robust if robust else found.naive)[0, 1, 1]
    method = f"{law.replace('_', ' ')} regression{', robust variance' if robust else ''}"
    return ratio_from_log(method, float(found.coefficients[0, 1]), float(np.sqrt(variance)),
                          counts.size, level=level, estimand=estimand,
                          extra={"dispersion": float(found.dispersion[0]), "adjusted_for": names})
