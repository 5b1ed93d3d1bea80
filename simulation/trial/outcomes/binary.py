"""Binary outcomes at one time, on a logistic law."""

from typing import Any, Literal, final

import numpy as np
from pydantic import Field
from scipy.special import expit

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
from simulation.trial.plan import Finite, Name, NotNegative, Plan


@final
class BinaryEndpoint(Plan):
    """Whether something is so at a time."""

    kind: Literal["binary"] = "binary"
    name: Name
    visit: NotNegative = Field(default=0.0, description="time since randomisation")
    higher_is_better: bool = True
    missing_is_failure: bool = Field(
        default=False, description="composite strategy: who left counts as not better"
    )
    variable: str | None = Field(
        default=None, description="in a model or cohort: its variable, if not the name"
    )
    level: str | None = Field(
        default=None, description="in a model or cohort: the category that counts as 1"
    )
    intercurrent_events: Strategies = Field(
        default_factory=dict, description="strategies for this endpoint; none: the design's"
    )

    @property
    def delay(self) -> float:
        """Time from randomisation to the outcome."""
        return self.visit

    @property
    def sign(self) -> float:
        """Direction of a difference that is a benefit."""
        return 1.0 if self.higher_is_better else -1.0


@final
class BinaryLaw(Plan):
    """Law under control: a probability, and log odds ratios of covariates."""

    kind: Literal["binary"] = "binary"
    probability: float = Field(gt=0, lt=1, description="with all covariates at their centre")
    log_odds_ratios: dict[str, Finite] = Field(default_factory=dict, description="for each unit")

    @property
    def coefficients(self) -> dict[str, float]:
        """Log odds ratios by covariate."""
        return self.log_odds_ratios

    def draw(self, uniform: Floats, linear: Any) -> Latent:
        """Latent uniforms (R, N) and log odds."""
        odds = np.log(self.probability / (1 - self.probability))
        return Latent(uniform=uniform, log_odds=np.asarray(odds + linear, dtype=np.float64))


def respond(latent: Latent, arm: Any, applied: Applied) -> Response:
    """0 or 1 under the arms; the same uniform under every arm keeps effects monotone."""
    assert latent.uniform is not None and latent.log_odds is not None
    odds = latent.log_odds + applied.log_ratio(arm, "odds_ratio")
    return Response(values=(latent.uniform < expit(odds)).astype(np.float64)[None])


def respond_until(
    endpoint: BinaryEndpoint,
    latent: Latent,
    arm: Any,
    applied: Applied,
    stops: Floats,
    after: Applied,
) -> Response:
    """0 or 1 under the arms, with the effect `after` where treatment stops before the visit."""
    before, later = respond(latent, arm, applied), respond(latent, arm, after)
    return switched(before, later, endpoint.visit, stops)


def observe(
    endpoint: BinaryEndpoint,
    response: Response,
    entry: Floats,
    leaves: Floats,
    cut: Floats,
    randomised: Booleans,
) -> Observed:
    """Outcomes that are due by the look; missing, or a failure, where the patient had left."""
    from simulation.kernels.visits import visit_rows

    assert response.values is not None
    gone = 1.0 - float(endpoint.higher_is_better) if endpoint.missing_is_failure else np.nan
    lost = response.lost(leaves)
    values, due = visit_rows(
        response.values[0], entry, lost, cut, randomised, endpoint.visit, gone
    )
    return Observed(due, values=values[None])
