"""What the components of the pipeline work on: a note's words, sentences and found mentions."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from .facts import Assertion, Fact, FactType
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
}
CONCEPTS = ("negation", "family", "possibility", "history")  # the stronger one first
_MEANING: dict[str, Assertion] = {
    "negation": "absent",
    "family": "family",
    "possibility": "possible",
    "history": "historical",
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

    @property
    def group(self) -> str:
        """What it counts as for scope: problem, drug, measure or person."""
        return GROUPS[self.type]


@dataclass(slots=True)
class Draft:
    """A note under work.

    Parameters
    ----------
    tokens
        Words with places.
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
    sentence: list[int] = field(default_factory=list)
    opening: list[int] = field(default_factory=list)
    section: list[str] = field(default_factory=list)
    headers: set[int] = field(default_factory=set)
    titles: list[int] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    by_start: dict[int, Mention] = field(default_factory=dict)
    by_stop: dict[int, Mention] = field(default_factory=dict)
    covered: set[int] = field(default_factory=set)

    @property
    def words(self) -> list[str]:
        """The words in normal form."""
        return self.tokens.words

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

    def title_before(self, index: int) -> int | None:
        """Return the first word of the title that a word stands under, or None."""
        place = bisect_left(self.titles, index)
        return self.titles[place - 1] if place else None

    def drop(self, mention: Mention) -> None:
        """Take a mention out; its words stay free of others."""
        self.mentions.remove(mention)
        self.by_start.pop(mention.start, None)
        self.by_stop.pop(mention.stop, None)

    def within(self, start: int, stop: int) -> list[Mention]:
        """Return the mentions that start at words `start` up to `stop`."""
        return [self.by_start[i] for i in range(start, stop) if i in self.by_start]

    def facts(self) -> tuple[Fact, ...]:
        """Return the finished facts in the order of the text."""
        return tuple(self._fact(m) for m in sorted(self.mentions, key=lambda m: (m.start, m.stop)))

    def _fact(self, m: Mention) -> Fact:
        concept = next((c for c in CONCEPTS if c in m.cues), None)
        assertion: Assertion = "present" if concept is None else _MEANING[concept]
        cue = None
        if concept is not None:
            first, last = m.cues[concept]
            cue = (self.tokens.starts[first], self.tokens.stops[last - 1])
        start, stop = m.chars
        return Fact(
            type=m.type,
            text=self.tokens.text[start:stop],
            start=start,
            stop=stop,
            assertion=assertion,
            name=m.name,
            value=m.value,
            unit=m.unit,
            dose=m.dose,
            dose_unit=m.dose_unit,
            route=m.route,
            frequency=m.frequency,
            severity=None if assertion == "absent" else m.severity,
            cue=cue,
            comparator=m.comparator,
            flag=m.flag,
        )
