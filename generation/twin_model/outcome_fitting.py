"""Fitting of the endpoints' hazards and of the end of follow-up."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from extraction.records import CohortSchema, Endpoint
from generation.assembly import CENSORED, NO_RECORD, TrialArrays, censored_at_end
from generation.randomness import integer_seed
from generation.tokenizer import MINIMUM_CELL, FloatArray, to_grid
from generation.tokenizer_fitting import learn_step, local_mean
from generation.twin_model.hazards import Hazard
from generation.twin_model.hazards_cox import fit_cox
from generation.twin_model.hazards_effects import match_effects
from generation.twin_model.mirrors import fit_offsets
from generation.twin_model.outcome import (
    EndpointModel,
    OutcomeModel,
    observed_until,
    reason_status,
)
from generation.twin_model.residual import Residual
from generation.twin_model.residual_choice import Mode, fit_residuals

Pair = tuple[Hazard, Hazard]
_MIRROR_SHARE = 0.5
_TURNING_Z = 4.0
_ALL = "all causes"
_LEAVING = "leaving"


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
    fitter = _Fitter(
        arrays, features, population, arms, seed, until, residual, schema.randomised, found_out
    )
    found = {e.name: _mirrored(schema, arrays, e.name, until) for e in schema.endpoints}
    mirrors = {name: lags for name, lags in found.items() if lags is not None}
    counts = {e.name: int((arrays.events[e.name][1] > CENSORED).sum()) for e in schema.endpoints}
    models: list[EndpointModel] = []
    # Others first, since what ends observation may depend on them; of these the more frequent.
    ends = {e.name: fitter.terminal(e.name) for e in schema.endpoints}
    for endpoint in sorted(schema.endpoints, key=lambda e: (ends[e.name], -counts[e.name])):
        if endpoint.name not in mirrors and (arrays.events[endpoint.name][1] != NO_RECORD).any():
            models.append(
                fitter.endpoint(endpoint, models, _stopped(arrays, endpoint.name, mirrors))
            )
    if not seen.any():
        return OutcomeModel(tuple(models), None, float("nan"), 0.0, mirrors)
    step = learn_step(until[seen])
    end = float(to_grid(np.array([local_mean(np.sort(until[seen]), 1.0)]), step)[0])
    draft = OutcomeModel(tuple(models), None, end, step, mirrors)
    left = seen & ~draft.ended(arrays) & (until < end - 1e-6)
    if visits_drive or not left.any():
        return draft
    return replace(draft, follow_up=fitter.hazards(seen, until, {_LEAVING: left}, False)[0][0])


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
    randomised: bool
    metrics: dict[str, float] = field(default_factory=dict)

    def hazards(
        self,
        rows: npt.NDArray[np.bool_],
        day: FloatArray,
        causes: dict[str, npt.NDArray[np.bool_]],
        censored: bool,
        nested: bool = False,
    ) -> list[Pair]:
        """Hazards of competing causes among some patients; the last may be censoring.

        A cause of fewer than ten events is a share of all causes' hazard.

        Returns
        -------
        list of pairs
            The hazard that synthetic patients are drawn from, and the one that forecasts stand on.
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
            x,
            self.arms,
            t,
            list(fitted.values()),
            [coxes[name] for name in fitted],
            censored,
            integer_seed(self.seed, f"residual {told[0]}"),
            self.residual,
        )
        population = x if nested else self.population
        done: dict[str, Pair] = {}
        for (name, event), found in zip(fitted.items(), shifts, strict=True):
            self._tell(name, found)
            matched = partial(
                match_effects,
                *(found.cox, self.arms, population, x, t, event, found.shift, self.randomised),
            )
            plain = matched(False)
            strong = name in (*told, _ALL) and name != _LEAVING
            done[name] = (matched(True), plain) if strong else (plain, plain)
        for name in rare:
            share = float(events[name].sum() / max(pooled.sum(), 1))
            drawn, foretold = done[_ALL]
            done[name] = _part(drawn, share), _part(foretold, share)
        return [done[name] for name in events]

    def _tell(self, name: str, found: Residual) -> None:
        """Write down what the kept terms bought."""
        if np.isfinite(found.slope[0]):
            self.metrics[f"calibration slope: {name}"] = found.slope[0]
        if found.slope_after != found.slope[0] and np.isfinite(found.slope_after):
            self.metrics[f"calibration slope: {name}: recalibrated"] = found.slope_after
        for term in found.kept:
            self.metrics[f"residual: {name}: {term}"] = found.gains[term][0]

    def terminal(self, name: str) -> bool:
        """Whether observation ends with the endpoint's events."""
        day, status = self.arrays.events[name]
        ends = (status > CENSORED) & np.isfinite(self.until)
        return bool(ends.any() and np.mean(np.abs(day - self.until)[ends] < 0.5) >= 0.9)

    def endpoint(
        self, endpoint: Endpoint, fitted: list[EndpointModel], stops: str | None
    ) -> EndpointModel:
        """Hazards of one endpoint; `stops` is the mirror that censors it."""
        arrays, name = self.arrays, endpoint.name
        day, status = arrays.events[name]
        rows = status != NO_RECORD
        lost = float(np.mean(~rows)) if (~rows).sum() >= MINIMUM_CELL else 0.0
        step, terminal = learn_step(day[rows]), self.terminal(name)
        parent = _parent(arrays, name, [model.name for model in fitted])
        if parent is not None:
            return replace(self._after(endpoint, parent, name, lost, terminal), stops=stops)
        then = None
        source = self._turning(name, [model.name for model in fitted])
        if source is not None:
            then = self._after(endpoint, source, f"{name} after {source}", 0.0, terminal)
            first, started = arrays.events[source]
            turned = rows & (started > CENSORED) & (first <= day)
            day, status = np.where(turned, first, day), np.where(turned, CENSORED, status)
        events = {f"{name}: {cause}": status == k for k, cause in enumerate(endpoint.causes, 1)}
        shared = stops is not None or censored_at_end(arrays, name)
        shared |= not (status == CENSORED).any()
        shared |= not np.isfinite(arrays.follow_up).any() and len(arrays.events) == 1
        early = (arrays.events[name][1] == CENSORED) & (status == CENSORED)
        early &= ~(day >= self.until - 0.5)
        events |= {} if shared else {f"{name}: censored": early}
        hazards = self.hazards(rows, day, events, not shared)
        causes, foretold = zip(*hazards[: len(endpoint.causes)], strict=True)
        none = np.zeros(len(endpoint.causes))
        return EndpointModel(
            name,
            causes,
            None if shared else hazards[-1][0],
            terminal,
            lost,
            step,
            None,
            none,
            then,
            stops,
            foretold,
        )

    def _after(
        self, endpoint: Endpoint, source: str, name: str, lost: float, terminal: bool
    ) -> EndpointModel:
        """Hazards of an endpoint in days since another's event, and its share at once."""
        day, status = self.arrays.events[endpoint.name]
        first, started = self.arrays.events[source]
        recorded = status != NO_RECORD
        rows = recorded & (started > CENSORED) & (first <= day + 0.5)
        since = np.where(rows, day - first, np.nan)
        together = rows & (status > CENSORED) & (since < 0.5)
        at_once = np.array(
            [np.sum(together & (status == k)) for k in range(1, len(endpoint.causes) + 1)]
        ) / max(rows.sum(), 1)
        events = {f"{name}: {cause}": status == k for k, cause in enumerate(endpoint.causes, 1)}
        hazards = self.hazards(rows & ~together, since, events, False, True)
        step = learn_step(day[recorded])
        causes, foretold = zip(*hazards, strict=True)
        return EndpointModel(
            name, causes, None, terminal, lost, step, source, at_once, foretold=foretold
        )

    def _turning(self, name: str, others: list[str]) -> str | None:
        """The endpoint after whose event this one's hazard changes most, beyond chance.

        Events after it against those expected of the Nelson-Aalen hazard of all: at least ten, and
        four standard errors from what is expected (a one-sample log-rank test).
        """
        day, status = self.arrays.events[name]
        rows, happened = status != NO_RECORD, status > CENSORED
        if not happened.any():
            return None
        ordered = np.sort(day[rows])
        times = np.sort(day[happened])
        at_risk = len(ordered) - np.searchsorted(ordered, times, side="left")
        hazard = np.append(0.0, np.cumsum(1.0 / at_risk))
        best: tuple[float, str | None] = (_TURNING_Z, None)
        for other in others:
            first, started = self.arrays.events[other]
            turned = rows & (started > CENSORED) & (first < day)
            found = int((turned & happened).sum())
            start = hazard[np.searchsorted(times, first[turned], side="right")]
            spent = hazard[np.searchsorted(times, day[turned], side="right")] - start
            z = abs(found - spent.sum()) / np.sqrt(max(spent.sum(), 1.0))
            if found >= 2 * MINIMUM_CELL and z > best[0]:
                best = z, other
        return best[1]


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


def _stopped(arrays: TrialArrays, name: str, mirrors: dict[str, FloatArray]) -> str | None:
    """The mirror on whose day 95 % of the patients without the endpoint's event are censored.

    None where the end of observation tells that day as well, or an event follows the mirror's.
    """
    day, status = arrays.events[name]
    rows = status == CENSORED
    if name in mirrors or not rows.any() or censored_at_end(arrays, name):
        return None
    for mirror in mirrors:
        last, stopped = arrays.events[mirror]
        known = (status != NO_RECORD) & (stopped != NO_RECORD)
        late = known & (status > CENSORED) & (day > last + 0.5)
        if np.mean(np.abs(day - last)[rows] < 0.5) >= 0.95 and not late.any():
            return mirror
    return None


def _mirrored(
    schema: CohortSchema, arrays: TrialArrays, name: str, until: FloatArray
) -> FloatArray | None:
    """Days from where visits stand to an endpoint that repeats why observation ended.

    None when it says something else: under 95 % agreement with the reasons given, or half of the
    events in the first half of observation.
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
    early = np.median(lag) > _MIRROR_SHARE * np.median(until[happened])
    if not agrees or not (lag >= -0.5).all() or early:
        return None
    return fit_offsets(arrays, until, day, happened)


def _part(hazard: Hazard, share: float) -> Hazard:
    """The part of a hazard that is a rare cause's."""
    return replace(hazard, levels=hazard.levels * share, tail=hazard.tail * share)
