"""Futures of patients whose histories are known: one patient's, or many patients' in one pass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from extraction.records import Cohort, InputError, Timeline
from generation.assembly import CENSORED, TrialArrays, Values, align, to_arrays
from generation.cart import pick
from generation.engine import SamplingReport, arm_fault
from generation.randomness import Stream, decision_id
from generation.tokenizer import FloatArray, IntArray
from generation.twin_model.columns import Encoded
from generation.twin_model.outcome import WAITING
from generation.twin_model.outcome_survival import survival
from generation.twin_model.parts import arm_features

if TYPE_CHECKING:
    from generation.twin_model.model import TwinModel

_CANDIDATES = 8
_IMPUTATIONS = 20
_KEY_BITS = np.uint64(32)


@dataclass(frozen=True)
class Lot:
    """Which futures are drawn.

    Attributes
    ----------
    row
        History of each future, shape (n,).
    subject, draw
        Identity of each future: a subject's key (0 where there is one patient only) and the
        number of the future.
    seed
        Seed of all.
    """

    row: IntArray
    subject: IntArray
    draw: IntArray
    seed: int

    @property
    def stream(self) -> Stream:
        """Draws by place in the lot."""
        return Stream(self.seed, "twin").rows(self.subject, self.draw)

    def candidates(self, rows: IntArray) -> tuple[Stream, IntArray]:
        """Draws of eight candidates of each of some futures, and the candidates' histories."""
        number = (self.draw[rows, None] * _CANDIDATES + np.arange(_CANDIDATES)).ravel()
        wide = np.repeat(rows, _CANDIDATES)
        return Stream(self.seed, "twin").rows(self.subject[wide], number), self.row[wide]


def continue_timeline(
    model: TwinModel,
    timeline: Timeline,
    patients: IntArray,
    arm: str | None,
    until_day: float | None,
    seed: int,
    dropout: bool,
) -> tuple[TrialArrays, SamplingReport]:
    """Futures of one patient after the timeline's last day; `patients` number them."""
    history = align(to_arrays(timeline.cohort), model.schema, model.visit_names)
    if dropout and history.end_reason[0] is not None:
        raise InputError(
            "timeline: observation had already ended on its last day; "
            "shorten it, or ask for dropout=False"
        )
    zero = np.zeros(len(patients), dtype=np.int64)
    lot = Lot(zero, zero, patients, seed)
    labels = np.full(len(patients), arm if arm is not None else timeline.arm, dtype=object)
    day = max(float(timeline.until_day), 0.0)
    return _follow(model, history, lot, labels, day, until_day, dropout)


def futures(
    model: TwinModel,
    cohort: Cohort,
    day: float,
    draws: int,
    arm: str | None,
    seed: int,
    until_day: float | None,
    dropout: bool,
) -> TrialArrays:
    """Futures of every patient of a cohort; see `TwinModel.futures`."""
    if isinstance(draws, bool) or not isinstance(draws, int | np.integer) or draws < 1:
        raise InputError("draws: must be a whole number of at least 1")
    seen = cohort.observations[cohort.observations["day"] <= day].reset_index(drop=True)
    history = align(to_arrays(replace(cohort, observations=seen)), model.schema, model.visit_names)
    left = (history.follow_up <= day) & pd.notna(history.end_reason)
    if dropout and left.any():
        raise InputError(
            f"futures: observation of {int(left.sum())} patients had already ended on that day; "
            "leave them out, or ask for dropout=False"
        )
    for name, (when, status) in history.events.items():
        history.events[name] = when, np.where((status > CENSORED) & (when > day), CENSORED, status)
    n = len(cohort)
    row = np.repeat(np.arange(n), draws)
    lot = Lot(row, subject_keys(cohort)[row], np.tile(np.arange(draws), n), seed)
    labels = history.arm[row] if arm is None else np.full(n * draws, arm, dtype=object)
    return _follow(model, history, lot, labels, max(float(day), 0.0), until_day, dropout)[0]


def subject_keys(cohort: Cohort) -> IntArray:
    """A stable 32-bit number of each subject's key (study and subject), shape (n,).

    Of 1,000 patients two share a number with probability 1 in 8,600; they would share draws.
    """
    keys = cohort.subjects["study_id"].astype(str) + "\x1f" + cohort.subjects["subject_id"]
    words = pd.util.hash_array(keys.to_numpy(dtype=object), categorize=False)
    return np.asarray(words >> _KEY_BITS, dtype=np.int64)


def event_free(
    model: TwinModel, cohort: Cohort, name: str, days: FloatArray, seed: int
) -> FloatArray | None:
    """Probability of no event of an endpoint by each day, from baseline alone, shape (n, g).

    Exact where a patient's baseline is known, the mean over 20 draws of what is not known
    elsewhere. None where it takes a simulation: the endpoint hangs on visits, or repeats why
    observation ended.
    """
    if model.parts.course is not None or name in model.leaving_endpoints:
        return None
    history = align(to_arrays(cohort), model.schema, model.visit_names)
    for other, (when, status) in history.events.items():
        history.events[other] = when, np.minimum(status, CENSORED)
    known = (model.sampler.columns.encode(history).codes >= 0).all(axis=1)
    draws = np.where(known, 1, _IMPUTATIONS)
    first = np.cumsum(draws) - draws
    row = np.repeat(np.arange(len(cohort)), draws)
    lot = Lot(row, subject_keys(cohort)[row], np.arange(len(row)) - first[row], seed)
    encoded, _ = _known_baseline(model, history, lot, 0.0)
    features = _features(model, encoded, history.arm[row])
    outcome = model.outcome.forecasting
    curves = np.column_stack([survival(outcome, name, features, float(d)) for d in days])
    return np.asarray(np.add.reduceat(curves, first) / draws[:, None])


def expected_outcome(
    model: TwinModel,
    cohort: Cohort,
    variable: str,
    visit: str,
    arm: str | None,
    draws: int,
    seed: int,
) -> FloatArray:
    """Mean simulated outcome at a visit from baseline; see `TwinModel.expected_outcome`."""
    spec, window = model.schema.variable(variable), model.schema.visit(visit)
    if spec.role != "longitudinal" or not spec.numeric:
        raise InputError(f"expected_outcome: {variable} is not a numeric longitudinal variable")
    known = model.card.arms
    control = model.schema.control_arm if model.schema.control_arm in known else None
    chosen = arm or control or (known[0] if len(known) == 1 else None)
    if known and chosen is None:
        raise InputError(f"expected_outcome: name the arm; this model knows {', '.join(known)}")
    drawn = futures(model, cohort, 0.0, draws, chosen, seed, window.high, False)
    column = model.visit_names.index(visit)
    values = drawn.values[variable][:, column].astype(np.float64).reshape(len(cohort), draws)
    return np.asarray(np.nanmean(values, axis=1))


def _follow(
    model: TwinModel,
    history: TrialArrays,
    lot: Lot,
    labels: npt.NDArray[np.object_],
    after: float,
    until_day: float | None,
    dropout: bool,
) -> tuple[TrialArrays, SamplingReport]:
    """Draw what follows each future's history."""
    from generation.twin_model.model import Request

    unknown = sorted({str(label) for label in labels} - set(model.card.arms))
    if model.card.arms and unknown:
        raise InputError([arm_fault(name, model.card.arms) for name in unknown])
    n, row = len(lot.row), lot.row
    encoded, share = _known_baseline(model, history, lot, after)
    arrays = model.empty(encoded, labels)
    arrays.baseline = _take(history.baseline, row)
    arrays.visit_day, arrays.values = history.visit_day[row], _take(history.values, row)
    past = np.isfinite(arrays.visit_day)
    known = {name: (day[row], status[row]) for name, (day, status) in history.events.items()}
    request = Request(np.arange(n), lot.stream, until_day, dropout)
    model.simulate(arrays, encoded, request, after, known)
    arrays.visit_day = np.where(past, np.nan, arrays.visit_day)
    if share is None:
        return arrays, SamplingReport(n, model.card.n_train, method="history kept")
    method = "history kept, unknown baseline columns resampled"
    return arrays, SamplingReport(n, model.card.n_train, 1.0, share, method)


def _known_baseline(
    model: TwinModel, history: TrialArrays, lot: Lot, after: float
) -> tuple[Encoded, float | None]:
    """Each patient's baseline for every future; unknown columns drawn given the rest.

    What is unknown is drawn in eight candidates, one of which is kept in proportion to the
    likelihood of the events that the patient has had, and has not had, so far; their effective
    share is returned.
    """
    own = model.sampler.columns.encode(history)
    encoded = own.take(lot.row)
    unknown: npt.NDArray[np.bool_] = np.any(own.codes < 0, axis=1)
    rows = np.flatnonzero(unknown[lot.row])
    if not len(rows):
        return encoded, None
    stream, source = lot.candidates(rows)
    drawn = model.sampler.draw(np.arange(len(source)), stream, None, own.take(source)).encoded
    likely = _likelihood(model, drawn, history, source, after).reshape(-1, _CANDIDATES)
    weights = np.exp(likely - likely.max(axis=1, keepdims=True))
    place = lot.stream.uniform(patient=rows, decision=decision_id("unknown baseline"))
    kept = np.arange(len(rows)) * _CANDIDATES + pick(weights + 1e-300, place)
    total = weights.sum(axis=1)
    encoded.codes[rows], encoded.numbers[rows] = drawn.codes[kept], drawn.numbers[kept]
    share = total**2 / np.maximum((weights**2).sum(axis=1), 1e-300) / _CANDIDATES
    return encoded, float(np.mean(share))


def _likelihood(
    model: TwinModel, encoded: Encoded, history: TrialArrays, row: IntArray, after: float
) -> FloatArray:
    """Log-likelihood of what the history says of the endpoints up to its end."""
    features = _features(model, encoded, history.arm[row])
    past = {}
    for name, (day, status) in history.events.items():
        happened = (status[row] > CENSORED) & (day[row] <= after)
        past[name] = (np.where(happened, day[row], after), np.where(happened, status[row], WAITING))
    return model.outcome.forecasting.log_events(features, past)


def _features(model: TwinModel, encoded: Encoded, arm: npt.NDArray[np.object_]) -> FloatArray:
    """Features of baselines, then arms, as the hazards see them."""
    dummies = arm_features(arm, model.card.arms)
    return np.concatenate([model.sampler.columns.features(encoded, True), dummies], axis=1)


def _take(columns: dict[str, Values], rows: IntArray) -> dict[str, Values]:
    """Columns at some rows."""
    taken: dict[str, Values] = {}
    for name, values in columns.items():
        taken[name] = values[rows]
    return taken
