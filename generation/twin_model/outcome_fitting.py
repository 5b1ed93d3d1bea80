"""Fitting of the endpoints' hazards and of the end of follow-up."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from extraction.records import CohortSchema, Endpoint
from generation.assembly import CENSORED, NO_RECORD, TrialArrays, censored_at_end
from generation.randomness import integer_seed
from generation.tokenizer import MINIMUM_CELL, FloatArray, to_grid
from generation.tokenizer_fitting import learn_step, local_mean, smooth_quantiles
from generation.twin_model.hazards import Hazard
from generation.twin_model.hazards_arms import match_arms
from generation.twin_model.hazards_cox import fit_cox
from generation.twin_model.outcome import (
    EndpointModel,
    OutcomeModel,
    observed_until,
    reason_status,
)
from generation.twin_model.residual import Residual
from generation.twin_model.residual_choice import Mode, fit_residuals

_MIRROR_DAYS = 14.0
_ALL = "all causes"


def fit_outcome(
    schema: CohortSchema,
    arrays: TrialArrays,
    features: FloatArray,
    population: FloatArray,
    arms: int,
    seed: int,
    visits_drive: bool,
    residual: Mode = "auto",
    metrics: dict[str, float] | None = None,
) -> OutcomeModel:
    """Fit the hazards of every endpoint and of leaving.

    Parameters
    ----------
    features, population
        Features of the training patients and of sampled ones (`hazards.calibrate`).
    arms
        How many of the last features are arm indicators.
    visits_drive
        Whether planned visits model the end of follow-up (`visits`).
    residual
        What may be added to proportional hazards (`residual_choice.fit_residuals`).
    metrics
        Where the held-out log-likelihood that each kept term bought is written.
    """
    until = observed_until(arrays)
    seen = np.isfinite(until)
    found_out = {} if metrics is None else metrics
    fitter = _Fitter(arrays, features, population, arms, seed, until, residual, found_out)
    found = {e.name: _mirrored(schema, arrays, e.name, until) for e in schema.endpoints}
    mirrors = {name: lags for name, lags in found.items() if lags is not None}
    counts = {e.name: int((arrays.events[e.name][1] > CENSORED).sum()) for e in schema.endpoints}
    models: list[EndpointModel] = []
    for endpoint in sorted(schema.endpoints, key=lambda e: -counts[e.name]):
        if endpoint.name not in mirrors and (arrays.events[endpoint.name][1] != NO_RECORD).any():
            models.append(fitter.endpoint(endpoint, models))
    if not seen.any():
        return OutcomeModel(tuple(models), None, float("nan"), 0.0, mirrors)
    step = learn_step(until[seen])
    end = float(to_grid(np.array([local_mean(np.sort(until[seen]), 1.0)]), step)[0])
    draft = OutcomeModel(tuple(models), None, end, step, mirrors)
    left = seen & ~draft.ended(arrays) & (until < end - 1e-6)
    if visits_drive or not left.any():
        return draft
    return replace(draft, follow_up=fitter.hazards(seen, until, {"leaving": left}, False)[0])


@dataclass(frozen=True)
class _Fitter:
    """What every hazard of a cohort is fitted to."""

    arrays: TrialArrays
    features: FloatArray
    population: FloatArray
    arms: int
    seed: int
    until: FloatArray
    residual: Mode
    metrics: dict[str, float] = field(default_factory=dict)

    def hazards(
        self, rows: npt.NDArray[np.bool_], day: FloatArray,
        causes: dict[str, npt.NDArray[np.bool_]], censored: bool, nested: bool = False,
    ) -> list[Hazard]:
        """Hazards of competing causes among some patients; the last may be censoring.

        A cause of fewer than ten events is a share of all causes' hazard.
        """
        x, t = self.features[rows], np.maximum(day[rows], 1e-6)
        events = {name: event[rows] for name, event in causes.items()}
        told = list(events)[: len(events) - censored]
        pooled = np.any([events[name] for name in told], axis=0)
        rare = [n for n in told if events[n].sum() < 2 * MINIMUM_CELL] if len(told) > 1 else []
        fitted = {name: event for name, event in events.items() if name not in rare}
        fitted |= {_ALL: pooled} if rare else {}
        coxes = {
            name: fit_cox(x, self.arms, t, d, integer_seed(self.seed, f"hazard {name}"))
            for name, d in fitted.items()
        }
        if rare:
            fitted = {_ALL: fitted.pop(_ALL), **fitted}
        shifts = fit_residuals(
            x, self.arms, t, list(fitted.values()), [coxes[name] for name in fitted],
            censored, integer_seed(self.seed, f"residual {told[0]}"), self.residual,
        )
        population = x if nested else self.population
        done = {}
        for (name, event), found in zip(fitted.items(), shifts, strict=True):
            self._tell(name, found)
            done[name] = match_arms(coxes[name], self.arms, population, x, t, event, found.shift)
        for name in rare:
            share = float(events[name].sum() / max(pooled.sum(), 1))
            whole = done[_ALL]
            done[name] = replace(whole, levels=whole.levels * share, tail=whole.tail * share)
        return [done[name] for name in events]

    def _tell(self, name: str, found: Residual) -> None:
        """Write down what the kept terms bought."""
        for term in found.kept:
            self.metrics[f"residual: {name}: {term}"] = found.gains[term][0]

    def endpoint(self, endpoint: Endpoint, fitted: list[EndpointModel]) -> EndpointModel:
        """Hazards of one endpoint."""
        arrays, name = self.arrays, endpoint.name
        day, status = arrays.events[name]
        rows = status != NO_RECORD
        lost = float(np.mean(~rows)) if (~rows).sum() >= MINIMUM_CELL else 0.0
        step = learn_step(day[rows])
        happened = rows & (status > CENSORED)
        parent = _parent(arrays, name, [model.name for model in fitted])
        ends = happened & np.isfinite(self.until)
        terminal = bool(ends.any() and np.mean(np.abs(day - self.until)[ends] < 0.5) >= 0.9)
        at_once = np.zeros(len(endpoint.causes))
        if parent is not None:
            first, started = arrays.events[parent]
            rows = rows & (started > CENSORED)
            day = np.where(rows, day - first, np.nan)
            together = rows & happened & (day < 0.5)
            at_once = np.array([
                np.sum(together & (status == k)) for k in range(1, len(endpoint.causes) + 1)
            ]) / max(rows.sum(), 1)
            rows = rows & ~together
        events = {
            f"{name}: {cause}": status == k for k, cause in enumerate(endpoint.causes, 1)
        }
        shared = parent is not None or censored_at_end(arrays, name)
        shared |= not (status == CENSORED).any()
        shared |= not np.isfinite(arrays.follow_up).any() and len(arrays.events) == 1
        early = (status == CENSORED) & ~(day >= self.until - 0.5)
        events |= {} if shared else {f"{name}: censored": early}
        hazards = self.hazards(rows, day, events, not shared, parent is not None)
        causes = tuple(hazards[: len(endpoint.causes)])
        censor = None if shared else hazards[-1]
        return EndpointModel(name, causes, censor, terminal, lost, step, parent, at_once)


def _parent(arrays: TrialArrays, name: str, others: list[str]) -> str | None:
    """Endpoint without whose event this one never happens, beyond chance (1 in 100)."""
    day, status = arrays.events[name]
    happened = status > CENSORED
    if happened.sum() < MINIMUM_CELL:
        return None
    for other in reversed(others):
        first, started = arrays.events[other]
        before = (started > CENSORED) & (first <= day + 0.5)
        chance = float(np.mean(before)) ** int(happened.sum())
        if before[happened].all() and chance < 0.01:
            return other
    return None


def _mirrored(
    schema: CohortSchema, arrays: TrialArrays, name: str, until: FloatArray
) -> FloatArray | None:
    """Days by which an endpoint precedes the end of observation whose reason it repeats.

    None when it says something else: under 95 % agreement with the reasons given, or half of the
    events more than a fortnight before the end.
    """
    day, status = arrays.events[name]
    happened = status > CENSORED
    if happened.sum() < MINIMUM_CELL:
        return None
    told = reason_status(schema, name, arrays.end_reason)
    lag = (until - day)[happened]
    # Only patients of whom either says something count: most have neither, and agree on nothing.
    spoken = happened | (told > CENSORED)
    agrees = np.mean(told[spoken] == np.maximum(status[spoken], 0)) >= 0.95
    if not agrees or not (lag >= -0.5).all() or np.median(lag) > _MIRROR_DAYS:
        return None
    return smooth_quantiles(np.maximum(lag, 0.0), 9)
