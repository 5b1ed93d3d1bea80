"""Conformal intervals for visit values: how much wider the model's intervals must be.

Patients of one fold are forecast by a visit process fitted to the others (cross-conformal). The
widening factor of a level is the quantile, over patients, of the distance of the truth from the
median in units of the interval's half width. It holds for patients exchangeable with the training
patients, pooled over patients and not given any patient's features, and for those still followed.

Source: Vovk (2015), Ann Math Artif Intell 74, doi 10.1007/s10472-013-9368-4; Romano, Patterson
and Candes (2019), NeurIPS, arXiv 1905.03222.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from extraction.records import CohortSchema
from generation.assembly import TrialArrays, Values
from generation.randomness import Stream, generator
from generation.tokenizer import FloatArray, IntArray
from generation.twin_model.schedule import Schedule
from generation.twin_model.visit_fitting import fit_visits, read_visits
from generation.twin_model.visits import Setting, VisitProcess

LEVELS = (0.5, 0.8, 0.95)
FEWEST = 20
_FOLDS = 3
_DRAWS = 80
_MOST_PATIENTS = 160
_AHEAD = 3
_BINS = 3


@dataclass(frozen=True)
class Conformal:
    """Widening factors of central intervals, by variable, horizon and level.

    Attributes
    ----------
    variables
        Names of the numeric longitudinal variables.
    edges
        Days between the last day known and the forecast day that part the horizons, (b - 1,).
    factors
        By which half widths are multiplied, shape (variables, b, levels); NaN where fewer than
        20 patients tell.
    counts
        Patients behind each, shape (variables, b).
    """

    variables: tuple[str, ...]
    edges: FloatArray
    factors: FloatArray
    counts: FloatArray

    def factor(self, variable: str, horizon: float, level: float) -> tuple[float, int]:
        """Factor of a level (50, 80 or 95 %) and the number of patients behind it.

        1 and 0 patients where nothing was learnt.
        """
        if variable not in self.variables or level not in LEVELS:
            return 1.0, 0
        bin_ = int(np.searchsorted(self.edges, horizon, side="left"))
        place = self.variables.index(variable), bin_
        found = float(self.factors[(*place, LEVELS.index(level))])
        if not np.isfinite(found):
            return 1.0, 0
        return found, int(self.counts[place])

    def interval(
        self, variable: str, horizon: float, level: float, quantiles: tuple[float, float, float]
    ) -> tuple[float, float]:
        """Interval from the model's lower quantile, median and upper quantile."""
        low, middle, high = quantiles
        factor, _ = self.factor(variable, horizon, level)
        return middle - factor * (middle - low), middle + factor * (high - middle)

    def state(self) -> dict[str, Any]:
        """Return the arrays."""
        return {**self.__dict__, "variables": list(self.variables)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Conformal:
        """Rebuild from :meth:`state`."""
        return cls(**{**state, "variables": tuple(state["variables"])})


@dataclass(frozen=True)
class Calibration:
    """What patients left out showed: one row a truth.

    ``score`` distances of the truth from the median in half widths, shape (rows, levels).
    """

    patient: IntArray
    variable: IntArray
    horizon: FloatArray
    score: FloatArray

    @classmethod
    def join(cls, parts: list[Calibration]) -> Calibration:
        """Several folds below each other."""
        return cls(
            np.concatenate([p.patient for p in parts]),
            np.concatenate([p.variable for p in parts]),
            np.concatenate([p.horizon for p in parts]),
            np.concatenate([p.score for p in parts]),
        )


def fit_conformal(
    schema: CohortSchema, arrays: TrialArrays, schedule: Schedule, static: FloatArray,
    arm: FloatArray, until: FloatArray, ended: npt.NDArray[np.bool_], seed: int,
) -> Conformal | None:
    """Widening factors by three folds of patients; None where no horizon has 20 of them.

    Parameters
    ----------
    static, arm, until, ended
        As for `visit_fitting.read_visits`.

    At most 160 patients are forecast, each from one of his visits to the next three.
    """
    names = tuple(v.name for v in schema.longitudinal if v.numeric and v.name in arrays.values)
    if not names:
        return None
    n = len(arrays)
    rng = generator(seed, "conformal")
    fold, judged = rng.permutation(n) % _FOLDS, rng.permutation(n) < _MOST_PATIENTS
    parts = []
    for k in range(_FOLDS):
        kept, out = np.flatnonzero(fold != k), np.flatnonzero((fold == k) & judged)
        data = read_visits(
            schema, rows_of(arrays, kept), schedule, static[kept], arm[kept], until[kept],
            ended[kept],
        )
        process = fit_visits(data, None) if data is not None else None
        if process is None or not len(out):
            continue
        setting = Setting(static[out], arm[out], Stream(seed, f"conformal {k}"), out)
        parts.append(_judged(process, rows_of(arrays, out), setting, names, rng))
    if not parts:
        return None
    return summarised(Calibration.join(parts), names)


def summarised(found: Calibration, names: tuple[str, ...]) -> Conformal | None:
    """Factors by variable and third of the horizons; one truth a patient counts in each."""
    if not len(found.horizon):
        return None
    edges = np.unique(np.quantile(found.horizon, np.arange(1, _BINS) / _BINS))
    bins = np.searchsorted(edges, found.horizon, side="left")
    shape = (len(names), len(edges) + 1)
    factors, counts = np.full((*shape, len(LEVELS)), np.nan), np.zeros(shape)
    for v in range(shape[0]):
        for b in range(shape[1]):
            rows = np.flatnonzero((found.variable == v) & (bins == b))
            _, first = np.unique(found.patient[rows], return_index=True)
            counts[v, b] = len(first)
            if len(first) >= FEWEST:
                factors[v, b] = _quantiles(found.score[rows[first]])
    if not np.isfinite(factors).any():
        return None
    return Conformal(names, edges, factors, counts)


def _quantiles(scores: FloatArray) -> FloatArray:
    """The k-th smallest score with k = ceil(level (n + 1)), at most n, for each level."""
    ordered, n = np.sort(scores, axis=0), len(scores)
    ranks = [min(int(np.ceil(level * (n + 1))), n) - 1 for level in LEVELS]
    return np.array([ordered[rank, j] for j, rank in enumerate(ranks)])


def _judged(
    process: VisitProcess, arrays: TrialArrays, setting: Setting, names: tuple[str, ...],
    rng: np.random.Generator,
) -> Calibration:
    """Forecast each patient's next three visits from one of a few days."""
    origins = _origins(process.schedule, arrays)
    chosen = rng.integers(0, len(origins), len(arrays))
    parts = []
    for i, day in enumerate(origins):
        known = arrays.visit_day <= day
        ahead = np.isfinite(arrays.visit_day) & ~known
        ahead &= np.cumsum(ahead, axis=1) <= _AHEAD
        rows = np.flatnonzero((chosen == i) & known.any(axis=1) & ahead.any(axis=1))
        if len(rows):
            parts.append(_from_day(process, arrays, setting, names, rows, ahead[rows], day))
    return Calibration.join(parts) if parts else _nothing()


def _origins(schedule: Schedule, arrays: TrialArrays) -> list[float]:
    """Days from which patients are forecast."""
    if schedule.planned:
        highs = [float(schedule.lows[k]) - 0.5 for k in schedule.later]
        return highs[:: max(1, len(highs) // _AHEAD)][:_AHEAD]
    days = arrays.visit_day[np.isfinite(arrays.visit_day)]
    return [float(day) for day in np.quantile(days, [0.15, 0.35, 0.6])]


def _from_day(
    process: VisitProcess, arrays: TrialArrays, setting: Setting, names: tuple[str, ...],
    rows: IntArray, ahead: npt.NDArray[np.bool_], day: float,
) -> Calibration:
    """Scores of the truths ahead of some patients, forecast from one day."""
    truth = rows_of(arrays, rows)
    wide = np.repeat(np.arange(len(rows)), _DRAWS)
    drawn = rows_of(truth, wide)
    drawn.visit_day = np.where(drawn.visit_day <= day, drawn.visit_day, np.nan)
    for name, values in drawn.values.items():
        blank: Any = np.nan if values.dtype != object else None
        drawn.values[name] = np.where(np.isfinite(drawn.visit_day), values, blank)
    reach = np.where(ahead, truth.visit_day, -np.inf).max(axis=1)
    planned = process.schedule.planned
    # Unplanned draws must go past the last truth, so that its day lies between two visits.
    drawn.follow_up = np.repeat(reach + (1.0 if planned else process.schedule.horizon), _DRAWS)
    own = setting.patients[rows]
    stream = setting.stream.rows(own[wide], np.tile(np.arange(_DRAWS), len(rows)))
    there = Setting(setting.static[rows][wide], setting.arm[rows][wide], stream,
                    np.arange(len(wide)))
    process.run(drawn, there, day, False)
    parts = []
    for v, name in enumerate(names):
        known = np.asarray(truth.values[name], dtype=np.float64)
        guesses = np.asarray(drawn.values[name], dtype=np.float64)
        for k in range(known.shape[1]):
            seen = np.flatnonzero(ahead[:, k] & np.isfinite(known[:, k]))
            if not len(seen):
                continue
            when = truth.visit_day[seen, k]
            mine = (seen[:, None] * _DRAWS + np.arange(_DRAWS)).ravel()
            found = guesses[mine, k] if planned else between(
                drawn.visit_day[mine], guesses[mine], np.repeat(when, _DRAWS)
            )
            score, enough = scores(found.reshape(-1, _DRAWS), known[seen, k])
            count = int(enough.sum())
            parts.append(Calibration(
                own[seen][enough], np.full(count, v), (when - day)[enough], score[enough]
            ))
    return Calibration.join(parts) if parts else _nothing()


def _nothing() -> Calibration:
    none = np.zeros(0, dtype=np.int64)
    return Calibration(none, none, np.zeros(0), np.zeros((0, len(LEVELS))))


def scores(drawn: FloatArray, truth: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Distances of truths from medians in half widths, and where a quarter of draws tell."""
    enough = np.isfinite(drawn).sum(axis=1) >= max(_DRAWS // 4, 2)
    filled = np.where(enough[:, None], drawn, 0.0)
    middle = np.nanmedian(filled, axis=1)
    found = []
    for level in LEVELS:
        low, high = np.nanquantile(filled, [(1 - level) / 2, (1 + level) / 2], axis=1)
        under = (middle - truth) / np.maximum(middle - low, 1e-9)
        over = (truth - middle) / np.maximum(high - middle, 1e-9)
        found.append(np.maximum(under, over))
    return np.stack(found, axis=1), enough


def between(days: FloatArray, values: FloatArray, when: FloatArray) -> FloatArray:
    """Values on a day, linear between the measurements around it; NaN behind the last one."""
    row = np.arange(len(when))
    measured = np.isfinite(days) & np.isfinite(values)
    early = np.where(measured & (days <= when[:, None]), days, -np.inf)
    late = np.where(measured & (days >= when[:, None]), days, np.inf)
    before, after = early.argmax(axis=1), late.argmin(axis=1)
    both = np.isfinite(early[row, before]) & np.isfinite(late[row, after])
    low, high = days[row, before], days[row, after]
    gap = np.where(both & (high > low), high - low, 1.0)
    along = np.where(both, (when - low) / gap, np.nan)
    start, stop = values[row, before], values[row, after]
    return np.asarray(start + (stop - start) * along)


def rows_of(arrays: TrialArrays, rows: IntArray) -> TrialArrays:
    """Some of the patients."""
    def taken(columns: dict[str, Values]) -> dict[str, Values]:
        return {name: values[rows] for name, values in columns.items()}

    return replace(
        arrays,
        baseline=taken(arrays.baseline),
        arm=arrays.arm[rows],
        follow_up=arrays.follow_up[rows],
        end_reason=arrays.end_reason[rows],
        events={name: (day[rows], s[rows]) for name, (day, s) in arrays.events.items()},
        visit_day=arrays.visit_day[rows],
        values=taken(arrays.values),
    )
