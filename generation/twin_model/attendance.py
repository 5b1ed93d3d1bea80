"""Who comes, when, and what a visit measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from generation.randomness import Stream, decision_id
from generation.tokenizer import MINIMUM_CELL, FloatArray, IntArray
from generation.tokenizer_fitting import smooth_quantiles
from generation.twin_model.memory import History, Occasion
from generation.twin_model.ridge import Ridge, choose_logistic, fit_binary, fit_logistic, softmax

_MOST_BINS = 10
_GAPS_A_BIN = 25
_KNOTS_A_BIN = 8
_GAP_PENALTIES = (0.5, 2.0, 8.0)
_TRIAL_STEPS = 7
_FOLDS = 3
_TRIES = 4
_SAME = 0.998
_FIRST = 5
_PAST = 5
_BANDS = (3.4, 4.5, 5.0, 5.4, 5.8, 6.0)
_RHYTHM = _FIRST + len(_BANDS)
_LIGHT = 0.05


@dataclass(frozen=True)
class GapModel:
    """Days from one unplanned visit to the next as hazards over bins of log gap.

    Attributes
    ----------
    knots
        Quantiles of log gap, `bins` x 8 + 1 of them.
    weights, intercept
        Log odds of coming back within each bin of those who have not yet, shapes (p, bins) and
        (bins,). Who comes back in no bin comes no more.
    """

    knots: FloatArray
    weights: FloatArray
    intercept: FloatArray

    @property
    def bins(self) -> int:
        """Number of bins."""
        return len(self.intercept)

    def shares(self, x: FloatArray) -> FloatArray:
        """Probability of each bin, and of no further visit, shape (n, bins + 1)."""
        hazard = expit(Ridge(self.weights, self.intercept).predict(x))
        stays = np.cumprod(1 - hazard, axis=1)
        before = np.concatenate([np.ones((len(x), 1)), stays[:, :-1]], axis=1)
        return np.concatenate([before * hazard, stays[:, -1:]], axis=1)

    def draw(self, x: FloatArray, place: FloatArray, waited: FloatArray) -> FloatArray:
        """Days to the next visit, more than those already waited; infinite where there is none."""
        shares = self.shares(x)
        reached = np.cumsum(shares[:, :-1], axis=1)
        place = 1 - (1 - place) * np.where(waited > 0, self._none(shares, waited), 1.0)
        which = (place[:, None] >= reached).sum(axis=1)
        inside = np.minimum(which, self.bins - 1)
        row = np.arange(len(x))
        low = np.where(inside > 0, reached[row, np.maximum(inside, 1) - 1], 0.0)
        width = np.maximum(reached[row, inside] - low, 1e-12)
        along = np.clip((place - low) / width, 0.0, 1.0)
        log = np.interp(
            (inside + along) * _KNOTS_A_BIN, np.arange(len(self.knots)), self.knots
        )
        return np.where(which < self.bins, np.exp(log), np.inf)

    def log_prob(self, x: FloatArray, gap: FloatArray, came: np.ndarray) -> FloatArray:
        """Log-probability of a gap to the day, or log-probability of none so far, shape (n,)."""
        shares = self.shares(x)
        before = self._none(shares, np.maximum(gap - 0.5, 0.0))
        density = before - self._none(shares, gap + 0.5)
        none = self._none(shares, gap)
        return np.asarray(np.log(np.maximum(np.where(came, density, none), 1e-9)))

    def _none(self, shares: FloatArray, gap: FloatArray) -> FloatArray:
        """Probability of no visit within some days, shape (n,)."""
        rising = self.knots + 1e-9 * np.arange(len(self.knots))
        log = np.log(np.maximum(gap, 1e-3))
        place = np.interp(log, rising, np.arange(len(rising))) / _KNOTS_A_BIN
        bin_ = np.minimum(place.astype(np.int64), self.bins - 1)
        row = np.arange(len(shares))
        reached = np.cumsum(shares[:, :-1], axis=1)
        reached = np.concatenate([np.zeros((len(shares), 1)), reached], axis=1)
        return np.asarray(1 - reached[row, bin_] - shares[row, bin_] * (place - bin_))

    def state(self) -> dict[str, Any]:
        """Return the arrays."""
        return dict(self.__dict__)


def fit_gaps(
    x: FloatArray, gap: FloatArray, came: np.ndarray, groups: IntArray
) -> GapModel:
    """Fit the bins' hazards.

    Parameters
    ----------
    x
        What was known at the visit from which the gap counts, shape (rows, p).
    gap, came
        Days to the next visit, or to the end of observation where none came.
    groups
        Patient of each row: the penalty is chosen by patients left out.
    """
    log = np.log(np.maximum(gap, 1e-3))
    bins = int(np.clip(came.sum() // _GAPS_A_BIN, 1, _MOST_BINS))
    knots = np.maximum.accumulate(smooth_quantiles(log[came], bins * _KNOTS_A_BIN + 1))
    cells = _gap_cells(log, came, knots)
    penalties = dict.fromkeys(_GAP_PENALTIES, 0.0)
    for penalty in penalties:
        for fold in range(_FOLDS):
            out = groups % _FOLDS == fold
            for rows, event in cells:
                slopes, intercept = _bin_hazard(x, event, rows & ~out, penalty, _TRIAL_STEPS)
                linear = x[rows & out] @ slopes + intercept
                signed = np.where(event[rows & out], linear, -linear)
                penalties[penalty] -= float(np.log1p(np.exp(-np.clip(signed, -30, 30))).sum())
    best = max(penalties, key=lambda penalty: penalties[penalty])
    fitted = [_bin_hazard(x, event, rows, best) for rows, event in cells]
    weights = np.column_stack([slopes for slopes, _ in fitted])
    return GapModel(knots, weights, np.array([intercept for _, intercept in fitted]))


def _gap_cells(
    log: FloatArray, came: np.ndarray, knots: FloatArray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Who is at risk of coming in each bin, and who does."""
    edges = knots[_KNOTS_A_BIN::_KNOTS_A_BIN]
    cells = []
    start = -np.inf
    for b, edge in enumerate(edges):
        last = b == len(edges) - 1
        event = came & (log > start) & ((log <= edge) | last)
        # Who is censored inside a bin counts from its middle on, as in a life table.
        middle = 0.5 * (edge + (knots[0] if b == 0 else edges[b - 1]))
        cells.append((event | ((log > start) & (log >= np.where(came, edge, middle))), event))
        start = edge
    return cells


def _bin_hazard(
    x: FloatArray, event: np.ndarray, rows: np.ndarray, penalty: float, steps: int = 20
) -> tuple[FloatArray, float]:
    """Log odds of coming within one bin."""
    happened = event[rows].astype(np.float64)
    if not happened.any() or happened.all():
        return np.zeros(x.shape[1]), 12.0 if len(happened) and happened.all() else -12.0
    weight = np.where(np.arange(x.shape[1]) < _RHYTHM, _LIGHT, 1.0)
    return fit_binary(x[rows], happened, penalty * weight, steps)


def gap_design(
    history: History, static: FloatArray, arm: FloatArray, last: FloatArray, horizon: float
) -> FloatArray:
    """Features of the next gap: earlier gaps, number of the visit, time, last values, baseline."""
    new = ~np.isfinite(history.gap)
    gap, mean = np.where(new, 0.0, history.gap), np.where(new, 0.0, history.gap_mean)
    bands = [(history.gap <= edge) & ~new for edge in _BANDS]
    order = [history.visits == number for number in range(_FIRST)]
    time = history.day / horizon
    return np.column_stack([
        *order, *bands, gap, gap**2, mean, np.minimum(history.visits, 20), time, np.sqrt(time),
        history.seen == 0, arm, last, static,
    ]).astype(np.float64)


@dataclass(frozen=True)
class Panel:
    """Which variables an attended visit measures, one after the other.

    Attributes
    ----------
    leader
        Earlier variable whose presence each variable repeats, -1 for none, shape (V,).
    base
        Log odds of each variable by visit, shape (v, V).
    models
        Logistic regression of each variable's presence; None where there is a leader, or where
        presence is as good as constant.
    """

    leader: IntArray
    base: FloatArray
    models: tuple[Ridge | None, ...]

    def usual(self, visit: int) -> FloatArray:
        """Share of attended visits that measured each variable, shape (V,)."""
        return np.asarray(expit(self.base[max(visit, 0)]))

    def draw(
        self, occasion: Occasion, history: History, stream: Stream, patients: IntArray, visit: int
    ) -> np.ndarray:
        """What each patient's visit measures, at least one thing if possible, shape (n, V)."""
        n, width = len(history), len(self.leader)
        held = np.zeros((n, width), dtype=bool)
        todo = np.arange(n)
        for attempt in range(_TRIES):
            held[todo] = self._draw(
                occasion.take(todo), history.take(todo), stream, patients[todo], visit, attempt
            )
            todo = todo[~held[todo].any(axis=1)]
            if not len(todo):
                return held
        held[todo, int(np.argmax(self.base[visit]))] = True
        return np.asarray(held & (self.base[visit] > -15))

    def _draw(
        self, occasion: Occasion, history: History, stream: Stream, patients: IntArray,
        visit: int, attempt: int,
    ) -> np.ndarray:
        held = np.zeros((len(history), len(self.leader)))
        for j, lead in enumerate(self.leader):
            if lead >= 0:
                held[:, j] = held[:, lead]
                continue
            key = decision_id(f"measured:{j}:{attempt}")
            place = stream.uniform(patient=patients, decision=key, index=visit)
            held[:, j] = place < self.chance(j, occasion, history, held, visit)
        return np.asarray(held > 0.5)

    def chance(
        self, j: int, occasion: Occasion, history: History, held: FloatArray, visit: int
    ) -> FloatArray:
        """Probability that a variable is measured, given those before it, shape (n,)."""
        base = np.full(len(history), self.base[visit, j])
        model = self.models[j]
        if model is None or self.base[visit, j] < -15:
            return np.asarray(expit(base))
        return softmax(model.predict(panel_design(j, occasion, history, held, base)))[:, 1]

    def log_prob(
        self, occasion: Occasion, history: History, held: np.ndarray, visit: int
    ) -> FloatArray:
        """Log-probability of what a visit measured, shape (n,)."""
        total = np.zeros(len(history))
        for j, lead in enumerate(self.leader):
            if lead >= 0:
                total += np.where(held[:, j] == held[:, lead], 0.0, np.log(1 - _SAME))
                continue
            chance = self.chance(j, occasion, history, held.astype(np.float64), visit)
            chance = np.where(held[:, j], chance, 1 - chance)
            total += np.log(np.clip(chance, 1e-6, 1.0))
        return total

    def state(self) -> dict[str, Any]:
        """Return the arrays."""
        models = [model.state() if model else None for model in self.models]
        return {"leader": self.leader, "base": self.base, "models": models}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Panel:
        """Rebuild from :meth:`state`."""
        models = tuple(Ridge(**m) if m else None for m in state["models"])
        return cls(np.asarray(state["leader"], dtype=np.int64), state["base"], models)


def panel_design(
    j: int, occasion: Occasion, history: History, held: FloatArray, base: FloatArray
) -> FloatArray:
    """Features of a variable's presence: its share at this visit, its past, its neighbours."""
    new = ~np.isfinite(history.measured[:, j])
    last = np.where(new, 0.5, history.measured[:, j])
    share = np.where(new, 0.5, history.measured_share[:, j])
    day = list(history.memory.values())[j].day
    # Days without this variable beyond the last gap; nearly none where it is always measured.
    since = np.log1p(np.maximum(np.where(np.isfinite(day), occasion.day - day, 0.0), 0.0))
    since = np.where(np.isfinite(day), since - occasion.gap, 0.0)
    visits = np.minimum(history.seen, 5.0)
    away = history.absent > 1
    order = [history.seen == number for number in range(_FIRST)]
    return np.column_stack([
        np.clip(base, -6.0, 6.0), held[:, :j], *order, last, share, share * visits, since,
        np.isfinite(day), occasion.gap, new, occasion.free, history.absent == 1, away,
        away * np.clip(base, -3.0, 3.0),
    ])


def fit_panel(
    occasion: Occasion, history: History, held: np.ndarray, visit: IntArray, visits: int,
    planned: bool, groups: IntArray,
) -> Panel:
    """Fit a panel to the attended visits.

    Parameters
    ----------
    held
        What each visit measured, shape (rows, V).
    visit, visits
        Number of each row's visit, and how many there are.
    """
    width = held.shape[1]
    counts = np.array([np.bincount(visit[held[:, j]], minlength=visits) for j in range(width)]).T
    total = np.bincount(visit, minlength=visits)[:, None]
    if not planned:
        counts = np.broadcast_to(counts.sum(axis=0), counts.shape)
        total = np.broadcast_to(total.sum(axis=0), total.shape)
    share = np.clip(counts / np.maximum(total, 1), 1e-4, 1 - 1e-4)
    base = np.where(counts >= MINIMUM_CELL, np.log(share / (1 - share)), -20.0)
    leader = np.full(width, -1, dtype=np.int64)
    models: list[Ridge | None] = []
    for j in range(width):
        same = (held[:, :j] == held[:, j : j + 1]).mean(axis=0)
        if j and same.max() >= _SAME:
            leader[j] = int(np.argmax(same))
            models.append(None)
            continue
        rare = min(int(held[:, j].sum()), int((~held[:, j]).sum()))
        if rare < 2 * MINIMUM_CELL:
            models.append(None)
            continue
        x = panel_design(j, occasion, history, held.astype(np.float64), base[visit, j])
        if (history.measured[:, j] == 0).sum() < 2 * MINIMUM_CELL:
            x[:, 1 + j + _FIRST :][:, :_PAST] = 0.0  # too few have a past to go by
        y = held[:, j].astype(np.int64)
        models.append(choose_logistic(x, y, 2, groups, (1.0, 10.0), light=1 + j + _FIRST))
    return Panel(leader, np.asarray(base), tuple(models))


@dataclass(frozen=True)
class Turnout:
    """Who attends a planned visit: the visit's share, and whether one came before.

    `model` is None where all but a few come.
    """

    share: FloatArray
    model: Ridge | None

    def chance(self, history: History, arm: FloatArray, visit: int) -> FloatArray:
        """Probability of coming, shape (n,)."""
        share = float(self.share[visit])
        if self.model is None or not 0 < share < 1:
            return np.full(len(history), share)
        x = _turnout_design(history, arm, self.share, np.full(len(history), visit))
        return softmax(self.model.predict(x))[:, 1]

    def state(self) -> dict[str, Any]:
        """Return the arrays."""
        return {"share": self.share, "model": self.model.state() if self.model else None}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Turnout:
        """Rebuild from :meth:`state`."""
        return cls(state["share"], Ridge(**state["model"]) if state["model"] else None)


def _turnout_design(
    history: History, arm: FloatArray, share: FloatArray, visit: IntArray
) -> FloatArray:
    """Features of coming; who has been away may be called back at some visits only."""
    clear = np.clip(share[visit], 0.002, 0.998)
    which = np.eye(len(share))[visit]
    once, away = (history.absent == 1)[:, None], (history.absent > 1)[:, None]
    last = np.where(np.isfinite(history.attended), history.attended, 1.0)
    kept = np.where(np.isfinite(history.attended_share), history.attended_share, 1.0)
    times = np.minimum(history.due, 6.0)
    return np.column_stack([
        np.log(clear / (1 - clear)), last, kept, (1 - kept) * times, arm, away,
        which * once, which * away,
    ])


def fit_turnout(
    history: History, arm: FloatArray, visit: IntArray, came: np.ndarray, share: FloatArray
) -> Turnout:
    """Fit turnout to those followed at each later visit; `visit` numbers the rows' visits."""
    between = (share[visit] > 0) & (share[visit] < 1)
    rare = min(int((came & between).sum()), int((~came & between).sum()))
    if rare < 4 * MINIMUM_CELL:
        return Turnout(share, None)
    x = _turnout_design(history, arm, share, visit)[between]
    return Turnout(share, fit_logistic(x, came[between].astype(np.int64), 2, 2.0))
