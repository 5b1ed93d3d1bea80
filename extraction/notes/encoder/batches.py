"""Windows side by side: as tensors, with tags to learn, in an order of their own every epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from .documents import Document, flat
from .features import N_LISTS
from .network import Batch
from .tags import TagScheme
from .windows import Cut, Window, cut, windows

Ints = npt.NDArray[np.int64]
UNKNOWN = -100
"""Tag of a word that has none to learn from: padding."""


def collate(chosen: Sequence[Window], marks: tuple[int, int], pad: int) -> Batch:
    """Return windows as one batch, padded to the longest.

    Parameters
    ----------
    marks
        The pieces that open and close what the encoder reads.
    pad
        The piece that fills.
    """
    n = len(chosen)
    length = max(len(w.pieces) for w in chosen) + 2
    words = max(w.stop - w.start for w in chosen)
    pieces = np.full((n, length), pad, np.int64)
    shape = np.full((n, length), -1, np.int64)
    bits = np.zeros((n, length), np.int64)
    attended = np.zeros((n, length), np.int64)
    first, last = np.zeros((n, words), np.int64), np.zeros((n, words), np.int64)
    real = np.zeros((n, words), bool)
    for row, one in enumerate(chosen):
        size, count = len(one.pieces), one.stop - one.start
        pieces[row, 0], pieces[row, size + 1] = marks
        pieces[row, 1 : size + 1] = one.pieces
        shape[row, 1 : size + 1], bits[row, 1 : size + 1] = one.shape, one.lists
        attended[row, : size + 2] = 1
        first[row, :count], last[row, :count] = one.first + 1, one.last + 1
        real[row, :count] = True
    lists = (bits[:, :, None] >> np.arange(N_LISTS)) & 1
    return Batch(
        torch.from_numpy(pieces), torch.from_numpy(attended), torch.from_numpy(shape),
        torch.from_numpy(lists.astype(np.float32)), torch.from_numpy(first),
        torch.from_numpy(last), torch.from_numpy(real),
    )  # fmt: skip


@dataclass(frozen=True)
class TaggedSet:
    """The windows of one label set's documents, with their tags.

    Parameters
    ----------
    name
        Of the label set.
    scheme
        Its tags.
    windows
        Of all documents.
    tags
        Of every window's words.
    weight
        How often a window is read in an epoch.
    passing
        Whether the windows are of this epoch only, so that nothing of them is worth remembering.
    """

    name: str
    scheme: TagScheme
    windows: tuple[Window, ...]
    tags: tuple[Ints, ...]
    weight: float = 1.0
    passing: bool = False


def tagged(
    name: str,
    documents: Sequence[Document],
    scheme: TagScheme,
    tokenizer: Any,
    size: int,
    overlap: int,
    weight: float = 1.0,
    preferred: frozenset[str] = frozenset(),
) -> TaggedSet:
    """Return documents as windows with tags; spans of other labels are left out."""
    cuts = [cut(d.text, tokenizer) for d in documents]
    tags = [
        scheme.encode(word_spans(c, d, scheme, preferred), len(c.tokens.words))
        for c, d in zip(cuts, documents, strict=True)
    ]
    made = tuple(windows(cuts, size, overlap))
    return TaggedSet(
        name, scheme, made, tuple(tags[w.text][w.start : w.stop] for w in made), weight
    )


def word_spans(
    one: Cut, document: Document, scheme: TagScheme, preferred: frozenset[str] = frozenset()
) -> list[tuple[int, int, str]]:
    """Return a document's flat spans in words; a word partly marked is taken whole."""
    wanted = [s for s in document.spans if s.label in scheme.labels]
    starts, stops = np.asarray(one.tokens.starts), np.asarray(one.tokens.stops)
    found: list[tuple[int, int, str]] = []
    for span in flat(wanted, preferred):
        first = int(np.searchsorted(stops, span.start, side="right"))
        last = int(np.searchsorted(starts, span.stop, side="left"))
        if found:
            first = max(first, found[-1][1])
        if first < last:
            found.append((first, last, span.label))
    return found


def epoch_batches(
    sets: Sequence[TaggedSet], budget: int, seed: int, epoch: int
) -> Iterator[tuple[TaggedSet, tuple[int, ...]]]:
    """Yield batches of an epoch: a label set and the numbers of its windows.

    Windows of like length come together, at most `budget` pieces with padding; the order of the
    batches is drawn anew for every epoch, from the seed and the epoch alone.
    """
    draw = np.random.default_rng([seed, epoch, 17])
    batches: list[tuple[TaggedSet, tuple[int, ...]]] = []
    for one in sets:
        sizes = np.asarray([len(w.pieces) for w in one.windows])
        chosen = _repeated(len(sizes), one.weight, draw)
        # A little noise, so that windows meet others in every epoch.
        order = chosen[np.argsort(sizes[chosen] * draw.uniform(0.9, 1.1, len(chosen)))]
        batches += [(one, part) for part in packed(order, sizes, budget)]
    for number in draw.permutation(len(batches)):
        yield batches[number]


def _repeated(n: int, weight: float, draw: np.random.Generator) -> Ints:
    whole, rest = divmod(weight, 1.0)
    extra = draw.permutation(n)[: round(rest * n)]
    return np.concatenate([*[np.arange(n)] * int(whole), extra])


def packed(order: Ints, sizes: Ints, budget: int) -> Iterator[tuple[int, ...]]:
    """Yield runs of `order` whose padded size stays within the budget; `sizes` rise along it."""
    run: list[int] = []
    longest = 0
    for number in order:
        longest = max(longest, int(sizes[number]) + 2)
        if run and longest * (len(run) + 1) > budget:
            yield tuple(run)
            run, longest = [], int(sizes[number]) + 2
        run.append(int(number))
    if run:
        yield tuple(run)


def tag_tensor(one: TaggedSet, chosen: Sequence[int]) -> torch.Tensor:
    """Return (windows, words): the tags, `UNKNOWN` for padding."""
    longest = max(len(one.tags[i]) for i in chosen)
    out = np.full((len(chosen), longest), UNKNOWN, np.int64)
    for row, number in enumerate(chosen):
        out[row, : len(one.tags[number])] = one.tags[number]
    return torch.from_numpy(out)
