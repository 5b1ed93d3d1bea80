"""Term lists: reading them from package data, and finding their terms by a trie of words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from itertools import product
from typing import Any

from .tokens import Tokens, tokenize

_CHOICE = re.compile(r"\{([^{}]*)\}")


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text, parted by blanks."""
    return frozenset(text.split())


NUMBER_WORDS = word_set(
    "one two three four five six seven eight nine ten eleven twelve fifteen twenty thirty few "
    "several couple many some"
)
_END = ""  # no word is empty, so the key of a trie's leaf


@dataclass(frozen=True, slots=True)
class Match:
    """A term found at words `start` up to `stop`, with what the list says about it."""

    start: int
    stop: int
    payload: Any


class Lexicon:
    """Terms in a trie of words; look-up takes time linear in the text.

    In a term `#` stands for a number or number word, `#y` for a year. A term's word in capitals
    matches only capitals.
    """

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}
        self._lone: set[str] = set()  # first words that are a whole term or go before a number
        self._counted: set[str] = set()  # second words behind a number
        self._wild = self._opens_wild = False
        self.size = 0

    def add(self, term: str, payload: Any) -> None:
        """Add a term, with its spellings with and without hyphen and possessive."""
        for spelling in _spellings(term):
            self._insert(spelling, payload)

    def _insert(self, term: str, payload: Any) -> None:
        cut = tokenize(term.replace("#y", " 0y ").replace("#", " 0 ") if "#" in term else term)
        words = _wildcards(cut.words) if "#" in term else cut.words
        if not words:
            return
        capitals = tuple(
            i
            for i, (a, b) in enumerate(zip(cut.starts, cut.stops, strict=True))
            if term[a:b].isupper() and b - a > 1 and "#" not in term
        )
        single = len(words) == 1 and len(term) == 1 and term.isupper()
        if len(words) == 1 or words[1][0] == "#":
            self._lone.add(words[0])
        elif words[0][0] == "#":
            self._counted.add(words[1])
        node = self._root
        for word in words:
            node = node.setdefault(word, {})
        self._wild = self._wild or any(word[0] == "#" for word in words)
        self._opens_wild = self._opens_wild or words[0][0] == "#"
        kept = node.setdefault(_END, [])
        need = (0,) if single else capitals
        if all(need != other for other, _ in kept):
            kept.append((need, payload))
            kept.sort(key=lambda entry: len(entry[0]), reverse=True)
            self.size += 1

    def at(self, tokens: Tokens, index: int, end: int | None = None) -> Match | None:
        """Return the longest term that starts at this word and ends by `end`, or None."""
        first = tokens.words[index]
        if first not in self._root and not self._opens_wild:
            return None
        end = len(tokens.words) if end is None else end
        return self._walk(self._root, tokens, index, index, end)

    def _walk(
        self, node: dict[str, Any], tokens: Tokens, start: int, index: int, end: int
    ) -> Match | None:
        """Return the longest term below a node; only a wild card needs more than one path."""
        words = tokens.words
        best: Match | None = None
        while True:
            entries = node.get(_END)
            if entries is not None:
                for capitals, payload in entries:
                    if not capitals or all(_upper(tokens, start + i) for i in capitals):
                        best = Match(start, index, payload)
                        break
            if index >= end:
                return best
            if self._wild and ("#" in node or "#y" in node):
                return self._branch(node, tokens, start, index, end) or best
            following = node.get(words[index])
            if following is None:
                return best
            node = following
            index += 1

    def _branch(
        self, node: dict[str, Any], tokens: Tokens, start: int, index: int, end: int
    ) -> Match | None:
        word = tokens.words[index]
        for key in (word, "#y", "#"):
            if key in node and (key is word or _stands_for(key, word)):
                found = self._walk(node[key], tokens, start, index + 1, end)
                if found is not None:
                    return found
        return None

    def find(self, tokens: Tokens) -> list[Match]:
        """Return the longest terms from left to right, none overlapping another."""
        root, end = self._root, len(tokens.words)
        found = []
        free = 0
        for place in self._openings(tokens):
            if place >= free:
                match = self._walk(root, tokens, place, place, end)
                if match is not None:
                    found.append(match)
                    free = match.stop
        return found

    def _openings(self, tokens: Tokens) -> list[int]:
        """Return in order where a term can begin, judged by two words."""
        root, index = self._root, tokens.index()
        following = [*tokens.words[1:], _END]
        places: list[int] = []
        for word in index.keys() & root.keys():
            node, alone = root[word], word in self._lone
            places += [p for p in index[word] if alone or following[p] in node]
        if self._opens_wild:
            places = list({*places, *self._numbers(tokens, following)})
        places.sort()
        return places

    def _numbers(self, tokens: Tokens, following: list[str]) -> Iterator[int]:
        """Yield the numbers with which a term can begin."""
        counted, alone = self._counted, not self._lone.isdisjoint(("#", "#y"))
        for word in tokens.numeric | (tokens.places.keys() & NUMBER_WORDS):
            for place in tokens.places[word]:
                if alone or following[place] in counted:
                    yield place


def _stands_for(key: str, word: str) -> bool:
    if key == "#y":
        return is_year(word)
    return word in NUMBER_WORDS or word[:1].isdigit()


def is_year(word: str) -> bool:
    """Return whether a word is a year from 1900 to 2099."""
    return len(word) == 4 and word.isdigit() and word[:2] in ("19", "20")


def _upper(tokens: Tokens, index: int) -> bool:
    return tokens.text[tokens.starts[index] : tokens.stops[index]].isupper()


def _wildcards(words: list[str]) -> list[str]:
    out: list[str] = []
    for word in words:
        if word == "y" and out and out[-1] == "#":
            out[-1] = "#y"
        else:
            out.append("#" if word == "0" else word)
    return out


def _spellings(term: str) -> Iterator[str]:
    yield term
    if "-" in term.strip("-"):
        yield term.replace("-", " ")
    if "'s" in term:
        yield term.replace("'s", "")
        yield term.replace("'s", "s")


def expand(line: str) -> Iterator[str]:
    """Yield every choice of `{a,b}` in a line.

    Examples
    --------
    >>> list(expand("{hip,rib} fracture"))
    ['hip fracture', 'rib fracture']
    """
    pieces = _CHOICE.split(line)
    choices = [p.split(",") if i % 2 else [p] for i, p in enumerate(pieces)]
    for chosen in product(*choices):
        yield " ".join("".join(chosen).split())


def read_lines(name: str, package: str = "extraction.notes.terms") -> list[str]:
    """Return a term file's lines without comments and empty lines."""
    text = (resources.files(package) / name).read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]


def read_terms(name: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each canonical name of a term file with all its spellings (itself among them)."""
    for line in read_lines(name):
        head, *others = [part.strip() for part in line.split(" | ")]
        names = list(expand(head))
        for canonical in names:
            more = [s for other in others for s in expand(other)] if len(names) == 1 else []
            # A name after `=` stands for its abbreviations only.
            own = [] if canonical.startswith("=") else [canonical]
            yield canonical.removeprefix("="), [*own, *more]


def plural(term: str) -> str | None:
    """Return the plural of a term, or None where its last word has none of use."""
    if len(term) < 4 or term.endswith(("s", "ed", "ing", ")")) or term[-1].isdigit():
        return None
    if term.endswith("y") and term[-2] not in "aeiou":
        return term[:-1] + "ies"
    return term + "s"


def keyed(lines: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield head and spellings of lines that read `head: spelling | spelling`."""
    for line in lines:
        head, _, rest = line.partition(": ")
        yield head, [part.strip() for part in rest.split(" | ")]
