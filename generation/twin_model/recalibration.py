"""Recalibration of a hazard's linear predictor by what it says of held-out patients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from generation.tokenizer import FloatArray
from generation.twin_model.hazards_cox import Cox, arm_effects

_Z = 1.96
_FACTORS = (0.5, 2.0)


def calibration_slope(
    log_risk: FloatArray, day: FloatArray, event: npt.NDArray[np.bool_]
) -> tuple[float, float]:
    """Cox coefficient of the predicted log hazard, and its standard error.

    1 when risks spread as predicted, above when they spread wider (van Houwelingen, 2000, Stat
    Med 19). NaN where the prediction is the same for all.

    Parameters
    ----------
    log_risk
        Predictions for patients whom the model has not seen, shape (n,).
    day, event
        Their follow-up and whether it ended in the event.
    """
    if log_risk.std() < 1e-9 or not event.any():
        return float("nan"), float("nan")
    slope = float(arm_effects(log_risk[:, None], day, event)[0])
    order = np.argsort(day, kind="stable")
    x, died = log_risk[order] - log_risk.mean(), event[order]
    weight = np.exp(np.clip(slope * x, -20, 20))
    first = np.searchsorted(day[order], day[order][died], side="left")
    total, mean, square = (
        np.cumsum((weight * x**power)[::-1])[::-1][first] for power in (0, 1, 2)
    )
    information = float(np.sum(square / total - (mean / total) ** 2))
    return slope, 1.0 / max(information, 1e-12) ** 0.5


def recalibrated(cox: Cox, arms: int, slope: float, error: float) -> tuple[Cox, float]:
    """The model with its covariates' coefficients times the slope, where that differs from 1.

    Only where 1 lies outside the slope's 95 % interval, and by a factor between a half and 2; arm
    effects, hardly penalised, stay. The factor is returned too.
    """
    if not np.isfinite(slope) or abs(slope - 1.0) <= _Z * error:
        return cox, 1.0
    factor = float(np.clip(slope, *_FACTORS))
    beta = cox.beta.copy()
    beta[: len(beta) - arms] *= factor
    return replace(cox, beta=beta), factor
