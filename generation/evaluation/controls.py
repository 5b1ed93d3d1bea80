"""Samples whose quality is known: what a score means is read off beside them."""

from __future__ import annotations

import numpy as np

from generation.evaluation.fidelity import correlations
from generation.evaluation.tables import Floats, Table

_SHIFT_SD = 0.25
_MOVED = 0.1
_EVENT_RATIO = 1.5


def copy(train: Table, n: int, rng: np.random.Generator) -> Table:
    """Return n training patients drawn with replacement: perfect fidelity, no privacy."""
    return train.take(rng.integers(len(train), size=n))


def independent(train: Table, n: int, rng: np.random.Generator) -> Table:
    """Every column drawn from the training patients on its own: marginals and nothing else."""
    rows = rng.integers(len(train), size=(n, len(train.layout.names)))
    p = train.numbers.shape[1]
    return Table(
        train.layout,
        np.take_along_axis(train.numbers, rows[:, :p], axis=0),
        np.take_along_axis(train.codes, rows[:, p:], axis=0),
    )


def subset(train: Table, n: int, rng: np.random.Generator) -> Table:
    """Return n different training patients (all of them if there are fewer)."""
    return train.take(rng.permutation(len(train))[:n])


def shifted(table: Table, rng: np.random.Generator) -> Table:
    """Planted error of marginals: numbers moved by a quarter SD, a tenth of categories moved on."""
    seen = np.maximum((~np.isnan(table.numbers)).sum(axis=0), 1)
    deviation = table.numbers - np.nansum(table.numbers, axis=0) / seen
    numbers = table.numbers + _SHIFT_SD * np.sqrt(np.nansum(deviation**2, axis=0) / seen)
    sizes = np.array([len(levels) for levels in table.layout.levels], dtype=np.int64)
    moved = (rng.random(table.codes.shape) < _MOVED) & (table.codes >= 0)
    codes = np.where(moved, (table.codes + 1) % np.maximum(sizes, 1), table.codes)
    return Table(table.layout, numbers, codes)


def one_pair_broken(table: Table, rng: np.random.Generator) -> Table:
    """Planted error of associations: the strongest pair of columns is made independent.

    The second column of the strongest pair (largest absolute correlation of numbers, category
    codes taken as numbers) is shuffled over the patients; time and event of one endpoint and
    the visits of one variable do not count as a pair.
    """
    pair = strongest_pair(table)
    if pair is None:
        return table
    p = table.numbers.shape[1]
    numbers, codes = table.numbers.copy(), table.codes.copy()
    rows = rng.permutation(len(table))
    if pair[1] < p:
        numbers[:, pair[1]] = numbers[rows, pair[1]]
    else:
        codes[:, pair[1] - p] = codes[rows, pair[1] - p]
    return Table(table.layout, numbers, codes)


def strongest_pair(table: Table) -> tuple[int, int] | None:
    """Positions (numeric columns first) of the pair that `one_pair_broken` breaks, or None."""
    strength = np.abs(np.nan_to_num(correlations(table.features)))
    p = table.numbers.shape[1]
    strength[np.tril_indices(len(strength))] = 0.0
    for endpoint in table.layout.endpoints:
        strength[endpoint.time, p + endpoint.event] = 0.0
    for series in table.layout.series:
        columns = np.array(series.columns) + (0 if series.numeric else p)
        strength[np.ix_(columns, columns)] = 0.0
    if not strength.size or strength.max() == 0:
        return None
    first, second = np.unravel_index(int(strength.argmax()), strength.shape)
    return int(first), int(second)


def half_forgotten(table: Table, rng: np.random.Generator) -> Table:
    """Planted error over time: in half of the patients each visit's values come from another."""
    numbers = table.numbers.copy()
    half = rng.permutation(len(table))[: len(table) // 2]
    for series in table.layout.series:
        if series.numeric:
            for column in series.columns[1:]:
                numbers[half, column] = numbers[rng.permutation(half), column]
    return Table(table.layout, numbers, table.codes)


def more_events(table: Table, endpoint: int, rng: np.random.Generator) -> Table:
    """Planted error of survival: patients with the event are drawn half as often again."""
    event = table.codes[:, table.layout.endpoints[endpoint].event] > 0
    weight: Floats = np.where(event, _EVENT_RATIO, 1.0)
    rows = rng.choice(len(table), size=len(table), p=weight / weight.sum())
    return table.take(rows)
