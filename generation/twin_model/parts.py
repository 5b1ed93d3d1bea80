"""The fitted parts of a twin model, and how they are fitted in turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from extraction.records import Cohort, CohortSchema
from generation.assembly import TrialArrays, to_arrays
from generation.cart_columns import design_arms
from generation.engine import Progress, present_arms, report_progress
from generation.randomness import Stream, decision_id
from generation.tokenizer import FloatArray
from generation.twin_model.columns import ARM, BaselineColumns, Encoded
from generation.twin_model.conformal import Conformal, fit_conformal
from generation.twin_model.course import Course
from generation.twin_model.decoding import BaselineSampler
from generation.twin_model.filling import fit_course_of
from generation.twin_model.mirrors import missed_end
from generation.twin_model.net_settings import NetSettings
from generation.twin_model.network import Network
from generation.twin_model.outcome import OutcomeModel, observed_until
from generation.twin_model.outcome_fitting import fit_outcome
from generation.twin_model.reasons import (
    AWAY,
    COMPLETED,
    LEFT,
    TERMINAL,
    EndReasons,
    fit_reasons,
)
from generation.twin_model.residual_choice import Mode
from generation.twin_model.schedule import read_schedule
from generation.twin_model.transformer import network_of
from generation.twin_model.visit_fitting import fit_visits, read_visits, visits_drive
from generation.twin_model.visits import VisitProcess

_POPULATION = 3000


@dataclass(frozen=True)
class TwinParts:
    """Baseline sampler, outcome hazards, visit process and end reasons.

    ``visit_names`` are the visits of the training cohort in order.
    """

    sampler: BaselineSampler
    outcome: OutcomeModel
    visits: VisitProcess | None
    reasons: EndReasons
    visit_names: tuple[str | None, ...]
    course: Course | None = None
    conformal: Conformal | None = None

    def state(self) -> dict[str, Any]:
        """Return everything needed to rebuild the parts, the schema apart."""
        network = self.sampler.network
        return {
            "columns": self.sampler.columns.state(),
            "network": dict(network.weights) if network else None,
            "architecture": network.architecture if network else None,
            "outcome": self.outcome.state(),
            "visits": self.visits.state() if self.visits else None,
            "course": self.course.state() if self.course else None,
            "conformal": self.conformal.state() if self.conformal else None,
            "reasons": self.reasons.state(),
            "visit_names": list(self.visit_names),
        }

    @classmethod
    def from_state(cls, schema: CohortSchema, state: dict[str, Any]) -> TwinParts:
        """Rebuild from :meth:`state`."""
        columns = BaselineColumns.from_state(state["columns"])
        network = visits = None
        if state["network"]:
            network = network_of(state.get("architecture") or "mlp", state["network"], columns)
        if state["visits"]:
            visits = VisitProcess.from_state(schema, state["visits"])
        return cls(
            BaselineSampler(schema, columns, network),
            OutcomeModel.from_state(state["outcome"]),
            visits,
            EndReasons(**state["reasons"]),
            tuple(state["visit_names"]),
            Course.from_state(state["course"]) if state["course"] else None,
            Conformal.from_state(state["conformal"]) if state["conformal"] else None,
        )


def fit_parts(
    cohort: Cohort,
    seed: int,
    settings: NetSettings,
    progress: Progress | None,
    start: TwinParts | None = None,
    residual: Mode = "auto",
) -> tuple[TwinParts, dict[str, float]]:
    """Fit baseline net, outcome and visits; return them with the net's metrics.

    Survival is calibrated over 3,000 sampled patients, arms by the design. With `start`, its
    baseline columns (bins, computed columns) are kept, so that likelihoods compare, and its net
    is trained on.
    """
    schema, arrays = cohort.schema, to_arrays(cohort)
    schedule = read_schedule(schema, arrays)
    columns = (
        start.sampler.columns
        if start
        else (BaselineColumns.fit(schema, arrays, schedule.day_zero, schedule.joint))
    )
    encoded = columns.encode(arrays)
    network: Network | None = None
    metrics = columns.metrics()
    if len(columns) > 1:
        from generation.twin_model.training import train_network

        network, trained = train_network(
            columns, encoded, seed, settings, progress, start.sampler.network if start else None
        )
        metrics |= trained
    sampler = BaselineSampler(schema, columns, network)
    arms = present_arms(cohort)
    driven = visits_drive(schedule, arrays)
    # Without endpoints, and with leaving told by visits, there is no hazard to calibrate.
    people = np.arange(_POPULATION if schema.endpoints or not driven else 1)
    stream = Stream(seed, "calibration")
    drawn = sampler.draw(people, stream).encoded
    ratio = {a: float((schema.allocation or {}).get(a, 1.0)) for a in arms}
    labels = arm_labels(columns, drawn, ratio, people, stream)
    report_progress(progress, "outcome", 0.0)
    dummies = arm_features(arrays.arm, arms)
    outcome = fit_outcome(
        schema,
        arrays,
        np.concatenate([columns.features(encoded, True), dummies], axis=1),
        np.concatenate([columns.features(drawn, True), arm_features(labels, arms)], axis=1),
        dummies.shape[1],
        seed,
        driven,
        residual,
        metrics,
    )
    until, ended = observed_until(arrays), outcome.ended(arrays)
    plain = columns.features(encoded, False)
    data = read_visits(schema, arrays, schedule, plain, dummies, until, ended)
    visits = course = conformal = None
    if data is not None:
        visits = fit_visits(data, progress)
    if data is not None and visits is not None:
        rich = np.concatenate([columns.features(encoded, True), dummies], axis=1)
        population = drawn, labels, arm_features(labels, arms)
        course = fit_course_of(
            data, visits, outcome, rich, columns, schema, population, seed, progress
        )
        report_progress(progress, "visits: intervals", 0.0)
        conformal = fit_conformal(schema, arrays, schedule, plain, dummies, until, ended, seed)
    causes = frozenset(cause for e in schema.endpoints for cause in e.causes)
    phase = phase_of(outcome, visits, arrays, until, ended)
    told = visits is not None and visits.drives
    reasons = fit_reasons(arrays, arms, phase, causes, None if told else until)
    parts = TwinParts(sampler, outcome, visits, reasons, arrays.visits, course, conformal)
    return parts, metrics


def arm_features(labels: npt.NDArray[np.object_], arms: tuple[str, ...]) -> FloatArray:
    """Indicators of all arms but the first, shape (n, arms - 1)."""
    return np.column_stack(
        [np.zeros((len(labels), 0)), *((labels == arm).astype(np.float64) for arm in arms[1:])]
    )


def arm_labels(
    columns: BaselineColumns,
    encoded: Encoded,
    arms: dict[str, float],
    patients: npt.NDArray[np.int64],
    stream: Stream,
) -> npt.NDArray[np.object_]:
    """Arm of each patient: as drawn with the baseline, else by the design ratio."""
    if ARM in columns.names:
        return np.asarray(columns.decode(encoded, ARM), dtype=object)
    return design_arms(arms, stream.uniform(patient=patients, decision=decision_id("arm")))


def phase_of(
    outcome: OutcomeModel,
    visits: VisitProcess | None,
    arrays: TrialArrays,
    until: FloatArray,
    ended: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64]:
    """Whether patients left, completed, had a terminal event or were followed without visits."""
    last = outcome.end
    if visits is not None and visits.drives:
        last = float(visits.schedule.lows[-1])
    completed = until >= last - 1e-6
    phase = np.where(completed, COMPLETED, LEFT)
    if visits is not None and visits.drives:
        phase = np.where(completed & missed_end(arrays), AWAY, phase)
    return np.where(ended, TERMINAL, phase).astype(np.int64)
