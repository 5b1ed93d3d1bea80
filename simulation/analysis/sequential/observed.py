"""Bounds at the information that came, when it is not what was planned.

Looks by events or by the calendar bring other information than the plan has. A spending function
is evaluated at what came, and the last look uses up what is left, with more information than
planned or less (Lan and DeMets 1989, doi 10.2307/2531870). Boundaries of a fixed shape spend at
each look what they were planned to spend there. Critical values depend on the past and present
information only, never on the future's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from extraction.records.errors import InputError
from simulation.analysis.sequential.design import GroupSequential
from simulation.analysis.sequential.families import BetaSpending, Spending
from simulation.analysis.sequential.quadrature import QUICK, Floats, Precision, Walk
from simulation.analysis.sequential.solving import both_bounds, spend

LEAST_STEP: Final = 1e-3
"""Information between looks is taken as at least this share of the planned maximum."""
_CHUNK: Final = 128


@final
@dataclass(frozen=True)
class ObservedBounds:
    """Bounds of Z of each trial at each of its looks so far, each (R, k).

    Attributes
    ----------
    critical
        Critical values.
    futility
        Futility bounds; -infinity where there is none.
    """

    critical: Floats
    futility: Floats


def observed_bounds(
    design: GroupSequential,
    information: ArrayLike,
    final: ArrayLike | None = None,
    precision: Precision = QUICK,
) -> ObservedBounds:
    """Recompute bounds at observed information.

    Trials of equal information are solved once. With `QUICK`, critical values are within 1e-7 of
    those with `PRECISE`.

    Parameters
    ----------
    design
        The planned design.
    information
        Information of the looks so far over the planned maximum, rising, (R, k) with k at most the
        planned looks. At each look, give the whole history.
    final
        Whether the last of these looks is the trial's last, (R,) or one for all; none: it is if k
        is the planned number of looks.

    Returns
    -------
    ObservedBounds
        Earlier looks' values do not change when later ones are added.

    Raises
    ------
    InputError
        If the information is missing, does not rise, or has too many looks.

    Examples
    --------
    >>> from simulation.analysis.sequential import group_sequential
    >>> design = group_sequential("lan_demets_obrien_fleming", 3)
    >>> [round(float(z), 3) for z in observed_bounds(design, [[0.4, 0.7, 0.95]]).critical[0]]
    [3.357, 2.445, 1.994]
    """
    rates = np.atleast_2d(np.asarray(information, dtype=np.float64))
    _check(design, rates)
    looks = rates.shape[1]
    ends = np.broadcast_to(looks == design.plan.looks if final is None else final, len(rates))
    rows, place = np.unique(np.column_stack([rates, ends]), axis=0, return_inverse=True)
    critical, futility = np.empty((len(rows), looks)), np.empty((len(rows), looks))
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        critical[part], futility[part] = _bounds(
            design, _spaced(rows[part, :-1]), rows[part, -1] > 0, precision
        )
    where = place.reshape(-1)
    return ObservedBounds(critical[where], futility[where])


def _check(design: GroupSequential, rates: Floats) -> None:
    faults = []
    if rates.shape[1] > design.plan.looks:
        faults.append(
            f"information: {rates.shape[1]} looks came; the design has {design.plan.looks}; "
            "give no more than these"
        )
    if not np.all(np.isfinite(rates)) or np.any(rates[:, 0] <= 0) or np.any(np.diff(rates) < 0):
        faults.append("information: it must be above 0, known, and not fall; give shares of the "
                      "planned maximum of each look so far")
    if faults:
        raise InputError(faults)


def _spaced(rates: Floats) -> Floats:
    """Information with the least step between looks, as rates of the planned maximum."""
    steps = LEAST_STEP * np.arange(rates.shape[1])
    return np.asarray(np.maximum.accumulate(rates - steps, axis=1) + steps)


def _bounds(
    design: GroupSequential, rates: Floats, final: npt.NDArray[np.bool_], precision: Precision
) -> tuple[Floats, Floats]:
    alpha = _alpha_spent(design, rates, final)
    lower = _given_lower(design, rates, final)
    futility = design.plan.futility
    start = Walk.start(len(rates), precision)
    if not isinstance(futility, BetaSpending):
        binding = lower if getattr(futility, "binding", False) else None
        return spend(rates, alpha, design.plan.sided, binding, start)[0], lower
    whole = 1 - design.power
    beta = design.plan.resolved(futility.spending).spent(np.minimum(rates, 1.0), whole)
    if rates.shape[1] > 1:
        beta[final, -1] = beta[final, -2]
    else:
        beta[final] = 0.0
    if futility.binding:
        return both_bounds(rates, alpha, None, beta, design.drift, precision)[:2]
    fixed = spend(rates, alpha, 1, None, start)[0]
    return both_bounds(rates, None, fixed, beta, design.drift, precision)[:2]


def _alpha_spent(
    design: GroupSequential, rates: Floats, final: npt.NDArray[np.bool_]
) -> Floats:
    """Cumulative alpha of one side by each look, (B, k)."""
    plan = design.plan
    if isinstance(plan.boundary, Spending):
        spent = plan.resolved(plan.boundary).spent(np.minimum(rates, 1.0), plan.alpha, plan.sided)
    else:
        spent = np.tile(design.alpha_spent[: rates.shape[1]], (len(rates), 1))
    spent[final, -1] = plan.alpha
    return np.asarray(spent / plan.sided)


def _given_lower(
    design: GroupSequential, rates: Floats, final: npt.NDArray[np.bool_]
) -> Floats:
    """Planned futility bounds by look number, (B, k)."""
    lower = np.full(rates.shape, -np.inf)
    if design.plan.futility is not None:
        bounds = np.array([*design.futility, -np.inf])[: rates.shape[1]]
        lower[:] = bounds
        lower[final, -1] = -np.inf
    return lower
