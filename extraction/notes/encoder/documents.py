"""A text with marked spans and relations, as every corpus reader and the tagger see it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A marked stretch of a text.

    Parameters
    ----------
    start, stop
        Character places, half open.
    label
        Its type in the words of its corpus.
    """

    start: int
    stop: int
    label: str


@dataclass(frozen=True, slots=True)
class Link:
    """A relation between two spans of one document.

    Parameters
    ----------
    head, tail
        Places in the document's `spans`.
    label
        Type of the relation.
    """

    head: int
    tail: int
    label: str


@dataclass(frozen=True, slots=True)
class Document:
    """A text with what is marked in it.

    Parameters
    ----------
    name
        Name within its corpus, for messages and scores.
    text
        The text as it was read.
    spans
        What is marked, in the order of the corpus; may overlap.
    links
        Relations between them.
    """

    name: str
    text: str
    spans: tuple[Span, ...] = ()
    links: tuple[Link, ...] = ()

    def digest(self) -> str:
        """Return a short hash of the words, which names the document whatever its file."""
        return hashlib.sha256(" ".join(self.text.split()).encode()).hexdigest()[:16]


def held_out(document: Document, share: float) -> bool:
    """Return whether a document belongs to the held-out part: its hash decides, no draw.

    Parameters
    ----------
    share
        Expected part of all documents, 0 to 1.
    """
    return int(document.digest()[:8], 16) < share * 2**32


def split(
    documents: Iterable[Document], share: float
) -> tuple[tuple[Document, ...], tuple[Document, ...]]:
    """Return the documents to train on and the held-out ones, by document hash.

    Equal texts have equal hashes, so that no text stands on both sides.
    """
    read = tuple(documents)
    return (
        tuple(d for d in read if not held_out(d, share)),
        tuple(d for d in read if held_out(d, share)),
    )


def flat(spans: Sequence[Span], preferred: frozenset[str] = frozenset()) -> tuple[Span, ...]:
    """Return spans of which no two overlap, in the order of the text.

    Of overlapping spans one of a preferred label stays, then the longer, then the earlier: the
    outer span says more (`history of diabetes` over `diabetes`).
    """
    ranked = sorted(spans, key=lambda s: (s.label not in preferred, s.start - s.stop, s))
    kept: list[Span] = []
    for span in ranked:
        if all(span.stop <= other.start or other.stop <= span.start for other in kept):
            kept.append(span)
    return tuple(sorted(kept))
