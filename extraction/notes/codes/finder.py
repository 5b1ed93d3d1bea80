"""Terms of a user's vocabulary in notes: runs of words looked up by number, in linear time."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from ..lexicon import Match
from ..tokens import Tokens, tokenize
from .words import number_of, singular

if TYPE_CHECKING:
    from .index import Index

LONGEST = 8  # words of a term that is looked for
_SHORTEST = 3  # letters of one; shorter ones are too many things
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MASK = (1 << 64) - 1
_PASSED = frozenset({"-", "'"})


@final
@dataclass
class Phrases:
    """Terms on their way into an index, as numbers of their runs of words."""

    _numbers: array[int] = field(default_factory=lambda: array("Q"))
    _codes: array[int] = field(default_factory=lambda: array("i"))
    _capitals: array[int] = field(default_factory=lambda: array("b"))

    def add(self, place: int, text: str) -> None:
        """Take in a term; one written in capitals is found in capitals only."""
        words = [singular(word) for word in tokenize(text).words if word not in _PASSED]
        letters = sum(len(word) for word in words if word[0].isalpha())
        if 0 < len(words) <= LONGEST and letters >= _SHORTEST:
            self._numbers.append(_run(words))
            self._codes.append(place)
            self._capitals.append(text.isupper() and len(text) < 8)

    def write(self, folder: Path) -> None:
        """Write the numbers in order; of one number the earliest code stays."""
        numbers, first = np.unique(np.array(self._numbers, np.uint64), return_index=True)
        np.save(folder / "find_numbers.npy", numbers)
        np.save(folder / "find_codes.npy", np.array(self._codes, np.int32)[first])
        np.save(folder / "find_capitals.npy", np.array(self._capitals, np.int8)[first])


def _run(words: list[str]) -> int:
    number = 0
    for word in words:
        number = (number * int(_STEP) + number_of(word)) & _MASK
    return number


@final
class Finder:
    """Finds the terms of one vocabulary.

    Parameters
    ----------
    index
        Built with `find`.
    default
        Type of the facts of codes that have none; without it they are not looked for.
    """

    def __init__(self, index: Index, default: str = "") -> None:
        self._index, self._default = index, default
        self._types = [name or default for name in index.types]
        if index.finding is None:
            raise ValueError(f"{index.system}: its index was built without terms to be found")
        self._numbers, self._codes, self._capitals = index.finding

    def find(self, tokens: Tokens) -> list[Match]:
        """Return the longest terms from left to right, none overlapping another."""
        kept = [place for place, word in enumerate(tokens.words) if word not in _PASSED]
        if not kept or not len(self._numbers):
            return []
        numbers = np.array([number_of(singular(tokens.words[i])) for i in kept], np.uint64)
        found: list[Match] = []
        free = 0
        for start, length, code in self._hits(numbers):
            first, last = kept[start], kept[start + length - 1] + 1
            if first >= free and self._fits(tokens, first, last, code):
                found.append(Match(first, last, self._payload(int(self._codes[code]))))
                free = last
        return found

    def _hits(self, numbers: NDArray[np.uint64]) -> list[tuple[int, int, int]]:
        """Return start, length and place of every run that is a term; longer ones first."""
        run = np.zeros(len(numbers), np.uint64)
        hits: list[tuple[int, int, int]] = []
        for length in range(1, min(LONGEST, len(numbers)) + 1):
            run = run[: len(numbers) - length + 1] * _STEP + numbers[length - 1 :]
            at = np.minimum(np.searchsorted(self._numbers, run), len(self._numbers) - 1)
            where = np.flatnonzero(self._numbers[at] == run)
            hits.extend((int(i), length, int(at[i])) for i in where)
        return sorted(hits, key=lambda hit: (hit[0], -hit[1]))

    def __reduce__(self) -> tuple[Callable[..., Finder], tuple[Path, str]]:
        return finder_of, (self._index.folder, self._default)

    def _fits(self, tokens: Tokens, first: int, last: int, at: int) -> bool:
        if not self._types[self._index.code_types[self._codes[at]]]:
            return False
        written = tokens.text[tokens.starts[first] : tokens.stops[last - 1]]
        return not self._capitals[at] or written.isupper()

    def _payload(self, code: int) -> tuple[str, str]:
        return self._types[self._index.code_types[code]], self._index.display(code).lower()


def finder_of(folder: Path, default: str) -> Finder:
    """Return the finder of a vocabulary's index."""
    from .index import Index

    return Finder(Index(folder), default)


def together(ours: list[Match], theirs: list[Match]) -> list[Match]:
    """Return the matches of two lists without overlaps: from the left, the longer one stays.

    Where both are of the same words, that of the second list stays.
    """
    if not theirs:
        return ours
    ranked = sorted(
        [(m.start, -m.stop, 1, m) for m in ours] + [(m.start, -m.stop, 0, m) for m in theirs],
        key=lambda item: item[:3],
    )
    found: list[Match] = []
    for start, _, _, match in ranked:
        if not found or start >= found[-1].stop:
            found.append(match)
    return found
