"""The parameters of the mixture: classes over a tree of columns, and the arm as a condition.

    p(x | class k, arm a, parent token u)  ~  m(x | u) * exp(class tilt[k, x] + arm tilt[a, x])

``m`` is what all patients share (`generation.mixture.structure`); tilts are what a class and an
arm add. An arm's tilt acts in every class, so no choice of classes can lose the arm's effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from generation.tokenizer import FloatArray, IntArray


@dataclass(frozen=True)
class Leaf:
    """One column's parameters.

    Attributes
    ----------
    parent
        Place of the column leant on; -1 for a root.
    shared
        ``m``, shape (parent tokens + 1, tokens); the last row is for an unknown parent token.
    arm_tilt
        Shape (arms, tokens), or (1, tokens) where the arm has no part.
    class_tilt
        Shape (classes, tokens).
    """

    parent: int
    shared: FloatArray
    arm_tilt: FloatArray
    class_tilt: FloatArray

    @cached_property
    def table(self) -> FloatArray:
        """Probabilities, shape (arms or 1, classes, parent tokens + 1, tokens)."""
        return tilted(self.shared, self.arm_tilt, self.class_tilt)

    @cached_property
    def log_table(self) -> FloatArray:
        """Logarithm of :attr:`table`."""
        return np.asarray(np.log(np.maximum(self.table, 1e-300)))

    @property
    def tokens(self) -> int:
        """Number of tokens."""
        return int(self.shared.shape[1])


@dataclass(frozen=True)
class ClassTree:
    """A whole mixture.

    Attributes
    ----------
    names
        Columns in drawing order, the arm apart.
    leaves
        Their parameters, in the same order.
    weight
        Share of each class, shape (classes,).
    arm_share
        Share of each arm in each class, shape (classes, arms); one column without arms.
    """

    names: tuple[str, ...]
    leaves: tuple[Leaf, ...]
    weight: FloatArray
    arm_share: FloatArray

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.weight)

    @property
    def arms(self) -> int:
        """Number of arms (1 without arms)."""
        return int(self.arm_share.shape[1])

    def log_joint(self, codes: list[IntArray], arm: IntArray) -> FloatArray:
        """Log-probability of rows and class together, shape (n, classes).

        Tokens of -1 are left out and their children use their own distribution: exact where
        every token is known, which is what fitting needs (`inference.log_rows` is exact always).
        """
        total = np.log(self.weight) + np.log(self.arm_share.T[arm])
        for leaf, own in zip(self.leaves, codes, strict=True):
            side = arm if leaf.arm_tilt.shape[0] > 1 else np.zeros_like(arm)
            before = parent_tokens(leaf, codes, len(own))
            known = own >= 0
            picked = leaf.log_table[side, :, before, np.maximum(own, 0)]
            total = total + np.where(known[:, None], picked, 0.0)
        return np.asarray(total)

    def state(self) -> dict[str, Any]:
        """Return everything, as nested JSON values and arrays."""
        return {
            "names": list(self.names),
            "weight": self.weight,
            "arm_share": self.arm_share,
            "leaves": [
                {
                    "parent": leaf.parent, "shared": leaf.shared,
                    "arm_tilt": leaf.arm_tilt, "class_tilt": leaf.class_tilt,
                }
                for leaf in self.leaves
            ],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ClassTree:
        """Rebuild from :meth:`state`."""
        return cls(
            tuple(state["names"]),
            tuple(Leaf(**leaf) for leaf in state["leaves"]),
            state["weight"],
            state["arm_share"],
        )


def tilted(shared: FloatArray, arm_tilt: FloatArray, class_tilt: FloatArray) -> FloatArray:
    """Shared rows under each tilt, normalised; shape (arms, classes, parents, tokens)."""
    factor = np.exp(arm_tilt[:, None, :] + class_tilt[None, :, :])
    table = shared[None, None] * factor[:, :, None, :]
    return np.asarray(table / table.sum(axis=-1, keepdims=True))


def parent_tokens(leaf: Leaf, codes: list[IntArray], n: int) -> IntArray:
    """Row of the table that each patient's parent token selects; the last row if unknown."""
    if leaf.parent < 0:
        return np.zeros(n, dtype=np.int64)
    before = codes[leaf.parent]
    return np.where(before < 0, leaf.shared.shape[0] - 1, before)
