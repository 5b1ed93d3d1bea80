"""Counts, sums and squares of an outcome by arm in each replicate."""

from math import isfinite
from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, error_model="numpy")
def arm_moments(value: Any, included: Any, among: Any, arm: Any, arms: Any) -> tuple[Any, Any, Any]:
    """Sum up known values by arm.

    Parameters
    ----------
    value
        (R, N), NaN where missing.
    included, among
        Who counts, (R, N); (R, 0) in `among` for everybody.
    arm
        Number of each patient's arm (R, N); others than 0 to arms - 1 do not count.

    Returns
    -------
    tuple of arrays
        Known values, their sum, and the squares about their mean, each (R, A).
    """
    replicates, patients = value.shape
    n = np.zeros((replicates, arms))
    total = np.zeros((replicates, arms))
    squares = np.zeros((replicates, arms))
    mean = np.zeros(arms)
    for r in range(replicates):
        for second in range(2):
            for a in range(arms):
                mean[a] = total[r, a] / max(n[r, a], 1.0)
            for i in range(patients):
                a = arm[r, i]
                if not included[r, i] or a < 0 or a >= arms or not isfinite(value[r, i]):
                    continue
                if among.shape[1] > 0 and not among[r, i]:
                    continue
                if second:
                    squares[r, a] += (value[r, i] - mean[a]) ** 2
                else:
                    n[r, a] += 1.0
                    total[r, a] += value[r, i]
    return n, total, squares
