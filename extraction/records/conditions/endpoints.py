"""Tests of time-to-event endpoints, by the names that their columns have in a flat table.

``<endpoint>_time`` is the day of the event. Of a censored patient it is only known to lie after
the day of censoring, so a test is met or not met where that settles it, and unknown elsewhere:
an event by day 180 is unknown of somebody censored on day 100. ``<endpoint>_event`` says whether
the event was seen during follow-up (1 or 0; 0 is no promise that it never happens) and
``<endpoint>_cause``, of several causes, which one it was (unknown when censored). A variable of
the schema with the same name goes before an endpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..schema import CohortSchema, Endpoint, Variable
from .tree import Interval, Test

if TYPE_CHECKING:
    from ..cohort import Cohort

TIME, EVENT, CAUSE = "_time", "_event", "_cause"


def endpoint_columns(schema: CohortSchema) -> dict[str, tuple[Endpoint, str]]:
    """Return the endpoint and the suffix behind each name that a condition may test."""
    found = {
        f"{endpoint.name}{suffix}": (endpoint, suffix)
        for endpoint in schema.endpoints
        for suffix in (TIME, EVENT, *([CAUSE] if len(endpoint.causes) > 1 else []))
    }
    return {name: column for name, column in found.items() if name not in schema}


def endpoint_variable(name: str, schema: CohortSchema) -> Variable | None:
    """Return a name as the variable that a test of it reads; None when it is no endpoint's."""
    column = endpoint_columns(schema).get(name)
    if column is None:
        return None
    endpoint, suffix = column
    if suffix == CAUSE:
        return Variable(name=name, kind="categorical", categories=endpoint.causes)
    return Variable(name=name, kind="continuous", unit="d" if suffix == TIME else None)


def judge_endpoint(test: Test, cohort: Cohort) -> np.ndarray:
    """Return 1 (met), 0 (not met) or -1 (unknown) per subject in row order; int8, shape (n,)."""
    endpoint, suffix = endpoint_columns(cohort.schema)[test.target.name]
    rows = cohort.endpoint(endpoint.name)
    day, seen = rows["day"].to_numpy(dtype=np.float64), rows["observed"].to_numpy(dtype=bool)
    if isinstance(test.check, frozenset):
        inside = np.isin(rows["cause"].astype(str).to_numpy(), sorted(test.check))
        known = seen & rows["cause"].notna().to_numpy()
        return np.where(known, inside, -1).astype(np.int8)
    if suffix == EVENT:
        inside = test.check.contains(seen.astype(np.float64))
    else:
        inside = np.where(seen, test.check.contains(day), _after(day, test.check))
    return np.where(np.isnan(day), -1, inside).astype(np.int8)


def _after(day: np.ndarray, interval: Interval) -> np.ndarray:
    """Whether an event that comes some time after a day lies inside an interval."""
    surely = (interval.low <= day) & np.isinf(interval.high)
    never = interval.high <= day
    return np.where(surely, 1, np.where(never, 0, -1))
