"""Cue lists: how they are read, and how cues are found in a note."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

from ..draft import Draft
from ..lexicon import Lexicon, Match, expand, read_lines
from .phrases import Phrases

Payload = tuple[str, tuple[str, ...] | None]
_SIGNS = frozenset(",:(=-")
_EDGES = frozenset(".,;)|")
_BOTH_WAYS = ({"before", "after"}, {"before", "either"}, {"after", "either"})
_SUBJECTS = frozenset({"he", "she", "they", "pt", "patient", "who", "and", "but", "family"})
_HEADING = re.compile(r"\[[a-z ]+\]")
KINDS = ("before", "after", "either", "near", "weak", "list", "affirm", "pseudo", "stop")


@dataclass(frozen=True, slots=True)
class Cue:
    """A cue at words `start` up to `stop`.

    Parameters
    ----------
    kind
        `before`: stands before what it is about; `after`: behind; `either`: decided by its
        neighbours; `near`: a time that belongs to its part of the sentence; `weak`: behind, and
        only when nothing but an auxiliary is between; `list`: a heading within a line, about all
        that it lists; `affirm`: behind, and takes the concept away again.
    only
        The groups it can be about (problem, drug, procedure, measure), or None for all.
    """

    start: int
    stop: int
    kind: str
    only: tuple[str, ...] | None


@dataclass(frozen=True)
class CueList:
    """The cues of one concept and the words that end their scope.

    Parameters
    ----------
    cues
        Phrases with payload (kind, groups or None).
    stops
        Phrases at which a forward scope ends.
    """

    cues: Phrases = field(default_factory=lambda: Phrases(_merge))
    stops: Lexicon = field(default_factory=Lexicon)

    @classmethod
    def parse(cls, lines: Iterable[str]) -> CueList:
        """Read cue lines under headings such as `[before]` and `[after drug procedure]`."""
        made = cls()
        kind, only = "before", None
        for line in lines:
            if _HEADING.fullmatch(line):
                parts = line.strip("[]").split()
                kind, only = parts[0], tuple(parts[1:]) or None
                continue
            for pattern in line.split(" | "):
                if kind == "stop":
                    for phrase in expand(pattern):
                        made.stops.add(phrase, True)
                else:
                    made.cues.add(pattern, (kind, only))
        return made

    def find(self, draft: Draft) -> list[Cue]:
        """Return the cues of a note; pseudo cues have hidden what they cover."""
        found = []
        for match in self.cues.find(draft.tokens, draft.covered):
            fitting = self._fitting(draft, match)
            if fitting is not None and fitting.payload[0] != "pseudo":
                found.append(Cue(fitting.start, fitting.stop, *fitting.payload))
        return found

    def _fitting(self, draft: Draft, match: Match) -> Match | None:
        """Return the cue without the words of a mention, and without a sign that leads nowhere."""
        covered = draft.covered
        inside = next((i for i in range(match.start + 1, match.stop) if i in covered), None)
        if inside is not None:
            return self.cues.at(draft.tokens, match.start, inside) or match
        opening = self.cues.opening
        for index in range(match.start + 1, match.stop):  # `there is no` in `no improvement in`
            if draft.words[index] not in opening:
                continue
            later = self.cues.at(draft.tokens, index)
            if later is not None and later.stop > match.stop:
                if later.payload[0] == "pseudo":  # `removed` before `at 10:00` stays
                    return self.cues.at(draft.tokens, match.start, index)
                told = match.payload[0] == "before" or draft.words[match.start] in _SUBJECTS
                if told and later.payload[0] == "before":
                    return self._fitting(draft, later)
        signed = draft.words[match.start] in _SIGNS and match.stop - match.start > 1
        if signed and match.payload[0] == "after" and not closes_clause(draft, match.stop):
            inner = (self.cues.at(draft.tokens, i) for i in range(match.start + 1, match.stop))
            unsigned = next((found for found in inner if found is not None), None)
            return None if unsigned is None else self._fitting(draft, unsigned)
        return match


def closes_clause(draft: Draft, stop: int) -> bool:
    """Whether nothing follows in the clause or on the line."""
    end = draft.sentence[stop - 1]
    return stop >= end or draft.words[stop] in _EDGES or "\n" in draft.tokens.gap(stop)


def _merge(known: Payload, more: Payload) -> Payload:
    """A phrase listed before and after decides by its neighbours; else the first list holds."""
    kind, only = more
    groups = None if only is None or known[1] is None else tuple({*known[1], *only})
    if {known[0], kind} in _BOTH_WAYS:
        return "either", groups
    if {known[0], kind} == {"after", "near"}:
        return "near", groups
    return (kind, groups) if known[0] == kind else known


@cache
def cue_list(concept: str) -> CueList:
    """Return the cues of a concept, which is the name of a folder here."""
    package = f"extraction.notes.assertion.{concept}"
    lines = [
        *read_lines("stops.txt", "extraction.notes.assertion"),
        *read_lines("terms.txt", package),
    ]
    return CueList.parse(lines)
