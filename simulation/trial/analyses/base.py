"""What every analysis takes and gives, over a batch of replicates."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, Self, final

import numpy as np
from pydantic import model_validator

from simulation.trial.outcomes.base import Booleans, Floats, Followed, Indices, Observed
from simulation.trial.plan import Plan


@final
@dataclass(frozen=True)
class Fit:
    """Estimates of one comparison, each (R,).

    Attributes
    ----------
    estimate
        Treated against control: a difference, or the log of a ratio; NaN where there is none.
    se
        Its standard error; infinite where there is no estimate.
    z
        Statistic whose sign is the estimate's, on the normal scale (a t statistic is taken to the
        normal quantile of the same level).
    information
        Information that the look has: patients, events or 1 / variance, by the analysis.
    n
        Patients in the analysis.
    more
        Further figures by name, for the report of one trial: `df` of a t statistic, `naive_se`.
    """

    estimate: Floats
    se: Floats
    z: Floats
    information: Floats
    n: Floats
    more: dict[str, Floats] = field(default_factory=dict)

    def rows(self, which: Booleans) -> "Fit":
        """Those of some replicates."""
        return Fit(
            self.estimate[which],
            self.se[which],
            self.z[which],
            self.information[which],
            self.n[which],
            {name: values[which] for name, values in self.more.items()},
        )


@final
@dataclass(frozen=True)
class External:
    """Controls who were not randomised, over (R, M).

    Attributes
    ----------
    kind
        Of the endpoint, `binary` or `continuous`.
    values
        Outcomes, NaN where unknown.
    covariates
        Columns (P, R, M) of the model.
    n_train
        Of twins: real patients behind them; None for patients.
    refused
        Verdict (R,) of the first look about borrowing them; None at that look.
    """

    kind: str
    values: Floats
    covariates: Floats
    n_train: int | None = None
    refused: Indices | None = None


@final
@dataclass(frozen=True)
class LookData:
    """What an analysis may use at a look, over (R, N).

    Attributes
    ----------
    observed
        The endpoint.
    arm
        Number of each patient's arm; -1 where nobody is randomised.
    covariates
        Columns (P, R, N) of the model.
    strata
        Numbers of strata (R, N), or None.
    external
        Controls who were not randomised, where the analysis asks for them.
    """

    observed: Observed
    arm: Indices
    covariates: Floats
    strata: Indices | None = None
    external: External | None = None

    def pair(
        self, treated: int, control: int, among: Booleans | None = None
    ) -> tuple[Booleans, Floats]:
        """Patients (R, N) of two arms whose data count, and 1.0 for the treated."""
        there = self.observed.included & ((self.arm == treated) | (self.arm == control))
        if among is not None:
            there = there & among
        return there, (self.arm == treated).astype(np.float64)

    def moments(self, arms: int, among: Booleans | None = None) -> tuple[Floats, Floats, Floats]:
        """Known last values, their sum and squares about the mean, (R, A) over the first arms."""
        from simulation.kernels.moments import arm_moments

        assert self.observed.values is not None
        everybody = np.empty((len(self.arm), 0), dtype=np.bool_)
        found: tuple[Floats, Floats, Floats] = arm_moments(
            self.observed.values[-1],
            self.observed.included,
            everybody if among is None else among,
            self.arm,
            arms,
        )
        return found


class Analysis(Plan, ABC):
    """A pre-specified analysis of one endpoint."""

    takes: ClassVar[tuple[str, ...]]
    """Kinds of endpoint that it can analyse."""
    sign: ClassVar[float] = 1.0
    """-1 where estimates rise as the endpoint's usual measure falls (time, hazard)."""
    uses: ClassVar[tuple[str, ...]] = ("covariates", "strata")
    competing: ClassVar[bool] = False
    """Whether it asks for an endpoint with a competing cause."""
    every_visit: ClassVar[bool] = False
    """Whether patients count from their first visit on, not only once their last is due."""
    external: ClassVar[Literal["", "beside", "instead"]] = ""
    """Whether it takes external controls beside randomised ones, or instead of them."""
    kind: str
    covariates: tuple[str, ...] = ()
    strata: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _nothing_in_vain(self) -> Self:
        vain = [name for name in ("covariates", "strata") if getattr(self, name)]
        vain = [name for name in vain if name not in self.uses]
        if vain:
            raise ValueError(f"{', '.join(vain)}: {self.kind} does not use them; leave them out")
        return self

    def misfits(self, n_train: int | None) -> list[str]:
        """Say what it cannot do with external controls; `n_train` patients are behind twins."""
        return []

    def verdict(self) -> str:
        """When it leaves external controls out, in words."""
        return ""

    @property
    @abstractmethod
    def ratio(self) -> bool:
        """Whether estimates are logs of ratios."""

    @property
    def stated(self) -> bool:
        """Whether scenarios state ratios on the scale of these estimates."""
        return self.ratio

    @property
    @abstractmethod
    def summary(self) -> str:
        """The population-level summary, for the estimand."""

    @abstractmethod
    def fit(
        self,
        data: LookData,
        treated: int,
        control: int,
        among: Booleans | None = None,
    ) -> Fit:
        """Compare two arms in every replicate, among some of the patients."""

    def fit_cut(
        self, followed: Followed, arm: Indices, treated: int, control: int
    ) -> Fit | None:
        """Compare two arms straight from what a look is to cut; None where that needs `fit`."""
        return None


class Fitter(Protocol):
    """Something that fits, for rules that ask for stages and subgroups."""

    def __call__(self, treated: int, among: Booleans | None = None) -> Fit:
        """Compare an arm with the control arm."""


def survival_data(
    data: LookData, treated: int, control: int, among: Booleans | None
) -> tuple[Floats, Floats, Booleans, Booleans]:
    """Times, events, who counts, and who is treated, of a time-to-event endpoint, (R, N)."""
    from simulation.kernels.survival import pair_rows

    included, arm = pair_rows(data.observed.included, data.arm, treated, control)
    if among is not None:
        included = included & among
    time, event = data.observed.time, data.observed.event
    assert time is not None and event is not None
    return time, event, included, arm


def causes_of(observed: Observed) -> Indices:
    """Causes (R, N): 0 censored, 1 the endpoint's event, 2 that of the competing cause."""
    assert observed.event is not None
    other = 0.0 if observed.other is None else 2 * observed.other
    return np.asarray(observed.event + other, dtype=np.int64)


def no_fit(replicates: int) -> Any:
    """Arrays of a comparison that gave nothing, by field."""
    nothing = np.full(replicates, np.nan)
    return {"estimate": nothing, "se": np.full(replicates, np.inf), "z": np.zeros(replicates)}
