"""Drawn patients as the frames of a cohort, already in the canonical form of `Cohort.build`.

Sampling many patients would otherwise spend most of its time on sorting and checking what is
right by construction; a test holds both ways to the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from extraction.records import Cohort, CohortSchema
from extraction.records.tables import EPISODES, EVENTS, OBSERVATIONS, SOURCES, SUBJECTS, conform

if TYPE_CHECKING:
    from generation.assembly import TrialArrays

ObjectArray = npt.NDArray[np.object_]
Columns = dict[str, Any]


def canonical_cohort(
    schema: CohortSchema,
    subjects: pd.DataFrame,
    observations: pd.DataFrame,
    events: pd.DataFrame,
    source: dict[str, object],
) -> Cohort:
    """A cohort of frames in canonical form, which are neither sorted nor checked again."""
    return Cohort(
        schema,
        subjects=subjects,
        observations=observations,
        derived=conform(None, OBSERVATIONS, "derived"),
        episodes=conform(None, EPISODES, "episodes"),
        events=events,
        sources=conform(pd.DataFrame([source]), SOURCES, "sources"),
    )


def _frame(data: Columns, n: int) -> pd.DataFrame:
    return pd.DataFrame(data, index=pd.RangeIndex(n))


def _text(value: str | None, n: int) -> ObjectArray:
    return np.full(n, value, dtype=object)


def subject_frame(arrays: TrialArrays, schema: CohortSchema, ids: ObjectArray) -> pd.DataFrame:
    """One row a patient, in the order of the arrays."""
    n = len(ids)
    data: Columns = {
        "study_id": _text(schema.study_id, n),
        "subject_id": ids,
        "arm": arrays.arm,
        "arm_actual": arrays.arm.copy(),
        "observed_until": arrays.follow_up.astype(np.float64),
        "end_reason": arrays.end_reason,
    }
    assert list(data) == list(SUBJECTS)
    for variable in schema.static:
        missing = np.full(n, np.nan) if variable.numeric else _text(None, n)
        drawn = arrays.baseline.get(variable.name, missing)
        data[variable.name] = drawn.astype(np.float64 if variable.numeric else object)
    return _frame(data, n)


def observation_frame(
    arrays: TrialArrays, schema: CohortSchema, ids: ObjectArray, source: str
) -> tuple[pd.DataFrame, bool]:
    """Rows sorted by patient, day, variable and visit; and whether that settles their order.

    It does not where two unnamed visits are on one day.
    """
    parts: list[tuple[Any, ...]] = []
    seen = np.isfinite(arrays.visit_day)
    for variable in sorted(schema.longitudinal, key=lambda v: v.name):
        values = arrays.values.get(variable.name)
        if values is None or not values.size:
            continue
        rows, columns = np.nonzero(seen & ~pd.isna(values))
        taken, blank = values[rows, columns], np.full(len(rows), np.nan)
        parts.append((
            rows, columns, arrays.visit_day[rows, columns], np.full(len(rows), len(parts)),
            _text(variable.name, len(rows)), _text(variable.unit, len(rows)),
            taken.astype(np.float64) if variable.numeric else blank,
            _text(None, len(rows)) if variable.numeric else taken.astype(object),
        ))
    if not parts:
        return conform(None, OBSERVATIONS, "observations"), True
    rows, columns, day, number, name, unit, value, text = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    visits = np.array(arrays.visits, dtype=object)
    ranked = sorted({v for v in arrays.visits if v is not None})
    rank = np.array([len(ranked) if v is None else ranked.index(v) for v in arrays.visits])
    order = np.lexsort((rank[columns], number, day, rows))
    keys = np.column_stack([rows, day, number, rank[columns]])[order]
    settled = not np.any(np.all(keys[1:] == keys[:-1], axis=1))
    n = len(order)
    data: Columns = {
        "study_id": _text(schema.study_id, n),
        "subject_id": ids[rows[order]],
        "day": day[order],
        "visit": visits[columns[order]],
        "variable": name[order],
        "value": value[order],
        "text": text[order],
        "unit": unit[order],
        "status": _text("observed", n),
        "source_id": _text(source, n),
    }
    assert list(data) == list(OBSERVATIONS)
    return _frame(data, n), settled


def event_frame(arrays: TrialArrays, schema: CohortSchema, ids: ObjectArray) -> pd.DataFrame:
    """Rows sorted by patient and endpoint."""
    known = sorted((e for e in schema.endpoints if e.name in arrays.events), key=lambda e: e.name)
    if not known:
        return conform(None, EVENTS, "events")
    status = np.column_stack([arrays.events[e.name][1] for e in known])
    days = np.column_stack([arrays.events[e.name][0] for e in known])
    cause = np.full(status.shape, None, dtype=object)
    for k, endpoint in enumerate(known):
        words = np.array([None, *endpoint.causes], dtype=object)
        cause[:, k] = words[np.maximum(status[:, k], 0)]
    rows, columns = np.nonzero(status >= 0)  # below 0: no record
    n = len(rows)
    data: Columns = {
        "study_id": _text(schema.study_id, n),
        "subject_id": ids[rows],
        "endpoint": np.array([e.name for e in known], dtype=object)[columns],
        "day": days[rows, columns].astype(np.float64),
        "observed": (status[rows, columns] > 0).astype(object),
        "cause": cause[rows, columns],
    }
    assert list(data) == list(EVENTS)
    return _frame(data, n)
