"""Fidelity inside subgroups: the one that is furthest off, with multiplicity allowed for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from generation.evaluation.distances import Spec, measured
from generation.evaluation.fidelity import marginal_distances
from generation.evaluation.metric import Metric
from generation.evaluation.reference import Reference
from generation.evaluation.tables import Floats, Layout, Table

FEWEST = 20
"""Fewest patients of a subgroup on either side."""

_MOST_LEVELS, _MOST_GROUPS, _MOST_COLUMNS = 4, 24, 40
_CALIBRATIONS = 20
_SHIFT_SD, _MOVED = 0.5, 0.2
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Subgroup:
    """Patients with one level of a categorical column, or one half of a numeric one.

    Parameters
    ----------
    name
        For a reader, e.g. "SEX F" or "AGE lower half".
    column
        Place among the columns of `Table.features`.
    level
        Code of the level; None for a half.
    cut
        Median that parts the halves.
    upper
        Whether it is the upper half.
    """

    name: str
    column: int
    level: int | None = None
    cut: float = 0.0
    upper: bool = False

    def rows(self, table: Table) -> npt.NDArray[np.int64]:
        """Rows of the subgroup's patients."""
        values = table.features[:, self.column]
        if self.level is not None:
            inside: Flags = values == self.level
        else:
            inside = values >= self.cut if self.upper else values < self.cut
        return np.flatnonzero(inside)


def subgroups_of(pool: Table) -> list[Subgroup]:
    """Arms, categories of columns with up to four, and halves of numeric baseline columns.

    At most 24, of those that hold 20 of the real patients and leave 20 outside, arms first.
    """
    layout, p = pool.layout, pool.numbers.shape[1]
    arm = () if layout.arm is None else (layout.arm,)
    found = [
        Subgroup(f"{layout.categorical[j]} {level}", p + j, code)
        for j in (*arm, *layout.baseline_categorical)
        for code, level in enumerate(layout.levels[j])
        if j == layout.arm or len(layout.levels[j]) <= _MOST_LEVELS
    ]
    for j in layout.baseline_numeric:
        cut = float(np.nanmedian(pool.numbers[:, j]))
        found += [
            Subgroup(f"{layout.numeric[j]} {half} half", j, None, cut, half == "upper")
            for half in ("lower", "upper")
        ]
    sizes = [len(group.rows(pool)) for group in found]
    kept = [g for g, n in zip(found, sizes, strict=True) if FEWEST <= n <= len(pool) - FEWEST]
    return kept[:_MOST_GROUPS]


def subgroups(reference: Reference, synthetic: Sequence[Table]) -> list[Metric]:
    """The subgroup that is furthest off; none where no subgroup is large enough."""
    chosen = reference.cached("subgroups", lambda: _calibrated(reference))
    return measured([_spec(chosen)], reference, synthetic) if chosen else []


def _calibrated(reference: Reference) -> list[tuple[Subgroup, float]]:
    """Subgroups large enough on every held-out side, with the distance that chance gives."""
    groups = [
        group
        for group in subgroups_of(reference.pool)
        if min(len(group.rows(held)) for held in reference.held) >= FEWEST
    ]
    draws = [pairs for _, pairs in zip(range(_CALIBRATIONS), reference.refolded(), strict=False)]
    rooted = np.array([_rooted(groups, *pair) for pairs in draws for pair in pairs])
    found = []
    for place, group in enumerate(groups):
        known = rooted[np.isfinite(rooted[:, place]), place]
        if len(known) and known.mean() > 0:
            found.append((group, float(known.mean())))
    return found


def _rooted(groups: Sequence[Subgroup], synthetic: Table, real: Table) -> list[float]:
    """Mean distance of the other columns inside each subgroup, freed of the samples' sizes.

    Distances of samples of one population fall with the root of 1 / (1/m + 1/n). NaN where a
    side has fewer than 20 patients.
    """
    columns = watched(real)
    narrow = [_narrowed(table, columns) for table in (synthetic, real)]
    found = []
    for group in groups:
        rows = [group.rows(table) for table in (synthetic, real)]
        sizes = [len(r) for r in rows]
        if min(sizes) < FEWEST:
            found.append(float("nan"))
            continue
        distances = marginal_distances(narrow[0].take(rows[0]), narrow[1].take(rows[1]))
        others = distances[(columns != group.column) & np.isfinite(distances)]
        mean = float(others.mean()) if len(others) else float("nan")
        found.append(mean / float(np.sqrt(1 / sizes[0] + 1 / sizes[1])))
    return found


def watched(table: Table) -> npt.NDArray[np.int64]:
    """Columns of `Table.features` that are compared: baseline, endpoints, last visits; 40."""
    layout, p = table.layout, table.numbers.shape[1]
    chosen = [*layout.baseline_numeric, *(p + j for j in layout.baseline_categorical)]
    chosen += [] if layout.arm is None else [p + layout.arm]
    chosen += [c for e in layout.endpoints for c in (e.time, p + e.event)]
    chosen += [s.columns[-1] + (0 if s.numeric else p) for s in layout.series]
    return np.sort(np.array(chosen[:_MOST_COLUMNS], dtype=np.int64))


def _narrowed(table: Table, columns: npt.NDArray[np.int64]) -> Table:
    p, layout = table.numbers.shape[1], table.layout
    numeric, categorical = columns[columns < p], columns[columns >= p] - p
    kept = Layout(
        tuple(layout.numeric[j] for j in numeric),
        tuple(layout.categorical[j] for j in categorical),
        tuple(layout.levels[j] for j in categorical),
    )
    return Table(kept, table.numbers[:, numeric], table.codes[:, categorical])


def _ratios(synthetic: Table, real: Table, chosen: Sequence[tuple[Subgroup, float]]) -> Floats:
    """Distance of every subgroup as a multiple of what chance gives; NaN where it is too small."""
    rooted = np.array(_rooted([group for group, _ in chosen], synthetic, real))
    return np.asarray(rooted / np.array([usual for _, usual in chosen]))


def worst_subgroup(
    synthetic: Table, real: Table, chosen: Sequence[tuple[Subgroup, float]]
) -> float:
    """Largest of the subgroups' distances, 1 being what chance gives on average."""
    ratios = _ratios(synthetic, real, chosen)
    return float(np.nanmax(ratios)) if np.isfinite(ratios).any() else float("nan")


def _details(
    synthetic: Table, real: Table, chosen: Sequence[tuple[Subgroup, float]]
) -> dict[str, Any]:
    ratios = _ratios(synthetic, real, chosen)
    order = np.argsort(-np.nan_to_num(ratios, nan=-1.0), kind="stable")
    return {
        "subgroups": [
            {"name": chosen[i][0].name, "ratio": ratios[i],
             "synthetic": len(chosen[i][0].rows(synthetic)), "real": len(chosen[i][0].rows(real))}
            for i in order
        ]
    }  # fmt: skip


def _shifted_group(table: Table, rng: np.random.Generator, group: Subgroup) -> Table:
    """Planted error: one subgroup's numbers moved by half an SD, a fifth of its categories."""
    rows, p = group.rows(table), table.numbers.shape[1]
    numbers, codes = table.numbers.copy(), table.codes.copy()
    spread = np.where(np.isnan(numbers), 0.0, numbers - np.nan_to_num(_means(numbers))).std(axis=0)
    spread[[group.column] if group.column < p else []] = 0.0
    numbers[rows] += _SHIFT_SD * spread
    sizes = np.array([len(levels) for levels in table.layout.levels], dtype=np.int64)
    hit = (rng.random((len(rows), codes.shape[1])) < _MOVED) & (codes[rows] >= 0)
    if group.column >= p:
        hit[:, group.column - p] = False
    codes[rows] = np.where(hit, (codes[rows] + 1) % np.maximum(sizes, 1), codes[rows])
    return Table(table.layout, numbers, codes)


def _means(numbers: Floats) -> Floats:
    seen = np.maximum((~np.isnan(numbers)).sum(axis=0), 1)
    return np.asarray(np.nansum(numbers, axis=0) / seen)


def _spec(chosen: Sequence[tuple[Subgroup, float]]) -> Spec:
    group = chosen[0][0]
    return Spec(
        "worst_subgroup",
        "subgroups",
        f"distributions in the worst of {len(chosen)} subgroups",
        f"In the worst of {len(chosen)} subgroups single columns are off by",
        partial(worst_subgroup, chosen=chosen),
        partial(_shifted_group, group=group),
        f"numbers of {group.name} moved by half an SD, a fifth of its categories changed",
        unit=" times what chance gives on average",
        ideal="1 is chance in one subgroup",
        details=partial(_details, chosen=chosen),
    )
