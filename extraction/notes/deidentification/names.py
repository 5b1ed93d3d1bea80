"""Surrogates of names: each word of a name has its own, so that short and long mentions agree."""

from __future__ import annotations

import re

from .calendar import dressed_like
from .draws import Draws, normal
from .listed import Lists
from .name_words import PARTICLES, SUFFIXES

_PART = re.compile(r"[^\W\d_]+", re.UNICODE)
_IRISH = re.compile(r"\b([oO]['’]|Mc|Mac(?=[A-Z]))(?=[^\W\d_])")


def surrogate(draws: Draws, known: Lists, text: str) -> str:
    """Return the name with every word replaced, written as it was.

    A given name gives a given name usual for the same sex, any other word a surname; an initial
    gives an initial. Particles and suffixes (`van`, `Jr.`) stay.
    """
    return _PART.sub(lambda match: _part(draws, known, match.group(), match), _IRISH.sub("", text))


def _part(draws: Draws, known: Lists, word: str, match: re.Match[str]) -> str:
    plain = normal(word)
    if len(word) == 1:
        return dressed_like(word, "abcdefghijklmnoprstvw"[draws.number("initial", plain, 21)])
    if plain in SUFFIXES or (plain in PARTICLES and _inside(match)):
        return word
    if word.isupper() and len(word) < 4 and plain not in known.given | known.surnames:
        return draws.disguise("initial", word)
    chosen = draws.choose("name", plain, _pool(known, plain))
    if word.isupper():
        return chosen.upper()
    return chosen.lower() if word.islower() else chosen


def _inside(match: re.Match[str]) -> bool:
    return match.end() < len(match.string)


def _pool(known: Lists, plain: str) -> tuple[str, ...]:
    if plain in known.given:
        sex = known.sex_of(plain)
        if sex:
            return known.female if sex == "female" else known.male
        if plain not in known.surnames:
            return known.female + known.male
    return known.family
