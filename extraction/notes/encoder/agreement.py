"""One word, one meaning: the places of a word in a text draw near to each other in their labels.

A report names its findings many times, some of them in sentences that tell what they are. Scores of
labels, not of marks, are drawn to their mean over all places of the word ("one sense per
discourse": Gale, Church and Yarowsky 1992), so that a span may still begin at one place and end at
another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

_LEAST_LETTERS = 2


def agreed(logs: Floats, words: Sequence[str], share: float) -> Floats:
    """Return the scores of a text's tags with labels drawn to the mean over a word's places.

    Parameters
    ----------
    logs
        (words, tags): log probabilities, outside first, then four marks of every label.
    words
        Case does not matter; what is no word of two letters or more stays as it is.
    share
        0 leaves all as it is, 1 gives all places of a word the same labels.
    """
    kept = [i for i, word in enumerate(words) if len(word) >= _LEAST_LETTERS and word.isalpha()]
    if not share or len(kept) < 2:
        return logs
    numbers: dict[str, int] = {}
    group = np.asarray([numbers.setdefault(words[i].lower(), len(numbers)) for i in kept])
    marks = logs[kept, 1:].reshape(len(kept), -1, 4)
    top = marks.max(2)
    labels = top + np.log(np.exp(marks - top[:, :, None]).sum(2))
    labels = np.concatenate([logs[kept, :1], labels], 1)
    order = np.argsort(group, kind="stable")
    counts = np.bincount(group)
    sums = np.add.reduceat(labels[order], np.cumsum(counts) - counts)
    moved = share * (sums[group] / counts[group, None] - labels)
    found = logs.copy()
    found[kept, 0] += moved[:, 0]
    found[kept, 1:] += np.repeat(moved[:, 1:], 4, 1)
    return found
