"""What is missing together, and what missing values go with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from generation.evaluation import controls
from generation.evaluation.distances import Spec, measured
from generation.evaluation.fidelity import correlations
from generation.evaluation.metric import Metric
from generation.evaluation.reference import Reference
from generation.evaluation.tables import Floats, Rows, Table

_RARE, _MOST_FLAGS = 0.02, 12
_SHOWN_PATTERN = 0.01
_ASSOCIATED = 0.15
_MOST_PAIRS = 200
Flags = npt.NDArray[np.bool_]


def missing_values(reference: Reference, synthetic: Sequence[Table]) -> list[Metric]:
    """All metrics of missing values; none where nothing is missing."""
    return measured(_specs(reference), reference, synthetic)


def _specs(reference: Reference) -> list[Spec]:
    pool = reference.pool
    if not np.isnan(pool.features).any():
        return []
    specs = [
        Spec("missingness", "missingness", "shares of missing values",
             "Shares of missing values differ from real ones by", share_distance,
             fewer_missing, "half of the missing values filled in")
    ]  # fmt: skip
    columns = flagged(pool)
    if len(columns) > 1:
        patterns = frequent_patterns(pool, columns)
        specs.append(
            Spec("missing_patterns", "missingness", "what is missing together",
                 "Patterns of what is missing together differ from real ones in a share of",
                 partial(pattern_distance, columns=columns, patterns=patterns),
                 columns_shuffled, "every column's missing values moved to other patients")
        )  # fmt: skip
    if len(columns) and len(pool.layout.names) > 1:
        chosen = dependent_pairs(pool, columns)
        specs.append(
            Spec("missing_dependence", "missingness", "what missing values go with",
                 "Correlations of missing values with other values differ from real ones by",
                 partial(dependence_distance, columns=columns, pairs=chosen),
                 columns_shuffled, "every column's missing values moved to other patients")
        )  # fmt: skip
    return specs


def share_distance(synthetic: Table, real: Table) -> float:
    """Mean absolute difference of the columns' shares of missing values, in [0, 1]."""
    gap = np.isnan(synthetic.features).mean(axis=0) - np.isnan(real.features).mean(axis=0)
    return float(np.abs(gap).mean())


def flagged(pool: Table) -> Rows:
    """Columns of `Table.features` missing in 2 to 98 % of patients, the most even twelve.

    Times and events are left out: an endpoint's cause is missing where it did not come.
    """
    share = np.isnan(pool.features).mean(axis=0)
    p = pool.numbers.shape[1]
    for endpoint in pool.layout.endpoints:
        share[endpoint.time] = 0.0
        for column in (endpoint.event, endpoint.cause):
            if column is not None:
                share[p + column] = 0.0
    even = np.minimum(share, 1 - share)
    chosen = np.argsort(-even, kind="stable")[:_MOST_FLAGS]
    return np.sort(chosen[even[chosen] >= _RARE])


def patterns_of(table: Table, columns: Rows) -> Rows:
    """One number a patient for which of the columns are missing, shape (n,)."""
    missing = np.isnan(table.features[:, columns])
    return np.asarray(missing @ (1 << np.arange(len(columns))))


def frequent_patterns(pool: Table, columns: Rows) -> Rows:
    """Patterns that at least 1 % (and five) of the real patients have."""
    values, counts = np.unique(patterns_of(pool, columns), return_counts=True)
    return np.asarray(values[counts >= max(5, _SHOWN_PATTERN * len(pool))])


def pattern_distance(synthetic: Table, real: Table, columns: Rows, patterns: Rows) -> float:
    """Total variation between the patterns' distributions, in [0, 1]; rare ones count as one."""

    def shares(table: Table) -> Floats:
        found = patterns_of(table, columns)
        own = (found[:, None] == patterns[None, :]).mean(axis=0)
        return np.append(own, 1 - own.sum())

    return float(np.abs(shares(synthetic) - shares(real)).sum() / 2)


def flag_correlations(table: Table, columns: Rows) -> Floats:
    """Correlation of each missing flag with each column's values, shape (flags, columns)."""
    flags = np.isnan(table.features[:, columns]).astype(np.float64)
    both = correlations(np.concatenate([flags, table.features], axis=1))
    return both[: len(columns), len(columns) :]


def dependent_pairs(pool: Table, columns: Rows) -> Flags:
    """Pairs of flag and column with a correlation above .15 in real patients, all if none is.

    At most the 200 strongest.
    """
    strength = np.abs(np.nan_to_num(flag_correlations(pool, columns)))
    limit = min(_MOST_PAIRS, strength.size)
    floor = max(_ASSOCIATED, float(np.sort(strength, axis=None)[-limit]))
    strong = strength >= floor
    return strong if strong.any() else np.ones_like(strong)


def dependence_distance(synthetic: Table, real: Table, columns: Rows, pairs: Flags) -> float:
    """Mean absolute difference of `flag_correlations` over the pairs, in [0, 2].

    A correlation that only real patients have counts as 0 in the synthetic ones.
    """
    ours, theirs = flag_correlations(synthetic, columns), flag_correlations(real, columns)
    gap = np.abs(np.nan_to_num(ours) - theirs)[pairs]
    gap = gap[np.isfinite(gap)]
    return float(gap.mean()) if len(gap) else float("nan")


def fewer_missing(table: Table, rng: np.random.Generator) -> Table:
    """Half of the missing values filled with another patient's (or 0 where nobody has one)."""
    other = controls.independent(table, len(table), rng)
    fill = rng.random(table.features.shape) < 0.5
    p = table.numbers.shape[1]
    numbers = np.where(
        np.isnan(table.numbers) & fill[:, :p], np.nan_to_num(other.numbers), table.numbers
    )
    codes = np.where((table.codes < 0) & fill[:, p:], np.maximum(other.codes, 0), table.codes)
    return Table(table.layout, numbers, codes)


def columns_shuffled(table: Table, rng: np.random.Generator) -> Table:
    """Planted error: missing values are as frequent as before, in other patients.

    Values stay with their patients as far as those keep one; a patient who loses the gap gets
    the value of somebody who has one now.
    """
    p = table.numbers.shape[1]
    numbers, codes = table.numbers.copy(), table.codes.copy()
    for j in range(p):
        numbers[:, j] = _moved(numbers[:, j], np.isnan(numbers[:, j]), rng)
    for j in range(codes.shape[1]):
        codes[:, j] = _moved(codes[:, j], codes[:, j] < 0, rng)
    return Table(table.layout, numbers, codes)


def _moved(values: np.ndarray, missing: Flags, rng: np.random.Generator) -> np.ndarray:
    """As many missing values as before, in patients drawn at random."""
    if not missing.any() or missing.all():
        return values
    gap = np.flatnonzero(missing)
    rows = rng.choice(len(values), size=len(gap), replace=False)
    losing, gaining = np.setdiff1d(rows, gap), np.setdiff1d(gap, rows)
    out = values.copy()
    out[gaining], out[losing] = values[losing], values[gaining]
    return out
