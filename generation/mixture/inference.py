"""Exact answers of the mixture: probability of a region, conditionals, draws, likelihood.

Evidence is a share for each token of a column (1 inside the condition, 0 outside, between where
an interval cuts a bin). Summing columns out from the leaves of the tree to its roots gives the
probability of the evidence under each arm and class; going back down draws from the exact
conditional, so nothing is rejected or weighted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from generation.mixture.classes import ClassTree
from generation.mixture.fitting import log_sum
from generation.randomness import Stream, decision_id
from generation.tokenizer import FloatArray, IntArray

_LOT = 64


@dataclass(frozen=True)
class Propagated:
    """Evidence summed up the tree.

    Attributes
    ----------
    state
        Probability of arm, class and evidence together, shape (arms, classes).
    inside
        By column: probability of the evidence on the column and below it given its token,
        shape (arms, classes, tokens).
    """

    state: FloatArray
    inside: tuple[FloatArray, ...]

    @property
    def probability(self) -> float:
        """Probability of the evidence."""
        return float(self.state.sum())


def propagate(
    tree: ClassTree, evidence: Mapping[str, FloatArray], arms: FloatArray | None = None
) -> Propagated:
    """Sum the evidence up the tree; `arms` is the share of each arm that is allowed."""
    shape = (tree.arms, tree.classes)
    inside = [np.ones((*shape, leaf.tokens)) for leaf in tree.leaves]
    state = (tree.weight[:, None] * tree.arm_share).T.copy()
    if arms is not None:
        state *= arms[:, None]
    for j in range(len(tree.leaves) - 1, -1, -1):
        leaf = tree.leaves[j]
        if tree.names[j] in evidence:
            inside[j] = inside[j] * evidence[tree.names[j]]
        if leaf.parent < 0:
            state *= np.einsum("akx,akx->ak", np.broadcast_to(leaf.table[:, :, 0], inside[j].shape),
                               inside[j])
            continue
        rows = leaf.table[:, :, :-1]
        inside[leaf.parent] = inside[leaf.parent] * np.matmul(rows, inside[j][..., None])[..., 0]
    return Propagated(state, tuple(inside))


def marginal(
    tree: ClassTree, evidence: Mapping[str, FloatArray], name: str,
    arms: FloatArray | None = None,
) -> FloatArray:
    """Exact probability of each token of a column given the evidence, shape (tokens,)."""
    tokens = tree.leaves[tree.names.index(name)].tokens
    here = evidence.get(name, np.ones(tokens))
    joint = np.array([
        propagate(tree, {**evidence, name: here * (np.arange(tokens) == x)}, arms).probability
        if here[x] > 0 else 0.0
        for x in range(tokens)
    ])
    return np.asarray(joint / joint.sum())


def draw(
    tree: ClassTree, found: Propagated, patients: IntArray, stream: Stream
) -> tuple[IntArray, dict[str, IntArray]]:
    """Arm and tokens of each patient, drawn from the exact conditional."""
    arm = _pick(found.state.sum(axis=1)[None], _uniform(stream, patients, "arm"))
    group = _pick(found.state[arm], _uniform(stream, patients, "class"))
    codes: list[IntArray] = []
    for name, leaf, inside in zip(tree.names, tree.leaves, found.inside, strict=True):
        table = leaf.table * inside[:, :, None, :]
        cumulative = np.cumsum(table, axis=-1)
        before = codes[leaf.parent] if leaf.parent >= 0 else np.zeros_like(arm)
        choice = _uniform(stream, patients, f"{name}:token")
        codes.append(_place(cumulative[arm, group, before], choice))
    return arm, dict(zip(tree.names, codes, strict=True))


def log_rows(tree: ClassTree, codes: list[IntArray], arm: IntArray) -> FloatArray:
    """Exact log-probability of rows of tokens (-1 unknown: summed out), shape (n,)."""
    known = np.all([own >= 0 for own in codes] + [arm >= 0], axis=0)
    total = np.empty(len(arm))
    full = np.flatnonzero(known)
    total[full] = log_sum(tree.log_joint([own[full] for own in codes], arm[full]))
    partial = np.flatnonzero(~known)
    for start in range(0, len(partial), _LOT):
        rows = partial[start : start + _LOT]
        total[rows] = _log_partial(tree, [own[rows] for own in codes], arm[rows])
    return total


def _log_partial(tree: ClassTree, codes: list[IntArray], arm: IntArray) -> FloatArray:
    """Log-probability of rows with unknown tokens, by the same sums with evidence by row."""
    n = len(arm)
    inside = [
        np.where((own < 0)[:, None], 1.0, own[:, None] == np.arange(leaf.tokens))[:, None, None]
        for own, leaf in zip(codes, tree.leaves, strict=True)
    ]
    allowed = np.where((arm < 0)[:, None], 1.0, arm[:, None] == np.arange(tree.arms))
    total = np.log(np.maximum(tree.weight[:, None] * tree.arm_share, 1e-300)).T + np.log(
        np.maximum(allowed, 1e-300)
    )[:, :, None]
    total = np.broadcast_to(total, (n, tree.arms, tree.classes)).copy()
    for j in range(len(tree.leaves) - 1, -1, -1):
        leaf = tree.leaves[j]
        rows = leaf.table[:, :, :1] if leaf.parent < 0 else leaf.table[:, :, :-1]
        message = np.einsum("akux,rakx->raku", np.broadcast_to(
            rows, (tree.arms, *rows.shape[1:])
        ), np.broadcast_to(inside[j], (n, tree.arms, tree.classes, leaf.tokens)))
        scale = np.maximum(message.max(axis=-1, keepdims=True), 1e-300)
        total += np.log(scale[..., 0])
        if leaf.parent < 0:
            continue
        inside[leaf.parent] = inside[leaf.parent] * (message / scale)
    return log_sum(total.reshape(n, -1))


def _uniform(stream: Stream, patients: IntArray, decision: str) -> FloatArray:
    return stream.uniform(patient=patients, decision=decision_id(decision))


def _pick(weight: FloatArray, choice: FloatArray) -> IntArray:
    return _place(np.cumsum(weight, axis=-1), choice)


def _place(cumulative: FloatArray, choice: FloatArray) -> IntArray:
    """First token whose running sum exceeds the choice's share of the whole."""
    target = choice[:, None] * cumulative[:, -1:]
    index = np.sum(cumulative <= target, axis=-1)
    return np.asarray(np.minimum(index, cumulative.shape[-1] - 1), dtype=np.int64)
