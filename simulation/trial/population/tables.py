"""From a cohort to the table behind a population of twins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np
import pandas as pd

from extraction.records.errors import Faults
from simulation.trial.outcomes import Endpoint
from simulation.trial.outcomes.base import NEVER, Floats

if TYPE_CHECKING:
    from extraction.records import Cohort

LEAVES: Final = "leaves"
DAYS: Final = {"day": 1.0, "week": 7.0, "month": 30.4375, "year": 365.25}


@final
@dataclass(frozen=True)
class TableHazard:
    """Nelson-Aalen's cumulative hazard of a table, linear between its event times."""

    time: Floats
    hazard: Floats

    def at(self, time: Floats) -> Floats:
        """Cumulative hazard at times of any shape."""
        return np.interp(time, self.time, self.hazard)

    def cumulative(self, time: float) -> float:
        """Cumulative hazard at one time."""
        return float(np.interp(time, self.time, self.hazard))

    def inverse(self, hazard: Floats) -> Floats:
        """Time at which a cumulative hazard is reached; infinite beyond what the table has seen."""
        time = np.interp(hazard, self.hazard, self.time)
        return np.where(hazard > self.hazard[-1], NEVER, time)


def outcome_columns(endpoint: Endpoint) -> list[str]:
    """Names of the table's columns that hold an endpoint."""
    stem = f"outcome.{endpoint.name}"
    if endpoint.kind == "continuous":
        return [f"{stem}@{k}" for k in range(len(endpoint.visits))]
    if endpoint.kind == "time_to_event":
        return [f"{stem}.time", f"{stem}.event"]
    return [stem]


def hazard_of(table: pd.DataFrame, endpoint: Endpoint) -> TableHazard:
    """Nelson-Aalen estimate of an endpoint's hazard in the table."""
    time, event = (table[c].to_numpy(dtype=np.float64) for c in outcome_columns(endpoint))
    there = np.isfinite(time)
    moments, place = np.unique(time[there & (event > 0)], return_inverse=True)
    deaths = np.bincount(place, minlength=moments.size)
    at_risk = there.sum() - np.searchsorted(np.sort(time[there]), moments, side="left")
    return TableHazard(
        np.concatenate([[0.0], moments]), np.concatenate([[0.0], np.cumsum(deaths / at_risk)])
    )


def table_of(cohort: Cohort, endpoints: Sequence[Endpoint], time_unit: str) -> pd.DataFrame:
    """Baseline, outcomes and leaving times of a cohort's patients, times in the design's unit.

    Raises
    ------
    InputError
        If the cohort lacks an endpoint; all faults at once.
    """
    unit = DAYS[time_unit]
    faults = Faults("population")
    data: dict[str, Any] = {}
    for variable in cohort.schema.baseline:
        column = cohort.subjects[variable.name]
        if variable.numeric:
            data[variable.name] = column.to_numpy(dtype=np.float64)
        else:
            numbers = {c: float(k) for k, c in enumerate(variable.categories or ())}
            data[variable.name] = column.map(numbers).to_numpy(dtype=np.float64)
    for endpoint in endpoints:
        with faults.catch():
            values = _outcome(cohort, endpoint, unit)
            data |= dict(zip(outcome_columns(endpoint), values, strict=True))
    faults.raise_if_any()
    data[LEAVES] = _after_known(data, endpoints, _leaving(cohort, unit))
    return pd.DataFrame(data)


def _after_known(data: dict[str, Any], endpoints: Sequence[Endpoint], left: Floats) -> Floats:
    """Leaving times, not before a visit with a value: windows open before the visit's day."""
    for endpoint in endpoints:
        if endpoint.kind == "continuous":
            for visit, column in zip(endpoint.visits, outcome_columns(endpoint), strict=True):
                left = np.where(np.isfinite(data[column]), np.maximum(left, visit), left)
        elif endpoint.kind == "binary":
            known = np.isfinite(data[outcome_columns(endpoint)[0]])
            left = np.where(known, np.maximum(left, endpoint.visit), left)
    return left


def _outcome(cohort: Cohort, endpoint: Any, unit: float) -> list[Floats]:
    if endpoint.kind == "continuous":
        return _visits(cohort, endpoint)
    if endpoint.kind == "time_to_event":
        cohort.schema.endpoint(endpoint.name)
        table = cohort.to_table(visits=False)
        time = table[f"{endpoint.name}_time"].to_numpy(dtype=np.float64) / unit
        return [time, table[f"{endpoint.name}_event"].to_numpy(dtype=np.float64)]
    faults = Faults(f"endpoint {endpoint.name!r}")
    if endpoint.kind == "count":
        faults.add("counts are not drawn from twins; use a parametric population")
    variable = cohort.schema.variable(endpoint.variable or endpoint.name)
    level = endpoint.level or (variable.categories or ("",))[-1]
    if level not in (variable.categories or ()):
        faults.add(f"level {level!r} is no category of {variable.name!r}")
    faults.raise_if_any()
    values = cohort.subjects[variable.name]
    return [np.where(values.isna(), np.nan, (values == level).to_numpy(dtype=np.float64))]


def _visits(cohort: Cohort, endpoint: Any) -> list[Floats]:
    visits = endpoint.at or tuple(v.name for v in cohort.schema.visits)[-len(endpoint.visits) :]
    return visit_values(cohort, endpoint.variable or endpoint.name, visits, endpoint.change_from)


def visit_values(
    cohort: Cohort, variable: str, visits: Sequence[str], change_from: str | None = None
) -> list[Floats]:
    """Values (N,) at each visit, NaN where missing.

    Parameters
    ----------
    change_from
        Visit, or variable with one value a patient, whose value is taken off.
    """
    values = [cohort.at_visit(variable, visit).to_numpy(dtype=np.float64) for visit in visits]
    if change_from is None:
        return values
    if change_from in cohort.subjects and change_from in cohort.schema:
        first = cohort.subjects[change_from].to_numpy(dtype=np.float64)
    else:
        first = cohort.at_visit(variable, change_from).to_numpy(dtype=np.float64)
    return [value - first for value in values]


def _leaving(cohort: Cohort, unit: float) -> Floats:
    """When patients left before the end, NaN for those who completed."""
    ends = cohort.subjects["end_reason"]
    left = ends.notna() & ~ends.astype(str).str.lower().str.contains("complet")
    until = cohort.subjects["observed_until"].to_numpy(dtype=np.float64) / unit
    return np.where(left.to_numpy(dtype=bool), until, np.nan)
