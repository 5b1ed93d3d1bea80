"""What every generative model offers, whatever learns inside it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from extraction.records import Cohort, CohortSchema, InputError, Timeline
from extraction.records.conditions import Target
from extraction.records.constraints import violations
from extraction.records.plain import plain_words
from generation.card import ModelCard, present_arms

if TYPE_CHECKING:
    from generation.updating import Update
from generation.constrained import LOT, constrained, first_draw_rate
from generation.request import SampleRequest, SamplingReport, arm_fault, subject_names

__all__ = [
    "ABLE",
    "MINIMUM_PATIENTS",
    "Capability",
    "Model",
    "ModelCard",
    "Options",
    "Progress",
    "SampleRequest",
    "SamplingReport",
    "arm_fault",
    "check_planned_visits",
    "check_trainable",
    "parse_options",
    "present_arms",
    "report_progress",
    "subject_names",
]

Capability = Literal[
    "static", "events", "visits", "conditions", "timeline", "log_prob", "dropout", "update"
]
Progress = Callable[[str, float], None]

MINIMUM_PATIENTS = 20
"""Fewest patients an engine is fitted to."""

ABLE: dict[str, tuple[str, ...]] = {
    "conditions": (
        "twin", "mixture", "cart", "sdv-gaussian-copula", "sdv-ctgan", "sdv-tvae", "sdv-copulagan",
    ),
    "timeline": ("twin",),
    "log_prob": ("twin", "mixture"),
    "dropout": ("twin",),
    "update": ("twin", "mixture"),
}
"""Which engines offer a capability that not all of them have (a contract test checks it)."""


class Options(BaseModel):
    """Base of an engine's options: unknown or out-of-range fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Model(ABC):
    """A fitted generative model of a cohort.

    Subclasses set `engine` and `supports` and implement `fit`, `_sample`, `save` and `load`.
    """

    engine: ClassVar[str]
    engine_version: ClassVar[str] = "1"
    supports: ClassVar[frozenset[Capability]]
    keyed: ClassVar[bool] = True
    """Whether a patient's draws are keyed by number: sample(10) begins sample(1000)."""
    lot: ClassVar[int] = LOT
    """Patients by whom shares of the model's patients are counted (`generation.constrained`)."""

    device: str = "cpu"
    """Where nets run when patients are drawn; bytes may differ between kinds of device."""

    def __init__(self, card: ModelCard) -> None:
        self.card = card

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.card!r})"

    @property
    def schema(self) -> CohortSchema:
        """Schema of the training cohort, which every sample follows."""
        return self.card.schema_

    @classmethod
    @abstractmethod
    def fit(
        cls, cohort: Cohort, seed: int = 0, progress: Progress | None = None, **options: Any
    ) -> Self:
        """Fit the engine to a cohort; use :func:`generation.fit`."""

    def sample(
        self,
        n: int,
        given: Any = None,
        arm: str | None = None,
        until_day: float | None = None,
        seed: int = 0,
        *,
        dropout: bool = True,
        first: int = 0,
        gate: bool = True,
    ) -> Cohort:
        """Draw synthetic patients.

        Parameters
        ----------
        n
            Number of patients, or of futures of one patient.
        given
            None (a population); a condition or its dictionary form (a cohort); or a
            `Timeline` (futures of that patient, history rows included). Bounds on baseline
            variables and the arm are met by the engine itself. Anything else (values at
            visits, endpoints, or, not) is met by drawing again the patients who do not surely
            meet it: exact, at a cost that the report tells.
        arm
            Arm to simulate; None draws arms by the design (a Timeline: its own arm).
        until_day
            Last day to simulate, in days from index, at least 0; None is the planned end of
            follow-up as learnt. A Timeline's history ends at its own `until_day`.
        seed
            The same seed gives the same patients; the first ten of n = 1000 are those
            of n = 10 (engines that state otherwise excepted).
        dropout
            False simulates everyone to the end of follow-up (a hypothetical estimand:
            censoring is taken as independent given the history).
        first
            Number of the first patient, from 0: n = 10 from 5 are patients 5 to 14 of one
            call for 15, so a large sample can be drawn in parts.
        gate
            Whether a condition that fewer than 20 training patients are expected to meet is
            refused (design rule). Only evaluation, and callers that have counted the real
            patients themselves (`generation.applicability.require`), switch it off.

        Raises
        ------
        InputError
            If the engine cannot do what is asked; the message names one that can.
        RefusedError
            If too few training patients stand behind the condition.
        """
        return self.sample_with_report(
            n, given, arm, until_day, seed, dropout=dropout, first=first, gate=gate
        )[0]

    @final
    def sample_with_report(
        self,
        n: int,
        given: Any = None,
        arm: str | None = None,
        until_day: float | None = None,
        seed: int = 0,
        *,
        dropout: bool = True,
        first: int = 0,
        gate: bool = True,
    ) -> tuple[Cohort, SamplingReport]:
        """Draw synthetic patients and say how the condition was met; see `sample`."""
        self._check_request(n, given, arm, until_day, dropout, first, seed)
        patients = np.arange(first, first + n)
        return self._met(SampleRequest(patients, given, arm, until_day, seed, dropout, gate))

    @final
    def sample_numbers(
        self, patients: npt.NDArray[np.int64], given: Any = None, arm: str | None = None,
        seed: int = 0,
    ) -> Cohort:
        """Draw the patients of these rising numbers alone, as `sample` would among all others.

        For callers whose condition `sample` has let pass: it is not gated again. InputError if
        the engine draws n patients at once.
        """
        self._check_request(len(patients), given, arm, None, True, int(patients[-1]), seed)
        return self._met(SampleRequest(patients, given, arm, None, seed, True, False))[0]

    def _met(self, request: SampleRequest) -> tuple[Cohort, SamplingReport]:
        rate = self.card.metrics.get("constraint_rate")
        return constrained(
            self._sample, request, self.schema, rate, self.lot,
            keyed=self.keyed, takes=self.takes,
        )

    def on(self, device: Literal["cpu", "gpu"]) -> Model:
        """Return the model with its nets on a device; engines that draw without nets stay."""
        return self

    def takes(self, target: Target) -> bool:
        """Whether the engine restricts this target itself, besides baseline and arm."""
        return False

    def record_constraints(self, cohort: Cohort) -> None:
        """Write into the card how far the training cohort and the first draws meet constraints.

        Training patients who break one stay in the fit. The card counts them by constraint
        (one to four are told as four) and the share of the model's patients who meet every
        constraint at the first draw (``constraint_rate``, over a fixed lot of `lot`). A private
        model's card tells the share alone: counts of patients were not paid for.
        """
        table = violations(cohort) if self.card.privacy is None else violations(cohort).iloc[:0]
        counts = {
            f"training patients violating {title}": float(count if count == 0 else max(count, 4))
            for title, count in zip(table["constraint"], table["violating"], strict=True)
        }
        rate = first_draw_rate(self._sample, self.schema, self.lot)
        metrics = {**self.card.metrics, **counts, "constraint_rate": rate}
        self.card = self.card.model_copy(update={"metrics": metrics})

    @abstractmethod
    def _sample(self, request: SampleRequest) -> tuple[Cohort, SamplingReport]:
        """Draw the request's patients, in its order, named by :func:`subject_names`.

        The request is checked before (numbers, arm, capabilities).
        """

    def log_prob(self, cohort: Cohort) -> npt.NDArray[np.float64]:
        """Log-probability of each patient in nats, shape (n,)."""
        self._require("log_prob", "compute a patient's likelihood")
        raise AssertionError(f"{type(self).__name__} says that it supports log_prob")

    def update(
        self,
        cohort: Cohort,
        seed: int = 0,
        earlier: Cohort | None = None,
        progress: Progress | None = None,
    ) -> Update:
        """Bring the model up to date with patients who came later.

        A new version is fitted from this one's weights to four fifths of the new patients and
        the earlier ones, and kept only if the likelihood of the other new patients does not fall.

        Parameters
        ----------
        cohort
            At least 25 patients the model has not learnt from, of its schema.
        seed
            Seed of the split and the fit.
        earlier
            The cohort this model was fitted to (its digest is checked). Without it the model's
            own synthetic patients stand for them, as many as were trained on, and the card says
            so: what the model forgot of them stays forgotten.

        Returns
        -------
        Update
            The model to go on with, whether it is new, the scores, and what moved.

        Raises
        ------
        InputError
            With every reason why the model cannot be updated.
        """
        from generation.updating import update

        return update(self, cohort, seed, earlier, progress)

    def refitted(self, cohort: Cohort, seed: int, progress: Progress | None = None) -> Self:
        """Fit this engine to a cohort from this model's weights, on the same scales."""
        self._require("update", "be updated")
        raise AssertionError(f"{type(self).__name__} says that it supports update")

    @abstractmethod
    def save(self, folder: Path | str) -> Path:
        """Write the model to a folder (`generation.artifact`)."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path | str) -> Self:
        """Read a model from a folder; use :func:`generation.load_model`."""

    def _require(self, capability: Capability, what: str) -> None:
        if capability in self.supports:
            return
        able = ", ".join(repr(name) for name in ABLE.get(capability, ()))
        raise InputError(f"engine {self.engine!r}: cannot {what}; use engine {able}")

    @property
    def leaving_endpoints(self) -> frozenset[str]:
        """Endpoints that say that observation ended: without dropout they cannot happen."""
        return frozenset()

    def _check_request(
        self,
        n: int,
        given: Any,
        arm: str | None,
        until_day: float | None,
        dropout: bool,
        first: int,
        seed: int = 0,
    ) -> None:
        """Refuse, with every fault at once, what this model cannot sample."""
        faults = [
            f"{name}: must be a whole number of at least {least}"
            for name, number, least in (("n", n, 1), ("first", first, 0))
            if isinstance(number, bool) or not isinstance(number, int | np.integer)
            or number < least
        ]
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
            faults.append("seed: must be a whole number")
        if until_day is not None and not 0 <= until_day < np.inf:
            faults.append("until_day: must be a number of days from index, at least 0, or None")
        if not faults and first and not self.keyed:
            faults.append(
                f"first: engine {self.engine!r} draws n patients at once and cannot begin at a "
                "later one; draw them all with first=0, or use engine 'twin' or 'cart'"
            )
        if arm is not None and arm not in self.card.arms:
            faults.append(arm_fault(arm, self.card.arms))
        if faults:
            raise InputError(faults)
        if isinstance(given, Timeline):
            self._require("timeline", "continue a patient's history")
        elif given is not None:
            self._require("conditions", "sample under a condition")
        if not dropout:
            self._require("dropout", "switch dropout off")


def check_trainable(cohort: Cohort, engine: str) -> None:
    """Refuse a cohort that no model should be fitted to.

    Raises
    ------
    InputError
        Below :data:`MINIMUM_PATIENTS` patients or without anything to learn.
    """
    faults = []
    if len(cohort) < MINIMUM_PATIENTS:
        faults.append(
            f"cohort: {len(cohort)} patients; engine {engine!r} needs at least "
            f"{MINIMUM_PATIENTS}; add patients or pool studies"
        )
    schema = cohort.schema
    if not (schema.baseline or schema.endpoints or schema.longitudinal):
        faults.append("schema: no baseline variable, endpoint or visit variable; name at least one")
    if faults:
        raise InputError(faults)


def check_planned_visits(schema: CohortSchema, engine: str) -> None:
    """Refuse values over time without planned visits: an engine of flat columns would drop them.

    Raises
    ------
    InputError
        If there are longitudinal variables and no visit windows.
    """
    if schema.longitudinal and not schema.visits:
        raise InputError(
            f"schema: longitudinal variables without planned visits; engine {engine!r} knows "
            "visits at planned days alone; use engine 'twin', declare visits, or leave them out"
        )


def parse_options(kind: type[Options], engine: str, options: dict[str, Any]) -> Any:
    """Check an engine's options, reporting every fault at once."""
    try:
        return kind(**options)
    except ValidationError as error:
        raise InputError([
            f"engine {engine!r}, option {'.'.join(map(str, fault['loc']))}: "
            f"{plain_words(fault, kind.model_fields)}; "
            f"options are {', '.join(kind.model_fields)}"
            for fault in error.errors(include_input=False, include_url=False)
        ]) from None


def report_progress(progress: Progress | None, what: str, fraction: float) -> None:
    """Tell a caller how far a fit has come (fraction from 0 to 1)."""
    if progress is not None:
        progress(what, float(fraction))
