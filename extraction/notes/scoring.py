"""Precision, recall and F1 of found facts against marked ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .facts import ASSERTIONS, FACT_TYPES

ATTRIBUTES = ("name", "value", "unit", "dose", "dose_unit", "route", "frequency", "severity")


class Marked(Protocol):
    """A fact as scoring needs it; `Fact` and a bank's marked fact both fit."""

    @property
    def type(self) -> str:
        """What kind of statement it is."""

    @property
    def start(self) -> int:
        """First character."""

    @property
    def stop(self) -> int:
        """One past the last character."""

    @property
    def assertion(self) -> str:
        """One of `facts.ASSERTIONS`."""


@dataclass(frozen=True)
class Score:
    """Counts of agreement.

    Parameters
    ----------
    hits
        Facts found that are marked.
    found, marked
        All facts found, all facts marked.
    """

    hits: int = 0
    found: int = 0
    marked: int = 0

    @property
    def precision(self) -> float:
        """Share of the found facts that are marked; 1 when none was found."""
        return self.hits / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Share of the marked facts that were found; 1 when none was marked."""
        return self.hits / self.marked if self.marked else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 when nothing was marked or found."""
        return 2 * self.hits / (self.found + self.marked) if self.found + self.marked else 1.0

    def to_dict(self) -> dict[str, float]:
        """Return rounded figures for tables and JSON."""
        return {
            "precision": round(self.precision, 4),
            "recall": round(self.recall, 4),
            "f1": round(self.f1, 4),
            "found": self.found,
            "marked": self.marked,
        }


@dataclass(frozen=True)
class Scores:
    """What `score` returns.

    Parameters
    ----------
    strict
        Same type, assertion and characters.
    relaxed
        Same type and assertion, spans overlap.
    spans
        Same type and characters, whatever the assertion.
    types, assertions
        `strict` by type, and by assertion.
    attributes
        By attribute: share right among the strict span matches that have it on either side.
    """

    strict: Score
    relaxed: Score
    spans: Score
    types: dict[str, Score]
    assertions: dict[str, Score]
    attributes: dict[str, tuple[int, int]]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able form."""
        return {
            "strict": self.strict.to_dict(),
            "relaxed": self.relaxed.to_dict(),
            "spans": self.spans.to_dict(),
            "types": {k: v.to_dict() for k, v in self.types.items()},
            "assertions": {k: v.to_dict() for k, v in self.assertions.items()},
            "attributes": {
                k: {"right": right, "of": of, "share": round(right / of, 4) if of else 1.0}
                for k, (right, of) in self.attributes.items()
            },
        }


def score(
    pairs: Iterable[tuple[Sequence[Marked], Sequence[Marked]]],
    types: Collection[str] = FACT_TYPES,
) -> Scores:
    """Compare found with marked facts.

    Parameters
    ----------
    pairs
        For each text, (found, marked).
    types
        The types that were marked; found facts of others are not counted.
    """
    found: Counter[tuple[str, str]] = Counter()
    marked: Counter[tuple[str, str]] = Counter()
    hits: Counter[tuple[str, str]] = Counter()
    span_hits = relaxed_hits = 0
    right: Counter[str] = Counter()
    of: Counter[str] = Counter()
    for every, gold in pairs:
        ours = [f for f in every if f.type in types]
        found.update((f.type, f.assertion) for f in ours)
        marked.update((g.type, g.assertion) for g in gold)
        by_span = {(f.type, f.start, f.stop): f for f in ours}
        for g in gold:
            match = by_span.get((g.type, g.start, g.stop))
            if match is None:
                continue
            span_hits += 1
            hits[(g.type, g.assertion)] += match.assertion == g.assertion
            _compare(match, g, right, of)
        relaxed_hits += _relaxed(ours, gold)
    total = (sum(found.values()), sum(marked.values()))
    return Scores(
        strict=Score(sum(hits.values()), *total),
        relaxed=Score(relaxed_hits, *total),
        spans=Score(span_hits, *total),
        types={t: _part(hits, found, marked, 0, t) for t in FACT_TYPES},
        assertions={a: _part(hits, found, marked, 1, a) for a in ASSERTIONS},
        attributes={a: (right[a], of[a]) for a in ATTRIBUTES},
    )


def _part(
    hits: Counter[tuple[str, str]],
    found: Counter[tuple[str, str]],
    marked: Counter[tuple[str, str]],
    place: int,
    key: str,
) -> Score:
    def total(counts: Counter[tuple[str, str]]) -> int:
        return sum(n for k, n in counts.items() if k[place] == key)

    return Score(total(hits), total(found), total(marked))


def _compare(ours: Marked, gold: Marked, right: Counter[str], of: Counter[str]) -> None:
    for name in ATTRIBUTES:
        a, b = getattr(ours, name, None), getattr(gold, name, None)
        if a is not None or b is not None:
            of[name] += 1
            right[name] += a == b


def _relaxed(ours: Sequence[Marked], gold: Sequence[Marked]) -> int:
    """Pair off overlapping facts of one type and assertion, each used once."""
    free = list(ours)
    hits = 0
    for g in gold:
        match = next((f for f in free if _overlaps(f, g)), None)
        if match is not None:
            free.remove(match)
            hits += 1
    return hits


def _overlaps(a: Marked, b: Marked) -> bool:
    same = a.type == b.type and a.assertion == b.assertion
    return same and a.start < b.stop and b.start < a.stop
