"""Score assertions on the gold: where the span is given, and end to end; totals only."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np

from extraction.notes import load_pipeline
from extraction.notes.components import with_spans
from generation.randomness import generator

from .assertion_loader import Line, adjudicated, load_gold

REPEATS = 2000  # bootstrap samples of lines


@dataclass(frozen=True)
class Accuracy:
    """Share of marked facts with the right status.

    Parameters
    ----------
    low, high
        95 % interval by resampling lines.
    statuses
        By status: right, of.
    """

    right: int
    of: int
    low: float
    high: float
    statuses: dict[str, tuple[int, int]]

    @property
    def share(self) -> float:
        """Right over all."""
        return self.right / self.of


@cache
def on_given_spans(part: str, settled: bool = False) -> Accuracy:
    """Return how often the status of a marked span is right.

    Parameters
    ----------
    settled
        Whether by the labels two annotators settled on; where they let both stand, both are right.
    """
    nlp = load_pipeline("fast")
    labels = adjudicated(part) if settled else {}
    rows = []
    for line in load_gold(part):
        spans = [(f.start, f.stop, f.type) for f in line.facts]
        facts = with_spans(nlp, line.text, spans)._.facts  # type: ignore[arg-type]
        found = {(f.start, f.stop): f.assertion for f in facts}
        row: list[tuple[str, str | None]] = []
        for number, fact in enumerate(line.facts, start=1):
            got = found.get((fact.start, fact.stop))
            both = labels.get((line.file, line.number, number), (fact.assertion, fact.assertion))
            row.append((_expected(fact.assertion, both, got), got))
        rows.append(row)
    return _accuracy(rows)


def _expected(first: str, both: tuple[str, str], got: str | None) -> str:
    second, label = both
    if label != "either":
        return label
    return second if got == second else first


@cache
def end_to_end(part: str) -> Accuracy:
    """Return how often a marked span is overlapped by a fact of the right status."""
    nlp = load_pipeline("fast")
    return _accuracy([_overlapping(line, nlp(line.text)._.facts) for line in load_gold(part)])


def _overlapping(line: Line, facts: object) -> list[tuple[str, str | None]]:
    pairs: list[tuple[str, str | None]] = []
    for marked in line.facts:
        over = [
            f.assertion
            for f in facts  # type: ignore[attr-defined]
            if f.start < marked.stop and marked.start < f.stop
        ]
        pairs.append((marked.assertion, marked.assertion if marked.assertion in over else None))
    return pairs


def _accuracy(rows: list[list[tuple[str, str | None]]]) -> Accuracy:
    right: Counter[str] = Counter()
    of: Counter[str] = Counter()
    for row in rows:
        of.update(status for status, _ in row)
        right.update(status for status, got in row if got == status)
    counts = np.array([[sum(s == g for s, g in row), len(row)] for row in rows], dtype=float)
    draw = generator(0, "tests.assertion").integers(len(rows), size=(REPEATS, len(rows)))
    sums = counts[draw].sum(axis=1)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    return Accuracy(
        right.total(), of.total(), float(low), float(high), {s: (right[s], of[s]) for s in of}
    )
