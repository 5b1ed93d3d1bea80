"""Border checks and small array helpers shared by the analyses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from extraction.records.errors import InputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Columns = Mapping[str, ArrayLike]


def numeric(name: str, values: ArrayLike, faults: list[str], shape: tuple[int, ...] | None = None
            ) -> FloatArray:
    """Float array of `values`; adds a fault where entries are missing or the shape is wrong."""
    array = np.atleast_1d(np.asarray(values, dtype=np.float64))
    if shape is not None and array.shape != shape:
        faults.append(f"{name}: shape {array.shape}; expected {shape}; pass one value per patient")
    missing = int(array.size - np.isfinite(array).sum())
    if missing:
        faults.append(f"{name}: {missing} missing or infinite values; none are allowed; "
                      "select complete patients or impute as the estimand says")
    return array


def labels(name: str, values: ArrayLike, faults: list[str], n: int) -> NDArray[Any]:
    """One-dimensional label array; adds a fault for a wrong length or missing labels."""
    array = np.asarray(values)
    if array.shape != (n,):
        faults.append(f"{name}: shape {array.shape}; expected ({n},); pass one label per patient")
        return array
    empty = sum(1 for item in set(array.tolist()) if item is None or item != item)
    if empty:
        faults.append(f"{name}: holds missing labels; none are allowed; give them a level")
    return array


def stop(faults: Sequence[str]) -> None:
    """Raise all faults of one input together; nothing happens when there are none."""
    if faults:
        raise InputError(list(faults))


def dummies(values: NDArray[Any], reference: Any | None = None) -> tuple[FloatArray, list[Any]]:
    """Treatment-coded dummies (N, levels - 1) and their levels; the reference level is left out.

    The reference is the first level in sorted order unless named, as in R's `contr.treatment`.
    """
    levels, codes = np.unique(values, return_inverse=True)
    chosen = 0 if reference is None else int(np.flatnonzero(levels == reference)[0])
    kept = [i for i in range(len(levels)) if i != chosen]
    table = (codes[:, None] == np.asarray(kept, dtype=np.int64)[None, :]).astype(np.float64)
    return table.reshape(len(values), len(kept)), levels[kept].tolist()


def block(covariates: Columns | None, factors: Columns | None, n: int, faults: list[str]
          ) -> tuple[FloatArray, list[str]]:
    """Design columns (N, P) of numeric covariates and factor blocks, with their names."""
    columns: list[FloatArray] = []
    names: list[str] = []
    for name, values in (covariates or {}).items():
        columns.append(numeric(name, values, faults, (n,)).reshape(-1, 1))
        names.append(name)
    for name, values in (factors or {}).items():
        before = len(faults)
        array = labels(name, values, faults, n)
        if len(faults) > before:
            continue
        table, levels = dummies(array)
        columns.append(table)
        names += [f"{name}={level}" for level in levels]
    stop(faults)
    return (np.hstack(columns) if columns else np.zeros((n, 0))), names
