"""Small dense matrices: Cholesky factors, solutions and inverses."""

from math import sqrt
from typing import Any

import numpy as np
from numba import njit

SINGULAR = 1e-11
"""Share of a diagonal entry left beside the rows before it from which a matrix is singular."""


@njit(cache=True, error_model="numpy")
def cholesky(matrix: Any, factor: Any) -> Any:
    """Lower factor of the lower triangle; False where it is not positive definite."""
    size = matrix.shape[0]
    for i in range(size):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            if i == j:
                if not total > SINGULAR * matrix[i, i] or not np.isfinite(total):
                    return False
                factor[i, i] = sqrt(total)
            else:
                factor[i, j] = total / factor[j, j]
    return True


@njit(cache=True, error_model="numpy")
def solve(factor: Any, right: Any, out: Any) -> None:
    """Solve with a lower factor and its transpose."""
    size = right.size
    for i in range(size):
        total = right[i]
        for k in range(i):
            total -= factor[i, k] * out[k]
        out[i] = total / factor[i, i]
    for i in range(size - 1, -1, -1):
        total = out[i]
        for k in range(i + 1, size):
            total -= factor[k, i] * out[k]
        out[i] = total / factor[i, i]


@njit(cache=True, error_model="numpy")
def invert(factor: Any, out: Any) -> None:
    """Inverse (symmetric) out of a lower factor."""
    size = factor.shape[0]
    unit = np.zeros(size)
    column = np.empty(size)
    for j in range(size):
        unit[j] = 1.0
        solve(factor, unit, column)
        unit[j] = 0.0
        for i in range(size):
            out[i, j] = column[i]
    for i in range(size):
        for j in range(i):
            out[i, j] = out[j, i] = 0.5 * (out[i, j] + out[j, i])


@njit(cache=True, error_model="numpy")
def sandwich(outer: Any, middle: Any, out: Any) -> None:
    """Write outer middle outer' into out; sizes (A, B), (B, B), (A, A)."""
    rows, size = outer.shape
    half = np.zeros(size)
    for i in range(rows):
        for b in range(size):
            total = 0.0
            for a in range(size):
                total += outer[i, a] * middle[a, b]
            half[b] = total
        for j in range(rows):
            total = 0.0
            for b in range(size):
                total += half[b] * outer[j, b]
            out[i, j] = total


@njit(cache=True, error_model="numpy")
def multiply(left: Any, right: Any, out: Any) -> None:
    """Write left right into out; in plain loops, so that no library decides the order of sums."""
    for i in range(left.shape[0]):
        for j in range(right.shape[1]):
            total = 0.0
            for k in range(right.shape[0]):
                total += left[i, k] * right[k, j]
            out[i, j] = total


@njit(cache=True, error_model="numpy")
def times(matrix: Any, vector: Any, out: Any) -> None:
    """Write matrix vector into out."""
    for i in range(matrix.shape[0]):
        total = 0.0
        for k in range(vector.size):
            total += matrix[i, k] * vector[k]
        out[i] = total


@njit(cache=True, error_model="numpy")
def inner(left: Any, right: Any) -> Any:
    """Sum of products of two vectors."""
    total = 0.0
    for k in range(left.size):
        total += left[k] * right[k]
    return total
