"""Scenarios: what is true. The design stays; effects, leaving and enrolment may differ."""

from typing import final

from pydantic import Field

from simulation.trial.design.discontinuation import Discontinuation
from simulation.trial.design.dropout import Dropout
from simulation.trial.design.enrolment import Enrolment
from simulation.trial.outcomes import Effect
from simulation.trial.plan import Finite, Name, Plan


@final
class Scenario(Plan):
    """One truth. No effects at all is the null."""

    name: Name
    effects: tuple[Effect, ...] = ()
    dropout: Dropout | None = Field(default=None, description="in place of the design's")
    discontinuation: Discontinuation | None = Field(
        default=None, description="in place of the design's"
    )
    enrolment: Enrolment | None = Field(default=None, description="in place of the design's")
    external_drift: Finite | None = Field(
        default=None, description="of external controls, in place of the design's"
    )

    @property
    def null(self) -> bool:
        """Whether no arm does anything."""
        return all(effect.none for effect in self.effects)


NO_EFFECT = "no effect"
"""Name of the scenario that is always simulated."""
