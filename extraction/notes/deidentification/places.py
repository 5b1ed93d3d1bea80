"""Surrogates of places: invented ones of the same form."""

from __future__ import annotations

import re

from .draws import Draws, normal
from .listed import entries, terms
from .place_words import GENERIC, ZIP

_SMALL_AREAS = terms("small_areas")
_STREET_WORDS = terms("street_words")
_STREETS = entries("invented_streets")
_TOWNS = entries("invented_towns")


def surrogate(draws: Draws, form: str, text: str) -> str:
    """Return an invented place of the same form; ZIP codes keep what the rule lets stand."""
    if form == "zip" and re.fullmatch(ZIP, text):
        area = "000" if text[:3] in _SMALL_AREAS else text[:3]
        return area + "XX"
    if form == "street":
        return _street(draws, text)
    if form == "facility":
        return _facility(draws, text)
    if form in ("town", "piece") and not any(c.isdigit() for c in text):
        ending = re.search(r" (?:County|Township|Parish|Borough|COUNTY)$", text)
        kind = normal(text[: ending.start()] if ending else text)
        return _cased(text, draws.choose("town", kind, _TOWNS)) + (ending.group() if ending else "")
    return draws.disguise("geographic", text)


def _cased(like: str, word: str) -> str:
    return word.upper() if like.isupper() and len(like) > 1 else word


def _street(draws: Draws, text: str) -> str:
    """Other numbers and an invented name; the word for what it is (`Street`) stays."""
    value = normal(text)
    name = _cased(text, draws.choose("street", re.sub(r"[^a-z]+", " ", value), _STREETS))
    words = list(re.finditer(r"[^\W\d_]+", text))
    named = [w for w in words if w.group().lower() not in _STREET_WORDS and len(w.group()) > 2]
    if not named:
        return draws.renumber("geographic", text)
    head = draws.renumber("geographic", text[: named[0].start()]) if named[0].start() else ""
    last = named[-1].end()
    tail = re.sub(
        r"\d+[A-Za-z]?|(?<=[# ])[A-Z](?!\w)",
        lambda m: draws.disguise("geographic", m.group()),
        text[last:],
    )
    if not any(c.isdigit() for c in head):
        head = text[: named[0].start()]
    return head + name + tail


def _facility(draws: Draws, text: str) -> str:
    words = text.split(" ")
    kept = len(words)
    while kept > 1 and words[kept - 1].lower().strip(".") in GENERIC:
        kept -= 1
    name = draws.choose("town", normal(" ".join(words[:kept])), _TOWNS)
    return " ".join([_cased(text, name), *words[kept:]])
