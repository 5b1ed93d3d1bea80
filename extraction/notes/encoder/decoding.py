"""The best sequence of tags that keeps the rules of the marks (Viterbi 1967), many at once.

The rules make it cheap: what follows an outside, end or single tag does not depend on which of them
it was, and an inside or end tag follows only two tags. A step costs as many operations as there are
tags, not their square.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .tags import TagScheme

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_NEVER = np.float32(-1e9)
_BEGIN, _INSIDE, _END, _SINGLE = range(4)
_TOGETHER = 64  # sequences of like length that are decoded side by side


def best_tags(scheme: TagScheme, scores: Floats, lengths: Ints) -> Ints:
    """Return the best tags, (sequences, words); beyond a sequence's length they are 0.

    Parameters
    ----------
    scheme
        The tags; the rules are those of `TagScheme.allowed`.
    scores
        (sequences, words, tags): log probabilities, or any scores that add up.
    lengths
        Words of every sequence, at least 1.
    """
    n, words, _ = scores.shape
    labels = len(scheme.labels)
    outside = scores[:, :, 0]
    marks = scores[:, :, 1:].reshape(n, words, labels, 4)
    closed_from = np.zeros((words, n), np.int64)  # best closed tag of the word before
    went_on = np.zeros((words, n, labels), bool)  # whether inside came before, not begin
    final = np.zeros(n, np.int64)
    closed = np.zeros(n, np.float32)
    open_begin = np.full((n, labels), _NEVER, np.float32)
    open_inside = np.full((n, labels), _NEVER, np.float32)
    for place in range(words):
        before = np.maximum(open_begin, open_inside)
        went_on[place] = open_inside > open_begin
        now = marks[:, place]
        ended = before + now[:, :, _END]
        single = closed[:, None] + now[:, :, _SINGLE]
        shut = np.concatenate([(closed + outside[:, place])[:, None], ended, single], 1)
        open_inside = before + now[:, :, _INSIDE]
        open_begin = closed[:, None] + now[:, :, _BEGIN]
        which = shut.argmax(1)
        closed = shut[np.arange(n), which]
        if place + 1 < words:
            closed_from[place + 1] = which
        last = lengths == place + 1
        final[last] = which[last]
    return _traced(final, closed_from, went_on, lengths, labels)


def _traced(
    state: Ints, closed_from: Ints, went_on: npt.NDArray[np.bool_], lengths: Ints, labels: int
) -> Ints:
    """Go back from the last word; a closed state is 0 outside, then ends, then singles."""
    words, n = closed_from.shape
    found = np.zeros((n, words), np.int64)
    rows = np.arange(n)
    inside = np.full(n, -1)  # label of the span that the word to the right goes on with
    for place in range(words - 1, -1, -1):
        here = place < lengths
        at_last = place == lengths - 1
        closed = np.where(at_last, state, closed_from[min(place + 1, words - 1)])
        is_open = here & (inside >= 0)
        # Inside a span: this word is its begin, or goes on where inside was the better way.
        label = np.maximum(inside, 0)
        mark = np.zeros(n, np.int64)
        if place + 1 < words:
            mark = np.where(went_on[place + 1, rows, label], _INSIDE, _BEGIN)
        ends = here & ~is_open & (closed >= 1) & (closed <= labels)
        single = here & ~is_open & (closed > labels)
        found[is_open, place] = (1 + 4 * label + mark)[is_open]
        found[ends, place] = (1 + 4 * (closed - 1) + _END)[ends]
        found[single, place] = (1 + 4 * (closed - 1 - labels) + _SINGLE)[single]
        inside = np.where(ends, closed - 1, np.where(is_open & (mark == _INSIDE), inside, -1))
    return found


def best_of_texts(scheme: TagScheme, scores: Sequence[Floats], opens: Sequence[Ints]) -> list[Ints]:
    """Return the best tags of every text; sentences of like length are decoded side by side.

    Parameters
    ----------
    scores
        (words, tags) of every text.
    opens
        The words of every text that begin a sentence, the first of them 0.
    """
    found = [np.zeros(len(one), np.int64) for one in scores]
    parts = [
        (text, int(a), int(b))
        for text, starts in enumerate(opens)
        for a, b in pairwise([*starts, len(scores[text])])
        if b > a
    ]
    parts.sort(key=lambda part: part[2] - part[1])
    for first in range(0, len(parts), _TOGETHER):
        some = parts[first : first + _TOGETHER]
        lengths = np.asarray([b - a for _, a, b in some], np.int64)
        side = np.zeros((len(some), int(lengths.max()), len(scheme)), np.float32)
        for row, (text, a, b) in enumerate(some):
            side[row, : b - a] = scores[text][a:b]
        tags = best_tags(scheme, side, lengths)
        for row, (text, a, b) in enumerate(some):
            found[text][a:b] = tags[row, : b - a]
    return found
