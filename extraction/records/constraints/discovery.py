"""Find columns of a table that others determine exactly: sums, products, ratios; grades, groups.

Twelve rows rule out nearly every relation at once; what is left is proved on every complete row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, combinations, islice, pairwise, permutations

import numpy as np
import numpy.typing as npt
import pandas as pd

from .determined import Grade, Grouping, score
from .kinds import ComputedRule, Derived, Sum

FEWEST_PATIENTS = 50
FEWEST_OF_A_LEVEL = 5
_MOST_COLUMNS = 24
_MOST_PARTS = 4
_LEAST_DISTINCT = 8
_PROBE = 12
_SPREAD = 20.0
_SCREENED = 200

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Numbers = dict[str, FloatArray]


def find_computed(frame: pd.DataFrame, columns: Sequence[str]) -> tuple[ComputedRule, ...]:
    """Constraints that compute a column from others and hold in every complete row.

    Parameters
    ----------
    frame
        One row a patient (or a patient's visit).
    columns
        Numeric columns; those with fewer than eight values are passed over, and of the others
        the first 24 are tried.

    Returns
    -------
    tuple
        At most one constraint a target, later columns first (what is derived mostly stands
        behind what it is derived from); no column is computed, directly or not, from itself.
        Sums of two to four parts; 10^k * a * b, 10^k * a / b and 10^k * a / b^2 to the target's
        own decimals. Each holds in all of at least 50 complete rows.
    """
    numbers: Numbers = {}
    for name in columns:
        values = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        if len(np.unique(values[np.isfinite(values)])) >= _LEAST_DISTINCT:
            numbers[str(name)] = values
    names = list(numbers)[:_MOST_COLUMNS]
    found: list[ComputedRule] = []
    for target in reversed(names):
        free = [c for c in names if c != target and not _depends(c, target, found)]
        probe = _probe(numbers, [target, *free])
        left = (*_sums(target, free, probe), *_formulas(target, free, probe, numbers))
        rule = next((r for r in left if _proved(r, numbers)), None)
        if rule is not None:
            found.append(rule)
    return tuple(found)


def _depends(column: str, target: str, found: Sequence[ComputedRule]) -> bool:
    """Whether a column is computed from the target."""
    rule = next((r for r in found if r.target_column == column), None)
    return rule is not None and any(
        c == target or _depends(c, target, found) for c in rule.inputs
    )


def _probe(numbers: Numbers, names: Sequence[str]) -> FloatArray:
    """The rows with most known columns, shape (columns, rows)."""
    table = np.array([numbers[name] for name in names])
    fullest = np.argsort(-np.isfinite(table).sum(axis=0), kind="stable")
    return np.asarray(table[:, fullest[:_PROBE]])


def _sums(target: str, free: Sequence[str], probe: FloatArray) -> Iterator[ComputedRule]:
    """Sums that no probed row contradicts."""
    for size in range(2, min(_MOST_PARTS, len(free)) + 1):
        choice = np.array(list(combinations(range(len(free)), size)))
        gap = np.abs(probe[1:][choice].sum(axis=1) - probe[0])
        fits = ~np.any(gap > 1e-6 * (1 + np.abs(probe[0])), axis=1) & np.isfinite(gap).any(axis=1)
        for row in choice[fits]:
            yield Sum.model_validate({"total": target, "parts": [free[k] for k in row]})


def _formulas(
    target: str, free: Sequence[str], probe: FloatArray, numbers: Numbers
) -> Iterator[ComputedRule]:
    """Products and ratios that fit the probed rows up to a power of ten."""
    places = _decimals(numbers[target])
    spread = np.ptp(np.nanquantile(numbers[target], [0.05, 0.95]))
    if len(free) < 2 or places is None or spread < _SPREAD * 10.0**-places:
        return
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(probe > 0, np.log10(np.where(probe > 0, probe, 1.0)), np.nan)
    for power in (-1.0, 1.0, 2.0):  # -1: a product
        either = combinations if power < 0 else permutations
        choice = np.array(list(either(range(len(free)), 2)))
        shift = logs[0] - logs[1:][choice[:, 0]] + power * logs[1:][choice[:, 1]]
        known = np.isfinite(shift).sum(axis=1) >= min(_PROBE, probe.shape[1]) // 2
        choice, shift = choice[known], shift[known]
        exponent = np.asarray(np.round(np.nanmean(shift, axis=1)))
        for k in np.flatnonzero(np.nanmax(np.abs(shift - exponent[:, None]), axis=1) < 0.02):
            above, below = (free[place] for place in choice[k])
            yield _formula(target, above, below, power, float(exponent[k]), places)


def _formula(
    target: str, above: str, below: str, power: float, exponent: float, places: int
) -> Derived:
    """A product (power -1) or ratio."""
    product = power < 0
    return Derived.model_validate({
        "target": target,
        "numerator": [above, below] if product else [above],
        "denominator": [] if product else [below],
        "power": abs(power),
        "factor": 10.0**exponent,
        "decimals": places,
    })


def _proved(rule: ComputedRule, numbers: Numbers) -> bool:
    """Whether every complete row meets the constraint, and every column of it varies there."""
    used = rule.columns_used
    rows = np.all([np.isfinite(numbers[c]) for c in used], axis=0)
    frame = pd.DataFrame({c: numbers[c][rows] for c in used})
    return (
        len(frame) >= FEWEST_PATIENTS
        and bool(rule.holds(frame).all())
        and all(frame[c].nunique() >= _LEAST_DISTINCT for c in used)
        and all(float((frame[c] != 0).mean()) >= 0.1 for c in used)
    )


def _decimals(values: FloatArray) -> int | None:
    """Fewest decimals that write every value, None above six."""
    known = values[np.isfinite(values)]
    for places in range(7):
        if np.allclose(known, np.round(known, places), rtol=0, atol=1e-9):
            return places
    return None


def find_determined(
    frame: pd.DataFrame, numbers: Sequence[str], categories: Mapping[str, Sequence[str]]
) -> tuple[Grade | Grouping, ...]:
    """Constraints that compute a column of categories and hold in every complete row.

    Parameters
    ----------
    frame
        One row a patient, categories as words.
    numbers
        Numeric columns, the first 24 of which are tried by themselves and in sums of two.
    categories
        Columns of categories and their levels.

    Returns
    -------
    tuple
        At most one constraint a target; a target determines no other column. A group has fewer
        levels than the column that it groups. Each holds in all of at least 50 complete rows,
        with five rows or more in every level that occurs.
    """
    values = {c: frame[c].to_numpy(dtype=np.float64, na_value=np.nan) for c in numbers}
    tried = [c for c in numbers if len(np.unique(values[c][np.isfinite(values[c])])) > 2]
    tried = tried[:_MOST_COLUMNS]
    some = frame.iloc[:: max(1, len(frame) // _SCREENED)]
    sums: list[tuple[str, ...]] = [*((c,) for c in tried), *combinations(tried, 2)]
    totals = {columns: score(some, columns) for columns in sums}
    found: list[Grade | Grouping] = []
    for target, levels in reversed(list(categories.items())):
        determined = {r.target for r in found}
        free = [c for c in categories if c not in determined and c != target]
        if any(isinstance(r, Grouping) and r.column == target for r in found):
            continue
        rules: Iterator[Grade | Grouping] = chain(
            _groupings(frame, target, free), _grades(frame, target, levels, totals)
        )
        found += islice(rules, 1)
    return tuple(found)


def _groupings(frame: pd.DataFrame, target: str, free: Sequence[str]) -> Iterator[Grouping]:
    """Columns whose categories determine the target."""
    have = frame[target].astype(object)
    for column in free:
        pairs = pd.DataFrame({"from": frame[column], "to": have})
        if (pairs["from"].isna() & pairs["to"].notna()).any():
            continue
        counts = pairs.dropna().value_counts()
        source = counts.index.get_level_values("from")
        few = counts.index.get_level_values("to").nunique()
        enough = counts.sum() >= FEWEST_PATIENTS and counts.min() >= FEWEST_OF_A_LEVEL
        if enough and source.is_unique and 1 < few < len(source):
            groups = {str(a): str(b) for a, b in sorted(counts.index)}
            yield Grouping.model_validate({"target": target, "column": column, "groups": groups})


def _grades(
    frame: pd.DataFrame,
    target: str,
    levels: Sequence[str],
    totals: Mapping[tuple[str, ...], FloatArray],
) -> Iterator[Grade]:
    """Numbers or sums of two in whose order the target's levels follow each other.

    `totals` are their values in a part of the rows, at equal distances.
    """
    have = frame[target].astype(object)
    seen = have.notna().to_numpy()
    counts = have[seen].value_counts()
    if not 1 < len(counts) <= len(levels) or counts.min() < FEWEST_OF_A_LEVEL:
        return
    code = np.where(seen, pd.Index(counts.index).get_indexer(pd.Index(have)), -1)
    if seen.sum() < FEWEST_PATIENTS:
        return
    few = code[:: max(1, len(frame) // _SCREENED)]
    # A sum of two can part two levels by chance; a number alone hardly can.
    for columns, total in totals.items():
        if len(columns) > len(counts) - 1 or _parts(total, few) is None:
            continue
        ranges = _parts(score(frame, columns), code)
        if ranges is not None:
            low, high, order = ranges
            cuts = tuple(_roundest(high[a], low[b]) for a, b in pairwise(order))
            named = tuple(str(counts.index[k]) for k in order)
            yield Grade.model_validate(
                {"target": target, "columns": columns, "cuts": cuts, "levels": named}
            )


def _parts(total: FloatArray, code: IntArray) -> tuple[FloatArray, FloatArray, IntArray] | None:
    """Lowest and highest number of each level that occurs and the levels' order; None if mixed.

    Numbers must be known where levels (`code`, -1 unknown) are.
    """
    seen = code >= 0
    if (np.isfinite(total) != seen).any():
        return None
    low, high = (np.full(int(code.max()) + 1, fill) for fill in (np.inf, -np.inf))
    np.minimum.at(low, code[seen], total[seen])
    np.maximum.at(high, code[seen], total[seen])
    order = np.argsort(low, kind="stable")
    order = order[np.isfinite(low[order])]
    return (low, high, order) if (high[order][:-1] < low[order][1:]).all() else None


def _roundest(below: float, reached: float) -> float:
    """Roundest number above one value and not above the next."""
    for places in range(-3, 10):
        unit = 10.0**-places
        rounded = round(float(np.floor(reached / unit + 1e-9)) * unit, max(places, 0))
        if below < rounded <= reached:
            return rounded
    return reached
