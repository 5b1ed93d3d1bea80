"""Cue lists: how they are read, and how cues are found in a note."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

from ..draft import Draft
from ..lexicon import Lexicon, read_lines

KINDS = ("before", "after", "either", "near", "weak", "pseudo", "stop")


@dataclass(frozen=True, slots=True)
class Cue:
    """A cue at words `start` up to `stop`.

    Parameters
    ----------
    kind
        `before`: stands before what it is about; `after`: behind; `either`: decided by its
        neighbours; `near`: a time that belongs to its part of the sentence; `weak`: behind, and
        only when nothing but an auxiliary is between.
    only
        The group it can be about (problem, drug, measure), or None for all.
    """

    start: int
    stop: int
    kind: str
    only: str | None


@dataclass(frozen=True)
class CueList:
    """The cues of one concept and the words that end their scope.

    Parameters
    ----------
    cues
        Phrases with payload (kind, group or None).
    stops
        Phrases at which a forward scope ends.
    """

    cues: Lexicon = field(default_factory=Lexicon)
    stops: Lexicon = field(default_factory=Lexicon)

    @classmethod
    def parse(cls, lines: Iterable[str]) -> CueList:
        """Read cue lines under headings such as `[before]` and `[after drug]`."""
        made = cls()
        kind, only = "before", None
        merged: dict[str, tuple[str, str | None]] = {}
        for line in lines:
            if line.startswith("["):
                parts = line.strip("[]").split()
                kind, only = parts[0], parts[1] if len(parts) > 1 else None
                continue
            for phrase in line.split(" | "):
                if kind == "stop":
                    made.stops.add(phrase, True)
                else:
                    merged[phrase] = _merge(merged.get(phrase), kind, only)
        for phrase, payload in merged.items():
            made.cues.add(phrase, payload)
        return made

    def find(self, draft: Draft) -> list[Cue]:
        """Return the cues of a note; pseudo cues have hidden what they cover."""
        found = (
            Cue(m.start, m.stop, *m.payload)
            for m in self.cues.find(draft.tokens)
            if m.start not in draft.covered
        )
        return [cue for cue in found if cue.kind != "pseudo"]


def _merge(
    known: tuple[str, str | None] | None, kind: str, only: str | None
) -> tuple[str, str | None]:
    """A phrase listed before and after decides by its neighbours; else the first list holds."""
    if known is None:
        return kind, only
    if {known[0], kind} == {"before", "after"}:
        return "either", known[1]
    if known[0] == kind and known[1] != only:
        return kind, None
    return known


@cache
def cue_list(concept: str) -> CueList:
    """Return the cues of `negation`, `possibility`, `history` or `family`."""
    package = f"extraction.notes.assertion.{concept}"
    lines = [
        *read_lines("stops.txt", "extraction.notes.assertion"),
        *read_lines("terms.txt", package),
    ]
    return CueList.parse(lines)
