"""What the rules reach on the assertion gold; `blind` is only compared in total and by status.

The aim for `blind` is an accuracy of .93 with no status below .80. The thresholds below are what is
reached, so that no change loses it; docs/notes.md says how far that is from the aim.
"""

from __future__ import annotations

import pytest

from extraction.notes.facts import ASSERTIONS
from tests.notes.assertion_loader import load_gold, parse_line
from tests.notes.assertion_scores import _expected, on_given_spans

LEAST = {"dev": 0.98, "rules": 0.97, "second": 0.93, "third": 0.88, "blind": 0.88}
LEAST_STATUS = {"dev": 0.9, "rules": 0.9, "second": 0.8, "third": 0.74, "blind": 0.8}


@pytest.mark.parametrize("part", LEAST)
def test_accuracy_on_given_spans(part: str) -> None:
    scores = on_given_spans(part)
    assert scores.share >= LEAST[part]
    assert scores.low < scores.share < scores.high


@pytest.mark.parametrize("part", LEAST)
@pytest.mark.parametrize("status", ASSERTIONS)
def test_no_status_is_left_behind(part: str, status: str) -> None:
    right, of = on_given_spans(part).statuses[status]
    assert right >= LEAST_STATUS[part] * of


def test_a_second_label_counts_where_both_stand() -> None:
    assert on_given_spans("blind", settled=True).share >= LEAST["blind"]
    assert _expected("absent", ("possible", "either"), "possible") == "possible"
    assert _expected("absent", ("possible", "either"), "family") == "absent"
    assert _expected("absent", ("possible", "possible"), "absent") == "possible"


@pytest.mark.parametrize("part", LEAST)
def test_spans_index_the_plain_text(part: str) -> None:
    for line in load_gold(part):
        assert "{{" not in line.text
        assert all(line.text[f.start : f.stop].strip() for f in line.facts)


def test_a_marked_line_is_parted() -> None:
    text, facts = parse_line(r"No {{symptom:absent|fever}}.\n{{condition:present|Gout}}.")
    assert text == "No fever.\nGout."
    assert [(text[f.start : f.stop], f.assertion) for f in facts] == [
        ("fever", "absent"),
        ("Gout", "present"),
    ]
