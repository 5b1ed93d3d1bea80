"""When visits happen, and what of a visit's time and arm the regressions see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from extraction.records import CohortSchema
from generation.assembly import TrialArrays
from generation.tokenizer import FloatArray
from generation.twin_model.memory import History, Occasion

_MOST_JOINT = 12


@dataclass(frozen=True)
class Schedule:
    """When visits happen.

    Attributes
    ----------
    names
        Visit names in order; None each for unplanned visits.
    targets, lows
        Target day and first day of the window; empty if unplanned.
    day_zero
        Numbers of the visits that belong to the baseline.
    joint
        Whether their values are columns of the baseline net; with many variables they
        are drawn by the visit regressions instead.
    horizon
        Day that counts as 1 on the time axis of the regressions.
    """

    names: tuple[str | None, ...]
    targets: FloatArray
    lows: FloatArray
    day_zero: tuple[int, ...]
    joint: bool
    horizon: float

    @property
    def planned(self) -> bool:
        """Whether visits have names and windows."""
        return bool(len(self.targets))

    @property
    def later(self) -> tuple[int, ...]:
        """Numbers of the visits after baseline."""
        return tuple(k for k in range(len(self.names)) if k not in self.day_zero)

    @property
    def modelled(self) -> tuple[int, ...]:
        """Numbers of the visits whose values come from regressions."""
        return self.later if self.joint else tuple(range(len(self.names)))


def read_schedule(schema: CohortSchema, arrays: TrialArrays) -> Schedule:
    """Schedule of a cohort; visits at or before day 0 belong to the baseline."""
    if not arrays.visits:
        return Schedule((), np.zeros(0), np.zeros(0), (), True, 1.0)
    days = arrays.visit_day
    last = float(np.nanmax(days)) if np.isfinite(days).any() else 1.0
    if arrays.visits[0] is None:
        first = days[:, 0][np.isfinite(days[:, 0])]
        zero = bool(len(first)) and float(np.mean(first <= 0.5)) > 0.5
        day_zero = (0,) if zero else ()
        return Schedule(arrays.visits, np.zeros(0), np.zeros(0), day_zero, True, max(last, 1.0))
    windows = sorted(schema.visits, key=lambda w: w.day)
    targets = np.array([w.day for w in windows])
    early = tuple(int(k) for k in np.flatnonzero(targets <= 0.5))
    lows = np.array([w.low for w in windows])
    joint = len(schema.longitudinal) <= _MOST_JOINT
    return Schedule(arrays.visits, targets, lows, early, joint, max(float(targets[-1]), 1.0))


def occasion(
    schedule: Schedule, static: FloatArray, arm: FloatArray, visit: int, day: FloatArray,
    since: FloatArray,
) -> Occasion:
    """Features of time and arm at one visit, `since` days after the one before."""
    time = (day / schedule.horizon)[:, None]
    if schedule.planned:
        when = np.zeros((len(day), len(schedule.names)))
        when[:, visit] = 1.0
    else:
        when = np.column_stack([time, np.sqrt(np.maximum(time, 0.0))])
    free = np.concatenate([when, arm, arm * time], axis=1)
    return Occasion(static, free, day, np.log1p(np.maximum(since, 0.0)))


def last_values(centres: dict[str, float], name: str, history: History) -> FloatArray:
    """Last scores of the variables but one; the centre before the first value."""
    columns = []
    for other, centre in centres.items():
        last = history.memory[other].last
        if other != name:
            columns.append(np.where(np.isfinite(last), last, centre))
    return np.column_stack([np.zeros((len(history), 0)), *columns])


def leaving_design(
    schedule: Schedule, centres: dict[str, float], static: FloatArray, arm: FloatArray,
    visit: int, history: History, usual: FloatArray,
) -> FloatArray:
    """Features of leaving before a visit: which visit, arm, baseline, last values, absences.

    `usual` are the shares in which the visit before measured each variable, shape (V,): what is
    measured beyond the plan tells of leaving (an early final visit).
    """
    when = np.zeros((len(static), len(schedule.names)))
    when[:, visit] = 1.0
    last = last_values(centres, "", history)
    missed = np.where(np.isfinite(history.attended), 1 - history.attended, 0.0)
    unusual = np.where(np.isfinite(history.measured), history.measured - usual, 0.0)
    return np.column_stack([when, arm, missed, unusual, last, static])
