"""All visit columns of a cohort in one pass (hundreds of columns take seconds one by one)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from extraction.records import Cohort


def flat_table(cohort: Cohort) -> pd.DataFrame:
    """Return what `Cohort.to_table` returns, columns without a value left out.

    A visit's value is the observed one nearest to the target day inside the window, the earlier
    of two that are equally near.
    """
    columns = visit_columns(cohort)
    return pd.concat([cohort.to_table(visits=False), pd.DataFrame(columns)], axis=1)


def visit_columns(cohort: Cohort) -> dict[str, npt.NDArray[np.float64] | npt.NDArray[np.object_]]:
    """``var@visit`` to values by subject row, shape (n,) each."""
    variables = cohort.schema.longitudinal
    names = [v.name for v in variables]
    rows = cohort.observations
    rows = rows[rows["status"].isin(["observed", "below_limit"]) & rows["variable"].isin(names)]
    variable = np.asarray(pd.Categorical(rows["variable"], categories=names).codes, dtype=np.int64)
    patient = cohort.positions(rows)
    day = rows["day"].to_numpy(dtype=np.float64)
    number, text = rows["value"].to_numpy(), rows["text"].to_numpy()
    columns: dict[str, npt.NDArray[np.float64] | npt.NDArray[np.object_]] = {}
    for visit in cohort.schema.visits:
        inside = np.flatnonzero((day >= visit.low) & (day <= visit.high))
        order = inside[np.argsort(np.abs(day[inside] - visit.day), kind="stable")]
        _, first = np.unique(patient[order] * len(names) + variable[order], return_index=True)
        chosen = order[first]
        for i in np.unique(variable[chosen]):
            own = chosen[variable[chosen] == i]
            numeric = variables[i].numeric
            column = np.full(len(cohort), np.nan) if numeric else np.full(len(cohort), None)
            column[patient[own]] = (number if numeric else text)[own]
            columns[f"{names[i]}@{visit.name}"] = column
    return columns
