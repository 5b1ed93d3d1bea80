"""Probability of no event given baseline, worked out from the hazards."""

from __future__ import annotations

import numpy as np

from generation.tokenizer import FloatArray
from generation.twin_model.hazards import Hazard
from generation.twin_model.outcome import EndpointModel, OutcomeModel

_NODES = 60


def survival(model: OutcomeModel, name: str, features: FloatArray, day: float) -> FloatArray:
    """Probability of no event of an endpoint up to a day, were all followed, shape (n,).

    An endpoint that hangs on another's event is integrated over the day of that.
    """
    endpoint = {e.name: e for e in model.endpoints}[name]
    after = endpoint if endpoint.parent else endpoint.then
    own: tuple[Hazard, ...] = () if endpoint.parent else endpoint.causes
    if after is None or after.parent is None:
        return _no_event(own, features, day)
    edges = np.linspace(0.0, day, _NODES + 1)
    first = [survival(model, after.parent, features, float(edge)) for edge in edges]
    total = first[-1] * _no_event(own, features, day)
    for k in range(_NODES):
        middle = float(edges[k : k + 2].mean())
        later = _no_event(after.causes, features, day - middle)
        total += (first[k] - first[k + 1]) * _spared(after) * later * _no_event(
            own, features, middle
        )
    return np.asarray(total)


def _no_event(causes: tuple[Hazard, ...], features: FloatArray, day: float) -> FloatArray:
    total = np.zeros(len(features))
    for hazard in causes:
        total += hazard.log_survival(features, day)
    return np.exp(total)


def _spared(after: EndpointModel) -> float:
    """Share of the other endpoint's events that are not an event of this one at once."""
    return 1.0 - float(after.at_once.sum())
