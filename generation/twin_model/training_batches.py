"""Which patients and which hidden columns the net sees in each step, keyed by epoch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import IterableDataset

from generation.randomness import generator
from generation.tokenizer import IntArray

Batch = tuple[torch.Tensor, torch.Tensor, int, int]


class MaskedBatches(IterableDataset[Batch]):
    """Endless epochs of (row numbers, observed flags, epoch, step) for all members.

    Each row comes `repeats` times a batch with different masks. Half of the masks hide a random
    set of uniform size, so that any subset can be a condition; half leave a random beginning
    of one of the orders in which patients are drawn. An epoch's batches depend on its number alone:
    a training that starts again at an epoch sees what it would have seen.
    """

    def __init__(
        self, rows: list[IntArray], orders: IntArray, size: int, repeats: int, seed: int,
        first: int = 0,
    ) -> None:
        self.rows, self.size, self.repeats = rows, size, repeats
        self.seed, self.epoch = seed, first
        self.starts = prefixes(orders)
        self.steps = max(1, min(len(r) for r in rows) // size)

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Batch]:
        epoch, rng = self.epoch, generator(self.seed, "twin batches", self.epoch)
        self.epoch += 1
        shuffled = [rng.permutation(r) for r in self.rows]
        for step in range(self.steps):
            part = slice(step * self.size, (step + 1) * self.size)
            batch = np.stack([np.tile(r[part], self.repeats) for r in shuffled])
            observed = mixed_masks(rng, batch.shape, self.starts)
            yield torch.from_numpy(batch), torch.from_numpy(observed), epoch, step


def mixed_masks(
    rng: np.random.Generator, shape: tuple[int, ...], starts: np.ndarray
) -> np.ndarray:
    """Observed flags: random sets in the first half of each row of rows, beginnings after."""
    half, columns = shape[1] // 2, starts.shape[1]
    random = random_masks(rng, (shape[0], half), columns)
    begun = starts[rng.integers(len(starts), size=(shape[0], shape[1] - half))]
    return np.concatenate([random, begun], axis=1)


def random_masks(
    rng: np.random.Generator, shape: tuple[int, ...], columns: int
) -> np.ndarray:
    """Observed flags with a uniform number (1 to all) of hidden columns, shape + (columns,)."""
    hidden = rng.integers(1, columns + 1, size=(*shape, 1))
    rank = rng.random((*shape, columns)).argsort(axis=-1).argsort(axis=-1)
    return np.asarray(rank >= hidden)


def prefixes(orders: IntArray) -> np.ndarray:
    """Observed flags of every beginning of every order, shape (orders x columns, columns)."""
    rank = np.argsort(orders, axis=1)
    flags = rank[:, None, :] < np.arange(orders.shape[1])[None, :, None]
    return np.asarray(flags.reshape(-1, orders.shape[1]))
