"""Arms drawn by weights that adapt, and the outcomes that go with them."""

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True)
def weighted_arms(drawn: Any, upper: Any, arm: Any, kept: Any) -> Any:
    """Arms (R, N): the first patients keep theirs, later ones are drawn anew.

    Parameters
    ----------
    drawn
        Uniforms (R, N).
    upper
        Cumulative weights (R, A), rising to 1.
    arm
        Arms so far (R, N).
    kept
        How many keep theirs, (R,).
    """
    given = np.empty_like(arm)
    # The last weight that is not 0 takes what rounding leaves.
    bounds = upper.shape[1] - 1
    for r in range(drawn.shape[0]):
        for i in range(kept[r]):
            given[r, i] = arm[r, i]
        for i in range(kept[r], drawn.shape[1]):
            place = 0
            for a in range(bounds):
                place += drawn[r, i] >= upper[r, a]
            given[r, i] = place
    return given


@njit(cache=True)
def of_arm(options: Any, arm: Any) -> Any:
    """Each patient's values under his arm, (V, R, N), of those under every arm, (A, V, R, N)."""
    taken = np.empty(options.shape[1:])
    for v in range(options.shape[1]):
        for r in range(options.shape[2]):
            for i in range(options.shape[3]):
                taken[v, r, i] = options[arm[r, i], v, r, i]
    return taken
