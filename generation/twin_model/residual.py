"""What a proportional hazard leaves out, learnt only where held-out patients confirm it.

Every cause of an endpoint, and its censoring, starts at a ridge Cox model. Four terms may be
added to the log hazard, in this order, simplest first: arm x time, risk x time (a linear
predictor whose weight changes), arm x covariates, and a small net of covariates, arm and time
shared by all causes (`residual_net`). The hazard is piecewise constant against the Cox model's
own time scale (the Poisson form of the likelihood: Holford, 1980, Biometrics 36; nets:
Kvamme and Borgan, 2021, Lifetime Data Analysis 27). A term stays if the likelihood of five
held-out folds, each told by a model of the other four, gains more than 1.645 standard errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from generation.randomness import generator
from generation.tokenizer import FloatArray, IntArray
from generation.twin_model.hazards import Shift
from generation.twin_model.hazards_cox import Cox, fit_cox, shared_folds

FOLDS = 5
_MOST_PIECES = 8
_EVENTS_A_PIECE = 12
_STEP_PENALTIES = (1.0, 4.0, 16.0, 64.0)
_PRODUCT_PENALTIES = (10.0, 40.0, 160.0, 640.0)
_NEWTON_STEPS = 8


@dataclass(frozen=True)
class Cause:
    """One cause's share of the likelihood, for the F folds' models and the whole one.

    Attributes
    ----------
    spent
        Cumulative hazard each patient spent in each piece of time, (F + 1, n, P).
    events
        Whether the event came in that piece, (n, P).
    log_risk
        Log relative hazards, (F + 1, n).
    shift
        Log-hazard shift found so far, (F + 1, n, P).
    """

    spent: FloatArray
    events: FloatArray
    log_risk: FloatArray
    shift: FloatArray


@dataclass(frozen=True)
class Term:
    """One set of columns that may shift a log hazard: columns x time basis.

    Attributes
    ----------
    name
        What it says.
    columns
        Standardised columns, (F + 1, n, q).
    by_time
        Whether each piece of time has its own coefficients.
    penalties
        Strengths to choose from.
    """

    name: str
    columns: FloatArray
    by_time: bool
    penalties: tuple[float, ...]


@dataclass
class Residual:
    """What was found for one cause.

    Attributes
    ----------
    shift
        Added to the log hazard; None where nothing was.
    gains
        Held-out log-likelihood each term bought and its standard error, in nats, kept or not.
    kept
        Names of the terms that stayed.
    slope
        Cross-fitted calibration slope of the Cox model and its standard error, NaN if unknown.
    cox
        The Cox model, recalibrated where the slope is off beyond noise.
    slope_after
        The slope of what is used, cross-fitted but for the factor.
    """

    cox: Cox
    slope: tuple[float, float] = (float("nan"), float("nan"))
    slope_after: float = float("nan")
    shift: Shift | None = None
    gains: dict[str, tuple[float, float]] = field(default_factory=dict)
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class Design:
    """Patients of one endpoint as every term sees them.

    ``x`` are the standardised features (n, p), the last `arms` of them arm indicators;
    ``folds`` numbers the held-out fold of each patient; ``edges`` part time into P pieces.
    """

    x: FloatArray
    centre: FloatArray
    scale: FloatArray
    arms: int
    folds: IntArray
    edges: FloatArray

    @classmethod
    def of(
        cls, features: FloatArray, arms: int, day: FloatArray, happened: npt.NDArray[np.bool_],
        seed: int,
    ) -> Design:
        """Standardise, part into folds, and part time where events are equally many."""
        pieces = int(np.clip(happened.sum() // _EVENTS_A_PIECE, 2, _MOST_PIECES))
        edges = np.unique(np.quantile(day[happened], np.arange(1, pieces) / pieces))
        edges = edges[(edges > 0) & (edges < day[happened].max())]
        centre, scale = features.mean(axis=0), features.std(axis=0)
        scale = np.where(scale > 1e-9, scale, 1.0)
        folds = shared_folds(features, day, generator(seed, "residual folds"), FOLDS)
        return cls((features - centre) / scale, centre, scale, arms, folds, edges)

    @property
    def pieces(self) -> int:
        """Number of pieces of time."""
        return len(self.edges) + 1

    def parts(self) -> Iterator[tuple[int, npt.NDArray[np.bool_]]]:
        """Each fold's model and its training patients; last the whole one."""
        for fold in range(FOLDS + 1):
            yield fold, self.folds != fold


def cross_fit(
    design: Design, features: FloatArray, day: FloatArray, event: npt.NDArray[np.bool_], cox: Cox,
    seed: int,
) -> list[Cox]:
    """The cause's Cox model without each fold, and last the whole one."""
    folds = [
        fit_cox(features[rows], design.arms, day[rows], event[rows], seed, cox.strength)
        for fold, rows in design.parts() if fold < FOLDS
    ]
    return [*folds, cox]


def held_out_risk(design: Design, features: FloatArray, coxes: list[Cox]) -> FloatArray:
    """Log relative hazard of each patient by the model that has not seen them, (n,)."""
    risk = np.zeros(len(features))
    for fold, rows in design.parts():
        if fold < FOLDS:
            risk[~rows] = coxes[fold].log_risk(features[~rows])
    return risk


def prepare(
    design: Design, features: FloatArray, day: FloatArray, event: npt.NDArray[np.bool_],
    coxes: list[Cox],
) -> Cause:
    """Spread the hazard of each fold's model over the pieces of time."""
    n, bounds = len(day), np.concatenate([[0.0], design.edges, [np.inf]])
    spent, log_risk = np.zeros((FOLDS + 1, n, design.pieces)), np.zeros((FOLDS + 1, n))
    for fold, rows in design.parts():
        log_risk[fold] = coxes[fold].log_risk(features)
        risk = np.exp(log_risk[fold])
        order = np.argsort(day[rows], kind="stable")
        at_risk = np.cumsum(risk[rows][order][::-1])[::-1]
        ordered, died = day[rows][order], event[rows][order]
        steps = died / at_risk[np.searchsorted(ordered, ordered, side="left")]
        breslow = np.append(0.0, np.cumsum(steps))
        reached = np.searchsorted(ordered, np.minimum(day[:, None], bounds), side="right")
        reached[:, 0] = 0
        spent[fold] = np.diff(breslow[reached], axis=1) * risk[:, None]
    piece = np.searchsorted(design.edges, day, side="left")
    events = (piece[:, None] == np.arange(design.pieces)) & event[:, None]
    return Cause(spent, events.astype(np.float64), log_risk, np.zeros(spent.shape))


def held_out_gain(design: Design, cause: Cause, shift: FloatArray) -> FloatArray:
    """Log-likelihood each patient gains by a shift over none, told by the other folds, (n,).

    The baseline of each piece is learnt anew from the fold's training patients.
    """
    gain = np.zeros(len(design.folds))
    for fold, rows in design.parts():
        if fold == FOLDS:
            break
        weight = np.exp(shift[fold])
        observed = cause.events[rows].sum(axis=0) + 0.5
        level = np.log(observed / ((cause.spent[fold] * weight)[rows].sum(axis=0) + 0.5))
        own = (shift[fold] + level)[~rows]
        spent = cause.spent[fold][~rows]
        gain[~rows] = (cause.events[~rows] * own - spent * np.expm1(own)).sum(axis=1)
    return gain


def terms_of(design: Design, cause: Cause) -> list[Term]:
    """Terms to be tried, simplest first."""
    x, whole = design.x, (FOLDS + 1, *design.x.shape[:1])
    arm = x[:, design.x.shape[1] - design.arms :]
    rising = cause.log_risk - cause.log_risk.mean(axis=1, keepdims=True)
    spread = np.maximum(cause.log_risk.std(axis=1, keepdims=True), 1e-9)
    terms = [Term("risk x time", (rising / spread)[..., None], True, _STEP_PENALTIES)]
    if not design.arms:
        return terms
    left, right = product_pairs(design)
    products = standard(x[:, left] * x[:, right])[0]
    return [
        Term("arm x time", np.broadcast_to(arm, (*whole, design.arms)), True, _STEP_PENALTIES),
        *terms,
        Term(
            "arm x covariates", np.broadcast_to(products, (*whole, len(left))), False,
            _PRODUCT_PENALTIES,
        ),
    ]


def product_pairs(design: Design) -> tuple[IntArray, IntArray]:
    """Arm columns and covariates whose products vary."""
    p = design.x.shape[1]
    varies = np.flatnonzero(design.x[:, : p - design.arms].std(axis=0) > 0.5)
    arm = np.arange(p - design.arms, p)
    return np.repeat(arm, len(varies)), np.tile(varies, design.arms)


def standard(columns: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Columns less their mean over their standard deviation, and the latter."""
    scale = np.maximum(columns.std(axis=0), 1e-9)
    return (columns - columns.mean(axis=0)) / scale, scale


def fit_term(
    columns: FloatArray, by_time: bool, strength: float, spent: FloatArray, events: FloatArray
) -> FloatArray:
    """Penalised coefficients of a term, (q, P), by Newton's method.

    The likelihood is that of each piece with its baseline profiled out. With time, steps between
    neighbouring pieces are penalised; without, the coefficients themselves.
    """
    q, pieces = columns.shape[1], spent.shape[1]
    basis = np.eye(pieces) if by_time else np.ones((pieces, 1))
    penalty = np.kron(np.eye(q), _time_penalty(pieces, strength) if by_time else [[strength]])
    theta = np.zeros((q, basis.shape[1]))
    died = events.sum(axis=0)
    score = columns.T @ events
    for _ in range(_NEWTON_STEPS):
        share = spent * np.exp(columns @ theta @ basis.T)
        share *= died / np.maximum(share.sum(axis=0), 1e-300)
        mean = columns.T @ share
        gradient = ((score - mean) @ basis).ravel() - penalty @ theta.ravel()
        step = np.linalg.solve(
            _information(columns, share, mean, died, by_time) + penalty, gradient
        ).reshape(theta.shape)
        theta = theta + step * min(1.0, 1.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-5:
            break
    return theta @ basis.T


def _time_penalty(pieces: int, strength: float) -> FloatArray:
    steps = np.diff(np.eye(pieces), axis=0)
    return np.asarray(strength * (steps.T @ steps + np.eye(pieces)))


def _information(
    columns: FloatArray, share: FloatArray, mean: FloatArray, died: FloatArray, by_time: bool
) -> FloatArray:
    """Negative second derivative of the profiled log-likelihood."""
    centre = mean / np.sqrt(np.maximum(died, 1.0))
    if not by_time:
        whole = (columns * share.sum(axis=1)[:, None]).T @ columns - centre @ centre.T
        return np.asarray(whole)
    q, pieces = columns.shape[1], share.shape[1]
    full = np.zeros((q, pieces, q, pieces))
    for p in range(pieces):
        inside = (columns * share[:, p, None]).T @ columns
        full[:, p, :, p] = inside - np.outer(centre[:, p], centre[:, p])
    return full.reshape(q * pieces, q * pieces)


def try_term(
    design: Design, cause: Cause, term: Term
) -> tuple[Cause, FloatArray, float, float]:
    """Shift by the term at its best strength.

    Returns
    -------
    The cause with the shift, the whole model's coefficients (q, P), the held-out gain over
    the cause as it was, and its standard error.
    """
    before = held_out_gain(design, cause, cause.shift)
    best: tuple[float, float, FloatArray, float] | None = None
    for strength in term.penalties:
        shift = cause.shift.copy()
        for fold, rows in design.parts():
            if fold < FOLDS:
                theta = _coefficients(cause, term, fold, rows, strength)
                shift[fold] += term.columns[fold] @ theta
        gain = held_out_gain(design, cause, shift) - before
        total = float(gain.sum())
        if best is None or total > best[0]:
            best = (total, float(np.sqrt(len(gain)) * gain.std()), shift, strength)
    assert best is not None
    everyone = np.ones(len(design.folds), dtype=bool)
    theta = _coefficients(cause, term, FOLDS, everyone, best[3])
    best[2][FOLDS] += term.columns[FOLDS] @ theta
    return replace(cause, shift=best[2]), theta, best[0], best[1]


def _coefficients(
    cause: Cause, term: Term, fold: int, rows: npt.NDArray[np.bool_], strength: float
) -> FloatArray:
    spent = cause.spent[fold][rows] * np.exp(cause.shift[fold][rows])
    columns = np.ascontiguousarray(term.columns[fold][rows])
    return fit_term(columns, term.by_time, strength, spent, cause.events[rows])
