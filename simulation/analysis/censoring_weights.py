"""Inverse probability of censoring weights: analyses of those seen, as if nobody had left.

Censoring may depend on baseline covariates, and dropout from visits on earlier values too; given
these it must not depend on the outcome (Robins and Finkelstein 2000, doi
10.1111/j.0006-341X.2000.00779.x). Weights are stabilised by arm. Standard errors are robust and
take the weights as known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from extraction.records.errors import InputError
from simulation.analysis.arrays import BoolArray, FloatArray
from simulation.analysis.cox import cox_batch
from simulation.analysis.external.propensity import logistic_batch

BLOCK = 256
"""Event times at once: N x BLOCK weights are held."""
ITERATIONS = 50


@dataclass(frozen=True)
class Line:
    """One weighted estimate, treated against control; figures of the weights for the report.

    Attributes
    ----------
    estimate, se
        A difference, or a log hazard ratio; robust standard error.
    largest, mean
        Of the weights at the patients' own events, or of those seen at the last visit.
    """

    estimate: float
    se: float
    largest: float
    mean: float


@dataclass(frozen=True)
class CensoringModel:
    """Cox's model of censoring with its own baseline in each arm.

    Attributes
    ----------
    relative
        Relative hazard of censoring of each patient (N,).
    treated
        (N,), 1.0 or 0.0.
    times, cumulative, marginal
        By arm, control first: censoring times, Breslow's cumulative baseline hazard after each, and
        Nelson and Aalen's without covariates.
    cap
        Weights above are cut to it.
    """

    relative: FloatArray
    treated: FloatArray
    times: tuple[FloatArray, FloatArray]
    cumulative: tuple[FloatArray, FloatArray]
    marginal: tuple[FloatArray, FloatArray]
    cap: float

    def at(self, moments: FloatArray) -> FloatArray:
        """Weights (N, K) just before each moment: P(uncensored | arm) / P(uncensored | x, arm)."""
        log = np.zeros((self.relative.size, moments.size))
        for arm in (0, 1):
            steps = np.searchsorted(self.times[arm], moments, side="left")
            given = np.concatenate([[0.0], self.cumulative[arm]])[steps]
            alone = np.concatenate([[0.0], self.marginal[arm]])[steps]
            rows = self.treated == arm
            log[rows] = self.relative[rows, None] * given - alone
        return np.minimum(np.exp(np.minimum(log, 50.0)), self.cap)


def censoring_model(
    time: FloatArray, event: FloatArray, treated: FloatArray, x: FloatArray, cap: float = np.inf
) -> CensoringModel:
    """Fit the model of censoring.

    Parameters
    ----------
    time, event, treated
        (N,); whoever has no event was censored.
    x
        Covariates (N, P).
    cap
        Greatest weight.

    Raises
    ------
    InputError
        Where the covariates part the censored from the rest.
    """
    gone = 1 - event
    relative = np.ones(time.size)
    if gone.any() and x.shape[1]:
        centred = x - x.mean(axis=0)
        arms = np.ascontiguousarray(treated[None], dtype=np.int64)
        found = cox_batch(time[None], gone[None], centred[None], arms, ties="breslow")
        if not found.converged[0] or found.aliased[0].any():
            raise InputError(
                "censoring_weights: the model of censoring has no finite maximum, or a covariate "
                "that others explain; name fewer covariates"
            )
        relative = np.exp(centred @ found.coefficients[0])
    sides = [_baseline(time, gone, relative, treated == arm) for arm in (0, 1)]
    return CensoringModel(
        relative,
        treated,
        (sides[0][0], sides[1][0]),
        (sides[0][1], sides[1][1]),
        (sides[0][2], sides[1][2]),
        cap,
    )


def _baseline(
    time: FloatArray, gone: FloatArray, relative: FloatArray, rows: BoolArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    t, d, r = time[rows], gone[rows], relative[rows]
    order = np.argsort(t, kind="stable")
    t, d, r = t[order], d[order], r[order]
    moments, counts = np.unique(t[d == 1], return_counts=True)
    first = np.searchsorted(t, moments, side="left")
    behind = np.concatenate([r[::-1].cumsum()[::-1], [0.0]])[first]
    return moments, np.cumsum(counts / behind), np.cumsum(counts / (t.size - first))


def weighted_cox(
    time: FloatArray, event: FloatArray, columns: FloatArray, model: CensoringModel,
    one_step: bool = False,
) -> Line:  # fmt: skip
    """Log hazard ratio of the first column, Breslow's ties, Lin and Wei's robust variance.

    Parameters
    ----------
    columns
        The arm and covariates (N, P).
    one_step
        The weighted log-rank test: one Newton step from no effect, with the variance there.

    Raises
    ------
    InputError
        Where no finite maximum exists.
    """
    beta = np.zeros(columns.shape[1])
    for _ in range(ITERATIONS):
        score, information, residual = _cox_terms(time, event, columns, model, beta)
        inverse = np.linalg.pinv(information, hermitian=True)
        step = inverse @ score
        if one_step or np.abs(step).max() < 1e-12 or np.abs(beta[0]) > 20:
            break
        beta = beta + step
    spread = inverse @ (residual.T @ residual) @ inverse
    value = float(step[0] if one_step else beta[0])
    if not spread[0, 0] > 0 or abs(value) > 20:
        raise InputError("the weighted Cox model has no finite maximum")
    return Line(value, float(np.sqrt(spread[0, 0])), *_told(time, event, model))


def _blocks(
    time: FloatArray, event: FloatArray, model: CensoringModel
) -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
    """Event times (K,), weights at risk (N, K) and of those who have the event (N, K)."""
    moments = np.unique(time[event == 1])
    for start in range(0, moments.size, BLOCK):
        now = moments[start : start + BLOCK]
        weight = model.at(now) * (time[:, None] >= now)
        yield now, weight, weight * ((time[:, None] == now) & (event[:, None] == 1))


def _cox_terms(
    time: FloatArray, event: FloatArray, columns: FloatArray, model: CensoringModel,
    beta: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:  # fmt: skip
    """Score (P,), information (P, P) and patients' weighted score residuals (N, P)."""
    p = columns.shape[1]
    score, information = np.zeros(p), np.zeros((p, p))
    residual = np.zeros(columns.shape)
    hazard = np.exp(np.clip(columns @ beta, -50, 50))
    for _, weight, dead in _blocks(time, event, model):
        risk = weight * hazard[:, None]
        total = risk.sum(axis=0)
        mean = risk.T @ columns / total[:, None]
        events = dead.sum(axis=0)
        score += (dead.T @ columns - events[:, None] * mean).sum(axis=0)
        shared = risk * (events / total)
        information += (columns * shared.sum(axis=1)[:, None]).T @ columns
        information -= (mean * events[:, None]).T @ mean
        pull = dead - shared
        residual += pull.sum(axis=1)[:, None] * columns - pull @ mean
    return score, information, residual


def weighted_curve(
    time: FloatArray, event: FloatArray, treated: FloatArray, model: CensoringModel,
    horizon: float, mean: bool,
) -> Line:  # fmt: skip
    """Difference in weighted Kaplan-Meier survival at a horizon, or in the mean up to it.

    Infinitesimal-jackknife variance, as R's `survfit(..., robust = TRUE)`.

    Raises
    ------
    InputError
        Where an arm was not followed so long, or its curve has no variance.
    """
    value, variance = [], 0.0
    for arm in (0.0, 1.0):
        rows = treated == arm
        if time[rows].max() < horizon:
            raise InputError("an arm was not followed up to the horizon")
        level, influence = _curve(time, event, rows, model, horizon, mean)
        value.append(level)
        variance += float(influence @ influence)
    if not variance > 0:
        raise InputError("no events up to the horizon: no variance")
    return Line(value[1] - value[0], float(np.sqrt(variance)), *_told(time, event, model))


def _curve(
    time: FloatArray, event: FloatArray, rows: BoolArray, model: CensoringModel, horizon: float,
    mean: bool,
) -> tuple[float, FloatArray]:  # fmt: skip
    """One arm's figure and each patient's influence on it (N,)."""
    within = event * rows * (time <= horizon)
    hazards, moments, parts = [], [], []
    for now, weight, dead in _blocks(time, within, model):
        at_risk = weight * rows[:, None]
        total = at_risk.sum(axis=0)
        rate = dead.sum(axis=0) / total
        left = np.where(rate < 1, 1 - rate, np.inf)
        parts.append((dead - at_risk * rate) / (total * left))
        hazards.append(rate)
        moments.append(now)
    if not hazards:
        return (horizon if mean else 1.0), np.zeros(time.size)
    survival = np.cumprod(1 - np.concatenate(hazards))
    pull = np.concatenate(parts, axis=1)
    if not mean:
        return float(survival[-1]), -survival[-1] * pull.sum(axis=1)
    edges = np.concatenate([[0.0], np.concatenate(moments), [horizon]])
    pieces = np.concatenate([[1.0], survival]) * np.diff(edges)
    after = pieces[::-1].cumsum()[::-1][1:]
    return float(pieces.sum()), -pull @ after


def _told(time: FloatArray, event: FloatArray, model: CensoringModel) -> tuple[float, float]:
    """Largest and mean weight of patients at their own events."""
    own = np.concatenate([dead[dead > 0] for _, _, dead in _blocks(time, event, model)])
    return float(own.max()), float(own.mean())


def dropout_weights(
    seen: BoolArray, history: list[FloatArray], treated: FloatArray, cap: float = np.inf
) -> FloatArray:
    """Weights (N,) of those seen at every visit; 0 for the others.

    Parameters
    ----------
    seen
        Whether each patient has a value at each visit (V, N).
    history
        By visit, what its logistic regression of being seen may use (N, P_v), beside the arm;
        known for all who were seen at every earlier visit.
    cap
        Greatest weight.

    Notes
    -----
    A patient leaves at the first visit without a value: what comes after is not used. The
    probability of being seen is the product over visits; weights are stabilised by its value given
    the arm alone.

    Raises
    ------
    InputError
        Where the history parts those seen from the rest at a visit.
    """
    there = np.ones(treated.size, dtype=bool)
    weight = np.ones(treated.size)
    for visit, (now, known) in enumerate(zip(seen, history, strict=True)):
        if now[there].all():
            continue
        x = np.column_stack([treated[there], known[there]])
        outcome = now[there].astype(np.float64)
        found = logistic_batch(outcome[None], x)
        if not found.converged[0]:
            raise InputError(
                f"censoring_weights: at visit {visit + 1} the covariates part those seen from the "
                "rest; name fewer"
            )
        arm = treated[there]
        share = np.where(arm == 1, outcome[arm == 1].mean(), outcome[arm == 0].mean())
        weight[there] *= share / found.fitted[0]
        there = there & now
    return np.where(there, np.minimum(weight, cap), 0.0)


def weighted_least_squares(y: FloatArray, columns: FloatArray, weights: FloatArray) -> Line:
    """Slope of the first column, with the robust (HC0) variance.

    Parameters
    ----------
    y, weights
        (N,); weight 0 leaves a patient out, whatever y is.
    columns
        The arm and covariates (N, P); an intercept is added.

    Raises
    ------
    InputError
        Without variance.
    """
    kept = weights > 0
    w, design = weights[kept], np.column_stack([np.ones(kept.sum()), columns[kept]])
    bread = np.linalg.pinv((design * w[:, None]).T @ design, hermitian=True)
    beta = bread @ (design.T @ (w * y[kept]))
    score = design * (w * (y[kept] - design @ beta))[:, None]
    spread = (bread @ (score.T @ score) @ bread)[1, 1]
    if not spread > 0:
        raise InputError("the outcome does not vary")
    return Line(float(beta[1]), float(np.sqrt(spread)), float(w.max()), float(w.mean()))
