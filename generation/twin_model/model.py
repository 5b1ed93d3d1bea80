"""The `twin` engine: one model for a population, a cohort and a patient's futures.

Baseline columns come from an any-order net, the arm from the design, events and
censoring from ridge Cox hazards, visits from regressions on the patient's own past.
What is known is clamped, the rest is drawn. Draws are keyed by seed, patient and
decision, so arms and designs share them (common random numbers).

Limits, stated: endpoints are independent of each other, and of visit values, given
baseline and arm; the arm acts proportionally on each hazard; `log_prob` leaves visits out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from extraction.records import Cohort, InputError, Timeline, conditions
from generation.artifact import read_artifact, write_artifact
from generation.assembly import TrialArrays, Values, align, settle, to_arrays, to_cohort
from generation.cart import pick
from generation.cart_columns import allowed_arms, region_of
from generation.engine import (
    Capability,
    Model,
    ModelCard,
    Options,
    Progress,
    SamplingReport,
    arm_fault,
    parse_options,
    report_progress,
)
from generation.randomness import Stream, decision_id
from generation.tokenizer import FloatArray
from generation.twin_model.columns import ARM, Encoded
from generation.twin_model.parts import TwinParts, arm_features, arm_labels, fit_parts, phase_of

_POPULATION = 3000
_HISTORY_CANDIDATES = 8


class TwinOptions(Options):
    """Options of the twin engine; the defaults need no tuning."""

    members: int = Field(3, ge=1, le=6, description="ensemble members of the baseline net")
    epochs: int = Field(150, ge=1, le=1000, description="most training epochs")


@dataclass(frozen=True)
class Request:
    """One request to sample, understood."""

    n: int
    patients: npt.NDArray[np.int64]
    stream: Stream
    arm: npt.NDArray[np.object_] | None
    arms: dict[str, float]
    until_day: float | None
    dropout: bool


class TwinModel(Model):
    """Any-order baseline net, hazards and visit regressions as one conditional model."""

    engine: ClassVar[str] = "twin"
    supports: ClassVar[frozenset[Capability]] = frozenset(
        {"static", "events", "visits", "conditions", "timeline", "log_prob", "dropout"}
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
        chosen = parse_options(TwinOptions, cls.engine, options)
        parts, metrics = fit_parts(cohort, seed, chosen.members, chosen.epochs, progress)
        card = ModelCard.describe(
            cohort, cls.engine, cls.engine_version, seed, chosen.model_dump(),
            ("numpy", "scipy", "scikit-learn", "torch", "pytorch-lightning"), metrics,
        )
        report_progress(progress, "fitted", 1.0)
        return cls(card, parts)

    def sample_with_report(
        self,
        n: int,
        given: Any = None,
        arm: str | None = None,
        until_day: float | None = None,
        seed: int = 0,
        *,
        dropout: bool = True,
    ) -> tuple[Cohort, SamplingReport]:
        """Draw patients or one patient's futures; see `Model.sample`."""
        arrays, report = self.draw(n, given, arm, until_day, seed, dropout=dropout)
        history = given.cohort if isinstance(given, Timeline) else None
        prefix = "S" if history is None else "D"
        cohort = to_cohort(arrays, self.schema, self.engine, report.sentence(), prefix, history)
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
    ) -> tuple[TrialArrays, SamplingReport]:
        """Draw as arrays: the fast way for many futures of one patient.

        The same draws as `sample`; with a `Timeline`, only future visits are in the arrays.
        """
        self._check_request(n, given, arm, dropout)
        if isinstance(given, Timeline):
            return self._continue(n, given, arm, until_day, seed, dropout)
        bounds = {}
        if given is not None:
            bounds = dict(conditions.bounds(conditions.parse(given, self.schema), self.schema))
        arms = allowed_arms(bounds.pop(ARM, None), arm, self.card)
        columns = self.sampler.columns
        faults = [
            f"given: {name}: no patient of this model can meet the condition; widen it"
            for name, bound in bounds.items()
            if region_of(columns.codecs[columns.names.index(name)], bound).share.sum() <= 0
        ]
        if faults:
            raise InputError(faults)
        if ARM in columns.names and set(arms) < set(self.card.arms):
            bounds[ARM] = frozenset(arms)
        request = Request(
            n, np.arange(n), Stream(seed, "twin"), None, arms, until_day, dropout
        )
        drawn = self.sampler.draw(request.patients, request.stream, bounds)
        labels = arm_labels(columns, drawn.encoded, arms, request.patients, request.stream)
        arrays = self._empty(drawn.encoded, labels)
        self._day_zero(arrays, drawn.encoded, request)
        self._simulate(arrays, drawn.encoded, request, None, {})
        report = SamplingReport(
            n, self.card.n_train, drawn.region_probability, drawn.effective_share,
            "renormalised bins, resampled" if bounds else "unconditional",
        )
        return arrays, report

    def _empty(self, encoded: Encoded, labels: npt.NDArray[np.object_]) -> TrialArrays:
        """Patients with their baseline and nothing after it."""
        n, width = len(labels), len(self.visit_names)
        columns = self.sampler.columns
        return TrialArrays(
            baseline={v.name: columns.decode(encoded, v.name) for v in self.schema.baseline},
            arm=labels,
            follow_up=np.full(n, np.nan),
            end_reason=np.full(n, None, dtype=object),
            events={},
            visits=self.visit_names,
            visit_day=np.full((n, width), np.nan),
            values={
                v.name: np.full((n, width), np.nan)
                if v.numeric else np.full((n, width), None, dtype=object)
                for v in (self.schema.longitudinal if width else ())
            },
        )

    def _day_zero(self, arrays: TrialArrays, encoded: Encoded, request: Request) -> None:
        """Write the visits that belong to the baseline."""
        columns = self.sampler.columns
        for name, (variable, k) in columns.visit_of.items():
            values = columns.decode(encoded, name)
            arrays.values[variable][:, k] = values
            seen = np.array([v is not None and v == v for v in values], dtype=bool)
            day = np.zeros(len(arrays))
            if self.visits is not None and self.visits.schedule.planned:
                day = self.visits.day_zero(request.stream, request.patients, k)
            arrays.visit_day[:, k] = np.where(seen, day, arrays.visit_day[:, k])

    def _simulate(
        self,
        arrays: TrialArrays,
        encoded: Encoded,
        request: Request,
        after: float | None,
        known: dict[str, tuple[float, int]],
    ) -> None:
        """Draw what follows a day: visits, leaving, events, and close follow-up."""
        columns, stream, patients = self.sampler.columns, request.stream, request.patients
        dummies = arm_features(arrays.arm, self.card.arms)
        rich = np.concatenate([columns.features(encoded, True), dummies], axis=1)
        n, since = len(arrays), after or 0.0
        past = {
            name: (np.full(n, day), np.full(n, status, dtype=np.int64))
            for name, (day, status) in known.items()
        }
        events = self.outcome.draw_events(rich, stream, patients, since, past)
        leaving = np.full(n, np.nan)
        driven = self.visits is not None and self.visits.drives
        if not driven and np.isfinite(self.outcome.end):
            leaving = self.outcome.draw_follow_up(rich, stream, patients, since, request.dropout)
        if self.visits is not None:
            arrays.follow_up = self.outcome.close(leaving, events)
            plain = columns.features(encoded, False)
            end = self.visits.run(
                arrays, plain, dummies, stream, patients, after, request.dropout
            )
            leaving = end if driven else leaving
        closed = self.outcome.close(leaving, events)
        ended = closed < leaving
        arrays.events, arrays.follow_up = events, closed
        phase = phase_of(self.outcome, self.visits, closed, ended)
        place = stream.uniform(patient=patients, decision=decision_id("reason"))
        arrays.end_reason = self.parts.reasons.draw(
            arrays.arm, phase, place, request.dropout
        )
        lag = stream.uniform(patient=patients, decision=decision_id("reason:lag"))
        events |= self.outcome.reflect(self.schema, closed, arrays.end_reason, lag, since)
        events |= past
        settle(arrays, request.until_day, self.outcome.at_end)

    def _continue(
        self, n: int, timeline: Timeline, arm: str | None, until_day: float | None, seed: int,
        dropout: bool,
    ) -> tuple[TrialArrays, SamplingReport]:
        """Futures of one patient after the timeline's last day."""
        after = max(float(timeline.until_day), 0.0)
        history = align(to_arrays(timeline.cohort), self.schema, self.visit_names)
        arm = arm if arm is not None else timeline.arm
        if self.card.arms and arm not in self.card.arms:
            raise InputError(arm_fault(str(arm), self.card.arms))
        if dropout and history.end_reason[0] is not None:
            raise InputError(
                "timeline: observation had already ended on its last day; "
                "shorten it, or ask for dropout=False"
            )
        request = Request(
            n, np.arange(n), Stream(seed, "twin"), None, {}, until_day, dropout
        )
        encoded, report = self._known_baseline(history, request, after)
        labels = np.full(n, arm, dtype=object)
        arrays = self._empty(encoded, labels)
        arrays.baseline = repeat(history.baseline, n)
        arrays.visit_day = np.repeat(history.visit_day, n, axis=0)
        arrays.values = repeat(history.values, n)
        seen = np.isfinite(arrays.visit_day)
        known = {
            name: (float(day[0]), int(status[0]))
            for name, (day, status) in history.events.items() if status[0] > 0
        }
        self._simulate(arrays, encoded, request, after, known)
        arrays.visit_day = np.where(seen, np.nan, arrays.visit_day)
        return arrays, report

    def _known_baseline(
        self, history: TrialArrays, request: Request, after: float
    ) -> tuple[Encoded, SamplingReport]:
        """The patient's baseline for every future; unknown columns drawn given the rest.

        What is unknown is drawn in eight candidates, one of which is kept in proportion to
        the probability of the patient's having had no event so far.
        """
        n, columns = request.n, self.sampler.columns
        own = columns.encode(history)
        method = "history kept"
        share = 1.0
        rows = np.zeros(n, dtype=np.int64)
        if len(columns) and (own.codes[0] < 0).any():
            width = _HISTORY_CANDIDATES
            wide = np.arange(n * width)
            drawn = self.sampler.draw(wide, request.stream, None, own.take(np.repeat(rows, width)))
            weights = np.exp(self._survived(drawn.encoded, history, after)).reshape(n, width)
            place = request.stream.uniform(
                patient=request.patients, decision=decision_id("unknown baseline")
            )
            kept = np.arange(n) * width + pick(weights + 1e-300, place)
            total = weights.sum(axis=1)
            share = float(np.mean(total**2 / np.maximum((weights**2).sum(axis=1), 1e-300)) / width)
            method = "history kept, unknown baseline columns resampled"
            encoded = drawn.encoded.take(kept)
        else:
            encoded = own.take(rows)
        return encoded, SamplingReport(n, self.card.n_train, 1.0, share, method)

    def _survived(self, encoded: Encoded, history: TrialArrays, after: float) -> FloatArray:
        """Log-probability of the endpoints that have not happened by the history's end."""
        labels = np.repeat(history.arm, len(encoded.codes))
        features = np.concatenate(
            [self.sampler.columns.features(encoded, True), arm_features(labels, self.card.arms)],
            axis=1,
        )
        total = np.zeros(len(labels))
        for endpoint in self.outcome.endpoints:
            if history.events[endpoint.name][1][0] <= 0:
                for hazard in endpoint.causes:
                    total += hazard.log_survival(features, after)
        return total

    def log_prob(self, cohort: Cohort) -> FloatArray:
        """Log-probability of baseline tokens, arm and events of each patient, in nats.

        Exact for the order of the schema's columns, members averaged in probability;
        numbers count at their bin, unknown values not at all; visits after baseline and
        leaving by visits are left out.
        """
        arrays = align(to_arrays(cohort), self.schema, self.visit_names)
        unknown = sorted(set(arrays.arm) - set(self.card.arms) - {None})
        if unknown:
            raise InputError([arm_fault(str(a), self.card.arms) for a in unknown])
        columns = self.sampler.columns
        encoded = columns.encode(arrays)
        total = self.sampler.log_prob(encoded)
        if ARM not in columns.names and len(self.card.arms) > 1:
            ratio = {a: (self.schema.allocation or {}).get(a, 1.0) for a in self.card.arms}
            share = {a: np.log(r / sum(ratio.values())) for a, r in ratio.items()}
            total += np.array([share.get(a, 0.0) for a in arrays.arm])
        rich = np.concatenate(
            [columns.features(encoded, True), arm_features(arrays.arm, self.card.arms)], axis=1
        )
        return np.asarray(total + self.outcome.log_prob(rich, arrays))

    def save(self, folder: Path | str) -> Path:
        """Write weights, hazards and regressions; nothing is pickled."""
        return write_artifact(folder, self.card.model_dump(mode="json"), self.parts.state())

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read a saved twin model."""
        document, state = read_artifact(folder)
        card = ModelCard.model_validate(document)
        return cls(card, TwinParts.from_state(card.schema_, state))


def repeat(columns: dict[str, Values], n: int) -> dict[str, Values]:
    """One patient's columns for n futures."""
    repeated: dict[str, Values] = {}
    for name, values in columns.items():
        repeated[name] = values[np.zeros(n, dtype=np.int64)]
    return repeated
