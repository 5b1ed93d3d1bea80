"""Pairs of categories that real patients never have: broken rules that nobody wrote down."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from generation.evaluation.disclosure import wilson
from generation.evaluation.metric import NOT_SHOWN, WITHIN, WORSE, Control, Metric, Verdict
from generation.evaluation.reference import Reference
from generation.evaluation.tables import Floats, Table

EXPECTED = 10
"""A pair of categories counts as excluded if independence would give 10 patients and none came."""

Flags = npt.NDArray[np.bool_]


def excluded_pairs(real: Table) -> Flags:
    """Pairs of levels of two categorical columns that never occur though they should by chance.

    Returns
    -------
    array of shape (levels, levels)
        Levels of all categorical columns side by side, missing being the first of each column.
    """
    cells = _indicators(real)
    share = cells.mean(axis=0)
    expected = len(real) * share[:, None] * share[None, :]
    column = _columns(real)
    different = column[:, None] != column[None, :]
    return np.asarray((cells.T @ cells == 0) & (expected >= EXPECTED) & different)


def has_excluded_pair(table: Table, excluded: Flags) -> Flags:
    """Whether each patient has an excluded pair, shape (n,)."""
    cells = _indicators(table)
    return np.asarray(((cells @ excluded) * cells).sum(axis=1) > 0)


def combinations(reference: Reference, synthetic: Sequence[Table]) -> list[Metric]:
    """Share of synthetic patients with a pair of categories that training patients never have.

    Nothing where no pair is excluded by the training patients.
    """
    known = reference.cached("combinations", lambda: _known(reference))
    if not any(excluded.any() for excluded in known["excluded"]):
        return []
    ours = _hits(known["excluded"], synthetic)
    real, independent = known["real"], known["independent"]
    low, high = wilson(int(ours.sum()), len(ours))
    real_low, real_high = wilson(int(real.sum()), len(real))
    verdict: Verdict = WITHIN if float(independent.mean()) > real_high else NOT_SHOWN
    if low > real_high:
        verdict = WORSE
    rate = float(ours.mean())
    return [
        Metric(
            "excluded_pairs",
            "validity",
            "synthetic patients with a pair of categories that training patients never have",
            rate,
            float(np.sqrt(rate * (1 - rate) / len(ours))),
            "lower",
            {
                "real": Control(float(real.mean()), real_low, real_high),
                "independent": Control(float(independent.mean())),
            },
            verdict,
            f"{rate:.1%} of synthetic patients [{low:.1%}, {high:.1%}] have a pair of categories "
            f"that no training patient has (none is best; of held-out patients "
            f"{real.mean():.1%}): {verdict}.",
            {"pairs": _named(reference, synthetic, known["excluded"])},
            limits=(low, high),
        )
    ]


def _known(reference: Reference) -> dict[str, list[Flags] | Flags]:
    excluded = [excluded_pairs(reference.train(i)) for i in range(len(reference.folds))]
    held_out = [reference.pool.take(fold.holdout) for fold in reference.folds]
    return {
        "excluded": excluded,
        "real": _hits(excluded, held_out),
        "independent": _hits(excluded, reference.draw_full("independent")),
    }


def _hits(excluded: Sequence[Flags], tables: Sequence[Table]) -> Flags:
    return np.concatenate([has_excluded_pair(t, e) for t, e in zip(tables, excluded, strict=True)])


def _named(
    reference: Reference, synthetic: Sequence[Table], excluded: Sequence[Flags]
) -> list[dict[str, object]]:
    """The five pairs of columns that hold most of them, with the share of synthetic patients."""
    column = _columns(reference.pool)
    size = len(reference.pool.layout.categorical)
    count = np.zeros((size, size))
    for table, rule in zip(synthetic, excluded, strict=True):
        cells = _indicators(table)
        found = np.triu((cells.T @ cells) * rule)
        np.add.at(count, (column[:, None], column[None, :]), found)
    names = reference.pool.layout.categorical
    share = count / sum(len(t) for t in synthetic)
    worst = np.argsort(-share, axis=None, kind="stable")[:5]
    pairs = zip(*np.unravel_index(worst, share.shape), strict=True)
    return [
        {"columns": [names[i], names[j]], "share": share[i, j]} for i, j in pairs if share[i, j] > 0
    ]


def _sizes(table: Table) -> list[int]:
    return [len(levels) + 1 for levels in table.layout.levels]


def _columns(table: Table) -> npt.NDArray[np.int64]:
    """Categorical column of every level, shape (levels,)."""
    return np.repeat(np.arange(len(table.layout.levels)), _sizes(table))


def _indicators(table: Table) -> Floats:
    """One column a level, shape (n, levels)."""
    parts = [table.codes[:, [j]] == np.arange(-1, size - 1) for j, size in enumerate(_sizes(table))]
    if not parts:
        return np.empty((len(table), 0))
    return np.concatenate(parts, axis=1).astype(np.float64)
