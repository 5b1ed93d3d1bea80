"""The tagger's network: an encoder, word features at its input, and a head for every label set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .base import layers_of
from .features import N_LISTS, SHAPES

Tensor = torch.Tensor


@dataclass(frozen=True)
class Batch:
    """Windows side by side.

    Parameters
    ----------
    pieces, attended
        (windows, pieces): numbers of pieces with the marks at both ends; which are not padding.
    shape, lists
        (windows, pieces) and (windows, pieces, `N_LISTS`): features; -1 shape for the end marks.
    first, last, words
        (windows, words): first and last piece of a word; which are not padding.
    """

    pieces: Tensor
    attended: Tensor
    shape: Tensor
    lists: Tensor
    first: Tensor
    last: Tensor
    words: Tensor


class Network(nn.Module):
    """Scores of tags for every word.

    Parameters
    ----------
    encoder
        A `transformers` model without a head.
    heads
        Number of tags of every label set.
    dropout
        Share of a word's numbers dropped before a head while training.
    """

    def __init__(self, encoder: nn.Module, heads: Mapping[str, int], dropout: float = 0.1) -> None:
        super().__init__()
        size = int(encoder.config.hidden_size)  # type: ignore[union-attr,arg-type]
        self.encoder = encoder
        self.shape = nn.Embedding(len(SHAPES) + 1, size)
        self.lists = nn.Linear(N_LISTS, size, bias=False)
        self.heads = nn.ModuleDict({name: nn.Linear(size, n) for name, n in heads.items()})
        self.dropout = nn.Dropout(dropout)
        # Zero: the encoder begins as it was, and learns what the features are worth.
        nn.init.zeros_(self.shape.weight)
        nn.init.zeros_(self.lists.weight)

    @property
    def embedding(self) -> nn.Module:
        """The encoder's table of pieces, which is not trained."""
        return self.encoder.get_input_embeddings()  # type: ignore[operator,no-any-return]

    def words(self, batch: Batch) -> Tensor:
        """Return (windows, words, size): the mean of a word's first and last piece."""
        inputs = self.embedding(batch.pieces)
        inputs = inputs + self.shape(batch.shape + 1) + self.lists(batch.lists)
        # Attention without a mask is faster, and windows of one length need none.
        mask = None if bool(batch.attended.all()) else batch.attended
        found: Any = self.encoder(inputs_embeds=inputs, attention_mask=mask)
        return pooled(found.last_hidden_state, batch)

    def forward(self, batch: Batch, names: tuple[str, ...]) -> dict[str, Tensor]:
        """Return (windows, words, tags) of the named label sets."""
        return self.scores(self.words(batch), names)

    def scores(self, words: Tensor, names: tuple[str, ...]) -> dict[str, Tensor]:
        """Return the tags' scores of words that `words` gave."""
        found = self.dropout(words)
        return {name: self.heads[name](found).float() for name in names}


def pooled(hidden: Tensor, batch: Batch) -> Tensor:
    """Return the mean of the first and the last piece of every word."""
    rows = torch.arange(len(hidden))[:, None]
    return (hidden[rows, batch.first] + hidden[rows, batch.last]) / 2


def set_dropout(encoder: nn.Module, share: float, frozen: int) -> None:
    """Set the dropout of hidden states above the frozen layers; there is none anywhere else.

    Attention has none either: there it costs a quarter of the time.
    """
    for module in encoder.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    for layer in layers_of(encoder)[frozen:]:
        for module in layer.modules():
            if isinstance(module, nn.Dropout):
                module.p = share
        for module in layer.modules():
            if "SelfAttention" in type(module).__name__ or "MultiHead" in type(module).__name__:
                for child in module.children():
                    if isinstance(child, nn.Dropout):
                        child.p = 0.0
