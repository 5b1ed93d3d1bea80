"""Fitting the classes: expectation-maximisation over smooth tilts.

Each M-step moves the tilts by one Newton step of a log-linear model: a tilt is a combination of
few smooth functions of a column's tokens (`basis`), under a normal prior whose precision is
counted in patients. The number of classes is the one of the highest held-out likelihood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from generation.cart_columns import ARM, FlatColumns, FlatTable
from generation.mixture.classes import ClassTree, Leaf, parent_tokens, tilted
from generation.mixture.structure import (
    Smoothing,
    best_parent,
    candidates_for,
    conditional_table,
    tilt_basis,
)
from generation.randomness import generator
from generation.tokenizer import MINIMUM_CELL, FloatArray, IntArray

CLASS_PSEUDO = 5.0
ARM_PSEUDO = 1.0
_ITERATIONS = 60
_SEARCH_ITERATIONS = 25
_GAIN = 1e-4
_MOST_SEARCHED = 4000
_HELD_OUT = 0.25


@dataclass(frozen=True)
class Rows:
    """Training patients as tokens: one array a column in drawing order, and the arm."""

    names: tuple[str, ...]
    codes: list[IntArray]
    arm: IntArray
    arms: int

    def __len__(self) -> int:
        return len(self.arm)

    def take(self, rows: IntArray) -> Rows:
        """Some of the patients."""
        return Rows(self.names, [c[rows] for c in self.codes], self.arm[rows], self.arms)

    def by_name(self) -> dict[str, IntArray]:
        """Tokens by column."""
        return dict(zip(self.names, self.codes, strict=True))


def read_rows(columns: FlatColumns, table: FlatTable, n: int) -> Rows:
    """Patients as tokens, those of unknown arm left out."""
    names = tuple(
        name for name in columns.order if name != ARM and columns.tokens(name) > 0
    )
    arm = table[ARM][0] if ARM in table else np.zeros(n, dtype=np.int64)
    known = np.flatnonzero(arm >= 0)
    arms = columns.tokens(ARM) if ARM in table else 1
    return Rows(names, [table[name][0][known] for name in names], arm[known], arms)


def sees_arm(columns: FlatColumns, name: str) -> bool:
    """Whether a column may differ between arms: all do unless the arm was randomised."""
    if ARM not in columns.codecs:
        return False
    return not columns.by_design or columns.order.index(name) > columns.order.index(ARM)


def find_edges(columns: FlatColumns, rows: Rows) -> list[Smoothing]:
    """What each column leans on."""
    codes = rows.by_name()
    return [
        best_parent(columns, codes, name, candidates_for(columns, rows.names, name))
        for name in rows.names
    ]


def blank(
    columns: FlatColumns, rows: Rows, edges: Sequence[Smoothing], classes: int
) -> ClassTree:
    """Shared tables of the patients, without any tilt."""
    codes = rows.by_name()
    leaves = []
    for name, edge in zip(rows.names, edges, strict=True):
        shared = conditional_table(columns, codes, name, edge)
        arms = rows.arms if sees_arm(columns, name) else 1
        leaves.append(
            Leaf(
                -1 if edge.parent is None else rows.names.index(edge.parent),
                shared,
                np.zeros((arms, shared.shape[1])),
                np.zeros((classes, shared.shape[1])),
            )
        )
    share = np.bincount(rows.arm, minlength=rows.arms) + 0.5
    weight = np.full(classes, 1.0 / classes)
    return ClassTree(
        rows.names, tuple(leaves), weight, np.tile(share / share.sum(), (classes, 1))
    )


def choose_classes(
    columns: FlatColumns, rows: Rows, edges: Sequence[Smoothing], grid: Sequence[int], seed: int
) -> tuple[int, dict[int, float]]:
    """Number of classes of the highest held-out log-likelihood a patient, and the grid's."""
    rng = generator(seed, "mixture classes")
    order = rng.permutation(len(rows))[:_MOST_SEARCHED]
    held = max(1, int(_HELD_OUT * len(order)))
    inside, outside = rows.take(np.sort(order[held:])), rows.take(np.sort(order[:held]))
    scores: dict[int, float] = {}
    best = -np.inf
    for classes in grid:
        tree = expectation_maximisation(
            columns, inside, edges, classes, seed, _SEARCH_ITERATIONS
        )
        joint = tree.log_joint(outside.codes, outside.arm)
        scores[classes] = float(log_sum(joint).mean())
        if scores[classes] < best - 0.02:
            break  # the curve has one top; more classes cost time only
        best = max(best, scores[classes])
    return max(scores, key=lambda k: (scores[k], -k)), scores


def expectation_maximisation(
    columns: FlatColumns,
    rows: Rows,
    edges: Sequence[Smoothing],
    classes: int,
    seed: int,
    iterations: int = _ITERATIONS,
    start: ClassTree | None = None,
) -> ClassTree:
    """Fit the tilts, the class shares and (where not randomised) the arm shares.

    `start` is a mixture of as many classes whose view of the patients is begun from.
    """
    tree = blank(columns, rows, edges, classes)
    rng = generator(seed, "mixture start", classes)
    belief: FloatArray = rng.dirichlet(np.full(classes, 0.5), len(rows))
    if start is not None:
        joint = start.log_joint(rows.codes, rows.arm)
        belief = np.exp(joint - log_sum(joint)[:, None])
    bases = [
        tilt_basis(columns.codecs[name], leaf.shared[-1])
        for name, leaf in zip(tree.names, tree.leaves, strict=True)
    ]
    before = -np.inf
    for _ in range(iterations):
        tree = maximise(tree, rows, belief, bool(columns.by_design), bases)
        joint = tree.log_joint(rows.codes, rows.arm)
        total = log_sum(joint)
        belief = np.exp(joint - total[:, None])
        if total.mean() - before < _GAIN and total.mean() >= before:
            break
        before = float(total.mean())
    return without_small_classes(tree, belief)


def maximise(
    tree: ClassTree,
    rows: Rows,
    belief: FloatArray,
    by_design: bool,
    bases: Sequence[FloatArray],
) -> ClassTree:
    """One M-step: class shares, arm shares, class tilts, then arm tilts."""
    sizes = belief.sum(axis=0)
    weight = (sizes + 1.0) / (sizes + 1.0).sum()
    share = tree.arm_share
    if not by_design and tree.arms > 1:
        counts = np.stack([
            np.bincount(rows.arm, belief[:, k], minlength=tree.arms) for k in range(tree.classes)
        ])
        pooled = counts.sum(axis=0) / counts.sum()
        share = (counts + CLASS_PSEUDO * pooled) / (sizes[:, None] + CLASS_PSEUDO)
    leaves = tuple(
        _scaled(leaf, base, own, parent_tokens(leaf, rows.codes, len(rows)), rows.arm, belief)
        for leaf, base, own in zip(tree.leaves, bases, rows.codes, strict=True)
    )
    return ClassTree(tree.names, leaves, weight, share)


def _scaled(
    leaf: Leaf, basis: FloatArray, own: IntArray, before: IntArray, arm: IntArray,
    belief: FloatArray,
) -> Leaf:
    """A column's tilts after one Newton step each: the classes', then the arms'."""
    known = own >= 0
    own, before, belief = own[known], before[known], belief[known]
    arms, classes = leaf.arm_tilt.shape[0], leaf.class_tilt.shape[0]
    side = arm[known] if arms > 1 else np.zeros_like(own)
    rows = leaf.shared.shape[0]
    cells = np.stack([
        _count(side * rows + before, belief[:, k], arms * rows) for k in range(classes)
    ]).reshape(classes, arms, rows)
    class_tilt, arm_tilt = leaf.class_tilt, leaf.arm_tilt
    if classes > 1:
        observed = np.stack([_count(own, belief[:, k], leaf.tokens) for k in range(classes)])
        table = leaf.table.transpose(1, 0, 2, 3).reshape(classes, -1, leaf.tokens)
        weight = cells.reshape(classes, -1)
        class_tilt = newton(class_tilt, basis, observed, weight, table, CLASS_PSEUDO)
    if arms > 1:
        observed = np.stack([_count(own[side == a], None, leaf.tokens) for a in range(arms)])
        table = tilted(leaf.shared, arm_tilt, class_tilt).reshape(arms, -1, leaf.tokens)
        weight = cells.transpose(1, 0, 2).reshape(arms, -1)
        arm_tilt = newton(arm_tilt, basis, observed, weight, table, ARM_PSEUDO)
    return Leaf(leaf.parent, leaf.shared, arm_tilt, class_tilt)


def newton(
    tilt: FloatArray,
    basis: FloatArray,
    observed: FloatArray,
    weight: FloatArray,
    table: FloatArray,
    pseudo: float,
) -> FloatArray:
    """Tilts after one Newton step of the penalised likelihood.

    Parameters
    ----------
    tilt
        Now, in the span of the basis, shape (groups, tokens).
    basis
        Shape (tokens, functions).
    observed
        Counts of each token, shape (groups, tokens).
    weight, table
        Patients in each cell and the cell's token probabilities now, shapes (groups, cells) and
        (groups, cells, tokens).
    pseudo
        Precision of the prior, in patients.
    """
    if not basis.shape[1]:
        return tilt
    theta = np.linalg.lstsq(basis, tilt.T, rcond=None)[0].T
    mean = table @ basis
    expected = np.einsum("gc,gcx->gx", weight, table)
    slope = (observed - expected) @ basis - pseudo * theta
    curve = np.einsum("gx,xd,xe->gde", expected, basis, basis)
    curve -= np.einsum("gc,gcd,gce->gde", weight, mean, mean)
    curve += pseudo * np.eye(basis.shape[1])
    step = np.linalg.solve(curve, slope[..., None])[..., 0]
    move = step @ basis.T
    longest = np.abs(move).max(axis=1, keepdims=True)
    move /= np.maximum(longest, 1.0)  # far from the top a whole step may overshoot
    return np.asarray(np.clip(theta @ basis.T + move, -12.0, 12.0))


def without_small_classes(tree: ClassTree, belief: FloatArray) -> ClassTree:
    """The mixture without classes that stand for fewer than five patients."""
    kept = belief.sum(axis=0) >= MINIMUM_CELL
    if kept.all() or not kept.any():
        return tree
    leaves = tuple(
        Leaf(leaf.parent, leaf.shared, leaf.arm_tilt, leaf.class_tilt[kept])
        for leaf in tree.leaves
    )
    weight = tree.weight[kept] / tree.weight[kept].sum()
    return ClassTree(tree.names, leaves, weight, tree.arm_share[kept])


def log_sum(joint: FloatArray) -> FloatArray:
    """Log of the summed exponentials of each row."""
    top = joint.max(axis=-1, keepdims=True)
    total = np.log(np.exp(joint - top).sum(axis=-1)) + top[..., 0]
    return np.asarray(total)


def _count(index: IntArray, weight: FloatArray | None, size: int) -> FloatArray:
    return np.bincount(index, weight, minlength=size).astype(np.float64)
