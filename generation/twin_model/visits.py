"""The visit process: who still comes, when, and what is measured.

Planned visits: a hazard of leaving before each visit given arm, baseline and last values;
attendance and measurement by visit; the day from smoothed deviations. Unplanned visits:
a regression of the gap, within a follow-up drawn beforehand. Values: `visit_values`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from extraction.records import CohortSchema
from generation.assembly import TrialArrays
from generation.randomness import Stream, decision_id
from generation.tokenizer import FloatArray, IntArray
from generation.twin_model.ridge import Ridge, softmax
from generation.twin_model.visit_values import (
    Memory,
    Occasion,
    ValueModel,
    as_numbers,
)

KNOTS = 9
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


@dataclass
class VisitState:
    """Where patients stand between two visits."""

    memory: dict[str, Memory]
    day: FloatArray
    left: FloatArray
    present: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))


@dataclass(frozen=True)
class VisitProcess:
    """Fitted visit process.

    Attributes
    ----------
    values
        Value models in the order in which a visit's measurements are drawn.
    centres
        Median of each numeric variable, which stands in before its first value.
    leaving
        Class logits of leaving before a planned visit; None if nobody leaves by visits.
    position
        Quantiles of where between two visits patients leave (0 to 1).
    tail
        Quantiles of days of observation after the last visit's window opens.
    attendance
        Share attending each visit among those still followed, shape (v,).
    deviation
        Quantiles of actual less target day by visit, shape (v, 9); gaps' residuals
        in one row if unplanned.
    gap
        Log gap between unplanned visits.
    measured
        Share measured at an attended visit, by variable, shape (v,).
    step
        Grid of visit days.
    drives
        Whether leaving by visits ends follow-up.
    """

    schedule: Schedule
    values: tuple[ValueModel, ...]
    centres: dict[str, float]
    leaving: Ridge | None
    position: FloatArray
    tail: FloatArray
    attendance: FloatArray
    deviation: FloatArray
    gap: Ridge | None
    measured: dict[str, FloatArray]
    step: float
    drives: bool

    def start(self, arrays: TrialArrays) -> VisitState:
        """State after the visits that the arrays already hold."""
        memory = {}
        for model in self.values:
            known = arrays.values[model.variable.name]
            numbers = as_numbers(model.codec, known) if model.codec else known.astype(np.float64)
            so_far = Memory.empty(len(arrays))
            for k in range(numbers.shape[1]):
                so_far = so_far.see(numbers[:, k])
            memory[model.variable.name] = so_far
        days = np.where(np.isfinite(arrays.visit_day), arrays.visit_day, 0.0)
        day = np.maximum(days.max(axis=1, initial=0.0), 0.0)
        n = len(arrays)
        return VisitState(memory, day, np.full(n, np.inf), np.ones(n, dtype=bool))

    def run(
        self,
        arrays: TrialArrays,
        static: FloatArray,
        arm: FloatArray,
        stream: Stream,
        patients: IntArray,
        after: float | None,
        dropout: bool,
    ) -> FloatArray:
        """Fill the arrays with the visits after a day; return when patients leave.

        Parameters
        ----------
        arrays
            Patients with their earlier visits; ``follow_up`` bounds unplanned visits and
            planned ones that do not drive follow-up. Filled in place.
        static, arm
            Regression features of baseline and arm.
        after
            Last day that is already known; None simulates from the start.
        dropout
            Whether patients may leave.

        Returns
        -------
        The end of observation by the visit process, infinite where it sets none.
        """
        state = self.start(arrays)
        opened = max(after or 0.0, 0.0)
        state.day = np.maximum(state.day, opened)
        for k in () if self.schedule.joint or after is not None else self.schedule.day_zero:
            day = self.day_zero(stream, patients, k)
            present = np.zeros(len(day), dtype=bool)
            self._measure(arrays, state, static, arm, stream, patients, k, day, present)
        for k in self.schedule.later:
            done = np.isfinite(arrays.visit_day[:, k])
            past = after is not None and self.schedule.planned and self.schedule.targets[k] <= after
            if past or done.all():
                continue
            if self.drives and dropout:
                self._leave(state, static, arm, stream, patients, k, opened)
            if self.schedule.planned:
                opened = max(opened, float(self.schedule.lows[k]))
            day = self._day(state, static, arm, stream, patients, k)
            self._measure(arrays, state, static, arm, stream, patients, k, day, done)
            if not self.schedule.planned and not (state.day < arrays.follow_up).any():
                break
        return self._end(state, stream, patients, opened)

    def day_zero(self, stream: Stream, patients: IntArray, k: int) -> FloatArray:
        """Day of a visit that belongs to the baseline."""
        place = stream.uniform(patient=patients, decision=decision_id("visit:day"), index=k)
        deviation = np.interp(place, np.linspace(0, 1, KNOTS), self.deviation[k])
        return np.minimum(_grid(self.schedule.targets[k] + deviation, self.step), 0.0)

    def _leave(
        self, state: VisitState, static: FloatArray, arm: FloatArray, stream: Stream,
        patients: IntArray, k: int, opened: float,
    ) -> None:
        """Let patients leave between the last opened window and this one's."""
        low = float(self.schedule.lows[k])
        if self.leaving is None or low <= opened:
            return
        x = leaving_design(self.schedule, self.centres, static, arm, k, state.memory)
        chance = softmax(self.leaving.predict(x))[:, 1]
        earlier = [float(self.schedule.lows[j]) for j in self.schedule.later if j < k]
        whole = low - max([0.0, *earlier])
        chance = 1 - (1 - chance) ** min(1.0, (low - opened) / max(whole, 1e-9))
        draw = stream.uniform(patient=patients, decision=decision_id("leave"), index=k)
        place = stream.uniform(patient=patients, decision=decision_id("leave:day"), index=k)
        where = np.interp(place, np.linspace(0, 1, len(self.position)), self.position)
        first = np.maximum(state.day, opened)
        day = _grid(first + where * np.maximum(low - first, 0.0), self.step)
        goes = state.present & (draw < chance)
        state.left = np.where(goes, np.maximum(day, state.day), state.left)
        state.present = state.present & ~goes

    def _day(
        self, state: VisitState, static: FloatArray, arm: FloatArray, stream: Stream,
        patients: IntArray, k: int,
    ) -> FloatArray:
        """Day of a visit, later than the one before."""
        place = stream.uniform(patient=patients, decision=decision_id("visit:day"), index=k)
        grid = np.linspace(0, 1, KNOTS)
        least = self.step if self.step > 0 else 1e-3
        if self.schedule.planned:
            day = self.schedule.targets[k] + np.interp(place, grid, self.deviation[k])
        else:
            assert self.gap is not None
            x = np.column_stack([np.log1p(state.day), arm, static])
            gap = np.exp(self.gap.predict(x) + np.interp(place, grid, self.deviation[0]))
            day = state.day + np.clip(gap, least, 4 * self.schedule.horizon)
        return np.maximum(_grid(day, self.step), state.day + least)

    def _measure(
        self, arrays: TrialArrays, state: VisitState, static: FloatArray, arm: FloatArray,
        stream: Stream, patients: IntArray, k: int, day: FloatArray, done: np.ndarray,
    ) -> None:
        """Draw one visit's measurements of those who attend."""
        place = stream.uniform(patient=patients, decision=decision_id("attend"), index=k)
        attends = state.present & (place < self.attendance[k]) & ~done
        bound = np.where(np.isfinite(arrays.follow_up), arrays.follow_up, np.inf)
        if k in self.schedule.later and self.schedule.planned:
            day = np.minimum(day, bound)
            attends &= (bound >= self.schedule.lows[k]) & (day > state.day)
        attends &= day <= np.minimum(bound, state.left)
        here = occasion(self.schedule, static, arm, k, day, day - state.day)
        residuals = np.zeros((len(day), 0))
        pending = {}
        for model in self.values:
            name = model.variable.name
            if self._written(arrays, name, k):
                residuals = np.column_stack([residuals, np.zeros(len(day))])
                continue
            others = np.concatenate(
                [other_values(self.centres, name, state.memory), residuals], axis=1
            )
            value, residual = model.draw(
                here, state.memory[name], others, stream, patients, k
            )
            draw = stream.uniform(patient=patients, decision=decision_id(f"{name}:done"), index=k)
            taken = attends & (draw < self.measured[name][k])
            pending[name] = np.where(taken, value, np.nan)
            residuals = np.column_stack([residuals, np.where(taken, residual, 0.0)])
        for model in self.values:
            name = model.variable.name
            if name not in pending:
                continue
            labels = model.labels(pending[name])
            rows = np.isfinite(pending[name])
            arrays.values[name][rows, k] = labels[rows]
            state.memory[name] = state.memory[name].see(pending[name])
        arrays.visit_day[:, k] = np.where(attends, day, arrays.visit_day[:, k])
        moved = attends | (~done & (not self.schedule.planned))
        state.day = np.where(moved, np.maximum(day, 0.0), state.day)

    def state(self) -> dict[str, Any]:
        """Return everything needed to rebuild the process, the schema apart."""
        return {
            **self.__dict__,
            "schedule": dict(self.schedule.__dict__),
            "values": [model.state() for model in self.values],
            "leaving": self.leaving.state() if self.leaving else None,
            "gap": self.gap.state() if self.gap else None,
        }

    @classmethod
    def from_state(cls, schema: CohortSchema, state: dict[str, Any]) -> VisitProcess:
        """Rebuild from :meth:`state`."""
        schedule = state["schedule"]
        lists = {key: tuple(schedule[key]) for key in ("names", "day_zero")}
        values = [ValueModel.from_state(schema.variable(v["name"]), v) for v in state["values"]]
        return cls(**{
            **state,
            "schedule": Schedule(**{**schedule, **lists}),
            "values": tuple(values),
            "leaving": Ridge(**state["leaving"]) if state["leaving"] else None,
            "gap": Ridge(**state["gap"]) if state["gap"] else None,
        })

    def _written(self, arrays: TrialArrays, name: str, k: int) -> bool:
        """Whether a baseline visit's values were copied from a baseline variable."""
        return k in self.schedule.day_zero and not pd.isna(arrays.values[name][:, k]).all()

    def _end(
        self, state: VisitState, stream: Stream, patients: IntArray, opened: float
    ) -> FloatArray:
        """End of observation: when patients left, or some days after the last window opened."""
        if not self.drives:
            return np.full(len(patients), np.inf)
        place = stream.uniform(patient=patients, decision=decision_id("tail"))
        last = max(opened, float(self.schedule.lows[-1]))
        tail = np.interp(place, np.linspace(0, 1, len(self.tail)), self.tail)
        stays = np.maximum(_grid(last + np.maximum(tail, 0.0), self.step), state.day)
        return np.where(state.present, stays, state.left)


def _grid(day: FloatArray, step: float) -> FloatArray:
    return np.asarray(np.round(day / step) * step) if step > 0 else day


def occasion(
    schedule: Schedule, static: FloatArray, arm: FloatArray, visit: int, day: FloatArray,
    since: FloatArray,
) -> Occasion:
    """Features of time and arm at one visit."""
    time = (day / schedule.horizon)[:, None]
    if schedule.planned:
        when = np.zeros((len(day), len(schedule.names)))
        when[:, visit] = 1.0
    else:
        when = np.column_stack([time, np.sqrt(np.maximum(time, 0.0))])
    free = np.concatenate([when, arm, arm * time], axis=1)
    return Occasion(static, free, np.log1p(np.maximum(since, 0.0)))


def other_values(
    centres: dict[str, float], name: str, memory: dict[str, Memory]
) -> FloatArray:
    """Last values of the numeric variables but one; the centre before the first value."""
    n = len(next(iter(memory.values())).last)
    columns = [
        np.where(np.isfinite(memory[other].last), memory[other].last, centre)
        for other, centre in centres.items()
        if other != name
    ]
    return np.column_stack([np.zeros((n, 0)), *columns])


def leaving_design(
    schedule: Schedule, centres: dict[str, float], static: FloatArray, arm: FloatArray,
    visit: int, memory: dict[str, Memory],
) -> FloatArray:
    """Features of leaving before a visit: which visit, arm, baseline, last values."""
    when = np.zeros((len(static), len(schedule.names)))
    when[:, visit] = 1.0
    last = other_values(centres, "", memory)
    return np.concatenate([when, arm, last, static], axis=1)

