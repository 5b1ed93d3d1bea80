"""Looks: the time of each, and which patients it counts."""

from typing import Any

import numpy as np

from simulation.trial.design import TrialDesign
from simulation.trial.enrol import Enrolled
from simulation.trial.outcomes.base import NEVER, Booleans, Floats, Indices, Response


def event_times(
    design: TrialDesign,
    enrolled: Enrolled,
    responses: dict[str, Response],
    leaves: Floats,
    among: Booleans | None = None,
) -> Floats:
    """Calendar times (R, N) of the events that drive the looks, sorted; infinite beyond.

    `among` are the patients (R, N) whose events count; None: everybody's.
    """
    name = design.rule.looks.endpoint or design.endpoints[0].name
    endpoint = next(e for e in design.endpoints if e.name == name)
    time = responses[name].time
    assert time is not None and endpoint.kind == "time_to_event"
    lost = responses[name].lost(leaves)
    end = lost if endpoint.follow_up is None else np.minimum(lost, endpoint.follow_up)
    other = responses[name].other
    if other is not None:
        end = np.minimum(end, other)
    happens = time <= end if among is None else (time <= end) & among
    found = np.where(happens, enrolled.entry + time, NEVER)
    found.sort(axis=1)
    return found


def short_of_events(
    design: TrialDesign, look: int, events: Floats | None, sizes: Indices | None, cut: Floats
) -> Booleans:
    """Replicates (R,) in which a look by events comes without as many as it waits for."""
    if events is None:
        return np.zeros(len(cut), dtype=bool)
    due = _due(design, look, events, sizes)
    # The events are sorted: the one that is waited for tells of all before it.
    return np.asarray((due > events.shape[1]) | (_event(events, due) > cut)[:, 0])


def _due(design: TrialDesign, look: int, events: Floats, sizes: Indices | None) -> Any:
    """Events (R,) that a look waits for."""
    at = design.rule.looks.at
    assert at is not None
    return np.full(len(events), np.ceil(at[look] - 1e-9)) if sizes is None else sizes


def _event(events: Floats, number: Any) -> Floats:
    """Time (R, 1) of each replicate's event of a number (R,), or of its last column."""
    place = np.minimum(number, events.shape[1]).astype(np.int64) - 1
    return np.take_along_axis(events, place[:, None], axis=1)


def look_at(
    design: TrialDesign,
    look: int,
    enrolled: Enrolled,
    events: Floats | None,
    sizes: Indices | None,
    before: Floats | float = 0.0,
) -> tuple[Floats, Booleans]:
    """Time of a look (R, 1), and the patients (R, N) randomised and counted by then.

    `sizes` are the patients or events (R,) of this look where they are not as planned; `before`
    is the time (R, 1) of the look before, than which looks by events are never earlier.
    """
    looks = design.rule.looks
    n = enrolled.entry.shape[1]
    if looks.by == "patients":
        size = np.full(len(enrolled.entry), design.sizes[look]) if sizes is None else sizes
        counted = np.arange(n)[None, :] < size[:, None]
        delay = max(endpoint.delay for endpoint in design.endpoints)
        cut = np.take_along_axis(enrolled.entry, size[:, None] - 1, axis=1)
        if not np.isfinite(cut).all():
            # Fewer patients than planned: the look waits for the last who came.
            known = np.where(counted & np.isfinite(enrolled.entry), enrolled.entry, -np.inf)
            cut = known.max(axis=1, keepdims=True)
        return cut + delay, counted
    assert looks.at is not None
    if looks.by == "time":
        cut = np.full((len(enrolled.entry), 1), looks.at[look])
    else:
        assert events is not None
        cut = _event(events, _due(design, look, events, sizes))
        if not np.isfinite(cut).all():
            # Fewer events than planned: the look comes when the last is in, or at `latest`.
            reached = np.where(np.isfinite(events), events, -np.inf).max(axis=1, keepdims=True)
            # No event at all: the look comes with the last patient.
            last = np.where(np.isfinite(enrolled.entry), enrolled.entry, 0.0)
            after = np.nextafter(last.max(axis=1, keepdims=True), NEVER)
            reached = np.where(np.isfinite(reached), reached, after)
            cut = np.where(np.isfinite(cut), cut, reached if looks.latest is None else looks.latest)
        if looks.latest is not None:
            cut = np.minimum(cut, looks.latest)
        cut = np.maximum(cut, before)
    return cut, enrolled.entry < cut
