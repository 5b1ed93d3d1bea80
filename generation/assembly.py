"""Cohorts as arrays and back: the one place where engines meet the shared data model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from extraction.records import Cohort, CohortSchema, InputError
from extraction.records.constraints import all_met
from generation.request import subject_names
from generation.writing import (
    canonical_cohort,
    event_frame,
    observation_frame,
    subject_frame,
)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
ObjectArray = npt.NDArray[np.object_]
Values = FloatArray | ObjectArray

_NAMED_IN_ORDER = 999_999  # up to here names sort as their numbers do

CENSORED = 0
NO_RECORD = -1


@dataclass
class TrialArrays:
    """A cohort as arrays with one row a patient.

    Attributes
    ----------
    baseline
        Values by baseline variable, each of shape (n,).
    arm
        Planned arm, None where unknown, shape (n,).
    follow_up
        Last day under observation, NaN where unknown, shape (n,).
    end_reason
        Why observation ended, None where unknown, shape (n,).
    events
        By endpoint: the day, and the status: 0 censored, k the k-th cause, -1 no record.
    visits
        Names of the visit columns (None for unplanned ones), length v.
    visit_day
        Day of each visit, NaN where it was not attended, shape (n, v).
    values
        By longitudinal variable: values at each visit, missing where not measured, (n, v).
    """

    baseline: dict[str, Values]
    arm: ObjectArray
    follow_up: FloatArray
    end_reason: ObjectArray
    events: dict[str, tuple[FloatArray, IntArray]]
    visits: tuple[str | None, ...] = ()
    visit_day: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    values: dict[str, Values] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.arm)


def to_arrays(cohort: Cohort, unplanned_visits: int = 60) -> TrialArrays:
    """Read a cohort into arrays.

    Planned visits take the observed value closest to the target day inside the window;
    without planned visits each patient's distinct days are numbered, up to
    `unplanned_visits` of them.
    """
    schema, subjects = cohort.schema, cohort.subjects
    baseline = {v.name: _column(subjects[v.name], v.numeric) for v in schema.baseline}
    arrays = TrialArrays(
        baseline=baseline,
        arm=_labels(subjects["arm"]),
        follow_up=_numbers(subjects["observed_until"]),
        end_reason=_labels(subjects["end_reason"]),
        events={e.name: _endpoint(cohort, e.name, e.causes) for e in schema.endpoints},
        visit_day=np.zeros((len(cohort), 0)),
    )
    _read_visits(cohort, arrays, unplanned_visits)
    return arrays


def require_variables(cohort: Cohort, schema: CohortSchema) -> None:
    """Refuse a cohort that lacks baseline variables or endpoints of a model's schema.

    Raises
    ------
    InputError
        With the names that are missing.
    """
    faults = []
    for what, wanted, held in (
        ("baseline variables", schema.baseline, cohort.schema.baseline),
        ("endpoints", schema.endpoints, cohort.schema.endpoints),
    ):
        lacking = sorted({w.name for w in wanted} - {h.name for h in held})
        if lacking:
            faults.append(
                f"cohort: it lacks {what} of the model: {', '.join(lacking)}; read it under the "
                "model's schema, with the values missing if they are unknown"
            )
    if faults:
        raise InputError(faults)


def _column(series: pd.Series, numeric: bool) -> Values:
    return _numbers(series) if numeric else _labels(series)


def _numbers(series: pd.Series) -> FloatArray:
    return series.to_numpy(dtype=np.float64, na_value=np.nan).copy()


def _labels(series: pd.Series) -> ObjectArray:
    values = series.astype(object)
    return np.asarray(values.where(values.notna(), None), dtype=object)


def _endpoint(cohort: Cohort, name: str, causes: Sequence[str]) -> tuple[FloatArray, IntArray]:
    frame = cohort.endpoint(name)
    day = frame["day"].to_numpy(dtype=np.float64)
    code = frame["cause"].map({cause: k + 1 for k, cause in enumerate(causes)}).fillna(1)
    observed = frame["observed"].to_numpy(dtype=bool)
    status = np.where(observed, code.to_numpy(dtype=np.int64), CENSORED)
    return day, np.where(np.isfinite(day), status, NO_RECORD)


def _read_visits(cohort: Cohort, arrays: TrialArrays, most: int) -> None:
    """Fill the visit columns of the arrays."""
    schema = cohort.schema
    names = [v.name for v in schema.longitudinal]
    frame = cohort.observations
    measured = frame["status"].isin(["observed", "below_limit"])
    frame = frame[(measured & frame["variable"].isin(names)).to_numpy()]
    if not names or frame.empty:
        return
    rows, days = cohort.positions(frame), frame["day"].to_numpy(dtype=np.float64)
    column, order = lay_out_visits(arrays, schema, rows, days, most)
    shape = arrays.visit_day.shape
    for variable in schema.longitudinal:
        mine = order[(frame["variable"] == variable.name).to_numpy()[order]]
        values = _column(frame["value" if variable.numeric else "text"], variable.numeric)
        empty: Values = np.full(shape, np.nan) if variable.numeric else np.full(shape, None, object)
        empty[rows[mine], column[mine]] = values[mine]
        arrays.values[variable.name] = empty


def lay_out_visits(
    arrays: TrialArrays, schema: CohortSchema, rows: IntArray, days: FloatArray, most: int = 60
) -> tuple[IntArray, IntArray]:
    """Give dated rows their visit columns, and write visit names and days into the arrays.

    Parameters
    ----------
    rows, days
        Patient and day of each row, both of shape (m,).
    most
        Most visits a patient where the schema plans none.

    Returns
    -------
    tuple
        The visit column of each row, -1 for none, shape (m,); and the rows that have one, in
        the order in which they are to be written (a later one is nearer to its target day).
    """
    windows = sorted(schema.visits, key=lambda w: w.day)
    if windows:
        column, distance = _assign(days, windows)
        arrays.visits = tuple(w.name for w in windows)
    else:
        column, distance = _number_days(rows, days), np.zeros(len(days))
        keep_visits = min(most, int(column.max()) + 1)
        column = np.where(column < keep_visits, column, -1)
        arrays.visits = (None,) * keep_visits
    order = np.lexsort((distance, column, rows))[::-1]
    order = order[column[order] >= 0]
    arrays.visit_day = np.full((len(arrays), len(arrays.visits)), np.nan)
    arrays.visit_day[rows[order], column[order]] = days[order]
    return column, order


def _assign(days: FloatArray, windows: Sequence[object]) -> tuple[IntArray, FloatArray]:
    """Visit window of each day (-1 outside all) and the distance to its target day."""
    low, high, target = (
        np.array([getattr(w, side) for w in windows]) for side in ("low", "high", "day")
    )
    distance = np.abs(days[:, None] - target)
    distance = np.where((days[:, None] >= low) & (days[:, None] <= high), distance, np.inf)
    column = np.where(np.isfinite(distance.min(axis=1)), distance.argmin(axis=1), -1)
    return column.astype(np.int64), distance.min(axis=1)


def _number_days(rows: IntArray, days: FloatArray) -> IntArray:
    """Number of each day among its patient's distinct days, from 0."""
    pairs, back = np.unique(np.column_stack([rows, days]), axis=0, return_inverse=True)
    first = np.searchsorted(pairs[:, 0], pairs[:, 0], side="left")
    return np.asarray((np.arange(len(pairs)) - first)[back.ravel()], dtype=np.int64)


def to_cohort(
    arrays: TrialArrays,
    schema: CohortSchema,
    engine: str,
    action: str,
    prefix: str = "S",
    history: Cohort | None = None,
    patients: IntArray | None = None,
) -> Cohort:
    """Write arrays as a synthetic cohort.

    Parameters
    ----------
    arrays
        The patients.
    schema
        Schema of the training cohort.
    engine, action
        Provenance: the sources frame gets one row ``synthetic:<engine>`` with this action.
    prefix
        Subjects are named ``<prefix>-000001`` and on.
    history
        One patient whose observations and episodes are repeated for every row.
    patients
        Number of each row's patient from 0; None numbers the rows.
    """
    source = f"synthetic:{engine}"
    numbers = np.arange(len(arrays)) if patients is None else patients
    ids = subject_names(numbers, prefix)
    row: dict[str, object] = {
        "source_id": source, "kind": "table", "name": source, "action": action
    }
    subjects, events = subject_frame(arrays, schema, ids), event_frame(arrays, schema, ids)
    observations, in_order = observation_frame(arrays, schema, ids, source)
    named_in_order = np.all(np.diff(numbers) > 0) and numbers[-1] < _NAMED_IN_ORDER
    if history is None and in_order and named_in_order:
        return canonical_cohort(schema, subjects, observations, events, row)
    episodes = None
    if history is not None:
        past = _repeat(history.observations, ids)
        observations = pd.concat([f for f in (past, observations) if len(f)] or [past])
        episodes = _repeat(history.episodes, ids)
    return Cohort.build(
        schema,
        subjects,
        observations=observations,
        episodes=episodes,
        events=events,
        sources=_source_frame([row], history),
    )


def _source_frame(rows: list[dict[str, object]], history: Cohort | None) -> pd.DataFrame:
    own = pd.DataFrame(rows)
    if history is None or history.sources.empty:
        return own
    return pd.concat([history.sources, own], ignore_index=True)


def _repeat(frame: pd.DataFrame, ids: ObjectArray) -> pd.DataFrame:
    """One patient's rows once for each new subject."""
    place = np.tile(np.arange(len(frame)), len(ids))
    repeated = frame.iloc[place].reset_index(drop=True)
    repeated["subject_id"] = np.repeat(ids, len(frame))
    return repeated


def align(
    arrays: TrialArrays, schema: CohortSchema, visits: tuple[str | None, ...]
) -> TrialArrays:
    """The same patients with exactly these visit columns (missing ones empty)."""
    n, width = len(arrays), len(visits)
    kept = min(width, arrays.visit_day.shape[1])
    day = np.full((n, width), np.nan)
    day[:, :kept] = arrays.visit_day[:, :kept]
    values: dict[str, Values] = {}
    for variable in schema.longitudinal if width else ():
        wide: Values = (
            np.full((n, width), np.nan) if variable.numeric else np.full((n, width), None, object)
        )
        if variable.name in arrays.values:
            wide[:, :kept] = arrays.values[variable.name][:, :kept]
        values[variable.name] = wide
    return replace(arrays, visits=visits, visit_day=day, values=values)


def implied_follow_up(arrays: TrialArrays) -> bool:
    """Whether the end of observation is simply the last endpoint day (flat tables)."""
    known = np.isfinite(arrays.follow_up)
    last = last_endpoint_day(arrays)
    if not known.any():
        return True
    return bool(np.mean(np.abs(arrays.follow_up - last)[known] < 0.5) >= 0.95)


def last_endpoint_day(arrays: TrialArrays) -> FloatArray:
    """Latest endpoint day of each patient, NaN where there is none."""
    last = np.full(len(arrays), np.nan)
    for day, _ in arrays.events.values():
        last = np.fmax(last, day)
    return last


def censored_at_end(arrays: TrialArrays, endpoint: str) -> bool:
    """Whether an endpoint without an event is censored when observation ends."""
    day, status = arrays.events[endpoint]
    rows = (status == CENSORED) & np.isfinite(arrays.follow_up)
    return bool(rows.any() and np.mean(np.abs(day - arrays.follow_up)[rows] < 0.5) >= 0.95)


def settle(arrays: TrialArrays, until_day: float | None, at_end: frozenset[str]) -> None:
    """Close follow-up in place: nothing may happen after the end of observation.

    Parameters
    ----------
    arrays
        Drawn patients; an unknown end becomes the last endpoint day.
    until_day
        Last simulated day, None for no further limit.
    at_end
        Endpoints that are censored when observation ends.
    """
    end = np.where(np.isfinite(arrays.follow_up), arrays.follow_up, last_endpoint_day(arrays))
    if until_day is not None:
        cut = ~(end <= until_day)
        end = np.where(cut, float(until_day), end)
        arrays.end_reason = arrays.end_reason.copy()
        arrays.end_reason[cut] = None
    for name, (day, status) in arrays.events.items():
        late = (day > end) | ((status == CENSORED) & (name in at_end) & np.isfinite(end))
        settled = np.where(late & (status != NO_RECORD), CENSORED, status)
        arrays.events[name] = (np.maximum(np.where(late, end, day), 0.0), settled)
    arrays.follow_up = end
    gone = arrays.visit_day > end[:, None]
    arrays.visit_day = np.where(gone, np.nan, arrays.visit_day)


def impossible_rows(cohort: Cohort) -> int:
    """Count rows that cannot happen.

    Event days that are negative or after the end of observation, observations after the end
    of observation, and patients who break a declared constraint.
    """
    end = cohort.subjects.set_index("subject_id")["observed_until"]
    until = cohort.events["subject_id"].map(end).to_numpy(dtype=np.float64)
    day = cohort.events["day"].to_numpy(dtype=np.float64)
    bad = int(np.sum((day < 0) | (day > until + 1e-6)))
    until = cohort.observations["subject_id"].map(end).to_numpy(dtype=np.float64)
    bad += int(np.sum(cohort.observations["day"].to_numpy(np.float64) > until + 1e-6))
    return bad + int(np.sum(~all_met(cohort)))
