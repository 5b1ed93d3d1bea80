"""What an interim result says about the end: conditional and predictive power, conditional error.

Sources: Lan, Simon and Halperin (1982), doi 10.1080/07474948208836014; predictive power:
Spiegelhalter, Freedman and Blackburn (1986), doi 10.1016/0197-2456(86)90003-6; conditional error:
Mueller and Schaefer (2001), doi 10.1111/j.0006-341X.2001.00886.x. Values of Z and drifts are (R,)
over trials; drifts are the mean of Z at the planned maximum information.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from simulation.analysis.sequential.design import GroupSequential
from simulation.analysis.sequential.quadrature import Floats, Journey
from simulation.analysis.sequential.solving import conditional_rejection, remaining

_NODES: Final = 40


def conditional_power(
    design: GroupSequential, look: int, z: ArrayLike, theta: ArrayLike | None = None
) -> Floats:
    """Chance of crossing a critical value at a later look, given Z now and the drift.

    Parameters
    ----------
    design
        One-sided design; futility bounds to come are not counted.
    look
        Number of the look that Z is from, counted from 0 and not the last.
    z
        Statistic, (R,).
    theta
        Drift, (R,) or one; none: the estimate at this look, z / sqrt(rate).

    Returns
    -------
    array
        (R,).

    Examples
    --------
    >>> from simulation.analysis.sequential import group_sequential
    >>> design = group_sequential("obrien_fleming", 2)
    >>> round(float(conditional_power(design, 0, [1.0], design.drift)[0]), 4)
    0.6928
    """
    values = np.atleast_1d(np.asarray(z, dtype=np.float64))
    rates = np.asarray(design.rates)
    drift = values / np.sqrt(rates[look]) if theta is None else np.asarray(theta, dtype=np.float64)
    drift = np.broadcast_to(drift, values.shape)
    return conditional_rejection(np.asarray(design.critical), rates, look, values, drift)


def conditional_error(design: GroupSequential, look: int, z: ArrayLike) -> Floats:
    """Chance of rejecting later without an effect, given Z now, (R,).

    A changed design for the rest keeps the level if its own level, given Z now, is this.
    """
    return conditional_power(design, look, z, 0.0)


def predictive_power(
    design: GroupSequential,
    look: int,
    z: ArrayLike,
    prior_mean: float = 0.0,
    prior_information: float = 0.0,
) -> Floats:
    """Conditional power averaged over what is believed of the drift at this look.

    Parameters
    ----------
    design, look, z
        As in `conditional_power`.
    prior_mean, prior_information
        Normal prior of the drift: its mean, and its information as a share of the planned maximum
        (the variance is 1 over it); 0 is flat.

    Returns
    -------
    array
        (R,), by Gauss-Hermite quadrature over the posterior, within 1e-6 for two-look designs.
    """
    values = np.atleast_1d(np.asarray(z, dtype=np.float64))
    rates = np.asarray(design.rates)
    weight = rates[look] + prior_information
    centre = (values * np.sqrt(rates[look]) + prior_mean * prior_information) / weight
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    drifts = centre + nodes[:, None] / np.sqrt(weight)
    upper, later = remaining(np.asarray(design.critical), rates, look, values)
    span = (float(drifts.min()), float(drifts.max()))
    journey = Journey.through(upper, np.full(len(later), -np.inf), later, span)
    total = sum(
        share * journey.stages(drift)[0].sum(axis=1)
        for share, drift in zip(weights / weights.sum(), drifts, strict=True)
    )
    return np.asarray(total)
