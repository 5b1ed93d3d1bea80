"""Tags of words: BIOES marks of flat spans, and which mark may follow which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TagScheme:
    """The tags of one label set: O, and begin, inside, end and single of every label.

    Parameters
    ----------
    labels
        The labels, each once.

    Examples
    --------
    >>> scheme = TagScheme(("Drug",))
    >>> scheme.names
    ('O', 'B-Drug', 'I-Drug', 'E-Drug', 'S-Drug')
    >>> scheme.encode([(1, 3, "Drug")], 4).tolist()
    [0, 1, 3, 0]
    >>> scheme.decode([0, 1, 3, 0])
    [(1, 3, 'Drug')]
    """

    labels: tuple[str, ...]

    def __len__(self) -> int:
        return 1 + 4 * len(self.labels)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tags by number."""
        return ("O", *(f"{mark}-{label}" for label in self.labels for mark in "BIES"))

    def encode(self, spans: Sequence[tuple[int, int, str]], n_words: int) -> Ints:
        """Return the tag of every word; `spans` are flat (first word, past the last, label)."""
        tags = np.zeros(n_words, np.int64)
        for start, stop, label in spans:
            base = 1 + 4 * self.labels.index(label)
            if stop - start == 1:
                tags[start] = base + 3
                continue
            tags[start:stop] = base + 1
            tags[start], tags[stop - 1] = base, base + 2
        return tags

    def decode(self, tags: Sequence[int]) -> list[tuple[int, int, str]]:
        """Return the spans of a sequence of tags that keeps the rules of `allowed`."""
        spans, start = [], 0
        for place, tag in enumerate(tags):
            if tag == 0:
                continue
            label, mark = divmod(int(tag) - 1, 4)
            if mark in (0, 3):
                start = place
            if mark in (2, 3):
                spans.append((start, place + 1, self.labels[label]))
        return spans

    def allowed(self) -> Bools:
        """Return [tag, next tag]: inside and end follow begin or inside of the same label."""
        tag = np.arange(len(self))
        label, mark = (tag - 1) // 4, (tag - 1) % 4
        label[0], mark[0] = -1, 3  # O is followed by what may follow a single
        opens = (mark == 0) | (mark == 1)
        goes_on = opens & (tag > 0)
        same = (label[:, None] == label[None, :]) & goes_on[None, :].T & (tag[None, :] > 0)
        continuing = (mark == 1) | (mark == 2)
        continuing[0] = False
        return np.asarray(np.where(continuing[None, :], same, ~goes_on[:, None]))

    def first(self) -> Bools:
        """Return which tags may open a sequence."""
        mark = (np.arange(len(self)) - 1) % 4
        return np.asarray((mark == 0) | (mark == 3))

    def last(self) -> Bools:
        """Return which tags may close a sequence."""
        mark = (np.arange(len(self)) - 1) % 4
        return np.asarray((mark == 2) | (mark == 3))
