"""What the encoder's word pieces do not show: the shape of a word, and the term lists it is in."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

from ..lexicon import Lexicon, keyed, plural, read_lines, read_terms
from ..tokens import Tokens

Ints = npt.NDArray[np.int64]

SHAPES = (
    "lower", "title", "upper", "mixed", "letter", "digit", "digits", "year", "decimal", "sign",
    "bracket", "point", "other",
)  # fmt: skip
LISTS = ("problem", "symptom", "drug", "measurement", "unit", "route", "frequency")
_NAMED = (
    ("conditions.txt", "problem"),
    ("adverse_events.txt", "problem"),
    ("symptoms.txt", "symptom"),
    ("drugs.txt", "drug"),
    ("drug_classes.txt", "drug"),
)
N_LISTS = 2 * len(LISTS)  # the first word of a term, and the others


def shapes(tokens: Tokens) -> Ints:
    """Return the shape of every word, a number of `SHAPES`."""
    text = tokens.text
    found = [_shape(text[a:b]) for a, b in zip(tokens.starts, tokens.stops, strict=True)]
    return np.asarray(found, np.int64)


@lru_cache(maxsize=65536)
def _shape(word: str) -> int:
    if word[0].isalpha():
        name = _letters(word)
    elif word[0].isdigit() or (word[0] == "." and len(word) > 1):
        name = _number(word)
    else:
        name = "bracket" if word in "()[]{}" else "point" if word in ".,;:" else "sign"
    return SHAPES.index(name)


def _letters(word: str) -> str:
    if len(word) == 1:
        return "letter"
    if word.islower():
        return "lower"
    if word.isupper():
        return "upper"
    return "title" if word[0].isupper() and word[1:].islower() else "mixed"


def _number(word: str) -> str:
    if not word.isdigit():
        return "decimal"
    if len(word) == 4 and word[:2] in ("19", "20"):
        return "year"
    return "digit" if len(word) == 1 else "digits"


def listed(tokens: Tokens) -> Ints:
    """Return a bit mask of every word: bit 2k where list k's term begins, 2k + 1 inside it."""
    bits = np.zeros(len(tokens.words), np.int64)
    for match in term_lists().find(tokens):
        for which in match.payload:
            bits[match.start] |= 1 << (2 * which)
            bits[match.start + 1 : match.stop] |= 1 << (2 * which + 1)
    return bits


@cache
def term_lists() -> Lexicon:
    """Return the package's term lists as one lexicon; the payload is the lists a term is in."""
    terms: dict[str, set[int]] = {}
    for term, which in _terms():
        terms.setdefault(term, set()).add(LISTS.index(which))
    lexicon = Lexicon()
    for term, found in terms.items():
        lexicon.add(term, tuple(sorted(found)))
    return lexicon


def _terms() -> Iterator[tuple[str, str]]:
    for file, which in _NAMED:
        for _, spellings in read_terms(file):
            yield from ((term, which) for term in spellings)
            if which != "drug":
                several = (plural(term) for term in spellings)
                yield from ((term, which) for term in several if term)
    for file, which in (("measurements.txt", "measurement"), ("units.txt", "unit")):
        for _, spellings in keyed(read_lines(file)):
            yield from ((term, which) for term in spellings)
    for head, spellings in keyed(read_lines("medication_attributes.txt")):
        kind = head.split(" ")[0]
        if kind in LISTS:
            yield from ((term, kind) for term in spellings)
