"""Phrasings kept as data, and the pieces of marked text that they are filled with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any, TypeVar, final

import yaml

from extraction.notes.facts import Fact, FactType

T = TypeVar("T")


@final
@dataclass(frozen=True, slots=True)
class Mark:
    """A piece of text that states a fact; its place is known once the note is put together."""

    text: str
    type: FactType
    attributes: Mapping[str, Any] = field(default_factory=dict)


Piece = str | Mark
Pieces = list[Piece]


@final
class Chooser:
    """Makes several independent choices from one uniform draw, by its digits.

    A draw holds 53 bits; a choice among n uses log2(n) of them.
    """

    __slots__ = ("_rest",)

    def __init__(self, draw: float) -> None:
        self._rest = draw

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, each equally likely."""
        scaled = self._rest * len(options)
        place = min(int(scaled), len(options) - 1)
        self._rest = scaled - place
        return options[place]

    def chance(self, share: float) -> bool:
        """True with this probability (0 to 1, both excluded)."""
        hit = self._rest < share
        self._rest = self._rest / share if hit else (self._rest - share) / (1 - share)
        return hit


@cache
def phrases() -> dict[str, Any]:
    """The phrasings of the package, by concept."""
    return load("phrases.yaml")


def load(name: str) -> dict[str, Any]:
    """Read one of the package's data files."""
    text = (files(__package__) / "data" / name).read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def fill(template: str, **slots: Piece | Pieces) -> Pieces:
    """Put pieces into the slots of a template.

    Examples
    --------
    >>> fill("No {items}.", items=Mark("fever", "symptom"))[0]
    'No '
    """
    out: Pieces = []
    for literal, slot in _parsed(template):
        if literal:
            out.append(literal)
        if slot is not None:
            value = slots[slot]
            out.extend(value) if isinstance(value, list) else out.append(value)
    return out


@cache
def _parsed(template: str) -> tuple[tuple[str, str | None], ...]:
    return tuple((literal, slot) for literal, slot, _, _ in Formatter().parse(template))


def joined(items: Iterable[Pieces], between: str, last: str | None = None) -> Pieces:
    """Items in a row with a separator, and perhaps another one before the last."""
    listed = list(items)
    out: Pieces = []
    for place, item in enumerate(listed):
        if place:
            out.append(last if last is not None and place == len(listed) - 1 else between)
        out.extend(item)
    return out


def assemble(pieces: Iterable[Piece]) -> tuple[str, tuple[Fact, ...]]:
    """The text of the pieces and the facts in it with their spans."""
    texts: list[str] = []
    facts: list[Fact] = []
    length = 0
    for piece in pieces:
        text = piece if isinstance(piece, str) else piece.text
        if isinstance(piece, Mark):
            stop = length + len(text)
            facts.append(Fact(piece.type, text, length, stop, **piece.attributes))
        texts.append(text)
        length += len(text)
    return "".join(texts), tuple(facts)
