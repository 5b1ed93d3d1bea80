"""Frozen lower layers: computed once for every window, remembered while the upper ones learn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from .base import layers_of
from .batches import TaggedSet
from .network import Batch, Network

Tensor = torch.Tensor
MOST_PIECES = 400_000
"""Pieces whose states are remembered (float32: 0.6 GB at 384 numbers a piece)."""


class _Enough(Exception):
    """The lower layers are done; the upper ones need not run."""


class _Lower(nn.Module):
    """A frozen layer that can be passed over."""

    def __init__(self, inner: nn.Module, memory: FrozenLayers, top: bool) -> None:
        super().__init__()
        self.inner, self.top = inner, top
        self.__dict__["memory"] = memory  # not a part of this module

    def forward(self, hidden: Any, *others: Any, **named: Any) -> Any:
        """Return what the layer gives, or what is remembered of it."""
        memory = self.__dict__["memory"]
        if memory.given is not None:
            return memory.given if self.top else hidden
        found = self.inner(hidden, *others, **named)
        if memory.asked and self.top:
            memory.found = found
            raise _Enough
        return found


class FrozenLayers:
    """The memory of what the frozen layers give for every window.

    Parameters
    ----------
    network
        Whose lowest layers are frozen; they run without dropout.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.given: Tensor | None = None
        self.found: Tensor | None = None
        self.asked = False
        self.states: dict[tuple[str, int], Tensor] = {}
        self.pieces = 0

    def words(self, batch: Batch, one: TaggedSet, rows: Sequence[int]) -> Tensor:
        """Return what `Network.words` does, from memory where it can."""
        lengths = [len(one.windows[i].pieces) + 2 for i in rows]
        if any((one.name, i) not in self.states for i in rows):
            below = self._computed(batch)
            for row, (number, length) in enumerate(zip(rows, lengths, strict=True)):
                if self.pieces + length <= MOST_PIECES and (one.name, number) not in self.states:
                    self.states[one.name, number] = below[row, :length].clone()
                    self.pieces += length
        else:
            below = torch.zeros((*batch.pieces.shape, self._size()))
            for row, (number, length) in enumerate(zip(rows, lengths, strict=True)):
                below[row, :length] = self.states[one.name, number]
        self.given = below
        try:
            return self.network.words(batch)
        finally:
            self.given = None

    def _computed(self, batch: Batch) -> Tensor:
        self.asked = True
        try:
            with torch.no_grad():
                self.network.words(batch)
        except _Enough:
            pass
        finally:
            self.asked = False
        found, self.found = self.found, None
        assert found is not None
        return found.float()

    def _size(self) -> int:
        return int(next(iter(self.states.values())).shape[-1])


@contextmanager
def remembered(network: Network, layers: int) -> Iterator[FrozenLayers | None]:
    """Give the memory of a network's lowest layers while it is trained; None without any."""
    if not layers:
        yield None
        return
    stack = layers_of(network.encoder)
    memory = FrozenLayers(network)
    own = [stack[i] for i in range(layers)]
    try:
        for place, layer in enumerate(own):
            stack[place] = _Lower(layer, memory, place == layers - 1)
        yield memory
    finally:
        for place, layer in enumerate(own):
            stack[place] = layer
