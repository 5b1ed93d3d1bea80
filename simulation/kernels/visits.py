"""What a look sees of outcomes at one visit."""

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, error_model="numpy")
def visit_rows(
    values: Any, entry: Any, leaves: Any, cut: Any, randomised: Any, visit: Any, gone: Any
) -> tuple[Any, Any]:
    """Outcomes of a visit, and whether it is due.

    Parameters
    ----------
    values
        (R, N).
    entry, leaves, randomised
        Time of randomisation, time of leaving since then, and whether the look counts the
        patient, (R, N).
    cut
        Time of the look (R, 1).
    visit
        Time since randomisation.
    gone
        Value of those who left before.
    """
    seen = np.empty(values.shape)
    due = np.empty(values.shape, dtype=np.bool_)
    for r in range(values.shape[0]):
        for i in range(values.shape[1]):
            seen[r, i] = values[r, i] if leaves[r, i] >= visit else gone
            due[r, i] = randomised[r, i] and entry[r, i] + visit <= cut[r, 0]
    return seen, due
