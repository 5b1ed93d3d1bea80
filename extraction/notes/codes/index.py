"""The index of one vocabulary: names looked up by bag of words, or by the words they share."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from .build import FORMAT, GRAMS, grams
from .words import Words, key, number_of, opposites

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Found = list[tuple[int, float]]
"""Places of codes with how well each fits, from 0 to 1."""

_ALIKE = 0.6  # share of runs of letters from which an unknown word is taken for a known one
_UNKNOWN = 0.8  # weight of a word that no name has, beside the rarest that one has
_AGAINST = 0.5  # share of a mention's weight that a word which excludes one of its own takes away
_ROWS = 512  # mentions compared at a time
_Kinds = dict[str, type[np.generic]]
_FINDING: _Kinds = {"find_numbers": np.uint64, "find_codes": np.int32, "find_capitals": np.int8}
_KNOWN: _Kinds = {
    "known_numbers": np.uint64,
    "known_ends": np.int64,
    "known_codes": np.int32,
    "known_chances": np.float64,
}


class DamagedError(Exception):
    """The files are not a whole index of this format."""


@final
class Index:
    """One vocabulary, mapped from disk.

    Parameters
    ----------
    folder
        Written by `Builder`.

    Raises
    ------
    DamagedError
        When the files are not those of an index.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            head = json.loads((folder / "index.json").read_text("utf-8"))
            if head["format"] != FORMAT:
                raise DamagedError("another format")
            self.system, self.version = str(head["system"]), str(head["version"])
            self.types: list[str] = list(head["types"])
            self.about: dict[str, Any] = head
            self._load()
            self._check(int(head["codes"]), int(head["names"]))
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise DamagedError(type(error).__name__) from None

    def _load(self) -> None:
        self._codes, self._displays = self._text("codes"), self._text("displays")
        self.code_types = self._array("types", np.int8)
        self._keys = self._array("keys", np.uint64)
        self._key_codes = self._array("key_codes", np.int32)
        self._key_weights = self._array("key_weights", np.float32)
        self._name_codes = self._array("name_codes", np.int32)
        self._name_weights = self._array("name_weights", np.float32)
        self._name_totals = self._array("name_totals", np.float32)
        self._weights = self._array("word_weights", np.float32)
        self._numbers = self._array("word_numbers", np.uint64)
        self._places = self._array("word_places", np.int32)
        self._postings = self._array("postings", np.int32)
        self._starts = self._array("posting_starts", np.int64)
        self._gram_words = self._array("gram_words", np.int32)
        self._gram_starts = self._array("gram_starts", np.int64)
        self._gram_counts = self._array("gram_counts", np.int32)
        self.finding = self._arrays(_FINDING)
        self.known = self._arrays(_KNOWN)

    def _check(self, codes: int, names: int) -> None:
        words = len(self._weights)
        sizes: tuple[tuple[int, ...], ...] = (
            (codes, len(self._codes[1]) - 1, len(self._displays[1]) - 1, len(self.code_types)),
            (names, len(self._keys), len(self._key_codes), len(self._key_weights)),
            (names, len(self._name_codes), len(self._name_weights), len(self._name_totals)),
            (words, len(self._numbers), len(self._places), len(self._starts) - 1),
            (GRAMS, len(self._gram_starts) - 1),
            (int(self._starts[-1]), len(self._postings)),
        )
        if self.known is not None:
            numbers, ends, codes_, chances = self.known
            sizes += ((len(numbers) + 1, len(ends)), (int(ends[-1]), len(codes_), len(chances)))
        if self.finding is not None:
            sizes += (tuple(map(len, self.finding)),)
        if any(len(set(same)) > 1 for same in sizes):
            raise DamagedError("sizes differ")
        if self.about["find"] and self.finding is None:
            raise DamagedError("no terms to be found")

    def _arrays(self, kinds: _Kinds) -> tuple[NDArray[Any], ...] | None:
        """Return arrays that not every index has."""
        if not all((self.folder / f"{name}.npy").is_file() for name in kinds):
            return None
        return tuple(self._array(name, kind) for name, kind in kinds.items())

    def _array(self, name: str, kind: type[np.generic]) -> NDArray[Any]:
        path = self.folder / f"{name}.npy"
        try:
            found: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError:  # what is empty cannot be mapped
            found = np.load(path, allow_pickle=False)
        if found.dtype != kind or found.ndim != 1:
            raise DamagedError("another kind of numbers")
        return found.view(np.ndarray)

    def _text(self, name: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        return self._array(name, np.uint8), self._array(f"{name}_ends", np.int64)

    def __len__(self) -> int:
        return len(self.code_types)

    def code(self, place: int) -> str:
        """Return a code as the vocabulary writes it."""
        return _cut(self._codes, place)

    def display(self, place: int) -> str:
        """Return the name of a code."""
        return _cut(self._displays, place)

    def exact(self, words: Words) -> Found:
        """Return the codes that have a name of just these words, in any order."""
        number = np.uint64(key(words))
        low = int(np.searchsorted(self._keys, number))
        high = int(np.searchsorted(self._keys, number, side="right"))
        pairs = zip(self._key_codes[low:high], self._key_weights[low:high], strict=True)
        return [(int(code), float(weight)) for code, weight in pairs]

    def alike(self, bags: Sequence[Words], most: int) -> list[Found]:
        """Return for each bag the codes whose names share most of its words, best first.

        How well one fits is Dice's coefficient of words weighted by the square of their rarity,
        times the name's own weight. A word that no name has stands for the word most like it in
        runs of three letters.
        """
        found: list[Found] = []
        for start in range(0, len(bags), _ROWS):
            found.extend(self._alike(bags[start : start + _ROWS], most))
        return found

    def _alike(self, bags: Sequence[Words], most: int) -> list[Found]:
        from scipy.sparse import csr_matrix

        rows: list[int] = []
        columns: list[int] = []
        weights: list[float] = []
        totals = np.zeros(len(bags))
        for row, bag in enumerate(bags):
            words = dict.fromkeys(bag)
            for word in words:
                place, like = self._known(word)
                totals[row] += self._weights[place] if place >= 0 else self._rarest
                if place >= 0:
                    rows.append(row)
                    columns.append(place)
                    weights.append(float(self._weights[place]) * like)
            for place in self._excluded(words):
                rows.append(row)
                columns.append(place)
                weights.append(-_AGAINST * totals[row])
        shape = (len(bags), len(self._weights))
        asked = csr_matrix((np.array(weights, np.float32), (rows, columns)), shape=shape)
        shared = asked @ self._matrix
        ends = shared.indptr
        return [
            self._best(shared.indices[a:b], shared.data[a:b], totals[row], most)
            for row, (a, b) in enumerate(pairwise(ends))
        ]

    def _best(
        self, names: NDArray[np.int32], shared: NDArray[np.float32], total: float, most: int
    ) -> Found:
        if not len(names):
            return []
        fit = 2 * shared / (total + self._name_totals[names]) * self._name_weights[names]
        if len(fit) > 8 * most:  # a code has few names, so its best is among these
            kept = np.flatnonzero(fit >= np.partition(fit, -8 * most)[-8 * most])  # equals stay
            names, fit = names[kept], fit[kept]
        codes = self._name_codes[names]
        order = np.lexsort((codes, -fit))
        best: dict[int, float] = {}
        for place in order:
            best.setdefault(int(codes[place]), min(1.0, float(fit[place])))
            if len(best) == most:
                break
        return list(best.items())

    def _excluded(self, words: Collection[str]) -> list[int]:
        """Return the places of words that exclude one of these (`left` where it says `right`)."""
        against = {other for word in words for other in opposites().get(word, ())}
        known = (self._known(word) for word in sorted(against.difference(words)))
        return [place for place, like in known if place >= 0 and like == 1.0]

    @cached_property
    def _rarest(self) -> float:
        return _UNKNOWN * float(self._weights.max(initial=0.0))

    @cached_property
    def _matrix(self) -> csr_matrix:
        from scipy.sparse import csr_matrix

        ones = np.ones(len(self._postings), np.float32)
        shape = (len(self._weights), len(self._name_codes))
        return csr_matrix((ones, self._postings, self._starts), shape=shape)

    @cached_property
    def _guesses(self) -> dict[str, tuple[int, float]]:
        return {}

    def _known(self, word: str) -> tuple[int, float]:
        """Return the place of a word, or of the word most like it, and how like it is."""
        number = np.uint64(number_of(word))
        at = int(np.searchsorted(self._numbers, number))
        if at < len(self._numbers) and self._numbers[at] == number:
            return int(self._places[at]), 1.0
        if not word.isalpha() or len(word) < 5:
            return -1, 0.0
        guess = self._guesses.get(word)
        if guess is None:
            if len(self._guesses) > 50_000:
                self._guesses.clear()
            guess = self._guesses[word] = self._guess(word)
        return guess

    def _guess(self, word: str) -> tuple[int, float]:
        runs = grams(word)
        starts = self._gram_starts
        listed = [self._gram_words[starts[run] : starts[run + 1]] for run in runs]
        words, shared = np.unique(np.concatenate(listed), return_counts=True)
        if not len(words):
            return -1, 0.0
        alike = 2 * shared / (len(runs) + self._gram_counts[words])
        best = int(np.argmax(alike))
        return (int(words[best]), float(alike[best])) if alike[best] >= _ALIKE else (-1, 0.0)


def _cut(text: tuple[NDArray[np.uint8], NDArray[np.int64]], place: int) -> str:
    raw, ends = text
    return bytes(raw[ends[place] : ends[place + 1]]).decode("utf-8", "replace")
