"""Estimates after stopping early: median-unbiased, with stagewise intervals, at a table's cost.

At each look the map from z to estimate and limits is smooth, so it is solved at some points, once a
design, and read off a cubic spline between them; `simulation.analysis.sequential.after_stopping`
is what it is solved by.
"""

from functools import lru_cache
from typing import Any, Final, final

import numpy as np
import scipy
from pydantic import Field

from simulation.analysis.sequential.estimates import AfterStopping, after_stopping
from simulation.trial.adjusted_size import adjusted_for_size, resized_by_effect
from simulation.trial.design import Tested, TrialDesign
from simulation.trial.outcomes.base import Floats, Indices
from simulation.trial.plan import Plan
from simulation.trial.rules.group_sequential import GroupSequentialRule

_LEAST: Final = -6.0
_MOST: Final = 9.0
_POINTS: Final = 151


@final
class Stops(Plan):
    """Planned information rates of the looks, and the bounds of Z that stop a trial."""

    rates: tuple[float, ...] = Field(min_length=2)
    upper: tuple[float, ...]
    lower: tuple[float, ...]


def stops_of(design: TrialDesign) -> Stops | None:
    """Bounds at which a design stops for its one hypothesis; None where it is not that simple.

    Stagewise ordering needs one hypothesis, several looks, and information as planned, which
    external controls add to.
    """
    rule = design.rule
    if design.external_controls is not None:
        return None
    if not isinstance(rule, GroupSequentialRule) or rule.looks.count < 2:
        return None
    if len(design.tested) > 1 or rule.information != "planned" or rule.graph is not None:
        return None
    alpha = rule.alpha * design.tested[0].share
    return Stops(rates=rule.looks.rates, upper=rule.critical(alpha), lower=rule.lower(alpha))


def adjusts(design: TrialDesign) -> bool:
    """Whether there are estimates corrected for stopping early, or for a size chosen on the way."""
    return stops_of(design) is not None or resized_by_effect(design)


def estimates_of(design: TrialDesign, table: dict[str, Any]) -> AfterStopping:
    """Corrected estimates of the one hypothesis of a design that has them, by `adjusts`.

    Parameters
    ----------
    design, table
        The design, and one scenario's replicates as `simulation.trial.replicate` gives them.
    """
    stops = stops_of(design)
    if stops is None:
        return adjusted_for_size(design, table)
    estimate, se = (table[name][:, 0] for name in ("estimate", "se"))
    return adjusted(stops, design.tested[0], table["stage"], estimate, se)


def adjusted(
    stops: Stops, tested: Tested, stage: Indices, estimate: Floats, se: Floats
) -> AfterStopping:
    """Median-unbiased estimates and 95 % intervals of trials that stopped, by stagewise ordering.

    The interval holds where futility stops trials as its bound says, binding or not.

    Parameters
    ----------
    stops
        Of the design, by `stops_of`.
    tested
        The hypothesis, whose endpoint and analysis say which direction is a benefit.
    stage
        Look at which each trial stopped, from 0, (R,).
    estimate, se
        Naive estimate and standard error at that look, (R,).

    Returns
    -------
    AfterStopping
        On the estimate's scale, within 1e-5 standard errors of `after_stopping`; the p value is
        one-sided, of no benefit. NaN where there is no estimate.
    """
    sign = float(tested.endpoint.sign * tested.analysis.sign)
    known = np.isfinite(estimate) & np.isfinite(se) & (se > 0)
    z = sign * np.divide(estimate, se, out=np.zeros(np.shape(se)), where=known)
    theta = np.full((4, len(z)), np.nan)
    for look in np.unique(stage[known]):
        rows = np.flatnonzero(known & (stage == look))
        theta[:, rows] = _of_look(stops, int(look), z[rows])
    # In units of the standard error at the stop.
    middle, low, high = sign * theta[:3] * se
    if sign < 0:
        low, high = high, low
    return AfterStopping(middle, low, high, theta[3])


def _of_look(stops: Stops, look: int, z: Floats) -> Floats:
    """Estimate and limits in standard errors of that look, and p values, (4, R)."""
    out = np.empty((4, len(z)))
    inside = (z >= _LEAST) & (z <= _MOST)
    if inside.any():
        out[:, inside] = _table(stops, look)(z[inside])
    if not inside.all():
        out[:, ~inside] = _solved(stops, look, z[~inside])
    return out


@lru_cache(maxsize=256)
def _table(stops: Stops, look: int) -> Any:
    z = np.linspace(_LEAST, _MOST, _POINTS)
    return scipy.interpolate.CubicSpline(z, _solved(stops, look, z), axis=1)


def _solved(stops: Stops, look: int, z: Floats) -> Floats:
    found = after_stopping(
        np.full(len(z), look), z, np.array(stops.rates) / stops.rates[look], stops.upper,
        stops.lower,
    )
    return np.stack([found.estimate, found.low, found.high, found.p_value])
