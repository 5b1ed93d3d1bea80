"""Classification trees whose leaves and thresholds stand on five patients or more.

Grown by scikit-learn, then rewritten: a threshold, which scikit-learn puts midway between two
patients, moves midway between the means of the five nearest values on either side; a node that
keeps fewer than five patients on a side becomes a leaf; a leaf's shares of tokens are shrunk
towards its parent's, and those towards the grandparent's, up to the root (hierarchical
smoothing as in Buntine, 1992, "Learning classification trees", Stat Comput 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from generation.tokenizer import MINIMUM_CELL, FloatArray, IntArray


@dataclass(frozen=True)
class Tree:
    """One column's tree as arrays.

    ``left`` and ``right`` are child nodes (-1 in a leaf), ``leaf`` the row of
    ``probability`` (leaves, tokens) that a leaf node uses.
    """

    left: IntArray
    right: IntArray
    feature: IntArray
    threshold: FloatArray
    leaf: IntArray
    probability: FloatArray

    def apply(self, inputs: FloatArray) -> FloatArray:
        """Token probabilities of each row of inputs, shape (n, tokens)."""
        node = np.zeros(len(inputs), dtype=np.int64)
        rows = np.arange(len(inputs))
        while True:
            inner = self.left[node] >= 0
            if not inner.any():
                return np.asarray(self.probability[self.leaf[node]])
            below = inputs[rows, self.feature[node]] <= self.threshold[node]
            node = np.where(inner, np.where(below, self.left[node], self.right[node]), node)


def grow(
    inputs: FloatArray,
    target: FloatArray | IntArray,
    codes: IntArray,
    tokens: int,
    leaf_patients: int,
    smoothing: float,
    seed: int,
) -> Tree:
    """Grow a tree for a target and give its leaves shares of tokens.

    Parameters
    ----------
    inputs
        Columns to split on, shape (n, inputs).
    target
        Classes, shape (n,), or numbers, shape (n, targets).
    codes
        Token of each patient, shape (n,).
    tokens
        Number of tokens.
    leaf_patients
        Fewest patients in a leaf as grown.
    smoothing
        Patients' worth of the parent's shares that every node's own are mixed with.
    seed
        For ties between splits.
    """
    if inputs.shape[1] == 0 or len(codes) < 2 * leaf_patients:
        return stump(codes, tokens)
    if target.ndim == 1:
        from sklearn.tree import DecisionTreeClassifier as Grower
    else:
        from sklearn.tree import DecisionTreeRegressor as Grower
    grown = Grower(min_samples_leaf=leaf_patients, random_state=seed).fit(inputs, target)
    return _rewritten(grown.tree_, inputs, codes, tokens, smoothing)


def stump(codes: IntArray, tokens: int) -> Tree:
    """A tree without a split: the column's own distribution."""
    counts = np.bincount(codes, minlength=tokens).astype(np.float64)
    counts = counts if counts.sum() else np.ones(tokens)
    none = np.full(1, -1, dtype=np.int64)
    zero = np.zeros(1, dtype=np.int64)
    return Tree(none, none, zero, np.zeros(1), zero, (counts / counts.sum())[None, :])


def _rewritten(
    nodes: Any, inputs: FloatArray, codes: IntArray, tokens: int, smoothing: float
) -> Tree:
    """Move thresholds off single patients, prune, and smooth the leaves."""
    count = int(nodes.node_count)
    left, right = (np.full(count, -1, dtype=np.int64) for _ in range(2))
    threshold, leaf = np.zeros(count), np.zeros(count, dtype=np.int64)
    feature = np.maximum(nodes.feature, 0).astype(np.int64)
    rows: dict[int, IntArray] = {0: np.arange(len(codes))}
    share = {0: stump(codes, tokens).probability[0]}
    leaves: list[FloatArray] = []
    for node in range(count):  # children have higher numbers than their parent
        if node not in rows:
            continue
        mine, own = rows.pop(node), share.pop(node)
        cut = None
        if nodes.children_left[node] >= 0:
            cut = _between(inputs[mine, feature[node]], float(nodes.threshold[node]))
        if cut is None:
            leaf[node] = len(leaves)
            leaves.append(own)
            continue
        threshold[node] = cut
        left[node], right[node] = nodes.children_left[node], nodes.children_right[node]
        below = inputs[mine, feature[node]] <= cut
        for child, part in ((left[node], mine[below]), (right[node], mine[~below])):
            counts = np.bincount(codes[part], minlength=tokens)
            rows[int(child)] = part
            share[int(child)] = (counts + smoothing * own) / (len(part) + smoothing)
    return Tree(left, right, feature, threshold, leaf, np.array(leaves))


def _between(values: FloatArray, threshold: float) -> float | None:
    """A threshold midway between the means of the five nearest values on either side.

    None where a side has fewer than five patients before or after the move.
    """
    below, above = np.sort(values[values <= threshold]), np.sort(values[values > threshold])
    if min(len(below), len(above)) < MINIMUM_CELL:
        return None
    moved = float((below[-MINIMUM_CELL:].mean() + above[:MINIMUM_CELL].mean()) / 2)
    kept = int((values <= moved).sum())
    return moved if MINIMUM_CELL <= kept <= len(values) - MINIMUM_CELL else None
