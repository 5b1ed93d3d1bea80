"""Documents cut into windows of word pieces that an encoder can read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..tokens import Tokens, tokenize
from .features import listed, shapes

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Cut:
    """A text as words with features and as pieces.

    Parameters
    ----------
    tokens
        Its words.
    shape, lists
        Features of every word (`extraction.notes.encoder.features`).
    pieces
        Numbers of the word pieces.
    first, last
        First and last piece of every word.
    owner
        Word of every piece.
    """

    tokens: Tokens
    shape: Ints
    lists: Ints
    pieces: Ints
    first: Ints
    last: Ints
    owner: Ints


@dataclass(frozen=True)
class Window:
    """Some consecutive words of a text.

    Parameters
    ----------
    text
        Number of the text.
    start, stop
        Words that are read.
    keep_from, keep_to
        Words whose tags are taken from this window; the others are context.
    pieces, shape, lists
        Word pieces with the features of their words.
    first, last
        First and last piece of every word, within the window.
    """

    text: int
    start: int
    stop: int
    keep_from: int
    keep_to: int
    pieces: Ints
    shape: Ints
    lists: Ints
    first: Ints
    last: Ints


def cut(text: str, tokenizer: Any) -> Cut:
    """Return a text as words and pieces; a piece belongs to the word it begins in."""
    tokens = tokenize(text)
    starts, stops = np.asarray(tokens.starts, np.int64), np.asarray(tokens.stops, np.int64)
    if not len(starts):
        none = np.zeros(0, np.int64)
        return Cut(tokens, none, none, none, none, none, none)
    coded = tokenizer(
        text, add_special_tokens=False, return_offsets_mapping=True,
        return_attention_mask=False, return_token_type_ids=False, verbose=False,
    )  # fmt: skip
    pieces = np.asarray(coded["input_ids"], np.int64)
    places = np.asarray(coded["offset_mapping"], np.int64).reshape(-1, 2)
    real = places[:, 1] > places[:, 0]
    pieces, places = pieces[real], places[real]
    # Pieces of some tokenizers begin with the blank before the word: compare by their ends.
    owner = np.searchsorted(stops, places[:, 1] - 1, side="right").clip(0, len(starts) - 1)
    if not len(pieces):
        none = np.zeros(len(starts), np.int64)
        return Cut(tokens, shapes(tokens), listed(tokens), pieces, none, none, owner)
    last = np.searchsorted(places[:, 0], stops - 1, side="right") - 1
    first = np.minimum(np.searchsorted(places[:, 1], starts, side="right"), last.clip(0))
    return Cut(
        tokens, shapes(tokens), listed(tokens), pieces, first.clip(0), last.clip(0), owner
    )  # fmt: skip


def sentence_starts(tokens: Tokens) -> Ints:
    """Return the words at which a window may begin: after a line end or a sentence's sign."""
    starts = [0]
    for i in range(1, len(tokens.words)):
        before = tokens.words[i - 1]
        if "\n" in tokens.gap(i) or (before in ".!?" and tokens.text[tokens.starts[i]].isupper()):
            starts.append(i)
    return np.asarray(starts, np.int64)


def windows(cuts: Sequence[Cut], size: int, overlap: int) -> Iterator[Window]:
    """Yield windows of at most `size` pieces that begin with a sentence.

    A sentence longer than a window is cut into windows that share `overlap` pieces; a word's tag
    is taken where it has more context.

    Parameters
    ----------
    size
        Most pieces, without the two marks at the ends.
    overlap
        Pieces of context at a cut within a sentence.
    """
    for number, one in enumerate(cuts):
        if not len(one.pieces):
            continue
        for start, stop, keep_from, keep_to in _plan(one, size, overlap):
            yield _window(number, one, start, stop, keep_from, keep_to, size)


def _plan(one: Cut, size: int, overlap: int) -> Iterator[tuple[int, int, int, int]]:
    n = len(one.tokens.words)
    opens = sentence_starts(one.tokens)
    start = context = 0
    while start < n:
        limit = int(one.first[context]) + size
        fits = max(int(np.searchsorted(one.last, limit, side="left")), start + 1)
        if fits >= n:
            yield context, n, start, n
            return
        sentence = opens[(opens > start) & (opens <= fits)]
        if len(sentence):
            yield context, int(sentence[-1]), start, int(sentence[-1])
            start = context = int(sentence[-1])
            continue
        # Inside a long sentence: keep up to half the overlap before the cut, go on from there.
        half = int(one.last[fits - 1]) - overlap // 2
        keep = max(int(np.searchsorted(one.last, half, side="left")), start + 1)
        yield context, fits, start, keep
        back = int(one.first[keep]) - overlap // 2
        context = min(max(int(np.searchsorted(one.first, back, side="left")), context + 1), keep)
        start = keep


def _window(
    number: int, one: Cut, start: int, stop: int, keep_from: int, keep_to: int, size: int
) -> Window:
    low = int(one.first[start:stop].min())
    # A single word of more pieces than a window (`a'b'c'd...`) is read by its first ones.
    high = min(int(one.last[start:stop].max()) + 1, low + size)
    first, last = (place[start:stop].clip(max=high - 1) for place in (one.first, one.last))
    owner = one.owner[low:high]
    return Window(
        number, start, stop, keep_from, keep_to,
        one.pieces[low:high], one.shape[owner], one.lists[owner], first - low, last - low,
    )  # fmt: skip
