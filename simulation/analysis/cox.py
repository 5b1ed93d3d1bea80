"""Cox's proportional hazards model by Newton's method, one fit or one per replicate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy
from numpy.typing import ArrayLike

from extraction.records.errors import InputError
from simulation.analysis.arrays import (
    BoolArray,
    Columns,
    FloatArray,
    IntArray,
    block,
    numeric,
    stop,
)
from simulation.analysis.estimate import Estimand, Estimate, ratio_from_log
from simulation.analysis.risk_sets import checked, codes, sorted_rows

Ties = Literal["efron", "breslow"]
ITERATIONS = 30
_LOST = 10.0  # |log hazard ratio| per standard deviation from which a coefficient is named as lost


@dataclass(frozen=True)
class CoxBatch:
    """Fits over replicates.

    Attributes
    ----------
    coefficients
        Log hazard ratios (R, P); NaN for columns that others explain or that do not vary.
    covariance
        Inverse information (R, P, P), or the robust variance where that was asked for.
    naive
        Inverse information (R, P, P).
    log_likelihood, null_log_likelihood
        Partial log likelihoods (R,).
    score_chi2
        Score test of all coefficients at zero (R,).
    converged
        False (R,) where the likelihood has no finite maximum (all events on one side), or no event.
    aliased
        Columns (R, P) that say nothing beside those before them; the others are fitted.
    events
        Events (R,).
    """

    coefficients: FloatArray
    covariance: FloatArray
    naive: FloatArray
    log_likelihood: FloatArray
    null_log_likelihood: FloatArray
    score_chi2: FloatArray
    converged: BoolArray
    aliased: BoolArray
    events: FloatArray


def cox_batch(time: FloatArray, event: FloatArray, columns: FloatArray,
              strata: IntArray | None = None, *, ties: Ties = "efron", penalty: float = 0.0,
              included: BoolArray | None = None, weights: FloatArray | None = None,
              offset: FloatArray | None = None, robust: bool = False) -> CoxBatch:
    """Fit one model per replicate by Newton with step halving.

    Parameters
    ----------
    time, event
        Days and indicators (R, N).
    columns
        Covariates (R, N, P).
    strata
        Integer codes (R, N) or (1, N).
    ties
        Efron's (1977) or Breslow's (1974) handling of tied event times.
    penalty
        Ridge penalty on half the squared coefficients, in the scale of `columns`.
    included
        Who counts (R, N); everyone by default.
    weights
        Weight of each patient (R, N), at least 0, for instance inverse probabilities.
    offset
        Known part of each patient's log hazard ratio (R, N).
    robust
        Whether the variance is Lin and Wei's (1989, doi 10.1080/01621459.1989.10478874), which
        weighted patients need.

    Returns
    -------
    CoxBatch
        Coefficients are on the scale of `columns`.
    """
    from simulation.kernels.cox import cox_rows

    order, stratum = sorted_rows(time, strata)
    nothing = np.empty((time.shape[0], 0))
    settings = np.array([ties == "efron", robust, penalty, ITERATIONS], dtype=np.float64)
    beta, naive, sandwich, values, found, aliased, events = cox_rows(
        time, event, np.ascontiguousarray(columns, dtype=np.float64),
        np.ones(time.shape, dtype=bool) if included is None else included, order, stratum,
        nothing if weights is None else weights, nothing if offset is None else offset, nothing,
        settings)
    return CoxBatch(np.where(aliased, np.nan, beta), sandwich if robust else naive, naive,
                    values[:, 0], values[:, 1], values[:, 2], found, aliased, events)


@dataclass(frozen=True)
class CoxFit:
    """Proportional hazards model of one trial.

    `z` and `p_value` are Wald's, one per name, by `covariance`: the inverse information, or the
    robust variance if that was asked for. `score_chi2` is the score test of all coefficients, which
    for one treatment column equals the (stratified) log-rank test when no times are tied.
    """

    names: tuple[str, ...]
    coefficients: FloatArray
    covariance: FloatArray
    z: FloatArray
    p_value: FloatArray
    log_likelihood: float
    null_log_likelihood: float
    score_chi2: float
    n: int
    events: int
    ties: Ties
    stratified: bool
    robust: bool = False

    def hazard_ratio(self, name: str, *, level: float = 0.95, estimand: Estimand | None = None
                     ) -> Estimate:
        """Hazard ratio per unit of one column.

        It is conditional when the model holds other columns or strata.

        Raises
        ------
        InputError
            When the column is not in the model.
        """
        if name not in self.names:
            raise InputError(f"name: {name!r}; allowed: {', '.join(self.names)}")
        i = self.names.index(name)
        kind = "conditional" if len(self.names) > 1 or self.stratified else "marginal"
        variance = ", robust variance" if self.robust else ""
        return ratio_from_log(f"Cox, {self.ties} ties{variance}", float(self.coefficients[i]),
                              float(np.sqrt(self.covariance[i, i])), self.n, level=level,
                              estimand=estimand,
                              extra={"events": self.events, "hazard_ratio": kind, "column": name})


def cox(time: ArrayLike, event: ArrayLike, columns: Columns, strata: ArrayLike | None = None, *,
        factors: Columns | None = None, ties: Ties = "efron", penalty: float = 0.0,
        weights: ArrayLike | None = None, offset: ArrayLike | None = None, robust: bool = False
        ) -> CoxFit:
    """Fit Cox's model with named covariates.

    Parameters
    ----------
    time, event
        Days and indicator (1 event), each (N,).
    columns
        Numeric covariates by name, the treatment indicator among them, each (N,).
    strata
        Stratum labels (N,), each with its own baseline hazard.
    factors
        Label columns by name, entered as dummies.
    ties
        "efron" (as R's default) or "breslow".
    penalty
        Ridge penalty on half the squared coefficients; standardise the columns first.
    weights
        Weight of each patient (N,), above 0, for instance inverse probabilities of treatment.
    offset
        Known part of each patient's log hazard ratio (N,).
    robust
        Lin and Wei's sandwich variance, which weighted patients need.

    Raises
    ------
    InputError
        For faulty inputs, collinear columns, or when no finite maximum exists.
    """
    times, events = checked(time, event)
    table, names = block(columns, factors, times.size, [])
    faults: list[str] = []
    w = None if weights is None else numeric("weights", weights, faults, times.shape)[None]
    if w is not None and not (w > 0).all():
        faults.append("weights: not all are above 0; leave out patients who weigh nothing")
    known = None if offset is None else numeric("offset", offset, faults, times.shape)[None]
    stop(faults)
    fitted = cox_batch(times[None], events[None], table[None], codes(strata, times.size),
                       ties=ties, penalty=penalty, weights=w, offset=known, robust=robust)
    if not fitted.converged[0] or fitted.aliased[0].any():
        far = np.abs(fitted.coefficients[0] * table.std(axis=0)) > _LOST
        lost = [name for name, gone in zip(names, far | fitted.aliased[0], strict=True) if gone]
        raise InputError([f"columns.{name}: no finite hazard ratio exists (no spread, collinear, "
                          "or all events on one side); drop it, or report the log-rank test"
                          for name in lost or names])
    se = np.sqrt(np.diag(fitted.covariance[0]))
    z = fitted.coefficients[0] / se
    return CoxFit(tuple(names), fitted.coefficients[0], fitted.covariance[0], z,
                  2 * scipy.stats.norm.sf(np.abs(z)), float(fitted.log_likelihood[0]),
                  float(fitted.null_log_likelihood[0]), float(fitted.score_chi2[0]), times.size,
                  int(events.sum()), ties, strata is not None, robust)


@dataclass(frozen=True)
class CoxScore:
    """Linear prognostic score: log hazard ratio of a patient against the training mean.

    score(x) = sum of coefficients * (x - centre) / scale; higher is worse.
    """

    names: tuple[str, ...]
    coefficients: FloatArray
    centre: FloatArray
    scale: FloatArray
    penalty: float
    n: int
    events: int

    def score(self, columns: Mapping[str, ArrayLike]) -> FloatArray:
        """Score (N,) of patients given the named baseline columns, each (N,).

        Raises
        ------
        InputError
            When a column is absent or has missing values.
        """
        absent = [name for name in self.names if name not in columns]
        if absent:
            raise InputError([f"columns.{name}: absent; the score needs it" for name in absent])
        n = np.asarray(columns[self.names[0]]).shape[0]
        table, _ = block({name: columns[name] for name in self.names}, None, n, [])
        score: FloatArray = (table - self.centre) / self.scale @ self.coefficients
        return score


def fit_cox_score(columns: Mapping[str, ArrayLike], time: ArrayLike, event: ArrayLike,
                  names: tuple[str, ...] | None = None, penalty: float = 1.0,
                  strata: ArrayLike | None = None) -> CoxScore:
    """Learn a prognostic score by ridge Cox on standardised baseline columns.

    Parameters
    ----------
    columns
        Baseline columns by name, each (N,).
    time, event
        Days and indicator, each (N,).
    names
        Columns to use, in order; all by default.
    penalty
        Ridge penalty on half the squared standardised coefficients, at least 0.
    strata
        Stratum labels (N,), for instance the arms, so that treatment effects do not enter.

    Raises
    ------
    InputError
        For faulty inputs or a column without spread.
    """
    times, events = checked(time, event)
    chosen = names or tuple(columns)
    table, _ = block({name: columns[name] for name in chosen}, None, times.size, [])
    centre, scale = table.mean(axis=0), table.std(axis=0, ddof=1)
    flat = [f"columns.{name}: no spread; a score needs some; drop it"
            for name, s in zip(chosen, scale, strict=True) if s == 0]
    if flat:
        raise InputError(flat)
    standard = dict(zip(chosen, ((table - centre) / scale).T, strict=True))
    fitted = cox(times, events, standard, strata, penalty=penalty)
    return CoxScore(tuple(chosen), fitted.coefficients, centre, scale, penalty, times.size,
                    int(events.sum()))
