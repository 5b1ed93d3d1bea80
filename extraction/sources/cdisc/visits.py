"""Visit windows out of the planned days in SV."""

from __future__ import annotations

import numpy as np
import pandas as pd

from extraction.records.errors import Faults
from extraction.records.schema import VisitWindow

from .dates import study_day
from .findings import visit_names
from .library import Library
from .records import Records

# A visit at the clinic is named by its time; telephone calls, device visits and the like are not.
_PLANNED = r"^(?:Baseline|(?:Day|Week|Month|Year|Cycle|Visit) \d+)$"
BASELINE_LOW = -35.0  # the screening phase: a baseline laboratory value may be weeks old


def read_visits(library: Library, faults: Faults) -> tuple[VisitWindow, ...]:
    """Planned visits with windows that meet half-way between the planned days.

    The first window reaches back over screening; the last is as long after its day as the
    step before it.

    Parameters
    ----------
    library
        SV is used; where it is missing, the visit columns of VS, LB and QS.
    """
    domains = next((d for d in ("sv", "vs", "lb", "qs") if library.of(d)), None)
    tables = []
    for dataset in library.of(domains) if domains else ():
        records = Records(dataset, faults)
        if "VISIT" in records and "VISITDY" in records:
            names = visit_names(records.text("VISIT"))
            day = study_day(records.number("VISITDY"))
            tables.append(pd.DataFrame({"name": names, "day": day}))
    if not tables:
        return ()
    planned = pd.concat(tables).dropna()
    planned = planned[planned["name"].str.match(_PLANNED)]
    days = planned.groupby("name")["day"].median().sort_values()
    return windows(days)


def windows(days: pd.Series[float]) -> tuple[VisitWindow, ...]:
    """Windows of whole days around planned days (index: visit names, ascending).

    Examples
    --------
    >>> [w.low for w in windows(pd.Series({"Baseline": 0.0, "Week 2": 13.0}))]
    [-35.0, 1.0]
    """
    if days.empty:
        return ()
    target = days.to_numpy(np.float64)
    steps = np.diff(target)
    middle = np.floor((target[:-1] + target[1:]) / 2)
    last = target[-1] + (steps[-1] if len(steps) else 7.0)
    high = np.append(middle, last)
    low = np.append(min(BASELINE_LOW, target[0]), middle + 1)
    if len(target) > 1 and target[0] == 0:  # what follows the first dose is no baseline
        high[0], low[1] = 0.0, 1.0
    names = [str(n) for n in days.index]
    parts = zip(names, target.tolist(), low.tolist(), high.tolist(), strict=True)
    return tuple(VisitWindow(name=n, day=d, low=a, high=b) for n, d, a, b in parts)
