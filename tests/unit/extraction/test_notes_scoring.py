from __future__ import annotations

import pytest

from extraction.notes.facts import Fact
from extraction.notes.scoring import Score, score


def fact(start: int, stop: int, assertion: str = "present", **more: object) -> Fact:
    return Fact("condition", "x" * (stop - start), start, stop, assertion, **more)  # type: ignore[arg-type]


def test_strict_relaxed_and_spans_by_hand() -> None:
    gold = [fact(0, 5), fact(10, 15, "absent"), fact(20, 25)]
    found = [fact(0, 5), fact(10, 15), fact(21, 25), fact(30, 35)]
    scores = score([(found, gold)])
    assert (scores.strict.hits, scores.strict.found, scores.strict.marked) == (1, 4, 3)
    assert scores.relaxed.hits == 2
    assert scores.spans.hits == 2
    assert scores.strict.f1 == pytest.approx(2 / 7)
    assert scores.assertions["absent"] == Score(0, 0, 1)
    assert scores.types["condition"] == scores.strict


def test_attributes_are_compared_on_matched_spans() -> None:
    scores = score([([fact(0, 5, severity="mild")], [fact(0, 5, severity="severe")])])
    assert scores.attributes["severity"] == (0, 1)


def test_nothing_found_and_nothing_marked_is_perfect() -> None:
    assert Score().to_dict() == {"precision": 1, "recall": 1, "f1": 1, "found": 0, "marked": 0}
