"""How often a cohort breaks its schema's constraints: counts, never values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from .union import Constraint

if TYPE_CHECKING:
    from ..cohort import Cohort


def violations(cohort: Cohort) -> pd.DataFrame:
    """Count the patients who break each constraint.

    Returns
    -------
    DataFrame
        One row a constraint: ``constraint`` (its title), ``kind``, ``checked`` (patients of
        whom something could be checked) and ``violating`` (patients who break it).
    """
    rows = []
    for rule in cohort.schema.constraints:
        met, known = rule.checked(cohort)
        rows.append((rule.title, rule.kind, int((known | ~met).sum()), int((~met).sum())))
    return pd.DataFrame(rows, columns=["constraint", "kind", "checked", "violating"])


def all_met(
    cohort: Cohort, constraints: tuple[Constraint, ...] | None = None
) -> npt.NDArray[np.bool_]:
    """Whether each patient meets every constraint (None: the schema's own), shape (n,)."""
    met = np.ones(len(cohort), dtype=bool)
    for rule in cohort.schema.constraints if constraints is None else constraints:
        met &= rule.met(cohort)
    return met
