"""Three-valued evaluation of a condition over all subjects of a cohort at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .endpoints import endpoint_columns, judge_endpoint
from .tree import ARM, All, Any, Condition, Exists, Interval, Not, Target, Test

if TYPE_CHECKING:
    import pandas as pd

    from ..cohort import Cohort

MET, NOT_MET, UNKNOWN = np.int8(1), np.int8(0), np.int8(-1)


def evaluate(condition: Condition, cohort: Cohort) -> np.ndarray:
    """Return, per subject in row order, 1 (met), 0 (not met) or -1 (unknown); int8, shape (n,).

    Kleene's logic: "and" is not met when any part is not met, whatever is unknown.
    """
    n = len(cohort)
    match condition:
        case All(parts):
            votes = [evaluate(p, cohort) for p in parts]
            return _combine(votes, NOT_MET, MET, n)
        case Any(parts):
            votes = [evaluate(p, cohort) for p in parts]
            return _combine(votes, MET, NOT_MET, n)
        case Not(part):
            inner = evaluate(part, cohort)
            return np.where(inner == UNKNOWN, UNKNOWN, 1 - inner).astype(np.int8)
        case Exists():
            return _exists(condition, cohort)
        case Test():
            return _test(condition, cohort)


def _combine(votes: list[np.ndarray], decisive: np.int8, default: np.int8, n: int) -> np.ndarray:
    stacked = np.stack(votes) if votes else np.full((1, n), default)
    unknown = (stacked == UNKNOWN).any(axis=0)
    decided = (stacked == decisive).any(axis=0)
    return np.where(decided, decisive, np.where(unknown, UNKNOWN, default)).astype(np.int8)


def _test(test: Test, cohort: Cohort) -> np.ndarray:
    if test.target.window is not None:
        return _windowed(test, cohort)
    if test.target.name in endpoint_columns(cohort.schema):
        return judge_endpoint(test, cohort)
    return _judge(_values(test.target, cohort), test, cohort)


def _values(target: Target, cohort: Cohort) -> np.ndarray:
    if target.name == ARM:
        return cohort.subjects["arm"].to_numpy()
    if target.visit is not None:
        return cohort.at_visit(target.name, target.visit).to_numpy()
    return cohort.subjects[target.name].to_numpy()


def _judge(values: np.ndarray, test: Test, cohort: Cohort) -> np.ndarray:
    if isinstance(test.check, Interval):
        numbers = values.astype(np.float64) / _limit(test.target, cohort)
        return np.where(np.isnan(numbers), UNKNOWN, test.check.contains(numbers)).astype(np.int8)
    known = np.array([v is not None for v in values], dtype=bool)
    inside = np.isin(values.astype(str), sorted(test.check))
    return np.where(known, inside, UNKNOWN).astype(np.int8)


def _limit(target: Target, cohort: Cohort) -> float:
    if target.limit is None:
        return 1.0
    variable = cohort.schema.variable(target.name)
    limit = variable.reference_high if target.limit == "high" else variable.reference_low
    return float(limit if limit is not None else np.nan)


def _windowed(test: Test, cohort: Cohort) -> np.ndarray:
    assert test.target.window is not None
    low, high = test.target.window
    rows = cohort.observed(test.target.name)
    rows = rows[rows["day"].between(low, high)]
    numeric = cohort.schema.variable(test.target.name).numeric
    judged = _judge(rows["value" if numeric else "text"].to_numpy(), test, cohort)
    return _any_row(rows, judged, cohort)


def _any_row(rows: pd.DataFrame, judged: np.ndarray, cohort: Cohort) -> np.ndarray:
    place = cohort.positions(rows)
    out = np.full(len(cohort), UNKNOWN)
    np.maximum.at(out, place, judged)
    return out


def _exists(condition: Exists, cohort: Cohort) -> np.ndarray:
    of_kind = cohort.episodes[cohort.episodes["kind"] == condition.kind]
    if of_kind.empty:
        return np.full(len(cohort), UNKNOWN)
    rows = of_kind[of_kind["assertion"].fillna("present") == condition.assertion]
    if condition.term is not None:
        rows = rows[rows["term"].str.casefold() == condition.term.casefold()]
    certain = np.ones(len(rows), dtype=np.int8)
    if condition.window is not None:
        certain = _overlap(rows, *condition.window)
    out = np.full(len(cohort), NOT_MET)
    place = cohort.positions(rows)
    # An episode that only may lie in the window leaves "unknown", unless another one surely does.
    out[place[certain == UNKNOWN]] = UNKNOWN
    out[place[certain == MET]] = MET
    return out


def _overlap(rows: pd.DataFrame, low: float, high: float) -> np.ndarray:
    """Whether episodes start inside a window of days, given bounds on partial dates."""
    earliest = rows["start_low"].fillna(rows["start"]).to_numpy()
    latest = rows["start_high"].fillna(rows["start"]).to_numpy()
    surely = (earliest >= low) & (latest <= high)
    never = (latest < low) | (earliest > high)
    return np.where(surely, MET, np.where(never, NOT_MET, UNKNOWN)).astype(np.int8)
