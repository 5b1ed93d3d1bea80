"""Mean courses of longitudinal variables, who is still seen at each visit, and their distances."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from generation.evaluation.tables import Floats, Series, Table

FEWEST = 5
"""Fewest patients whose mean counts."""

_SHIFT_SD = 0.3
_LEAVING = 0.2
Flags = npt.NDArray[np.bool_]


def arms_of(table: Table) -> list[Flags]:
    """Patients of each arm, shape (n,) each; everybody where there is a single arm."""
    column = table.layout.arm
    if column is None:
        return [np.ones(len(table), dtype=bool)]
    codes = table.codes[:, column]
    return [codes == code for code in range(len(table.layout.levels[column]))]


def courses(table: Table) -> list[Series]:
    """Numeric variables with at least two visits."""
    return [s for s in table.layout.series if s.numeric and len(s.columns) > 1]


def mean_courses(table: Table) -> Floats:
    """Mean of every course column by arm, shape (arms, columns); NaN below 5 patients."""
    columns = [c for s in courses(table) for c in s.columns]
    values = table.numbers[:, columns]
    seen = ~np.isnan(values)
    inside = np.array(arms_of(table), dtype=np.float64)
    count = inside @ seen
    total = inside @ np.where(seen, values, 0.0)
    return np.asarray(np.where(count >= FEWEST, total / np.maximum(count, 1), np.nan))


def trajectory_distance(synthetic: Table, real: Table, scale: Floats) -> float:
    """Mean absolute difference of mean values over variables, visits and arms.

    Parameters
    ----------
    scale
        Standard deviation of each variable, repeated for its visits, shape (columns,).

    Returns
    -------
    float
        In standard deviations; a mean that only real patients have counts as one.
    """
    ours, theirs = mean_courses(synthetic), mean_courses(real)
    gap = np.abs(ours - theirs) / scale
    gap = np.where(np.isnan(ours), 1.0, gap)[~np.isnan(theirs)]
    return float(gap.mean()) if len(gap) else float("nan")


def course_scale(table: Table) -> Floats:
    """Standard deviation of each variable over patients and visits, shape (columns,)."""
    scales = []
    for series in courses(table):
        values = table.numbers[:, list(series.columns)]
        known = values[~np.isnan(values)]
        deviation = float(known.std()) if len(known) else 0.0
        scales += [deviation or 1.0] * len(series.columns)
    return np.array(scales)


def retention(table: Table) -> Floats:
    """Share of each arm's patients seen at a visit or later, shape (arms, visits).

    A patient is seen at a visit when any longitudinal variable has a value there.
    """
    seen = attended(table)
    later = np.maximum.accumulate(seen[:, ::-1], axis=1)[:, ::-1].astype(np.float64)
    inside = np.array(arms_of(table), dtype=np.float64)
    size = inside.sum(axis=1, keepdims=True)
    return np.asarray(np.where(size > 0, inside @ later / np.maximum(size, 1), np.nan))


def retention_distance(synthetic: Table, real: Table) -> float:
    """Mean absolute difference of `retention` over visits and arms, in [0, 1]."""
    ours, theirs = retention(synthetic), retention(real)
    gap = np.where(np.isnan(ours), 1.0, np.abs(ours - theirs))[~np.isnan(theirs)]
    return float(gap.mean()) if gap.size else float("nan")


def visit_names(table: Table) -> tuple[str, ...]:
    """Visits at which some variable was measured, in order."""
    return tuple(_visits(table))


def attended(table: Table) -> Flags:
    """Whether each patient has any value at each visit, shape (n, visits)."""
    seen = ~np.isnan(table.features)
    columns = [seen[:, where].any(axis=1) for where in _visits(table).values()]
    return np.column_stack(columns) if columns else np.empty((len(table), 0), dtype=bool)


def _visits(table: Table) -> dict[str, list[int]]:
    """Columns of `Table.features` by visit, in order of the visits."""
    layout, p = table.layout, table.numbers.shape[1]
    days: dict[str, float] = {}
    found: dict[str, list[int]] = {}
    for series in layout.series:
        names = layout.numeric if series.numeric else layout.categorical
        for column, day in zip(series.columns, series.days, strict=True):
            visit = names[column].split("@", maxsplit=1)[1]
            days[visit] = day
            found.setdefault(visit, []).append(column + (0 if series.numeric else p))
    return {visit: found[visit] for visit in sorted(found, key=lambda v: days[v])}


def drifting(table: Table, _rng: np.random.Generator) -> Table:
    """Planted error: every course drifts off by three tenths of an SD until its last visit."""
    numbers = table.numbers.copy()
    scale = iter(course_scale(table))
    for series in courses(table):
        steps = np.linspace(0.0, _SHIFT_SD, len(series.columns))
        for column, step in zip(series.columns, steps, strict=True):
            numbers[:, column] += step * next(scale)
    return Table(table.layout, numbers, table.codes)


def leaving_early(table: Table, rng: np.random.Generator) -> Table:
    """Planted error: a fifth of the patients are not seen in the second half of the visits."""
    p = table.numbers.shape[1]
    numbers, codes = table.numbers.copy(), table.codes.copy()
    gone = rng.random(len(table)) < _LEAVING
    visits = list(_visits(table).values())
    for columns in visits[(len(visits) + 1) // 2 :]:
        for column in columns:
            if column < p:
                numbers[gone, column] = np.nan
            else:
                codes[gone, column - p] = -1
    return Table(table.layout, numbers, codes)


def course_details(synthetic: Table, real: Table) -> dict[str, Any]:
    """Mean absolute difference of the means by variable, in SDs of the real patients."""
    scale = course_scale(real)
    gap = np.abs(mean_courses(synthetic) - mean_courses(real)) / scale
    found, start = {}, 0
    for series in courses(real):
        own = gap[:, start : start + len(series.columns)]
        start += len(series.columns)
        found[series.name] = float(np.nanmean(own)) if np.isfinite(own).any() else None
    return {"variables": found}
