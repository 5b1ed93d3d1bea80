"""Kaplan-Meier distance, a small ridge Cox regression and concordance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generation.evaluation.tables import EndpointColumns, Floats, Table

_AT_RISK = 10
_GRID = 200
Flags = npt.NDArray[np.bool_]


def times_events(table: Table, endpoint: EndpointColumns) -> tuple[Floats, Flags, Flags]:
    """Times in days, whether an event of any cause was seen, and which rows have both."""
    time = table.numbers[:, endpoint.time]
    code = table.codes[:, endpoint.event]
    return time, code > 0, ~np.isnan(time) & (code >= 0)


def kaplan_meier(time: Floats, event: Flags, grid: Floats) -> Floats:
    """Kaplan-Meier survival at the grid's times.

    Parameters
    ----------
    time
        Days to event or censoring, shape (n,).
    event
        Whether the event was seen, shape (n,).
    grid
        Days, shape (g,).

    Returns
    -------
    array of shape (g,)
        Probability of no event up to and including each day; 1 for an empty sample.
    """
    if not len(time):
        return np.ones(len(grid))
    moments, where = np.unique(time, return_inverse=True)
    died = np.bincount(where, weights=event.astype(np.float64))
    leaving = np.bincount(where)
    at_risk = len(time) - np.concatenate([[0], np.cumsum(leaving)[:-1]])
    curve = np.concatenate([[1.0], np.cumprod(1 - died / at_risk)])
    return np.asarray(curve[np.searchsorted(moments, grid, side="right")])


@dataclass(frozen=True)
class CurveGap:
    """Distance of two Kaplan-Meier curves up to the horizon.

    Parameters
    ----------
    area
        Mean absolute difference over [0, horizon].
    largest
        Largest absolute difference.
    horizon
        Days; the last day at which both samples still have 10 patients at risk (or a tenth).
    """

    area: float
    largest: float
    horizon: float


def curve_gap(synthetic: Table, real: Table, endpoint: EndpointColumns) -> CurveGap:
    """Distance of the Kaplan-Meier curves, averaged over arms by the real arms' sizes."""
    arm = synthetic.layout.arm
    arms = np.unique(real.codes[:, arm]) if arm is not None else np.array([0])
    weights, areas, peaks, horizons = [], [], [], []
    for code in arms:
        sides = [
            _arm(t, endpoint, None if arm is None else t.codes[:, arm] == code)
            for t in (synthetic, real)
        ]
        gap = _gap(*sides[0], *sides[1])
        weights.append(len(sides[1][0]))
        areas.append(gap.area)
        peaks.append(gap.largest)
        horizons.append(gap.horizon)
    share = np.array(weights) / max(sum(weights), 1)
    return CurveGap(float(share @ np.array(areas)), float(max(peaks)), float(max(horizons)))


def kaplan_meier_distance(synthetic: Table, real: Table, endpoint: EndpointColumns) -> float:
    """Return `CurveGap.area`: mean absolute difference of survival, in [0, 1]."""
    return curve_gap(synthetic, real, endpoint).area


def _arm(table: Table, endpoint: EndpointColumns, keep: Flags | None) -> tuple[Floats, Flags]:
    time, event, known = times_events(table, endpoint)
    rows = known if keep is None else known & keep
    return time[rows], event[rows]


def _gap(time_a: Floats, event_a: Flags, time_b: Floats, event_b: Flags) -> CurveGap:
    if not len(time_b):
        return CurveGap(float("nan"), float("nan"), 0.0)
    if not len(time_a):  # a synthetic sample without the arm is as far off as can be
        return CurveGap(1.0, 1.0, float(time_b.max()))
    horizon = min(_horizon(time_a), _horizon(time_b))
    grid = np.linspace(0.0, horizon, _GRID)
    gap = np.abs(kaplan_meier(time_a, event_a, grid) - kaplan_meier(time_b, event_b, grid))
    return CurveGap(float(gap.mean()), float(gap.max()), horizon)


def _horizon(time: Floats) -> float:
    """Last day with 10 patients (or a tenth of a smaller sample) at risk."""
    left = max(1, min(_AT_RISK, len(time) // 10))
    return float(np.sort(time)[-left])


def cox_ridge(x: Floats, time: Floats, event: Flags, penalty: float, steps: int = 25) -> Floats:
    """Coefficients of a Cox model with Breslow's ties and a ridge penalty, by Newton's method.

    Parameters
    ----------
    x
        Standardised covariates, shape (n, p).
    time, event
        Days and whether the event was seen, shape (n,).
    penalty
        Half of it times the squared length of the coefficients is taken off the log partial
        likelihood; above 0.
    steps
        Most Newton steps; a step that does not gain is halved.

    Returns
    -------
    array of shape (p,)
        Log hazard ratios per unit of x; zeros without any event.

    Notes
    -----
    Cox (1972), doi 10.1111/j.2517-6161.1972.tb00899.x; ties as Breslow (1974).
    """
    order = np.argsort(-time, kind="stable")
    x, time, event = x[order], time[order], event[order]
    # Position of the last row that is still at risk at each row's time (ties share it).
    last = np.searchsorted(-time, -time, side="right") - 1
    beta = np.zeros(x.shape[1])
    if not event.any():
        return beta
    value = _log_partial(beta, x, event, last, penalty)
    for _ in range(steps):
        gradient, hessian = _derivatives(beta, x, event, last, penalty)
        step = np.linalg.solve(hessian, gradient)
        while True:
            trial = _log_partial(beta + step, x, event, last, penalty)
            if trial >= value or np.abs(step).max() < 1e-8:
                break
            step = step / 2
        beta = beta + step
        if trial - value < 1e-7 * (1 + abs(value)):
            break
        value = trial
    return beta


def cox_errors(x: Floats, time: Floats, event: Flags, beta: Floats, penalty: float) -> Floats:
    """Standard errors of `cox_ridge` from the observed information, shape (p,)."""
    order = np.argsort(-time, kind="stable")
    x, time, event = x[order], time[order], event[order]
    last = np.searchsorted(-time, -time, side="right") - 1
    _, hessian = _derivatives(beta, x, event, last, penalty)
    return np.asarray(np.sqrt(np.diag(np.linalg.inv(hessian))))


def martingale_residuals(time: Floats, event: Flags) -> Floats:
    """Events less expected ones when nobody differs (Nelson-Aalen), shape (n,)."""
    _, where = np.unique(time, return_inverse=True)
    died = np.bincount(where, weights=event.astype(np.float64))
    leaving = np.bincount(where)
    at_risk = len(time) - np.concatenate([[0], np.cumsum(leaving)[:-1]])
    return np.asarray(event - np.cumsum(died / at_risk)[where])


def _log_partial(
    beta: Floats, x: Floats, event: Flags, last: npt.NDArray[np.intp], penalty: float
) -> float:
    score = x @ beta
    peak = float(score.max())
    at_risk = np.cumsum(np.exp(score - peak))[last]
    terms = score - peak - np.log(at_risk)
    return float(terms[event].sum() - penalty / 2 * beta @ beta)


def _derivatives(
    beta: Floats, x: Floats, event: Flags, last: npt.NDArray[np.intp], penalty: float
) -> tuple[Floats, Floats]:
    """Gradient and negative Hessian of the penalised log partial likelihood."""
    score = x @ beta
    weight = np.exp(score - score.max())
    total = np.cumsum(weight)[last]
    mean = np.cumsum(weight[:, None] * x, axis=0)[last] / total[:, None]
    # Sum over events of E[x x'] = sum over rows of weight x x' times the hazard at risk with it.
    share = np.zeros(len(x))
    np.add.at(share, last, event / total)
    exposure = np.cumsum(share[::-1])[::-1] * weight
    second = (x * exposure[:, None]).T @ x
    gradient = (x[event] - mean[event]).sum(axis=0) - penalty * beta
    hessian = second - mean[event].T @ mean[event] + penalty * np.eye(x.shape[1])
    return gradient, hessian


def concordant_pairs(score: Floats, time: Floats, event: Flags) -> tuple[Floats, Floats]:
    """Harrell's pairs, summed by patient.

    A pair is comparable when the shorter time ended in an event; it is concordant when the
    patient with the shorter time has the higher score (ties in score count a half).

    Returns
    -------
    (concordant, comparable)
        Each of shape (n,): a patient's sum over the pairs that it is part of, so that the totals
        are twice the number of pairs.
    """
    earlier = (time[:, None] < time[None, :]) & event[:, None]
    tie = (time[:, None] == time[None, :]) & event[:, None] & ~event[None, :]
    comparable = (earlier | tie).astype(np.float64)
    order = 0.5 * (1 + np.sign(score[:, None] - score[None, :]))
    concordant = comparable * order
    return (
        np.asarray(concordant.sum(axis=0) + concordant.sum(axis=1)),
        np.asarray(comparable.sum(axis=0) + comparable.sum(axis=1)),
    )
