"""Which terms a hazard's residual keeps, and what they become (`hazards.Shift`)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from generation.tokenizer import FloatArray
from generation.twin_model.hazards import Shift
from generation.twin_model.hazards_cox import Cox
from generation.twin_model.recalibration import calibration_slope, recalibrated
from generation.twin_model.residual import (
    Cause,
    Design,
    Residual,
    cross_fit,
    held_out_risk,
    prepare,
    product_pairs,
    standard,
    terms_of,
    try_term,
)

Mode = Literal["auto", "off", "on"]
_FEWEST_EVENTS = 30
_FEWEST_FOR_NET = 80
# Standard errors a held-out gain must exceed: one would keep a term in 5 of 24 null data sets, as
# four terms are tried, each at its best penalty.
_BAR = 1.645


def fit_residuals(
    features: FloatArray,
    arms: int,
    day: FloatArray,
    causes: list[npt.NDArray[np.bool_]],
    coxes: list[Cox],
    censored: bool,
    seed: int,
    mode: Mode = "auto",
) -> list[Residual]:
    """Find each cause's shift, by cross-fitted likelihood.

    Parameters
    ----------
    features, arms
        As in `hazards_cox.fit_cox`.
    day, causes
        Follow-up, and for each cause whether it ended it.
    coxes
        The causes' Cox models.
    censored
        Whether the last cause is censoring; time is parted by the others' events.
    seed
        Of folds and net.
    mode
        "auto" keeps a term whose held-out gain is 1.645 standard errors above 0, "on" keeps all,
        "off" tries none.

    Returns
    -------
    One for each cause.
    """
    found = [Residual(cox) for cox in coxes]
    chosen = [k for k, event in enumerate(causes) if event.sum() >= _FEWEST_EVENTS]
    told = [k for k in chosen if not (censored and k == len(causes) - 1)] or chosen
    if mode == "off" or not chosen:
        return found
    happened = np.any([causes[k] for k in told], axis=0)
    design = Design.of(features, arms, day, happened, seed)
    if not len(design.edges):
        return found
    spread: dict[int, Cause] = {}
    for k in chosen:
        folds = _calibrated(design, features, day, causes[k], found[k], seed)
        cause = prepare(design, features, day, causes[k], folds)
        spread[k] = _linear_terms(design, cause, found[k], mode)
    if sum(int(causes[k].sum()) for k in told) >= _FEWEST_FOR_NET:
        _net(design, chosen, spread, found, seed, mode)
    return found


def _calibrated(
    design: Design, features: FloatArray, day: FloatArray, event: npt.NDArray[np.bool_],
    found: Residual, seed: int,
) -> list[Cox]:
    """The cross-fitted Cox models, all recalibrated where their slope is off beyond noise."""
    folds = cross_fit(design, features, day, event, found.cox, seed)
    risk = held_out_risk(design, features, folds)
    found.slope = calibration_slope(risk, day, event)
    pairs = [recalibrated(cox, design.arms, *found.slope) for cox in folds]
    found.cox, found.slope_after = pairs[-1][0], found.slope[0]
    if pairs[-1][1] != 1.0:
        risk = held_out_risk(design, features, [cox for cox, _ in pairs])
        found.slope_after = calibration_slope(risk, day, event)[0]
    return [cox for cox, _ in pairs]


def _linear_terms(design: Design, cause: Cause, found: Residual, mode: Mode) -> Cause:
    """Try the linear terms in turn; what stays is written to `found`."""
    for term in terms_of(design, cause):
        shifted, theta, gain, error = try_term(design, cause, term)
        found.gains[term.name] = gain, error
        if mode == "auto" and gain <= _BAR * error:
            continue
        cause, found.kept = shifted, (*found.kept, term.name)
        found.shift = _extended(design, found.cox, found.shift, term.name, theta)
    return cause


def _extended(
    design: Design, cox: Cox, shift: Shift | None, name: str, theta: FloatArray
) -> Shift:
    """The shift with one more linear term."""
    shift = shift or empty_shift(design)
    pieces, p = shift.pieces.copy(), design.x.shape[1]
    if name == "arm x time":
        pieces[p - design.arms :] += theta
        return replace(shift, pieces=pieces)
    if name == "risk x time":
        weights = cox.beta * design.scale
        spread = max(float((design.x @ weights).std()), 1e-9)
        return replace(shift, pieces=pieces + np.outer(weights / spread, theta[0]))
    left, right = product_pairs(design)
    scale = standard(design.x[:, left] * design.x[:, right])[1]
    return replace(shift, left=left, right=right, products=theta[:, 0] / scale)


def empty_shift(design: Design) -> Shift:
    """A shift of nothing."""
    p, none = design.x.shape[1], np.zeros(0, dtype=np.int64)
    return Shift(
        design.edges, design.centre, design.scale, np.zeros((p, design.pieces)), none, none,
        np.zeros(0), np.zeros((p, 0)), np.zeros(0), np.zeros((0, design.pieces)),
    )


def _net(
    design: Design, chosen: list[int], spread: dict[int, Cause], found: list[Residual], seed: int,
    mode: Mode,
) -> None:
    """Try the net on top of what the linear terms left."""
    from generation.twin_model.residual_net import train_residual

    causes = [spread[k] for k in chosen]
    for place, (k, best) in enumerate(zip(chosen, train_residual(design, causes, seed),
                                          strict=True)):
        found[k].gains["net"] = best.gain, best.error
        if mode == "auto" and best.gain <= _BAR * best.error:
            continue
        enter, bias, leave = best.snapshot.joined(place)
        found[k].kept = (*found[k].kept, "net")
        found[k].shift = replace(
            found[k].shift or empty_shift(design), enter=enter, enter_bias=bias, leave=leave
        )
