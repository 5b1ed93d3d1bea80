"""How many events to expect by a calendar time: piecewise enrolment, hazards and dropout.

Everything is piecewise constant, so that the expectations are sums of closed forms. Times have any
one unit; hazards and enrolment rates are for each unit of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from extraction.records.errors import Faults, InputError

Floats = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Piecewise:
    """A piecewise constant function of time, at least 0.

    Attributes
    ----------
    starts
        Where each piece begins, rising from 0.
    values
        Value of each piece.
    end
        Where the last piece ends and the function becomes 0.

    Raises
    ------
    InputError
        If the pieces are out of order or a value is negative.
    """

    starts: tuple[float, ...]
    values: tuple[float, ...]
    end: float = np.inf

    def __post_init__(self) -> None:
        faults = Faults("piecewise")
        if len(self.starts) != len(self.values) or not self.starts:
            faults.add(
                f"starts, values: {len(self.starts)} and {len(self.values)} came; one each a piece"
            )
        if list(self.starts) != sorted(set(self.starts)) or self.starts[:1] != (0.0,):
            faults.add("starts: they must rise from 0, each once")
        if not all(0 <= value < np.inf for value in self.values):
            faults.add("values: they must be 0 or above, and finite")
        if self.starts and not self.end > self.starts[-1]:
            faults.add("end: it must lie beyond the last start")
        faults.raise_if_any()

    @classmethod
    def constant(cls, value: float, end: float = np.inf) -> Piecewise:
        """One piece."""
        return cls((0.0,), (float(value),), end)

    @classmethod
    def lasting(cls, durations: Sequence[float], values: Sequence[float]) -> Piecewise:
        """Pieces by their durations; nothing after them."""
        edges = np.cumsum([0.0, *durations])
        return cls(tuple(edges[:-1].tolist()), tuple(float(v) for v in values), float(edges[-1]))

    def at(self, time: ArrayLike) -> Floats:
        """Value at a time."""
        when = np.asarray(time, dtype=np.float64)
        place = np.searchsorted(self.starts, when, side="right") - 1
        inside = (when >= 0) & (when < self.end)
        return np.where(inside, np.asarray(self.values)[np.maximum(place, 0)], 0.0)

    @property
    def edges(self) -> Floats:
        """Start of each piece and the end, (pieces + 1,)."""
        return np.array([*self.starts, self.end])

    @property
    def total(self) -> float:
        """Integral over all time."""
        return float(np.diff(self.edges) @ np.asarray(self.values))

    def until(self, time: ArrayLike) -> Floats:
        """Integral from 0 to a time."""
        when = np.asarray(time, dtype=np.float64)
        edges = self.edges
        inside = np.clip(when[..., None], edges[:-1], edges[1:]) - edges[:-1]
        return np.asarray(inside @ np.asarray(self.values))

    def times(self, factor: float) -> Piecewise:
        """The function multiplied by a number."""
        return replace(self, values=tuple(value * factor for value in self.values))


def exponential(median: float) -> Piecewise:
    """Constant hazard of a median survival time."""
    if not median > 0:
        raise InputError(f"median: {median} came; it must be above 0")
    return Piecewise.constant(float(np.log(2) / median))


def dropout_hazard(share: float, by: float) -> Piecewise:
    """Constant hazard at which a share has left by a time."""
    if not (0 <= share < 1 and by > 0):
        raise InputError(f"share, by: {share}, {by} came; a share in [0, 1) by a time above 0")
    return Piecewise.constant(float(-np.log1p(-share) / by))


_NONE = Piecewise.constant(0.0)


@final
@dataclass(frozen=True)
class Follow:
    """One arm's patients after entry: chance of an event, piece by piece, before leaving.

    Attributes
    ----------
    hazard, dropout
        Of the event, and of leaving before it.
    """

    hazard: Piecewise
    dropout: Piecewise = _NONE

    @cached_property
    def starts(self) -> Floats:
        """Where either hazard changes, (pieces,)."""
        ends = [x for x in (self.hazard.end, self.dropout.end) if np.isfinite(x)]
        return np.unique(np.array([*self.hazard.starts, *self.dropout.starts, *ends]))

    @cached_property
    def _pieces(self) -> tuple[Floats, Floats, Floats, Floats]:
        rate, leave = self.hazard.at(self.starts), self.dropout.at(self.starts)
        both = rate + leave
        lengths = np.diff(self.starts, append=np.inf)
        left = np.exp(-np.concatenate([[0.0], np.cumsum((both * lengths)[:-1])]))
        return rate, both, lengths, left

    def chances(self, follow_up: ArrayLike) -> Floats:
        """Chance of an event in each piece within a time of follow-up, (..., pieces)."""
        rate, both, _, left = self._pieces
        inside = self._inside(follow_up)
        return np.asarray(left * rate * _first(both, inside))

    def areas(self, follow_up: ArrayLike) -> Floats:
        """Integral of `chances` over follow-up times from 0, (..., pieces)."""
        rate, both, lengths, left = self._pieces
        time = np.maximum(np.asarray(follow_up, dtype=np.float64), 0.0)[..., None]
        inside = self._inside(follow_up)
        beyond = np.maximum(time - self.starts - np.where(np.isinf(lengths), 0, lengths), 0.0)
        beyond = np.where(np.isinf(lengths), 0.0, beyond)
        return np.asarray(left * rate * (_second(both, inside) + beyond * _first(both, inside)))

    def _inside(self, follow_up: ArrayLike) -> Floats:
        time = np.maximum(np.asarray(follow_up, dtype=np.float64), 0.0)[..., None]
        return np.clip(time - self.starts, 0.0, self._pieces[2])


def _first(h: Floats, x: Floats) -> Floats:
    """Integral of exp(-h s) over s from 0 to x."""
    small = h < 1e-300
    return np.where(small, x, -np.expm1(-h * x) / np.where(small, 1.0, h))


def _second(h: Floats, x: Floats) -> Floats:
    """Integral of `_first` over x from 0."""
    near = h * x < 1e-3
    series = x**2 / 2 * (1 - h * x / 3 * (1 - h * x / 4 * (1 - h * x / 5)))
    return np.where(near, series, (x - _first(h, x)) / np.where(near, 1.0, h))


@final
@dataclass(frozen=True)
class EventProcess:
    """A two-arm trial with a time to an event, in expectation.

    Attributes
    ----------
    enrolment
        Patients entering in a unit of time, both arms together; its end must be finite.
    control, treated
        Hazards of the event since entry.
    dropout_control, dropout_treated
        Hazards of leaving.
    allocation
        Share of the treated arm, in (0, 1).

    Raises
    ------
    InputError
        If enrolment never ends or brings nobody, or the allocation is out of range.

    Examples
    --------
    >>> process = EventProcess(Piecewise.constant(40.0, 12.0), exponential(12.0),
    ...                        exponential(12.0).times(0.7))
    >>> round(float(process.events(30.0)), 1)
    327.0
    """

    enrolment: Piecewise
    control: Piecewise
    treated: Piecewise
    dropout_control: Piecewise = field(default=_NONE)
    dropout_treated: Piecewise = field(default=_NONE)
    allocation: float = 0.5

    def __post_init__(self) -> None:
        faults = Faults("event process")
        if not np.isfinite(self.enrolment.end) or self.enrolment.total <= 0:
            faults.add("enrolment: it must end, and bring somebody; give its duration and rates")
        if not 0 < self.allocation < 1:
            faults.add(f"allocation: {self.allocation} came; it must lie in (0, 1)")
        faults.raise_if_any()

    @property
    def patients(self) -> float:
        """Patients enrolled in all."""
        return self.enrolment.total

    def with_patients(self, n: float) -> EventProcess:
        """Enrol n patients in the same time."""
        return replace(self, enrolment=self.enrolment.times(n / self.enrolment.total))

    @cached_property
    def arms(self) -> tuple[Follow, Follow]:
        """Control and treated patients after entry."""
        return (
            Follow(self.control, self.dropout_control), Follow(self.treated, self.dropout_treated)
        )

    def pieces(self, arm: int, time: ArrayLike) -> Floats:
        """Events of an arm (0 control, 1 treated) by a time, by piece of its follow-up."""
        edges = self.enrolment.edges
        since = np.asarray(time, dtype=np.float64)[..., None] - edges
        areas = self.arms[arm].areas(since)
        entered = areas[..., :-1, :] - areas[..., 1:, :]
        share = self.allocation if arm else 1 - self.allocation
        return np.asarray(share * np.einsum("...jp,j->...p", entered, self.enrolment.values))

    def by_arm(self, time: ArrayLike) -> tuple[Floats, Floats]:
        """Expected events of control and of treated patients by a calendar time."""
        return self.pieces(0, time).sum(axis=-1), self.pieces(1, time).sum(axis=-1)

    def events(self, time: ArrayLike) -> Floats:
        """Expected events of both arms by a calendar time (since the first entry)."""
        control, treated = self.by_arm(time)
        return control + treated

    def enrolled(self, time: ArrayLike) -> Floats:
        """Patients expected to have entered by a calendar time."""
        return self.enrolment.until(time)

    def time_of(self, events: float) -> float:
        """Calendar time by which a number of events is expected.

        Raises
        ------
        InputError
            If so many are never expected.
        """

        def excess(time: float) -> float:
            return float(self.events(time)) - events

        high = self.enrolment.end
        for _ in range(60):
            if excess(high) >= 0:
                return float(brentq(excess, 0.0, high, xtol=1e-10))
            high *= 1.5
        raise InputError(
            f"events: {events:.4g} are never expected; the most are {float(self.events(high)):.4g}"
        )
