"""The days of a forecast: which visit a day belongs to, and what is measured there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from extraction.records import Cohort, CohortSchema, Faults, VisitWindow
from simulation.twins.forecast import FloatArray

FEWEST_DRAWS = 20
LEAST_SHARE = 0.1
"""Share of the futures (or of the patients still followed) that makes a variable measured."""


def numbered(days: object, schema: CohortSchema, faults: Faults) -> FloatArray:
    """Days as numbers in rising order, each once; visit names become their target days."""
    if isinstance(days, str) or not isinstance(days, Iterable):
        faults.add("days: one value came; give a list of days or visit names, e.g. ['Week 24']")
        return np.empty(0)
    wanted: list[float] = []
    others = 0
    for day in days:
        if isinstance(day, str):
            with faults.catch():
                wanted.append(schema.visit(day).day)
        elif _is_number(day):
            wanted.append(float(day))
        else:
            others += 1
    if others:
        faults.add(f"days: {others} of them are neither a number of days nor a visit's name")
    elif not wanted and not faults:
        faults.add("no day was given; give days after the history's last")
    return np.unique(np.asarray(wanted, dtype=np.float64))


def _is_number(day: Any) -> bool:
    number = isinstance(day, int | float | np.integer | np.floating) and not isinstance(day, bool)
    return number and bool(np.isfinite(day))


def window(schema: CohortSchema, day: float) -> VisitWindow | None:
    """The visit that a day belongs to: of all windows around it, the one with the nearest day."""
    around = [v for v in schema.visits if v.low <= day <= v.high]
    return min(around, key=lambda v: abs(v.day - day)) if around else None


def reach(schema: CohortSchema, day: float) -> float:
    """Follow the patient to the end of the visit window around the last day."""
    found = window(schema, day)
    return day if found is None else max(day, found.high)


def values_on(futures: Cohort, name: str, days: FloatArray) -> FloatArray:
    """Values on each day, shape (draws, days): at the day's visit, else between observations."""
    columns = []
    for day in days:
        visit = window(futures.schema, float(day))
        if visit is None:
            columns.append(between(futures, name, float(day)))
        else:
            columns.append(futures.at_visit(name, visit.name).to_numpy(dtype=np.float64))
    return np.stack(columns, axis=1)


def between(futures: Cohort, name: str, day: float) -> FloatArray:
    """Interpolate linearly between the observations around a day; NaN behind the last one."""
    rows = futures.observed(name)
    at = futures.positions(rows)
    when, value = rows["day"].to_numpy(), rows["value"].to_numpy()
    out = np.full((2, 2, len(futures)), np.nan)  # (before, after) x (day, value) x draw
    before, after = when <= day, when >= day
    out[0, :, at[before]] = np.column_stack([when[before], value[before]])
    out[1, :, at[after][::-1]] = np.column_stack([when[after][::-1], value[after][::-1]])
    (low, start), (high, end) = out
    gap = np.where(high > low, high - low, 1.0)
    values: FloatArray = start + (end - start) * (day - low) / gap
    return values


def answered(drawn: FloatArray) -> npt.NDArray[np.bool_]:
    """Whether enough draws hold a value, by day; `drawn` has shape (draws, days)."""
    held = np.isfinite(drawn)
    return np.asarray((held.sum(axis=0) >= FEWEST_DRAWS) & (held.mean(axis=0) >= LEAST_SHARE))


def sparse_faults(
    name: str, drawn: FloatArray, days: FloatArray, measured: Sequence[str]
) -> list[str]:
    """One fault a day on which too few draws hold the variable; `measured` names better visits."""
    faults = []
    for j in np.flatnonzero(~answered(drawn)):
        held = int(np.isfinite(drawn[:, j]).sum())
        if held >= LEAST_SHARE * len(drawn):
            advice = f"{FEWEST_DRAWS} are needed; raise draws"
        elif measured:
            advice = f"it is measured at {', '.join(measured)}; ask for those"
        else:
            advice = "no later visit measures it; leave it out"
        faults.append(
            f"{name} has a value on day {days[j]:g} in {held} of {len(drawn)} draws; {advice}"
        )
    return faults


def measured_visits(cohort: Cohort, name: str, after: float) -> list[VisitWindow]:
    """Visits behind a day at which a tenth of those still followed have the variable."""
    until = cohort.subjects["observed_until"].to_numpy(dtype=np.float64)
    found = []
    for visit in cohort.schema.visits:
        followed = np.isnan(until) | (until >= visit.low)
        if visit.day <= after or not followed.any():
            continue
        seen = cohort.at_visit(name, visit.name).notna().to_numpy()
        if seen[followed].mean() >= LEAST_SHARE:
            found.append(visit)
    return found
