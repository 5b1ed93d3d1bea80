"""Hazard ratios of synthetic patients against those of the patients they were learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from extraction.records import Cohort
from simulation.analysis.cox import cox_batch

Floats = npt.NDArray[np.float64]
BIAS, SE_LOW, SE_HIGH, ATTENUATED = 0.15, 0.9, 1.1, 0.2
_LEAST_Z = 2.0


@dataclass(frozen=True)
class Effect:
    """A hazard ratio that a data set's readers would ask for.

    Parameters
    ----------
    column
        ``arm``, a baseline variable, or ``<variable>@first``, its first value over visits.
    level
        The category that is compared with the reference; None for a number (per unit).
    reference
        Category compared with; further categories get coefficients of their own.
    adjust
        Numeric baseline variables in the model.
    log
        Whether the number enters by its logarithm.
    """

    endpoint: str
    column: str
    level: str | None = None
    reference: str | None = None
    adjust: tuple[str, ...] = ()
    log: bool = False


EFFECTS: dict[str, Effect] = {
    "actg320": Effect("aids", "arm", "IDV + ZDV + 3TC", "ZDV + 3TC"),
    "actg175": Effect("progression", "arm", "ZDV + ddI", "ZDV"),
    "flchain": Effect("death", "sex", "M", "F", adjust=("age",)),
    "support2": Effect("death", "ca", "metastatic", "no"),
    "whas500": Effect("death", "chf", "1", "0"),
    "gbsg2": Effect("recurrence", "arm", "yes", "no"),
    "colon": Effect("recurrence", "arm", "Lev+5FU", "Obs"),
    "cdisc_pilot_static": Effect("dermatologic", "arm", "Xanomeline High Dose", "Placebo"),
    "pbcseq": Effect("death_or_transplant", "bili@first", log=True),
    "cdisc_pilot_visits": Effect("dermatologic", "arm", "Xanomeline High Dose", "Placebo"),
    "nafld2": Effect("death", "age"),
}


def log_hazard_ratios(cohorts: Sequence[Cohort], effect: Effect) -> tuple[Floats, Floats]:
    """Log hazard ratio and its standard error in each cohort, NaN where there is none."""
    found = [_one(cohort, effect) for cohort in cohorts]
    return np.array([b for b, _ in found]), np.array([s for _, s in found])


def _one(cohort: Cohort, effect: Effect) -> tuple[float, float]:
    rows = cohort.endpoint(effect.endpoint)
    time = rows["day"].to_numpy(dtype=np.float64)
    event = rows["observed"].eq(True).to_numpy().astype(np.float64)
    columns = np.column_stack([*_coded(cohort, effect), *_adjusters(cohort, effect)])
    known = np.isfinite(time) & np.isfinite(columns).all(axis=1) & (time >= 0)
    columns = columns[known]
    moving = np.ptp(columns, axis=0) > 0 if len(columns) else np.zeros(columns.shape[1], bool)
    if not moving.any() or not moving[0] or not event[known].any():
        return float("nan"), float("nan")
    fit = cox_batch(time[None, known], event[None, known], columns[None][..., moving])
    if not fit.converged[0]:
        return float("nan"), float("nan")
    return float(fit.coefficients[0, 0]), float(np.sqrt(fit.covariance[0, 0, 0]))


def _coded(cohort: Cohort, effect: Effect) -> list[Floats]:
    """The column of the effect first, then indicators of further categories."""
    values = _column(cohort, effect.column)
    if effect.level is None:
        number = values.astype(np.float64)
        return [np.log(np.maximum(number, 1e-3)) if effect.log else number]
    others = sorted({str(v) for v in values if v is not None} - {effect.level, effect.reference})
    missing = np.array([v is None for v in values])
    return [
        np.where(missing, np.nan, (values == level).astype(np.float64))
        for level in (effect.level, *others)
    ]


def _adjusters(cohort: Cohort, effect: Effect) -> list[Floats]:
    return [cohort.subjects[name].to_numpy(dtype=np.float64) for name in effect.adjust]


def _column(cohort: Cohort, name: str) -> npt.NDArray[Any]:
    if not name.endswith("@first"):
        values = cohort.subjects[name]
        return values.where(values.notna(), None).to_numpy(dtype=object)
    rows = cohort.observations
    rows = rows[(rows["variable"] == name.removesuffix("@first")) & (rows["status"] == "observed")]
    first = rows.sort_values("day", kind="stable").drop_duplicates("subject_id")
    found = cohort.subjects["subject_id"].map(first.set_index("subject_id")["value"])
    return found.to_numpy(dtype=object)


def judged(splits: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The rule on hazard ratios, over the splits of one data set and engine.

    Parameters
    ----------
    splits
        Each with ``real`` and ``real_se`` (training patients) and ``synthetic`` and
        ``synthetic_se``, lists over syntheses.

    Returns
    -------
    dict
        ``error``: mean over splits of (mean synthetic - real) / real SE, with its Monte Carlo
        SE; ``se_ratio``; ``attenuation`` 1 - mean synthetic / real over all splits, with its
        one-sided 95 % upper bound ("not shown" where the real effect is below two SE); ``lost``:
        share of syntheses without a finite estimate; ``met``.
    """
    error, error_se, ratio, real, mean, mean_se, lost = [], [], [], [], [], [], []
    for found in splits:
        b, se = np.array(found["synthetic"], float), np.array(found["synthetic_se"], float)
        good = np.isfinite(b) & np.isfinite(se)
        lost.append(1 - good.mean())
        if not good.any():
            continue
        own = b[good].std(ddof=1) / np.sqrt(good.sum()) if good.sum() > 1 else np.nan
        error.append((b[good].mean() - found["real"]) / found["real_se"])
        error_se.append(own / found["real_se"])
        ratio.append(se[good].mean() / found["real_se"])
        real.append(found["real"])
        mean.append(b[good].mean())
        mean_se.append(own)
    if not error:
        return {"met": False, "lost": 1.0}
    shrunk = 1 - sum(mean) / sum(real)
    upper = shrunk + 1.645 * float(np.sqrt(np.square(mean_se).sum())) / abs(sum(real))
    z = abs(np.mean(real)) / np.mean([s["real_se"] for s in splits])
    told = bool(z >= _LEAST_Z)
    out = {
        "error": float(np.mean(error)),
        "error_mc_se": float(np.sqrt(np.square(error_se).sum()) / len(error_se)),
        "se_ratio": float(np.mean(ratio)),
        "attenuation": float(shrunk) if told else None,
        "attenuation_upper": upper if told else None,
        "real_hr": float(np.exp(np.mean(real))),
        "hr": float(np.exp(np.mean(mean))),
        "syntheses": len(splits[0]["synthetic"]),
        "lost": float(np.mean(lost)),
    }
    near = abs(np.mean(error)) <= BIAS and SE_LOW <= np.mean(ratio) <= SE_HIGH
    return {**out, "met": bool(near and (not told or upper <= ATTENUATED))}
