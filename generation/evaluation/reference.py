"""The real side of a comparison: training and held-out patients, and their controls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from generation.evaluation.controls import copy, independent, subset
from generation.evaluation.tables import Floats, Rows, Table
from generation.randomness import generator

_RESAMPLES = 50
_SPLITS = 40
Distance = Callable[[Table, Table], float]


@dataclass(frozen=True)
class Fold:
    """One fit: rows of the real pool that were trained on and held out, and how many compare.

    Parameters
    ----------
    train, holdout
        Rows of the pool.
    compared
        Synthetic patients of this fold that enter the fidelity metrics.
    sampled
        Synthetic patients of this fold.
    """

    train: Rows
    holdout: Rows
    compared: int
    sampled: int


@dataclass(frozen=True)
class Reference:
    """Real patients, how they were split, and what known samples score against them.

    Parameters
    ----------
    pool
        All real patients, each once.
    folds
        One fold for a single split, k for cross-validation (then every patient is held out once).
    seed
        Seed of all draws.
    """

    pool: Table
    folds: tuple[Fold, ...]
    seed: int
    cache: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def cached(self, key: str, make: Callable[[], Any]) -> Any:
        """Keep what depends on the real patients alone, for the next engine."""
        if key not in self.cache:
            self.cache[key] = make()
        return self.cache[key]

    @cached_property
    def held_out(self) -> Rows:
        """Rows of the pool that are held out, fold after fold."""
        return np.concatenate([f.holdout for f in self.folds])

    @cached_property
    def holdout(self) -> Table:
        """Held-out patients, fold after fold."""
        return self.pool.take(self.held_out)

    @property
    def compared(self) -> int:
        """Synthetic patients in the fidelity metrics."""
        return sum(f.compared for f in self.folds)

    def train(self, fold: int) -> Table:
        """Return the training patients of a fold."""
        return self.pool.take(self.folds[fold].train)

    def sample(self, synthetic: Sequence[Table]) -> Table:
        """Synthetic patients that are compared: the first of every fold."""
        return Table.concat(
            [t.head(f.compared) for t, f in zip(synthetic, self.folds, strict=True)]
        )

    @cached_property
    def counts(self) -> Rows:
        """How often each pool patient is drawn in each bootstrap, shape (resamples, pool)."""
        rng = generator(self.seed, "evaluation-bootstrap", 0)
        n = len(self.pool)
        return np.asarray(rng.multinomial(n, np.full(n, 1 / n), size=_RESAMPLES))

    def resampled(self, sample: Table) -> list[tuple[Table, Table]]:
        """Bootstrap pairs (synthetic, held out), the real side shared by all engines."""
        rng = generator(self.seed, "evaluation-bootstrap", 1)
        draws = []
        for count in self.counts[:, self.held_out]:
            rows = np.repeat(np.arange(len(count)), count)
            draws.append((copy(sample, len(sample), rng), self.holdout.take(rows)))
        return draws

    def spread(self, influence: Floats) -> Floats:
        """Bootstrap deviations of a measure from each pool patient's influence on it."""
        return np.asarray((self.counts - 1) @ influence)

    def draw(self, kind: str, number: int) -> Table:
        """One draw of a control at the compared sizes: "copy", "independent" or "subset"."""
        return self.sample(self.draw_full(kind, number))

    def draw_full(self, kind: str, number: int = 0) -> list[Table]:
        """One draw of a control for every fold, as large as an engine's sample.

        "copy" and "independent" as in `controls`; "subset" is the training patients in random
        order.
        """
        make = {"copy": copy, "independent": independent, "subset": subset}[kind]
        return [
            make(self.train(i), fold.sampled, generator(self.seed, f"evaluation-{kind}", number, i))
            for i, fold in enumerate(self.folds)
        ]

    def split(self, number: int) -> tuple[Table, Table]:
        """Two random groups of different real patients."""
        n = len(self.pool)
        rows = generator(self.seed, "evaluation-split", number).permutation(n)
        second = len(self.held_out) if len(self.folds) == 1 else n // 2
        return self.pool.take(rows[second:]), self.pool.take(rows[:second])

    @cached_property
    def split_scale(self) -> float:
        """What turns a distance between `split` groups into one at the compared sizes.

        A distance between samples of one population falls with the root of
        1 / (1 / first + 1 / second).
        """
        first, second = (len(t) for t in self.split(0))
        compared = 1 / self.compared + 1 / len(self.holdout)
        return float(np.sqrt(compared / (1 / first + 1 / second)))

    def real_distances(self, distance: Distance) -> Floats:
        """Distances of real patients from other real patients, at the compared sizes."""
        draws = [distance(*self.split(number)) for number in range(_SPLITS)]
        return self.split_scale * np.array(draws)
