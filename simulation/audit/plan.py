"""What is audited: the planned analysis, the outcomes it needs, and effects planted in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from extraction.records import Cohort, InputError
from simulation.analysis.arrays import BoolArray, FloatArray
from simulation.analysis.survival import kaplan_meier
from simulation.analysis.synthetic_arm import (
    Parts,
    ancova_parts,
    hazard_ratio_parts,
    mean_parts,
    restricted_mean_parts,
)

Analysis = Literal["mean", "ancova", "log_hazard_ratio", "rmst"]
SURVIVAL = ("log_hazard_ratio", "rmst")
_ROUNDS = 50  # of thinning; each leaves a share 1 - hazard ratio at most
_STANDARD = 2.8  # effect over standard error for a power of .8 at two-sided .05
_STRONGEST = -1.2  # log hazard ratio of an effect planted unasked


@dataclass(frozen=True)
class Outcomes:
    """Outcomes of one arm: values or days (n,), indicators (n,) or None, covariates (n, P)."""

    y: FloatArray
    event: FloatArray | None
    x: FloatArray

    def __len__(self) -> int:
        return self.y.size

    def keep(self, rows: BoolArray) -> Self:
        """The patients at these rows."""
        event = None if self.event is None else self.event[rows]
        return replace(self, y=self.y[rows], event=event, x=self.x[rows])


class PlannedAnalysis(BaseModel):
    """An analysis as it is planned for the trial.

    ``mean`` and ``ancova`` compare a variable at a visit, ``log_hazard_ratio`` and ``rmst`` an
    endpoint.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    analysis: Analysis
    target: str = Field(max_length=200, description='"variable@visit", or an endpoint')
    covariates: tuple[str, ...] = Field(
        default=(), description="numeric baseline variables of an ANCOVA"
    )
    horizon_days: float | None = Field(
        default=None, gt=0, description="horizon of a restricted mean"
    )

    def check(self, cohort: Cohort) -> Self:
        """Return the analysis with its horizon filled in.

        Raises
        ------
        InputError
            With every fault.
        """
        faults = []
        variable, at, visit = self.target.partition("@")
        schema = cohort.schema
        if self.analysis in SURVIVAL:
            known = [e.name for e in schema.endpoints]
            if self.target not in known:
                faults.append(f"target: {self.target!r} is no endpoint; known are "
                              f"{', '.join(known) or 'none'}")
        elif not at:
            faults.append(f"target: {self.target!r} came; write variable@visit for a "
                          f"{self.analysis}, or choose {' or '.join(SURVIVAL)} for an endpoint")
        else:
            longitudinal = [v.name for v in schema.longitudinal if v.numeric]
            visits = [v.name for v in schema.visits]
            if variable not in longitudinal:
                faults.append(f"target: {variable!r} is no numeric variable with visits; known "
                              f"are {', '.join(longitudinal) or 'none'}")
            if visit not in visits:
                faults.append(f"target: {visit!r} is no visit; known are {', '.join(visits)}")
        numbers = [v.name for v in schema.baseline if v.numeric]
        faults += [f"covariates: {name!r} is no numeric baseline variable; known are "
                   f"{', '.join(numbers)}" for name in self.covariates if name not in numbers]
        if (self.analysis == "ancova") != bool(self.covariates):
            faults.append("covariates: an ancova needs some, and only an ancova takes them")
        if faults:
            raise InputError(faults)
        if self.analysis != "rmst" or self.horizon_days:
            return self
        days = cohort.endpoint(self.target)["day"].dropna().to_numpy(dtype=np.float64)
        return self.model_copy(update={"horizon_days": float(np.floor(np.quantile(days, 0.5)))})

    def outcomes(self, cohort: Cohort) -> Outcomes:
        """Outcomes of the patients for whom outcome and covariates are known."""
        event = None
        if self.analysis in SURVIVAL:
            rows = cohort.endpoint(self.target)
            y = rows["day"].to_numpy(dtype=np.float64)
            event = rows["observed"].to_numpy(dtype=np.float64)
        else:
            variable, _, visit = self.target.partition("@")
            y = cohort.at_visit(variable, visit).to_numpy(dtype=np.float64)
        x = cohort.subjects[list(self.covariates)].to_numpy(dtype=np.float64)
        whole = Outcomes(y, event, x)
        return whole.keep(np.isfinite(y) & np.isfinite(x).all(axis=1))

    def compare(self, treated: Outcomes, control: Outcomes) -> Parts:
        """Effect and the parts of its variance; see `simulation.analysis.synthetic_arm`."""
        if self.analysis == "mean":
            return mean_parts(treated.y, control.y)
        if self.analysis == "ancova":
            return ancova_parts(treated.y, control.y, treated.x, control.x)
        time, event = _both(treated.y, control.y), _both(treated.event, control.event)
        arm = np.r_[np.ones(len(treated)), np.zeros(len(control))]
        if self.analysis == "log_hazard_ratio":
            return hazard_ratio_parts(time, event, arm)
        assert self.horizon_days is not None
        return restricted_mean_parts(time, event, arm, self.horizon_days)


def _both(one: FloatArray | None, other: FloatArray | None) -> FloatArray:
    assert one is not None and other is not None
    return np.concatenate([one, other])


def usual_effect(plan: PlannedAnalysis, controls: Outcomes, fraction: float) -> float:
    """Effect that the analysis would find with power .8 with real controls, `fraction` of these.

    In the outcome's unit, or a log hazard ratio (of -1.2 at the strongest).
    """
    size = 1 / (fraction * (1 - fraction) * len(controls))
    if plan.analysis in SURVIVAL:
        assert controls.event is not None
        rate = max(float(controls.event.mean()), 1 / len(controls))
        return float(max(_STRONGEST, -_STANDARD * np.sqrt(size / rate)))
    spread = float(controls.y.var(ddof=1))
    if plan.covariates:
        design = np.column_stack([np.ones(len(controls)), controls.x])
        left = controls.y - design @ np.linalg.lstsq(design, controls.y, rcond=None)[0]
        spread = float(left @ left) / (len(controls) - design.shape[1])
    return float(_STANDARD * np.sqrt(size * spread))


def truth(plan: PlannedAnalysis, effect: float, controls: Outcomes) -> float:
    """True value of the planned effect measure when `effect` is planted."""
    if plan.analysis != "rmst":
        return effect
    curve = kaplan_meier(controls.y, _known(controls.event))
    assert plan.horizon_days is not None
    inside = curve.time < plan.horizon_days
    steps = np.diff(np.r_[0.0, curve.time[inside], plan.horizon_days])
    heights = np.r_[1.0, curve.survival[inside]]
    return float(((heights ** np.exp(effect) - heights) * steps).sum())


def plant(plan: PlannedAnalysis, treated: Outcomes, effect: float, controls: Outcomes,
          rng: np.random.Generator) -> Outcomes:
    """Give patients an effect: a shift of their values, or a hazard multiplied by exp(effect).

    A hazard is lowered by thinning: an event is kept with probability exp(effect); a patient who
    is spared goes on, with an event and a censoring day drawn from the Kaplan-Meier curves of all
    controls beyond that day, and so forth. This is exact for a proportional effect.
    """
    if plan.analysis not in SURVIVAL:
        return replace(treated, y=treated.y + effect)
    time, event = treated.y.copy(), _known(treated.event).copy()
    all_time, all_event = controls.y, _known(controls.event)
    fresh = event == 1
    for _ in range(_ROUNDS):
        spared = np.flatnonzero(fresh & (rng.random(time.size) >= np.exp(effect)))
        if not spared.size:
            break
        next_event = _beyond(all_time, all_event, time[spared], rng)
        next_end = _beyond(all_time, 1 - all_event, time[spared], rng)
        next_end = np.minimum(next_end, np.maximum(all_time.max(), time[spared]))
        time[spared] = np.minimum(next_event, next_end)
        event[spared] = next_event <= next_end
        fresh = np.zeros(time.size, dtype=bool)
        fresh[spared] = event[spared] == 1
    return replace(treated, y=time, event=event)


def _beyond(time: FloatArray, event: FloatArray, after: FloatArray, rng: np.random.Generator
            ) -> FloatArray:
    """Days drawn from the Kaplan-Meier curve of (time, event) given that they lie after `after`."""
    draws = rng.random(after.size)
    if not event.any():
        return np.full(after.size, np.inf)
    curve = kaplan_meier(time, event)
    target = draws * curve.at(after)
    place = np.searchsorted(-curve.survival, -target, side="left")
    days: FloatArray = np.append(curve.time, np.inf)[place]
    return days


def _known(event: FloatArray | None) -> FloatArray:
    assert event is not None
    return event

