"""Kinds of outcome: what patients have under control, under an arm, and at a look.

A kind is one file here and one line in `KINDS`: its endpoint, its parametric law, `respond`,
`respond_until` and `observe`.
"""

from importlib import import_module
from typing import Annotated, Any

from pydantic import Field

from simulation.trial.outcomes.base import Floats, Latent, Observed, Response
from simulation.trial.outcomes.binary import BinaryEndpoint, BinaryLaw
from simulation.trial.outcomes.continuous import ContinuousEndpoint, ContinuousLaw
from simulation.trial.outcomes.count import CountEndpoint, CountLaw
from simulation.trial.outcomes.effects import Applied, Effect
from simulation.trial.outcomes.time_to_event import TimeToEventEndpoint, TimeToEventLaw

KINDS = {
    "continuous": "simulation.trial.outcomes.continuous",
    "binary": "simulation.trial.outcomes.binary",
    "count": "simulation.trial.outcomes.count",
    "time_to_event": "simulation.trial.outcomes.time_to_event",
}

Endpoint = Annotated[
    ContinuousEndpoint | BinaryEndpoint | CountEndpoint | TimeToEventEndpoint,
    Field(discriminator="kind"),
]
Law = Annotated[ContinuousLaw | BinaryLaw | CountLaw | TimeToEventLaw, Field(discriminator="kind")]

__all__ = [
    "KINDS",
    "Applied",
    "Effect",
    "Endpoint",
    "Latent",
    "Law",
    "Observed",
    "Response",
    "observe",
    "respond",
    "respond_until",
]


def respond(kind: str, latent: Latent, arm: Any, applied: Applied) -> Response:
    """Outcome of every patient under the arm given, by its kind."""
    found: Response = import_module(KINDS[kind]).respond(latent, arm, applied)
    return found


def respond_until(
    endpoint: Any, latent: Latent, arm: Any, applied: Applied, stops: Floats, after: Applied
) -> Response:
    """Outcome of every patient under the arm given until the stop, then under `after`."""
    kind = import_module(KINDS[endpoint.kind])
    found: Response = kind.respond_until(endpoint, latent, arm, applied, stops, after)
    return found


def observe(endpoint: Any, *seen: Any) -> Observed:
    """What a look sees of an endpoint, by its kind."""
    found: Observed = import_module(KINDS[endpoint.kind]).observe(endpoint, *seen)
    return found
