"""The three attacks of European data-protection guidance on a synthetic table.

Singling out, linkability and attribute inference as Giomi, Boenisch, Wehmeyer and Tasnádi put
them (PoPETs 2023(2), doi 10.56553/popets-2023-0055), each with its success against patients who
were trained on and against patients who were not: only the excess is a leak, the rest is what
anybody learns about the population.

All functions return shape (patients,) rates: how often the attack succeeds on each real patient.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from generation.evaluation.disclosure import embed
from generation.evaluation.tables import Floats, Table

Attack = Callable[["Targets", Table, npt.NDArray[np.bool_], np.random.Generator], Floats]

CLOSE = 0.05
"""A guessed number is right within this share of the patients' ranks."""
_PREDICATES = 500
_TRIES = 6
_TERMS = 3


class Targets:
    """Real patients as an attacker meets them: coordinates, column by column.

    Parameters
    ----------
    pool
        Every real patient, each once.
    """

    def __init__(self, pool: Table) -> None:
        self.pool = pool
        widths = [2] * pool.numbers.shape[1] + [len(levels) + 1 for levels in pool.layout.levels]
        self.columns = np.repeat(np.arange(len(widths)), widths)
        """Column to which each coordinate belongs, shape (coordinates,)."""

    @cached_property
    def coordinates(self) -> Floats:
        """Coordinates of the real patients, shape (patients, coordinates)."""
        return embed(self.pool, self.pool)

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.columns[-1]) + 1 if len(self.columns) else 0

    def place(self, table: Table) -> Floats:
        """Coordinates of other patients on the same scales."""
        return embed(table, self.pool)


def singling_out(
    targets: Targets, synthetic: Table, inside: npt.NDArray[np.bool_], rng: np.random.Generator
) -> Floats:
    """Predicates true of one synthetic patient that are true of exactly one real patient.

    A predicate joins three columns of a synthetic patient: equal for categories, at least (or at
    most) its value for numbers on the outer side of the median. Only predicates that single out a
    synthetic patient are tried. The real patients are taken by `inside` and its complement, each
    of which is searched on its own. A patient's rate is the share of predicates that find exactly
    that patient, times the size of its side, so that the mean over a side is the success rate.
    """
    mine = synthetic.features
    real = targets.pool.features
    numeric = targets.pool.numbers.shape[1]
    middle = np.array([_median(column) for column in mine[:, :numeric].T])
    rates = np.zeros(len(real))
    tried = 0
    for _ in range(_TRIES * _PREDICATES):
        if tried == _PREDICATES:
            break
        row = int(rng.integers(len(mine)))
        columns = rng.permutation(targets.width)[:_TERMS]
        if _meets(mine, mine[row], columns, middle).sum() != 1:
            continue
        tried += 1
        hits = _meets(real, mine[row], columns, middle)
        for side in (inside, ~inside):
            if (found := np.flatnonzero(hits & side)).size == 1:
                rates[found] += side.sum()
    return rates / max(tried, 1)


def linkability(
    targets: Targets, synthetic: Table, inside: npt.NDArray[np.bool_], rng: np.random.Generator
) -> Floats:
    """Whether both halves of a patient's columns have the same nearest synthetic patient."""
    if targets.width < 2:
        return np.zeros(len(targets.pool))
    first = np.isin(targets.columns, rng.permutation(targets.width)[: targets.width // 2])
    theirs = targets.place(synthetic)
    nearest = [
        cdist(targets.coordinates[:, part], theirs[:, part], "cityblock").argmin(axis=1)
        for part in (first, ~first)
    ]
    return np.asarray(nearest[0] == nearest[1], dtype=np.float64)


def attribute_inference(
    targets: Targets, synthetic: Table, inside: npt.NDArray[np.bool_], rng: np.random.Generator
) -> Floats:
    """Whether the nearest synthetic patient on all other columns tells a column, mean over columns.

    A category must be equal, a number within 5 % of the patients' ranks; a value that the
    patient lacks is no secret.
    """
    return np.asarray(np.nanmean(attribute_inferences(targets, synthetic), axis=1))


def attribute_inferences(targets: Targets, synthetic: Table) -> Floats:
    """Success by patient and secret column, NaN where the patient has no value."""
    theirs, ours = targets.place(synthetic), targets.coordinates
    whole = cdist(ours, theirs, "cityblock")
    found = np.full((len(ours), targets.width), np.nan)
    for column in range(targets.width):
        part = targets.columns == column
        nearest = (whole - cdist(ours[:, part], theirs[:, part], "cityblock")).argmin(axis=1)
        apart = np.abs(ours[:, part] - theirs[nearest][:, part]).sum(axis=1)
        known = ~np.isnan(targets.pool.features[:, column])
        known &= targets.pool.features[:, column] != -1
        found[:, column] = np.where(known, apart <= CLOSE, np.nan)
    return found


ATTACKS: dict[str, tuple[str, Attack]] = {
    "singling_out": ("singling out by predicates of three columns", singling_out),
    "linkability": ("linking two halves of a patient's record", linkability),
    "attribute_inference": ("inferring one column from all others", attribute_inference),
}
"""Name to label and attack."""


def _meets(
    features: Floats, row: Floats, columns: npt.NDArray[np.int64], middle: Floats
) -> npt.NDArray[np.bool_]:
    """Patients for whom the predicate of a synthetic patient's columns holds."""
    kept = np.ones(len(features), dtype=bool)
    for column in columns:
        values, value = features[:, column], row[column]
        if np.isnan(value):
            kept &= np.isnan(values)
        elif column >= len(middle):
            kept &= values == value
        else:
            kept &= values >= value if value >= middle[column] else values <= value
    return kept


def _median(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else 0.0
