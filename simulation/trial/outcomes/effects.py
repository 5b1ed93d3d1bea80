"""What an arm does to an outcome, in one scenario."""

from collections.abc import Callable
from typing import Any, Self, final

import numpy as np
from pydantic import Field, model_validator

from simulation.trial.outcomes.base import Booleans, Floats
from simulation.trial.plan import Finite, Name, NotNegative, OneAVisit, Plan, Positive

FIELDS = {
    "continuous": "shift",
    "binary": "odds_ratio",
    "count": "rate_ratio",
    "time_to_event": "hazard_ratio",
}
"""The field of an effect that each kind of outcome takes."""


@final
class HazardStep(Plan):
    """From a time since randomisation on, the hazard ratio is `ratio`."""

    start: NotNegative
    ratio: Positive


@final
class Effect(Plan):
    """Effect of an arm on an endpoint, against the control arm.

    `where` narrows it to patients who meet a condition; of several effects of an arm on an
    endpoint the last that fits a patient counts. Exactly one size is given, that of the
    endpoint's kind.
    """

    arm: Name
    endpoint: Name
    where: dict[str, Any] | None = Field(default=None, description="condition on the baseline")
    shift: Finite | OneAVisit | None = Field(
        default=None, description="continuous: added to the value; one number, or one a visit"
    )
    odds_ratio: Positive | None = Field(default=None, description="binary")
    rate_ratio: Positive | None = Field(default=None, description="count")
    hazard_ratio: Positive | tuple[HazardStep, ...] | None = Field(
        default=None, description="time to event: one ratio, or steps since randomisation"
    )

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        given = [name for name in FIELDS.values() if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"{len(given)} sizes came; give exactly one of {', '.join(FIELDS.values())}"
            )
        if isinstance(self.hazard_ratio, tuple):
            starts = [step.start for step in self.hazard_ratio]
            if not starts or starts[0] != 0 or starts != sorted(set(starts)):
                raise ValueError("hazard_ratio: steps must rise from start 0, each once")
        return self

    @property
    def field(self) -> str:
        """Name of the size that is given."""
        return next(name for name in FIELDS.values() if getattr(self, name) is not None)

    @property
    def none(self) -> bool:
        """Whether it changes nothing."""
        size = getattr(self, self.field)
        if isinstance(size, tuple):
            return all((s.ratio if isinstance(s, HazardStep) else s + 1) == 1 for s in size)
        return bool(size == 0 if self.field == "shift" else size == 1)


@final
class Applied:
    """The effects of one scenario on one endpoint, ready to be laid over patients.

    Parameters
    ----------
    effects
        Those of the endpoint, in the order of the scenario, each with the number of its arm and
        the patients (R, N) who meet its condition (None: all).
    left
        Share of each effect, of a ratio's logarithm, that acts: one, or one a patient (R, N).
    """

    def __init__(
        self, effects: list[tuple[Effect, int, Booleans | None]], left: Floats | float = 1.0
    ) -> None:
        self._effects = effects
        self._left = left

    def scaled(self, left: Floats | float) -> "Applied":
        """The same effects, of which a share acts."""
        return Applied(self._effects, left)

    @property
    def starts(self) -> tuple[float, ...]:
        """Times at which some hazard ratio changes, from 0."""
        return tuple(sorted({0.0, *(s.start for e, _, _ in self._effects for s in _steps(e))}))

    def log_ratio(self, arm: np.ndarray[Any, Any], field: str, start: float = 0.0) -> Any:
        """Log ratio of each patient from a time on; the scalar 0 where nothing acts."""
        return self._laid(arm, lambda effect: _log_size(effect, field, start) * self._left)

    def ratio(self, arm: np.ndarray[Any, Any], field: str, start: float = 0.0) -> Any:
        """Ratio of each patient from a time on; the scalar 1 where nothing acts."""
        return self._laid(
            arm, lambda effect: np.exp(_log_size(effect, field, start) * self._left), 1.0
        )

    def shift(self, arm: np.ndarray[Any, Any], visit: int, visits: int) -> Any:
        """Shift of each patient at a visit (its number)."""

        def size(effect: Effect) -> Any:
            given = effect.shift
            if isinstance(given, tuple):
                given = given[visit] if len(given) == visits else given[-1]
            return float(given or 0.0) * self._left

        return self._laid(arm, size)

    def _laid(
        self, arm: np.ndarray[Any, Any], size: Callable[[Effect], Any], nothing: float = 0.0
    ) -> Any:
        laid: Any = nothing
        for effect, number, fits in self._effects:
            on = arm == number if fits is None else (arm == number) & fits
            laid = np.where(on, size(effect), laid)
        return laid


def _steps(effect: Effect) -> tuple[HazardStep, ...]:
    ratio = effect.hazard_ratio
    return ratio if isinstance(ratio, tuple) else ()


def _log_size(effect: Effect, field: str, start: float) -> float:
    size = getattr(effect, field)
    if isinstance(size, tuple):
        size = [step.ratio for step in size if step.start <= start][-1]
    return float(np.log(size))


def laid_over(values: Floats | float, shape: tuple[int, ...]) -> Floats:
    """Broadcast to a shape, as floats."""
    return np.asarray(np.broadcast_to(values, shape), dtype=np.float64)
