"""Time to event: hazards in steps or Weibull's law, hazard ratios that may change with time."""

from dataclasses import dataclass, replace
from typing import Any, Literal, Self, final

import numpy as np
from pydantic import Field, model_validator

from simulation.trial.outcomes.base import (
    NEVER,
    Booleans,
    Floats,
    Followed,
    Latent,
    Observed,
    Response,
    Strategies,
)
from simulation.trial.outcomes.effects import Applied
from simulation.trial.plan import Finite, Name, NotNegative, Plan, Positive, Share


@final
class TimeToEventEndpoint(Plan):
    """Time from randomisation to an event."""

    kind: Literal["time_to_event"] = "time_to_event"
    name: Name
    follow_up: Positive | None = Field(
        default=None, description="longest follow-up of a patient; none: until the look"
    )
    competing: Name | None = Field(
        default=None, description="time-to-event endpoint of the design whose event precludes this"
    )
    good: bool = Field(default=False, description="whether the event is wished for, as a response")
    intercurrent_events: Strategies = Field(
        default_factory=dict, description="strategies for this endpoint; none: the design's"
    )

    @property
    def delay(self) -> float:
        """Events count as they come."""
        return 0.0

    @property
    def sign(self) -> float:
        """Direction of a log hazard ratio that is a benefit."""
        return 1.0 if self.good else -1.0


@final
class HazardPiece(Plan):
    """From a time since randomisation on, the hazard is `rate` for each unit of time."""

    start: NotNegative = 0.0
    rate: NotNegative


@final
class TimeToEventLaw(Plan):
    """Law under control: give `median`, `hazard` (one rate or steps), or Weibull's two figures."""

    kind: Literal["time_to_event"] = "time_to_event"
    median: Positive | None = None
    hazard: Positive | tuple[HazardPiece, ...] | None = None
    shape: Positive = Field(default=1.0, description="Weibull's shape, with `median`")
    log_hazard_ratios: dict[str, Finite] = Field(
        default_factory=dict, description="by covariate, for each unit (of a category: its level)"
    )
    cured: Share = Field(default=0.0, description="share that never has the event")

    @model_validator(mode="after")
    def _one_law(self) -> Self:
        if (self.median is None) == (self.hazard is None):
            raise ValueError("give either median or hazard")
        if isinstance(self.hazard, tuple):
            starts = [piece.start for piece in self.hazard]
            if not starts or starts[0] != 0 or starts != sorted(set(starts)):
                raise ValueError("hazard: steps must rise from start 0, each once")
            if self.shape != 1:
                raise ValueError("shape: goes with median only")
        return self

    @property
    def coefficients(self) -> dict[str, float]:
        """Log hazard ratios by covariate."""
        return self.log_hazard_ratios

    def base(self) -> "Hazard":
        """Return the cumulative hazard of a patient with all covariates at their centre."""
        if isinstance(self.hazard, tuple):
            return Hazard(
                tuple(p.start for p in self.hazard), tuple(p.rate for p in self.hazard), 1.0
            )
        if self.hazard is not None:
            return Hazard((0.0,), (self.hazard,), 1.0)
        assert self.median is not None
        return Hazard((0.0,), (float(np.log(2) ** (1 / self.shape) / self.median),), self.shape)

    def draw(self, uniform: Floats, linear: Any) -> Latent:
        """Latent hazards from uniforms (R, N) and linear predictors."""
        hazard = -np.log(uniform)
        if self.cured:
            # Survivors in the tail of the uniform never have the event; the rest is stretched.
            rest = (uniform - self.cured) / (1 - self.cured)
            hazard = np.where(rest > 0, -np.log(np.where(rest > 0, rest, 1.0)), NEVER)
        return Latent(hazard=hazard, scale=np.exp(linear), law=self.base())


@final
@dataclass(frozen=True)
class Hazard:
    """Cumulative hazard that is linear between knots, or a power of time (one piece)."""

    starts: tuple[float, ...]
    rates: tuple[float, ...]
    shape: float

    def cumulative(self, time: float) -> float:
        """Cumulative hazard at a time."""
        if len(self.starts) == 1:
            return float((self.rates[0] * time) ** self.shape)
        ends = np.append(self.starts[1:], np.inf)
        spent = np.clip(np.minimum(time, ends) - np.asarray(self.starts), 0, None)
        return float(np.asarray(self.rates) @ spent)

    def at(self, time: Floats) -> Floats:
        """Cumulative hazard at times of any shape."""
        if len(self.starts) == 1:
            return np.asarray((self.rates[0] * time) ** self.shape)
        ends = np.append(self.starts[1:], np.inf)
        spent = np.zeros(np.shape(time))
        for start, end, rate in zip(self.starts, ends, self.rates, strict=True):
            spent += rate * np.clip(np.minimum(time, end) - start, 0, None)
        return spent

    def inverse(self, hazard: Floats) -> Floats:
        """Time at which a cumulative hazard is reached; infinite where it never is."""
        if len(self.starts) == 1:
            time = (
                hazard / self.rates[0]
                if self.shape == 1
                else (hazard ** (1 / self.shape) / self.rates[0])
            )
            return np.asarray(time)
        knots = np.array([self.cumulative(start) for start in self.starts])
        piece = np.searchsorted(knots, hazard, side="right") - 1
        with np.errstate(divide="ignore", invalid="ignore"):
            time = (
                np.asarray(self.starts)[piece]
                + (hazard - knots[piece]) / np.asarray(self.rates)[piece]
            )
        return np.where(np.isfinite(hazard), time, NEVER)


def respond(latent: Latent, arm: Any, applied: Applied) -> Response:
    """Event times under the arms (R, N): the cumulative hazard is spent at the arm's ratio.

    With ratio r(t) on the control hazard, the event comes when the integral of r dH reaches the
    patient's unit exponential (proportional hazards within each step).
    """
    assert latent.hazard is not None and latent.scale is not None
    alike = np.ndim(latent.scale) == 0 and latent.scale == 1
    left = latent.hazard if alike else latent.hazard / latent.scale
    starts = applied.starts
    reached = np.zeros(1)
    knot = 0.0
    for start, following in zip(starts, (*starts[1:], NEVER), strict=True):
        ratio = applied.ratio(arm, "hazard_ratio", start)
        if following == NEVER:
            reached = (
                left / ratio
                if start == 0
                else np.where(left > 0, knot + left / ratio, reached)
            )
            break
        width = latent.law.cumulative(following) - knot
        inside = np.minimum(left / ratio, width)
        reached = np.where(left > 0, knot + inside, reached)
        left = left - ratio * width
        knot += width
    return Response(time=latent.law.inverse(np.asarray(reached)))


def respond_until(
    endpoint: TimeToEventEndpoint,
    latent: Latent,
    arm: Any,
    applied: Applied,
    stops: Floats,
    after: Applied,
) -> Response:
    """Event times under the arms: from the stop on the hazard has the ratios of `after`.

    What the patient has spent of his unit exponential by the stop is as under `applied`; the rest
    is spent under `after`.
    """
    assert latent.hazard is not None and latent.scale is not None
    before = respond(latent, arm, applied)
    assert before.time is not None
    held = np.where(np.isfinite(stops), stops, 0.0)
    gained = _spent(latent, arm, after, held) - _spent(latent, arm, applied, held)
    later = respond(replace(latent, hazard=np.maximum(latent.hazard + gained, 0.0)), arm, after)
    assert later.time is not None
    return Response(time=np.where(before.time <= stops, before.time, later.time))


def _spent(latent: Latent, arm: Any, applied: Applied, time: Floats) -> Floats:
    """Cumulative hazard of patients by given times (R, N) under the arms."""
    assert latent.scale is not None
    total: Any = 0.0
    for start, following in zip(applied.starts, (*applied.starts[1:], NEVER), strict=True):
        ratio = applied.ratio(arm, "hazard_ratio", start)
        inside = latent.law.at(np.clip(time, start, following)) - latent.law.cumulative(start)
        total = total + ratio * inside
    return np.asarray(latent.scale * total)


def observe(
    endpoint: TimeToEventEndpoint,
    response: Response,
    entry: Floats,
    leaves: Floats,
    cut: Floats,
    randomised: Booleans,
) -> Observed:
    """Cut event times at a look: administrative censoring, dropout and longest follow-up.

    Where a competing cause comes first, follow-up ends with its event.
    """
    from simulation.kernels.survival import cut_rows

    held = followed(endpoint, response, entry, leaves, cut, randomised)
    time, event, included = cut_rows(
        held.time, held.entry, held.leaves, held.cut, held.randomised, held.longest
    )
    if response.other is None:
        return Observed(included, time=time, event=event)
    assert response.time is not None
    own = response.time <= response.other
    return Observed(included, time=time, event=event * own, other=event * ~own)


def followed(
    endpoint: TimeToEventEndpoint,
    response: Response,
    entry: Floats,
    leaves: Floats,
    cut: Floats,
    randomised: Booleans,
) -> Followed:
    """What a look is to cut: the time of the event, or of a competing one that comes first."""
    assert response.time is not None
    first = response.time if response.other is None else np.minimum(response.time, response.other)
    longest = NEVER if endpoint.follow_up is None else endpoint.follow_up
    return Followed(first, entry, response.lost(leaves), cut, randomised, longest)
