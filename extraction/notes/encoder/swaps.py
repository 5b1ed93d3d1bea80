"""More documents to learn from: marked words take the place of others with the same label.

Of few documents a network soon knows the words by heart. With other mentions in their sentences
it has to read what stands around them (mention replacement: Dai and Adel 2020, COLING, "An analysis
of simple data augmentation for named entity recognition").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .documents import Document, Span

Mentions = Mapping[str, Sequence[str]]


def mentions(documents: Sequence[Document], labels: Sequence[str]) -> dict[str, list[str]]:
    """Return the marked words of every label, as often as they are marked, within a line."""
    found: dict[str, list[str]] = {label: [] for label in labels}
    for document in documents:
        for span in document.spans:
            words = document.text[span.start : span.stop]
            if span.label in found and "\n" not in words:
                found[span.label].append(words)
    return {label: words for label, words in found.items() if words}


def swapped(
    document: Document, known: Mentions, share: float, draw: np.random.Generator
) -> Document:
    """Return a document in which some marked words are others of their label.

    Parameters
    ----------
    known
        What `mentions` returned.
    share
        Of the spans that overlap no other; those that do stay.
    """
    chosen = [
        span
        for span in sorted(document.spans)
        if span.label in known
        and draw.random() < share
        and not any(
            o.start < span.stop and span.start < o.stop for o in document.spans if o != span
        )
    ]
    text, at, moved = "", 0, []
    for span in chosen:
        words = known[span.label]
        new = _cased(words[int(draw.integers(len(words)))], document.text[span.start])
        text += document.text[at : span.start] + new
        at = span.stop
        moved.append(len(new) - (span.stop - span.start))
    stops = np.asarray([span.stop for span in chosen], np.int64)
    shift = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.asarray(moved, np.int64))])

    def place(old: int) -> int:
        return old + int(shift[np.searchsorted(stops, old, side="right")])

    spans = tuple(Span(place(s.start), place(s.stop), s.label) for s in document.spans)
    return Document(document.name, text + document.text[at:], spans)


def _cased(words: str, before: str) -> str:
    """Words with a capital where those before them had one: perhaps they begin the sentence."""
    return words[0].upper() + words[1:] if before.isupper() else words
