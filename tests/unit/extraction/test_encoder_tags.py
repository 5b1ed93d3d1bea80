"""Tags, constrained decoding, and scores of spans."""

from itertools import pairwise, product

import numpy as np
import pytest

from extraction.notes.encoder.decoding import best_tags
from extraction.notes.encoder.documents import Span
from extraction.notes.encoder.scoring import count, figures, micro_f1, report
from extraction.notes.encoder.tags import TagScheme

SCHEME = TagScheme(("Drug", "Dose"))


def test_decoding_tags_gives_the_spans_back():
    spans = [(0, 1, "Drug"), (1, 4, "Dose"), (5, 7, "Drug")]
    assert SCHEME.decode(SCHEME.encode(spans, 8).tolist()) == spans


def _legal(tags):
    follow = SCHEME.allowed()
    return (
        SCHEME.first()[tags[0]]
        and SCHEME.last()[tags[-1]]
        and all(follow[a, b] for a, b in pairwise(tags))
    )


def test_the_best_sequence_is_the_best_of_all_legal_ones():
    scores = np.random.default_rng(3).normal(size=(40, 4, len(SCHEME))).astype(np.float32)
    lengths = np.tile([4, 3, 1, 2], 10)
    found = best_tags(SCHEME, scores, lengths)
    for row, length in enumerate(lengths):
        legal = [t for t in product(range(len(SCHEME)), repeat=int(length)) if _legal(t)]
        best = max(legal, key=lambda t, r=row: sum(scores[r, i, tag] for i, tag in enumerate(t)))
        assert tuple(found[row, :length]) == best
        assert not found[row, length:].any()


def test_strict_and_relaxed_figures():
    marked = [Span(0, 5, "A"), Span(10, 20, "A"), Span(30, 35, "B")]
    found = [Span(0, 5, "A"), Span(12, 25, "A"), Span(30, 35, "A")]
    counts = count([(found, marked)], ("A", "B"))
    both = figures(counts.sum((0, 1)))
    assert both["strict"]["precision"] == pytest.approx(1 / 3, abs=1e-4)
    assert both["relaxed"]["recall"] == pytest.approx(2 / 3, abs=1e-4)
    assert micro_f1(counts) == pytest.approx(1 / 3)


def test_intervals_hold_the_figure_and_are_the_same_twice():
    pairs = [([Span(0, 1, "A")], [Span(0, 1 + i % 2, "A")]) for i in range(30)]
    first = report(count(pairs, ("A",)), ("A",))
    low, high = first["micro"]["strict"]["f1_interval"]
    assert low < first["micro"]["strict"]["f1"] < high
    assert first == report(count(pairs, ("A",)), ("A",))
    assert first["micro"]["relaxed"]["f1"] == 1.0
