"""The best sequence of tags that keeps the rules of the marks (Viterbi 1967), many at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .tags import TagScheme

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_NEVER = np.float32(-1e9)


class Decoder:
    """Constrained decoding of one label set.

    Parameters
    ----------
    scheme
        Its tags; the rules are those of `TagScheme.allowed`.
    moves
        (tags, tags): learned scores of a tag after a tag, or None for none.
    """

    def __init__(self, scheme: TagScheme, moves: Floats | None = None) -> None:
        self.scheme = scheme
        free = np.zeros((len(scheme), len(scheme)), np.float32) if moves is None else moves
        self.moves = np.where(scheme.allowed(), free, _NEVER).astype(np.float32)
        self.first = np.where(scheme.first(), 0, _NEVER).astype(np.float32)
        self.last = np.where(scheme.last(), 0, _NEVER).astype(np.float32)

    def best(self, scores: Floats, lengths: Ints) -> Ints:
        """Return the best tags, (sequences, words); beyond a sequence's length they are 0.

        Parameters
        ----------
        scores
            (sequences, words, tags): log probabilities, or any scores that add up.
        lengths
            Words of every sequence, at least 1.
        """
        n, words, tags = scores.shape
        back = np.zeros((words, n, tags), np.int16)
        total = scores[:, 0] + self.first
        final = total.copy()
        for place in range(1, words):
            options = total[:, :, None] + self.moves
            back[place] = options.argmax(1)
            total = options.max(1) + scores[:, place]
            running = place < lengths
            final[running] = total[running]
        found = np.zeros((n, words), np.int64)
        state = (final + self.last).argmax(1)
        rows = np.arange(n)
        for place in range(words - 1, -1, -1):
            inside = place < lengths
            found[inside, place] = state[inside]
            step = inside & (place > 0)
            state = np.where(step, back[place, rows, state], state)
        return found
