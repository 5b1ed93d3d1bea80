"""Continuous outcomes at one visit or several, on a normal law with correlated visits."""

from typing import Annotated, Any, Literal, Self, final

import numpy as np
from pydantic import Field, model_validator

from simulation.trial.outcomes.base import (
    Booleans,
    Floats,
    Latent,
    Observed,
    Response,
    Strategies,
    switched,
)
from simulation.trial.outcomes.effects import Applied
from simulation.trial.plan import Finite, Name, NotNegative, OneAVisit, Plan, Positive


@final
class ContinuousEndpoint(Plan):
    """A measurement at a visit; earlier visits count for models of repeated measurements."""

    kind: Literal["continuous"] = "continuous"
    name: Name
    visits: tuple[NotNegative, ...] = Field(
        default=(0.0,), min_length=1, description="times since randomisation; the last decides"
    )
    higher_is_better: bool = True
    variable: str | None = Field(
        default=None, description="in a model or cohort: its variable, if not the name"
    )
    at: tuple[str, ...] = Field(
        default=(), description="in a model or cohort: names of the visits, one a time"
    )
    change_from: str | None = Field(
        default=None, description="in a model or cohort: visit whose value is taken off"
    )
    intercurrent_events: Strategies = Field(
        default_factory=dict, description="strategies for this endpoint; none: the design's"
    )

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if list(self.visits) != sorted(set(self.visits)):
            raise ValueError("visits: times must rise, each once")
        if self.at and len(self.at) != len(self.visits):
            raise ValueError("at: one name for each of the visits")
        return self

    @property
    def delay(self) -> float:
        """Time from randomisation to the deciding visit."""
        return self.visits[-1]

    @property
    def sign(self) -> float:
        """Direction of a difference that is a benefit."""
        return 1.0 if self.higher_is_better else -1.0


@final
class ContinuousLaw(Plan):
    """Law under control: normal, with one mean and standard deviation, or one a visit.

    Visits correlate by `visit_correlation` to the power of their distance in visits (first-order
    autoregression); coefficients are in standard deviations of the outcome explained by a unit of
    the covariate.
    """

    kind: Literal["continuous"] = "continuous"
    mean: Finite | OneAVisit = 0.0
    sd: Positive | Annotated[tuple[Positive, ...], Field(min_length=1)] = 1.0
    visit_correlation: float = Field(default=0.0, ge=0, lt=1)
    coefficients: dict[str, Finite] = Field(
        default_factory=dict, description="by covariate: change of the outcome for each unit"
    )
    correlations: dict[str, float] = Field(
        default_factory=dict, description="by standard normal covariate: its correlation with it"
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if sum(r * r for r in self.correlations.values()) > 1:
            raise ValueError("correlations: their squares sum to more than 1; lower them")
        return self

    def draw(self, normal: Floats, linear: Any, explained: Any) -> Latent:
        """Control values from standard normals (V, R, N).

        `linear` is in the outcome's unit; `explained` is the standardised part that correlates.
        """
        visits = len(normal)
        mean, sd = _one_a_visit(self.mean, visits), _one_a_visit(self.sd, visits)
        rest = np.sqrt(1 - sum(r * r for r in self.correlations.values()))
        noise = np.empty_like(normal)
        rho = self.visit_correlation
        for visit, drawn in enumerate(normal):
            step = np.sqrt(1 - rho**2) * drawn
            noise[visit] = drawn if visit == 0 else rho * noise[visit - 1] + step
        values = mean[:, None, None] + linear + sd[:, None, None] * (explained + rest * noise)
        return Latent(values=np.asarray(values))


def _one_a_visit(given: float | tuple[float, ...], visits: int) -> Floats:
    held = given if isinstance(given, tuple) else (given,)
    return np.asarray([held[min(k, len(held) - 1)] for k in range(visits)], dtype=np.float64)


def respond(latent: Latent, arm: Any, applied: Applied) -> Response:
    """Values under the arms: a shift at each visit."""
    assert latent.values is not None
    visits = len(latent.values)
    shifts = [applied.shift(arm, visit, visits) for visit in range(visits)]
    if all(isinstance(shift, float) for shift in shifts):
        return Response(values=latent.values)
    return Response(values=latent.values + np.stack(shifts))


def respond_until(
    endpoint: ContinuousEndpoint,
    latent: Latent,
    arm: Any,
    applied: Applied,
    stops: Floats,
    after: Applied,
) -> Response:
    """Values under the arms, with the effect `after` at visits later than the stop."""
    due = np.asarray(endpoint.visits)[:, None, None]
    return switched(respond(latent, arm, applied), respond(latent, arm, after), due, stops)


def observe(
    endpoint: ContinuousEndpoint,
    response: Response,
    entry: Floats,
    leaves: Floats,
    cut: Floats,
    randomised: Booleans,
) -> Observed:
    """Values of visits that are due by the look and before the patient left."""
    assert response.values is not None
    due = np.asarray(endpoint.visits)[:, None, None]
    there = (entry + due <= cut) & (response.lost(leaves) >= due)
    values = np.where(there, response.values, np.nan)
    return Observed(randomised & (entry + endpoint.delay <= cut), values=values)
