"""Codes of every term of our own lists, ranked once while an index is built."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..entities import named_terms
from ..tokens import tokenize
from .index import Found, Index
from .ranker import Ranker, forms
from .words import number_of

MOST = 5  # codes kept a term


def mention_number(text: str, name: str) -> int:
    """Return 64 bits for a mention in its words, whatever their case, spelling and hyphens."""
    words = [word for word in tokenize(text).words if word != "-"]
    return number_of(f"{' '.join(words)}\x1f{name}")


def write_known(folder: Path) -> None:
    """Rank the terms of our lists, and keep their codes beside the index in a folder."""
    terms = {mention_number(text, name): (text, name) for text, name in named_terms()}
    numbers = sorted(terms)
    ranked = Ranker(Index(folder)).rank([forms(*terms[n]) for n in numbers], MOST)
    np.save(folder / "known_numbers.npy", np.array(numbers, np.uint64))
    np.save(folder / "known_ends.npy", np.cumsum([0, *map(len, ranked)], dtype=np.int64))
    flat = [pair for found in ranked for pair in found]
    np.save(folder / "known_codes.npy", np.array([code for code, _ in flat], np.int32))
    np.save(folder / "known_chances.npy", np.array([chance for _, chance in flat], np.float64))


class Known:
    """What `write_known` kept.

    Parameters
    ----------
    index
        One that holds no such files knows nothing.
    """

    def __init__(self, index: Index) -> None:
        self._table: dict[int, tuple[int, int]] = {}
        if index.known is None:
            return
        numbers, ends, self._codes, self._chances = index.known
        spans = zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)
        self._table = dict(zip(numbers.tolist(), spans, strict=True))

    def __len__(self) -> int:
        return len(self._table)

    def find(self, number: int, most: int) -> Found | None:
        """Return the codes of a mention, or None where it is no term of our lists."""
        span = self._table.get(number)
        if span is None:
            return None
        part = slice(span[0], min(span[1], span[0] + most))
        return list(zip(self._codes[part].tolist(), self._chances[part].tolist(), strict=True))
