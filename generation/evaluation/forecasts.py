"""Forecasts of patients whom a model has not seen, beside what came: the input of calibration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from extraction.records import Cohort
from generation.assembly import CENSORED, NO_RECORD, TrialArrays, align, to_arrays
from generation.evaluation.scores import crps, pit
from generation.evaluation.survival import kaplan_meier
from generation.evaluation.tables import Floats
from generation.randomness import Stream
from generation.twin_model.futures import event_free

if TYPE_CHECKING:
    from generation.engine import Model
    from generation.twin_model.model import TwinModel

GRID = 60
"""Days at which survival is forecast, evenly up to the last day with a tenth at risk."""
_LANDMARKS = 3
_DRAWS = 100

Integers = npt.NDArray[np.int64]
Chances = Callable[[str, Floats], tuple[Floats, int]]


@dataclass(frozen=True)
class SurvivalForecasts:
    """Forecasts of one endpoint from baseline.

    Parameters
    ----------
    time, event
        What came: days, and whether the event (any cause) was seen, shape (n,).
    grid
        Days, shape (g,).
    survival, marginal
        Probability of no event by each day, by the model and by the Kaplan-Meier curve of the
        patients trained on, shape (n, g).
    at_own
        The model's probability of no event by the patient's own time, shape (n,).
    draws
        Draws behind the model's probabilities, 0 where they are exact.
    """

    time: Floats
    event: npt.NDArray[np.bool_]
    grid: Floats
    survival: Floats
    marginal: Floats
    at_own: Floats
    draws: int = 0


@dataclass(frozen=True)
class ValueForecasts:
    """Forecasts of one variable at the next visit.

    Parameters
    ----------
    patient
        Number of the patient (one has several next visits), shape (m,).
    pit, crps
        Of the model's draws, shape (m,).
    pit_narrow
        Of the draws pulled half way to their median: a planted error that must be seen.
    crps_carried, crps_marginal
        Scores of the last value carried forward, and of the training patients' values.
    """

    patient: Integers
    pit: Floats
    pit_narrow: Floats
    crps: Floats
    crps_carried: Floats
    crps_marginal: Floats


@dataclass(frozen=True)
class Forecasts:
    """Everything that was forecast of a group of patients.

    ``folds`` holds one entry a fold for each endpoint, as every fold has its own grid.
    """

    folds: dict[str, tuple[SurvivalForecasts, ...]] = field(default_factory=dict)
    values: dict[str, ValueForecasts] = field(default_factory=dict)

    @staticmethod
    def pooled(parts: Sequence[Forecasts]) -> Forecasts:
        """Join the forecasts of several folds; patients are numbered anew."""
        folds: dict[str, tuple[SurvivalForecasts, ...]] = {}
        values: dict[str, list[ValueForecasts]] = {}
        for k, part in enumerate(parts):
            for name, found in part.folds.items():
                folds[name] = (*folds.get(name, ()), *found)
            for name, one in part.values.items():
                moved = {**vars(one), "patient": one.patient + (k << 32)}
                values.setdefault(name, []).append(ValueForecasts(**moved))
        return Forecasts(folds, {name: _joined(several) for name, several in values.items()})


def forecasts_of(
    model: Model | None, train: Cohort, holdout: Cohort, seed: int, draws: int = _DRAWS
) -> Forecasts | None:
    """Forecasts by a model that can make them; None where there is none, or of arms unknown to it.

    Patients of other arms than the model's, or who lack its columns, cannot be forecast.
    """
    if model is None or "timeline" not in model.supports:
        return None
    arms = set(holdout.subjects["arm"].dropna())
    missing = {v.name for v in model.schema.variables} - {v.name for v in holdout.schema.variables}
    if missing or (model.card.arms and not arms <= set(model.card.arms)):
        return None
    return forecast(cast("TwinModel", model), train, holdout, draws, seed)


def forecast(
    model: TwinModel, train: Cohort, holdout: Cohort, draws: int = 200, seed: int = 0
) -> Forecasts:
    """Forecast held-out patients: endpoints from baseline, values from visit to visit.

    Parameters
    ----------
    model
        Fitted to `train`; it must be able to continue a history.
    draws
        Futures a patient, where the model has no exact answer.
    """
    known = align(to_arrays(train), model.schema, model.visit_names)
    real = align(to_arrays(holdout), model.schema, model.visit_names)
    found = Forecasts()

    @cache
    def drawn(leaving: bool) -> TrialArrays:
        return model.futures(holdout, 0.0, draws, seed=seed, dropout=leaving)

    def chances(name: str, days: Floats) -> tuple[Floats, int]:
        exact = event_free(model, holdout, name, days, seed)
        if exact is not None:
            return exact, 0
        # An endpoint that says that observation ended cannot happen where nobody may leave.
        return _shares(*drawn(name in model.leaving_endpoints).events[name], draws, days), draws

    for endpoint in model.schema.endpoints:
        if (one := _survival(endpoint.name, known, real, chances)) is not None:
            found.folds[endpoint.name] = (one,)
    parts: dict[str, list[ValueForecasts]] = {}
    for visit in next_visits(model, train, holdout, draws, seed):
        values = np.asarray(known.values[visit.variable], dtype=np.float64)
        parts.setdefault(visit.variable, []).append(_score(visit, values, seed))
    for name, several in parts.items():
        found.values[name] = _joined(several)
    return found


@dataclass(frozen=True)
class NextVisit:
    """Forecasts of one variable at the visit that follows a day.

    Parameters
    ----------
    patient
        Rows of the held-out cohort, shape (m,).
    day
        Last day of every history.
    truth, last
        What came, and the last value known on that day, shape (m,).
    futures
        The model's draws, NaN where a draw has no value, shape (m, draws).
    """

    variable: str
    patient: Integers
    day: float
    truth: Floats
    last: Floats
    futures: Floats


def next_visits(
    model: TwinModel, train: Cohort, holdout: Cohort, draws: int, seed: int
) -> Iterator[NextVisit]:
    """Forecast every numeric variable of held-out patients from visit to visit.

    From planned visits the next one is forecast; without planned visits, the first visit after
    day 0 and after two quantiles of the training patients' visit days.
    """
    known = align(to_arrays(train), model.schema, model.visit_names)
    real = align(to_arrays(holdout), model.schema, model.visit_names)
    for number, day in enumerate(_landmarks(model, known)):
        stays = _followed(real, day)
        rows = np.flatnonzero(stays)
        if len(rows) < 2:
            continue
        drawn = model.futures(holdout.take(stays), day, draws, seed=seed + number)
        yield from _values(model, real, drawn, rows, day, draws)


def _joined(several: Sequence[ValueForecasts]) -> ValueForecasts:
    """Forecasts of one variable from several landmarks or folds."""
    return ValueForecasts(**{
        key: np.concatenate([getattr(one, key) for one in several]) for key in vars(several[0])
    })


def _survival(
    name: str, known: TrialArrays, real: TrialArrays, chances: Chances
) -> SurvivalForecasts | None:
    """Forecast of one endpoint; None without an event to judge by."""
    time, status = real.events[name]
    rows = np.flatnonzero((status != NO_RECORD) & np.isfinite(time) & (time > 0))
    if not np.any(status[rows] > CENSORED):
        return None
    own, event = time[rows], status[rows] > CENSORED
    horizon = np.sort(own)[-max(1, len(own) // 10)]
    grid = np.linspace(0.0, float(horizon), GRID + 1)[1:]
    days = np.union1d(grid, np.linspace(0.0, float(own.max()), 2 * GRID))
    whole, draws = chances(name, days)
    curves = whole[rows]
    before, died = known.events[name]
    seen = (died != NO_RECORD) & np.isfinite(before)
    curve = kaplan_meier(before[seen], died[seen] > CENSORED, grid)
    return SurvivalForecasts(
        own, event, grid, curves[:, np.searchsorted(days, grid)],
        np.broadcast_to(curve, (len(own), GRID)).copy(), _at(own, days, curves), draws,
    )


def _shares(day: Floats, status: Integers, draws: int, days: Floats) -> Floats:
    """Share of each patient's futures without an event by each day, shape (n, g)."""
    latent = np.sort(np.where(status > CENSORED, day, np.inf).reshape(-1, draws), axis=1)
    beyond = np.array([np.searchsorted(row, days, side="right") for row in latent])
    return np.asarray(1 - beyond / draws)


def _at(own: Floats, days: Floats, curves: Floats) -> Floats:
    """Each patient's curve at the patient's own day, linear between days, shape (n,)."""
    row, place = np.arange(len(own)), np.clip(np.searchsorted(days, own), 1, len(days) - 1)
    part = (own - days[place - 1]) / (days[place] - days[place - 1])
    return np.asarray(curves[row, place - 1] * (1 - part) + curves[row, place] * part)


def _landmarks(model: TwinModel, known: TrialArrays) -> list[float]:
    """Days from which the next visit is forecast: planned visits' ends, else quartiles of days."""
    if model.schema.visits:
        ends = sorted(max(v.high, 0.0) for v in model.schema.visits)
        return list(dict.fromkeys(ends[:-1]))
    days = known.visit_day[np.isfinite(known.visit_day) & (known.visit_day > 0)]
    if not len(days):
        return []
    return [0.0, *np.quantile(days, np.arange(1, _LANDMARKS) / _LANDMARKS).tolist()]


def _followed(real: TrialArrays, day: float) -> npt.NDArray[np.bool_]:
    """Patients with a visit up to a day and one after it."""
    if not real.visit_day.shape[1]:
        return np.zeros(len(real), dtype=bool)
    before = (real.visit_day <= day).any(axis=1)
    return np.asarray(before & (real.visit_day > day).any(axis=1))


def _values(
    model: TwinModel, real: TrialArrays, drawn: TrialArrays, rows: Integers, day: float, draws: int
) -> Iterator[NextVisit]:
    """Forecasts of every numeric variable at each patient's next visit."""
    later, came = real.visit_day[rows] > day, drawn.visit_day > day
    for variable in model.schema.longitudinal:
        if not variable.numeric or variable.name not in real.values:
            continue
        values = np.asarray(real.values[variable.name], dtype=np.float64)[rows]
        truth = _first(np.where(later, values, np.nan))
        last = _first(np.where(later, np.nan, values)[:, ::-1])
        ahead = np.asarray(drawn.values[variable.name], dtype=np.float64)
        futures = _first(np.where(came, ahead, np.nan)).reshape(len(rows), draws)
        judged = np.isfinite(truth) & np.isfinite(last) & (np.isfinite(futures).sum(axis=1) > 1)
        if judged.sum() > 1:
            yield NextVisit(
                variable.name, rows[judged], day, truth[judged], last[judged], futures[judged]
            )


def _score(visit: NextVisit, trained: Floats, seed: int) -> ValueForecasts:
    """Scores of one forecast, and of the last value and everybody's values in its place."""
    truth, futures = visit.truth, visit.futures
    place = Stream(seed, "calibration ties").uniform(patient=visit.patient)
    middle = np.nanmedian(futures, axis=1, keepdims=True)
    everybody = np.sort(trained[np.isfinite(trained)])
    step = max(1, len(everybody) // futures.shape[1])
    thinned = everybody[step // 2 :: step]
    marginal = np.broadcast_to(thinned, (len(truth), len(thinned)))
    return ValueForecasts(
        visit.patient, pit(futures, truth, place), pit((futures + middle) / 2, truth, place),
        crps(futures, truth), np.abs(truth - visit.last), crps(marginal, truth),
    )


def _first(values: Floats) -> Floats:
    """First known value of each row, NaN without one."""
    known = np.isfinite(values)
    first = np.argmax(known, axis=1)
    return np.where(known.any(axis=1), values[np.arange(len(values)), first], np.nan)
