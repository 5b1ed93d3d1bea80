"""Codes of one vocabulary for mentions, with the estimated chance that each is right."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import final

import numpy as np

from .index import Found, Index
from .words import Words, content, spelt_out

Form = tuple[Words, float]
"""A way to say a mention, and how far it can stand for it."""

EXACT = 0.97  # chance that a name found word for word is the right one's
SPELT_OUT, NAMED = 0.97, 0.93  # abbreviations spelt out; the name that the term lists give
ENOUGH = 0.8  # from this chance on, names that only share words are not looked for
FLOOR = 0.05  # a code with less chance is not given
_AMBIGUOUS = 100.0  # power by which names of different weight part a mention among them
_NEIGHBOURS = 10
_SHARPNESS = 4.0
# Chance that the best of the codes that share words is right, by its fit times its share among its
# neighbours: learned on hidden synonyms (`python -m benchmarks.codes`). Names of drugs are mostly
# single words, of which a likeness of letters tells more.
_STANDS_OUT = (0.0, 0.06, 0.15, 0.25, 0.35, 0.5, 1.0)
_CHANCE = (0.02, 0.10, 0.28, 0.42, 0.52, 0.57, 0.62)
_STANDS_OUT_DRUG = (0.0, 0.15, 0.3, 0.5, 0.7, 0.85, 1.0)
_CHANCE_DRUG = (0.05, 0.25, 0.4, 0.55, 0.8, 0.95, 0.95)


def forms(text: str, name: str = "") -> list[Form]:
    """Return the ways to say a mention: as written, spelt out, and as the term lists name it."""
    written = content(text)
    found: list[Form] = [(written, 1.0)] if written else []
    for words, weight in ((spelt_out(written), SPELT_OUT), (content(name), NAMED)):
        if words and all(set(words) != set(other) for other, _ in found):
            found.append((words, weight))
    return found


@final
class Ranker:
    """Ranks the codes of one vocabulary.

    Parameters
    ----------
    index
        Of the vocabulary.
    """

    def __init__(self, index: Index) -> None:
        self.index = index
        drugs = index.about.get("covers") == ["medication", "allergy"]
        self._curve = (_STANDS_OUT_DRUG, _CHANCE_DRUG) if drugs else (_STANDS_OUT, _CHANCE)

    def rank(self, mentions: Sequence[Sequence[Form]], most: int) -> list[Found]:
        """Return for each mention at most `most` codes with their chances, best first."""
        found = [self._exact(ways) for ways in mentions]
        open_ = [i for i, codes in enumerate(found) if sum(codes.values()) < ENOUGH]
        bags = [words for i in open_ for words, _ in mentions[i]]
        alike = iter(self.index.alike(bags, _NEIGHBOURS) if bags else ())
        for i in open_:
            near: dict[int, float] = {}
            for _, weight in mentions[i]:
                for code, fit in next(alike):
                    near[code] = max(near.get(code, 0.0), fit * weight)
            left = 1.0 - sum(found[i].values())
            for code, chance in self._chances(near).items():
                found[i][code] = max(found[i].get(code, 0.0), chance * left)
        return [_first(codes, most) for codes in found]

    def _exact(self, ways: Sequence[Form]) -> dict[int, float]:
        """Return the codes that have one of these names, by the first way that finds any."""
        for words, weight in ways:
            found = dict(reversed(self.index.exact(words)))
            if found:
                parts = {code: own**_AMBIGUOUS for code, own in found.items()}
                total = sum(parts.values())
                sure = EXACT * weight / total
                return {c: sure * min(own, 1.0) * parts[c] for c, own in found.items()}
        return {}

    def _chances(self, fits: dict[int, float]) -> dict[int, float]:
        """Turn how well neighbours fit into the chances that each is right; their sum is <= 1."""
        fits = {code: fit for code, fit in fits.items() if fit > 0}
        if not fits:
            return {}
        best = max(fits.values())
        parts = {code: exp(_SHARPNESS * (fit - best)) for code, fit in fits.items()}
        total = sum(parts.values())
        sure = float(np.interp(best / total, *self._curve))
        spread = sure if total <= 1 else min(sure, (1 - sure) / (total - 1))
        return {code: sure if fits[code] == best else spread * part for code, part in parts.items()}


def _first(codes: dict[int, float], most: int) -> Found:
    kept = [(code, round(chance, 4)) for code, chance in codes.items() if chance >= FLOOR]
    return sorted(kept, key=lambda item: (-item[1], item[0]))[:most]
