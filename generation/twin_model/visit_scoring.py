"""Log-probability of what happened after baseline: visits, and events given visits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from generation.assembly import NO_RECORD, TrialArrays
from generation.tokenizer import FloatArray
from generation.twin_model.course import LEAVING, Clock, Course, hazard_of
from generation.twin_model.hazards import Hazard
from generation.twin_model.memory import History
from generation.twin_model.outcome import OutcomeModel, observed_until
from generation.twin_model.ridge import softmax
from generation.twin_model.schedule import last_values, leaving_design, occasion
from generation.twin_model.visits import KNOTS, VisitProcess

if TYPE_CHECKING:
    from generation.twin_model.parts import TwinParts

_LEAST = 1e-6


@dataclass(frozen=True)
class VisitScores:
    """Log-probabilities of patients' visits, in nats, shape (n,) each.

    Attributes
    ----------
    visits
        Of who came when (leaving between two visits, attendance, the day), what was measured,
        and the values: on a grid their probability, on a continuum their density by unit.
    events
        What hazards that depend on visits add to `OutcomeModel.log_prob`.
    """

    visits: FloatArray
    events: FloatArray


def score_visits(parts: TwinParts, arms: tuple[str, ...], arrays: TrialArrays) -> VisitScores:
    """Score visits after baseline of patients whose baseline and arm are known.

    Parameters
    ----------
    arms
        The model's arms, in the order of its indicators.
    arrays
        Patients with the model's visit columns (`assembly.align`).
    """
    from generation.twin_model.parts import arm_features

    n, visits = len(arrays), parts.visits
    if visits is None:
        return VisitScores(np.zeros(n), np.zeros(n))
    columns = parts.sampler.columns
    encoded, dummies = columns.encode(arrays), arm_features(arrays.arm, arms)
    static = columns.features(encoded, False)
    until = observed_until(arrays)
    ended = parts.outcome.ended(arrays)
    watched = None
    if parts.course is not None:
        rich = np.concatenate([columns.features(encoded, True), dummies], axis=1)
        watched = EventScore(parts.course, parts.outcome, arrays, rich, dummies, until)
    scored = _Replay(visits, arrays, static, dummies, until, ended).score(watched)
    return VisitScores(scored, watched.total() if watched else np.zeros(n))


@dataclass
class _Replay:
    """Goes through patients' visits in order and sums up their log-probability."""

    process: VisitProcess
    arrays: TrialArrays
    static: FloatArray
    arm: FloatArray
    until: FloatArray
    ended: np.ndarray

    def score(self, watched: EventScore | None) -> FloatArray:
        schedule, n = self.process.schedule, len(self.arrays)
        total, history = np.zeros(n), History.empty(self.process.names, n)
        staying = np.ones(n, dtype=bool)
        known = np.isfinite(self.until)
        for k in range(len(schedule.names)):
            later = k in schedule.later
            came = np.isfinite(self.arrays.visit_day[:, k])
            day = np.where(came, self.arrays.visit_day[:, k], 0.0)
            due = came
            if later and schedule.planned:
                due = staying & (came | (known & (self.until >= schedule.lows[k])))
                total += self._stays(history, k, staying, due)
                total += self._attends(history, k, due, came, day)
                staying = due
            elif later:
                total += self._gap(history, came, day, staying & known)
                staying = came
            if watched is not None:
                watched.advance(history, np.where(came & later, day, -np.inf))
            scores = self.process.scores(self.arrays, k)
            if k in schedule.modelled:
                total += self._values(history, k, came, day, scores)
            history = history.see(day, came, scores, later, due & later)
        if watched is not None:
            watched.advance(history, np.full(n, np.inf))
        return total

    def _stays(
        self, history: History, k: int, staying: np.ndarray, due: np.ndarray
    ) -> FloatArray:
        """Staying until, or leaving before, a planned visit; events end it by their hazards."""
        process = self.process
        if process.leaving is None or not process.drives:
            return np.zeros(len(due))
        x = leaving_design(
            process.schedule, process.centres, self.static, self.arm, k, history,
            process.panel.usual(k - 1),
        )
        chance = softmax(process.leaving.predict(x))[:, 1]
        log = np.log(np.maximum(np.where(due, 1 - chance, chance), _LEAST))
        return np.where(staying & (due | ~self.ended), log, 0.0)

    def _attends(
        self, history: History, k: int, due: np.ndarray, came: np.ndarray, day: FloatArray
    ) -> FloatArray:
        """Attendance of a planned visit, and its day (to the step of visit days)."""
        process = self.process
        chance = process.turnout.chance(history, self.arm, k)
        log = np.log(np.maximum(np.where(came, chance, 1 - chance), _LEAST))
        half = max(process.step, 1.0) / 2
        knots = process.deviation[k] + 1e-9 * np.arange(KNOTS)
        place = np.linspace(0, 1, KNOTS)
        off = day - process.schedule.targets[k]
        mass = np.interp(off + half, knots, place) - np.interp(off - half, knots, place)
        return np.where(due, log, 0.0) + np.where(came, np.log(np.maximum(mass, _LEAST)), 0.0)

    def _gap(
        self, history: History, came: np.ndarray, day: FloatArray, staying: np.ndarray
    ) -> FloatArray:
        """The gap to an unplanned visit, or none until the end of observation."""
        process = self.process
        if process.gap is None:
            return np.zeros(len(came))
        wait = np.where(came, day, np.where(staying, self.until, 0.0)) - history.day
        x = process.gap_features(history, self.static, self.arm)
        log = process.gap.log_prob(x, np.maximum(wait, 0.0), came)
        return np.where(staying | came, log, 0.0)

    def _values(
        self, history: History, k: int, came: np.ndarray, day: FloatArray,
        scores: dict[str, FloatArray],
    ) -> FloatArray:
        """What a visit measured, and the values."""
        total, rows = np.zeros(len(came)), np.flatnonzero(came)
        if not len(rows):
            return total
        process, past, when = self.process, history.take(rows), day[rows]
        here = occasion(
            process.schedule, self.static[rows], self.arm[rows], k, when, when - past.day
        )
        held = np.column_stack([np.isfinite(scores[name][rows]) for name in process.names])
        log = process.panel.log_prob(here, past, held, k)
        residuals = np.zeros((len(rows), 0))
        for model in process.values:
            others = last_values(process.centres, model.name, past)
            others = np.concatenate([others, residuals], axis=1)
            one, residual = model.log_prob(here, past, others, scores[model.name][rows])
            log, residuals = log + one, np.column_stack([residuals, residual])
        total[rows] = log
        return total


class EventScore:
    """Adds up what markers change in the log-likelihood of the watched events."""

    def __init__(
        self, course: Course, outcome: OutcomeModel, arrays: TrialArrays, features: FloatArray,
        arm: FloatArray, until: FloatArray,
    ) -> None:
        self.course, self.arm = course, arm
        self.cursor = np.zeros(len(arrays))
        self.parts = [
            _watched(course, i, outcome, arrays, features, until)
            for i in range(len(course.effects))
        ]

    def advance(self, history: History, until: FloatArray) -> None:
        """Go on to a day, knowing what is known."""
        until = np.maximum(until, self.cursor)
        for effect, part in zip(self.course.effects, self.parts, strict=True):
            x = self.course.design(history, part.log_risk, self.arm)
            log = effect.log_factor(x)
            low, high = np.minimum(self.cursor, part.day), np.minimum(until, part.day)
            part.spent += np.exp(log) * (part.clock.at(high) - part.clock.at(low))
            # An event on the day of a visit comes after it, as in fitting.
            inside = (part.day >= self.cursor) & (part.day < until)
            part.log = np.where(inside, log, part.log)
        self.cursor = np.where(np.isfinite(until), until, self.cursor)

    def total(self) -> FloatArray:
        """Log-likelihood with the markers less that without, shape (n,)."""
        return np.asarray(sum(part.gain() for part in self.parts), dtype=np.float64)


@dataclass
class _Watched:
    """One watched event of each patient."""

    hazard: Hazard
    clock: Clock
    features: FloatArray
    log_risk: FloatArray
    day: FloatArray
    event: np.ndarray
    seen: np.ndarray
    shift: FloatArray
    spent: FloatArray
    log: FloatArray

    def gain(self) -> FloatArray:
        plain = self.hazard.cumulative(self.features, self.day)
        gain = plain - self.spent + np.where(self.event, self.log + self.shift, 0.0)
        return np.where(self.seen, gain, 0.0)


def _watched(
    course: Course, i: int, outcome: OutcomeModel, arrays: TrialArrays, features: FloatArray,
    until: FloatArray,
) -> _Watched:
    """Day and event of one watched hazard, as `OutcomeModel.log_prob` counts them."""
    effect = course.effects[i]
    hazard = hazard_of(outcome, effect.key)
    assert hazard is not None
    if effect.key == LEAVING:
        seen = np.isfinite(until)
        day = np.where(seen, np.minimum(until, outcome.end), 0.0)
        event = seen & ~outcome.ended(arrays) & (day < outcome.end - 1e-6)
    else:
        name, _, cause = effect.key.rpartition(":")
        found, status = arrays.events[name]
        seen = status != NO_RECORD
        day, event = np.where(seen, found, 0.0), status == int(cause)
    n = len(arrays)
    return _Watched(
        hazard, Clock(hazard, features, course.edges, effect.shift), features,
        hazard.log_risks(features)[:, 0], day, event, seen,
        effect.shift[np.searchsorted(course.edges, day, side="left")], np.zeros(n), np.zeros(n),
    )
