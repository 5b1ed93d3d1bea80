"""The real side of a comparison: training and held-out patients, and their controls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
Pairs = list[tuple[Table, Table]]


@dataclass(frozen=True)
class Fold:
    """One fit: rows of the real pool that were trained on and held out, and how many compare.

    Parameters
    ----------
    train, holdout
        Rows of the pool.
    compared
        Synthetic patients of this fold that enter distances: as many as were trained on, or all
        of them if there are fewer.
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

    @cached_property
    def held(self) -> list[Table]:
        """Held-out patients of every fold."""
        return [self.pool.take(f.holdout) for f in self.folds]

    def train(self, fold: int) -> Table:
        """Return the training patients of a fold."""
        return self.pool.take(self.folds[fold].train)

    def samples(self, synthetic: Sequence[Table]) -> list[Table]:
        """Synthetic patients that are compared: the first of every fold."""
        return [t.head(f.compared) for t, f in zip(synthetic, self.folds, strict=True)]

    def pairs(self, samples: Sequence[Table]) -> Pairs:
        """Samples, one a fold, beside the held-out patients of their folds."""
        return list(zip(samples, self.held, strict=True))

    @cached_property
    def counts(self) -> Rows:
        """How often each pool patient is drawn in each bootstrap, shape (resamples, pool)."""
        rng = generator(self.seed, "evaluation-bootstrap", 0)
        n = len(self.pool)
        return np.asarray(rng.multinomial(n, np.full(n, 1 / n), size=_RESAMPLES))

    def resampled(self, samples: Sequence[Table]) -> Iterator[Pairs]:
        """Bootstrap pairs (synthetic, held out), the real side shared by all engines."""
        rng = generator(self.seed, "evaluation-bootstrap", 1)
        for count in self.counts:
            yield [
                (
                    copy(sample, len(sample), rng),
                    self.pool.take(np.repeat(fold.holdout, count[fold.holdout])),
                )
                for sample, fold in zip(samples, self.folds, strict=True)
                if count[fold.holdout].sum()
            ]

    def spread(self, influence: Floats) -> Floats:
        """Bootstrap deviations of a measure from each pool patient's influence on it."""
        return np.asarray((self.counts - 1) @ influence)

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

    def refolded(self) -> Iterator[Pairs]:
        """Real patients against other real patients, the pool cut anew into the same sizes.

        What is in the place of a fold's synthetic patients are the others, as many as are
        compared: a perfect engine does no better.
        """
        n = len(self.pool)
        for number in range(_SPLITS):
            rows = generator(self.seed, "evaluation-refold", number).permutation(n)
            drawn, start = [], 0
            for fold in self.folds:
                stop = start + len(fold.holdout)
                others = np.concatenate([rows[:start], rows[stop:]])[: fold.compared]
                drawn.append((self.pool.take(others), self.pool.take(rows[start:stop])))
                start = stop
            yield drawn
