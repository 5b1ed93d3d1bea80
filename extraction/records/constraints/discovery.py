"""Find numeric columns of a table that others determine exactly: sums, products, ratios.

Twelve rows rule out nearly every relation at once; what is left is proved on every complete row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, permutations

import numpy as np
import numpy.typing as npt
import pandas as pd

from .kinds import ComputedRule, Derived, Sum

FEWEST_PATIENTS = 50
_MOST_COLUMNS = 24
_MOST_PARTS = 4
_LEAST_DISTINCT = 8
_PROBE = 12
_SPREAD = 20.0

FloatArray = npt.NDArray[np.float64]
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
