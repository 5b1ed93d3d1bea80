"""Tags, constrained decoding, and scores of spans."""

from itertools import pairwise, product

import numpy as np
import pytest

from extraction.notes.encoder.agreement import agreed
from extraction.notes.encoder.decoding import best_of_texts, best_tags
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


def test_texts_are_decoded_by_sentence_whatever_stands_beside_them():
    draw = np.random.default_rng(5)
    sizes = [0, 9, 1, 30, 4]
    scores = [draw.normal(size=(n, len(SCHEME))).astype(np.float32) for n in sizes]
    opens = [np.array(x, np.int64) for x in ([], [0, 4], [0], [0, 7, 8, 20], [0])]
    found = best_of_texts(SCHEME, scores, opens)
    for one, mine, starts in zip(scores, found, opens, strict=True):
        for a, b in pairwise([*starts, len(one)]):
            alone = best_tags(SCHEME, one[None, a:b], np.array([b - a]))
            np.testing.assert_array_equal(mine[a:b], alone[0])


def _labels(logs):
    marks = np.exp(logs[:, 1:]).reshape(len(logs), -1, 4).sum(2)
    return np.concatenate([logs[:, :1], np.log(marks)], 1)


def test_the_places_of_a_word_draw_near_in_label_and_keep_their_marks():
    words = ["Gout", "is", "a", "3", "gout", ",", "is", "old", "GOUT", "a", "3"]
    draw = np.random.default_rng(11)
    logs = np.log(draw.dirichlet(np.ones(len(SCHEME)), 11))
    for share in (0.0, 0.4, 1.0):
        found = agreed(logs, words, share)
        for places in ([0, 4, 8], [1, 6], [7]):
            mean = _labels(logs)[places].mean(0)
            expected = (1 - share) * _labels(logs)[places] + share * mean
            np.testing.assert_allclose(_labels(found)[places], expected, atol=1e-12)
        same = [2, 3, 5, 9, 10]  # no words
        np.testing.assert_array_equal(found[same], logs[same])
        within = found[:, 1:].reshape(11, -1, 4) - logs[:, 1:].reshape(11, -1, 4)
        np.testing.assert_allclose(np.ptp(within, axis=2), 0, atol=1e-12)


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
