"""Fitting of the visit process to a cohort's arrays."""

from __future__ import annotations

import numpy as np

from extraction.records import CohortSchema, Variable
from generation.assembly import TrialArrays
from generation.engine import Progress, report_progress
from generation.tokenizer import MINIMUM_CELL, CategoricalCodec, FloatArray
from generation.tokenizer_fitting import learn_step, smooth_quantiles
from generation.twin_model.ridge import Ridge, fit_logistic, fit_ridge
from generation.twin_model.visit_values import (
    Memory,
    Occasion,
    ValueModel,
    fit_value_model,
    numbers_of,
)
from generation.twin_model.visits import (
    KNOTS,
    Schedule,
    VisitProcess,
    leaving_design,
    occasion,
    other_values,
)

_LEAVING_PENALTY = 3.0
_TAIL_DAYS = 60.0
_MOST_LAST_VALUES = 12


def visits_drive(schedule: Schedule, arrays: TrialArrays) -> bool:
    """Whether follow-up ends with the planned visits, so that leaving is told by visits."""
    known = np.isfinite(arrays.follow_up)
    if not schedule.planned or not schedule.later:
        return False
    if not known.any():
        return True
    last = schedule.targets[-1] + _TAIL_DAYS
    return bool(np.mean(arrays.follow_up[known] <= last) >= 0.9)


def fit_visits(
    schema: CohortSchema,
    arrays: TrialArrays,
    schedule: Schedule,
    static: FloatArray,
    arm: FloatArray,
    until: FloatArray,
    ended: np.ndarray,
    progress: Progress | None,
) -> VisitProcess | None:
    """Fit the visit process.

    Parameters
    ----------
    static, arm
        Regression features of the baseline (n, p) and the arm (n, a).
    until
        End of observation of each patient.
    ended
        Whether a terminal event ended it.

    Returns
    -------
    None when there is no visit after baseline to learn from.
    """
    modelled = list(schedule.modelled)
    if not schedule.later:
        return None
    numbers: dict[str, FloatArray] = {}
    codecs: dict[str, CategoricalCodec | None] = {}
    for variable in schema.longitudinal:
        found, codec = numbers_of(variable, arrays.values[variable.name])
        if np.isfinite(found[:, modelled]).sum() >= 2 * MINIMUM_CELL:
            numbers[variable.name], codecs[variable.name] = found, codec
    if not numbers:
        return None
    centres = {
        name: float(np.nanmedian(v)) for name, v in numbers.items() if codecs[name] is None
    }
    centres = centres if len(centres) <= _MOST_LAST_VALUES else {}
    before = _memories(numbers, len(schedule.names))
    variables = tuple(schema.variable(name) for name in numbers)
    values = _fit_values(
        variables, numbers, codecs, centres, before, schedule, arrays, static, arm, progress
    )
    if not values:
        return None
    drives = visits_drive(schedule, arrays)
    attended = np.isfinite(arrays.visit_day)
    reached = _reached(schedule, attended, until)
    leaving = position = tail = None
    if drives:
        leaving, position, tail = _fit_leaving(
            schedule, centres, before, static, arm, reached, until, ended
        )
    gap, deviation = _fit_days(schedule, arrays, static, arm)
    step = learn_step(arrays.visit_day[attended])
    planned = schedule.planned
    return VisitProcess(
        schedule=schedule,
        values=tuple(values),
        centres=centres,
        leaving=leaving,
        position=np.linspace(0, 1, KNOTS) if position is None else position,
        tail=np.zeros(KNOTS) if tail is None else tail,
        attendance=_share(attended, reached) if planned else np.ones(attended.shape[1]),
        deviation=deviation,
        gap=gap,
        measured={m.variable.name: _measured(m, numbers, attended, planned) for m in values},
        step=step,
        drives=drives,
    )


def _memories(numbers: dict[str, FloatArray], visits: int) -> list[dict[str, Memory]]:
    """What is known of each variable before each visit."""
    n = len(next(iter(numbers.values())))
    now = {name: Memory.empty(n) for name in numbers}
    before = []
    for k in range(visits):
        before.append(now)
        now = {name: memory.see(numbers[name][:, k]) for name, memory in now.items()}
    return before


def _previous_day(arrays: TrialArrays, k: int) -> FloatArray:
    """Last attended day before visit k, 0 where there is none."""
    earlier = np.where(np.isfinite(arrays.visit_day[:, :k]), arrays.visit_day[:, :k], 0.0)
    return np.asarray(np.maximum(earlier.max(axis=1, initial=0.0), 0.0))


def _fit_values(
    variables: tuple[Variable, ...],
    numbers: dict[str, FloatArray],
    codecs: dict[str, CategoricalCodec | None],
    centres: dict[str, float],
    before: list[dict[str, Memory]],
    schedule: Schedule,
    arrays: TrialArrays,
    static: FloatArray,
    arm: FloatArray,
    progress: Progress | None,
) -> list[ValueModel]:
    """Value models in turn; each sees the scaled residuals of those before it."""
    rows = {k: np.flatnonzero(np.isfinite(arrays.visit_day[:, k])) for k in schedule.modelled}
    rows = {k: r for k, r in rows.items() if len(r)}
    if not rows:
        return []
    stacked = Occasion.stack([
        occasion(
            schedule, static[r], arm[r], k, arrays.visit_day[r, k],
            arrays.visit_day[r, k] - _previous_day(arrays, k)[r],
        )
        for k, r in rows.items()
    ])
    residuals = np.zeros((len(stacked.gap), 0))
    models = []
    for i, variable in enumerate(variables):
        report_progress(progress, f"visits: {variable.name}", i / len(variables))
        memory = _stack([(before[k][variable.name], r) for k, r in rows.items()])
        lasts = np.concatenate([
            other_values(centres, variable.name, before[k])[r] for k, r in rows.items()
        ])
        y = np.concatenate([numbers[variable.name][r, k] for k, r in rows.items()])
        others = np.concatenate([lasts, residuals], axis=1)
        fitted = fit_value_model(variable, codecs[variable.name], stacked, memory, others, y)
        if fitted is not None:
            models.append(fitted[0])
            residuals = np.column_stack([residuals, fitted[1]])
    return models


def _stack(parts: list[tuple[Memory, np.ndarray]]) -> Memory:
    return Memory(*(
        np.concatenate([getattr(memory, side)[rows] for memory, rows in parts])
        for side in ("last", "mean", "first", "count")
    ))


def _reached(schedule: Schedule, attended: np.ndarray, until: FloatArray) -> np.ndarray:
    """Whether each patient was still followed when each visit's window opened."""
    if not schedule.planned:
        return attended
    later = np.logical_or.accumulate(attended[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(later | (until[:, None] >= schedule.lows))


def _fit_leaving(
    schedule: Schedule,
    centres: dict[str, float],
    before: list[dict[str, Memory]],
    static: FloatArray,
    arm: FloatArray,
    reached: np.ndarray,
    until: FloatArray,
    ended: np.ndarray,
) -> tuple[Ridge | None, FloatArray | None, FloatArray | None]:
    """Hazard of leaving before each visit, where inside the interval, and the tail."""
    designs, outcomes, positions = [], [], []
    staying = np.ones(len(static), dtype=bool)
    opened = 0.0
    for k in schedule.later:
        low = float(schedule.lows[k])
        gone = staying & ~reached[:, k]
        rows = staying & ~(gone & ended)
        designs.append(
            leaving_design(schedule, centres, static, arm, k, before[k])[rows]
        )
        outcomes.append(gone[rows])
        went = gone & ~ended & np.isfinite(until)
        positions.append(np.clip((until[went] - opened) / max(low - opened, 1e-9), 0.0, 1.0))
        staying, opened = staying & reached[:, k], max(opened, low)
    left = np.concatenate(outcomes)
    where = np.concatenate(positions)
    stays = staying & ~ended & np.isfinite(until)
    tail = until[stays] - opened
    leaving = None
    if left.sum() >= MINIMUM_CELL:
        leaving = fit_logistic(
            np.concatenate(designs), left.astype(np.int64), 2, _LEAVING_PENALTY
        )
    return (
        leaving,
        smooth_quantiles(where, KNOTS) if len(where) >= MINIMUM_CELL else None,
        smooth_quantiles(tail, KNOTS) if len(tail) >= MINIMUM_CELL else None,
    )


def _fit_days(
    schedule: Schedule, arrays: TrialArrays, static: FloatArray, arm: FloatArray
) -> tuple[Ridge | None, FloatArray]:
    """Deviation from the target day by visit, or a regression of the gap."""
    days = arrays.visit_day
    if schedule.planned:
        deviation = np.zeros((days.shape[1], KNOTS))
        for k in range(days.shape[1]):
            seen = days[:, k][np.isfinite(days[:, k])] - schedule.targets[k]
            if len(seen) >= MINIMUM_CELL:
                deviation[k] = smooth_quantiles(seen, KNOTS)
        return None, deviation
    designs, gaps = [], []
    for k in schedule.later:
        previous = _previous_day(arrays, k)
        seen = np.isfinite(days[:, k]) & (days[:, k] > previous)
        designs.append(np.column_stack([np.log1p(previous), arm, static])[seen])
        gaps.append(np.log(days[seen, k] - previous[seen]))
    x, y = np.concatenate(designs), np.concatenate(gaps)
    gap = fit_ridge(x, y, np.arange(x.shape[1]) < 1 + arm.shape[1])
    return gap, smooth_quantiles(y - gap.predict(x), KNOTS)[None, :]


def _share(attended: np.ndarray, reached: np.ndarray) -> FloatArray:
    """Share attending each visit; 0 below five patients."""
    counts = attended.sum(axis=0)
    share = counts / np.maximum(reached.sum(axis=0), 1)
    return np.where(counts >= MINIMUM_CELL, np.minimum(share, 1.0), 0.0)


def _measured(
    model: ValueModel, numbers: dict[str, FloatArray], attended: np.ndarray, planned: bool
) -> FloatArray:
    """Share measured at each attended visit; 0 below five patients."""
    seen = np.isfinite(numbers[model.variable.name])
    if not planned:
        share = seen.sum() / max(attended.sum(), 1)
        return np.full(attended.shape[1], float(share))
    return _share(seen, attended)
