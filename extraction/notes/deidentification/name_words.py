"""Words of a text, seen as possible parts of a name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from ..lexicon import word_set
from .draws import normal
from .listed import Lists, lists

PARTICLES = word_set(
    "de la del los las der den van von bin ibn bint al el abu da dos das di du le st san santa ter "
    "ten op y e zu af av ben"
)
SUFFIXES = word_set("jr sr ii iii iv")
_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*", re.UNICODE)
_POSSESSIVE = re.compile(r"['’][sS]$")


class Rank(IntEnum):
    """How much a word looks like a name by itself."""

    NEVER = 0
    CLINICAL = 1
    UNKNOWN = 2
    WORD = 3
    NAME = 4


class Word(NamedTuple):
    """A word with its place; a possessive ending is left out.

    Parameters
    ----------
    start, stop
        Character places.
    plain
        Its normal form.
    rank
        How much it looks like a name.
    capital, capitals, initial
        Whether it begins with a capital, is all capitals, is a single capital letter.
    """

    start: int
    stop: int
    plain: str
    rank: Rank
    capital: bool
    capitals: bool
    initial: bool


def words_of(text: str) -> list[Word]:
    """Return the words of a text."""
    return [_word(text, *match.span(), _known(match.group())) for match in _WORD.finditer(text)]


_Known = tuple[int, str, Rank, str]
"""A word's length without a possessive ending, its normal form, its rank, which are capitals."""


def _word(text: str, start: int, stop: int, known: _Known) -> Word:
    length, plain, rank, case = known
    capital, capitals, initial = case != "", case == "all", case == "one"
    if _beside_digit(text, start, stop):
        rank, capitals, initial = Rank.CLINICAL, False, False
    return Word(start, start + length, plain, rank, capital, capitals, initial)


@lru_cache(maxsize=32768)
def _known(written: str) -> _Known:
    """Return what a word looks like wherever it stands."""
    ending = _POSSESSIVE.search(written)
    if ending and len(written) > 3:
        written = written[: ending.start()]
    plain = normal(written)
    if written.isupper():
        one = len(written) == 1
        return len(written), plain, Rank.UNKNOWN if one else rank_of(plain), "one" if one else "all"
    return len(written), plain, rank_of(plain), "first" if written[0].isupper() else ""


def _beside_digit(text: str, start: int, stop: int) -> bool:
    """Whether a word is part of a code or unit (`T2`, `CD3`, `U/L`): no name then."""
    before, after = text[start - 1 : start], text[stop : stop + 1]
    unit = stop - start == 1 and "/" in (before, after)
    return unit or before.isdigit() or after.isdigit()


def rank_of(plain: str) -> Rank:
    """Return how much a word in normal form looks like a name; of joined words the best."""
    known = lists()
    parts = re.split(r"['\-]", plain)
    if len(parts) > 1 and plain not in known.never:
        ranks = [_rank(p, known) for p in parts if len(p) > 2]
        whole = _rank(plain.replace("'", "").replace("-", ""), known)
        lowest = min(ranks, default=Rank.UNKNOWN)
        if Rank.NAME in (whole, *ranks) and lowest > Rank.CLINICAL:
            return Rank.NAME
        return whole if lowest > Rank.NEVER else Rank.NEVER
    return _rank(plain, known)


def _rank(plain: str, known: Lists) -> Rank:
    if plain in known.never:
        return Rank.NEVER
    listed = plain in known.given or plain in known.surnames
    if plain in known.clinical:
        return Rank.WORD if listed and plain in known.surnames else Rank.CLINICAL
    if plain in known.words or plain in known.eponyms:
        return Rank.WORD if listed or plain in known.eponyms else Rank.CLINICAL
    if listed:
        return Rank.NAME if len(plain) > 2 else Rank.WORD
    return Rank.UNKNOWN


class Slips:
    """Tells whether a word is one slip of the pen away from a name, in time free of their number.

    Words that differ by one slip share a form with one letter left out (SymSpell, W. Garbe 2012).

    Parameters
    ----------
    names
        In normal form; those of 5 to 30 letters are looked at.

    Examples
    --------
    >>> slips = Slips(["collins", "martha"])
    >>> [word in slips for word in ("colins", "marhta", "cullins", "callin")]
    [True, True, True, False]
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._forms: dict[str, list[str]] = {}
        for name in names:
            if _SHORTEST <= len(name) <= _LONGEST:
                for form in _shortened(name):
                    kept = self._forms.setdefault(form, [])
                    if len(kept) < _MOST_ALIKE:
                        kept.append(name)

    def __contains__(self, word: str) -> bool:
        if not _SHORTEST <= len(word) <= _LONGEST:
            return False
        return any(
            alike(word, name) for form in _shortened(word) for name in self._forms.get(form, ())
        )


_SHORTEST, _LONGEST, _MOST_ALIKE = 5, 30, 8


def _shortened(word: str) -> Iterator[str]:
    yield word
    yield from (word[:i] + word[i + 1 :] for i in range(len(word)))


def alike(one: str, other: str) -> bool:
    """Whether two words differ by one slip: a letter more, less, other, or two swapped.

    Examples
    --------
    >>> alike("collins", "colins"), alike("martha", "marhta"), alike("ross", "rosen")
    (True, True, False)
    """
    if one == other:
        return True
    if abs(len(one) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    a, b = one[start:], other[start:]
    swapped = len(a) > 1 and len(b) > 1 and a[0] == b[1] and a[1] == b[0] and a[2:] == b[2:]
    return swapped or a[1:] == b[1:] or a[1:] == b or a == b[1:]
