"""Decision rules: what is decided at each look, for a batch of replicates at once."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Self, final

import numpy as np
from pydantic import Field, field_validator, model_validator

from simulation.trial.analyses.base import Fit, LookData
from simulation.trial.outcomes.base import Booleans, Floats, Indices
from simulation.trial.plan import Name, Plan, Positive

GOES_ON, EFFICACY, FUTILITY, END = 0, 1, 2, 3
"""Why a replicate stopped: with at least one rejection, without any, or at the last look so."""


@final
class Looks(Plan):
    """When the data are looked at.

    By `patients`: when the outcome of that many randomised patients is due; by `events`: when
    that many events of an endpoint have come; by `time`: that long after the first site opened.
    """

    by: Literal["patients", "events", "time"] = "patients"
    at: tuple[Positive, ...] | None = Field(
        default=None, description="patients, events or times, rising; the last is the final look"
    )
    number: int = Field(default=1, ge=1, le=20, description="equally spaced, where `at` is absent")
    information: tuple[Positive, ...] | None = Field(
        default=None, description="planned information rates; none: in proportion to `at`"
    )
    endpoint: Name | None = Field(default=None, description="of the events; none: the first")
    latest: Positive | None = Field(
        default=None, description="no look is later than this time, events or not"
    )

    @field_validator("at")
    @classmethod
    def _rising(cls, at: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if at is not None and (not at or list(at) != sorted(set(at))):
            raise ValueError("looks must be one or more, in rising order, each once")
        return at

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.at is None and self.by != "patients":
            raise ValueError(f"at: looks by {self.by} need their figures")
        if self.information is not None and len(self.information) != self.count:
            raise ValueError("information: one rate for each look")
        return self

    @property
    def count(self) -> int:
        """Number of looks."""
        return len(self.at) if self.at is not None else self.number

    @property
    def rates(self) -> tuple[float, ...]:
        """Planned information rates, rising to 1."""
        if self.information is not None:
            return self.information
        at = self.at or tuple(float(k) for k in range(1, self.number + 1))
        return tuple(value / at[-1] for value in at)


@dataclass
class State:
    """Where each replicate stands; arrays (R,), (R, H) over hypotheses, (R, A) over arms.

    Attributes
    ----------
    running
        Not yet stopped.
    stage, reason
        Look (0-based) and reason of the stop.
    rejected
        Hypotheses rejected so far.
    weights
        Randomisation weights of the arms for patients still to come.
    size
        Patients at which each replicate is full.
    narrowed
        Replicates (R,) that recruit the subgroup alone from now on, or None.
    kept
        What a rule carries from look to look, by name, (R, ...).
    """

    running: Booleans
    stage: Indices
    reason: Indices
    rejected: Booleans
    weights: Floats
    size: Indices
    narrowed: Booleans | None = None
    kept: dict[str, Floats] = field(default_factory=dict)

    @classmethod
    def fresh(
        cls, replicates: int, hypotheses: int, weights: tuple[float, ...], size: int
    ) -> "State":
        """All running, nothing rejected."""
        return cls(
            running=np.ones(replicates, dtype=bool),
            stage=np.zeros(replicates, dtype=np.int64),
            reason=np.zeros(replicates, dtype=np.int64),
            rejected=np.zeros((replicates, hypotheses), dtype=bool),
            weights=np.tile(np.asarray(weights, dtype=np.float64), (replicates, 1)),
            size=np.full(replicates, size, dtype=np.int64),
        )

    def stop(self, which: Booleans, look: int, reason: int) -> None:
        """Stop running replicates at a look."""
        now = which & self.running
        self.stage[now] = look
        self.reason[now] = reason
        self.running &= ~which

    def give_up(self, which: Booleans, look: int) -> None:
        """Stop where nothing that is left is worth testing: a success if something is rejected."""
        self.stop(which & self.rejected.any(axis=1), look, EFFICACY)
        self.stop(which, look, FUTILITY)

    def keep_dropped(self, arms: list[int]) -> None:
        """Keep which hypotheses' arms get no more patients without having been rejected."""
        self.kept["dropped"] = ((self.weights[:, arms] == 0) & ~self.rejected).astype(np.float64)

    def rows(self, which: Booleans) -> "State":
        """Those of some replicates."""
        return State(
            self.running[which],
            self.stage[which],
            self.reason[which],
            self.rejected[which],
            self.weights[which],
            self.size[which],
            None if self.narrowed is None else self.narrowed[which],
            {name: values[which] for name, values in self.kept.items()},
        )


@final
@dataclass(frozen=True)
class ArmSummary:
    """Outcomes of each arm at a look, of patients whose last value is known.

    Attributes
    ----------
    n, mean, variance
        (R, A) over arms; mean and variance are 0 where there are too few.
    kind
        Of the endpoint, `binary` or `continuous`.
    sign
        1 where higher values are better, else -1.
    """

    n: Floats
    mean: Floats
    variance: Floats
    kind: str
    sign: float

    @classmethod
    def of(cls, data: LookData, arms: int, kind: str, sign: float) -> Self:
        """Sum up the last value of an endpoint."""
        n, total, squares = data.moments(arms)
        return cls(n, total / np.maximum(n, 1.0), squares / np.maximum(n - 1, 1.0), kind, sign)

    def together(self) -> tuple[Floats, Floats]:
        """Mean and variance (R,) of all patients, arms not told apart."""
        n = np.maximum(self.n.sum(axis=1), 1.0)
        mean = (self.n * self.mean).sum(axis=1) / n
        between = self.n * (self.mean - mean[:, None]) ** 2
        squares = (np.maximum(self.n - 1, 0.0) * self.variance + between).sum(axis=1)
        return mean, squares / np.maximum(n - 1, 1.0)

    def rows(self, which: Booleans) -> "ArmSummary":
        """Those of some replicates."""
        return ArmSummary(
            self.n[which], self.mean[which], self.variance[which], self.kind, self.sign
        )


@final
@dataclass(frozen=True)
class Evidence:
    """What a rule sees at a look.

    Attributes
    ----------
    look
        0-based.
    fits
        Cumulative fit of each hypothesis (endpoint and treated arm); z is turned so that
        positive is a benefit. Rules over every arm have none: their summary is enough.
    arms
        Number of the treated arm of each hypothesis.
    control
        Number of the control arm.
    summary
        Outcomes of every arm on the first hypothesis' endpoint, for rules over every arm and for
        blinded ones, which take the arms together.
    by_variance
        Whether stages are told apart by 1 / variance. Times to events are: the score's variance is
        what grows by independent increments, and events go with it only where arms stay balanced
        (Tsiatis 1982, doi 10.1080/01621459.1982.10477898).
    """

    look: int
    fits: tuple[Fit, ...]
    arms: tuple[int, ...] = ()
    control: int = 0
    summary: ArmSummary | None = None
    by_variance: bool = False

    @property
    def z(self) -> Floats:
        """Statistics (R, H)."""
        return np.stack([fit.z for fit in self.fits], axis=1)

    @property
    def information(self) -> Floats:
        """Information (R, H), in the analysis's unit."""
        return np.stack([fit.information for fit in self.fits], axis=1)

    @property
    def weight(self) -> Floats:
        """Information (R, H) by which stages are told apart; 0 where nothing is known."""
        if not self.by_variance:
            return np.nan_to_num(self.information)
        se = np.stack([fit.se for fit in self.fits], axis=1)
        known = np.isfinite(se) & (se > 0)
        return np.where(known, 1 / np.where(known, se, 1.0) ** 2, 0.0)

    def stage_z(self, state: State) -> Floats:
        """Statistics (R, H) of the patients or events since the last look.

        By independent increments of the cumulative scores z sqrt(information), which are kept in
        the state for the next look; 0 where nothing has come.
        """
        information = self.weight
        score = np.nan_to_num(self.z) * np.sqrt(information)
        before = state.kept.get("score", np.zeros_like(score))
        known = state.kept.get("information", np.zeros_like(score))
        step = information - known
        state.kept["score"], state.kept["information"] = score, information
        more = step > 1e-9 * np.maximum(information, 1e-300)
        return np.where(more, (score - before) / np.sqrt(np.where(more, step, 1.0)), 0.0)


class Rule(Plan, ABC):
    """A design's decisions. Adding one is a file and a line in `Choice`."""

    decisions: ClassVar[Mapping[str, str]] = {}
    """What it decides beside stopping: a name in `State.kept`, and words; {} is the arm."""
    kind: str
    alpha: float = Field(default=0.025, gt=0, lt=0.5, description="one-sided type I error")
    looks: Looks = Looks()

    def faults(self, n: int, arms: int, hypotheses: int) -> list[str]:
        """Say what does not fit the rest of the design."""
        return []

    def largest(self, n: int) -> int:
        """Most patients that a replicate can need."""
        return n

    @property
    def adapts(self) -> bool:
        """Whether later patients' arms depend on earlier data, by `State.weights`."""
        return False

    @property
    def every_arm(self) -> bool:
        """Whether every arm has a hypothesis, the control arm too, of binary or continuous data."""
        return False

    @property
    def blinded(self) -> bool:
        """Whether it decides by the outcomes of all patients, arms not told apart."""
        return False

    @property
    def resizes(self) -> bool:
        """Whether the number of patients depends on earlier data, by `State.size`."""
        return False

    @property
    def remembers(self) -> bool:
        """Whether the first look's estimates are kept, which later patients depend on."""
        return self.narrows

    @property
    def narrows(self) -> bool:
        """Whether later patients may come from the subgroup alone, by `State.narrowed`."""
        return False

    def events_due(self, state: State) -> Indices | None:
        """Events (R,) for which the last look waits, where earlier data say so."""
        return None

    def decided(self, state: State) -> dict[str, Booleans]:
        """What replicates have decided so far, (R,), or on each hypothesis' arm, (R, H)."""
        return {name: state.kept[name] > 0 for name in self.decisions if name in state.kept}

    @abstractmethod
    def decide(self, evidence: Evidence, state: State, shares: tuple[float, ...]) -> None:
        """Change the state after a look; `shares` are the hypotheses' shares of alpha."""

    @abstractmethod
    def critical(self, alpha: float) -> tuple[float, ...]:
        """Critical z of each look at a one-sided level, for reports; NaN where there is none."""
