"""Codes of mentions out of several vocabularies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import final

from . import SURE
from .code import Code, Plain, codes_of
from .index import Found, Index
from .known import MOST, Known, mention_number
from .ranker import FLOOR, Form, Ranker, forms

Mention = tuple[str, str, str]
"""Type of the fact, its words, its normalised name."""

_KEPT = 200_000  # distinct mentions whose codes are held
_NONE_NAMED = "any"  # an allergy to nothing in particular (`NKDA`)
_MEASURES = frozenset({"vital", "laboratory", "score"})  # their words are numbers


@final
class Coder:
    """Finds ranked codes; each distinct mention is looked up once.

    Parameters
    ----------
    indexes
        Of the vocabularies. A mention's sure codes stand first, in the order of the vocabularies,
        then the others by their chance.
    most
        Codes given of one vocabulary, 1 to 5.
    least
        Chance that a code must have to be given, at least `ranker.FLOOR`.
    """

    def __init__(self, indexes: Sequence[Index], most: int = 3, least: float = FLOOR) -> None:
        self.indexes = tuple(indexes)
        self.most, self.least = min(most, MOST), least
        self._parts = [(Ranker(index), Known(index)) for index in self.indexes]
        self._covers = [frozenset(index.about.get("covers", ())) for index in self.indexes]
        self._held: dict[Mention, tuple[Plain, ...]] = {}
        self.types = frozenset().union(*self._covers)

    def __reduce__(self) -> tuple[Callable[..., Coder], tuple[list[Path], int, float]]:
        return reopened, ([index.folder for index in self.indexes], self.most, self.least)

    @property
    def versions(self) -> dict[str, str]:
        """The release of each vocabulary."""
        return {index.system: index.version for index in self.indexes}

    def plain(self, mentions: Sequence[Mention]) -> list[tuple[Plain, ...]]:
        """Return the codes of mentions as plain values, best first."""
        held = self._held
        missing = [m for m in dict.fromkeys(mentions) if m not in held]
        if missing:
            if len(held) + len(missing) > _KEPT:
                held.clear()
                missing = list(dict.fromkeys(mentions))
            held.update(zip(missing, self._look_up(missing), strict=True))
        return [held[mention] for mention in mentions]

    def codes(self, mentions: Sequence[Mention]) -> list[tuple[Code, ...]]:
        """Return the codes of mentions, best first."""
        return [codes_of(found) for found in self.plain(mentions)]

    def _look_up(self, mentions: Sequence[Mention]) -> list[tuple[Plain, ...]]:
        found: list[list[tuple[float, int, Plain]]] = [[] for _ in mentions]
        for order, (ranker, known) in enumerate(self._parts):
            asked = [i for i, m in enumerate(mentions) if m[0] in self._covers[order]]
            ranked = self._ranked(ranker, known, [mentions[i] for i in asked])
            for i, codes in zip(asked, ranked, strict=True):
                found[i].extend(
                    (chance, order, _plain(ranker.index, place, chance))
                    for place, chance in codes
                    if chance >= self.least
                )
        return [tuple(plain for _, _, plain in sorted(codes, key=_rank)) for codes in found]

    def _ranked(self, ranker: Ranker, known: Known, mentions: Sequence[Mention]) -> list[Found]:
        kept = [known.find(mention_number(text, name), self.most) for _, text, name in mentions]
        open_ = [i for i, codes in enumerate(kept) if codes is None]
        if open_:
            fresh = ranker.rank([_forms(*mentions[i]) for i in open_], self.most)
            for i, codes in zip(open_, fresh, strict=True):
                kept[i] = codes
        return [codes or [] for codes in kept]


def _rank(found: tuple[float, int, Plain]) -> tuple[float, float, str]:
    """Put sure codes first, by vocabulary, then the others by chance."""
    chance, order, plain = found
    return (order, -chance, plain[1]) if chance >= SURE else (9e9 - chance, order, plain[1])


def _forms(type_: str, text: str, name: str) -> list[Form]:
    plain = name.replace("_", " ")
    if type_ == "allergy":
        return [] if name == _NONE_NAMED else forms(plain)
    return forms(plain) if type_ in _MEASURES else forms(text, plain)


def _plain(index: Index, place: int, chance: float) -> Plain:
    return index.system, index.code(place), index.version, chance, index.display(place)


def reopened(folders: Sequence[Path], most: int, least: float) -> Coder:
    """Return a coder on indexes that lie on disk."""
    return Coder([Index(folder) for folder in folders], most, least)
