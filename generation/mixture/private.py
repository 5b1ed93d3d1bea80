"""The private mixture: a tree of noisy two-column counts, with the arm as a condition.

The columns, bins and one-column counts are those of `generation.privacy.preprocessing`. A parent
is chosen for each baseline column by the exponential mechanism (as in MST of McKenna, Miklau and
Sheldon, 2021, "Winning the NIST contest", J Priv Confid 11(3)); each edge of the tree, and each
outcome by arm, is counted once with Gaussian noise. All else is arithmetic on noisy counts and
costs nothing. There is one class: with so few patients more classes fit the noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from extraction.records import Cohort, CohortSchema
from generation.assembly import to_arrays
from generation.cart_columns import ARM, EndpointCodec, FlatColumns
from generation.mixture.classes import ClassTree, Leaf, tilted
from generation.mixture.fitting import newton, sees_arm
from generation.mixture.structure import candidates_for, ordered_runs, pair_counts, tilt_basis
from generation.privacy.accountant import Mechanism, epsilon_of, total_curve
from generation.privacy.ledger import PrivacyLedger, Release
from generation.privacy.preprocessing import (
    COUNTS,
    EDGES,
    Plan,
    PrivateTable,
    bounded_columns,
    check_private,
    column_names,
    low_utility,
    noise_generator,
    orthonormal,
    private_table,
    quantile_levels,
)
from generation.tokenizer import FloatArray

PARENTS, PAIRS, BY_ARM = "choice of a parent", "counts of two columns", "counts by arm"
_THRESHOLD = 3.0
_TILT_VARIANCE = 0.04
_FIT_ROUNDS = 15


@dataclass(frozen=True)
class PrivateFit:
    """What a private fit gives: all of it may be published."""

    columns: FlatColumns
    tree: ClassTree
    ledger: PrivacyLedger
    warning: str | None


def fit_private(
    cohort: Cohort,
    epsilon: float,
    delta: float,
    follow_up_days: float | None,
    noise_seed: int | None,
) -> PrivateFit:
    """Fit the private mixture.

    Raises
    ------
    RefusedError
        For an epsilon or delta out of bounds, or a schema that leaves ranges open.
    """
    schema, n = cohort.schema, len(cohort)
    check_private(cohort, "mixture", epsilon, delta, follow_up_days)
    depth = _depth(epsilon, n)
    spent = _plan(schema, depth).solve(epsilon, delta)
    rng = noise_generator(noise_seed)
    private = private_table(
        schema, to_arrays(cohort), follow_up_days, depth, spent, rng
    )
    tree = _Measured(private, float(n), spent, rng).tree()
    curve = total_curve(list(spent.values()))
    release = Release(
        mechanism="Gaussian counts and exponential choices",
        what="mixture model: " + ", ".join(spent),
        epsilon=epsilon_of(curve, delta), delta=delta, renyi=curve,
    )
    ledger = PrivacyLedger(
        epsilon_budget=epsilon, delta_budget=delta, noise_seeded=noise_seed is not None
    )
    return PrivateFit(private.columns, tree, ledger.spend(release), low_utility(epsilon, n))


def _depth(epsilon: float, n: int) -> int:
    """Halvings of a numeric column: finer bins where noise allows."""
    return int(np.clip(np.log2(max(n * min(epsilon, 8.0) / 250.0, 1.0)), 2, 5))


def _plan(schema: CohortSchema, depth: int) -> Plan:
    """Shares of the budget, by the schema alone."""
    chosen = [name for name in column_names(schema) if _choice(schema, name)]
    fixed = [name for name in column_names(schema) if _fixed_parent(schema, name)]
    by_arm = _armed(schema)
    parts = [
        ("exponential", 0.12, quantile_levels(schema, depth), EDGES),
        ("gaussian", 0.18, len(column_names(schema)), COUNTS),
        ("exponential", 0.12, len(chosen), PARENTS),
        ("gaussian", 0.40, len(chosen) + len(fixed), PAIRS),
        ("gaussian", 0.18, len(by_arm), BY_ARM),
    ]
    used = [part for part in parts if part[2]]
    if not bounded_columns(schema):
        used = [part for part in used if part[3] != EDGES]
    whole = sum(part[1] for part in used)
    return Plan(tuple((kind, share / whole, count, what) for kind, share, count, what in used))


def _armed(schema: CohortSchema) -> list[str]:
    """Columns that are counted by arm: what follows randomisation, or all without it."""
    if not schema.arms:
        return []
    names = column_names(schema)
    after = names[names.index(ARM) + 1 :]
    return after if schema.randomised else [name for name in names if name != ARM]


def _fixed_parent(schema: CohortSchema, name: str) -> str | None:
    """Parent that the schema names: the endpoint before, the same variable's last visit."""
    names = column_names(schema)
    ends = [f"endpoint {e.name}" for e in schema.endpoints]
    if name in ends[1:]:
        return ends[ends.index(name) - 1]
    variable, at, _ = name.partition("@")
    if not at or name in ends or variable not in {v.name for v in schema.longitudinal}:
        return None
    earlier = [c for c in names[: names.index(name)] if c.startswith(f"{variable}@")]
    return earlier[-1] if earlier else None


def _choice(schema: CohortSchema, name: str) -> bool:
    """Whether a column's parent is chosen by the exponential mechanism."""
    names = [c for c in column_names(schema) if c != ARM]
    return name != ARM and names.index(name) > 0 and _fixed_parent(schema, name) is None


@dataclass
class _Measured:
    """Noisy counts turned into a tree."""

    private: PrivateTable
    n: float
    spent: dict[str, Mechanism]
    rng: np.random.Generator

    def tree(self) -> ClassTree:
        """Measure every edge and every outcome by arm."""
        columns = self.private.columns
        names = tuple(name for name in columns.order if name != ARM)
        leaves = []
        for name in names:
            parent = self._parent(name, names)
            share = self.private.share[name]
            shared = np.tile(share, (2, 1))
            if parent is not None:
                shared = np.concatenate([self._conditional(parent, name), share[None]])
            tilt = self._arm_tilt(name, shared, parent)
            place = -1 if parent is None else names.index(parent)
            leaves.append(Leaf(place, shared, tilt, np.zeros((1, len(share)))))
        arms = self.private.share.get(ARM, np.ones(1))
        return ClassTree(names, tuple(leaves), np.ones(1), arms[None])

    def _parent(self, name: str, names: tuple[str, ...]) -> str | None:
        schema = self.private.columns.schema
        fixed = _fixed_parent(schema, name)
        if fixed is not None or not _choice(schema, name):
            return fixed
        candidates = candidates_for(self.private.columns, names, name)
        scores = np.array([self._dependence(c, name) for c in candidates])
        strength = self.spent[PARENTS].noise / 2.0
        return candidates[int(np.argmax(strength * scores + self.rng.gumbel(size=len(scores))))]

    def _dependence(self, before: str, name: str) -> float:
        """Patients out of place if two columns were independent, above what chance would give.

        An endpoint counts by status alone: days would add cells and little to tell. One patient
        moves this by one at most; what chance gives is reckoned from noisy shares.
        """
        counts, expected = self._counts(before, name), self._independent(before, name)
        codec = self.private.columns.codecs[name]
        if isinstance(codec, EndpointCodec):
            starts = codec.starts[:-1]
            counts = np.add.reduceat(counts, starts, axis=1)
            expected = np.add.reduceat(expected, starts, axis=1)
        chance = np.sqrt(2.0 * expected / np.pi).sum()
        return float(np.abs(counts - expected).sum() - chance)

    def _counts(self, before: str, name: str) -> FloatArray:
        columns, table = self.private.columns, self.private.table
        shape = (columns.tokens(before), columns.tokens(name))
        return pair_counts(table[before][0], table[name][0], shape)

    def _independent(self, before: str, name: str) -> FloatArray:
        share = self.private.share
        return self.n * np.outer(share[before], share[name])

    def _noisy(self, before: str, name: str, what: str) -> FloatArray:
        counts = self._counts(before, name)
        return counts + self.rng.normal(0.0, self.spent[what].noise, counts.shape)

    def _conditional(self, before: str, name: str) -> FloatArray:
        """Probability of each token given the parent's, from one noisy table."""
        expected = self._independent(before, name)
        excess = self._noisy(before, name, PAIRS) - expected
        columns = self.private.columns
        turns = [
            orthonormal(columns.tokens(c), ordered_runs(columns.codecs[c])) for c in (before, name)
        ]
        coefficient = turns[0].T @ excess @ turns[1]
        noise = self.spent[PAIRS].noise
        ratio = _THRESHOLD * (noise / np.maximum(np.abs(coefficient), 1e-9)) ** 2
        kept = turns[0] @ (coefficient * np.maximum(0.0, 1.0 - ratio)) @ turns[1].T
        table = np.maximum(expected + kept, 0.02 * expected)
        share = self.private.share
        for _ in range(10):  # the margins are known better than the cells
            table *= (self.n * share[before] / table.sum(axis=1))[:, None]
            table *= (self.n * share[name] / table.sum(axis=0))[None]
        return np.asarray(table / table.sum(axis=1, keepdims=True))

    def _arm_tilt(self, name: str, shared: FloatArray, parent: str | None) -> FloatArray:
        """What each arm adds to a column, from its noisy counts by arm."""
        columns = self.private.columns
        if not sees_arm(columns, name):
            return np.zeros((1, shared.shape[1]))
        noisy = self._noisy(ARM, name, BY_ARM)
        arms, tokens = noisy.shape
        patients = self.n * self.private.share[ARM]
        before = np.ones(1) if parent is None else self.private.share[parent]
        rows = shared[:-1]
        weight = patients[:, None] * before
        pseudo = 1.0 + self.spent[BY_ARM].noise ** 2 * tokens / _TILT_VARIANCE / patients.mean()
        observed = noisy * (patients / np.maximum(noisy.sum(axis=1), 1.0))[:, None]
        basis = tilt_basis(columns.codecs[name], self.private.share[name], 1)
        tilt = np.zeros((arms, tokens))
        for _ in range(_FIT_ROUNDS):
            table = tilted(rows, tilt, np.zeros((1, tokens)))[:, 0]
            tilt = newton(tilt, basis, observed, weight, table, pseudo)
        return tilt
