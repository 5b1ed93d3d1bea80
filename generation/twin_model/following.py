"""What follows a day: visits, leaving and events of patients, drawn together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from generation.assembly import TrialArrays, settle
from generation.randomness import decision_id
from generation.tokenizer import FloatArray
from generation.twin_model.columns import Encoded
from generation.twin_model.outcome import Event, Latent, OutcomeModel, kept
from generation.twin_model.parts import arm_features, phase_of
from generation.twin_model.reasons import AWAY, COMPLETED
from generation.twin_model.visits import Setting

if TYPE_CHECKING:
    from generation.twin_model.model import Request, TwinModel


def follow(
    model: TwinModel,
    arrays: TrialArrays,
    encoded: Encoded,
    request: Request,
    after: float | None,
    known: dict[str, Event],
) -> None:
    """Draw what follows a day, in place; see `TwinModel.simulate`."""
    columns, stream, patients = model.sampler.columns, request.stream, request.patients
    arm = arm_features(arrays.arm, model.card.arms)
    rich = np.concatenate([columns.features(encoded, True), arm], axis=1)
    since = after or 0.0
    outcome = model.outcome if after is None else model.outcome.forecasting
    course, run = model.parts.course, None
    if course is not None and model.visits is not None:
        run = course.begin(outcome, rich, arm, stream, patients, since, request.dropout)
    latent = run.latent() if run else None
    events, leaving = _hazards(model, outcome, rich, request, since, known, latent)
    if model.visits is not None:
        arrays.follow_up = outcome.close(leaving, events)
        setting = setting_of(model, arrays, encoded, request)
        end = model.visits.run(arrays, setting, after, request.dropout, run)
        if run is not None:
            events, leaving = _hazards(model, outcome, rich, request, since, known, run.latent())
        leaving = end if model.visits.drives else leaving
    closed = outcome.close(leaving, events)
    ended = closed < leaving
    arrays.events, arrays.follow_up = events, closed
    phase = phase_of(outcome, model.visits, arrays, closed, ended)
    if not request.dropout:
        phase = np.where(phase == AWAY, COMPLETED, phase)
    place = stream.uniform(patient=patients, decision=decision_id("reason"))
    arrays.end_reason = model.parts.reasons.draw(arrays.arm, phase, place, request.dropout, closed)
    lag = stream.uniform(patient=patients, decision=decision_id("reason:lag"))
    for name, drawn in outcome.reflect(
        model.schema, arrays, closed, arrays.end_reason, lag, since
    ).items():
        events[name] = kept(known.get(name), drawn)
    outcome.stop(events)
    settle(arrays, request.until_day, outcome.at_end)


def setting_of(
    model: TwinModel, arrays: TrialArrays, encoded: Encoded, request: Request
) -> Setting:
    """Whose visits are simulated, as the visit process sees them."""
    return Setting(
        model.sampler.columns.features(encoded, False),
        arm_features(arrays.arm, model.card.arms),
        request.stream,
        request.patients,
    )


def _hazards(
    model: TwinModel,
    outcome: OutcomeModel,
    features: FloatArray,
    request: Request,
    after: float,
    known: dict[str, Event],
    latent: Latent | None,
) -> tuple[dict[str, Event], FloatArray]:
    """Events, and the end of observation by the hazard of leaving (NaN where it has none)."""
    stream, patients = request.stream, request.patients
    events = outcome.draw_events(features, stream, patients, after, known, latent)
    driven = model.visits is not None and model.visits.drives
    if driven or not np.isfinite(outcome.end):
        return events, np.full(len(patients), np.nan)
    leaving = outcome.draw_follow_up(features, stream, patients, after, request.dropout, latent)
    return events, leaving
