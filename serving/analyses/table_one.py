"""Table 1: baseline by arm, with standardised differences instead of p values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from extraction.records import Cohort
from extraction.records.schema import Variable


def table_one(cohort: Cohort, names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Baseline variables by planned arm.

    Parameters
    ----------
    cohort
        All arms.
    names
        Baseline variables, in order; all when empty.

    Returns
    -------
    list of dict
        A row a variable (mean and SD) or level (number and share): ``variable, label, level,
        unit, arms`` (by arm) and ``smd``: the greatest absolute standardised difference of an
        active arm from control (Austin 2009, doi 10.1002/sim.3697).
    """
    wanted = list(names) or [v.name for v in cohort.schema.baseline]
    arms = [a for a in cohort.schema.arms if (cohort.subjects["arm"] == a).any()]
    rows: list[dict[str, Any]] = []
    for name in wanted:
        variable = cohort.schema.variable(name)
        rows += (
            _numeric(cohort, variable, arms)
            if variable.numeric
            else _levels(cohort, variable, arms)
        )
    return rows


def _numeric(cohort: Cohort, variable: Variable, arms: list[str]) -> list[dict[str, Any]]:
    values, arm = cohort.subjects[variable.name], cohort.subjects["arm"]
    by_arm = {
        a: {
            "n": int(values[arm == a].notna().sum()),
            "mean": float(values[arm == a].mean()),
            "sd": float(values[arm == a].std()),
        }
        for a in arms
    }
    gaps = {
        a: smd_numbers(values[arm == a], values[arm == cohort.schema.control_arm])
        for a in arms
        if a != cohort.schema.control_arm
    }
    return [_row(variable, None, by_arm, gaps)]


def _levels(cohort: Cohort, variable: Variable, arms: list[str]) -> list[dict[str, Any]]:
    values, arm = cohort.subjects[variable.name], cohort.subjects["arm"]
    rows = []
    for level in variable.categories or ():
        hit = (values == level).where(values.notna())
        by_arm = {
            a: {
                "n": int(hit[arm == a].sum()),
                "of": int(values[arm == a].notna().sum()),
                "share": float(pd.to_numeric(hit[arm == a]).mean()),
            }
            for a in arms
        }
        control = by_arm.get(str(cohort.schema.control_arm), {}).get("share", np.nan)
        gaps = {
            a: smd_shares(by_arm[a]["share"], control)
            for a in arms
            if a != cohort.schema.control_arm
        }
        rows.append(_row(variable, level, by_arm, gaps))
    return rows


def _row(
    variable: Variable, level: str | None, by_arm: dict[str, Any], gaps: dict[str, float]
) -> dict[str, Any]:
    greatest = max((abs(g) for g in gaps.values() if np.isfinite(g)), default=float("nan"))
    return {
        "variable": variable.name,
        "label": variable.title,
        "level": level,
        "unit": variable.unit,
        "arms": by_arm,
        "smd_by_arm": gaps,
        "smd": greatest,
    }


def smd_numbers(first: pd.Series, second: pd.Series) -> float:
    """Difference of means over the root mean of both variances."""
    scale = float(np.sqrt((first.var() + second.var()) / 2))
    return float(first.mean() - second.mean()) / scale if scale > 0 else 0.0


def smd_shares(first: float, second: float) -> float:
    """Difference of two shares over the root mean of their binomial variances."""
    scale = float(np.sqrt((first * (1 - first) + second * (1 - second)) / 2))
    return (first - second) / scale if scale > 0 else 0.0
