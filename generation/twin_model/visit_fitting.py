"""Fitting of the visit process to a cohort's arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from extraction.records import CohortSchema
from generation.assembly import TrialArrays
from generation.engine import Progress, report_progress
from generation.tokenizer import MINIMUM_CELL, FloatArray, IntArray
from generation.tokenizer_fitting import learn_step, smooth_quantiles
from generation.twin_model.attendance import (
    GapModel,
    Panel,
    Turnout,
    fit_gaps,
    fit_panel,
    fit_turnout,
    gap_design,
)
from generation.twin_model.lens import Lens, fit_lens
from generation.twin_model.memory import History, Occasion
from generation.twin_model.ridge import Ridge, choose_logistic
from generation.twin_model.schedule import Schedule, last_values, leaving_design, occasion
from generation.twin_model.visit_values import ValueModel, fit_value_model
from generation.twin_model.visits import KNOTS, VisitProcess

_LEAVING_PENALTIES = (3.0, 15.0, 75.0, 375.0)
_TAIL_DAYS = 60.0
_MOST_LAST_VALUES = 12
MOST_VISITS = 60


def visits_drive(schedule: Schedule, arrays: TrialArrays) -> bool:
    """Whether follow-up ends with the planned visits, so that leaving is told by visits."""
    known = np.isfinite(arrays.follow_up)
    if not schedule.planned or not schedule.later:
        return False
    if not known.any():
        return True
    last = schedule.targets[-1] + _TAIL_DAYS
    return bool(np.mean(arrays.follow_up[known] <= last) >= 0.9)


@dataclass(frozen=True)
class VisitData:
    """What the parts of a visit process are fitted to.

    Attributes
    ----------
    scores
        Values of all visits as the lenses see them, by variable, shape (n, v).
    before
        History before each visit, and behind the last.
    attended, reached
        Who came to each visit and who was still followed at it, shape (n, v).
    """

    schedule: Schedule
    arrays: TrialArrays
    static: FloatArray
    arm: FloatArray
    until: FloatArray
    ended: np.ndarray
    lenses: dict[str, Lens]
    scores: dict[str, FloatArray]
    centres: dict[str, float]
    attended: np.ndarray
    reached: np.ndarray
    before: list[History]

    @property
    def days(self) -> FloatArray:
        """Day of each visit, shape (n, v)."""
        return self.arrays.visit_day


def read_visits(
    schema: CohortSchema, arrays: TrialArrays, schedule: Schedule, static: FloatArray,
    arm: FloatArray, until: FloatArray, ended: np.ndarray,
) -> VisitData | None:
    """Prepare a cohort's visits; None when there is none after baseline to learn from."""
    modelled = list(schedule.modelled)
    if not schedule.later:
        return None
    lenses, scores = {}, {}
    for variable in schema.longitudinal:
        lens = fit_lens(variable, arrays.values[variable.name])
        if lens is None:
            continue
        found = lens.scores(arrays.values[variable.name])
        if np.isfinite(found[:, modelled]).sum() >= 2 * MINIMUM_CELL:
            lenses[variable.name], scores[variable.name] = lens, found
    if not scores:
        return None
    often = sorted(scores, key=lambda name: -int(np.isfinite(scores[name]).sum()))
    often = often[:_MOST_LAST_VALUES]
    centres = {
        name: 0.0 if lenses[name].codec is None else float(np.nanmean(scores[name]))
        for name in scores if name in often
    }
    attended = np.isfinite(arrays.visit_day)
    reached = _reached(schedule, attended, until)
    before = _histories(schedule, arrays, scores, attended, reached)
    return VisitData(
        schedule, arrays, static, arm, until, ended, lenses, scores, centres, attended, reached,
        before,
    )


def _histories(
    schedule: Schedule, arrays: TrialArrays, scores: dict[str, FloatArray],
    attended: np.ndarray, reached: np.ndarray,
) -> list[History]:
    """What is known before each visit, and after the last."""
    now = History.empty(tuple(scores), len(arrays))
    before = [now]
    for k in range(len(schedule.names)):
        day = np.where(attended[:, k], arrays.visit_day[:, k], 0.0)
        values = {name: found[:, k] for name, found in scores.items()}
        later = k in schedule.later
        due = (reached[:, k] & later) if schedule.planned else (attended[:, k] & later)
        now = now.see(day, attended[:, k], values, later, due)
        before.append(now)
    return before


def fit_visits(data: VisitData, progress: Progress | None) -> VisitProcess | None:
    """Fit the visit process; None when no variable can be fitted."""
    schedule = data.schedule
    rows = {k: np.flatnonzero(data.attended[:, k]) for k in schedule.modelled}
    rows = {k: r for k, r in rows.items() if len(r)}
    if not rows:
        return None
    here = Occasion.stack([
        occasion(
            schedule, data.static[r], data.arm[r], k, data.days[r, k],
            data.days[r, k] - data.before[k].day[r],
        )
        for k, r in rows.items()
    ])
    past = History.stack([data.before[k].take(r) for k, r in rows.items()])
    patient = np.concatenate(list(rows.values()))
    visit = np.concatenate([np.full(len(r), k) for k, r in rows.items()])
    values = _fit_values(data, here, past, patient, visit, progress)
    if not values:
        return None
    names = [model.name for model in values]
    kept = History.empty(tuple(names), 0).memory
    past = _only(past, tuple(kept), tuple(data.scores))
    held = np.column_stack([np.isfinite(data.scores[name][patient, visit]) for name in names])
    report_progress(progress, "visits: what is measured", 1.0)
    panel = fit_panel(
        here, past, held, visit, len(schedule.names), schedule.planned, patient
    )
    return _assembled(data, values, panel)


def _only(history: History, names: tuple[str, ...], known: tuple[str, ...]) -> History:
    """A history of some of its variables, in this order."""
    columns = [known.index(name) for name in names]
    return History(**{
        **history.__dict__,
        "memory": {name: history.memory[name] for name in names},
        "measured": history.measured[:, columns],
        "measured_share": history.measured_share[:, columns],
    })


def _assembled(data: VisitData, values: list[ValueModel], panel: Panel) -> VisitProcess:
    """Fit what does not depend on the values' regressions, and put all together."""
    schedule = data.schedule
    drives = visits_drive(schedule, data.arrays)
    names = {model.name for model in values}
    centres = {name: centre for name, centre in data.centres.items() if name in names}
    leaving = position = tail = None
    if drives:
        leaving, position, tail = _fit_leaving(
            data, centres, panel, tuple(model.name for model in values)
        )
    return VisitProcess(
        schedule=schedule,
        values=tuple(values),
        centres=centres,
        leaving=leaving,
        position=np.linspace(0, 1, KNOTS) if position is None else position,
        tail=np.zeros((2, KNOTS)) if tail is None else tail,
        turnout=_fit_turnout(data),
        deviation=_fit_days(data),
        gap=None if schedule.planned else _fit_gaps(data, centres),
        panel=panel,
        step=learn_step(data.days[data.attended]),
        drives=drives,
    )


def _fit_values(
    data: VisitData, here: Occasion, past: History, patient: IntArray, visit: IntArray,
    progress: Progress | None,
) -> list[ValueModel]:
    """Value models in turn, numbers first; each sees the scaled residuals of those before it."""
    residuals = np.zeros((len(patient), 0))
    order = sorted(data.lenses, key=lambda name: data.lenses[name].codec is not None)
    centres = data.centres
    models: list[ValueModel] = []
    for i, name in enumerate(order):
        report_progress(progress, f"visits: {name}", i / len(order))
        y = data.scores[name][patient, visit]
        others = np.concatenate([last_values(centres, name, past), residuals], axis=1)
        fitted = fit_value_model(data.lenses[name], here, past, others, y, patient)
        if fitted is not None:
            models.append(fitted[0])
            residuals = np.column_stack([residuals, fitted[1]])
    return models


def _reached(schedule: Schedule, attended: np.ndarray, until: FloatArray) -> np.ndarray:
    """Whether each patient was still followed when each visit's window opened."""
    if not schedule.planned:
        return attended
    later = np.logical_or.accumulate(attended[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(later | (until[:, None] >= schedule.lows))


def _fit_leaving(
    data: VisitData, centres: dict[str, float], panel: Panel, names: tuple[str, ...]
) -> tuple[Ridge | None, FloatArray | None, FloatArray | None]:
    """Hazard of leaving before each visit, where inside the interval, and the tail."""
    designs, outcomes, positions, groups = [], [], [], []
    staying = np.ones(len(data.static), dtype=bool)
    opened, until, ended = 0.0, data.until, data.ended
    for k in data.schedule.later:
        low = float(data.schedule.lows[k])
        gone = staying & ~data.reached[:, k]
        rows = staying & ~(gone & ended)
        before = _only(data.before[k], names, tuple(data.scores))
        x = leaving_design(
            data.schedule, centres, data.static, data.arm, k, before, panel.usual(k - 1)
        )
        designs.append(x[rows])
        outcomes.append(gone[rows])
        groups.append(np.flatnonzero(rows))
        went = gone & ~ended & np.isfinite(until)
        first = np.maximum(data.before[k].day, opened)[went]
        positions.append(np.clip((until[went] - first) / np.maximum(low - first, 1e-9), 0.0, 1.0))
        staying, opened = staying & data.reached[:, k], max(opened, low)
    left = np.concatenate(outcomes)
    where = np.concatenate(positions)
    stays = staying & ~ended & np.isfinite(until)
    tail = until - np.maximum(data.before[-1].day, opened)
    came = data.attended[:, data.schedule.later[-1]]
    tails = [tail[stays & ~came], tail[stays & came]]
    tails = [part if len(part) >= MINIMUM_CELL else tail[stays] for part in tails]
    leaving = None
    if left.sum() >= MINIMUM_CELL:
        leaving = choose_logistic(
            np.concatenate(designs), left.astype(np.int64), 2, np.concatenate(groups),
            _LEAVING_PENALTIES, light=len(data.schedule.names) + data.arm.shape[1],
        )
    return (
        leaving,
        smooth_quantiles(where, KNOTS) if len(where) >= MINIMUM_CELL else None,
        np.stack([smooth_quantiles(part, KNOTS) for part in tails])
        if stays.sum() >= MINIMUM_CELL else None,
    )


def _fit_days(data: VisitData) -> FloatArray:
    """Quantiles of the deviation from the target day by planned visit."""
    width = data.days.shape[1]
    deviation = np.zeros((width, KNOTS))
    for k in range(width) if data.schedule.planned else ():
        seen = data.days[:, k][data.attended[:, k]] - data.schedule.targets[k]
        if len(seen) >= MINIMUM_CELL:
            deviation[k] = smooth_quantiles(seen, KNOTS)
    return deviation


def _fit_gaps(data: VisitData, centres: dict[str, float]) -> GapModel:
    """Gaps to the next visit; the last of each patient is cut by the end of observation."""
    designs, gaps, came, who = [], [], [], []
    later = list(data.schedule.later)
    following = [*later[1:], None]
    # From the baseline to the first later visit, then from each to the next.
    starts = [(later[0], None), *zip(following, later, strict=True)]
    full = len(data.schedule.names)
    for to, origin in starts:
        history = data.before[later[0] if origin is None else origin + 1]
        here = np.isfinite(data.until) & (history.day < data.until)
        if origin is not None:
            here &= data.attended[:, origin]
        comes = here & (data.attended[:, to] if to is not None else False)
        if to is None and full >= MOST_VISITS:
            here = comes  # who fills all visits that are kept may have had more
        wait = np.where(comes, data.days[:, to] if to is not None else 0.0, data.until)
        wait = wait - history.day
        here &= wait > 0
        last = last_values(centres, "", history)
        x = gap_design(history, data.static, data.arm, last, data.schedule.horizon)
        designs.append(x[here])
        gaps.append(wait[here])
        came.append(comes[here])
        who.append(np.flatnonzero(here))
    return fit_gaps(
        np.concatenate(designs), np.concatenate(gaps), np.concatenate(came), np.concatenate(who)
    )


def _fit_turnout(data: VisitData) -> Turnout:
    """Turnout at planned visits."""
    counts = data.attended.sum(axis=0)
    share = np.minimum(counts / np.maximum(data.reached.sum(axis=0), 1), 1.0)
    share = np.where(counts >= MINIMUM_CELL, share, 0.0)
    if not data.schedule.planned:
        return Turnout(np.ones(len(counts)), None)
    rows = {k: np.flatnonzero(data.reached[:, k]) for k in data.schedule.later}
    history = History.stack([data.before[k].take(r) for k, r in rows.items()])
    arm = np.concatenate([data.arm[r] for r in rows.values()])
    visit = np.concatenate([np.full(len(r), k) for k, r in rows.items()])
    came = np.concatenate([data.attended[r, k] for k, r in rows.items()])
    return fit_turnout(history, arm, visit, came, share)
