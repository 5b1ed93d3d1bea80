"""Counts of recurrent events over follow-up: a Poisson process, with gamma frailty if wanted."""

from typing import Any, Literal, final

import numpy as np
from pydantic import Field

from simulation.trial.outcomes.base import (
    NEVER,
    Booleans,
    Floats,
    Latent,
    Observed,
    Response,
    Strategies,
)
from simulation.trial.outcomes.effects import Applied
from simulation.trial.plan import Finite, Name, NotNegative, Plan, Positive

MOST_EVENTS = 64
"""Events of one patient that are followed; a law that could exceed it is refused."""


@final
class CountEndpoint(Plan):
    """Number of events during follow-up."""

    kind: Literal["count"] = "count"
    name: Name
    follow_up: Positive = Field(description="follow-up of a patient")
    higher_is_better: bool = False
    intercurrent_events: Strategies = Field(
        default_factory=dict, description="strategies for this endpoint; none: the design's"
    )

    @property
    def delay(self) -> float:
        """Time from randomisation to the end of follow-up."""
        return self.follow_up

    @property
    def sign(self) -> float:
        """Direction of a log rate ratio that is a benefit."""
        return 1.0 if self.higher_is_better else -1.0


@final
class CountLaw(Plan):
    """Law under control: rate for each unit of time; variance = mean + dispersion x mean^2."""

    kind: Literal["count"] = "count"
    rate: Positive
    dispersion: NotNegative = Field(default=0.0, description="0 is Poisson's law")
    log_rate_ratios: dict[str, Finite] = Field(default_factory=dict, description="for each unit")

    @property
    def coefficients(self) -> dict[str, float]:
        """Log rate ratios by covariate."""
        return self.log_rate_ratios

    def draw(self, gaps: Floats, frailty: Floats, linear: Any) -> Latent:
        """Latent arrivals from unit exponential gaps (J, R, N) and frailties (R, N)."""
        rate = self.rate * frailty * np.exp(linear)
        return Latent(arrivals=np.cumsum(gaps, axis=0), scale=np.asarray(rate))


def respond(latent: Latent, arm: Any, applied: Applied) -> Response:
    """Times of successive events under the arms, (J, R, N): the process runs at the arm's rate."""
    assert latent.arrivals is not None and latent.scale is not None
    rate = latent.scale * np.exp(applied.log_ratio(arm, "rate_ratio"))
    with np.errstate(divide="ignore"):
        return Response(values=np.where(rate > 0, latent.arrivals / rate, NEVER))


def respond_until(
    endpoint: CountEndpoint,
    latent: Latent,
    arm: Any,
    applied: Applied,
    stops: Floats,
    after: Applied,
) -> Response:
    """Event times under the arms: from the stop on the process runs at the rate of `after`."""
    assert latent.arrivals is not None and latent.scale is not None
    on, off = (
        latent.scale * np.exp(a.log_ratio(arm, "rate_ratio")) for a in (applied, after)
    )
    held = np.where(np.isfinite(stops), stops, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        before = np.where(on > 0, latent.arrivals / on, NEVER)
        later = np.where(off > 0, held + (latent.arrivals - on * held) / off, NEVER)
    return Response(values=np.where(before <= stops, before, later))


def observe(
    endpoint: CountEndpoint,
    response: Response,
    entry: Floats,
    leaves: Floats,
    cut: Floats,
    randomised: Booleans,
) -> Observed:
    """Events counted until the look, the end of follow-up or the patient's leaving."""
    assert response.values is not None
    until = np.minimum(np.minimum(cut - entry, endpoint.follow_up), response.lost(leaves))
    exposure = np.clip(until, 0, None)
    counted = (response.values <= exposure).sum(axis=0).astype(np.float64)
    return Observed(randomised & (exposure > 0), values=counted[None], exposure=exposure)
