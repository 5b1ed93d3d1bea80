"""Days between a patient's visits: too short for a column a visit, so a table of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from generation.evaluation.distances import Spec, measured
from generation.evaluation.metric import Metric
from generation.evaluation.reference import Reference
from generation.evaluation.tables import Layout, Table

if TYPE_CHECKING:
    from extraction.records import Cohort

_MOST_VISITS = 40
_SKIPPED = 0.2


def visit_gaps(
    reference: Reference, synthetic: Sequence[Cohort], real: Sequence[Cohort]
) -> list[Metric]:
    """Distance of the distributions of days between successive visits.

    Parameters
    ----------
    reference
        Says who was trained on and held out.
    synthetic
        Cohorts, one a fold.
    real
        Cohorts whose subjects, one after another, are the pool.

    Returns
    -------
    list of Metric
        Empty where fewer than half of the real patients have two visits.
    """
    pool = reference.cached("visit_days", lambda: Table.concat([visit_days(c) for c in real]))
    if np.mean((~np.isnan(pool.numbers)).sum(axis=1) > 1) < 0.5:
        return []
    own = reference.cached("gaps", lambda: Reference(pool, reference.folds, reference.seed))
    return measured([_SPEC], own, [visit_days(c) for c in synthetic])


def visit_days(cohort: Cohort) -> Table:
    """Days on which each patient was seen, rising, NaN after the last, shape (n, 40)."""
    rows = cohort.observations
    rows = rows[rows["status"].isin(["observed", "below_limit"]) & rows["day"].notna()]
    seen = pd.DataFrame(
        {"patient": cohort.positions(rows), "day": rows["day"].to_numpy(dtype=np.float64)}
    )
    seen = seen.drop_duplicates().sort_values(["patient", "day"], kind="stable")
    place = seen.groupby("patient").cumcount().to_numpy()
    days = np.full((len(cohort), _MOST_VISITS), np.nan)
    kept = place < _MOST_VISITS
    days[seen["patient"].to_numpy()[kept], place[kept]] = seen["day"].to_numpy()[kept]
    names = tuple(f"visit {i + 1}" for i in range(_MOST_VISITS))
    return Table(Layout(names, (), ()), days, np.empty((len(cohort), 0), dtype=np.int64))


def gap_distance(synthetic: Table, real: Table) -> float:
    """Kolmogorov-Smirnov distance of the days between successive visits, in [0, 1]."""
    ours, theirs = (np.sort(gaps_of(t)) for t in (synthetic, real))
    if not len(theirs):
        return float("nan")
    if not len(ours):
        return 1.0
    grid = np.concatenate([ours, theirs])
    below = [np.searchsorted(side, grid, side="right") / len(side) for side in (ours, theirs)]
    return float(np.abs(below[0] - below[1]).max())


def gaps_of(table: Table) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """All gaps in days between successive visits, in no order of patients."""
    gaps = np.diff(np.sort(table.numbers, axis=1), axis=1)
    return np.asarray(gaps[~np.isnan(gaps)])


def _skipping(table: Table, rng: np.random.Generator) -> Table:
    """Planted error: a fifth of the visits do not take place."""
    missed = rng.random(table.numbers.shape) < _SKIPPED
    return Table(table.layout, np.where(missed, np.nan, table.numbers), table.codes)


_SPEC = Spec(
    "visit_gaps",
    "longitudinal",
    "days between a patient's successive visits",
    "Distributions of the days between successive visits differ from real ones by",
    gap_distance,
    _skipping,
    "a fifth of the visits do not take place",
)
