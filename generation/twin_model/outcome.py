"""Endpoints and the end of follow-up, drawn from hazards.

Each cause of each endpoint has its own hazard given baseline and arm, and endpoints are
independent given these, with three exceptions that the data show: an endpoint whose events
all follow another's (death after "AIDS or death") is drawn after it; one that comes sooner or
later once another has happened (death after recurrence) has further hazards from then on; and
one that repeats why observation ended (discontinuation) is read off the end. Censoring is
shared when every patient without an event is censored at the end of observation, else it
has a hazard of its own. Day and status come out of the smallest latent day, so impossible
pairs cannot occur.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from extraction.records import CohortSchema
from generation.assembly import (
    CENSORED,
    NO_RECORD,
    IntArray,
    TrialArrays,
    last_endpoint_day,
)
from generation.randomness import Stream, decision_id
from generation.tokenizer import FloatArray, to_grid
from generation.twin_model.hazards import Hazard
from generation.twin_model.mirrors import stop_day

Event = tuple[FloatArray, IntArray]
Latent = dict[str, FloatArray]
WAITING = -2
"""Status of an endpoint without an event or a censoring up to a day, whatever comes later."""


@dataclass(frozen=True)
class EndpointModel:
    """Hazards of one endpoint.

    Attributes
    ----------
    causes
        One hazard a cause; of days since the parent's event where there is a parent.
    censor
        Own hazard of censoring before observation ends; None when only the end censors.
    terminal
        Whether the event ends observation.
    no_record
        Share of patients without a record of the endpoint.
    step
        Grid of its days.
    parent
        Endpoint whose event every event of this one follows (death after "AIDS or death").
    at_once
        Share of the parent's events that are events of this one too, by cause.
    then
        The endpoint after another's event, that being its parent; None where that says nothing.
    stops
        A mirror (`OutcomeModel`) with which the endpoint is no longer looked for: adverse events
        are not recorded after treatment is discontinued, though observation may go on.
    foretold
        The causes as forecasts stand on them: without the matching of covariates' effects
        (`hazards_effects`), which synthetic patients need and which makes forecasts too extreme.
        Empty where they are the same.
    """

    name: str
    causes: tuple[Hazard, ...]
    censor: Hazard | None
    terminal: bool
    no_record: float
    step: float
    parent: str | None
    at_once: FloatArray
    then: EndpointModel | None = None
    stops: str | None = None
    foretold: tuple[Hazard, ...] = ()

    def forecasting(self) -> EndpointModel:
        """The endpoint as forecasts stand on it."""
        then = self.then.forecasting() if self.then else None
        return replace(self, causes=self.foretold or self.causes, then=then)

    def draw(
        self,
        features: FloatArray,
        stream: Stream,
        patients: IntArray,
        after: float,
        parent: tuple[FloatArray, IntArray] | None,
        latent: Latent | None = None,
    ) -> tuple[FloatArray, IntArray]:
        """Latent first day and its status (0 when censored by its own hazard).

        `latent` holds days of causes that are known already, by ``endpoint:cause``.
        """
        start = np.zeros(len(patients))
        if parent is not None:
            start = np.where(parent[1] > CENSORED, parent[0], np.inf)
        since = np.maximum(after - start, 0.0)
        hazards = [(k, hazard) for k, hazard in enumerate(self.causes, 1)]
        hazards += [(0, self.censor)] if self.censor else []
        days = np.column_stack(
            [
                (latent or {})[f"{self.name}:{k}"]
                if f"{self.name}:{k}" in (latent or {})
                else hazard.draw(features, self._uniform(stream, patients, str(k)), since)
                for k, hazard in hazards
            ]
        )
        status = np.array([k for k, _ in hazards])[days.argmin(axis=1)]
        day = start + days.min(axis=1)
        finite = np.isfinite(day)
        day = np.where(finite, to_grid(np.where(finite, day, 0.0), self.step), np.inf)
        day = np.maximum(day, np.maximum(start, after + self.step))
        if parent is not None:
            place = self._uniform(stream, patients, "at once")
            which = np.searchsorted(np.cumsum(self.at_once), place, side="right")
            once = (which < len(self.causes)) & (start > after) & np.isfinite(start)
            day, status = np.where(once, start, day), np.where(once, which + 1, status)
        lost = self._uniform(stream, patients, "record") < self.no_record
        return np.where(lost, np.nan, day), np.where(lost, NO_RECORD, status).astype(np.int64)

    def _uniform(self, stream: Stream, patients: IntArray, what: str) -> FloatArray:
        return stream.uniform(patient=patients, decision=decision_id(f"{self.name}:{what}"))

    def log_prob(
        self,
        features: FloatArray,
        day: FloatArray,
        status: IntArray,
        parent: tuple[FloatArray, IntArray] | None,
    ) -> FloatArray:
        """Log-likelihood of each day and status; 0 without a record."""
        seen = status != NO_RECORD
        at = np.where(seen, day, 0.0)
        total = np.zeros(len(day))
        if parent is not None:
            seen &= parent[1] > CENSORED
            at = np.where(seen, np.maximum(at - parent[0], 0.0), 0.0)
            together = seen & (status > CENSORED) & (at < 0.5)
            share = np.append(1 - self.at_once.sum(), self.at_once)
            total += np.log(np.maximum(share[np.where(together, status, 0)], 1e-9))
            at, status = np.where(together, 0.0, at), np.where(together, NO_RECORD, status)
        for k, hazard in [*enumerate(self.causes, 1), *([(0, self.censor)] if self.censor else [])]:
            total += hazard.log_survival(features, at)
            total += np.where(status == k, hazard.log_rate(features, at), 0.0)
        return np.where(seen, total, 0.0)

    def state(self) -> dict[str, Any]:
        """Return everything needed to rebuild the endpoint."""
        return {
            **self.__dict__,
            "causes": [h.state() for h in self.causes],
            "foretold": [h.state() for h in self.foretold],
            "censor": self.censor.state() if self.censor else None,
            "then": self.then.state() if self.then else None,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> EndpointModel:
        """Rebuild from :meth:`state`."""
        return cls(
            **{
                **state,
                "causes": tuple(Hazard.from_state(h) for h in state["causes"]),
                "foretold": tuple(Hazard.from_state(h) for h in state["foretold"]),
                "censor": Hazard.from_state(state["censor"]) if state["censor"] else None,
                "then": cls.from_state(state["then"]) if state["then"] else None,
            }
        )


@dataclass(frozen=True)
class OutcomeModel:
    """All endpoints, and how long patients stay under observation.

    ``follow_up`` is the hazard of leaving (None when visits drive it or nobody leaves);
    ``end`` the last day of observation: the mean of the five longest, NaN if unknown.
    ``mirrors`` are endpoints that say that, and why, observation ended, with the quantiles
    of their days from where the visits say they stand (`mirrors`).
    """

    endpoints: tuple[EndpointModel, ...]
    follow_up: Hazard | None
    end: float
    step: float
    mirrors: dict[str, FloatArray]

    @cached_property
    def forecasting(self) -> OutcomeModel:
        """The model as forecasts of given patients stand on it."""
        return replace(self, endpoints=tuple(e.forecasting() for e in self.endpoints))

    def draw_events(
        self,
        features: FloatArray,
        stream: Stream,
        patients: IntArray,
        after: float = 0.0,
        known: dict[str, Event] | None = None,
        latent: Latent | None = None,
    ) -> dict[str, Event]:
        """Latent days and status of every endpoint, before observation ends.

        `known` are endpoints of which some patients' events have already happened, `latent` days
        that hang on visits (`course`).
        """
        events: dict[str, Event] = {}
        for e in self.endpoints:
            parent = events[e.parent] if e.parent else None
            drawn = e.draw(features, stream, patients, after, parent, latent)
            if e.then is not None and e.then.parent is not None:
                first = events[e.then.parent]
                later = e.then.draw(features, stream, patients, after, first)
                turned = (first[1] > CENSORED) & (first[0] <= drawn[0])
                drawn = np.where(turned, later[0], drawn[0]), np.where(turned, later[1], drawn[1])
            events[e.name] = kept((known or {}).get(e.name), drawn)
        return events

    def reflect(
        self,
        schema: CohortSchema,
        arrays: TrialArrays,
        follow_up: FloatArray,
        reason: npt.NDArray[np.object_],
        place: FloatArray,
        after: float,
    ) -> dict[str, Event]:
        """Endpoints that mirror the end of observation: by the last visit, its reason as cause."""
        events: dict[str, Event] = {}
        for name, offsets in self.mirrors.items():
            status = reason_status(schema, name, reason)
            stop = to_grid(stop_day(arrays, follow_up, offsets, place), self.step)
            day = np.maximum(stop, after + self.step)
            day = np.where(status > CENSORED, np.minimum(day, follow_up), follow_up)
            events[name] = (day, status)
        return events

    def stop(self, events: dict[str, Event]) -> None:
        """Censor, in place, endpoints on the day of the mirror with which they stop."""
        for endpoint in self.endpoints:
            if endpoint.stops is None:
                continue
            day, status = events[endpoint.name]
            last = events[endpoint.stops][0]
            late = (status != NO_RECORD) & (day > last)
            events[endpoint.name] = (np.where(late, last, day), np.where(late, CENSORED, status))

    def draw_follow_up(
        self,
        features: FloatArray,
        stream: Stream,
        patients: IntArray,
        after: float,
        dropout: bool,
        latent: Latent | None = None,
    ) -> FloatArray:
        """Last day of observation of each patient, terminal events apart."""
        end: FloatArray = np.full(len(patients), max(self.end, after))
        if self.follow_up is None or not dropout:
            return end
        if latent and "leaving" in latent:
            day = latent["leaving"]
        else:
            place = stream.uniform(patient=patients, decision=decision_id("leaving"))
            day = self.follow_up.draw(features, place, after)
        left = np.minimum(day, end)
        return np.maximum(np.minimum(to_grid(left, self.step), end), after)

    def close(self, follow_up: FloatArray, events: dict[str, Event]) -> FloatArray:
        """End of observation once terminal events have their say."""
        for endpoint in self.endpoints:
            day, status = events[endpoint.name]
            if endpoint.terminal:
                follow_up = np.where(status > CENSORED, np.fmin(follow_up, day), follow_up)
        return follow_up

    def ended(self, arrays: TrialArrays) -> npt.NDArray[np.bool_]:
        """Whether a terminal event ended each patient's observation."""
        ended = np.zeros(len(arrays), dtype=bool)
        for endpoint in self.endpoints:
            ended |= endpoint.terminal & (arrays.events[endpoint.name][1] > CENSORED)
        return ended

    @property
    def at_end(self) -> frozenset[str]:
        """Endpoints that are censored when observation ends."""
        own = frozenset(e.name for e in self.endpoints if e.censor is None and e.stops is None)
        return own | frozenset(self.mirrors)

    def log_prob(self, features: FloatArray, arrays: TrialArrays) -> FloatArray:
        """Log-likelihood of events and, where a hazard drives it, of leaving."""
        total, ended = self.log_events(features, arrays.events), self.ended(arrays)
        if self.follow_up is None:
            return total
        until = observed_until(arrays)
        seen = np.isfinite(until)
        until = np.where(seen, np.minimum(until, self.end), 0.0)
        left = seen & ~ended & (until < self.end - 1e-6)
        leaving = self.follow_up.log_survival(features, until)
        leaving += np.where(left, self.follow_up.log_rate(features, until), 0.0)
        return total + np.where(seen, leaving, 0.0)

    def log_events(self, features: FloatArray, events: dict[str, Event]) -> FloatArray:
        """Log-likelihood of day and status of every endpoint; `WAITING`: no more is known."""
        total = np.zeros(len(features))
        for endpoint in self.endpoints:
            day, status = events[endpoint.name]
            parent = events[endpoint.parent] if endpoint.parent else None
            if endpoint.then is not None and endpoint.then.parent is not None:
                first = events[endpoint.then.parent]
                turned = (first[1] > CENSORED) & (first[0] <= day) & (status != NO_RECORD)
                later = np.where(turned, status, NO_RECORD)
                total += endpoint.then.log_prob(features, day, later, first)
                day = np.where(turned, first[0], day)
                status = np.where(turned, WAITING, status)
            total += endpoint.log_prob(features, day, status, parent)
        return total

    def state(self) -> dict[str, Any]:
        """Return everything needed to rebuild the model."""
        return {
            "endpoints": [e.state() for e in self.endpoints],
            "follow_up": self.follow_up.state() if self.follow_up else None,
            "end": self.end,
            "step": self.step,
            "mirrors": dict(self.mirrors),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> OutcomeModel:
        """Rebuild from :meth:`state`."""
        endpoints = tuple(EndpointModel.from_state(inner) for inner in state["endpoints"])
        follow_up = Hazard.from_state(state["follow_up"]) if state["follow_up"] else None
        return cls(endpoints, follow_up, state["end"], state["step"], state["mirrors"])


def kept(known: Event | None, drawn: Event) -> Event:
    """Events that have already happened, else the drawn ones."""
    if known is None:
        return drawn
    happened = known[1] > CENSORED
    return np.where(happened, known[0], drawn[0]), np.where(happened, known[1], drawn[1])


def observed_until(arrays: TrialArrays) -> FloatArray:
    """End of observation of each patient: as recorded, else the last endpoint or visit."""
    until = np.where(np.isfinite(arrays.follow_up), arrays.follow_up, last_endpoint_day(arrays))
    if arrays.visit_day.shape[1]:
        seen = np.where(np.isfinite(arrays.visit_day), arrays.visit_day, -np.inf).max(axis=1)
        until = np.where(np.isfinite(until) | ~np.isfinite(seen), until, seen)
    return np.asarray(until, dtype=np.float64)


def reason_status(schema: CohortSchema, name: str, reason: npt.NDArray[np.object_]) -> IntArray:
    """Cause that each reason names, 0 where it names none."""
    index = {cause: k for k, cause in enumerate(schema.endpoint(name).causes, 1)}
    return np.array([index.get(r, CENSORED) for r in reason], dtype=np.int64)
