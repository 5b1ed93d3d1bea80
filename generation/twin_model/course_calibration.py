"""Calibration of hazards that depend on visits: simulated events at the training rate."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from generation.tokenizer import FloatArray
from generation.twin_model.course import (
    LEAVING,
    Course,
    MarkerEffect,
    ends_observation,
    hazard_of,
)
from generation.twin_model.course_fitting import Watch
from generation.twin_model.memory import History
from generation.twin_model.outcome import OutcomeModel

_CELLS = 8
_MOST_SHIFT = 3.0


class Recorder:
    """Goes along with simulated patients and notes their markers' log factors on a grid."""

    def __init__(
        self, course: Course, outcome: OutcomeModel, features: FloatArray, arm: FloatArray,
        grid: FloatArray,
    ) -> None:
        self.course, self.arm, self.grid = course, arm, grid
        n = len(features)
        self.log_risks = []
        for effect in course.effects:
            hazard = hazard_of(outcome, effect.key)
            assert hazard is not None
            self.log_risks.append(hazard.log_risks(features)[:, 0])
        self.factors = [np.zeros((n, len(grid))) for _ in course.effects]
        self.cursor, self._none = np.zeros(n), np.full(n, np.inf)

    def advance(self, history: History, until: FloatArray) -> None:
        """Note what is known until a day."""
        until = np.maximum(until, self.cursor)
        here = (self.grid > self.cursor[:, None]) & (self.grid <= until[:, None])
        for i, effect in enumerate(self.course.effects):
            x = self.course.design(history, self.log_risks[i], self.arm)
            factor = effect.log_factor(x)[:, None]
            self.factors[i] = np.where(here, factor, self.factors[i])
        self.cursor = until

    def bound(self) -> FloatArray:
        """No event ends these patients' visits."""
        return self._none


def calibration_grid(course: Course, watched: list[Watch]) -> FloatArray:
    """Ends of the cells of time on which hazards are summed, eight to a piece."""
    last = max(float(watch.day[watch.event].max()) for watch in watched)
    bounds = np.concatenate([[0.0], course.edges[course.edges < last], [last + 1e-3]])
    shares = np.arange(1, _CELLS + 1) / _CELLS
    return np.concatenate([
        low + shares * (high - low) for low, high in pairwise(bounds.tolist())
    ])


def calibrated(
    course: Course, outcome: OutcomeModel, watched: list[Watch], features: FloatArray,
    recorder: Recorder, leaves: FloatArray,
) -> Course:
    """The course whose simulated events come at the training patients' rate in every piece.

    Parameters
    ----------
    features
        Of the simulated patients along whose visits `recorder` went.
    leaves
        Day on which each of them leaves by visits, infinite if unknown.

    In each piece of time the expected Nelson-Aalen increment among simulated patients still
    followed equals the training patients' one. No events are drawn: who is followed is weighted
    by the probability of being so.
    """
    grid = recorder.grid
    keys = [effect.key for effect in course.effects]
    steps = {}
    for key in {*keys, *_removing(outcome)}:
        hazard = hazard_of(outcome, key)
        assert hazard is not None
        n = len(features)
        levels = np.column_stack([
            np.zeros(n), *(hazard.cumulative(features, np.full(n, day)) for day in grid)
        ])
        steps[key] = np.diff(levels, axis=1)
    for i, key in enumerate(keys):
        steps[key] = steps[key] * np.exp(recorder.factors[i])
    rates = {watch.key: _increments(watch, grid) for watch in watched}
    present = leaves[:, None] >= grid
    spent = {key: np.zeros(len(features)) for key in steps}
    shifts = {key: np.zeros(len(course.edges) + 1) for key in keys}
    for j in range(len(grid) // _CELLS):
        cells = slice(j * _CELLS, (j + 1) * _CELLS)
        for _ in range(4):
            paths = _paths(steps, spent, shifts, j, cells)
            for key in keys:
                weight = _followed(outcome, key, paths) * present[:, cells]
                risk = np.maximum(weight.sum(axis=0), 1e-9)
                expected = float(np.sum((weight * steps[key][:, cells]).sum(axis=0) / risk))
                wanted = float(rates[key][cells].sum())
                if expected > 1e-9 and wanted > 0:
                    shifts[key][j] = np.clip(np.log(wanted / expected), -_MOST_SHIFT, _MOST_SHIFT)
        for key, step in steps.items():
            factor = np.exp(shifts[key][j]) if key in shifts else 1.0
            spent[key] = spent[key] + factor * step[:, cells].sum(axis=1)
    made = len(grid) // _CELLS
    effects = []
    for effect in course.effects:
        shift = shifts[effect.key]
        shift[made:] = shift[made - 1]
        effects.append(MarkerEffect(effect.key, effect.weights, effect.centre, shift))
    return replace(course, effects=tuple(effects))


def _removing(outcome: OutcomeModel) -> list[str]:
    """Keys of the hazards that end observation."""
    keys = [
        f"{e.name}:{k}"
        for e in outcome.endpoints
        for k in range(1, len(e.causes) + 1)
        if e.terminal and e.parent is None
    ]
    return [*keys, LEAVING] if outcome.follow_up is not None else keys


def _paths(
    steps: dict[str, FloatArray], spent: dict[str, FloatArray], shifts: dict[str, FloatArray],
    j: int, cells: slice,
) -> dict[str, FloatArray]:
    """Cumulative hazard of each key when each cell of piece j begins, shape (n, cells)."""
    paths = {}
    for key, step in steps.items():
        factor = np.exp(shifts[key][j]) if key in shifts else 1.0
        inside = factor * np.cumsum(step[:, cells], axis=1)
        begun = np.concatenate([np.zeros((len(step), 1)), inside[:, :-1]], axis=1)
        paths[key] = spent[key][:, None] + begun
    return paths


def _followed(outcome: OutcomeModel, key: str, paths: dict[str, FloatArray]) -> FloatArray:
    """Probability of still being at risk of an event, shape (n, cells)."""
    name = key.rpartition(":")[0]
    total = np.zeros(1)
    for other, path in paths.items():
        same = key != LEAVING and other.rpartition(":")[0] == name
        if same or ends_observation(outcome, other):
            total = total + path
    return np.exp(-total)


def _increments(watch: Watch, grid: FloatArray) -> FloatArray:
    """Nelson-Aalen increments of the training patients in each cell of time."""
    day = np.sort(watch.day[np.isfinite(watch.day)])
    events = np.sort(watch.day[watch.event])
    at_risk = len(day) - np.searchsorted(day, events, side="left")
    cell = np.minimum(np.searchsorted(grid, events, side="left"), len(grid) - 1)
    return np.bincount(cell, 1 / np.maximum(at_risk, 1), minlength=len(grid)).astype(np.float64)


