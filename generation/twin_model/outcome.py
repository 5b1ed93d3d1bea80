"""Endpoints and the end of follow-up, drawn from hazards.

Each cause of each endpoint has its own hazard given baseline and arm (endpoints are
independent given these); censoring is shared when every patient without an event is
censored at the end of observation, else it has a hazard of its own. Day and status come
out of the smallest latent day, so impossible pairs cannot occur.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from extraction.records import CohortSchema
from generation.assembly import (
    CENSORED,
    NO_RECORD,
    IntArray,
    TrialArrays,
    censored_at_end,
    last_endpoint_day,
)
from generation.randomness import Stream, decision_id, integer_seed
from generation.tokenizer import (
    MINIMUM_CELL,
    FloatArray,
    learn_step,
    local_mean,
    to_grid,
)
from generation.twin_model.hazards import Hazard, calibrate, fit_hazard


@dataclass(frozen=True)
class EndpointModel:
    """Hazards of one endpoint.

    Attributes
    ----------
    causes
        One hazard a cause.
    censor
        Own censoring hazard; None when the end of observation censors.
    terminal
        Whether the event ends observation.
    no_record
        Share of patients without a record of the endpoint.
    step
        Grid of its days.
    """

    name: str
    causes: tuple[Hazard, ...]
    censor: Hazard | None
    terminal: bool
    no_record: float
    step: float

    def draw(
        self, features: FloatArray, stream: Stream, patients: IntArray, after: float
    ) -> tuple[FloatArray, IntArray]:
        """Latent first day and its status (0 when censored by its own hazard)."""
        hazards = [*([self.censor] if self.censor else []), *self.causes]
        labels = [f"{self.name}:{k}" for k in range(1 - len(hazards) + len(self.causes),
                                                    len(self.causes) + 1)]
        days = np.column_stack([
            hazard.draw(
                features, stream.uniform(patient=patients, decision=decision_id(label)), after
            )
            for hazard, label in zip(hazards, labels, strict=True)
        ])
        first = days.argmin(axis=1)
        status = first if self.censor else first + 1
        day = days.min(axis=1)
        day = np.maximum(np.where(np.isfinite(day), to_grid(day, self.step), np.inf), after)
        day = np.maximum(day, after + self.step)
        lost = stream.uniform(patient=patients, decision=decision_id(f"{self.name}:record"))
        status = np.where(lost < self.no_record, NO_RECORD, status)
        return np.where(status == NO_RECORD, np.nan, day), status.astype(np.int64)

    def log_prob(self, features: FloatArray, day: FloatArray, status: IntArray) -> FloatArray:
        """Log-likelihood of each day and status; 0 without a record."""
        seen = status != NO_RECORD
        at = np.where(seen, day, 0.0)
        total = np.zeros(len(day))
        for k, hazard in [*enumerate(self.causes, 1), *([(0, self.censor)] if self.censor else [])]:
            happened = seen & (status == k)
            total += hazard.log_survival(features, at)
            total += np.where(happened, hazard.log_rate(features, at), 0.0)
        return np.where(seen, total, 0.0)


@dataclass(frozen=True)
class OutcomeModel:
    """All endpoints, and how long patients stay under observation.

    ``follow_up`` is the hazard of leaving (None when visits drive it or nobody leaves);
    ``end`` the last day of observation: the mean of the five longest, NaN if unknown.
    """

    endpoints: tuple[EndpointModel, ...]
    follow_up: Hazard | None
    end: float
    step: float

    def draw_events(
        self, features: FloatArray, stream: Stream, patients: IntArray, after: float = 0.0
    ) -> dict[str, tuple[FloatArray, IntArray]]:
        """Latent days and status of every endpoint, before observation ends."""
        return {e.name: e.draw(features, stream, patients, after) for e in self.endpoints}

    def draw_follow_up(
        self, features: FloatArray, stream: Stream, patients: IntArray, after: float, dropout: bool
    ) -> FloatArray:
        """Last day of observation of each patient, terminal events apart."""
        end = np.full(len(patients), max(self.end, after))
        if self.follow_up is None or not dropout:
            return end
        place = stream.uniform(patient=patients, decision=decision_id("leaving"))
        left = np.minimum(self.follow_up.draw(features, place, after), end)
        return np.maximum(np.minimum(to_grid(left, self.step), end), after)

    def close(
        self, follow_up: FloatArray, events: dict[str, tuple[FloatArray, IntArray]]
    ) -> FloatArray:
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
        return frozenset(e.name for e in self.endpoints if e.censor is None)

    def log_prob(self, features: FloatArray, arrays: TrialArrays) -> FloatArray:
        """Log-likelihood of events and, where a hazard drives it, of leaving."""
        total, ended = np.zeros(len(arrays)), self.ended(arrays)
        for endpoint in self.endpoints:
            day, status = arrays.events[endpoint.name]
            total += endpoint.log_prob(features, day, status)
        if self.follow_up is None:
            return total
        until = observed_until(arrays)
        seen = np.isfinite(until)
        until = np.where(seen, np.minimum(until, self.end), 0.0)
        left = seen & ~ended & (until < self.end - 1e-6)
        leaving = self.follow_up.log_survival(features, until)
        leaving += np.where(left, self.follow_up.log_rate(features, until), 0.0)
        return total + np.where(seen, leaving, 0.0)

    def state(self) -> dict[str, Any]:
        """Return everything needed to rebuild the model."""
        return {
            "endpoints": [
                {
                    **e.__dict__,
                    "causes": [h.state() for h in e.causes],
                    "censor": e.censor.state() if e.censor else None,
                }
                for e in self.endpoints
            ],
            "follow_up": self.follow_up.state() if self.follow_up else None,
            "end": self.end,
            "step": self.step,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> OutcomeModel:
        """Rebuild from :meth:`state`."""
        endpoints = tuple(
            EndpointModel(**{
                **inner,
                "causes": tuple(Hazard(**h) for h in inner["causes"]),
                "censor": Hazard(**inner["censor"]) if inner["censor"] else None,
            })
            for inner in state["endpoints"]
        )
        follow_up = Hazard(**state["follow_up"]) if state["follow_up"] else None
        return cls(endpoints, follow_up, state["end"], state["step"])


def observed_until(arrays: TrialArrays) -> FloatArray:
    """End of observation of each patient: as recorded, else the last endpoint or visit."""
    until = np.where(
        np.isfinite(arrays.follow_up), arrays.follow_up, last_endpoint_day(arrays)
    )
    if arrays.visit_day.shape[1]:
        seen = np.where(np.isfinite(arrays.visit_day), arrays.visit_day, -np.inf).max(axis=1)
        until = np.where(np.isfinite(until) | ~np.isfinite(seen), until, seen)
    return np.asarray(until, dtype=np.float64)


def fit_outcome(
    schema: CohortSchema,
    arrays: TrialArrays,
    features: FloatArray,
    population: FloatArray,
    arms: int,
    seed: int,
    visits_drive: bool,
) -> OutcomeModel:
    """Fit the hazards of every endpoint and of leaving.

    Parameters
    ----------
    features, population
        Features of the training patients and of sampled ones (`hazards.calibrate`).
    arms
        How many of the last features are arm indicators.
    visits_drive
        Whether planned visits model the end of follow-up (`visits`).
    """
    until = observed_until(arrays)
    seen = np.isfinite(until)

    def hazard(rows: np.ndarray, day: FloatArray, event: np.ndarray, name: str) -> Hazard:
        x, t, d = features[rows], np.maximum(day[rows], 1e-6), event[rows]
        beta, centre = fit_hazard(x, arms, t, d, integer_seed(seed, f"hazard {name}"))
        return calibrate(beta, centre, population, x, t, d)

    endpoints = []
    for endpoint in schema.endpoints:
        day, status = arrays.events[endpoint.name]
        rows = status != NO_RECORD
        if not rows.any():
            continue
        causes = tuple(
            hazard(rows, day, status == k, f"{endpoint.name} {k}")
            for k in range(1, len(endpoint.causes) + 1)
        )
        shared = censored_at_end(arrays, endpoint.name) or not (status == CENSORED).any()
        shared |= not np.isfinite(arrays.follow_up).any() and len(schema.endpoints) == 1
        censor = None if shared else hazard(rows, day, status == CENSORED, f"{endpoint.name} 0")
        happened = rows & (status > CENSORED) & seen
        terminal = bool(happened.any() and np.mean(np.abs(day - until)[happened] < 0.5) >= 0.9)
        lost = float(np.mean(~rows)) if (~rows).sum() >= MINIMUM_CELL else 0.0
        endpoints.append(
            EndpointModel(endpoint.name, causes, censor, terminal, lost, learn_step(day[rows]))
        )
    if not seen.any():
        return OutcomeModel(tuple(endpoints), None, float("nan"), 0.0)
    step = learn_step(until[seen])
    end = float(to_grid(np.array([local_mean(np.sort(until[seen]), 1.0)]), step)[0])
    ended = OutcomeModel(tuple(endpoints), None, end, step).ended(arrays)
    left = seen & ~ended & (until < end - 1e-6)
    leaving = None
    if not visits_drive and left.any():
        leaving = hazard(seen, until, left, "leaving")
    return OutcomeModel(tuple(endpoints), leaving, end, step)
