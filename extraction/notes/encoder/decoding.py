"""The best sequence of tags that keeps the rules of the marks (Viterbi 1967), many at once.

The rules make it cheap: what follows an outside, end or single tag depends on its label alone, and
an inside or end tag follows only two tags. A step costs as many operations as there are pairs of
labels, not pairs of tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .tags import TagScheme

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_NEVER = np.float32(-1e9)
_BEGIN, _INSIDE, _END, _SINGLE = range(4)
_TOGETHER = 64  # sequences of like length that are decoded side by side


def best_tags(
    scheme: TagScheme, scores: Floats, lengths: Ints, transitions: Floats | None = None
) -> Ints:
    """Return the best tags, (sequences, words); beyond a sequence's length they are 0.

    Parameters
    ----------
    scheme
        The tags; the rules are those of `TagScheme.allowed`.
    scores
        (sequences, words, tags): log probabilities, or any scores that add up.
    lengths
        Words of every sequence, at least 1.
    transitions
        (labels + 2, labels + 1): what a word outside or a span's first word adds after what was
        closed before it. Rows: outside, every label, the sequence's beginning; columns: outside,
        every label. None adds nothing.
    """
    n, words, _ = scores.shape
    labels = len(scheme.labels)
    added = np.zeros((labels + 2, labels + 1), np.float32) if transitions is None else transitions
    outside = scores[:, :, 0]
    marks = scores[:, :, 1:].reshape(n, words, labels, 4)
    came_from = np.zeros((words, n, labels + 1), np.int64)  # closed state before what begins here
    went_on = np.zeros((words, n, labels), bool)  # whether an open word is inside, not begin
    ended = np.zeros((words, n, labels), bool)  # whether a closing word is an end, not a single
    final = np.zeros(n, np.int64)
    never = np.full((n, 1), _NEVER, np.float32)
    closed = np.concatenate([np.repeat(never, labels + 1, 1), np.zeros((n, 1), np.float32)], 1)
    opened = np.repeat(never, labels, 1)
    for place in range(words):
        ways = closed[:, :, None] + added[None]
        came_from[place] = ways.argmax(1)
        enter = ways.max(1)
        now = marks[:, place]
        end, single = opened + now[:, :, _END], enter[:, 1:] + now[:, :, _SINGLE]
        inside, begin = opened + now[:, :, _INSIDE], enter[:, 1:] + now[:, :, _BEGIN]
        ended[place], went_on[place] = end > single, inside > begin
        out = (enter[:, 0] + outside[:, place])[:, None]
        closed = np.concatenate([out, np.maximum(end, single), never], 1)
        opened = np.maximum(inside, begin)
        last = lengths == place + 1
        final[last] = closed[last].argmax(1)
    return _traced(final, came_from, went_on, ended, lengths)


def _traced(final: Ints, came_from: Ints, went_on: Bools, ended: Bools, lengths: Ints) -> Ints:
    """Go back from the last word; a closed state is 0 outside, else 1 + the label."""
    words, n, _ = came_from.shape
    found = np.zeros((n, words), np.int64)
    rows = np.arange(n)
    state = final.copy()
    inside = np.full(n, -1)  # label of the span that the word to the right goes on with
    for place in range(words - 1, -1, -1):
        here = place < lengths
        label = np.where(inside >= 0, inside, state - 1)
        some = label.clip(0)
        within, shut = went_on[place, rows, some], ended[place, rows, some]
        mark = np.where(
            inside >= 0, np.where(within, _INSIDE, _BEGIN), np.where(shut, _END, _SINGLE)
        )
        marked = here & (label >= 0)
        found[marked, place] = (1 + 4 * label + mark)[marked]
        goes_back = marked & ((mark == _INSIDE) | (mark == _END))
        inside = np.where(goes_back, label, -1)
        before = came_from[place, rows, label + 1]
        state = np.where(here & ~goes_back, before, state)
    return found


def best_of_texts(
    scheme: TagScheme,
    scores: Sequence[Floats],
    opens: Sequence[Ints],
    transitions: Floats | None = None,
) -> list[Ints]:
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
        tags = best_tags(scheme, side, lengths, transitions)
        for row, (text, a, b) in enumerate(some):
            found[text][a:b] = tags[row, : b - a]
    return found
