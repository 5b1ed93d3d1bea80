"""Patients with nothing but their baseline, and the fitting of what follows along their visits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from extraction.records import CohortSchema
from generation.assembly import TrialArrays
from generation.engine import Progress, report_progress
from generation.randomness import Stream
from generation.tokenizer import FloatArray
from generation.twin_model.columns import BaselineColumns, Encoded
from generation.twin_model.course import Course
from generation.twin_model.course_calibration import Recorder, calibrated, calibration_grid
from generation.twin_model.course_fitting import fit_course, stretches, watches
from generation.twin_model.outcome import OutcomeModel
from generation.twin_model.visit_fitting import VisitData
from generation.twin_model.visits import Setting, VisitProcess

_CALIBRATION_PATIENTS = 1000


def empty_arrays(
    schema: CohortSchema, columns: BaselineColumns, visits: tuple[str | None, ...],
    encoded: Encoded, labels: npt.NDArray[np.object_],
) -> TrialArrays:
    """Patients with their baseline and arm, and nothing after it."""
    n, width = len(labels), len(visits)
    return TrialArrays(
        baseline={v.name: columns.decode(encoded, v.name) for v in schema.baseline},
        arm=labels,
        follow_up=np.full(n, np.nan),
        end_reason=np.full(n, None, dtype=object),
        events={},
        visits=visits,
        visit_day=np.full((n, width), np.nan),
        values={
            v.name: np.full((n, width), np.nan)
            if v.numeric else np.full((n, width), None, dtype=object)
            for v in (schema.longitudinal if width else ())
        },
    )


def write_day_zero(
    arrays: TrialArrays, columns: BaselineColumns, encoded: Encoded,
    visits: VisitProcess | None, setting: Setting,
) -> None:
    """Write the visits that belong to the baseline, in place."""
    for name, (variable, k) in columns.visit_of.items():
        values = columns.decode(encoded, name)
        arrays.values[variable][:, k] = values
        seen = np.array([v is not None and v == v for v in values], dtype=bool)
        day = np.zeros(len(arrays)) if visits is None else visits.day_zero(setting, k)
        arrays.visit_day[:, k] = np.where(seen, day, arrays.visit_day[:, k])


def fit_course_of(
    data: VisitData, visits: VisitProcess, outcome: OutcomeModel, features: FloatArray,
    columns: BaselineColumns, schema: CohortSchema,
    population: tuple[Encoded, npt.NDArray[np.object_], FloatArray], seed: int,
    progress: Progress | None,
) -> Course | None:
    """Fit how hazards depend on visits, calibrated along simulated patients' visits.

    Parameters
    ----------
    features
        Of the training patients, as the hazards see them.
    population
        Sampled baselines, their arms, and arm indicators.

    Returns
    -------
    None where visits tell nothing of any event beyond baseline.
    """
    report_progress(progress, "visits and events", 0.0)
    later = visits.schedule.later
    after = [data.before[later[0]], *(data.before[k + 1] for k in later)]
    watched = watches(outcome, data.arrays, data.until, visits.drives)
    cut = stretches(after, later, data.days)
    course = fit_course(watched, cut, features, data.arm)
    if course is None:
        return None
    encoded, labels, dummies = population
    encoded = encoded.take(np.arange(min(len(labels), _CALIBRATION_PATIENTS)))
    labels, dummies = labels[: len(encoded.codes)], dummies[: len(encoded.codes)]
    people = np.arange(len(labels))
    rich = np.concatenate([columns.features(encoded, True), dummies], axis=1)
    setting = Setting(
        columns.features(encoded, False), dummies, Stream(seed, "calibrated visits"), people
    )
    arrays = empty_arrays(schema, columns, data.arrays.visits, encoded, labels)
    write_day_zero(arrays, columns, encoded, visits, setting)
    arrays.follow_up = np.full(len(labels), outcome.end)
    recorder = Recorder(course, outcome, rich, dummies, calibration_grid(course, watched))
    leaves = visits.run(arrays, setting, None, True, recorder)
    return calibrated(course, outcome, watched, rich, recorder, leaves)
