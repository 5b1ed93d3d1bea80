"""Writing an index: the names of one vocabulary as sorted numbers, in files that are mapped."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from ...records import InputError
from .finder import Phrases
from .words import Words, content, key, number_of

FORMAT = 1  # of the files; a cache of another one is built anew
MOST_TERMS = 3_000_000  # of one vocabulary: about 1.5 GB while it is built
GRAMS = 1 << 16
OWN = 1.03  # weight of a name of our own lists: it goes before the same name of another code
SAID = 0.9  # weight from which a name is also looked for in notes
_SPREADS = 0.85  # weight from which a name lends its code to its equals
Sorted = tuple[NDArray[np.uint64], NDArray[np.int32], NDArray[np.float32]]


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """One code with its names.

    Parameters
    ----------
    code, display
        As the vocabulary writes them.
    terms
        Names with their weight: 1 for a name that means the code and nothing else, less for one
        that may mean another.
    type
        Type of the facts that its names tell of; empty where the vocabulary does not say.
    """

    code: str
    display: str
    terms: tuple[tuple[str, float], ...]
    type: str = ""


@final
@dataclass
class Builder:
    """Takes in entries and writes an index; memory is some 500 bytes a name.

    Parameters
    ----------
    system, version
        Of the vocabulary.
    most
        Names that it may have.
    find
        Whether its names are also to be found in notes (`finder.Phrases`).
    """

    system: str
    version: str
    most: int = MOST_TERMS
    find: bool = False
    _codes: list[str] = field(default_factory=list)
    _displays: list[str] = field(default_factory=list)
    _types: list[str] = field(default_factory=list)
    _keys: array[int] = field(default_factory=lambda: array("Q"))
    _of: array[int] = field(default_factory=lambda: array("i"))
    _weights: array[float] = field(default_factory=lambda: array("f"))
    _starts: array[int] = field(default_factory=lambda: array("q", [0]))
    _words: array[int] = field(default_factory=lambda: array("i"))
    _numbers: dict[str, int] = field(default_factory=dict)
    _places: dict[str, int] = field(default_factory=dict)
    _shown: array[float] = field(default_factory=lambda: array("f"))
    _found: Phrases | None = None

    def __post_init__(self) -> None:
        self._found = Phrases() if self.find else None

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, entry: Entry) -> None:
        """Take in a code with its names; a code may come again with more of them."""
        place = self._place(entry)
        seen: set[int] = set()
        for text, weight in sorted(entry.terms, key=lambda term: -term[1]):
            words = content(text)
            number = key(words)
            if words and number not in seen:
                seen.add(number)
                self._name(place, number, words, weight)
            if self._found is not None and weight >= SAID:
                self._found.add(place, text)

    def _place(self, entry: Entry) -> int:
        place = self._places.setdefault(entry.code, len(self._codes))
        best = max((weight for _, weight in entry.terms), default=0.0)
        if place == len(self._codes):
            self._codes.append(entry.code)
            self._displays.append(entry.display)
            self._types.append(entry.type)
            self._shown.append(best)
        else:
            if best > self._shown[place]:
                self._displays[place], self._shown[place] = entry.display, best
            self._types[place] = self._types[place] or entry.type
        return place

    def _name(self, place: int, number: int, words: Words, weight: float) -> None:
        if len(self._keys) >= self.most:
            raise InputError(
                f"{self.system}: more than {self.most:,} names; take fewer of its sources"
            )
        self._keys.append(number)
        self._of.append(place)
        self._weights.append(weight)
        self._words.extend(
            self._numbers.setdefault(word, len(self._numbers)) for word in sorted(set(words))
        )
        self._starts.append(len(self._words))

    def spread(self, groups: Iterable[tuple[list[str], float]]) -> None:
        """Give a code the other names of a group of equals, where a name of the group is its own.

        Parameters
        ----------
        groups
            Names of one meaning, the leading one first, and the weight of a name so gained.
        """
        known = self._sorted()
        gained: list[tuple[int, Words, float]] = []
        for names, weight in groups:
            bags = [content(name) for name in names]
            best = [_best_of(known, key(bag)) for bag in bags]
            own = next((b for b in best if b is not None and b[0] >= _SPREADS), None)
            if own is not None:
                free = [bag for bag, b in zip(bags, best, strict=True) if b is None and bag]
                gained.extend((own[1], bag, weight * own[0]) for bag in free)
        for place, words, weight in gained:
            self._name(place, key(words), words, weight)

    def _sorted(self) -> Sorted:
        """Return keys with codes and weights; of one key the best stands first."""
        keys = np.array(self._keys, np.uint64)
        weights, codes = np.array(self._weights, np.float32), np.array(self._of, np.int32)
        order = np.lexsort((codes, -weights, keys))
        return keys[order], codes[order], weights[order]

    def write(self, folder: Path, **about: Any) -> None:
        """Write the files of the index into an empty folder."""
        _save_text(folder / "codes", self._codes)
        _save_text(folder / "displays", self._displays)
        _save_text(folder / "words", self._numbers)
        types = sorted(set(self._types))
        kinds = {name: place for place, name in enumerate(types)}
        np.save(folder / "types.npy", np.array([kinds[t] for t in self._types], np.int8))
        keys, codes, weights = self._sorted()
        np.save(folder / "keys.npy", keys)
        np.save(folder / "key_codes.npy", codes)
        np.save(folder / "key_weights.npy", weights)
        np.save(folder / "name_codes.npy", np.array(self._of, np.int32))
        np.save(folder / "name_weights.npy", np.array(self._weights, np.float32))
        if self._found is not None:
            self._found.write(folder)
        self._write_words(folder)
        head = {
            "format": FORMAT,
            "system": self.system,
            "version": self.version,
            "codes": len(self._codes),
            "names": len(keys),
            "types": types,
            "find": self.find,
            **about,
        }
        (folder / "index.json").write_text(json.dumps(head, indent=1) + "\n", "utf-8")

    def _write_words(self, folder: Path) -> None:
        """Write weights of words, and for each word the names that have it."""
        starts = np.frombuffer(self._starts, np.int64)
        words = np.frombuffer(self._words, np.int32)
        count = np.bincount(words, minlength=len(self._numbers))
        weight = np.log1p(len(self._keys) / np.maximum(count, 1)).astype(np.float32) ** 2
        total = np.add.reduceat(weight[words], starts[:-1]) if len(words) else weight[:0]
        np.save(folder / "word_weights.npy", weight)
        np.save(folder / "name_totals.npy", total.astype(np.float32))
        names = np.repeat(np.arange(len(starts) - 1, dtype=np.int32), np.diff(starts))
        np.save(folder / "postings.npy", names[np.argsort(words, kind="stable")])
        np.save(folder / "posting_starts.npy", np.concatenate([[0], np.cumsum(count)]))
        numbers = np.array([number_of(word) for word in self._numbers], np.uint64)
        order = np.argsort(numbers)
        np.save(folder / "word_numbers.npy", numbers[order])
        np.save(folder / "word_places.npy", order.astype(np.int32))
        _save_grams(folder, self._numbers)


def grams(word: str) -> list[int]:
    """Return the numbers of a word's runs of three letters, its ends among them."""
    padded = f"^{word}$"
    runs = {padded[i : i + 3] for i in range(len(padded) - 2)}
    return sorted(number_of(run) % GRAMS for run in runs)


def _save_grams(folder: Path, words: Iterable[str]) -> None:
    """Write which words have a run of three letters; numbers with digits are never guessed."""
    listed = [grams(word) if word.isalpha() else [] for word in words]
    counts = np.array([len(g) for g in listed], np.int32)
    flat = np.fromiter(chain.from_iterable(listed), np.int32, int(counts.sum()))
    places = np.repeat(np.arange(len(listed), dtype=np.int32), counts)
    np.save(folder / "gram_words.npy", places[np.argsort(flat, kind="stable")])
    starts = np.concatenate([[0], np.cumsum(np.bincount(flat, minlength=GRAMS))])
    np.save(folder / "gram_starts.npy", starts)
    np.save(folder / "gram_counts.npy", counts)


def _best_of(known: Sorted, number: int) -> tuple[float, int] | None:
    keys, codes, weights = known
    at = int(np.searchsorted(keys, np.uint64(number)))
    if at == len(keys) or keys[at] != number:
        return None
    return float(weights[at]), int(codes[at])


def _save_text(path: Path, texts: Iterable[str]) -> None:
    """Write texts one behind the other, and where each begins."""
    raw = [text.encode("utf-8", "replace") for text in texts]
    ends: NDArray[np.int64] = np.cumsum([0, *(len(r) for r in raw)], dtype=np.int64)
    np.save(path.with_suffix(".npy"), np.frombuffer(b"".join(raw), np.uint8))
    np.save(path.with_name(path.name + "_ends.npy"), ends)
