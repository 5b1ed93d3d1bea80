"""A patient's course: between visits, hazards are multiplied by what the last visits showed.

The hazard of an endpoint, or of leaving, at day t is its hazard given baseline and arm, times
exp(gamma . z(t)), z being the last values and their changes since the first ones. One uniform an
endpoint and patient is spent along the way, so arms and designs share their draws.

Source of the time-dependent covariate as the last value seen: Andersen and Gill (1982), Ann Stat
10, doi 10.1214/aos/1176345976. Inversion of the piecewise hazard: Austin (2012), Stat Med 31,
doi 10.1002/sim.5452.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from generation.randomness import Stream, decision_id
from generation.tokenizer import FloatArray, IntArray
from generation.twin_model.hazards import Hazard, by_tiles
from generation.twin_model.memory import History
from generation.twin_model.outcome import OutcomeModel

LEAVING = "leaving"
_MOST = 5.0


class Along(Protocol):
    """What goes along with a patient's visits."""

    def advance(self, history: History, until: FloatArray) -> None:
        """Go on to a day on which patients may be seen again, knowing what they know."""

    def bound(self) -> FloatArray:
        """Day after which a patient is seen no more, infinite if not known yet, shape (n,)."""


@dataclass(frozen=True)
class MarkerEffect:
    """How one hazard depends on the visits.

    Attributes
    ----------
    key
        ``endpoint:k`` for its k-th cause, or ``leaving``.
    weights
        Log hazard ratio of each marker, then of the baseline log hazard and of each arm (what
        the markers take over from them), shape (p,).
    centre
        Mean of the weighted features over the time at risk.
    shift
        Log factor of the baseline hazard by piece of time: with it the events of simulated
        patients come at the training patients' rate.
    """

    key: str
    weights: FloatArray
    centre: float
    shift: FloatArray

    def log_factor(self, x: FloatArray) -> FloatArray:
        """Log multiplier of the hazard, at most 5 in size, shape (n,)."""
        linear = by_tiles(x, self.weights[:, None])[:, 0]
        return np.clip(linear - self.centre, -_MOST, _MOST)


@dataclass(frozen=True)
class Course:
    """All hazards that depend on visits.

    Attributes
    ----------
    markers
        Names of the longitudinal variables that act.
    edges
        Days at which the second and later pieces of time begin.
    expected
        Variables that nearly every visit measures: a visit that lacks them tells of the end.
    """

    markers: tuple[str, ...]
    edges: FloatArray
    effects: tuple[MarkerEffect, ...]
    expected: tuple[str, ...] = ()

    def design(self, history: History, log_risk: FloatArray, arm: FloatArray) -> FloatArray:
        """What the effects' weights are multiplied by, shape (n, p)."""
        return marker_design(self.markers, self.expected, history, log_risk, arm)

    def begin(
        self, outcome: OutcomeModel, features: FloatArray, arm: FloatArray, stream: Stream,
        patients: IntArray, after: float, dropout: bool,
    ) -> CourseRun:
        """Start simulating patients who are free of the events on a day."""
        return CourseRun(self, outcome, features, arm, stream, patients, after, dropout)

    def state(self) -> dict[str, Any]:
        """Return everything needed to rebuild the course."""
        return {
            "markers": list(self.markers),
            "edges": self.edges,
            "effects": [dict(effect.__dict__) for effect in self.effects],
            "expected": list(self.expected),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Course:
        """Rebuild from :meth:`state`."""
        effects = tuple(MarkerEffect(**effect) for effect in state["effects"])
        expected = tuple(state["expected"])
        return cls(tuple(state["markers"]), state["edges"], effects, expected)


def marker_design(
    markers: tuple[str, ...], expected: tuple[str, ...], history: History, log_risk: FloatArray,
    arm: FloatArray,
) -> FloatArray:
    """Last value of each marker and its change since the first (0 before any), then the rest.

    The rest: the share of the expected variables that the last visit lacked, the log hazard given
    baseline, and the arm.
    """
    columns = []
    for name in markers:
        memory = history.memory[name]
        known = memory.count > 0
        columns.append(np.where(known, memory.last, 0.0))
        columns.append(np.where(known, memory.last - memory.first, 0.0))
    if expected:
        place = [list(history.memory).index(name) for name in expected]
        lacked = 1 - history.measured[:, place].mean(axis=1)
        columns.append(np.where(np.isfinite(lacked), lacked, 0.0))
    return np.column_stack([np.zeros((len(log_risk), 0)), *columns, log_risk, arm])


def hazard_of(outcome: OutcomeModel, key: str) -> Hazard | None:
    """The hazard that a key names; None if the outcome has none of that name."""
    if key == LEAVING:
        return outcome.follow_up
    name, _, cause = key.rpartition(":")
    for endpoint in outcome.endpoints:
        if endpoint.name == name:
            return endpoint.causes[int(cause) - 1]
    return None


def ends_observation(outcome: OutcomeModel, key: str) -> bool:
    """Whether the event that a key names ends observation."""
    name = key.rpartition(":")[0]
    return key == LEAVING or any(e.terminal and e.name == name for e in outcome.endpoints)


class Clock:
    """Cumulative hazard of patients, with the log factors of the pieces of time."""

    def __init__(
        self, hazard: Hazard, features: FloatArray, edges: FloatArray, shift: FloatArray
    ) -> None:
        self.hazard, self.features = hazard, features
        n = len(features)
        marks = [np.zeros(n), *(hazard.cumulative(features, np.full(n, day)) for day in edges)]
        self.marks = np.column_stack(marks)
        self.factor = np.exp(shift)
        widths = np.diff(self.marks, axis=1) * self.factor[:-1]
        self.reached = np.concatenate([np.zeros((n, 1)), np.cumsum(widths, axis=1)], axis=1)

    def at(self, day: FloatArray) -> FloatArray:
        """Cumulative hazard up to each patient's day, shape (n,)."""
        plain = self.hazard.cumulative(self.features, day)
        place = (plain[:, None] > self.marks[:, 1:]).sum(axis=1)
        row = np.arange(len(plain))
        return np.asarray(
            self.reached[row, place] + (plain - self.marks[row, place]) * self.factor[place]
        )

    def when(self, level: FloatArray) -> FloatArray:
        """Day at which each patient's cumulative hazard reaches a level, infinite if never."""
        place = (level[:, None] > self.reached[:, 1:]).sum(axis=1)
        row = np.arange(len(level))
        plain = self.marks[row, place] + (level - self.reached[row, place]) / self.factor[place]
        return self.hazard.invert_for(self.features, plain)


class CourseRun:
    """Patients on their way: how much of each one's hazard is spent, and when it runs out."""

    def __init__(
        self, course: Course, outcome: OutcomeModel, features: FloatArray, arm: FloatArray,
        stream: Stream, patients: IntArray, after: float, dropout: bool,
    ) -> None:
        self.course, self.arm = course, arm
        self.effects = [e for e in course.effects if dropout or e.key != LEAVING]
        self.ends = [ends_observation(outcome, e.key) for e in self.effects]
        n = len(patients)
        self.cursor = np.full(n, float(after))
        self.clocks, self.log_risks, self.left = [], [], []
        for effect in self.effects:
            hazard = hazard_of(outcome, effect.key)
            assert hazard is not None
            self.clocks.append(Clock(hazard, features, course.edges, effect.shift))
            self.log_risks.append(hazard.log_risks(features)[:, 0])
            draw = stream.uniform(patient=patients, decision=decision_id(effect.key))
            self.left.append(-np.log(draw))
        self.spent = [clock.at(self.cursor) for clock in self.clocks]
        self.day = [np.full(n, np.inf) for _ in self.effects]

    def advance(self, history: History, until: FloatArray) -> None:
        """Spend hazard up to a day; who runs out has the event on the way there."""
        until = np.maximum(until, self.cursor)
        finite = np.isfinite(until)
        for i, (effect, clock) in enumerate(zip(self.effects, self.clocks, strict=True)):
            factor = self._factor(i, effect, history)
            reached = clock.at(np.where(finite, until, self.cursor))
            cost = np.where(finite, factor * (reached - self.spent[i]), np.inf)
            out = np.isinf(self.day[i]) & (cost >= self.left[i])
            when = clock.when(self.spent[i] + self.left[i] / factor)
            self.day[i] = np.where(out, np.maximum(when, self.cursor), self.day[i])
            self.left[i] = np.where(finite, self.left[i] - cost, self.left[i])
            self.left[i] = np.maximum(self.left[i], 1e-12)
            self.spent[i] = np.maximum(reached, self.spent[i])
        self.cursor = np.where(finite, until, self.cursor)

    def bound(self) -> FloatArray:
        """Day of the first event that ends observation, infinite if none has come yet."""
        first = np.full(len(self.cursor), np.inf)
        for ends, day in zip(self.ends, self.day, strict=True):
            first = np.minimum(first, day) if ends else first
        return first

    def latent(self) -> dict[str, FloatArray]:
        """Day of every watched event; infinite for those that never come."""
        return {e.key: day for e, day in zip(self.effects, self.day, strict=True)}

    def _factor(self, i: int, effect: MarkerEffect, history: History) -> FloatArray:
        x = self.course.design(history, self.log_risks[i], self.arm)
        return np.exp(effect.log_factor(x))
