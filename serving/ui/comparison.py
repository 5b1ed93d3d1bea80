"""Real beside synthetic patients, as aggregates in which no cell stands for fewer than five.

Only what leaves this module is shown: bins hold at least five real patients each, means rest on
at least five, a survival curve is read off at days between which at least five had the event.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from extraction.records import Cohort, Endpoint, Variable
from generation.applicability import SMALLEST_CELL
from serving.analyses.table_one import smd_numbers, smd_shares
from serving.service.control_requests import round_step, shown_counts
from serving.ui.units import beside
from simulation.analysis.survival import kaplan_meier

FloatArray = npt.NDArray[np.float64]
MOST_BINS = 12
MOST_LEVELS = 8
SMALLEST_SHARE = 0.1


@dataclass(frozen=True)
class Histogram:
    """Distribution of a number: share per unit in bins of unequal width."""

    title: str
    unit: str | None
    edges: FloatArray
    real: FloatArray
    synthetic: FloatArray


@dataclass(frozen=True)
class Shares:
    """Shares of categories; None where fewer than five real patients stand behind it."""

    title: str
    levels: tuple[str, ...]
    real: tuple[float | None, ...]
    synthetic: tuple[float, ...]


@dataclass(frozen=True)
class Course:
    """Mean of a variable over visits, with a 95 % interval of the real mean."""

    title: str
    unit: str | None
    weeks: FloatArray
    real: FloatArray
    low: FloatArray
    high: FloatArray
    synthetic: FloatArray


@dataclass(frozen=True)
class Survival:
    """Time to an event: the real curve at some days with its 95 % interval, the synthetic whole."""

    title: str
    weeks: FloatArray
    real: FloatArray
    low: FloatArray
    high: FloatArray
    synthetic_weeks: FloatArray
    synthetic: FloatArray


@dataclass(frozen=True)
class Row:
    """A line of Table 1; `difference` is the standardised difference, None where hidden."""

    title: str
    level: str | None
    real: str
    synthetic: str
    difference: float | None


@dataclass(frozen=True)
class Comparison:
    """Everything the page shows of real and synthetic patients."""

    histograms: tuple[Histogram, ...]
    shares: tuple[Shares, ...]
    courses: tuple[Course, ...]
    survival: tuple[Survival, ...]
    rows: tuple[Row, ...]
    withheld: tuple[str, ...]


def compare(real: Cohort, synthetic: Cohort) -> Comparison:
    """Compare real patients of a region with synthetic ones asked for that region."""
    schema = real.schema
    numbers = [v for v in schema.baseline if v.numeric]
    groups = [v for v in schema.baseline if not v.numeric]
    histograms = [_histogram(real, synthetic, v) for v in numbers]
    few = [v for v in groups if len(v.categories or ()) <= MOST_LEVELS]
    courses = [_course(real, synthetic, v) for v in schema.longitudinal if v.numeric]
    survival = [_survival(real, synthetic, e) for e in schema.endpoints]
    withheld = [
        e.title for e, found in zip(schema.endpoints, survival, strict=True) if found is None
    ]
    rows = [row for v in schema.baseline for row in _rows(real, synthetic, v)]
    return Comparison(
        tuple(h for h in histograms if h is not None),
        tuple(_shares(real, synthetic, v) for v in few),
        tuple(c for c in courses if c is not None),
        tuple(s for s in survival if s is not None),
        tuple(rows),
        tuple(withheld),
    )


def _numbers(cohort: Cohort, variable: Variable) -> FloatArray:
    values = cohort.subjects[variable.name].to_numpy(dtype=np.float64)
    return np.asarray(values[np.isfinite(values)])


def _histogram(real: Cohort, synthetic: Cohort, variable: Variable) -> Histogram | None:
    ours, theirs = _numbers(real, variable), _numbers(synthetic, variable)
    if len(ours) < 2 * SMALLEST_CELL or not len(theirs):
        return None
    edges = safe_edges(ours)
    inside = np.clip(theirs, edges[0], np.nextafter(edges[-1], -np.inf))
    width = np.diff(edges)
    return Histogram(
        variable.title,
        variable.unit,
        edges,
        np.histogram(ours, edges)[0] / len(ours) / width,
        np.histogram(inside, edges)[0] / len(theirs) / width,
    )


def safe_edges(values: FloatArray, least: int = SMALLEST_CELL) -> FloatArray:
    """Return bin edges on round numbers with at least `least` values in every bin.

    The outer edges are round numbers too, so that they give no patient's value away.
    """
    low, high = float(values.min()), float(values.max())
    step = round_step((high - low) / MOST_BINS if high > low else 1.0)
    first = np.floor(low / step)
    grid = step * np.arange(first, np.floor(high / step) + 2)
    kept = [grid[0]]
    for edge in grid[1:]:
        if np.sum((values >= kept[-1]) & (values < edge)) >= least:
            kept.append(edge)
    if kept[-1] < grid[-1]:  # what is left joins the last bin
        kept = [*kept[:-1], grid[-1]] if len(kept) > 1 else [kept[0], grid[-1]]
    return np.asarray(kept, dtype=np.float64)


def _shares(real: Cohort, synthetic: Cohort, variable: Variable) -> Shares:
    levels = variable.categories or ()
    ours, theirs = (c.subjects[variable.name].dropna() for c in (real, synthetic))
    counts = shown_counts({level: int((ours == level).sum()) for level in levels})
    shown = tuple(_share(counts[level], len(ours)) for level in levels)
    made = tuple(float((theirs == level).mean()) if len(theirs) else 0.0 for level in levels)
    return Shares(variable.title, levels, shown, made)


def _share(count: int | None, total: int) -> float | None:
    return None if count is None or not total else count / total


def _course(real: Cohort, synthetic: Cohort, variable: Variable) -> Course | None:
    windows = sorted(real.schema.visits, key=lambda w: w.day)
    # A visit that few have (an early end's, say) is no point on the group's course.
    ours = [_moments(real.at_visit(variable.name, w.name), SMALLEST_SHARE) for w in windows]
    theirs = [_moments(synthetic.at_visit(variable.name, w.name)) for w in windows]
    both = np.isfinite([first[0] + second[0] for first, second in zip(ours, theirs, strict=True)])
    kept = np.flatnonzero(both)
    if len(kept) < 2:
        return None
    mean = np.array([ours[k][0] for k in kept])
    margin = 1.96 * np.array([ours[k][1] for k in kept])
    return Course(
        variable.title,
        variable.unit,
        np.array([windows[k].day / 7 for k in kept]),
        mean,
        mean - margin,
        mean + margin,
        np.array([theirs[k][0] for k in kept]),
    )


def _moments(values: pd.Series, share: float = 0.0) -> tuple[float, float]:
    """Mean and its standard error; NaN from fewer than five, or a smaller share of patients."""
    known = values.dropna().to_numpy(dtype=np.float64)
    if len(known) < max(SMALLEST_CELL, share * len(values)):
        return float("nan"), float("nan")
    return float(known.mean()), float(known.std(ddof=1) / np.sqrt(len(known)))


def _survival(real: Cohort, synthetic: Cohort, endpoint: Endpoint) -> Survival | None:
    ours, theirs = (c.endpoint(endpoint.name).dropna(subset="day") for c in (real, synthetic))
    if int(ours["observed"].sum()) < SMALLEST_CELL or theirs.empty:
        return None
    curve = kaplan_meier(ours["day"], ours["observed"].astype(float))
    places = safe_days(curve.events, curve.at_risk)
    if not len(places):
        return None
    days, made = np.zeros(1), np.ones(1)
    if theirs["observed"].any():
        drawn = kaplan_meier(theirs["day"], theirs["observed"].astype(float))
        days, made = np.append(0.0, drawn.time), np.append(1.0, drawn.survival)
    end = float(curve.time[places[-1]])
    within = days <= end
    last = made[within][-1]
    return Survival(
        endpoint.title,
        np.append(0.0, curve.time[places]) / 7,
        np.append(1.0, curve.survival[places]),
        np.append(1.0, curve.low[places]),
        np.append(1.0, curve.high[places]),
        np.append(days[within], end) / 7,
        np.append(made[within], last),
    )


def safe_days(
    events: FloatArray, at_risk: FloatArray, least: int = SMALLEST_CELL
) -> npt.NDArray[np.int64]:
    """Return places of event days between which at least `least` events lie, all still at risk."""
    taken, chosen = 0.0, []
    for place, total in enumerate(np.cumsum(events)):
        if total - taken >= least and at_risk[place] - events[place] >= least:
            chosen.append(place)
            taken = float(total)
    return np.asarray(chosen, dtype=np.int64)


def _rows(real: Cohort, synthetic: Cohort, variable: Variable) -> list[Row]:
    ours, theirs = real.subjects[variable.name], synthetic.subjects[variable.name]
    if variable.numeric:
        if ours.notna().sum() < SMALLEST_CELL:
            return [Row(variable.title, None, "fewer than 5", _mean(theirs), None)]
        gap = smd_numbers(theirs, ours)
        return [Row(_with_unit(variable), None, _mean(ours), _mean(theirs), gap)]
    levels = variable.categories or ()
    if len(levels) > MOST_LEVELS:
        return []
    counts = shown_counts({level: int((ours == level).sum()) for level in levels})
    known, made = int(ours.notna().sum()), int(theirs.notna().sum())
    return [
        _level_row(variable, level, counts[level], known, int((theirs == level).sum()), made)
        for level in levels
        if counts[level] != 0 or (theirs == level).any()
    ]


def _level_row(
    variable: Variable, level: str, count: int | None, known: int, drawn: int, made: int
) -> Row:
    share = drawn / max(made, 1)
    text = f"{drawn} ({share:.0%})"
    if count is None:
        return Row(variable.title, level, "hidden (small)", text, None)
    of = count / max(known, 1)
    return Row(variable.title, level, f"{count} ({of:.0%})", text, smd_shares(share, of))


def _mean(values: pd.Series) -> str:
    return f"{values.mean():.1f} ({values.std():.1f})"


def _with_unit(variable: Variable) -> str:
    unit = beside(variable.title, variable.unit)
    return f"{variable.title}, {unit}" if unit else variable.title
