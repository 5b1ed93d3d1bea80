"""Cox's proportional hazards model by Newton's method, one fit or one per replicate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from extraction.records.errors import InputError
from simulation.analysis.arrays import Columns, FloatArray, IntArray, block
from simulation.analysis.estimate import Estimand, Estimate, ratio_from_log
from simulation.analysis.risk_sets import RiskSets, checked, codes, risk_sets, running, take

Ties = Literal["efron", "breslow"]
_STEP_LIMIT = 20.0  # |log hazard ratio| per standard deviation beyond which a coefficient is lost

# Where the likelihood rises for ever, it comes to stand still while Newton's step stays near 1.
_STEP_LEFT = 1e-3


@dataclass(frozen=True)
class CoxBatch:
    """Fits over replicates.

    Parameters
    ----------
    coefficients
        Log hazard ratios (R, P).
    covariance
        Inverse information (R, P, P).
    log_likelihood, null_log_likelihood
        Partial log likelihoods (R,).
    score_chi2
        Score test of all coefficients at zero (R,).
    converged
        False (R,) where the likelihood has no finite maximum (all events on one side).
    """

    coefficients: FloatArray
    covariance: FloatArray
    log_likelihood: FloatArray
    null_log_likelihood: FloatArray
    score_chi2: FloatArray
    converged: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


@dataclass(frozen=True)
class _Problem:
    """Sorted columns and the Efron shares l/d of each event; zero for Breslow."""

    sets: RiskSets
    columns: FloatArray
    share: FloatArray
    penalty: float


def _problem(time: FloatArray, event: FloatArray, columns: FloatArray, strata: IntArray | None,
             ties: Ties, penalty: float) -> _Problem:
    sets = risk_sets(time, event, strata)
    rank = running(sets.event)[:, :-1] - take(running(sets.event), sets.first)
    share = rank / np.maximum(sets.deaths, 1) if ties == "efron" else np.zeros_like(rank)
    return _Problem(sets, sets.sort(columns), share * sets.event, penalty)


def _evaluate(problem: _Problem, beta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Penalised log likelihood (R,), gradient (R, P) and information (R, P, P) at beta (R, P).

    The information is X' diag(w H) X less the sum of outer products of the risk-set means, with H
    the (Efron-shared) cumulative hazard, so that no (N, P, P) array is built.
    """
    sets, x = problem.sets, problem.columns
    eta = np.einsum("rnp,rp->rn", x, beta)
    eta = eta - eta.max(axis=1, keepdims=True)
    weight = np.exp(eta)
    share, tied = problem.share, problem.share.any()
    s0, s1 = sets.at_risk_sum(weight), sets.at_risk_sum(weight[..., None] * x)
    if tied:
        s0 = s0 - share * sets.tied_event_sum(weight)
        s1 = s1 - share[..., None] * sets.tied_event_sum(weight[..., None] * x)
    s0 = np.where(sets.event > 0, s0, 1.0)
    log_likelihood = (sets.event * (eta - np.log(s0))).sum(axis=1)
    hazard = sets.past_sum(sets.event / s0)
    if tied:
        hazard = hazard - sets.event * sets.tied_event_sum(share / s0)
    gradient = np.einsum("rn,rnp->rp", sets.event - weight * hazard, x)
    mean = s1 * (sets.event / s0)[..., None]
    information = (np.einsum("rnp,rnq->rpq", x * (weight * hazard)[..., None], x)
                   - np.einsum("rnp,rnq->rpq", mean, mean))
    information = information + problem.penalty * np.eye(beta.shape[1])
    return (log_likelihood - problem.penalty / 2 * (beta**2).sum(axis=1),
            gradient - problem.penalty * beta, information)


def _invert(information: FloatArray) -> FloatArray:
    """Inverse information; a singular replicate gets NaN and is reported as not converged."""
    good = np.linalg.cond(information) < 1e13
    safe = np.where(good[:, None, None], information, np.eye(information.shape[1]))
    return np.where(good[:, None, None], np.linalg.inv(safe), np.nan)


def cox_batch(time: FloatArray, event: FloatArray, columns: FloatArray,
              strata: IntArray | None = None, *, ties: Ties = "efron", penalty: float = 0.0,
              iterations: int = 30) -> CoxBatch:
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

    Returns
    -------
    CoxBatch
        Coefficients are on the scale of `columns`.
    """
    centre = columns.mean(axis=1, keepdims=True)
    spread = columns.std(axis=1, keepdims=True)
    spread = np.where(spread > 0, spread, 1.0)
    if penalty > 0:
        spread = np.ones_like(spread)
    problem = _problem(time, event, (columns - centre) / spread, strata, ties, penalty)
    beta = np.zeros((time.shape[0], columns.shape[2]))
    value, gradient, information = _evaluate(problem, beta)
    null = value
    score_chi2 = np.einsum("rp,rpq,rq->r", gradient, _invert(information), gradient)
    done = np.zeros(time.shape[0], dtype=bool)
    for _ in range(iterations):
        step = np.nan_to_num(np.einsum("rpq,rq->rp", _invert(information), gradient))
        beta, new, gradient, information = _climb(problem, beta, step, value)
        done = np.abs(new - value) <= 1e-11 * (1 + np.abs(new))
        value = new
        if done.all():
            break
    covariance = _invert(information)
    still = np.abs(np.einsum("rpq,rq->rp", covariance, gradient)).max(axis=1)
    found = (done & (still < _STEP_LEFT) & (np.abs(beta) < _STEP_LIMIT).all(axis=1)
             & (event.sum(axis=1) > 0))
    scale = spread[:, 0]
    plain = value + penalty / 2 * (beta**2).sum(axis=1)
    return CoxBatch(beta / scale, covariance / (scale[:, :, None] * scale[:, None, :]), plain, null,
                    score_chi2, found)


def _climb(problem: _Problem, beta: FloatArray, step: FloatArray, value: FloatArray
           ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Newton step, halved in those replicates whose likelihood would fall."""
    length = np.ones((beta.shape[0], 1))
    for _ in range(12):
        trial = np.clip(beta + length * step, -2 * _STEP_LIMIT, 2 * _STEP_LIMIT)
        new, gradient, information = _evaluate(problem, trial)
        worse = new < value - 1e-9 * (1 + np.abs(value))
        if not worse.any():
            break
        length = np.where(worse[:, None], length / 2, length)
    return trial, new, gradient, information


@dataclass(frozen=True)
class CoxFit:
    """Proportional hazards model of one trial.

    `z` and `p_value` are Wald's, one per name; `score_chi2` is the score test of all coefficients,
    which for one treatment column equals the (stratified) log-rank test when no times are tied.
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
        return ratio_from_log(f"Cox, {self.ties} ties", float(self.coefficients[i]),
                              float(np.sqrt(self.covariance[i, i])), self.n, level=level,
                              estimand=estimand,
                              extra={"events": self.events, "hazard_ratio": kind, "column": name})


def cox(time: ArrayLike, event: ArrayLike, columns: Columns, strata: ArrayLike | None = None, *,
        factors: Columns | None = None, ties: Ties = "efron", penalty: float = 0.0) -> CoxFit:
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

    Raises
    ------
    InputError
        For faulty inputs, collinear columns, or when no finite maximum exists.
    """
    times, events = checked(time, event)
    table, names = block(columns, factors, times.size, [])
    fitted = cox_batch(times[None], events[None], table[None], codes(strata, times.size),
                       ties=ties, penalty=penalty)
    if not fitted.converged[0]:
        lost = [name for name, b in zip(names, fitted.coefficients[0] * table.std(axis=0),
                                        strict=True) if abs(b) > _STEP_LIMIT / 2] or names
        raise InputError([f"columns.{name}: no finite hazard ratio exists (no spread, collinear, "
                          "or all events on one side); drop it, or report the log-rank test"
                          for name in lost])
    se = np.sqrt(np.diag(fitted.covariance[0]))
    z = fitted.coefficients[0] / se
    return CoxFit(tuple(names), fitted.coefficients[0], fitted.covariance[0], z,
                  2 * stats.norm.sf(np.abs(z)), float(fitted.log_likelihood[0]),
                  float(fitted.null_log_likelihood[0]), float(fitted.score_chi2[0]), times.size,
                  int(events.sum()), ties, strata is not None)


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
