"""Goals: a figure of a design, the limit that it must keep to, and how hard to look."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, Self, final

from pydantic import model_validator
from scipy.special import ndtri

from simulation.operating_characteristics.figures import MEANS
from simulation.trial.characteristics import Measured
from simulation.trial.plan import Finite, Name, Stated

Verdict = Literal["met", "not met", "open"]


@final
class Goal(Stated):
    """What a figure must be.

    `figure` is one of `figures.figure_names` (any_rejection under a scenario is its power, under
    "no effect" the type I error; n is the expected size); `scenario` none: the first given.
    """

    figure: Name = "any_rejection"
    scenario: Name | None = None
    at_least: Finite | None = None
    at_most: Finite | None = None

    @classmethod
    def _where(cls) -> str:
        return "goal"

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give either at_least or at_most")
        return self

    @property
    def limit(self) -> float:
        """The limit itself."""
        limit = self.at_most if self.at_least is None else self.at_least
        assert limit is not None
        return limit

    def slack(self, value: float) -> float:
        """How far a figure is on the right side; negative on the wrong one."""
        return self.limit - value if self.at_least is None else value - self.limit

    def scaled(self, value: float) -> float:
        """Slack on a scale near a straight line in sizes: shares by their probits."""
        known = self.figure in MEANS or self.figure.startswith("estimate ")
        if known or not 0 < self.limit < 1:
            return self.slack(value)
        turned = [float(ndtri(min(max(v, 1e-6), 1 - 1e-6))) for v in (value, self.limit)]
        return (turned[0] - turned[1]) * (1 if self.at_least is not None else -1)

    def verdict(self, measured: Measured, errors: float) -> Verdict:
        """Met, not met, or within so many standard errors of the limit."""
        slack = self.slack(measured.value)
        if abs(slack) <= errors * measured.se:
            return "open"
        return "met" if slack > 0 else "not met"

    def told(self) -> str:
        """In words."""
        side = "at least" if self.at_least is not None else "at most"
        where = "" if self.scenario is None else f" under {self.scenario}"
        return f"{self.figure}{where} {side} {self.limit:g}"


@final
@dataclass(frozen=True)
class Effort:
    """Replicates of a try at first and at most, doubled while the goal is open.

    `errors` is by how many standard errors a figure must miss its limit to count as decided;
    `tell` is told of each try when it ends (how many there will be is not known).
    """

    first: int = 1000
    most: int = 50_000
    errors: float = 3.0
    tell: Callable[[str], None] | None = field(default=None, compare=False)


DEFAULT_EFFORT: Final = Effort()


@final
@dataclass(frozen=True)
class Try:
    """One value of the parameter.

    Attributes
    ----------
    measured
        The goal's figure, then the limits'.
    verdict
        Of the goal; "open" where the most replicates did not decide.
    patients
        Size of the design that was simulated.
    """

    value: float
    replicates: int
    measured: tuple[Measured, ...]
    verdict: Verdict
    patients: int
