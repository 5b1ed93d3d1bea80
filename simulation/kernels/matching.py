"""Compiled nearest-neighbour matching: a greedy pass over each replicate's treated patients."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True)
def match_rows(
    score: Any, treated: Any, included: Any, order: Any, caliper: Any, replace: bool
) -> Any:
    """Index of each treated patient's control (R, N); -1 for controls and unmatched patients.

    `order` (R, N) lists patients in the order in which they choose; `caliper` (R,) is the greatest
    distance in the score. Of equally near controls the first in the data is taken.
    """
    rows, n = score.shape
    pair = np.full((rows, n), -1, dtype=np.int64)
    free = np.empty(n, dtype=np.bool_)
    for r in range(rows):
        for j in range(n):
            free[j] = included[r, j] and treated[r, j] == 0
        for k in range(n):
            i = order[r, k]
            if treated[r, i] == 0 or not included[r, i]:
                continue
            best, nearest = -1, np.inf
            for j in range(n):
                if free[j]:
                    gap = abs(score[r, j] - score[r, i])
                    if gap < nearest:
                        best, nearest = j, gap
            if best >= 0 and nearest <= caliper[r]:
                pair[r, i] = best
                if not replace:
                    free[best] = False
    return pair


@njit(cache=True)
def local_variance_rows(score: Any, treated: Any, included: Any, y: Any) -> Any:
    """Variance of each control's outcome given its score (R, N); 0 for treated patients.

    Half the squared difference from the control nearest in the score.
    """
    rows, n = score.shape
    spread = np.zeros((rows, n))
    for r in range(rows):
        for i in range(n):
            if treated[r, i] != 0 or not included[r, i]:
                continue
            best, nearest = -1, np.inf
            for j in range(n):
                if j != i and included[r, j] and treated[r, j] == 0:
                    gap = abs(score[r, j] - score[r, i])
                    if gap < nearest:
                        best, nearest = j, gap
            if best >= 0:
                spread[r, i] = (y[r, i] - y[r, best]) ** 2 / 2
    return spread
