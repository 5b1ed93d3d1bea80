"""Names of codes and mentions as bags of plain words, and the numbers they are looked up by."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache
from hashlib import blake2b

from ..lexicon import read_lines, read_terms, word_set
from ..tokens import tokenize

_STOPS = word_set("an and at by for from in into its nec nos of on or the to unspecified with")
_NUMERALS = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5"}
_COUNTED = frozenset({"type", "stage", "grade", "class", "factor", "degree"})
_OSES = frozenset({"doses", "overdoses", "noses", "glucoses"})  # whose singular ends in `ose`
_MASK = (1 << 64) - 1
_LISTS = ("conditions.txt", "symptoms.txt", "adverse_events.txt", "drugs.txt", "procedures.txt")
Words = tuple[str, ...]


def content(text: str) -> Words:
    """Return the words that make a name: singular, without stop words, equals made one.

    Examples
    --------
    >>> content("Diabetes mellitus, type II") == content("type 2 diabetes mellitus")
    False
    >>> sorted(content("Neoplasms of the kidneys")) == sorted(content("renal tumour"))
    True
    """
    words: list[str] = []
    for word in tokenize(text).words:
        if words and word in _NUMERALS and words[-1] in _COUNTED:
            words.append(_NUMERALS[word])
        elif word not in _STOPS and word[0].isalnum():
            words.extend(_plain(word))
    return tuple(words)


@lru_cache(maxsize=1 << 16)
def _plain(word: str) -> Words:
    stem = singular(word.removesuffix("'s"))
    return _equals().get(stem, (stem,))


@cache
def _equals() -> dict[str, Words]:
    table: dict[str, Words] = {
        "cancer": ("malignant", "tumor"),
        "malignancy": ("malignant", "tumor"),
    }
    for line in read_lines("words.txt", "extraction.notes.codes.terms"):
        first, *others = [singular(word) for word in line.split()]
        table.update((word, (first,)) for word in others if word != first)
    return table


@cache
def opposites() -> dict[str, frozenset[str]]:
    """Return for a word those that exclude it."""
    table: dict[str, frozenset[str]] = {}
    for line in read_lines("opposites.txt", "extraction.notes.codes.terms"):
        group = {plain for word in line.split() for plain in _plain(word)}
        for word in group:
            table[word] = table.get(word, frozenset()) | (group - {word})
    return table


def singular(word: str) -> str:
    """Return a word without the ending of its plural.

    Examples
    --------
    >>> [singular(w) for w in ("biopsies", "metastases", "overdoses", "veins", "sepsis")]
    ['biopsy', 'metastasis', 'overdose', 'vein', 'sepsis']
    """
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y" if len(word) > 4 else word[:-1]
    if (word.endswith("oses") and word not in _OSES) or word == "metastases":
        return word[:-2] + "is"
    if word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    return word[:-1]


@lru_cache(maxsize=1 << 17)
def number_of(word: str) -> int:
    """Return 64 bits for a word; two of a million different ones meet with chance 3e-8."""
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")


def key(words: Iterable[str]) -> int:
    """Return 64 bits for a bag of words, whatever their order and however often each comes."""
    return sum({number_of(word) for word in words}) & _MASK


def own_names(file: str) -> dict[str, list[str]]:
    """Return what our own list adds to a vocabulary: code or name, and the names that mean it."""
    found: dict[str, list[str]] = {}
    for line in read_lines(file, "extraction.notes.codes.terms"):
        head, *names = [part.strip() for part in line.split(" | ")]
        found[head] = names
    return found


@cache
def abbreviations() -> dict[str, Words]:
    """Return what the term lists write in capitals (`HTN`), and the words it stands for."""
    found: dict[str, Words] = {}
    for file in _LISTS:
        for name, spellings in read_terms(file):
            for spelling in spellings:
                short = spelling.isalnum() and spelling == spelling.upper() and len(spelling) > 1
                if short and not spelling.isdigit() and spelling != name.upper():
                    found.setdefault(spelling.lower(), content(name))
    return found


def spelt_out(words: Words) -> Words:
    """Return words with the abbreviations among them spelt out."""
    known = abbreviations()
    return tuple(part for word in words for part in known.get(word, (word,)))
