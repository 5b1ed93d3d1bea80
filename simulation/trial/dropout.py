"""Dropout: whose outcome is there at the visit."""

from typing import Literal

import numpy as np

from generation.randomness import Stream, decision_id
from simulation.trial.population import Booleans, Indices, Patients

_DROPS = decision_id("trial.drops")


def completes(
    stream: Stream,
    replicates: Indices,
    patients: Indices,
    drawn: Patients,
    rule: Literal["as_learnt", "none"] | float,
) -> Booleans:
    """Say who reaches the visit, (R, N).

    "as_learnt" follows the population; "none" keeps everyone; a share drops patients at random
    (completely at random, both arms alike), the same patients first for every share.
    """
    if rule == "as_learnt":
        return ~drawn.leaves & np.isfinite(drawn.outcome)
    if isinstance(rule, float):
        return stream.uniform(replicates[:, None], patients[None, :], _DROPS) >= rule
    return np.ones(drawn.outcome.shape, dtype=bool)
