"""The `twin` engine: one model for a population, a cohort and a patient's futures.

Baseline columns come from an any-order net that starts at a Gaussian copula, the arm from the
design, events and censoring from ridge Cox hazards, visits from regressions on the patient's
own past.
What is known is clamped, the rest is drawn. Draws are keyed by seed, patient and
decision, so arms and designs share them (common random numbers).

Between visits the hazards of events and of leaving depend on the last values (`course`), where
that helps patients left out.

Limits, stated: endpoints are independent of each other given baseline, arm and visits, save for
those that contain, follow or mirror another; a visit's values depend on the past through last,
first, mean and recent values alone (no recurrent state); what is not measured is taken to be so at
random given the visits before; conformal intervals hold on average, not for each patient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from extraction.records import Cohort, InputError, Timeline, conditions
from generation.applicability import require_expected
from generation.artifact import read_artifact, write_artifact
from generation.assembly import TrialArrays, to_cohort
from generation.cart_columns import Bound, allowed_arms, arm_share, region_of
from generation.engine import (
    Capability,
    Model,
    ModelCard,
    Options,
    Progress,
    SampleRequest,
    SamplingReport,
    parse_options,
    report_progress,
)
from generation.randomness import Stream
from generation.tokenizer import FloatArray
from generation.twin_model.columns import ARM, Encoded
from generation.twin_model.conformal import Conformal
from generation.twin_model.filling import empty_arrays, write_day_zero
from generation.twin_model.following import follow, setting_of
from generation.twin_model.futures import continue_timeline, expected_outcome, futures
from generation.twin_model.likelihood import (
    LogProbParts,
    OrderedLogProb,
    log_prob_orders,
    log_prob_parts,
)
from generation.twin_model.net_settings import NetSettings
from generation.twin_model.outcome import Event
from generation.twin_model.parts import TwinParts, arm_labels, fit_parts

_LOT = 256


class TwinOptions(Options):
    """Options of the twin engine; the defaults need no tuning."""

    members: int = Field(3, ge=1, le=6, description="ensemble members of the baseline net")
    epochs: int = Field(150, ge=1, le=1000, description="most training epochs")
    device: Literal["cpu", "gpu", "auto"] = Field(
        "cpu", description="auto: a GPU if there is one and the table is large"
    )
    precision: Literal["32", "bf16"] = Field("32", description="of the baseline net's training")
    checkpoint: Path | None = Field(
        None, description="folder from which a killed training goes on to the same model"
    )
    architecture: Literal["auto", "mlp", "transformer"] = Field(
        "auto", description="of the baseline net; auto: mlp, as the other costs more than it gains"
    )
    residual: Literal["auto", "off", "on"] = Field(
        "auto", description="terms that proportional hazards leave out: those that gain, none, all"
    )
    log: Path | None = Field(None, description="folder for Lightning's CSV log of the training")

    def net(self) -> NetSettings:
        """Settings of the baseline net's training."""
        return NetSettings(**{f.name: getattr(self, f.name) for f in fields(NetSettings)})


@dataclass(frozen=True)
class Request:
    """One request to sample, understood."""

    patients: npt.NDArray[np.int64]
    stream: Stream
    until_day: float | None
    dropout: bool


class TwinModel(Model):
    """Any-order baseline net, hazards and visit regressions as one conditional model."""

    engine: ClassVar[str] = "twin"
    engine_version: ClassVar[str] = "4"
    supports: ClassVar[frozenset[Capability]] = frozenset(
        {"static", "events", "visits", "conditions", "timeline", "log_prob", "dropout", "update"}
    )

    def __init__(self, card: ModelCard, parts: TwinParts) -> None:
        super().__init__(card)
        self.sampler, self.outcome, self.visits = parts.sampler, parts.outcome, parts.visits
        self.parts, self.visit_names = parts, parts.visit_names

    @classmethod
    def fit(
        cls, cohort: Cohort, seed: int = 0, progress: Progress | None = None, **options: Any
    ) -> Self:
        """Fit baseline, outcome and visits in turn."""
        return cls._fitted(cohort, seed, progress, options, None)

    def refitted(self, cohort: Cohort, seed: int, progress: Progress | None = None) -> Self:
        """Fit to a cohort on this model's columns, from its net."""
        return self._fitted(cohort, seed, progress, self.card.options, self.parts)

    @classmethod
    def _fitted(
        cls,
        cohort: Cohort,
        seed: int,
        progress: Progress | None,
        options: dict[str, Any],
        start: TwinParts | None,
    ) -> Self:
        chosen = parse_options(TwinOptions, cls.engine, options)
        parts, metrics = fit_parts(cohort, seed, chosen.net(), progress, start, chosen.residual)
        # Folders are no property of the model: the same fit gives the same card anywhere.
        kept = chosen.model_dump(exclude={"checkpoint", "log"})
        card = ModelCard.describe(
            cohort, cls.engine, cls.engine_version, seed, kept,
            ("numpy", "scipy", "scikit-learn", "torch", "pytorch-lightning"), metrics,
        )
        if chosen.checkpoint is not None:
            from generation.twin_model.training_checkpoint import FILE

            (chosen.checkpoint / FILE).unlink(missing_ok=True)  # nothing is left to go on with
        report_progress(progress, "fitted", 1.0)
        return cls(card, parts)

    def _sample(self, request: SampleRequest) -> tuple[Cohort, SamplingReport]:
        """Draw patients or one patient's futures; see `Model.sample`."""
        arrays, report = self._draw(request)
        timeline = request.given if isinstance(request.given, Timeline) else None
        history = None if timeline is None else timeline.cohort
        prefix = "S" if history is None else "D"
        cohort = to_cohort(
            arrays, self.schema, self.engine, report.sentence(), prefix, history,
            request.patients,
        )
        return cohort, report

    def draw(
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
    ) -> tuple[TrialArrays, SamplingReport]:
        """Draw as arrays: the fast way for many futures of one patient.

        The same draws as `sample`; with a `Timeline`, only future visits are in the arrays.
        Constraints of the schema are not looked at.
        """
        self._check_request(n, given, arm, until_day, dropout, first)
        patients = np.arange(first, first + n)
        return self._draw(
            SampleRequest(patients, given, arm, until_day, seed, dropout, gate)
        )

    def _draw(self, asked: SampleRequest) -> tuple[TrialArrays, SamplingReport]:
        """Draw a checked request as arrays."""
        given, arm = asked.given, asked.arm
        if isinstance(given, Timeline):
            return continue_timeline(
                self, given, asked.patients, arm, asked.until_day, asked.seed, asked.dropout
            )
        bounds = {}
        if given is not None:
            bounds = dict(conditions.bounds(conditions.parse(given, self.schema), self.schema))
        arms = allowed_arms(bounds.pop(ARM, None), arm, self.card)
        columns = self.sampler.columns
        faults = [
            f"given: {name}: no patient of this model can meet the condition; widen it"
            for name, bound in bounds.items()
            if region_of(columns.codec(name), bound).share.sum() <= 0
        ]
        if faults:
            raise InputError(faults)
        if ARM in columns.names and set(arms) < set(self.card.arms):
            bounds[ARM] = frozenset(arms)
        probability = self._region_probability(bounds, arms)
        if asked.gate:
            require_expected(given, self.card.n_train, probability)
        stream = Stream(asked.seed, "twin")
        request = Request(asked.patients, stream, asked.until_day, asked.dropout)
        drawn = self.sampler.draw(request.patients, request.stream, bounds)
        labels = arm_labels(columns, drawn.encoded, arms, request.patients, request.stream)
        arrays = self.empty(drawn.encoded, labels)
        if columns.visit_of:
            setting = setting_of(self, arrays, drawn.encoded, request)
            write_day_zero(arrays, columns, drawn.encoded, self.visits, setting)
        self.simulate(arrays, drawn.encoded, request, None, {})
        report = SamplingReport(
            asked.n, self.card.n_train, probability, drawn.effective_share,
            "renormalised bins, resampled" if bounds else "unconditional",
        )
        return arrays, report

    def _region_probability(self, bounds: dict[str, Bound], arms: dict[str, float]) -> float:
        """Share of the model's patients in the region, over a fixed lot of its patients.

        The gate stands on it: it must depend on the request alone, not on n or seed.
        """
        share = 1.0 if ARM in self.sampler.columns.names else arm_share(arms, self.card)
        if not bounds:
            return share
        lot = self.sampler.draw(np.arange(_LOT), Stream(0, "region"), bounds, only_bounds=True)
        return share * lot.region_probability

    @property
    def leaving_endpoints(self) -> frozenset[str]:
        """Endpoints that say that observation ended: without dropout they cannot happen."""
        return frozenset(self.outcome.mirrors)

    def futures(
        self,
        cohort: Cohort,
        day: float,
        draws: int,
        arm: str | None = None,
        seed: int = 0,
        *,
        until_day: float | None = None,
        dropout: bool = False,
    ) -> TrialArrays:
        """Continue many patients' histories from one day in one pass.

        Parameters
        ----------
        cohort
            Patients, none of whom the model should have seen; what follows `day` is not used.
        day
            Last day of every history, in days from index.
        draws
            Futures a patient.
        arm
            Arm of the futures; None is each patient's own.
        seed
            Draws are keyed by the subject's key and the number of the future: a patient's
            futures do not depend on who else is in the cohort.
        until_day
            Last day to simulate; None is the planned end of follow-up.
        dropout
            Whether patients may leave; a patient who has left by `day` then has no future.

        Returns
        -------
        TrialArrays
            Row i * draws + j is future j of patient i. Visits of the history have their values,
            but no day (as in `draw`).

        Raises
        ------
        InputError
            With every fault of the request.
        """
        return futures(self, cohort, day, draws, arm, seed, until_day, dropout)

    def expected_outcome(
        self,
        cohort: Cohort,
        variable: str,
        visit: str,
        arm: str | None = None,
        draws: int = 200,
        seed: int = 0,
    ) -> FloatArray:
        """Mean simulated outcome of each patient, shape (n,), from baseline alone.

        A prognostic score when the arm is the control arm (None: the schema's control arm, or
        the model's only one). Dropout is switched off. Monte Carlo error: spread / sqrt(draws).

        Raises
        ------
        InputError
            If the variable is not numeric and longitudinal, or the visit is not planned.
        """
        return expected_outcome(self, cohort, variable, visit, arm, draws, seed)

    def empty(self, encoded: Encoded, labels: npt.NDArray[np.object_]) -> TrialArrays:
        """Patients with their baseline and nothing after it."""
        return empty_arrays(
            self.schema, self.sampler.columns, self.visit_names, encoded, labels
        )

    def simulate(
        self,
        arrays: TrialArrays,
        encoded: Encoded,
        request: Request,
        after: float | None,
        known: dict[str, Event],
    ) -> None:
        """Draw what follows a day: visits, leaving, events, and close follow-up.

        `known` are events of the history (status 0 where none has happened).
        """
        follow(self, arrays, encoded, request, after, known)

    def log_prob(self, cohort: Cohort, order: Sequence[str] | None = None) -> FloatArray:
        """Log-probability of baseline tokens, arm and events of each patient, in nats.

        Exact for the stated order of the baseline columns, members averaged in probability at
        every step; numbers count at their bin, computed columns and unknown values not at all;
        visits count with the probability of who came when, of what was measured and of the values
        (on a continuum their density). See `log_prob_parts`.

        Parameters
        ----------
        order
            Every drawn baseline column once (`baseline_columns`); None is the first of the orders
            in which patients are drawn: columns of few patterns, then the others, as they stand in
            the schema.
        """
        return log_prob_parts(self, cohort, order).total

    def log_prob_parts(
        self, cohort: Cohort, order: Sequence[str] | None = None
    ) -> LogProbParts:
        """`log_prob` as its parts: baseline, outcome and visits, (n,) each."""
        return log_prob_parts(self, cohort, order)

    @property
    def conformal(self) -> Conformal | None:
        """Widening factors that make intervals of visit values hold; None without visits."""
        return self.parts.conformal

    def log_prob_orders(self, cohort: Cohort, orders: int = 8, seed: int = 0) -> OrderedLogProb:
        """Log-probability averaged over random orders of the baseline columns.

        Returns
        -------
        OrderedLogProb
            Mean with its Monte Carlo error, and how far the orders disagree, (n,) each.
        """
        return log_prob_orders(self, cohort, orders, seed)

    @property
    def baseline_columns(self) -> tuple[str, ...]:
        """The baseline columns that are drawn, in the order of the schema."""
        return self.sampler.columns.names

    def on(self, device: Literal["cpu", "gpu"]) -> TwinModel:
        """Return the model with its net on a device; InputError if PyTorch sees no GPU."""
        if device == "cpu" or self.sampler.network is None:
            return self
        from generation.twin_model.on_device import on_gpu

        sampler = replace(self.sampler, network=on_gpu(self.sampler.network))
        found = TwinModel(self.card, replace(self.parts, sampler=sampler))
        found.device = device
        return found

    def save(self, folder: Path | str) -> Path:
        """Write weights, hazards and regressions; nothing is pickled."""
        return write_artifact(folder, self.card.model_dump(mode="json"), self.parts.state())

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read a saved twin model."""
        document, state = read_artifact(folder)
        card = ModelCard.model_validate(document)
        return cls(card, TwinParts.from_state(card.schema_, state))
