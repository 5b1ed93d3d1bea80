"""What the components of the pipeline work on: a note's words, sentences and found mentions."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any

from .facts import Assertion, Bounds, Certainty, Fact, FactType, Trend
from .tokens import Tokens

GROUPS: dict[str, str] = {
    "condition": "problem",
    "symptom": "problem",
    "adverse_event": "problem",
    "medication": "drug",
    "vital": "measure",
    "laboratory": "measure",
    "age": "person",
    "sex": "person",
    "procedure": "procedure",
    "imaging_finding": "problem",
    "allergy": "problem",
    "genomic_finding": "problem",
    "score": "measure",
    "smoking": "person",
    "alcohol": "person",
    "care_event": "procedure",
}
# The stronger one first: what is denied is neither planned nor past.
CONCEPTS = (
    "negation",
    "family",
    "hypothesis",
    "planning",
    "possibility",
    "history",
    "circumstance",
)
_MEANING: dict[str, Assertion] = {
    "negation": "absent",
    "family": "family",
    "hypothesis": "hypothetical",
    "planning": "planned",
    "possibility": "possible",
    "history": "historical",
    "circumstance": "conditional",
}


@dataclass(slots=True)
class Mention:
    """A fact in the making: its words, attributes and the cues that touch it.

    Parameters
    ----------
    start, stop
        Words of the span.
    first
        First word of the whole expression, e.g. the name in front of a number.
    chars
        Character span, half open.
    cues
        By concept (negation, ...), the word span of the cue.
    """

    type: FactType
    name: str
    start: int
    stop: int
    first: int
    chars: tuple[int, int]
    value: float | None = None
    unit: str | None = None
    comparator: str | None = None
    flag: str | None = None
    dose: float | None = None
    dose_unit: str | None = None
    route: str | None = None
    frequency: str | None = None
    severity: str | None = None
    cues: dict[str, tuple[int, int]] = field(default_factory=dict)
    certainty: Certainty | None = None
    given: bool = False
    status: str | None = None
    variant: str | None = None
    zygosity: str | None = None
    serious: bool | None = None
    related: str | None = None
    outcome: str | None = None
    form: str | None = None
    duration: float | None = None
    indication: str | None = None
    low: float | None = None
    high: float | None = None
    began: Bounds | None = None
    ended: Bounds | None = None
    began_at: tuple[int, int] | None = None
    ended_at: tuple[int, int] | None = None
    trend: Trend | None = None
    earlier_dose: float | None = None
    as_needed: bool | None = None
    upper: float | None = None

    @property
    def group(self) -> str:
        """What it counts as for scope: problem, drug, procedure, measure or person."""
        if self.value is None and self.type == "laboratory" and self.status is None:
            return "problem"  # a finding in words, e.g. `blasts`; but `TSH normal` is measured
        return GROUPS[self.type]

    def fits(self, groups: tuple[str, ...]) -> bool:
        """Whether a cue of these groups can be about it; a test in words is also a procedure."""
        return self.group in groups or (self.type == "laboratory" and "procedure" in groups)

    def decided(self) -> str | None:
        """The strongest concept whose cue touches it, or None."""
        return next((c for c in CONCEPTS if c in self.cues), None)


_place = attrgetter("start", "stop")
# A fact takes every other attribute from its mention as it is: a new one is a field of both.
_COMPUTED = {"text", "start", "stop", "assertion", "severity", "cue", "scope", "certainty", "codes"}
_TAKEN = tuple(f.name for f in fields(Fact) if f.name not in _COMPUTED)
_take = attrgetter(*_TAKEN)


@dataclass(slots=True)
class Draft:
    """A note under work.

    Parameters
    ----------
    tokens
        Words with places.
    words
        The words in normal form.
    sentence
        For each word, the index one past the last word of its sentence.
    opening
        For each word, the index of the first word of its sentence.
    section
        For each word, the kind of section it stands in.
    headers
        Words that are part of a section's title.
    titles
        First words of the titles, in order.
    mentions
        Facts in the making, in order of their place.
    """

    tokens: Tokens
    words: list[str] = field(init=False)
    sentence: list[int] = field(default_factory=list)
    opening: list[int] = field(default_factory=list)
    section: list[str] = field(default_factory=list)
    headers: set[int] = field(default_factory=set)
    titles: list[int] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    by_start: dict[int, Mention] = field(default_factory=dict)
    by_stop: dict[int, Mention] = field(default_factory=dict)
    covered: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.words = self.tokens.words

    def mention(self, type_: FactType, name: str, start: int, stop: int) -> Mention:
        """Return a new mention of these words; it is not yet added."""
        chars = (self.tokens.starts[start], self.tokens.stops[stop - 1])
        return Mention(type_, name, start, stop, start, chars)

    def add(self, mention: Mention) -> None:
        """Add a mention unless an earlier one holds some of its words."""
        span = range(mention.start, mention.stop)
        if not self.covered.isdisjoint(span):
            return
        self.covered.update(span)
        self.mentions.append(mention)
        self.by_start[mention.start] = mention
        self.by_stop[mention.stop] = mention

    def between(self, start: int, stop: int) -> tuple[int, int] | None:
        """Return the words that these characters touch, first and one past the last, or None."""
        first = bisect_right(self.tokens.stops, start)
        last = bisect_left(self.tokens.starts, stop)
        return (first, last) if first < last else None

    def title_before(self, index: int) -> int | None:
        """Return the first word of the title that a word stands under, or None."""
        place = bisect_left(self.titles, index)
        return self.titles[place - 1] if place else None

    def drop(self, mentions: Collection[Mention]) -> None:
        """Take mentions out; their words stay free of others."""
        gone = {id(m) for m in mentions}
        self.mentions = [m for m in self.mentions if id(m) not in gone]
        for mention in mentions:
            self.by_start.pop(mention.start, None)
            self.by_stop.pop(mention.stop, None)

    def within(self, start: int, stop: int) -> list[Mention]:
        """Return the mentions that start at words `start` up to `stop`."""
        return [self.by_start[i] for i in range(start, stop) if i in self.by_start]

    def facts(self) -> tuple[dict[str, Any], ...]:
        """Return what is said of each finished fact, for `Fact.of`, in the order of the text."""
        ordered = sorted(self.mentions, key=_place)
        decided = [m.decided() if m.cues else None for m in ordered]
        scopes: dict[tuple[str, tuple[int, int]], tuple[int, int]] = {}
        for mention, concept in zip(ordered, decided, strict=True):
            if concept is not None:
                cue = mention.cues[concept]
                first, last = scopes.get((concept, cue), cue)
                scopes[concept, cue] = min(first, mention.start), max(last, mention.stop)
        return tuple(
            self._said(m, c, scopes[c, m.cues[c]] if c is not None else None)
            for m, c in zip(ordered, decided, strict=True)
        )

    def _chars(self, words: tuple[int, int]) -> tuple[int, int]:
        return self.tokens.starts[words[0]], self.tokens.stops[words[1] - 1]

    def _said(
        self, m: Mention, concept: str | None, scope: tuple[int, int] | None
    ) -> dict[str, Any]:
        said = {k: v for k, v in zip(_TAKEN, _take(m), strict=True) if v is not None}
        said["start"], said["stop"] = start, stop = m.chars
        said["text"] = self.tokens.text[start:stop]
        assertion: Assertion = "present" if concept is None else _MEANING[concept]
        if m.severity is not None and assertion != "absent":
            said["severity"] = m.severity
        if concept is not None and scope is not None:
            said["assertion"] = assertion
            said["cue"], said["scope"] = self._chars(m.cues[concept]), self._chars(scope)
        if assertion == "possible":
            said["certainty"] = m.certainty or "possible"
        return said
