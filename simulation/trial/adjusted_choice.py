"""Estimates of the population that an enrichment design has chosen, corrected for the choice.

Only trials that go on to the second stage have them: where the first look is the last, nothing came
after the choice that could correct it.
"""

from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np

from simulation.analysis.sequential.estimates import AfterStopping
from simulation.analysis.sequential.selection import Bounds, after_both, after_bounds
from simulation.trial.characteristics import Arrays
from simulation.trial.design import TrialDesign
from simulation.trial.outcomes.base import Booleans, Floats, Indices

_ALL, _SUBGROUP = 0, 1


def chosen_in(table: Arrays) -> Booleans:
    """Replicates that went on, with all patients and with the subgroup alone, (R, 2)."""
    late, narrowed = table["stage"] == 1, table["narrowed"]
    return np.column_stack([late & ~narrowed, late & narrowed])


def adjusted_for_choice(design: TrialDesign, table: Arrays) -> AfterStopping:
    """Conditionally unbiased estimates and conditional 95 % intervals of the chosen population.

    The estimate in all patients is that in the subgroup and in the rest, weighted by information;
    the two are taken as independent, which holds for scores that a marker does not confound
    (randomise within its strata).

    Parameters
    ----------
    design
        With an enrichment rule.
    table
        Of one scenario: stage, narrowed, and (R, 2) estimate, se, first_estimate, first_se.

    Returns
    -------
    AfterStopping
        On the estimate's scale, (R,); the p value is one-sided, of no benefit. NaN where the first
        look was the last.
    """
    tested = design.tested[0]
    sign = float(tested.endpoint.sign * tested.analysis.sign)
    end = _Stage.of(sign * table["estimate"], table["se"])
    start = _Stage.of(sign * table["first_estimate"], table["first_se"])
    goes = chosen_in(table) & (start.information.min(axis=1, keepdims=True) > 0)
    found = np.full((4, len(goes)), np.nan)
    for place, fit in ((_SUBGROUP, _alone), (_ALL, _together)):
        rows = np.flatnonzero(goes[:, place])
        found[:, rows] = _stacked(fit(design.rule, start.rows(rows), end.rows(rows)))
    middle, low, high = sign * found[:3]
    if sign < 0:
        low, high = high, low
    return AfterStopping(middle, low, high, found[3])


@final
@dataclass(frozen=True)
class _Stage:
    """Estimates and information up to a look, in the subgroup and in the rest, (R, 2)."""

    estimate: Floats
    information: Floats

    @classmethod
    def of(cls, estimate: Floats, se: Floats) -> Self:
        """By differences of scores, from those of all patients and of the subgroup."""
        known = np.isfinite(se) & (se > 0)
        information = np.where(known, 1 / np.where(known, se, 1.0) ** 2, 0.0)
        score = np.where(known, np.nan_to_num(estimate), 0.0) * information
        rest = np.maximum(information[:, _ALL] - information[:, _SUBGROUP], 0.0)
        beyond = (score[:, _ALL] - score[:, _SUBGROUP]) / np.where(rest > 0, rest, 1.0)
        return cls(
            np.column_stack([estimate[:, _SUBGROUP], beyond]),
            np.column_stack([information[:, _SUBGROUP], rest]),
        )

    def rows(self, which: Indices) -> "_Stage":
        """Those of some replicates."""
        return _Stage(self.estimate[which], self.information[which])

    @property
    def share(self) -> Floats:
        """The subgroup's of the information, (R, 1)."""
        return np.asarray(self.information[:, :1] / self.information.sum(axis=1, keepdims=True))


def _alone(rule: Any, start: _Stage, end: _Stage) -> AfterStopping:
    """In the subgroup, which was chosen given the first z of the rest."""
    root = np.sqrt(start.information)
    low, high = rule.bounds(True, start.estimate[:, 1:] * root[:, 1:], start.share)
    return after_bounds(
        end.estimate[:, 0],
        end.information[:, 0],
        start.information[:, 0],
        low[:, 0] / root[:, 0],
        high[:, 0] / root[:, 0],
    )


def _together(rule: Any, start: _Stage, end: _Stage) -> AfterStopping:
    """In all patients."""
    share, least = start.share, getattr(rule.selection, "rest", None)

    def bounds(rows: Indices) -> Bounds:
        return lambda rest: rule.bounds(False, rest, share[rows])

    edge = -np.inf if least is None else float(least)
    return after_both(end.estimate, end.information, start.information, bounds, edge)


def _stacked(found: AfterStopping) -> Floats:
    return np.stack([found.estimate, found.low, found.high, found.p_value])
