"""The visit process: who still comes, when, and what is measured.

Planned visits: a hazard of leaving before each visit given arm, baseline and last values;
turnout by visit; the day from smoothed deviations. Unplanned visits: hazards over bins of the
gap given earlier gaps and values. What a visit measures and who comes: `attendance`; values:
`visit_values`; events in between: `course`.
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
from generation.twin_model.attendance import GapModel, Panel, Turnout, gap_design
from generation.twin_model.course import Along
from generation.twin_model.memory import History
from generation.twin_model.ridge import Ridge, softmax
from generation.twin_model.schedule import Schedule, last_values, leaving_design, occasion
from generation.twin_model.visit_values import ValueModel

KNOTS = 9


@dataclass(frozen=True)
class Setting:
    """Whose visits are simulated: regression features of baseline and arm, and their draws."""

    static: FloatArray
    arm: FloatArray
    stream: Stream
    patients: IntArray

    def uniform(self, what: str, visit: int = 0) -> FloatArray:
        """One draw a patient for a decision at a visit."""
        return self.stream.uniform(
            patient=self.patients, decision=decision_id(what), index=visit
        )


@dataclass
class VisitState:
    """Where patients stand between two visits."""

    history: History
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
        Stand-in for each variable's last score before its first value.
    leaving
        Class logits of leaving before a planned visit; None if nobody leaves by visits.
    position
        Quantiles of where between a visit and the next one's window patients leave (0 to 1).
    tail
        Quantiles of days of observation after the last visit, or after its window opens, of those
        who missed the last planned visit and of those who came to it, shape (2, 9).
    turnout
        Who of those still followed attends each planned visit.
    deviation
        Quantiles of actual less target day by planned visit, shape (v, 9).
    gap
        Days between unplanned visits.
    panel
        Which variables an attended visit measures.
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
    turnout: Turnout
    deviation: FloatArray
    gap: GapModel | None
    panel: Panel
    step: float
    drives: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the variables that visits measure, in the order of drawing."""
        return tuple(model.name for model in self.values)

    def scores(self, arrays: TrialArrays, k: int) -> dict[str, FloatArray]:
        """What one visit measured, as the regressions remember it, shape (n,) each."""
        return {m.name: m.lens.scores(arrays.values[m.name][:, k]) for m in self.values}

    def begin(self, arrays: TrialArrays, after: float | None) -> History:
        """What is known after the visits that the arrays already hold."""
        history = History.empty(self.names, len(arrays))
        for k in range(len(self.schedule.names)):
            here = np.isfinite(arrays.visit_day[:, k])
            due = here
            if self.schedule.planned and after is not None and self.schedule.lows[k] <= after:
                due = np.ones(len(arrays), dtype=bool)
            if not due.any():
                continue
            day = np.where(here, arrays.visit_day[:, k], 0.0)
            later = k in self.schedule.later
            history = history.see(day, here, self.scores(arrays, k), later, due & later)
        return history

    def run(
        self, arrays: TrialArrays, setting: Setting, after: float | None, dropout: bool,
        along: Along | None = None,
    ) -> FloatArray:
        """Fill the arrays with the visits after a day; return when patients leave.

        Parameters
        ----------
        arrays
            Patients with their earlier visits; ``follow_up`` bounds unplanned visits and
            planned ones that do not drive follow-up. Filled in place.
        after
            Last day that is already known; None simulates from the start.
        dropout
            Whether patients may leave.
        along
            What goes along from visit to visit and may end them.

        Returns
        -------
        The end of observation by the visit process, infinite where it sets none.
        """
        n, opened = len(arrays), max(after or 0.0, 0.0)
        everyone = np.ones(n, dtype=bool)
        state = VisitState(self.begin(arrays, after), np.full(n, np.inf), everyone)
        for k in () if self.schedule.joint or after is not None else self.schedule.day_zero:
            day = self.day_zero(setting, k)
            self._measure(arrays, state, setting, k, day, everyone, None)
        for k in self.schedule.later:
            done = np.isfinite(arrays.visit_day[:, k])
            past = after is not None and self.schedule.planned and self.schedule.targets[k] <= after
            if past or done.all():
                continue
            if self.drives and dropout:
                self._leave(state, setting, k, opened)
            if self.schedule.planned:
                opened = max(opened, float(self.schedule.lows[k]))
            day = self._day(state, setting, k, after or 0.0)
            coming = state.present & ~done & np.isfinite(day)
            self._measure(arrays, state, setting, k, day, coming, along)
            if not self.schedule.planned:
                state.present = state.present & (done | np.isfinite(arrays.visit_day[:, k]))
                if not state.present.any():
                    break
        if along is not None:
            along.advance(state.history, np.full(n, np.inf))
        return self._end(state, setting, opened)

    def day_zero(self, setting: Setting, k: int) -> FloatArray:
        """Day of a visit that belongs to the baseline."""
        place = setting.uniform("visit:day", k)
        if not self.schedule.planned:
            return np.zeros(len(place))
        deviation = np.interp(place, np.linspace(0, 1, KNOTS), self.deviation[k])
        return np.minimum(_grid(self.schedule.targets[k] + deviation, self.step), 0.0)

    def _leave(self, state: VisitState, setting: Setting, k: int, opened: float) -> None:
        """Let patients leave between the last opened window and this one's."""
        low = float(self.schedule.lows[k])
        if self.leaving is None or low <= opened:
            return
        x = leaving_design(
            self.schedule, self.centres, setting.static, setting.arm, k, state.history,
            self.panel.usual(k - 1),
        )
        chance = softmax(self.leaving.predict(x))[:, 1]
        earlier = [float(self.schedule.lows[j]) for j in self.schedule.later if j < k]
        whole = low - max([0.0, *earlier])
        chance = 1 - (1 - chance) ** min(1.0, (low - opened) / max(whole, 1e-9))
        where = np.interp(
            setting.uniform("leave:day", k), np.linspace(0, 1, len(self.position)), self.position
        )
        first = np.maximum(state.history.day, opened)
        day = _grid(first + where * np.maximum(low - first, 0.0), self.step)
        goes = state.present & (setting.uniform("leave", k) < chance)
        state.left = np.where(goes, np.maximum(day, state.history.day), state.left)
        state.present = state.present & ~goes

    def _day(self, state: VisitState, setting: Setting, k: int, opened: float) -> FloatArray:
        """Day of a visit, later than the one before; infinite where none comes."""
        place = setting.uniform("visit:day", k)
        last = np.maximum(state.history.day, opened)
        least = self.step if self.step > 0 else 1e-3
        if self.schedule.planned:
            grid = np.linspace(0, 1, KNOTS)
            day = self.schedule.targets[k] + np.interp(place, grid, self.deviation[k])
        else:
            assert self.gap is not None
            x = self.gap_features(state.history, setting.static, setting.arm)
            day = state.history.day + self.gap.draw(x, place, last - state.history.day)
        finite = np.isfinite(day)
        return np.where(
            finite, np.maximum(_grid(np.where(finite, day, 0.0), self.step), last + least), np.inf
        )

    def gap_features(self, history: History, static: FloatArray, arm: FloatArray) -> FloatArray:
        """Features of the gap to the next unplanned visit."""
        last = last_values(self.centres, "", history)
        return gap_design(history, static, arm, last, self.schedule.horizon)

    def _measure(
        self, arrays: TrialArrays, state: VisitState, setting: Setting, k: int, day: FloatArray,
        coming: np.ndarray, along: Along | None,
    ) -> None:
        """Draw one visit's measurements of those who attend."""
        bound = np.where(np.isfinite(arrays.follow_up), arrays.follow_up, np.inf)
        attends, due, later = coming, coming, k in self.schedule.later
        if self.schedule.planned:
            place = setting.uniform("attend", k)
            attends = coming & (place < self.turnout.chance(state.history, setting.arm, k))
        if later and self.schedule.planned:
            day = np.minimum(day, bound)
            due = coming & (bound >= self.schedule.lows[k])
            attends &= due & (day > state.history.day)
        attends &= day <= np.minimum(bound, state.left)
        if along is not None:
            along.advance(state.history, np.where(attends, day, -np.inf))
            attends &= day <= along.bound()
        scores = self._drawn(arrays, state.history, setting, k, day, np.flatnonzero(attends))
        arrays.visit_day[:, k] = np.where(attends, day, arrays.visit_day[:, k])
        shown = np.where(attends, day, 0.0)
        state.history = state.history.see(shown, attends, scores, later, due & later)

    def _drawn(
        self, arrays: TrialArrays, history: History, setting: Setting, k: int, day: FloatArray,
        rows: IntArray,
    ) -> dict[str, FloatArray]:
        """Draw and write what some patients' visit measures; scores by variable, shape (n,)."""
        scores = {name: np.full(len(day), np.nan) for name in self.names}
        if not len(rows):
            return scores
        past, when, patients = history.take(rows), day[rows], setting.patients[rows]
        static, arm = setting.static[rows], setting.arm[rows]
        here = occasion(self.schedule, static, arm, k, when, when - past.day)
        held = self.panel.draw(here, past, setting.stream, patients, k)
        residuals = np.zeros((len(rows), 0))
        for j, model in enumerate(self.values):
            name = model.name
            if self._written(arrays, name, k):
                scores[name][rows] = model.lens.scores(arrays.values[name][rows, k])
                residuals = np.column_stack([residuals, np.zeros(len(rows))])
                continue
            others = np.concatenate([last_values(self.centres, name, past), residuals], axis=1)
            value, residual = model.draw(here, past, others, setting.stream, patients, k)
            taken = held[:, j]
            residuals = np.column_stack([residuals, np.where(taken, residual, 0.0)])
            scores[name][rows] = np.where(taken, value, np.nan)
            written = value if model.lens.codec is None else model.lens.labels(value)
            if model.lens.codec is None:
                written = model.lens.values(value)
            arrays.values[name][rows[taken], k] = written[taken]
        return scores

    def state(self) -> dict[str, Any]:
        """Return everything needed to rebuild the process, the schema apart."""
        return {
            **self.__dict__,
            "schedule": dict(self.schedule.__dict__),
            "values": [model.state() for model in self.values],
            "leaving": self.leaving.state() if self.leaving else None,
            "gap": self.gap.state() if self.gap else None,
            "turnout": self.turnout.state(),
            "panel": self.panel.state(),
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
            "gap": GapModel(**state["gap"]) if state["gap"] else None,
            "turnout": Turnout.from_state(state["turnout"]),
            "panel": Panel.from_state(state["panel"]),
        })

    def _written(self, arrays: TrialArrays, name: str, k: int) -> bool:
        """Whether a baseline visit's values were copied from a baseline variable."""
        return k in self.schedule.day_zero and not pd.isna(arrays.values[name][:, k]).all()

    def _end(self, state: VisitState, setting: Setting, opened: float) -> FloatArray:
        """End of observation: when patients left, or some days after the last window opened."""
        if not self.drives:
            return np.full(len(setting.patients), np.inf)
        last = np.maximum(state.history.day, max(opened, float(self.schedule.lows[-1])))
        grid, place = np.linspace(0, 1, KNOTS), setting.uniform("tail")
        missed, came = (np.interp(place, grid, row) for row in self.tail)
        tail = np.where(state.history.attended > 0, came, missed)
        stays = np.maximum(_grid(last + np.maximum(tail, 0.0), self.step), state.history.day)
        return np.where(state.present, stays, state.left)


def _grid(day: FloatArray, step: float) -> FloatArray:
    return np.asarray(np.round(day / step) * step) if step > 0 else day
