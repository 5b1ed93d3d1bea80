"""Whether a synthetic patient stays the same patient from one visit to the next."""

from __future__ import annotations

import numpy as np

from generation.evaluation.tables import Floats, Table


def lag_one_correlations(table: Table) -> dict[str, float]:
    """Correlation of a patient's value with the value observed before it, by variable.

    Pearson correlation over all (previous observed, current) pairs of the visit columns; visits
    at which the value is missing are passed over. NaN below three pairs or without variation.

    Examples
    --------
    A variable that every patient keeps for ever has a lag-1 correlation of 1; one drawn afresh
    at each visit has 0.
    """
    return {
        series.name: _lag_one(table.numbers[:, list(series.columns)])
        for series in table.layout.series
        if series.numeric and len(series.columns) > 1
    }


def lag_one_distance(synthetic: Table, real: Table) -> float:
    """Mean over variables of the absolute difference of lag-1 correlations, in [0, 2].

    A variable that has a correlation in the real sample and none in the synthetic one counts as
    a synthetic correlation of 0. NaN where no variable has one.
    """
    ours, theirs = lag_one_correlations(synthetic), lag_one_correlations(real)
    gaps = [
        abs((0.0 if np.isnan(ours[name]) else ours[name]) - r)
        for name, r in theirs.items()
        if not np.isnan(r)
    ]
    return float(np.mean(gaps)) if gaps else float("nan")


def _lag_one(values: Floats) -> float:
    """Lag-1 correlation of a (patients, visits) array."""
    visit = np.arange(values.shape[1])
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, visit), axis=1)[:, :-1]
    previous = np.take_along_axis(values, np.maximum(last, 0), axis=1)
    current = values[:, 1:]
    both = (last >= 0) & ~np.isnan(current)
    x, y = previous[both], current[both]
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])
