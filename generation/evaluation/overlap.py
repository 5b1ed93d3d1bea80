"""Whether a patient is on both real sides, for which the same name is not enough."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import poisson

from extraction.records import Cohort

_FALSE_ALARM = 1e-3


def shared_patients(train: Cohort, holdout: Cohort) -> int:
    """Count held-out patients that are in `train` as well: the same name, arm and baseline.

    Two tables that both number their patients from 1 share names and no patient. Where columns are
    few, some of those look alike by chance: agreement under the same name counts when there is
    more of it than under different names (one time in 1,000 there is by chance), or when all agree.
    """
    place = train.positions(holdout.subjects)
    named = place >= 0
    columns = ["arm", *(v.name for v in holdout.schema.baseline if v.name in train.subjects)]
    ours = _marks(holdout, columns)[named]
    theirs = _marks(train, columns)[place[named]]
    same = int((ours == theirs).sum())
    if same in (0, len(ours)):
        return same
    values, counts = np.unique(theirs, return_counts=True)
    spot = np.minimum(np.searchsorted(values, ours), len(values) - 1)
    alike = int(counts[spot][values[spot] == ours].sum())
    by_chance = (alike - same) / (len(ours) - 1)
    return same if poisson.sf(same - 1, by_chance) < _FALSE_ALARM else 0


def apart(train: Cohort, holdout: Cohort) -> Cohort:
    """Return the held-out patients; under names of their own where `train` has these names."""
    if not (train.positions(holdout.subjects) >= 0).any():
        return holdout
    taken = {str(name) for name in train.subject_ids}
    prefix = "holdout-"
    while any(prefix + str(name) in taken for name in holdout.subject_ids):
        prefix += "-"
    return holdout.renamed(np.array([prefix + str(n) for n in holdout.subject_ids], dtype=object))


def _marks(cohort: Cohort, columns: list[str]) -> np.ndarray:
    return np.asarray(pd.util.hash_pandas_object(cohort.subjects[columns], index=False))
