"""Patients of a replicate grouped by the visits that they have."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit


class Patterns(NamedTuple):
    """Groups (G,) of patients with the same visits.

    `count` (G,) sums weights; `there` (G, V) marks visits; `zz` (G, M, M), `zy` (G, M, V) and
    `yy` (G, V, V) are weighted cross-products of sources and values.
    """

    count: Any
    there: Any
    zz: Any
    zy: Any
    yy: Any


@njit(cache=True, error_model="numpy")
def make_patterns(groups: Any, visits: Any, sources: Any) -> Any:
    """Room for groups."""
    return Patterns(
        np.zeros(groups), np.zeros((groups, visits), dtype=np.bool_),
        np.zeros((groups, sources, sources)), np.zeros((groups, sources, visits)),
        np.zeros((groups, visits, visits)),
    )


@njit(cache=True, error_model="numpy")
def _centres(values: Any, columns: Any, weight: Any, centre: Any) -> Any:
    """Means of columns over patients, and of all values; patients with a value."""
    centre[:] = 0.0
    whole = people = seen = total = 0.0
    for i in range(values.shape[0]):
        if weight[i] == 0.0:
            continue
        whole += weight[i]
        people += 1.0
        for m in range(columns.shape[1]):
            centre[m] += weight[i] * columns[i, m]
        for t in range(values.shape[1]):
            if values[i, t] == values[i, t]:
                seen += weight[i]
                total += weight[i] * values[i, t]
    for m in range(columns.shape[1]):
        centre[m] /= max(whole, 1e-300)
    centre[columns.shape[1]] = total / max(seen, 1e-300)
    return people


@njit(cache=True, error_model="numpy")
def _mask(values: Any) -> Any:
    """Visits that a patient (V,) has, as bits."""
    mask = 0
    for t in range(values.size):
        if values[t] == values[t]:
            mask |= 1 << t
    return mask


@njit(cache=True, error_model="numpy")
def _open(room: Any, g: Any, mask: Any) -> None:
    """Begin a group."""
    room.count[g] = 0.0
    room.zz[g] = 0.0
    room.zy[g] = 0.0
    room.yy[g] = 0.0
    for t in range(room.there.shape[1]):
        room.there[g, t] = (mask >> t) & 1 == 1


@njit(cache=True, error_model="numpy")
def _add(room: Any, g: Any, weight: Any, figures: Any, values: Any, level: Any) -> None:
    """Add a patient to a group, his values less `level`."""
    room.count[g] += weight
    for m in range(figures.size):
        for k in range(figures.size):
            room.zz[g, m, k] += weight * figures[m] * figures[k]
    seen = np.flatnonzero(room.there[g])
    for t in seen:
        y = weight * (values[t] - level)
        for m in range(figures.size):
            room.zy[g, m, t] += y * figures[m]
        for s in seen:
            room.yy[g, t, s] += y * (values[s] - level)


@njit(cache=True, error_model="numpy")
def group(
    values: Any, columns: Any, weight: Any, slots: Any, room: Any, centre: Any
) -> tuple[Any, Any]:
    """Group the patients of a replicate: how many groups and patients.

    Parameters
    ----------
    values, columns, weight
        (N, V) with NaN, (N, M), (N,); patients without weight are left out, and so are those
        without values: their weight is set to 0.
    slots
        Scratch (2 ** V,).
    centre
        (M + 1,): means taken off columns and off all values.
    """
    patients = values.shape[0]
    for i in range(patients):
        if _mask(values[i]) == 0:
            weight[i] = 0.0
    people = _centres(values, columns, weight, centre)
    slots[:] = -1
    groups = 0
    figures = np.ones(columns.shape[1] + 1)
    for i in range(patients):
        if weight[i] == 0.0:
            continue
        mask = _mask(values[i])
        if slots[mask] < 0:
            slots[mask] = groups
            _open(room, groups, mask)
            groups += 1
        for m in range(columns.shape[1]):
            figures[m + 1] = columns[i, m] - centre[m]
        _add(room, slots[mask], weight[i], figures, values[i], centre[columns.shape[1]])
    return groups, people
